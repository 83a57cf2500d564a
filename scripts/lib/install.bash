# Sourced by the scripts beside this folder: says what is done, and installs what is missing.
# shellcheck shell=bash

# Says on stderr what is being done.
say() {
    printf '== %s\n' "$*" >&2
}

# Ends the script with a sentence.
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The root of the project.
project_root() {
    cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd
}

# Installs Debian packages, as root or by sudo.
install_packages() {
    local as_root=()
    command -v apt-get >/dev/null ||
        die "missing: $*; this is no Debian or Ubuntu, so install them by hand"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "missing: $*; install them as root: apt-get install $*"
        as_root=(sudo)
    fi
    say "installing $*"
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    # What cannot be updated may still be installed from lists that are there.
    "${as_root[@]}" apt-get update -qq >&2 || say "apt-get update failed; going on without"
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        die "could not install $*; try: apt-get install $*"
}

# Makes sure of a C compiler: zstd and mimalloc are built from source.
need_c_compiler() {
    command -v cc >/dev/null || install_packages build-essential
}

# Makes sure of Python 3, which the kernel lab is written in.
need_python() {
    command -v python3 >/dev/null || install_packages python3
}

# Whether version $1 is at least version $2.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Makes sure of a Rust toolchain as new as Cargo.toml asks for. Debian 12 packages Rust 1.63, which
# is too old, and no rustup; Debian 13 and Ubuntu 24.04 package rustup.
need_rust() {
    local want have
    want=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$(project_root)/Cargo.toml")
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    if ! command -v cargo >/dev/null && apt-cache policy rustup | grep -q 'Candidate: [0-9]'; then
        install_packages rustup
        rustup default stable >&2 || die "rustup could not fetch a toolchain"
    fi
    have=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || true
    if [ -z "$have" ] || ! command -v cargo >/dev/null; then
        die "Rust $want or later is needed and none was found: install it from https://rustup.rs"
    fi
    at_least "${have%%-*}" "$want" ||
        die "Rust $want or later is needed, not $have: run 'rustup update stable'," \
            "or install rustup from https://rustup.rs"
}
