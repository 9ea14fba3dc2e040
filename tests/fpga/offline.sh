#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a card without a compiler does: its kernels come from a file. Arguments: the folder of the examples. PoCL's binary of the
# streaming convolution stands in for an .xclbin. Convolutions then run on the device, the rest on the CPU where that is asked
# for; files that are missing, damaged or without kernels are told.
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
[ $bad = 0 ] && echo "kernels come from files"
exit $bad
