#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Kills a training run at random points with SIGKILL, resumes it from its checkpoints and compares what comes out
# with a run that was left alone: params_sha256 must be the same. Every fourth time the kill comes while a checkpoint
# is being written.
#   kill.sh [--runs N] [--kills K] [--every STEPS] PROGRAM [its options]
#   --runs N      runs (200), each killed at least once
#   --kills K     at most so often (3)
#   --every N     steps from checkpoint to checkpoint (20)
# PROGRAM takes the examples' common options, build/release/examples/mnist_conv for one.
# Exit status: 1 where a run ended otherwise; 2 a wrong option.
set -euo pipefail

runs=200 kills=3 every=20
while [ $# -gt 0 ]; do
  case "$1" in
    --runs) runs=${2:?--runs needs a number}; shift 2 ;;
    --kills) kills=${2:?--kills needs a number}; shift 2 ;;
    --every) every=${2:?--every needs a number}; shift 2 ;;
    -*) echo "kill.sh: unknown option \"$1\"; there are --runs, --kills, --every" >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo "kill.sh: no program is given" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sum_of() { # a report
  grep -o '"params_sha256": *"[0-9a-f]*"' "$1" | grep -o '[0-9a-f]\{64\}'
}

# Whether a file in $dir is half written by the run that has just been started, not left by the one before.
half_written() {
  local file
  for file in "$dir"/*.tmp; do [ ! "$file" -nt "$work/started" ] || return 0; done
  return 1
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
begin=$(milliseconds)
"$@" --quiet --json "$work/whole.json" --checkpoint "$work/whole" --checkpoint-steps "$every" >/dev/null
length=$(($(milliseconds) - begin))
want=$(sum_of "$work/whole.json")
echo "left alone: $length ms, $want"

bad=0 killed=0 in_writes=0
for ((i = 1; i <= runs; i++)); do
  dir=$work/run rest=$((1 + RANDOM % kills))
  rm -rf "$dir" "$work/run.json"
  while :; do
    touch "$work/started"
    "$@" --quiet --json "$work/run.json" --checkpoint "$dir" --checkpoint-steps "$every" --resume >/dev/null 2>"$work/errors" &
    pid=$!
    if [ $rest -gt 0 ]; then
      rest=$((rest - 1))
      if [ $((i % 4)) = 0 ]; then # until a file is half written
        while kill -0 $pid 2>/dev/null && ! half_written; do :; done
      else
        ms=$((RANDOM * length / 32768))
        sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
      fi
      kill -9 $pid 2>/dev/null || true
    fi
    code=0
    wait $pid 2>/dev/null || code=$?
    [ $code != 0 ] || break
    [ $code = 137 ] || { echo "run $i: $(tail -1 "$work/errors")"; break; }
    killed=$((killed + 1))
    ! half_written || in_writes=$((in_writes + 1))
  done
  got=$([ ! -e "$work/run.json" ] || sum_of "$work/run.json")
  [ "$got" = "$want" ] || { echo "run $i ends with ${got:-nothing}, not $want"; bad=$((bad + 1)); }
done
echo "$runs runs, killed $killed times, $in_writes of them in the middle of a write: $((runs - bad)) end with the same bits"
[ $bad = 0 ]
