#!/bin/bash
# sign.sh KEY FILE...: a detached signature FILE.asc by gpg of each file. KEY is what gpg knows the key by, such as its fingerprint.
# gpg and not another tool: apt needs it for the repository, and every Debian can check it.
set -euo pipefail
key=$1
shift
for file in "$@"; do
	gpg --batch --yes --quiet --local-user "$key" --armor --detach-sign --output "$file.asc" "$file"
	gpg --batch --quiet --verify "$file.asc" "$file" 2>/dev/null || { echo "sign.sh: the signature of $file is not good" >&2; exit 1; }
	echo "signed $file"
done
