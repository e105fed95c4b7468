#!/usr/bin/env bash
# Whether TensorBoard reads what `train --tensorboard` writes. Needs Python 3; installs tensorboard below target/.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/tensorboard-venv
if ! [ -x $venv/bin/tensorboard ]; then
    python3 -m venv $venv
    # TensorBoard still imports pkg_resources, which later setuptools lack.
    $venv/bin/pip install --quiet tensorboard==2.21.0 'setuptools<81'
fi

cargo build --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
train() {
    target/debug/w2v-gpu train data/corpus.txt -o "$work/v.bin" --engine cpu --quiet --log-every 0.05 \
        --tensorboard "$work/board" --metrics "$work/run.jsonl" "$@"
}
train --epochs 3
sleep 1 # The names of event files are seconds apart.
train --epochs 2
$venv/bin/python tests/read_tensorboard.py "$work/board" "$work/run.jsonl"
