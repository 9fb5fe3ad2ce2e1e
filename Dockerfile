# The build stage has the toolchain and the headers; the final stage has the program, the C libraries that it
# links and nothing else of ours. Both stages are Debian 12, so the libraries are the ones it was linked with.

FROM swift:6.3-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Versions follow Debian 12's security updates, like those of the final stage.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcurl4-openssl-dev libpq-dev libssl-dev pkg-config zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /src
# What changes least comes first. No test is built; the package's manifest names their folders, so they must be there.
COPY Package.swift ./
COPY Tests Tests
COPY Migrations Migrations
COPY Sources Sources
RUN swift build -c release --static-swift-stdlib --product freshtrack \
 && install -D -m 0755 "$(swift build -c release --static-swift-stdlib --show-bin-path)/freshtrack" /out/freshtrack \
 && strip --strip-all /out/freshtrack


FROM debian:bookworm-slim

# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libcurl4 libpq5 libssl3 libstdc++6 tzdata zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 freshtrack \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin freshtrack \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/freshtrack/spool

COPY --from=build /out/freshtrack /usr/local/bin/freshtrack

# Last, because a new version must not make the layers above anew.
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="FreshTrack" \
      org.opencontainers.image.description="Cold-chain monitoring backend" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV HOST=0.0.0.0 PORT=3000 METRICS_PORT=9464 SPOOL_DIR=/var/lib/freshtrack/spool

# What sensors sent while the database was away. Mount a volume here, or it is gone with the container.
VOLUME ["/var/lib/freshtrack/spool"]

USER 10001:10001
EXPOSE 3000 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["freshtrack", "healthcheck"]
ENTRYPOINT ["freshtrack"]
CMD ["serve"]
