#!/bin/bash
# test_repo.sh LIFE ROOT...: makes apt repositories of LIFE/old.deb and LIFE/new.deb with a key of its own, and has each ROOT use them.
set -euo pipefail
life=$(realpath "$1")
shift

work=$(mktemp -d)
export GNUPGHOME=$work/gnupg
trap 'gpgconf --kill all; rm -rf "$work"' EXIT
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --passphrase '' --quick-gen-key 'test <test@fieldgate.example>' ed25519 sign 1d
mkdir "$work/payload"
cross/packages/apt-repo.sh "$work/payload/old" test@fieldgate.example "$life"/old/*.deb
cp -r "$work/payload/old" "$work/payload/both"
cross/packages/apt-repo.sh "$work/payload/both" test@fieldgate.example "$life"/new/*.deb
cp -r "$work/payload/both" "$work/payload/spoiled"
for list in "$work"/payload/spoiled/dists/stable/main/binary-*/Packages; do sed -i 's/^Depends: /Depends: evil, /' "$list"; gzip -9nkf "$list"; done
cross/packages/sign.sh test@fieldgate.example "$work/payload/both/fieldgate.asc"
cp cross/packages/repo_life.sh "$work/payload"
for root in "$@"; do
	begin=$SECONDS
	cross/packages/container.sh "$root" "$work/payload" bash /payload/repo_life.sh
	echo "test-apt-repo: $(basename "$root") in $((SECONDS - begin)) s"
done
