#!/usr/bin/env bash
# Proof in the shells themselves: bash, zsh and fish complete commands, options before and after the text, and values.
#
#   tests/completions.sh [BINARY]
#
# BINARY is target/debug/w2v-gpu unless given. Exits with 77 and a line that begins with SKIPPED where a shell is missing, after
# those that are there have been tried.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

binary=$(find_binary "$@")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/zsh" "$folder/work" "$folder/work/folder"
touch "$folder/work/text.txt"
"$binary" completions bash >"$folder/w2v-gpu.bash"
"$binary" completions zsh >"$folder/zsh/_w2v-gpu"
"$binary" completions fish >"$folder/w2v-gpu.fish"

cat >"$folder/bash.sh" <<'BASH'
# Arguments: the completions, and the words of a line; the last word is the one to be completed.
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
function=$(complete -p w2v-gpu | sed 's/.*-F \([^ ]*\).*/\1/')
compopt() { :; }
"$function" w2v-gpu "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
BASH

cat >"$folder/zsh.sh" <<'ZSH'
# Arguments: the folder of the completions, and a line. A terminal of its own is asked to complete it.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell 'compadd () { local -a found; builtin compadd -O found "$@"; print -rl -- "<"${^found}">"; builtin compadd "$@" }'
zpty -w shell 'ask () { _main_complete; print -r -- "<<""end>>"; compstate[insert]=; compstate[list]= }'
zpty -w shell 'zle -C ask complete-word ask; bindkey "^X" ask'
zpty -n -w shell "$2"$'\x18'
while zpty -r shell line; do
    case $line in
    *'<<end>>'*) break ;;
    *) print -r -- "$line" ;;
    esac
done | tr -d '\r' | sed -n 's/.*<\([^<>]*\)>$/\1/p'
zpty -d shell
ZSH

complete_in() { # shell, line: what it proposes, one a line
    local words
    cd "$folder/work"
    case $1 in
    bash)
        read -ra words <<<"$2"
        if [[ $2 == *' ' ]]; then words+=(""); fi
        bash "$folder/bash.sh" "$folder/w2v-gpu.bash" "${words[@]}"
        ;;
    zsh) timeout 60 zsh "$folder/zsh.sh" "$folder/zsh" "$2" ;;
    fish) fish -c 'source $argv[1]; complete -C $argv[2]' "$folder/w2v-gpu.fish" "$2" | cut -f1 ;;
    esac
}

failures=0
expect() { # shell, line, proposal that must be there, proposal that must not
    local proposed
    proposed=$(complete_in "$1" "$2")
    if ! grep -qx -e "$3" <<<"$proposed" || grep -qx -e "$4" <<<"$proposed"; then
        echo "FAILED: $1 proposes for '$2', where $3 is expected and $4 is not: ${proposed//$'\n'/ }" >&2
        failures=$((failures + 1))
    fi
}

missing=()
for shell in bash zsh fish; do
    if ! command -v "$shell" >/dev/null; then
        missing+=("$shell")
        continue
    fi
    expect "$shell" 'w2v-gpu ev' eval train
    expect "$shell" 'w2v-gpu train --di' --dim --window
    expect "$shell" 'w2v-gpu train text.txt --di' --dim --window
    expect "$shell" 'w2v-gpu train text.txt -o v.bin --min-c' --min-count --dim
    expect "$shell" 'w2v-gpu train text.txt --loss ' softmax --dim
    expect "$shell" 'w2v-gpu eval v.bin --pairs text.txt --proto' --protocol --dim
    expect "$shell" 'w2v-gpu neighbors v.bin word --to' --top --dim
    expect "$shell" 'w2v-gpu odd v.bin --js' --json --top
    expect "$shell" 'w2v-gpu vector v.bin --color ' never --json
    expect "$shell" 'w2v-gpu bench text.txt --engine g' gpu cpu
    expect "$shell" 'w2v-gpu train text.txt --vocab te' text.txt --dim
done
if [ "$failures" -gt 0 ]; then exit 1; fi
if [ "${#missing[@]}" -gt 0 ]; then
    echo "SKIPPED, nothing was proved for: ${missing[*]}" >&2
    exit 77
fi
echo "bash, zsh and fish complete what they should"
