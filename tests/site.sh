#!/usr/bin/env bash
# Whether every relative link and anchor of the prose leads somewhere, on GitHub as on the site that mdBook makes of docs/
# (target/site), and whether words are spelt right. Needs Python 3; installs mdBook, lychee and typos below target/. Exits
# with 77 and a line that begins with SKIPPED where these cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

install_python_tools
typos
for page in docs/*.md; do
    page=$(basename "$page")
    if [ "$page" != SUMMARY.md ] && ! grep -qF "($page)" docs/SUMMARY.md; then
        echo "error: docs/SUMMARY.md does not list $page, so the site has no such page" >&2
        exit 1
    fi
done
mdbook build
check_links() { lychee --offline --include-fragments --no-progress "$@"; }
check_links -- *.md docs/*.md data/*.md .github/**/*.md
# The page for lost readers has its links relative to the site's root, which is nowhere yet.
check_links --exclude-path target/site/404.html -- 'target/site/**/*.html'
