#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How much of src/ the tests run: builds with gcc --coverage in build/coverage, runs the tests that are neither slow
# nor about the tree itself, and writes the lines run, by room and by file, to build/coverage/report.txt.
#   --report     exit 0 whatever the figures are; a failing test is still an error
#   --no-tests   count what the last run left
#   --missed     also the lines that were not run, file by file
# Exit status: 1 a bar is not met (scripts/coverage.py) or a test failed, 2 a wrong option.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=build/coverage
run=yes options=()
while [ $# -gt 0 ]; do
  case "$1" in
    --report | --missed) options+=("$1"); shift ;;
    --no-tests) run=no; shift ;;
    *) echo "coverage.sh: unknown option \"$1\"; there are --report, --no-tests and --missed" >&2; exit 2 ;;
  esac
done

if [ $run = yes ]; then
  jobs=${DH_JOBS:-$(nproc)}
  generator=(-G Ninja)
  [ ! -e $dir/CMakeCache.txt ] || generator=() # whatever it was made with
  # prefer-atomic: lines are counted from differences of counters, which lost updates of threads would spoil
  cmake -S . -B $dir "${generator[@]}" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Coverage -DDH_BENCH=OFF \
    -DCMAKE_C_FLAGS="-O1 -g --coverage -fprofile-update=prefer-atomic" >/dev/null
  cmake --build $dir -j "$jobs" -- --quiet
  find $dir -name '*.gcda' -delete
  ctest --test-dir $dir -j "$jobs" -LE slow -E '^house/' --timeout 1500 --no-tests=error --output-on-failure \
    >$dir/ctest.log 2>&1 || { tail -40 $dir/ctest.log; exit 1; }
  grep -E 'tests passed|Total Test time' $dir/ctest.log
fi
python3 scripts/coverage.py $dir "${options[@]}"
