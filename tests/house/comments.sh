#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public function has a comment: right above, behind it, or above the run of declarations that it stands in.
set -euo pipefail
cd "$1"
mapfile -t headers < <(find . -name '*.h' | sort)
awk '
  FNR == 1 { covered = inside = open = 0 }
  inside { if (/\*\//) { inside = 0; covered = !heading }; next }
  !open && /^ *\/\*/ { heading = /^\/\* ---/; inside = !/\*\//; covered = !inside && !heading; next }
  !open && /^DH_API/ { open = FNR; text = "" }
  !open { covered = 0; next }
  { text = text $0 }
  /;/ {
    count++
    if (!covered && text !~ /\/\*/) { print FILENAME ":" open ": no comment: " text; bad = 1 }
    open = 0
  }
  END {
    if (count < 200) { print "only " count " functions found in the headers"; bad = 1 }
    if (!bad) print count " public functions have their comments"
    exit bad
  }' "${headers[@]}"
