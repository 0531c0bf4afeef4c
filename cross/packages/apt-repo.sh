#!/bin/bash
# apt-repo.sh REPO KEY DEB...: puts the packages into the apt repository in the folder REPO, which any web server can serve. What was
# there stays, so that an older version can be installed. Without a KEY ("") it is not signed, and apt takes it only as [trusted=yes].
set -euo pipefail
repo=$1 key=$2
shift 2

mkdir -p "$repo/pool/main/f/fieldgate"
cp "$@" "$repo/pool/main/f/fieldgate"
cd "$repo"
rm -rf dists
archs=
for arch in $(for deb in pool/main/f/fieldgate/*.deb; do dpkg-deb -f "$deb" Architecture; done | sort -u); do
	dir=dists/stable/main/binary-$arch
	mkdir -p "$dir"
	apt-ftparchive --arch "$arch" packages pool/main >"$dir/Packages"
	gzip -9nk "$dir/Packages"
	archs+=" $arch"
done
apt-ftparchive -o APT::FTPArchive::Release::Origin=fieldgate -o APT::FTPArchive::Release::Label=fieldgate \
	-o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Codename=stable \
	-o APT::FTPArchive::Release::Architectures="${archs# }" -o APT::FTPArchive::Release::Components=main release dists/stable >Release
mv Release dists/stable/Release
if [ -n "$key" ]; then
	gpg --batch --yes --quiet --local-user "$key" --clearsign --output dists/stable/InRelease dists/stable/Release
	gpg --batch --yes --quiet --local-user "$key" --armor --detach-sign --output dists/stable/Release.gpg dists/stable/Release
	gpg --batch --yes --quiet --armor --export "$key" >fieldgate.asc
else
	rm -f fieldgate.asc
	echo 'apt-repo: NOT SIGNED: no KEY was given'
fi
echo "apt-repo: $repo has $(ls pool/main/f/fieldgate | wc -l) packages for$archs"
