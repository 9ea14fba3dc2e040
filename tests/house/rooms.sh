#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each room may use only symbols of the rooms it is allowed. Input: lines "room allowed,rooms- dir:dir".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
while read -r room _ dirs; do
  tr ':' '\n' <<<"$dirs" | while read -r dir; do find "$dir" -name '*.o'; done >"$work/$room.objects"
  [ -s "$work/$room.objects" ] || { echo "no objects of room $room"; exit 1; }
  xargs nm -g --defined-only <"$work/$room.objects" | awk 'NF==3 {print $3}' | grep '^dh' | sort -u >"$work/$room.defined"
  xargs nm -g --undefined-only <"$work/$room.objects" | awk 'NF==2 {print $2}' | grep '^dh' | sort -u >"$work/$room.used"
done <"$1"
bad=0
while read -r room may _; do
  may=",${may%-},"
  for other in "$work"/*.defined; do
    name=$(basename "$other" .defined)
    [ "$name" = "$room" ] && continue
    case "$may" in *",$name,"*) continue ;; esac
    hits=$(comm -12 "$work/$room.used" "$other")
    [ -z "$hits" ] || { echo "room $room may not use room $name, but uses:" $hits; bad=1; }
  done
done <"$1"
[ $bad = 0 ] && echo "$(wc -l <"$1") rooms keep to their walls"
exit $bad
