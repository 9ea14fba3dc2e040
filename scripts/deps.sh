#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what a build needs; `deps.sh test` also what the tests and the checks of CI need, `deps.sh bench`
# what the benchmarks and their peers need. Does nothing where everything is there.
set -euo pipefail

build_debian=(cmake ninja-build gcc libc6-dev pkg-config zlib1g-dev libyaml-dev libcurl4-openssl-dev
              libopenblas0-openmp opencl-headers ca-certificates)
test_debian=(libcmocka-dev g++ clang libomp-dev libclang-rt-dev doxygen gcc-aarch64-linux-gnu
             libc6-dev-arm64-cross qemu-user pocl-opencl-icd ocl-icd-libopencl1 python3)
bench_debian=(python3 python3-dev python3-venv g++)
build_brew=(cmake ninja pkg-config libomp libyaml openblas opencl-headers)
test_brew=(cmocka doxygen python)
bench_brew=(python)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_debian() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  as_root apt-get update -qq
  # what this release does not have (libclang-rt-dev on some) is left out, the rest installed
  local known=()
  for package in "${missing[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); else echo "not in this release: $package"; fi
  done
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${known[@]}" >/dev/null
}

if command -v apt-get >/dev/null; then
  packages=("${build_debian[@]}")
  case "${1:-}" in
    test) packages+=("${test_debian[@]}") ;;
    bench) packages+=("${bench_debian[@]}") ;;
  esac
  install_debian "${packages[@]}"
elif command -v brew >/dev/null; then
  packages=("${build_brew[@]}")
  case "${1:-}" in
    test) packages+=("${test_brew[@]}") ;;
    bench) packages+=("${bench_brew[@]}") ;;
  esac
  for package in "${packages[@]}"; do
    brew list --versions "$package" >/dev/null 2>&1 || brew install --quiet "$package"
  done
else
  echo "no apt-get and no brew here; needed are: ${build_debian[*]}" >&2
  exit 1
fi
