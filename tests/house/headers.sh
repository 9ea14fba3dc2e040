#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every public header compiles alone, in C11 and C++17, with every compiler that is there.
set -euo pipefail
include=$1
strict="-Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only"
n=0
for header in $(cd "$include" && find . -name '*.h' | sed 's@^\./@@'); do
  for cc in gcc clang; do
    command -v "$cc" >/dev/null || continue
    echo "#include <$header>" | "$cc" -std=c11 $strict -I"$include" -x c - || { echo "$header, $cc, C11"; exit 1; }
    n=$((n + 1))
  done
  for cxx in g++ clang++; do
    command -v "$cxx" >/dev/null || continue
    echo "#include <$header>" | "$cxx" -std=c++17 $strict -I"$include" -x c++ - || { echo "$header, $cxx, C++17"; exit 1; }
    n=$((n + 1))
  done
done
echo "$n compilations"
