#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public function of the tensors and of what lies below them meets a deliberate mistake in
# tests/tensor/test_mistakes_*.c: in an EXPECT, or in a row of a table that an EXPECT walks. A
# function without one fails the test, unless it is listed here with the reason.
set -euo pipefail
include=$1/include/deephealth
tests=$1/tests/tensor
subjects="devices tensor tensor_io tensor_linalg tensor_math tensor_reduce tensor_shape dtype memory log status datasets version
  sys/device sys/error sys/field sys/op"

# Functions that cannot fail; those that take something are called with NULL and nonsense all the same.
answers="dh_driver_name dh_op_name dh_dtype_is_float dh_dtype_name dh_dtype_promote dh_dtype_size dh_error_status dh_error_text
  dh_field_find dh_field_required dh_get_log_level dh_get_memory_stats dh_isa dh_npz_count dh_npz_name
  dh_safetensors_count dh_safetensors_metadata dh_safetensors_name dh_status_name dh_tensor_count
  dh_tensor_data dh_tensor_device dh_tensor_dim dh_tensor_dtype dh_tensor_is_contiguous dh_tensor_ndim
  dh_tensor_shape dh_tensor_strides dh_version"                       # a question has an answer for everything
texts="dh_field_print dh_tensor_describe dh_tensor_print"             # write what fits into the caller's buffer
setters="dh_alloc_fail_at dh_error_clear dh_error_prefix dh_field_defaults dh_field_fill dh_perror dh_set_log
  dh_set_log_level"                                                   # what makes no sense is passed over
ends="dh_npz_free dh_safetensors_free dh_tensor_free"                 # NULL is fine
unfailing="$answers $texts $setters $ends"

# A prototype may go over several lines: the name is the last dh_word before the first "(".
functions=$(for subject in $subjects; do cat "$include/$subject.h"; done | tr '\n' ' ' | grep -oE '\bDH_API [^;(]*\(' |
  grep -oE 'dh_[a-z0-9_]+ *\($' | tr -d ' (' | sort -u)
sources=$(cat "$tests"/test_mistakes_*.c | tr '\n' ' ')
used=$(grep -oE '\bdh_[a-z0-9_]+\b' <<<"$sources" | sort -u)
wronged=$( (grep -oE '\bEXPECT(_NAMED)?\([^;]*;' <<<"$sources"; grep -oE '\{"[a-z0-9_]+", dh_[a-z0-9_]+' <<<"$sources") |
  grep -oE '\bdh_[a-z0-9_]+\b' | sort -u)

bad=0
n=0
say() { echo "$@"; bad=1; }
for f in $functions; do
  n=$((n + 1))
  if grep -qw "$f" <<<"$unfailing"; then
    grep -qx "$f" <<<"$used" || say "$f is never called in $tests/test_mistakes_*.c"
  else
    grep -qx "$f" <<<"$wronged" || say "$f meets no mistake in $tests/test_mistakes_*.c"
  fi
done
for f in $unfailing; do
  grep -qx "$f" <<<"$functions" || say "$f is said to be unfailing, but there is no such function"
done
[ "$n" -gt 200 ] || say "only $n functions found in the headers"
[ $bad = 0 ] && echo "$n public functions, $(wc -w <<<"$unfailing") of them unfailing: the others meet their mistakes"
exit $bad
