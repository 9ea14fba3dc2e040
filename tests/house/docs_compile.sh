#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every ```c block of README.md and docs/ compiles without a warning. A block with main is a program; in
# others `static` functions go to file scope and the rest into a function that has the names below. A block
# after the line <!-- no-compile --> is left out.
set -euo pipefail
root=$1 library=$2 cc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -v work="$work" '
  FNR == 1 { page = FILENAME; sub(/.*\//, "", page); sub(/\.md$/, "", page); inside = skip = 0 }
  !inside && /^ *<!-- no-compile -->/ { skip = 1; next }
  !inside && /^ *```c$/ {
    inside = 1; fill = index($0, "`") - 1
    file = skip ? "/dev/null" : work "/" page "_" FNR ".block"
    if (!skip) printf "#line %d \"%s\"\n", FNR + 1, FILENAME > file
    skip = 0; next
  }
  inside && /^ *```$/ { inside = 0; close(file); next }
  inside { print substr($0, fill + 1) > file; next }
  NF { skip = 0 }
' "$root/README.md" "$root"/docs/*.md

cat >"$work/prelude.h" <<'C'
#include <deephealth.h>
#include <stdio.h>
extern dh_model *net, *encoder;
extern dh_layer *x, *out, *a, *b, *layer;
extern dh_tensor *x_tr, *y_tr, *x_ts, *y_ts, *x_batch, *y_batch;
C

flags="-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I$root/include"
lenient="-Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-function -Wno-misleading-indentation"
programs=0 fragments=0
for block in "$work"/*.block; do
  source=${block%.block}.c
  if grep -q 'int main(' "$block"; then
    cp "$block" "$source"
    $cc $flags "$source" -o "$work/program" "$library" -Wl,-rpath,"$(dirname "$library")"
    programs=$((programs + 1))
  else
    awk 'BEGIN { print "#include \"prelude.h\"" }
         /^#line/ { line = $2; path = $3; next }
         { n++ }
         /^static / { top = 1 }
         top { printf "#line %d %s\n%s\n", line + n - 1, path, $0; if (/^}/) top = 0; next }
         n != last + 1 { body = body sprintf("#line %d %s\n", line + n - 1, path) }
         { body = body $0 "\n"; last = n }
         END { printf "int fragment(void);\nint fragment(void)\n{\n%s    return 0;\n}\n", body }' "$block" >"$source"
    $cc $flags $lenient -I"$work" -c "$source" -o "$work/fragment.o"
    fragments=$((fragments + 1))
  fi
done
[ $programs -ge 2 ] && [ $fragments -ge 3 ] || { echo "found only $programs programs, $fragments fragments"; exit 1; }
echo "$programs programs and $fragments fragments compile"
