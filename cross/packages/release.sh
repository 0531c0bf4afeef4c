#!/bin/bash
# release.sh DIR [KEY]: everything that a release needs, in DIR, from the tag of the last commit: packages, SBOMs, checksums, their
# signature if there is a key, and the release notes, which are the version's section of CHANGELOG.md.
set -euo pipefail
packages=$1 key=${2:-}

refuse() {
	echo "release: $1" >&2
	exit 1
}
tag=$(git describe --tags --exact-match 2>/dev/null) || refuse 'the last commit has no tag: git tag -s v1.2.3'
[[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[a-z]+\.[0-9]+)?$ ]] || refuse "$tag is not a version such as v1.2.3 or v1.2.3-rc.1"
[ -z "$(git status --porcelain)" ] || refuse 'the tree has changes: commit or remove them'
version=${tag#v}
notes=$(awk -v version="$version" '$1 == "##" {on = $2 == version; next} on' CHANGELOG.md)
[ -n "${notes//[[:space:]]/}" ] || refuse "CHANGELOG.md has no section ## $version"

make packages VERSION="$tag" PACKAGES="$packages"
cross/packages/reproduce.sh "$packages"
printf '# fieldgate %s\n%s\n' "$version" "$notes" >"$packages/RELEASE-NOTES.md"
if [ -n "$key" ]; then
	cross/packages/sign.sh "$key" "$packages/SHA256SUMS"
else
	echo 'release: NOT SIGNED: no KEY was given'
fi
echo "release: $tag is in $packages"
