#!/usr/bin/env bash
# Runs all tests on a fresh machine, whichever fails. Arguments go to `cargo test`.
#
# Many tests need an adapter. Where there is none, Debian's and Ubuntu's software Vulkan driver is installed. Tests that
# need an adapter are marked `#[ignore]`, so that a plain `cargo test` shows them as ignored. Here they are run too. One
# other ignored test is left out: it takes minutes and needs only be run when checkpoints change.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

if ! command -v cargo >/dev/null; then
    echo "error: cargo was not found; install Rust from https://rustup.rs" >&2
    exit 1
fi

build
if ! target/debug/w2v-gpu devices | grep -q '^0: '; then
    if ! command -v apt-get >/dev/null; then
        echo "error: no Vulkan, Metal or DX12 adapter; install a driver, such as Mesa's lavapipe" >&2
        exit 1
    fi
    install_packages mesa-vulkan-drivers
fi

# Else libwayland writes a line on every start of a test on a machine without a desktop.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
echo "adapters:"
target/debug/w2v-gpu devices
if ! target/debug/w2v-gpu devices | grep -q '^0: '; then
    echo "error: there is still no adapter to test on" >&2
    exit 1
fi

# Options of the tests themselves come behind `--`, which the arguments may hold already.
case " $* " in
*" -- "*) ;;
*) set -- "$@" -- ;;
esac
cargo test --no-fail-fast "$@" --include-ignored --skip fifty_killed_runs
