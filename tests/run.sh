#!/usr/bin/env bash
# Runs all tests on a fresh machine. They need an adapter: where there is none, Debian's and Ubuntu's software Vulkan
# driver is installed. All are run, whichever fails. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
    echo "error: cargo was not found; install Rust from https://rustup.rs" >&2
    exit 1
fi

cargo build
if ! target/debug/w2v-gpu devices | grep -q '^0: '; then
    if ! command -v apt-get >/dev/null; then
        echo "error: no Vulkan, Metal or DX12 adapter; install a driver, such as Mesa's lavapipe" >&2
        exit 1
    fi
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    "${as_root[@]}" apt-get update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y mesa-vulkan-drivers
fi

# Else libwayland writes a line on every start of a test on a machine without a desktop.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
echo "adapters:"
target/debug/w2v-gpu devices
if ! target/debug/w2v-gpu devices | grep -q '^0: '; then
    echo "error: there is still no adapter to test on" >&2
    exit 1
fi
cargo test --no-fail-fast "$@"
