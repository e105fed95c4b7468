#!/usr/bin/env bash
# Proof with the readers people use: trains a small model, converts it to every format, and lets gensim, NumPy,
# safetensors and spaCy load each and compare every value; then reads back what these tools write. Models of fastText are
# compared with gensim and, where its wheel can be installed, with fastText itself.
#
#   tests/readers.sh [BINARY]
#
# BINARY is target/debug/w2v-gpu unless given. Python's packages go to target/readers. Exits with 77 and a line that
# begins with SKIPPED where there is no python3, no venv module or no way to get the packages.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

binary=$(find_binary "$@")

venv=target/readers
command -v python3 >/dev/null || skip "python3 was not found"
if [ ! -x "$venv/bin/pip" ]; then
    python3 -m venv "$venv" || { rm -rf "$venv"; skip "python3 has no venv module (on Debian: python3-venv)"; }
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check \
    gensim==4.4.0 numpy==2.4.6 safetensors==0.8.0 spacy==3.8.18 || skip "the packages could not be installed"

# fastText needs an older NumPy than the others, so it has a place of its own.
fasttext=target/readers/fasttext
if [ ! -x "$fasttext/bin/pip" ]; then python3 -m venv "$fasttext"; fi
"$fasttext/bin/pip" install --quiet --disable-pip-version-check fasttext-wheel==0.9.2 numpy==1.26.4 ||
    fasttext=

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The bundled text is ASCII; some words are not.
cat data/corpus.txt > "$folder/corpus.txt"
# shellcheck disable=SC1112 # The apostrophe belongs to the text.
for _ in 1 2 3 4 5 6 7; do echo 'été naïve 東京 🦀 "quoted" #hash l’eau'; done >> "$folder/corpus.txt"
"$binary" train "$folder/corpus.txt" -o "$folder/v.txt" --engine cpu --dim 25 --epochs 1 --quiet
for name in v.bin v.glove v.npy v.safetensors v.tsv; do
    "$binary" convert "$folder/v.txt" "$folder/$name"
done
for name in half.npy half.safetensors; do
    "$binary" convert "$folder/v.txt" "$folder/$name" --dtype f16
done
"$venv/bin/python" -m spacy init vectors en "$folder/v.txt" "$folder/spacy" >"$folder/spacy.log" 2>&1 || {
    cat "$folder/spacy.log" >&2
    exit 1
}
"$binary" train "$folder/corpus.txt" -o "$folder/saved.npy" --save-model "$folder/saved.bin" --engine cpu --dim 25 \
    --epochs 1 --model cbow --quiet
# Few buckets: the file has a row for each.
"$binary" train "$folder/corpus.txt" -o "$folder/subwords.npy" --save-model "$folder/subwords.bin" --engine cpu --dim 25 \
    --epochs 1 --subwords --buckets 5000 --quiet
"$venv/bin/python" tests/readers.py "$binary" "$folder"

if [ -n "$fasttext" ]; then
    models=("$folder/saved.bin" "$folder/subwords.bin" "$folder/crime.bin")
    for model in "${models[@]}"; do "$binary" convert "$model" "$model.txt" 2>/dev/null; done
    "$fasttext/bin/python" tests/read_fasttext.py "$binary" "${models[@]}"
else
    echo "fastText itself could not be installed: only gensim has read its models" >&2
fi
