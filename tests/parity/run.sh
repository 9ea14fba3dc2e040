#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Trains the same networks here and in PyTorch, from the same weights, on the same batches, and holds the
# differences to their bars; docs/parity.md says how.
#   run.sh mlp|mnist_cnn|resnet18|optimizers|accuracy|all [--steps N] [--seeds N] [--threads N]
#          [--only NET] [--json FILE] [--docs]
# Writes {"rows": [..]} to FILE (default build/parity/WHAT.json) and prints a table; --docs keeps the rows in
# tests/parity/results and writes docs/parity.md. `run.sh docs` only writes the page. Exit status: 1 when a bar
# is not met. PyTorch comes from the virtual environment $PEER, made as build/peer where it is not set (its wheel
# brings 6 GB). Data: $DEEPHEALTH_DATA, else ../shared/data, else ./data, in it mnist/ and cifar10/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
start=$PWD
what=${1:-}

say() { echo "parity: $*" >&2; }

case "$what" in
  mlp | mnist_cnn | resnet18 | optimizers | accuracy | all | docs) ;;
  -h | --help) sed -n '3,10s/^# \?//p' "$0"; exit ;;
  *) say "WHAT is \"$what\", must be mlp, mnist_cnn, resnet18, optimizers, accuracy, all or docs"; exit 2 ;;
esac
python=python3
if [ "$what" != docs ]; then
  "$root/scripts/deps.sh" bench >&2 || say "going on with what is there"
  say "building"
  generator=()
  [ -f "$root/build/release/CMakeCache.txt" ] || ! command -v ninja >/dev/null || generator=(-G Ninja)
  mkdir -p "$root/build/parity"
  (cd "$root" && cmake --preset release "${generator[@]}" &&
    cmake --build --preset release -j "$(nproc)" --target parity_train) >"$root/build/parity/build.log" 2>&1 || {
    say "building failed:"
    tail -30 "$root/build/parity/build.log" >&2
    exit 1
  }
  venv=${PEER:-$root/build/peer}
  python=$venv/bin/python
  if ! "$python" -c 'import torch, numpy' 2>/dev/null; then
    [ -z "${PEER:-}" ] || [ ! -e "$PEER" ] || { say "\$PEER is $PEER, but has no torch and numpy"; exit 1; }
    say "installing PyTorch into $venv"
    python3 -m venv "$venv" || { say "python3 cannot make an environment; Debian: apt-get install python3-venv"; exit 1; }
    "$venv/bin/pip" install --quiet --disable-pip-version-check torch numpy
  fi
fi
if [ -z "${DEEPHEALTH_DATA:-}" ]; then
  DEEPHEALTH_DATA=$root/data
  [ ! -d "$root/../shared/data" ] || DEEPHEALTH_DATA=$(cd "$root/../shared/data" && pwd)
fi
cd "$start"
if [ "$what" = docs ]; then
  exec env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here" \
    python3 -c 'import parity_page, sys; parity_page.write(sys.argv[1])' "$root"
fi
exec env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$root/tests/bench" "$python" "$here/parity.py" "$@" \
  --data "$DEEPHEALTH_DATA"
