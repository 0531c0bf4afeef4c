#!/bin/bash
# reproduce.sh DIR: builds the packages of the last commit again, elsewhere and with an empty cache, and compares them with those in DIR.
set -euo pipefail
packages=$(realpath "$1")

[ -z "$(git status --porcelain)" ] || { echo 'reproduce.sh: the tree has changes: commit them first' >&2; exit 1; }
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
git clone --quiet . "$work/source"
begin=$SECONDS
GOCACHE=$work/cache make -C "$work/source" packages >"$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
diff "$packages/SHA256SUMS" "$work/source/dist/packages/SHA256SUMS" || { echo 'reproduce.sh: a second build differs' >&2; exit 1; }
echo "a second build, in $((SECONDS - begin)) s, has the same $(wc -l <"$packages/SHA256SUMS") files"
