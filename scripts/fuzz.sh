#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzes the readers of files with libFuzzer, under the address and the undefined-behaviour sanitizer. A target goes
# on until it has had its CPU-seconds and found no new edge for a while, but no longer than the cap.
#   --target NAME    one of them (npy, csv, ...) instead of all
#   --seconds N      CPU-seconds at least (600)
#   --quiet-for N    CPU-seconds without a new edge at the end (180)
#   --cap N          CPU-seconds at most (four times --seconds)
#   --planted        plants an overflow, a leak and an endless loop in each target and checks that each is caught
#   --keep           adds what the last runs found to the corpus: small files that cover new edges, 40 a target
# Exit status: 1 a finding, or a planted bug that was missed; 3 a target was cut by the cap; 2 a wrong option.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=build/fuzz
only="" seconds=600 quiet_for=180 cap="" mode=run slice=30
while [ $# -gt 0 ]; do
  case "$1" in
    --target) only=${2:?--target needs a name}; shift 2 ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
    --quiet-for) quiet_for=${2:?--quiet-for needs a number}; shift 2 ;;
    --cap) cap=${2:?--cap needs a number}; shift 2 ;;
    --planted | --keep) mode=${1#--}; shift ;;
    *) echo "fuzz.sh: unknown option \"$1\"; there are --target, --seconds, --quiet-for, --cap, --planted, --keep" >&2
       exit 2 ;;
  esac
done
[ -n "$cap" ] || cap=$((4 * (seconds > quiet_for ? seconds : quiet_for)))
targets=()
for source in tests/fuzz/fuzz_*.c; do
  name=${source##*/fuzz_}
  [ -n "$only" ] && [ "$only" != "${name%.c}" ] || targets+=("${name%.c}")
done
[ ${#targets[@]} -gt 0 ] || { echo "fuzz.sh: there is no target \"$only\"" >&2; exit 2; }

build() { # nothing or the bug to plant, which gives executables of other names
  local generator=(-G Ninja)
  [ ! -e $dir/CMakeCache.txt ] || generator=() # whatever it was made with
  cmake -S . -B $dir "${generator[@]}" -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DDH_FUZZ=ON \
    -DDH_FUZZ_PLANTED="$1" -DDH_BENCH=OFF -DDH_EXAMPLES=OFF -DCMAKE_C_FLAGS="-O1 -g \
    -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
    -Wno-pass-failed" >/dev/null
  # shellcheck disable=SC2046 # one word for each target
  cmake --build $dir -j "${DH_JOBS:-$(nproc)}" --target $(printf "fuzz_%s_${1:-libfuzzer} " "${targets[@]}") -- --quiet
}

# One row of the table. In slices, as libFuzzer tells no times: an edge counts from the end of its slice. Sets status.
fuzz() { # target, nothing or the planted bug
  local name=$1 work=$dir/corpus/$1$2 log=$dir/$1$2.log found=$dir/findings/$1$2-
  local runs=0 cpu=0 edges=0 new_at=0 user system seen executed TIMEFORMAT='%0U %0S'
  [ -z "$2" ] || rm -rf "$work"
  mkdir -p "$work" $dir/findings
  rm -f "$found"*
  : >"$log"
  status=going
  while [ $status = going ]; do
    { time "$dir/tests/fuzz_${name}_${2:-libfuzzer}" "$work" "tests/fuzz/corpus/$name" -max_total_time=$slice \
      -max_len=4096 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 -artifact_prefix="$found" \
      -print_final_stats=1 >>"$log" 2>&1 || status=finding; } 2>$dir/time
    read -r user system < <(tail -1 $dir/time)
    seen=$(grep -ao 'cov: [0-9]*' "$log" | tail -1 | cut -c6- || true)
    executed=$(sed -n 's/^stat::number_of_executed_units: //p' "$log" | tail -1)
    cpu=$((cpu + user + system)) runs=$((runs + ${executed:-0}))
    [ "${seen:-0}" -le "$edges" ] || { edges=$seen new_at=$cpu; }
    [ $status = finding ] || [ $cpu -lt "$seconds" ] || [ $((cpu - new_at)) -lt "$quiet_for" ] || status=fine
    [ $status != going ] || [ $cpu -lt "$cap" ] || status="cut"
  done
  printf '%-12s %12d %8d %7d %10d  %s\n' "$name" $runs $cpu "$edges" $((cpu - new_at)) \
    "$([ $status = finding ] && echo "$found"* || echo $status)"
}

head_row() { printf '%-12s %12s %8s %7s %10s  %s\n' target runs seconds edges 'quiet for' result; }

planted() {
  local missed=0 bug text quiet_for=0 cap=$seconds
  for bug in overflow leak loop; do
    case $bug in overflow) text=heap-buffer-overflow ;; leak) text=LeakSanitizer ;; *) text='libFuzzer: timeout' ;; esac
    echo "== planted: $bug"
    build $bug
    head_row
    for name in "${targets[@]}"; do
      fuzz "$name" $bug
      if [ $status != finding ] || ! grep -q "$text" "$dir/$name$bug.log"; then
        echo "$name: missed"
        missed=1
      fi
    done
  done
  return $missed
}

keep() { # the smallest files that cover, with the seeds, what the last runs covered
  local name file seeds count
  for name in "${targets[@]}"; do
    seeds=tests/fuzz/corpus/$name
    rm -rf $dir/merged
    cp -r "$seeds" $dir/merged
    "$dir/tests/fuzz_${name}_libfuzzer" -set_cover_merge=1 -use_counters=0 $dir/merged \
      "$dir/corpus/$name" >"$dir/$name.log" 2>&1
    count=$(find "$seeds" -type f | wc -l)
    for file in $(find $dir/merged -type f -size -8 -printf '%s %p\n' | sort -n | cut -d' ' -f2); do
      if [ -e "$seeds/${file##*/}" ] || [ "$count" -ge 40 ]; then continue; fi
      cp "$file" "$seeds/found_$(sha1sum <"$file" | cut -c1-12)"
      count=$((count + 1))
    done
    echo "$name: $count files"
  done
}

if [ "$mode" = planted ]; then planted; exit; fi
build ""
if [ "$mode" = keep ]; then keep; exit; fi
worst=0
head_row
for name in "${targets[@]}"; do
  fuzz "$name" ""
  case $status in finding) worst=1 ;; cut) [ $worst = 1 ] || worst=3 ;; esac
done
exit $worst
