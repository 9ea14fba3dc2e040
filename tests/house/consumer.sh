#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs to a new prefix, moves it (it must be relocatable), and builds and runs a program against it in
# four ways: CMake, pkg-config, plain cc, C++17.
set -euo pipefail
build=$1 here=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
lib=$(dirname "$(find "$work/prefix" -name libdeephealth.so)")
export LD_LIBRARY_PATH=$lib
[ -e "$(find "$work/prefix" -name libdeephealth.a)" ] || { echo "no static library installed"; exit 1; }

cat >"$work/CMakeLists.txt" <<CM
cmake_minimum_required(VERSION 3.16)
project(consumer C)
find_package(DeepHealth REQUIRED)
add_executable(consumer consumer.c)
target_link_libraries(consumer DeepHealth::deephealth)
CM
cp "$here"/consumer.c "$here"/consumer_cxx.cpp "$work"
cmake -S "$work" -B "$work/cm" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/cm" >/dev/null
"$work/cm/consumer" && echo "cmake: ok"

export PKG_CONFIG_PATH=$lib/pkgconfig
cc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror "$work/consumer.c" -o "$work/pc" \
   $(pkg-config --cflags --libs deephealth)
"$work/pc" && echo "pkg-config: ok"

cc -std=c11 "$work/consumer.c" -I"$work/prefix/include" -L"$lib" -ldeephealth -o "$work/plain"
"$work/plain" && echo "plain cc: ok"

if command -v c++ >/dev/null; then
  c++ -std=c++17 -Wall -Wextra -Werror "$work/consumer_cxx.cpp" -I"$work/prefix/include" -L"$lib" -ldeephealth \
      -o "$work/cxx"
  "$work/cxx" && echo "C++17: ok"
fi
