#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The API reference is made without a warning. Its place: build/api.
set -euo pipefail
cd "$1"
command -v doxygen >/dev/null || { echo "doxygen is not there: skipped"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
{ cat docs/Doxyfile; echo "OUTPUT_DIRECTORY = $out"; } | doxygen - 2>&1 >/dev/null | tee "$out/warnings"
[ ! -s "$out/warnings" ] && [ -e "$out/html/index.html" ]
