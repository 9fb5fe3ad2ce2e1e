# What the scripts share. To be sourced after `set -euo pipefail`, from the root of the project.
# shellcheck shell=bash

# What is linked with, and the server that development and tests start for themselves.
build_packages=(libcurl4-openssl-dev libpq-dev libssl-dev pkg-config zlib1g-dev)
# shellcheck disable=SC2034  # for those who source this
run_packages=("${build_packages[@]}" ca-certificates postgresql tzdata)

fail() {
  echo "${0##*/}: $1" >&2
  exit "${2:-1}"
}

# as_root COMMAND...: as root, or with sudo when may_be_root.
as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# sudo counts when it asks for nothing, or can ask on a terminal.
may_be_root() { ((EUID == 0)) || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; }; }

is_installed() { dpkg-query --show --showformat '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# need_packages NAME...: installs the Debian packages that are missing.
need_packages() {
  local name missing=()
  if ! command -v dpkg-query >/dev/null; then
    echo "${0##*/}: this is no Debian or Ubuntu; the equivalents of these packages are needed: $*" >&2
    return
  fi
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  ((${#missing[@]})) || return 0
  local advice="as root, run: apt-get update && apt-get install -y ${missing[*]}"
  may_be_root || fail "packages are missing; $advice" 69
  echo "Installing ${missing[*]}"
  # An index that is too old, or none at all, is fetched when the first try fails.
  install_packages "${missing[@]}" 2>/dev/null || { as_root apt-get update -qq && install_packages "${missing[@]}"; } ||
    fail "packages are missing and could not be installed; $advice" 69
}

install_packages() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need_swift: a toolchain that can build this.
need_swift() {
  command -v swift >/dev/null ||
    fail "Swift is not installed; get 6.2 or newer from https://www.swift.org/install/linux/ and put it on the PATH" 69
  local version
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)
  local major=${version% *} minor=${version#* }
  ((major > 6 || (major == 6 && minor >= 2))) ||
    fail "Swift ${version/ /.} is too old; 6.2 or newer is needed: https://www.swift.org/install/linux/" 69
}

# need_own FOLDER...: what another user, root most of all, has built here cannot be gone on with.
need_own() {
  local folder
  for folder in "$@"; do
    if ((EUID != 0)) && [[ -e $folder && ! -O $folder ]]; then
      fail "$folder belongs to $(stat --format %U "$folder"): go on as that user, or remove it" 71
    fi
  done
}
