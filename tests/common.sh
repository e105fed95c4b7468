# What the proofs share. They read it by `source` in the root of the repository.

# skip WHY: ends a proof whose tools cannot be had.
skip() {
    echo "SKIPPED, nothing was proved: $1" >&2
    exit 77
}

# find_binary [BINARY]: prints the absolute path of the program, target/debug/w2v-gpu unless given.
find_binary() {
    local binary=${1:-target/debug/w2v-gpu}
    if [ ! -x "$binary" ]; then
        echo "error: there is no $binary; run cargo build, or name the binary" >&2
        return 1
    fi
    realpath "$binary"
}

# install_packages PACKAGE...: installs Debian's and Ubuntu's packages, as root or by sudo.
install_packages() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    command -v apt-get >/dev/null || return
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@"
}
