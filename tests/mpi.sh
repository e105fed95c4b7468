#!/usr/bin/env bash
# Proof that ranks which MPI starts as processes train as threads of one process do: compares the files, with Open MPI and with
# MPICH, and kills a rank.
#
# Needs libclang, and an MPI with its headers; on Debian and Ubuntu root gets them by itself. Exits with 77 and a line that
# begins with SKIPPED where neither MPI can be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

have() { command -v "mpicc.$1" && command -v "mpirun.$1"; } >/dev/null
have openmpi && have mpich || [ "$(id -u)" -ne 0 ] ||
    install_packages libopenmpi-dev openmpi-bin libmpich-dev mpich libclang-dev >/dev/null || true
mpis=()
for mpi in openmpi mpich; do
    if have $mpi; then mpis+=("$mpi"); fi
done
[ ${#mpis[@]} -gt 0 ] || skip "no MPI was found (on Debian: libopenmpi-dev openmpi-bin libclang-dev)"

# Open MPI starts no ranks for root, nor more ranks than cores, unless it is told to.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build --quiet --test ranks
# Its place is taken by the programs for MPI, which so share the dependencies that are built already.
cp "$(find_binary)" "$work/plain"
plain=$work/plain
head -n 15000 data/corpus.txt >"$work/text.txt"
head -n 14000 data/corpus.txt >"$work/other.txt"
common=(train "$work/text.txt" --engine cpu --dim 20 --epochs 1 --batch 512)

# same WHAT FILE FILE: ends the proof unless both files have the same bytes.
same() {
    cmp "$2" "$3"
    echo "$1: the same file"
}

# refused CODE WORDS COMMAND...: ends the proof unless the command fails with that exit code and says so.
refused() {
    local code=0 wanted=$1 words=$2
    shift 2
    "$@" >"$work/said" 2>&1 || code=$?
    if [ $code -ne "$wanted" ] || ! grep -q -- "$words" "$work/said"; then
        echo "error: exit code $code instead of $wanted, or without \"$words\": $*" >&2
        cat "$work/said" >&2
        exit 1
    fi
}

"$plain" "${common[@]}" --quiet -o "$work/one.bin"
"$plain" "${common[@]}" --quiet -o "$work/hs1.bin" --loss hs
for ranks in 2 4; do
    "$plain" "${common[@]}" --quiet --ranks $ranks -o "$work/threads$ranks.bin"
done
"$plain" "${common[@]}" --quiet --ranks 3 --loss hs -o "$work/hs3.bin"

for mpi in "${mpis[@]}"; do
    # What is bound to the MPI before is not told apart from what this one needs.
    cargo clean --quiet --package mpi-sys --package mpi
    # Little is trained here: less optimisation is built sooner, and gives the same bits.
    MPICC=mpicc.$mpi cargo --config profile.dev.package.w2v-gpu.opt-level=1 build --quiet --no-default-features --features cli,mpi
    program=$work/$mpi
    cp target/debug/w2v-gpu "$program"
    run() {
        local ranks=$1
        shift
        "mpirun.$mpi" -n "$ranks" "$program" "${common[@]}" "$@"
    }

    for ranks in 2 4; do
        run $ranks --quiet -o "$work/v.bin"
        same "$mpi, $ranks ranks as processes and as threads" "$work/threads$ranks.bin" "$work/v.bin"
    done
    run 3 --quiet --loss hs -o "$work/v.bin"
    same "$mpi, 3 ranks, a tree" "$work/hs3.bin" "$work/v.bin"
    run 3 --quiet --sync exact -o "$work/v.bin"
    same "$mpi, 3 ranks in exact steps and one alone" "$work/one.bin" "$work/v.bin"
    run 2 --quiet --sync exact --loss hs -o "$work/v.bin"
    same "$mpi, 2 ranks in exact steps and one alone, a tree" "$work/hs1.bin" "$work/v.bin"

    # A program for MPI is an ordinary one without a launcher.
    "$program" "${common[@]}" --quiet -o "$work/v.bin"
    same "$mpi, without a launcher" "$work/one.bin" "$work/v.bin"

    # Rank 0 has other options than the others.
    refused 1 "rank 1 (.*) has another --seed than rank 0" "mpirun.$mpi" \
        -n 1 "$program" "${common[@]}" -o "$work/none.bin" : -n 1 "$program" "${common[@]}" -o "$work/none.bin" --seed 2
    refused 1 "rank 1 (.*) has another vocabulary than rank 0" "mpirun.$mpi" \
        -n 1 "$program" "${common[@]}" -o "$work/none.bin" : -n 1 "$program" "${common[@]/text.txt/other.txt}" \
        -o "$work/none.bin"
    refused 1 "rank 1 (.*): cannot open .*nowhere.txt" "mpirun.$mpi" \
        -n 1 "$program" "${common[@]}" -o "$work/none.bin" : -n 1 "$program" "${common[@]/text.txt/nowhere.txt}" \
        -o "$work/none.bin"
    refused 2 "--ranks 3: the launcher started 2 of them" "mpirun.$mpi" -n 2 "$program" "${common[@]}" --ranks 3 \
        -o "$work/none.bin"
    refused 2 "built without MPI" "mpirun.$mpi" -n 2 "$plain" "${common[@]}" -o "$work/none.bin"
    [ ! -e "$work/none.bin" ]
    echo "$mpi: ranks that differ are refused"

    # A rank is killed once there is a checkpoint: the launcher ends all, nothing is half-written, and the run goes on.
    longer=(--epochs 20 --quiet)
    run 2 "${longer[@]}" -o "$work/whole.bin"
    rm -rf "$work/run" "$work/v.bin"
    run 2 "${longer[@]}" -o "$work/v.bin" --checkpoint "$work/run" --checkpoint-every 1 >"$work/said" 2>&1 &
    launcher=$!
    until compgen -G "$work/run/*.checkpoint" >/dev/null; do
        kill -0 $launcher
        sleep 0.05
    done
    victim=$(pgrep -f -- "$work/v.bin --checkpoint" | grep -v "^$launcher\$" | tail -n 1)
    kill -KILL "$victim"
    if wait $launcher; then
        echo "error: a killed rank was not noticed" >&2
        exit 1
    fi
    [ ! -e "$work/v.bin" ]
    run 2 "${longer[@]}" -o "$work/v.bin" --resume "$work/run"
    same "$mpi, killed and resumed" "$work/whole.bin" "$work/v.bin"
done
