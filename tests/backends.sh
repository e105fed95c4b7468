#!/usr/bin/env bash
# Proof that every kernel, in every variant that the program can build, is taken by the compilers of the backends: tests
# translate all variants as wgpu does; then DXC compiles the HLSL (DX12), and spirv-val validates the SPIR-V (Vulkan). The
# compiler of Metal runs on Apple's systems alone, so that its texts are counted only.
#
# DXC's library for x86-64 Linux is part of the source of the Python package compushady, and goes to target/backends;
# spirv-val is in Debian's and Ubuntu's spirv-tools. Exits with 77 and a line that begins with SKIPPED where one of them
# cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

[ "$(uname -sm)" = "Linux x86_64" ] || skip "this is no x86-64 Linux"
command -v python3 >/dev/null || skip "python3 was not found"
if ! command -v spirv-val >/dev/null; then
    install_packages spirv-tools >/dev/null || skip "spirv-val could not be had (on Debian: spirv-tools)"
fi

folder=target/backends
compushady="compushady-0.17.5"
digest=5052caf9e955d8e7a48e22f536e82b44b72e83af46e824a9e99157c7809de691
library=$folder/$compushady/compushady/backends/libdxcompiler_x86_64.so.3.7
if [ ! -e "$library" ]; then
    mkdir -p "$folder"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
        --dest "$folder" "${compushady/-/==}" || skip "the source of compushady could not be had"
    echo "$digest  $folder/$compushady.tar.gz" | sha256sum --check --quiet
    tar -xzf "$folder/$compushady.tar.gz" -C "$folder" "$compushady/compushady/backends/$(basename "$library")"
    rm "$folder/$compushady.tar.gz"
fi

translations=$(mktemp -d)
trap 'rm -rf "$translations"' EXIT
W2V_GPU_TRANSLATIONS=$translations cargo test --quiet --lib engine::gpu::translation

python3 tests/backends.py "$library" "$translations"
for environment in vulkan1.0 vulkan1.1 vulkan1.3; do
    count=0
    for module in "$translations"/*."$environment.spv"; do
        spirv-val --target-env "$environment" "$module" || { echo "error: $module" >&2; exit 1; }
        count=$((count + 1))
    done
    echo "spirv-val: $count of $count modules for $environment are valid"
done
echo "Metal: $(find "$translations" -name '*.metal' | wc -l) variants translated"
find "$translations" -type f -printf '%f\n' | sed -E 's/-[0-9]{4}\./ /' | sort | uniq -c
