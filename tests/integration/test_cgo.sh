#!/bin/sh
# Builds and runs the cgo program against the public headers and the library of this build, without a network.
# usage: test_cgo.sh INCLUDE_DIR LIBRARY_DIR VERSION
set -eu

include=$1 library=$2 version=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export CGO_ENABLED=1 GOPROXY=off GO111MODULE=off
export GOPATH="$work/go" GOCACHE="${GOCACHE:-$work/cache}" HOME="${HOME:-$work}"
export CGO_CFLAGS="-I$include -Wall -Werror" CGO_LDFLAGS="-L$library -lshard -Wl,-rpath,$library"

go build -o "$work/program" "$here/cgo/main.go" >&2
"$work/program" "$version"
