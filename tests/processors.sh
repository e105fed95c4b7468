#!/usr/bin/env bash
# Proof that the CPU engine's vectors do not depend on the processor: trains on this one and, in an emulator, on one with
# SSE alone, one with AVX2 and one of ARM, and compares the files byte for byte.
#
# Needs an x86-64 machine with QEMU's user mode emulators, a C compiler for ARM and rustup; on Debian and Ubuntu root gets the
# first two by itself. Exits with 77 and a line that begins with SKIPPED where these cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

packages="qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
have_tools() {
    command -v qemu-x86_64 && command -v qemu-aarch64 && command -v aarch64-linux-gnu-gcc
} >/dev/null

[ "$(uname -sm)" = "Linux x86_64" ] || skip "this is no x86-64 Linux"
if ! have_tools && command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq || skip "the lists of packages could not be fetched"
    # shellcheck disable=SC2086 # Names of several packages.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >/dev/null || skip "$packages could not be installed"
fi
have_tools || skip "a tool was not found (on Debian: $packages)"
command -v rustup >/dev/null || skip "rustup was not found"
arm=aarch64-unknown-linux-gnu
rustup --quiet target add $arm || skip "the standard library for ARM could not be fetched"

build --quiet
# The emulated machine has no GPU: without that engine there is half as much to build.
CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    cargo build --quiet --no-default-features --features cli --target $arm

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

head -n 1500 data/corpus.txt > "$work/text.txt"

# train OUT RUNNER...: trains in every way that has kernels of its own.
train() {
    local out=$1
    shift
    local common=(train "$work/text.txt" --engine cpu --quiet --epochs 1)
    "$@" "${common[@]}" -o "$out.ns.bin"
    "$@" "${common[@]}" -o "$out.pair.bin" --dim 30 --negatives-per pair
    "$@" "${common[@]}" -o "$out.hs.bin" --dim 130 --loss hs
    "$@" "${common[@]}" -o "$out.softmax.bin" --dim 20 --loss softmax
    "$@" "${common[@]}" -o "$out.cbow.bin" --dim 50 --model cbow
    "$@" "${common[@]}" -o "$out.tree.bin" --dim 20 --loss hs --arity 12
    "$@" "${common[@]}" -o "$out.subwords.bin" --dim 20 --subwords
}

train "$work/here" target/debug/w2v-gpu
compare() {
    local name=$1
    shift
    # QEMU names what else such a processor could do.
    train "$work/there" "$@" 2> >(grep -v "TCG doesn't support" >&2)
    for way in ns pair hs softmax cbow tree subwords; do
        cmp "$work/here.$way.bin" "$work/there.$way.bin"
    done
    echo "$name: the same files"
}
compare "SSE (Nehalem)" qemu-x86_64 -cpu Nehalem target/debug/w2v-gpu
compare "AVX2 (Haswell)" qemu-x86_64 -cpu Haswell target/debug/w2v-gpu
compare "ARM (NEON)" qemu-aarch64 -L /usr/aarch64-linux-gnu target/$arm/debug/w2v-gpu
