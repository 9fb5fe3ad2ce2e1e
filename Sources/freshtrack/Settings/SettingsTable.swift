import Notifications

extension Settings {
  /// Every setting that the program reads.
  static let table: [Setting] = [
    Setting(
      name: "DATABASE_URL", kind: .text, fallback: nil,
      summary: "Where PostgreSQL is: a libpq URL (`postgresql://user:password@host/name?sslmode=verify-full`) or a "
        + "connection string (`host=/run/postgresql dbname=freshtrack`).",
      isSecret: true, requirement: "by every command that works on the database, except `dev`, which brings its own"),
    Setting(
      name: "DATABASE_POOL_SIZE", kind: .integer(1...100), fallback: "4",
      summary: "Connections that each event loop may open."),
    Setting(
      name: "DATABASE_STATEMENT_TIMEOUT", kind: .duration, fallback: "30s",
      summary: "After this a statement is cancelled."),
    Setting(
      name: "DATABASE_PGBOUNCER", kind: .flag, fallback: "false",
      summary: "True behind PgBouncer in transaction mode: no prepared statements are used."),
    Setting(name: "HOST", kind: .text, fallback: "0.0.0.0", summary: "The address that the server listens on."),
    Setting(name: "PORT", kind: .integer(0...65535), fallback: "3000", summary: "Its port. 0: any free one."),
    Setting(
      name: "METRICS_PORT", kind: .integer(1...65535), fallback: nil,
      summary: "A port of its own for `/metrics`, for whoever can reach it. Unset: `/metrics` is on the main port, and "
        + "only for private addresses."),
    Setting(
      name: "LOOPS", kind: .integer(1...256), fallback: nil,
      summary: "Event loops, each a thread. Unset: one for each core."),
    Setting(
      name: "LOG_LEVEL", kind: .choice(["trace", "debug", "info", "warn", "error"]), fallback: "info",
      summary: "Lines below this level are not written."),
    Setting(
      name: "LOG_FORMAT", kind: .choice(["json", "text"]), fallback: "json",
      summary: "`json`: one JSON object for each line. `text`: for people."),
    Setting(
      name: "ENVIRONMENT", kind: .text, fallback: "production",
      summary: "What `/health` calls this installation: `production`, `staging` ..."),
    Setting(
      name: "AUTH_MODE", kind: .choice(["stack", "oidc", "local"]), fallback: "stack",
      summary:
        "Who issues the tokens of users. `stack`: Stack Auth. `oidc`: the issuer of `AUTH_ISSUER`. `local`: this "
        + "installation itself, with `freshtrack token`."),
    Setting(
      name: "STACK_AUTH_PROJECT_ID", kind: .text, fallback: nil,
      summary: "The project at Stack Auth: gives the audience, the issuer and the place of the keys.",
      requirement: "with `AUTH_MODE=stack`"),
    Setting(
      name: "AUTH_ISSUER", kind: .url, fallback: nil, summary: "The `iss` that a token must carry.",
      requirement: "with `AUTH_MODE=oidc`"),
    Setting(
      name: "AUTH_AUDIENCE", kind: .text, fallback: nil, summary: "The `aud` that a token must carry.",
      requirement: "with `AUTH_MODE=oidc`"),
    Setting(
      name: "AUTH_JWKS_URL", kind: .url, fallback: nil,
      summary: "Where the issuer's public keys are (a JSON Web Key Set).", requirement: "with `AUTH_MODE=oidc`"),
    Setting(
      name: "CORS_ORIGINS", kind: .list, fallback: nil,
      summary: "Origins whose pages may call the API from a browser, such as `https://app.example.com`."),
    Setting(
      name: "TRUSTED_PROXIES", kind: .addressBlocks, fallback: nil,
      summary: "Proxies whose `X-Forwarded-For` is believed."),
    Setting(
      name: "READ_ONLY", kind: .flag, fallback: "false",
      summary: "True: writes of users are answered with 503, ingest goes on. For moving to another database."),
    Setting(
      name: "SPOOL_DIR", kind: .text, fallback: nil,
      summary: "A folder of this process alone, on a disk that outlives it: what sensors send waits there while the "
        + "database is away. Unset: it is refused then, and lost when its sender does not try again."),
    Setting(
      name: "SPOOL_MAX_BYTES", kind: .integer(4_194_304...1_125_899_906_842_624), fallback: "42949672960",
      summary: "What the spool may take on disk. 24 hours of 200 uplinks a second are about 36 GB. It leaves a "
        + "thirty-second of the disk free in any case."),
    Setting(
      name: "SHUTDOWN_GRACE", kind: .duration, fallback: "10s",
      summary: "How long requests may take to finish after SIGTERM."),
    Setting(
      name: "RATE_LIMIT_MAX", kind: .integer(0...1_000_000), fallback: "1000",
      summary:
        "Requests that each API key, each user and, without a valid token, each address may make within RATE_LIMIT_WINDOW. Ingest, webhooks and `/health` are not counted. 0: no limit."
    ),
    Setting(
      name: "RATE_LIMIT_WINDOW", kind: .integer(1000...86_400_000), fallback: "60000",
      summary: "Milliseconds in which RATE_LIMIT_MAX requests are filled up again."),
    Setting(
      name: "UNSUBSCRIBE_SECRET", kind: .text, fallback: nil,
      summary: "Signs the unsubscribe links of mails. Unset: a key that is made in the database.", isSecret: true),
    Setting(
      name: "ENCRYPTION_KEY", kind: .encryptionKeys, fallback: nil,
      summary: "Seals the credentials of providers in the database, made by `openssl rand -hex 32`. To replace it, put "
        + "the new one before the old one for two hours: the first seals, all open. Unset: no such credentials can be stored.",
      isSecret: true),
    Setting(
      name: "FRONTEND_URL", kind: .url, fallback: nil,
      summary: "Where people use the product, such as `https://app.example.com`: a payment leads back there."),
    Setting(
      name: "TELNYX_PUBLIC_KEY", kind: .list, fallback: nil,
      summary:
        "The public key by which Telnyx signs its webhooks, in base64; several accounts have several, separated by "
        + "commas. Unset: `/api/webhooks/telnyx` takes nothing.",
      check: { TelnyxKeys(base64: Setting.items($0)) == nil ? "must be an Ed25519 public key in base64" : nil }),
    Setting(
      name: "STRIPE_SECRET_KEY", kind: .text, fallback: nil,
      summary: "The key for Stripe's API. Unset: nothing can be subscribed to.", isSecret: true),
    Setting(
      name: "STRIPE_WEBHOOK_SECRET", kind: .text, fallback: nil,
      summary:
        "The secret of the webhook at Stripe (`whsec_...`) that leads to `/api/webhooks/stripe`. Unset: it takes "
        + "nothing.", isSecret: true),
    Setting(
      name: "STRIPE_PRICE_STARTER", kind: .text, fallback: nil,
      summary: "The id of the price of the plan starter at Stripe (`price_...`)."),
    Setting(
      name: "STRIPE_PRICE_PRO", kind: .text, fallback: nil,
      summary: "The id of the price of the plan pro at Stripe."),
    Setting(
      name: "STRIPE_PRICE_HACCP", kind: .text, fallback: nil,
      summary: "The id of the price of the plan haccp at Stripe."),
    Setting(
      name: "STRIPE_API_URL", kind: .url, fallback: "https://api.stripe.com",
      summary: "Where Stripe's API is. Another one is for tests."),
    Setting(
      name: "S3_ENDPOINT", kind: .url, fallback: nil,
      summary:
        "The server of an S3 API that keeps pictures, such as `https://s3.eu-central-1.amazonaws.com`: scheme, host "
        + "and port, nothing behind. Unset: there are no pictures.",
      formerName: "MINIO_ENDPOINT", check: Settings.endpointProblem),
    Setting(
      name: "S3_PUBLIC_ENDPOINT", kind: .url, fallback: nil,
      summary: "Where browsers reach the same server, when that is elsewhere.", check: Settings.endpointProblem),
    Setting(
      name: "S3_REGION", kind: .text, fallback: "us-east-1", summary: "Its region, as requests are signed for it."),
    Setting(
      name: "S3_BUCKET", kind: .text, fallback: "assets",
      summary: "The bucket for pictures. It has to be there, and the key be allowed to put, get and delete objects.",
      formerName: "MINIO_BUCKET_ASSETS"),
    Setting(
      name: "S3_ACCESS_KEY", kind: .text, fallback: nil, summary: "The access key of that server.", isSecret: true,
      formerName: "MINIO_ROOT_USER"),
    Setting(
      name: "S3_SECRET_KEY", kind: .text, fallback: nil, summary: "Its secret.", isSecret: true,
      formerName: "MINIO_ROOT_PASSWORD"),
    Setting(
      name: "PUBLIC_URL", kind: .url, fallback: nil,
      summary:
        "Where this server is reached from outside, such as `https://cold.example.com`: The Things Stack is told "
        + "to send there. Unset: no webhook can be registered."),
    Setting(
      name: "TTN_API_URL", kind: .url, fallback: nil,
      summary:
        "One installation of The Things Stack for every connection, such as `https://lns.example.com`; it may be in "
        + "a private network. Unset: each connection names its cluster, which must be reachable from the Internet."),
  ]
}
