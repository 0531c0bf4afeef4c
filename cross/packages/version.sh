#!/bin/bash
# version.sh DESCRIBE BUILT: the packages' version for what `git describe --tags --always --dirty` says and the time of the
# commit. A pre-release is below its release (1.2.0~rc.1), what follows a tag is above it, and a tree without tags is below all.
set -euo pipefail
describe=${1%-dirty} built=$2
dirty=${1#"$describe"}

if [[ $describe =~ ^v?([0-9]+(\.[0-9]+)+)(-([A-Za-z][A-Za-z0-9.]*))?(-([0-9]+)-g([0-9a-f]+))?$ ]]; then
	version=${BASH_REMATCH[1]}
	version+=${BASH_REMATCH[4]:+\~${BASH_REMATCH[4]}}
	version+=${BASH_REMATCH[6]:++${BASH_REMATCH[6]}.g${BASH_REMATCH[7]}}
elif [[ $describe =~ ^([0-9a-f]{7,40}|dev)$ ]]; then
	version=0~$(date -u -d "$built" +%Y%m%d.%H%M%S).$describe
else
	echo "version.sh: $describe is not a version: tag releases as v1.2.3 or v1.2.3-rc.1" >&2
	exit 1
fi
echo "$version${dirty:++dirty}"
