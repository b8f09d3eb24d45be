#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the scenarios that come with the project as a C file: shardrun knows them by name wherever it is installed.

usage: scenarios.py OUTPUT FILE...
"""

import json
import sys
from pathlib import Path

output, *files = sys.argv[1:]
lines = ['#include "scenarios.h"', "", "const struct scenario_text scenario_texts[] = {"]
for name in sorted(files):
    text = Path(name).read_text(encoding="utf-8")
    quoted = "\n        ".join(json.dumps(line + "\n") for line in text.splitlines())
    lines.append(f"    {{{json.dumps(Path(name).stem)},\n        {quoted}}},")
lines += ["    {0},", "};", ""]
Path(output).write_text("\n".join(lines), encoding="utf-8")
