#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the headers declare is exported, and nothing else; the program that takes every address links.
set -euo pipefail
include=$1 library=$2 cc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# declarations: DH_API ... name( possibly with attributes before, over several lines
find "$include" -name '*.h' -print0 | xargs -0 cat | sed 's@/\*.*\*/@@' | tr '\n' ' ' |
  grep -oE 'DH_API[^;]*;' | sed -E 's/\<(DH_NODISCARD|DH_API|const|struct)\>//g' |
  grep -oE '(dh_[a-z0-9_]+) *\(' | sed 's/ *(//' | sort -u >"$work/all"
nm -D --defined-only "$library" | awk 'NF==3 {print $3}' | sed 's/@.*//' | sort -u >"$work/exported"
if grep -v '^dh_[^_]' "$work/exported"; then echo "exported, though not dh_*"; exit 1; fi
missing=$(comm -23 "$work/all" "$work/exported")
extra=$(comm -13 "$work/all" "$work/exported")
[ -z "$missing" ] || { echo "declared but not exported:" $missing; exit 1; }
[ -z "$extra" ] || { echo "exported but in no header:" $extra; exit 1; }
{
  echo '#include <deephealth.h>'
  for h in "$include"/deephealth/sys/*.h; do echo "#include <deephealth/sys/$(basename "$h")>"; done
  echo 'typedef void (*any)(void);'
  echo 'any table[] = {'
  sed 's/.*/    (any)&,/' "$work/all"
  echo '};'
  echo 'int main(void) { return table[0] == 0; }'
} >"$work/all.c"
"$cc" -std=c11 -I"$include" "$work/all.c" -o "$work/all.out" "$library" -Wl,-rpath,"$(dirname "$library")"
"$work/all.out"
echo "$(wc -l <"$work/all") functions declared, exported and linked"
