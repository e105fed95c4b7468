#!/usr/bin/env bash
# Whether TensorBoard reads what `train --tensorboard` writes. Needs Python 3; installs tensorboard below target/. Exits
# with 77 and a line that begins with SKIPPED where it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

venv=target/tensorboard-venv
if ! [ -x $venv/bin/tensorboard ]; then
    command -v python3 >/dev/null || skip "python3 was not found"
    python3 -m venv $venv || skip "python3 has no venv module (on Debian: python3-venv)"
    # TensorBoard still imports pkg_resources, which later setuptools lack.
    $venv/bin/pip install --quiet tensorboard==2.21.0 'setuptools<81' || skip "the packages could not be installed"
fi

build --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
train() {
    target/debug/w2v-gpu train data/corpus.txt -o "$work/v.bin" --engine cpu --quiet \
        --tensorboard "$work/board" --metrics "$work/run.jsonl" "$@"
}
train --epochs 3
sleep 1 # The names of event files are seconds apart.
train --epochs 2
$venv/bin/python tests/read_tensorboard.py "$work/board" "$work/run.jsonl"
