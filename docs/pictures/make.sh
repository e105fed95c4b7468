#!/usr/bin/env bash
# Makes the pictures of README.md from real runs on the bundled corpus: map-light.png and map-dark.png, the map of words of
# a report's page, and session.svg, a terminal. Needs a browser, Node.js 20 or later and Python 3.
#
#   docs/pictures/make.sh [BINARY]
#
# BINARY is target/debug/w2v-gpu unless given; the speed that the terminal shows is that of the binary and the machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/common.sh

binary=$(find_binary "$@")
need_browser
install_python_tools
out=$PWD/target/pictures
rm -rf "$out"
install_npm_packages tests/report "$out"
cp docs/pictures/map.mjs "$out"

"$binary" train data/corpus.txt -o "$out/vectors.bin" --engine cpu --epochs 10 --quiet --metrics "$out/run.jsonl"
"$binary" report "$out/run.jsonl" -o "$out/run.html"
BROWSER=$(find_browser) node "$out/map.mjs" "$out/run.html" docs/pictures

mkdir "$out/bin"
ln -s "$binary" "$out/bin/w2v-gpu"
cp data/corpus.txt "$out"
session=$PWD/docs/pictures/session.sh
svg=$PWD/docs/pictures/session.svg
# The recorder stops where its standard input ends; this one lasts longer than the session.
(cd "$out" && sleep 20 | PATH=$out/bin:$PATH termtosvg "$svg" --command "bash $session" --screen-geometry 112x32 \
    --template window_frame --min-frame-duration 60 --loop-delay 8000)
