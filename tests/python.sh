#!/usr/bin/env bash
# The Python package: a wheel is made and installed into a clean environment. There its own tests and examples run, ruff looks
# it through, mypy and stubtest compare its types with what is there, abi3audit looks for symbols of single versions of
# Python, and gensim's own tests run on its classes.
#
#   tests/python.sh [WHEEL]
#
# Without WHEEL one is built in the dev profile, which shares the build of the tests. Python's packages go to target/python.
# Exits with 77 and a line that begins with SKIPPED where there is no Python 3.10 or newer, or no way to get the packages.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

command -v python3 >/dev/null || skip "python3 was not found"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "python3 is older than 3.10"
place=$PWD/target/python
if ! cmp -s python/requirements.txt "$place/installed.txt"; then
    rm -rf "$place"
    python3 -m venv "$place" || skip "python3 has no venv module (on Debian: python3-venv)"
    "$place/bin/pip" install --quiet --disable-pip-version-check --requirement python/requirements.txt ||
        skip "the packages could not be installed"
    cp python/requirements.txt "$place/installed.txt"
fi
export PATH=$place/bin:$PATH

if [ $# -gt 0 ]; then
    wheel=$(realpath "$1")
else
    rm -rf target/wheels-of-tests
    maturin build --quiet --manifest-path python/Cargo.toml --features test-build --profile dev --auditwheel skip \
        --out target/wheels-of-tests
    wheel=$(echo "$PWD"/target/wheels-of-tests/*.whl)
fi
pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"
abi3audit --strict "$wheel"

# From here on the package is the one installed, so nothing runs in python/, where its sources lie.
tests=$PWD/python/tests settings=$PWD/python/pyproject.toml
package=$(cd / && python -c 'import w2v_gpu; print(w2v_gpu.__path__[0])')
case $package in "$place"/*) ;; *) echo "error: tried $package, not the wheel" >&2 && exit 1 ;; esac
mkdir -p "$place/empty"
cd "$place/empty"
pytest --quiet -p no:cacheprovider --config-file "$settings" --rootdir "$tests" --ignore "$tests/gensim_suite.py" "$tests"
pytest --quiet -p no:cacheprovider --config-file "$settings" --rootdir "$package" --doctest-modules "$package"
ruff check --quiet --no-cache --config "$settings" "$package" "$tests"
ruff format --quiet --no-cache --config "$settings" --check "$package" "$tests"
mypy --config-file "$settings" --package w2v_gpu
mypy --config-file "$settings" "$tests"
stubtest --mypy-config-file "$settings" w2v_gpu._core
w2v-gpu --version
python "$tests/gensim_suite.py"
