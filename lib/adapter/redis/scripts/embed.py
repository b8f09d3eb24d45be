#!/usr/bin/python3
"""Puts the scripts into a C file, each behind common.lua and with its SHA-1, by which EVALSHA calls it.

usage: embed.py OUTPUT COMMON SCRIPT...
"""

import hashlib
import sys
from pathlib import Path

output, common, scripts = Path(sys.argv[1]), Path(sys.argv[2]).read_text(), sys.argv[3:]


def literal(text):
    """One C string a line; a whole script in one would be longer than compilers must take."""
    lines = (line.replace("\\", "\\\\").replace('"', '\\"') for line in text.splitlines())
    return "\n".join(f'        "{line}\\n"' for line in lines)


def without_comments(text):
    """Without indentation too: a string of C may be 4,095 bytes long."""
    lines = (line.split(" -- ")[0].strip() for line in text.splitlines())
    return "".join(line + "\n" for line in lines if line and not line.startswith("--"))


parts = ['#include "adapter/redis/redis.h"\n\nconst struct shard__redis_script shard__redis_scripts[] = {']
for path in scripts:
    text = without_comments(common + Path(path).read_text())
    sha = hashlib.sha1(text.encode()).hexdigest()
    parts.append(f'    {{/* {Path(path).name} */\n        "{sha}",\n{literal(text)}}},')
parts.append("};\n")
output.write_text("\n".join(parts))
