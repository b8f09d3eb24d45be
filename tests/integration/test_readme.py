#!/usr/bin/python3
"""The C code in README.md compiles without a warning; what has a main() also runs and ends well.

usage: test_readme.py README INCLUDE_DIR LIBRARY_DIR
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

WARNINGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def passes(command):
    result = subprocess.run(command, text=True, capture_output=True, timeout=60)
    print(result.stdout, result.stderr, sep="", file=sys.stderr)
    return result.returncode == 0


def try_block(code, include, library, work):
    source, program = work / "program.c", work / "program"
    source.write_text(code)
    compiler = ["gcc", *WARNINGS, "-I", include, str(source)]
    if not re.search(r"\bmain\(", code):
        return passes([*compiler, "-fsyntax-only"])
    linked = passes([*compiler, "-o", str(program), f"-L{library}", "-lshard", f"-Wl,-rpath,{library}"])
    return linked and passes([str(program)])


def main():
    readme, include, library = sys.argv[1:]
    blocks = re.findall(r"^```c\n(.*?)^```", Path(readme).read_text(), re.S | re.M)
    print(f"1..{len(blocks) + 1}")
    print(f"{'ok' if blocks else 'not ok'} 1 - there is C code in it")
    failed = not blocks
    for number, code in enumerate(blocks, 2):
        with tempfile.TemporaryDirectory() as work:
            passed = try_block(code, include, library, Path(work))
        first = code.strip().split("\n")[0]
        print(f"{'ok' if passed else 'not ok'} {number} - the block that begins with: {first.replace('#', '')}")
        failed |= not passed
    sys.exit(1 if failed else 0)


main()
