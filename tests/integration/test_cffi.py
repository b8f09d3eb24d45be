#!/usr/bin/python3
"""Python's cffi reads the public headers as they are, after preprocessing, and calls the library.

usage: test_cffi.py INCLUDE_DIR LIBSHARD_SO VERSION (Debian's python3-cffi goes with /usr/bin/python3)
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cffi

# cffi knows the standard types by itself; system headers, full of compiler's extensions, are empty files here.
SYSTEM_HEADERS = ("stddef.h", "stdint.h")


def preprocess(include):
    with tempfile.TemporaryDirectory() as stubs:
        for name in SYSTEM_HEADERS:
            (Path(stubs) / name).touch()
        command = ["gcc", "-E", "-P", "-nostdinc", "-I", stubs, "-I", include, "-x", "c", "-"]
        result = subprocess.run(command, input="#include <shard/shard.h>\n", text=True, capture_output=True)
        if result.returncode != 0:
            sys.exit(f"not ok 1 - preprocessing: {result.stderr}")
        return result.stdout


def main():
    include, library, version = sys.argv[1:]
    text = preprocess(include)
    ffi = cffi.FFI()
    ffi.cdef(text)
    shard = ffi.dlopen(library)

    def report(number, passed, what):
        print(f"{'ok' if passed else 'not ok'} {number} - {what}")
        return passed

    print("1..3")
    results = [
        report(1, True, "cffi reads the headers"),
        report(2, ffi.string(shard.shard_version()).decode() == version, "the version is the one that was built"),
    ]
    error = ffi.new("struct shard_error *", {"struct_size": ffi.sizeof("struct shard_error")})
    results.append(report(3, shard.shard_error_copy(error) == 0, "a struct with struct_size goes through"))
    sys.exit(0 if all(results) else 1)


main()
