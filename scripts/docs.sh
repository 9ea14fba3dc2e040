#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writes the pages that are made from tables, docs/ops.md, layers.md, zoo.md and streaming.md.
#   --check [PROGRAM]   changes nothing; fails where a page differs from what PROGRAM (a built gen_ops) prints
set -euo pipefail
cd "$(dirname "$0")/.."

check=no
program=
if [ "${1:-}" = --check ]; then
  check=yes
  program=${2:-}
fi
if [ -z "$program" ]; then
  scripts/deps.sh
  generator="-G Ninja"
  [ ! -e build/release/CMakeCache.txt ] || generator="" # whatever it was made with
  cmake --preset release $generator >/dev/null
  cmake --build --preset release --target gen_ops -- --quiet
  program=build/release/tests/house/gen_ops
fi

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
stale=0
for page in ops layers zoo streaming; do
  "$program" "$page" >"$fresh"
  if [ $check = no ]; then
    cp "$fresh" "docs/$page.md"
    chmod 644 "docs/$page.md"
  elif ! diff -u "docs/$page.md" "$fresh" >&2; then
    stale=1
  fi
done
[ $stale = 0 ] || { echo "docs/ is not what the tables say; renew it with: scripts/docs.sh" >&2; exit 1; }
