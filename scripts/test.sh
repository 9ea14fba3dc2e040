#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, runs the tests.
#   --preset NAME   another preset than release (dev, minimal, clang, ...)
#   --device NAME   all tests that can run on another device, there: opencl
#   --ci            all that CI runs: gcc and clang with -Werror, minimal, sanitizers, aarch64, the lines that
#                   the tests run, then release
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release
device=
ci=no
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --device) device=${2:?--device needs a name}; shift 2 ;;
    --ci) ci=yes; shift ;;
    *) echo "test.sh: unknown option \"$1\"; there are --preset NAME, --device NAME and --ci" >&2; exit 2 ;;
  esac
done

scripts/deps.sh test
jobs=$(nproc)

build() { # preset, then the targets; all without one
  local name=$1 generator="-G Ninja"
  shift
  echo "== build $name $*"
  [ ! -e "build/$name/CMakeCache.txt" ] || generator="" # whatever it was made with
  cmake --preset "$name" $generator >/dev/null
  cmake --build --preset "$name" -j "$jobs" ${*:+--target "$@"} -- --quiet
}

run() { # preset, then ctest's own options
  local name=$1
  shift
  echo "== test $name $*"
  ctest --preset "$name" -j "$jobs" --timeout 1500 --no-tests=error "$@"
}

if [ -n "$device" ]; then
  build "$preset"
  export DH_TEST_DEVICE=$device
  run "$preset" -L device
  exit
fi

if [ "$ci" = no ]; then
  build "$preset"
  run "$preset"
  exit
fi

build gcc-werror
build clang
run clang -L quick
build minimal
run minimal -L quick
build dev
run dev -LE slow
build tsan test_team test_source test_session # all that several threads of the user's may enter
run tsan -R '/test_(team|source|session)$'
build aarch64
run aarch64 -R '^(ops/(grad|coverage|attr)|fuzz/)'
echo "== coverage"
scripts/coverage.sh --report
build release
DH_TEST_DEVICE=opencl run release -L device -LE slow
run release
