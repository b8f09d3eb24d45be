#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is durable before a task is done: the order of syncs and renames, as a preloaded library tells it.

usage: test_durable.py SHARDRUN, with the path of the library in $SYNC_LIBRARY"""

import os

from cases import case, ended, main, task


def order_of(place, *arguments):
    log = place.path / "sync.log"
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "-q", *arguments,
                     env={**os.environ, "LD_PRELOAD": os.environ["SYNC_LIBRARY"], "SYNC_LOG": str(log)}), 0)
    return log.read_text().splitlines()


def index(lines, text, after=-1):
    for number in range(after + 1, len(lines)):
        if lines[number].rstrip().endswith(text):
            return number
    raise AssertionError(f"no line ends with {text!r} after line {after}:\n" + "\n".join(lines))


@case
def outputs_are_durable_before_the_record_that_their_task_is_done(place):
    place.workflow([task("t", ["sh", "-c", "mkdir d; echo 1 > d/inner; echo 2 > x"], outputs=["x", "d"])])
    lines = order_of(place)
    volume = "runs/r/work/common"
    moved = [index(lines, f"/{volume}/.out/0.1/{name} {place.path}/.shardrun/{volume}/{name}") for name in ("x", "d")]
    for name in ("x", "d/inner", "d"):
        assert index(lines, f"sync {place.path}/.shardrun/{volume}/.out/0.1/{name}") < min(moved), name
    placed = index(lines, f"sync {place.path}/.shardrun/{volume}", after=max(moved))
    index(lines, ".db-wal", after=placed)


main()
