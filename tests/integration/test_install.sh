#!/bin/sh
# Installs below a temporary DESTDIR and uses what is there as an embedder would: pkg-config, shared and static.
# usage: test_install.sh BUILD_DIR PREFIX VERSION
set -eu

build=$1 prefix=$2 version=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root$prefix

DESTDIR=$work/root meson install --no-rebuild --quiet -C "$build" >&2
pc=$(find "$root" -name libshard.pc)
library=$(dirname "$(dirname "$pc")")

ask() {
    PKG_CONFIG_PATH="$(dirname "$pc")" pkg-config --define-variable=prefix="$root" "$@" libshard
}

cat >"$work/program.c" <<'END'
#include <shard/shard.h>
#include <stdio.h>

int main(void)
{
    return puts(shard_version()) < 0;
}
END

number=0 failed=0
report() {
    number=$((number + 1))
    if [ "$1" = "$2" ]; then
        echo "ok $number - $3"
    else
        echo "not ok $number - $3: '$1' is not '$2'"
        failed=1
    fi
}

echo "1..4"
report "$(ask --modversion)" "$version" "pkg-config knows the version"

# shellcheck disable=SC2046 # flags are words
gcc "$work/program.c" -o "$work/shared" $(ask --cflags --libs) -Wl,-rpath,"$library" >&2 || true
report "$("$work/shared")" "$version" "a program links with the shared library"

# shellcheck disable=SC2046 # flags are words
gcc "$work/program.c" -o "$work/static" $(ask --cflags) "$library/libshard.a" \
    $(ask --static --libs-only-l | sed 's/-lshard//') >&2 || true
report "$("$work/static")" "$version" "a program links with the static library"

report "$(find "$root" -name 'shard_version.3*' | wc -l)" 1 "the manual is installed"
exit "$failed"
