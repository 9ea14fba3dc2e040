#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the training examples as a user would. Arguments: the folder of the programs. Data: mnist and cifar10 of
# $DH_SHARED/data where they are there, else the built-in digits. On $DH_TEST_DEVICE, where that is set. Checks the report's
# form, that the parameters have the same bits for any number of threads and each memory level, and what is said about bad options.
set -uo pipefail
programs=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
say() { echo "$@" >&2; bad=1; }

# A folder without data, and no way out to download: what the fallback is for.
export DEEPHEALTH_DATA=$work/nowhere https_proxy=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9
mkdir -p "$DEEPHEALTH_DATA"
find_data() { # name: found=(--data FOLDER), or () where there is none
  found=(--data "${DH_SHARED:-}/data/$1")
  [ -d "${found[1]}" ] || found=()
  if [ ${#found[@]} != 0 ] && [ "${DH_ZLIB:-yes}" != yes ]; then # a library that reads plain files alone
    mkdir "$work/$1"
    for file in "${found[1]}"/*.gz; do gunzip -c "$file" >"$work/$1/$(basename "$file" .gz)"; done
    found[1]=$work/$1
  fi
}
find_data cifar10
cifar10=("${found[@]}")
find_data mnist
data=("${found[@]}")
device=${DH_TEST_DEVICE:-cpu}
on=(--device "$device")
few=("${on[@]}" --samples 1050 --batch-size 100 --epochs 1 --quiet)

# The report as one token a line, then its paths: epochs.0.loss, test.loss, ... with their values.
flatten() {
  sed -E 's/("([^"\\]|\\.)*"|[][{}:,])/\n\1\n/g' "$1" | sed 's/^ *//; s/ *$//' | awk '
    NF == 0 { next }
    /^[{[]$/ { kind[++depth] = $0; at[depth] = 0; if ($0 == "[") key[depth] = 0; next_is_key = $0 == "{"; next }
    /^[]}]$/ { if ((kind[depth] == "{") != ($0 == "}")) { print "bracket"; exit 1 }; delete kind[depth--]; next }
    $0 == ":" { next_is_key = 0; next }
    $0 == "," { if (kind[depth] == "[") key[depth]++; next_is_key = kind[depth] == "{"; next }
    next_is_key { key[depth] = substr($0, 2, length($0) - 2); next }
    { path = key[1]; for (i = 2; i <= depth; i++) path = path "." key[i]; print path, $0 }
    END { if (depth) { print "open bracket"; exit 1 } }'
}

# expect FILE PATH PATTERN: the value there matches all of an extended regular expression.
expect() {
  grep -qE "^$2 $3\$" "$1" || say "$(basename "$1"): $2 is \"$(sed -n "s/^$2 //p" "$1")\", must match $3"
}

number='-?[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?'
whole='[1-9][0-9]*'

check_report() { # example, threads, json, metric, epochs
  local flat=$work/$1.flat
  flatten "$3" >"$flat" || { say "$1: the report is no JSON: $(tail -1 "$flat")"; return; }
  expect "$flat" example "\"$1\""
  expect "$flat" device "\"$device(:0)?\""
  expect "$flat" threads "$2"
  expect "$flat" seed 7
  expect "$flat" batch_size "$whole"
  [ "$5" = 0 ] || {
    expect "$flat" epochs.0.epoch 1
    expect "$flat" epochs.0.loss "$number"
    expect "$flat" "epochs.0.metrics.$4" "$number"
    grep -q '"validation": {' "$3" || say "$1: no validation in the report's epochs"
    expect "$flat" epochs.0.seconds "$number"
  }
  expect "$flat" test.loss "$number"
  expect "$flat" "test.$4" "$number"
  expect "$flat" params_sha256 '"[0-9a-f]{64}"'
  expect "$flat" plan_bytes "$whole"
  expect "$flat" peak_rss_bytes "$whole"
  [ "$(grep -c '^epochs\.[0-9]*\.epoch ' "$flat")" = "$5" ] || say "$1: not $5 epochs in the report"
}

# refuse WORDS COMMAND...: fails, with one line on stderr that has the words, beside what is said where there are no data.
refuse() {
  local words=$1
  shift
  "$@" >"$work/out" 2>"$work/all" && say "$*: did not fail"
  sed '/^MNIST could not be had/,/^using generated digits/d' "$work/all" >"$work/err"
  [ "$(wc -l <"$work/err")" = 1 ] || say "$*: said $(wc -l <"$work/err") lines: $(cat "$work/err")"
  grep -qF -- "$words" "$work/err" || say "$*: \"$words\" is not in \"$(cat "$work/err")\""
}

for example in mnist_mlp mnist_train_batch sessions; do
  run=("$programs/$example" "${data[@]}" "${few[@]}" --seed 7)
  first=
  for how in "--threads 2" "--threads 1" "--threads 3" "--threads 4" "--threads 2 --memory full_mem" \
             "--threads 2 --memory mid_mem" "--threads 2 --memory low_mem"; do
    # shellcheck disable=SC2086
    if ! "${run[@]}" $how --json "$work/report.json" >"$work/out" 2>"$work/err"; then
      say "$example $how: failed: $(cat "$work/err")"
      continue
    fi
    grep -q '^test loss ' "$work/out" || say "$example $how: no test figures"
    threads=${how#--threads }
    [ "$example" != sessions ] ||
      grep -q "^${threads%% *} threads served 1050 images, .* agree bit for bit" "$work/out" ||
      say "$example $how: $(cat "$work/out")"
    hash=$(sed -n 's/.*"params_sha256": "\([0-9a-f]*\)".*/\1/p' "$work/report.json")
    [ -n "$first" ] || { first=$hash; check_report "$example" 2 "$work/report.json" categorical_accuracy 1; }
    [ "$hash" = "$first" ] || say "$example $how: parameters are $hash, with --threads 2 $first"
  done

  "$programs/$example" --help >"$work/out" 2>"$work/err" || say "$example --help: exit code $?"
  for option in --data --samples --epochs --batch-size --seed --threads --device --memory --replicas --fallback --service --json --save; do
    grep -q -- "$option" "$work/out" || say "$example --help does not tell about $option"
  done
  [ -s "$work/err" ] && say "$example --help writes to stderr"
  refuse '"--epoch"' "$programs/$example" --epoch 3
  refuse '--epochs' "$programs/$example" --epochs
  refuse '"many"' "$programs/$example" --epochs many
  refuse '"0"' "$programs/$example" --batch-size 0
  refuse '"-1"' "$programs/$example" --threads -1
  refuse "$work/no-such-folder" "$programs/$example" --data "$work/no-such-folder"
  refuse 'did you mean "low_mem"' "${run[@]}" --memory lowmem
  refuse '"cqu"' "${run[@]}" --device cqu
  refuse "$work/no/report.json" "${run[@]}" --json "$work/no/report.json"
  refuse "$work/no/weights" "${run[@]}" --save "$work/no/weights"
done

# The others, on a few samples: two threads and full memory, then one thread and the least memory.
cd "$work" || exit 1
while read -r example metric epochs options; do
  first=
  from=("${data[@]}")
  [[ $example != cifar10* ]] || from=("${cifar10[@]}")
  for how in "--threads 2" "--threads 1 --memory low_mem"; do
    # shellcheck disable=SC2086
    if ! "$programs/$example" "${from[@]}" "${on[@]}" --quiet --seed 7 $options $how --json "$work/report.json" >"$work/out" 2>"$work/err"; then
      say "$example $how: failed: $(cat "$work/err")"
      continue
    fi
    grep -q '^test loss ' "$work/out" || say "$example $how: no test figures"
    hash=$(sed -n 's/.*"params_sha256": "\([0-9a-f]*\)".*/\1/p' "$work/report.json")
    [ -n "$first" ] || { first=$hash; check_report "$example" 2 "$work/report.json" "$metric" "$epochs"; }
    [ "$hash" = "$first" ] || say "$example $how: parameters are $hash, with --threads 2 $first"
  done
done <<'EXAMPLES'
mnist_conv categorical_accuracy 1 --samples 30 --batch-size 20 --epochs 1
mnist_autoencoder mae 1 --samples 300 --epochs 1
mnist_mlp categorical_accuracy 1 --samples 300 --epochs 1 --save mnist_mlp.safetensors
mnist_predict categorical_accuracy 0 --samples 300
mnist_siamese binary_accuracy 1 --samples 300 --epochs 1
mnist_gan binary_accuracy 1 --samples 200 --epochs 1
custom_loss margin 1 --samples 300 --epochs 1
load_weights categorical_accuracy 1 --samples 300 --epochs 1
fine_grained categorical_accuracy 1 --samples 300 --epochs 1
cifar10_conv categorical_accuracy 1 --samples 60 --batch-size 20 --epochs 1
cifar10_resnet18 categorical_accuracy 1 --samples 8 --batch-size 4 --epochs 1
EXAMPLES

is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }
for picture in mnist_autoencoder.png mnist_predict.png mnist_gan.png; do
  is_png "$picture" || say "$picture is no PNG"
done

# A run that stops after an epoch and one that goes on from its checkpoint end as one run.
run=("$programs/mnist_mlp" "${data[@]}" "${on[@]}" --samples 300 --quiet --seed 7 --json report.json)
hash() { sed -n 's/.*"params_sha256": "\([0-9a-f]*\)".*/\1/p' report.json; }
"${run[@]}" --epochs 2 >out 2>err || say "mnist_mlp: $(cat err)"
first=$(hash)
"${run[@]}" --epochs 1 --checkpoint kept --checkpoint-steps 2 >out 2>err || say "mnist_mlp --checkpoint: $(cat err)"
[ "$(hash)" != "$first" ] || say "mnist_mlp: one epoch ends as two do"
refuse 'kept' "${run[@]}" --epochs 2 --checkpoint kept
"${run[@]}" --epochs 2 --checkpoint kept --resume >out 2>err || say "mnist_mlp --resume: $(cat err)"
[ "$(hash)" = "$first" ] || say "mnist_mlp --resume: parameters are $(hash), of a run in one go $first"
# What can't work is said at once, in one line, before the summary and the data.
for option in --resume '--checkpoint-steps 5'; do
  # shellcheck disable=SC2086
  refuse "mnist_mlp: ${option%% *} needs --checkpoint DIR" "$programs/mnist_mlp" "${data[@]}" --samples 300 $option
done
refuse 'mnist_mlp: --checkpoint report.json/kept: Not a directory' \
  "$programs/mnist_mlp" "${data[@]}" --samples 300 --checkpoint report.json/kept
refuse 'mnist_mlp: --checkpoint report.json: Not a directory' \
  "$programs/mnist_mlp" "${data[@]}" --samples 300 --checkpoint report.json
refuse 'mnist_mlp: --checkpoint /proc/kept: No such file or directory' \
  "$programs/mnist_mlp" "${data[@]}" --samples 300 --checkpoint /proc/kept
"${run[@]}" --epochs 1 --checkpoint a/deep/one/ >out 2>err || say "mnist_mlp --checkpoint a/deep/one/: $(cat err)"
[ -d a/deep/one ] || say "mnist_mlp --checkpoint a/deep/one/ made no folder"
refuse '"--checkpoint"' "$programs/mnist_train_batch" --checkpoint kept

# Without data anywhere: generated digits, said on stderr; weights and the curve are left.
"$programs/mnist_mlp" "${few[@]}" --save "$work/w.safetensors" --curve "$work/c.png" >"$work/out" 2>"$work/err" ||
  say "mnist_mlp on generated digits: $(cat "$work/err")"
grep -q 'generated digits' "$work/err" || say "the fallback to generated digits is not said: $(cat "$work/err")"
is_png "$work/c.png" || say "the curve is no PNG"
grep -aq '"dense1/weight"' "$work/w.safetensors" || say "the weights name no dense1/weight"
"$programs/cifar10_conv" "${on[@]}" --samples 20 --epochs 1 --quiet >"$work/out" 2>"$work/err" ||
  say "cifar10_conv on generated pictures: $(cat "$work/err")"
grep -q 'generated pictures' "$work/err" || say "the fallback to generated pictures is not said: $(cat "$work/err")"
# Files that are there but damaged are an error, not a reason to fall back.
mkdir -p "$work/damaged/mnist"
for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
  printf 'no idx file' >"$work/damaged/mnist/$name-ubyte"
done
refuse 'train-images-idx3-ubyte' env DEEPHEALTH_DATA="$work/damaged" "$programs/mnist_mlp" "${few[@]}"
refuse 'must be 00 00' env DEEPHEALTH_DATA="$work/damaged" "$programs/mnist_mlp" "${few[@]}"
for name in "$work"/damaged/mnist/*; do
  printf '\037\213 no gzip file either' >"$name.gz"
  rm "$name"
done
refuse 'train-images-idx3-ubyte.gz' env DEEPHEALTH_DATA="$work/damaged" "$programs/mnist_mlp" "${few[@]}"
refuse '--curve' "$programs/mnist_train_batch" --curve "$work/c.png"

# A computing service from a file, and replicas, whose losses are those of one device to some digits.
echo "threads: 2
memory: mid_mem
device: $device
replicas: 3" >service.yaml
"${run[@]}" --epochs 1 --service service.yaml >out 2>err || say "mnist_mlp --service: $(cat err)"
flatten report.json >service.flat && expect service.flat device "\"$device(:0)?\""
"${run[@]}" --epochs 1 --replicas 3 >out 2>err || say "mnist_mlp --replicas: $(cat err)"
flatten report.json >replicas.flat && "${run[@]}" --epochs 1 >out 2>err && flatten report.json >one.flat
for other in service replicas; do
  paste one.flat $other.flat | awk '/loss/ && ($2 - $4) ^ 2 > 1e-8 * $2 ^ 2' | grep -q . && say "mnist_mlp: $other has other losses"
done
echo "memory: lowmem" >service.yaml
refuse 'service.yaml:1' "${run[@]}" --service service.yaml

# What there is to compute with: the CPU always, with every op.
"$programs/devices" --ops >"$work/out" 2>"$work/err" && [ ! -s "$work/err" ] || say "devices: $(cat "$work/err")"
grep -qE '^  cpu: .*, [0-9]+ units?, [0-9.]+ GB' "$work/out" || say "devices tells no CPU: $(head -5 "$work/out")"
grep -qE '^  cpu has ([0-9]+) of \1 ops$' "$work/out" || say "devices: the CPU lacks ops"
grep -qE '^conv +yes ' "$work/out" || say "devices --ops does not list conv"
[ "$device" = cpu ] || grep -q "^  $device:0: " "$work/out" || say "devices does not list $device:0"
"$programs/devices" --all >"$work/out" 2>"$work/err" && say "devices --all did not fail"

# Nets of the zoo, timed: two steps each, and a report with what was measured.
while read -r net params how; do
  # shellcheck disable=SC2086
  "$programs/bench_net" $net $how --batch 2 --steps 2 --seconds 0 --threads 2 --device "$device" --json "$work/bench.json" >"$work/out" 2>"$work/err" ||
    { say "bench_net $net $how: failed: $(cat "$work/err")"; continue; }
  grep -q "^$net .* $params parameters, $device, 2 threads" "$work/out" || say "bench_net $net $how: $(cat "$work/out")"
  flatten "$work/bench.json" >"$work/bench.flat" || { say "bench_net $net $how: the report is no JSON"; continue; }
  expect "$work/bench.flat" net "\"$net\""
  expect "$work/bench.flat" steps 2
  for figure in median_ms min_ms max_ms gflops; do expect "$work/bench.flat" $figure "$number"; done
  for figure in peak_rss_bytes start_rss_bytes; do expect "$work/bench.flat" $figure "$whole"; done
  case "$how" in *--train*) expect "$work/bench.flat" activation_bytes "$whole" ;; *) expect "$work/bench.flat" activation_bytes 0 ;; esac
  expect "$work/bench.flat" params "$params"
  expect "$work/bench.flat" output.0 2
  expect "$work/bench.flat" output.1 '(10|8)'
  [ "$(wc -l <"$work/bench.json")" = 1 ] || say "bench_net $net $how: the report is not one line"
  expect "$work/bench.flat" device "\"$device\""
  expect "$work/bench.flat" threads 2
  expect "$work/bench.flat" isa '"(portable|avx2|avx512)"'
done <<'NETS'
mlp 2913290 --train
mlp 2913290 --infer
mnist_conv 410890 --train --memory low_mem
vgg16_bn_cifar 14986698 --infer
resnet18_cifar 11173962 --train --memory mid_mem
mobilenet_v2 2234120 --infer
NETS
bench=("$programs/bench_net" mlp --steps 1 --seconds 0)
refuse 'the name of a net comes first' "$programs/bench_net" --train
refuse 'did you mean "resnet50"' "$programs/bench_net" resnt50 --train
refuse '--train and --infer' "${bench[@]}"
refuse '--train and --infer' "${bench[@]}" --train --infer
refuse 'there is no option "--epochs"' "${bench[@]}" --train --epochs 1
refuse '"0"' "${bench[@]}" --train --batch 0
refuse '"nowhere"' "${bench[@]}" --train --device nowhere
refuse 'did you mean "low_mem"' "${bench[@]}" --train --memory lowmem
refuse "$work/no/report.json" "${bench[@]}" --infer --json "$work/no/report.json"
for names in "--help" "mlp --help"; do
  # shellcheck disable=SC2086
  "$programs/bench_net" $names >"$work/out" 2>"$work/err" && [ ! -s "$work/err" ] || say "bench_net $names: $(cat "$work/err")"
  grep -q 'bench_net' "$work/out" || say "bench_net $names says: $(cat "$work/out")"
done

[ $bad = 0 ] && echo "the examples do what their users expect"
exit $bad
