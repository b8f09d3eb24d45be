"""Writes shard-lifecycle.7 from the table of transitions that the library itself runs on.

usage: lifecycle.py LIFECYCLE_DEF RECORD_H CHANGELOG VERSION OUTPUT

The table has lines SHARD_TRANSITION(FROM, TO, CAUSE, "text"); record.h says in its enum what each state means.
"""

import re
import sys
from pathlib import Path

import mdoc

TRANSITION = re.compile(r'^\s*SHARD_TRANSITION\(\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', re.M)
STATE = re.compile(r"SHARD_TASK_(\w+) = \d+,?\s*/\*\s*(.*?)\s*\*/", re.S)


def sentence(text):
    return text[:1].upper() + text[1:].rstrip(".") + "."


def read_table(path):
    table = []
    for source, target, cause, text in TRANSITION.findall(path.read_text()):
        table.append((source, target, cause, "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))))
    if not table:
        sys.exit(f"{path}: no SHARD_TRANSITION(FROM, TO, CAUSE, \"text\") lines")
    return table


def page(table, meanings, date, version):
    lines = ['.\\" Written by man/lifecycle.py from lib/run/lifecycle.def; change it there.']
    lines += mdoc.heading("shard-lifecycle", 7, date, version)
    lines += [".Sh NAME", ".Nm shard-lifecycle", ".Nd states of a task and what leads from one to the next"]
    lines += [".Sh DESCRIPTION"]
    lines += mdoc.prose(
        "Each task of a run is in one of the states below. A transition that is not listed does not happen: the "
        "library refuses it, whoever asks. Each one is a record in the store, and is durable before what it allows "
        "is done.")
    for state in dict.fromkeys(name for row in table for name in row[:2]):
        lines.append(f".Ss {state}")
        if state in meanings:
            lines += mdoc.prose(sentence(re.sub(r"\s+", " ", meanings[state])))
        leaving = [row for row in table if row[0] == state]
        if not leaving:
            lines += mdoc.prose("Nothing leads out of it.")
            continue
        lines.append(".Bl -tag -width Ds")
        for _, target, cause, text in leaving:
            lines += [f".It to {target} , on {cause}", *mdoc.prose(sentence(text))]
        lines.append(".El")
    lines += [".Sh SEE ALSO", ".Xr shard 7"]
    return "\n".join(lines) + "\n"


def main():
    table_path, record_h, changelog, version, output = sys.argv[1:]
    meanings = dict(STATE.findall(Path(record_h).read_text()))
    text = page(read_table(Path(table_path)), meanings, mdoc.date_of(changelog), version)
    Path(output).write_text(text)


main()
