# shellcheck shell=bash
# What the proofs share. They read it by `source` in the root of the repository.

# skip WHY: ends a proof whose tools cannot be had.
skip() {
    echo "SKIPPED, nothing was proved: $1" >&2
    exit 77
}

# build [OPTION...]: builds target/debug/w2v-gpu with the tests. `cargo build` alone would compile wgpu again, as the tests ask
# for more of naga.
build() { cargo test --no-run "$@"; }

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

# need_browser: installs Debian's and Ubuntu's chromium where there is no Chrome or Chromium, or skips.
need_browser() {
    find_browser >/dev/null || install_packages chromium || skip "Chromium could not be installed"
}

# find_browser: prints the path of Chrome or Chromium.
find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

# install_npm_packages FROM TO: installs what package-lock.json in folder FROM names below folder TO, or skips.
install_npm_packages() {
    command -v npm >/dev/null || skip "npm was not found"
    mkdir -p "$2"
    cp "$1/package.json" "$1/package-lock.json" "$2"
    npm ci --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$2" || skip "the packages could not be installed"
}

# install_python_tools: installs the programs of tests/requirements.txt below target/tools, and puts them on the path, or skips.
install_python_tools() {
    local venv=$PWD/target/tools
    if ! cmp -s tests/requirements.txt "$venv/installed.txt"; then
        command -v python3 >/dev/null || skip "python3 was not found"
        python3 -m venv "$venv" || skip "python3 has no venv module (on Debian: python3-venv)"
        "$venv/bin/pip" install --quiet --requirement tests/requirements.txt || skip "the packages could not be installed"
        cp tests/requirements.txt "$venv/installed.txt"
    fi
    PATH=$venv/bin:$PATH
}
