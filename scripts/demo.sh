#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, trains MNIST, prints the accuracy. Leaves out/mlp.safetensors,
# out/mlp.json and out/mlp.png. Data: $DEEPHEALTH_DATA/mnist, else downloaded to data/mnist, else generated.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/deps.sh
generator="-G Ninja"
[ ! -e build/release/CMakeCache.txt ] || generator="" # whatever it was made with
cmake --preset release $generator -DDH_TESTS=OFF -DDH_BENCH=OFF >/dev/null
cmake --build --preset release -j "$(nproc)" -- --quiet
mkdir -p out
build/release/examples/mnist_mlp --epochs "${EPOCHS:-10}" --save out/mlp.safetensors --json out/mlp.json \
  --curve out/mlp.png
accuracy=$(sed -n 's/.*"test": {.*"categorical_accuracy": \([0-9.e+-]*\).*/\1/p' out/mlp.json)
echo "weights out/mlp.safetensors, learning curve out/mlp.png, report out/mlp.json"
LC_ALL=C printf 'test accuracy %.4f\n' "$accuracy"
