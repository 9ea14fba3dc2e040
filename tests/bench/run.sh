#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Takes figures and holds them against their peers; docs/benchmarks.md says how.
#   run.sh mnist|cpu|gemm|conv|memory|opencl|startup|all [--json FILE] [--pairs N] [--threads "1 2"]
#          [--only REGEX] [--patience SECONDS] [--ceiling SECONDS] [--docs]
# Writes {"rows": [..]} to FILE (default build/bench/WHAT.json) and prints a table; --docs keeps the
# rows in tests/bench/results and writes docs/benchmarks.md. `run.sh docs` only writes the page.
# Peers come from the virtual environment $PEER, made as build/peer where it is not set (PyTorch's
# wheel brings 6 GB). Data: $DEEPHEALTH_DATA/mnist, else ../shared/data/mnist, else ./data/mnist.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
start=$PWD
what=${1:-}

say() { echo "bench: $*" >&2; }

case "$what" in
  mnist | cpu | gemm | conv | memory | opencl | startup | all | -h | --help) ;;
  docs) exec env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here" \
          python3 -c 'import report, sys; report.write_page(sys.argv[1])' "$root" ;;
  *) say "WHAT is \"$what\", must be mnist, cpu, gemm, conv, memory, opencl, startup, all or docs"; exit 2 ;;
esac

# build PRESET TARGETS [OPTION..]; a tree that another generator made stays with it
build() {
  local preset=$1 targets=$2 generator=()
  shift 2
  [ -f "$root/build/$preset/CMakeCache.txt" ] || ! command -v ninja >/dev/null || generator=(-G Ninja)
  # shellcheck disable=SC2086
  (cd "$root" && cmake --preset "$preset" "${generator[@]}" "$@" &&
    cmake --build --preset "$preset" -j "$(nproc)" --target $targets) >"$root/build/bench.log" 2>&1 && return
  say "building preset $preset failed:"
  tail -30 "$root/build/bench.log" >&2
  exit 1
}

# peers MODULE..: sets python to the interpreter of an environment that has them.
peers() {
  local venv=${PEER:-$root/build/peer} missing=() module
  python=$venv/bin/python
  for module in "$@"; do
    "$python" -c "import $module" 2>/dev/null || missing+=("$module")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ -z "${PEER:-}" ] || [ ! -e "$PEER" ] || { say "\$PEER is $PEER, but has no ${missing[*]}"; exit 1; }
  say "installing the peers into $venv: ${missing[*]}"
  [ -e "$python" ] || python3 -m venv "$venv" ||
    { say "python3 cannot make an environment; Debian: apt-get install python3-venv"; exit 1; }
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${missing[@]}"
}

# Sets data to MNIST's directory; the example downloads it where there is none.
mnist_data() {
  local kept=$root/../shared/data
  if [ -z "${DEEPHEALTH_DATA:-}" ] && [ -d "$kept/mnist" ]; then
    DEEPHEALTH_DATA=$(cd "$kept" && pwd)
  fi
  data=${DEEPHEALTH_DATA:-$root/data}/mnist
  if [ ! -e "$data/train-images-idx3-ubyte" ] && [ ! -e "$data/train-images-idx3-ubyte.gz" ]; then
    say "fetching MNIST into $data"
    (export DEEPHEALTH_DATA=${data%/mnist} && "$root/build/release/tests/bench_mlp" --seconds 0 >/dev/null)
  fi
}

mkdir -p "$root/build/bench"
python=python3
data=none
if [ "$what" != --help ] && [ "$what" != -h ]; then
  "$root/scripts/deps.sh" bench >&2 || say "going on with what is there"
  say "building"
  build release "deephealth bench_gemm bench_blas bench_mlp bench_conv bench_memory bench_net"
  case "$what" in startup | all) build minimal deephealth ;; esac
  case "$what" in
    mnist | gemm) peers torch numpy ;;
    cpu | all) peers torch numpy onnx onnxscript onnxruntime openvino ;;
  esac
  case "$what" in mnist | all) mnist_data ;; esac
fi
cd "$start"
exec env PYTHONDONTWRITEBYTECODE=1 python3 "$here/bench.py" "$@" --python "$python" --data "$data"
