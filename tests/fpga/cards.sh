#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Cards, for which PoCL stands in. Arguments: the folder of the examples. One without a compiler, whose kernels come from a file:
# PoCL's binary of the streaming convolution is the .xclbin; convolutions then run on the device, the rest on the CPU where that
# is asked for; files that are missing, damaged or without kernels are told. Then two cards that share batches.
set -uo pipefail
programs=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
say() { echo "$@" >&2; bad=1; }
"$programs/devices" | grep -q '^  opencl:0: ' || {
  "$programs/devices" | sed -n '/^opencl/,$p' >&2
  [ -z "${DH_TEST_DEVICE:-}" ] || exit 1
  exit 77
}
export DEEPHEALTH_DATA=$work/nowhere https_proxy=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9
run=("$programs/cifar10_conv" --samples 20 --batch-size 10 --epochs 1 --quiet --seed 7 --json report.json)
loss() { grep -o '"loss": *[0-9.e+-]*' report.json | head -1 | sed 's/.*: *//'; }
hash() { grep -o '"params_sha256": "[0-9a-f]*"' report.json; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && b > 0 && (a - b) ^ 2 < 1e-8 * b ^ 2) }'; }

"${run[@]}" >out 2>err || say "on the CPU: $(cat err)"
want=$(loss)
export DEEPHEALTH_CACHE=$work/cache
DEEPHEALTH_STREAM=8x8 "${run[@]}" --device opencl >out 2>err || say "streaming: $(cat err)"
near "$(loss)" "$want" || say "streaming: the loss is $(loss), must be $want"
unset DEEPHEALTH_CACHE
binary=$(grep -l 'conv_stream_8x8_16x256' cache/opencl/*.bin | head -1)
[ -n "$binary" ] || { say "the streaming kernel was not built"; exit 1; }
tail -c +65 "$binary" >card.xclbin # behind its hash

refuse() { # words, then what runs
  local words=$1
  shift
  "$@" >out 2>err && say "$*: did not fail"
  grep -qF -- "$words" err || say "$*: \"$words\" is not in \"$(cat err)\""
}
export DEEPHEALTH_XCLBIN=$work/card.xclbin
refuse 'device "opencl:0" does not have this op' "${run[@]}" --device opencl
"${run[@]}" --device opencl --fallback cpu >out 2>err || say "from a file: $(cat err)"
near "$(loss)" "$want" || say "from a file: the loss is $(loss), must be $want"
DEEPHEALTH_XCLBIN=$work/none.xclbin refuse 'none.xclbin' "${run[@]}" --device opencl
head -c 3000 /dev/urandom >other.xclbin
DEEPHEALTH_XCLBIN=$work/other.xclbin refuse 'other.xclbin" is not for this card' "${run[@]}" --device opencl
: >empty.xclbin
DEEPHEALTH_XCLBIN=$work/empty.xclbin refuse 'empty.xclbin" is not for this card' "${run[@]}" --device opencl
unset DEEPHEALTH_XCLBIN

export POCL_DEVICES="pthread pthread"
if "$programs/devices" | grep -q '^  opencl:1: '; then
  run=("$programs/mnist_mlp" --samples 1000 --epochs 1 --quiet --seed 7 --json report.json)
  "${run[@]}" --device opencl >out 2>err || say "one card: $(cat err)"
  want=$(loss)
  for mask in '[0, 1]' '[1, 1]'; do
    printf 'device: opencl\nmask: %s\n' "$mask" >service.yaml
    "${run[@]}" --service service.yaml >out 2>err || say "cards $mask: $(cat err)"
    near "$(loss)" "$want" || say "cards $mask: the loss is $(loss), must be $want"
  done
  together=$(hash)
  printf 'device: opencl\nmask: [1, 1]\nlsb: 3\n' >service.yaml
  "${run[@]}" --service service.yaml >out 2>err || say "two cards, lsb 3: $(cat err)"
  [ "$(hash)" != "$together" ] || say "two cards with lsb 3 train as with lsb 1"
  printf 'device: opencl\nmask: [1, 0, 1]\n' >service.yaml
  refuse 'mask[2] is 1, there are 2 opencl devices' "${run[@]}" --service service.yaml
else
  say "PoCL does not give two devices"
fi
[ $bad = 0 ] && echo "cards do what is asked of them"
exit $bad
