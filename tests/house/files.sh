#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Names are unique, includes need no paths, files stay short, the library never ends its caller.
set -uo pipefail
cd "$1"
bad=0
say() { echo "$@"; bad=1; }
files=$(find src include tests examples -name '*.[ch]' -o -path 'src/*' -name '*.def' | sort)
twice=$(for f in $files; do basename "$f"; done | sort | uniq -d)
[ -z "$twice" ] || say "file names used twice:" $twice
hits=$(grep -nE '#include "\.\.?/' $files)
[ -z "$hits" ] || say "includes with paths: $hits"
for f in $(find src include -name '*.[ch]'); do
  n=$(wc -l <"$f")
  [ "$n" -le 500 ] || echo "long: $f has $n lines"
  [ "$n" -le 800 ] || say "too long: $f has $n lines, at most 800"
  head -1 "$f" | grep -q 'SPDX-License-Identifier: MIT' || say "no licence line: $f"
done
hits=$(grep -nE '(^|[^_a-zA-Z.>])(exit|abort|assert|printf|puts|system|popen|strcpy|strcat|sprintf|gets|atoi|atof)\(' \
       $(find src -name '*.[ch]') | grep -v '^\S*: *\*')
[ -z "$hits" ] || say "calls that have no place in a library: $hits"
hits=$(grep -n '#pragma omp\|omp\.h' $(find src -name '*.[ch]' ! -name team.c))
[ -z "$hits" ] || say "OpenMP outside base/team.c: $hits"
hits=$(grep -nE '(^|[^_a-zA-Z.>])(malloc|calloc|realloc|strdup)\(' $(find src -name '*.[ch]' ! -name memory.c) | grep -v '^\S*: *\*')
[ -z "$hits" ] || say "memory that passes by base/memory.c: $hits"
hits=$(grep -il 'opencl' -r src include --include='*.[ch]' --include='*.def' |
       grep -vE '^src/fpga/|^src/model/(computing_service|service_file)\.c$|^include/deephealth/computing_service\.h$')
[ -z "$hits" ] || say "files that name OpenCL, outside its room and the computing service: $hits"
if tracked=$(git ls-files 2>/dev/null); then
  hits=$(grep -v / <<<"$tracked" | grep -vxE '\.clang-format|\.editorconfig|\.gitattributes|\.gitignore|LICENSE|CMakeLists\.txt|CMakePresets\.json|[A-Z]+\.md')
  [ -z "$hits" ] || say "has no place in the root: $hits"
fi
[ $bad = 0 ] && echo "$(wc -w <<<"$files") files keep the rules"
exit $bad
