#!/usr/bin/env bash
# What a report does in a real browser. Needs Node.js 20 or later; installs Debian's and Ubuntu's chromium where there is
# no Chrome or Chromium, and the npm packages below target/. Pictures of the pages stay in target/report/. Exits with 77
# and a line that begins with SKIPPED where these cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

need_browser
out=$PWD/target/report
rm -rf "$out"
install_npm_packages tests/report "$out"
cp tests/report/browser.test.mjs "$out"

build --quiet
w2v() { target/debug/w2v-gpu "$@"; }
printf 'dog\tcat\t9\ndog\tguitar\t1\ncat\tyen\t2\nking\tqueen\t8\n' >"$out/pairs.tsv"
w2v train data/corpus.txt -o "$out/v.bin" --engine cpu --epochs 2 --quiet --metrics "$out/run.jsonl" \
    --validation 0.05 --eval-pairs "$out/pairs.tsv" --eval-analogies data/analogies.txt
w2v report "$out/run.jsonl" -o "$out/run.html"
w2v report "$out/run.jsonl" -o "$out/few.html" --words 200
w2v analogy "$out/v.bin" france paris japan --json >"$out/analogy.json"
w2v train data/corpus.txt -o "$out/early.bin" --engine cpu --epochs 40 --quiet --lr 2 --min-lr 2 --clip 1 --dim 20 \
    --validation 0.05 --patience 1 --metrics "$out/early.jsonl"
w2v report "$out/early.jsonl" -o "$out/early.html"
w2v report "$out/run.jsonl" "$out/early.jsonl" -o "$out/both.html"
grep -v '"record":"end"' "$out/run.jsonl" >"$out/unfinished.jsonl"
w2v report "$out/unfinished.jsonl" -o "$out/unfinished.html"
{
    echo "40 3"
    echo "</script><script>globalThis.hacked=1</script> 1 0 0"
    echo "<img/src=x/onerror=globalThis.hacked=2> 0 1 0"
    echo "<b>bold</b>&amp;\"'\`\${1} 0 0 1"
    for i in $(seq 37); do echo "w$i $((i % 5)) $((i % 7)) 1"; done
} >"$out/hostile.vec"
w2v report "$out/run.jsonl" -o "$out/hostile.html" --vectors "$out/hostile.vec"

BROWSER=$(find_browser) REPORTS=$out node --test "$out/browser.test.mjs"
