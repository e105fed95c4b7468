#!/usr/bin/env bash
# What is typed in the picture of a terminal. It runs within docs/pictures/make.sh, where `w2v-gpu` is on the path.
set -euo pipefail

type_and_run() {
    printf '\e[32m$\e[0m '
    for ((i = 0; i < ${#1}; i++)); do
        printf '%s' "${1:i:1}"
        sleep 0.02
    done
    echo
    eval "$1"
    echo
    sleep 1
}

type_and_run 'w2v-gpu train corpus.txt -o vectors.bin'
type_and_run 'w2v-gpu neighbors vectors.bin guitar --top 4'
type_and_run 'w2v-gpu analogy vectors.bin france paris japan --top 3'
sleep 4
