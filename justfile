# Short names for what is done often. Every recipe calls a command or script that works without just.

# Lists the recipes.
default:
    @just --list --unsorted

# Formatting, lints of every combination of features, documentation.
check:
    .ci/lint

# All tests; arguments go to `cargo test`.
test *ARGS:
    tests/run.sh {{ ARGS }}

# Damaged input, for SECONDS a reader.
fuzz SECONDS="12":
    .ci/fuzz {{ SECONDS }}

# Inputs that libFuzzer finds by coverage, for SECONDS a reader; needs a nightly compiler and cargo-fuzz.
fuzz-by-coverage SECONDS="60":
    .ci/fuzz-by-coverage {{ SECONDS }}

# The proofs with other programs; NAMES such as `readers report`, or all.
proofs *NAMES:
    .ci/proofs {{ NAMES }}

# Everything that CI runs on one machine.
ci:
    .ci/run

# Renews docs/options.md.
options:
    RENEW_DOCS=1 cargo test --lib options_page

# Renews the pictures of the README.
pictures BINARY="target/debug/w2v-gpu":
    docs/pictures/make.sh {{ BINARY }}

# Builds the site in target/site, and checks spelling and links.
site:
    tests/site.sh
