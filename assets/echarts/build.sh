#!/usr/bin/env bash
# Makes echarts.min.js, the parts of Apache ECharts that the report's page needs, from the npm package.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$work" echarts@6.1.0 zrender@6.1.0 esbuild@0.28.2
cp entry.js "$work"
"$work/node_modules/.bin/esbuild" "$work/entry.js" --bundle --minify --format=iife --global-name=echarts \
    --legal-comments=none --outfile=echarts.min.js \
    --banner:js='/*! Apache ECharts 6.1.0 (Apache-2.0), zrender 6.1.0 (BSD-3-Clause) */'
cp "$work/node_modules/echarts/LICENSE" "$work/node_modules/echarts/NOTICE" .
cp "$work/node_modules/echarts/licenses/LICENSE-d3" .
cp "$work/node_modules/zrender/LICENSE" LICENSE-zrender
