#!/usr/bin/python3
"""Kills shardrun with SIGKILL at random moments of a run and resumes until the run is done, again and again.

Each task writes a line to a ledger of its own when it begins and when it ends; shardrun has no hand in it. After each
run: every task has ended once (none lost, none completed twice), and no attempt began more than once (what ran when
shardrun was killed was adopted, not run again).

usage: kill.py SHARDRUN [--executor container|process] [--runs N] [--tasks N] [--seed N] [--kills N] [--splits]
"""

import argparse
import collections
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ledger import check

DEADLINE = 600  # of one run with all its kills


def write_workflow(path, ledger, count, chance):
    """Layers of tasks; each needs up to three of the layer before and takes a moment."""
    line = f"printf '%s %s {{what}}\\n' $SHARD_TASK_ID $SHARD_ATTEMPT >> '{ledger}'"
    tasks, width = [], max(1, count // 10)
    for i in range(count):
        before = range(max(0, i // width * width - width), i // width * width)
        inputs = [f"d{j}" for j in chance.sample(before, min(3, len(before)))]
        begin, end = (line.replace("{what}", what) for what in ("begin", "end"))
        command = f"{begin}; sleep 0.{chance.randrange(10):02d}; cat {{input}} </dev/null > {{output}}; {end}"
        tasks.append({"name": f"t{i}", "inputs": inputs, "outputs": [f"d{i}"], "payload": {"command": command}})
    path.write_text(json.dumps({"format": "libshard-workflow", "version": 1, "name": "killed", "tasks": tasks}))


# A command that shares: before each unit it looks for a limit, and tells what it has done and seen. What it made is a
# list of its units.
SHARING = """n=0; seen=0; i={begin}; : > {output}
while [ $i -lt {end} ]; do
  [ -f "${SHARD_LIMIT:-/none}" ] && seen=$(cat "$SHARD_LIMIT")
  echo "$n $seen" >> "${SHARD_PROGRESS:-/dev/null}"
  [ $seen -gt 0 ] && [ $n -ge $seen ] && break
  sleep 0.0%d; echo $i >> {output}; i=$((i+1)); n=$((n+1))
done
echo "$n $seen" >> "${SHARD_PROGRESS:-/dev/null}"
printf '%%s %%s end\\n' $SHARD_TASK $SHARD_ATTEMPT >> '%s'
"""
UNITS = 60


def write_divisible(path, ledger, count, chance):
    """Divisible tasks, some of which follow others; their merge step puts the lists of the parts together."""
    tasks = []
    for i in range(count):
        inputs = [f"d{chance.randrange(i)}"] if i > 4 else []
        command = SHARING % (chance.randrange(3, 10), ledger)
        tasks.append({"name": f"t{i}", "inputs": inputs, "outputs": [f"d{i}"], "units": UNITS, "has_merge": True,
                      "min_units": 2, "payload": {"command": command, "merge": "cat {parts} > {output}"}})
    path.write_text(json.dumps({"format": "libshard-workflow", "version": 1, "name": "shared", "tasks": tasks}))


def check_units(directory, ledger, count):
    """Each task has each of its units once, whoever did it."""
    for i in range(count):
        made = directory / "runs/r/work/common" / f"d{i}"
        units = collections.Counter(map(int, made.read_text().split()))
        lost = [unit for unit in range(UNITS) if units[unit] == 0]
        doubled = [unit for unit in range(UNITS) if units[unit] > 1]
        assert not lost, f"lost units of t{i}: {lost}"
        assert not doubled, f"units of t{i} that count twice: {doubled}"
        assert sum(units.values()) == UNITS, f"t{i} has units that it should not have"
    return sum(1 for line in ledger.read_text().splitlines() if line.endswith("end"))


def call(command, directory, chance, longest):
    """Starts shardrun and kills it after a random time, unless it ends before. Returns its exit code, None: killed."""
    with open(directory / "out", "ab") as out:
        process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            return process.wait(timeout=None if longest is None else chance.uniform(0.02, longest))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None


def run_once(options, directory, chance):
    ledger = directory / "ledger"
    ledger.touch()
    write = write_divisible if options.splits else write_workflow
    write(directory / "w.json", ledger, options.tasks, chance)
    common = ["--store", directory / "s.db", "--quiet", "--no-report"]
    run = [options.shardrun, "run", "w.json", "--run", "r", "--executor", options.executor, "--hosts", "4",
           "--mount", ledger, *common, *(["--policy", "restless"] if options.splits else [])]
    resume = [options.shardrun, "resume", "r", *common]
    until = time.monotonic() + DEADLINE
    code, killed = call(run, directory, chance, options.longest), 0
    while code != 0:
        assert code in (None, 2), f"exit code {code}"
        killed += code is None
        assert time.monotonic() < until, f"not done after {DEADLINE} s"
        if code == 2:  # killed before the run was in the store: begin again, as the message says
            shutil.rmtree(directory / "runs", ignore_errors=True)
            code = call(run, directory, chance, options.longest)
        else:
            code = call(resume, directory, chance, options.longest if killed < options.kills else None)
    return killed, check_units(directory, ledger, options.tasks) if options.splits else check(ledger, options.tasks)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("shardrun", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--executor", default="container")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--kills", type=int, default=1, help="in each run")
    parser.add_argument("--longest", type=float, default=15, help="seconds before a kill, at most")
    parser.add_argument("--splits", action="store_true", help="divisible tasks, moved, split and replicated at random")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = kills = 0
    print(f"1..{options.runs}")
    for number in range(1, options.runs + 1):
        # Each run has a seed of its own, so that one that failed can be had again with --runs 1.
        seed = options.seed + number - 1
        directory = Path(tempfile.mkdtemp(prefix="shardrun-kill-"))
        try:
            killed, attempts = run_once(options, directory, random.Random(seed))
            kills += killed
            print(f"ok {number} - {options.executor}: {options.tasks} tasks, {killed} kills, {attempts} attempts, "
                  f"seed {seed}", flush=True)
            shutil.rmtree(directory, ignore_errors=True)
        except AssertionError as error:
            failed += 1
            print(f"# {error}\nnot ok {number} - {options.executor}, seed {seed}, kept in {directory}", flush=True)
    print(f"# {kills} kills in {options.runs} runs: {failed} failed")
    sys.exit(1 if failed else 0)


main()
