#!/usr/bin/python3
"""shardrun(1) and the help texts know the same commands and options, and the page's examples are right.

usage: test_manual_page.py SHARDRUN MAN_DIRECTORY"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

shardrun, man = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
page = (man / "shardrun.1").read_text()
results = []


def output(*command, **options):
    return subprocess.run([str(c) for c in command], text=True, capture_output=True, timeout=120, **options)


def check(name, problems):
    results.append(not problems)
    for problem in problems:
        print("#", problem)
    print(f"{'not ok' if problems else 'ok'} {len(results)} - {name}")


def help_options(command):
    """Long and short options at the beginning of the lines of a command's help."""
    text = output(shardrun, command, "--help").stdout
    found = set()
    for match in re.finditer(r"^ +(?:-(\S), +)?--([a-z-]+)", text, re.M):
        found.add("--" + match[2])
        if match[1]:
            found.add("-" + match[1])
    return found - {"--help", "--usage", "-?"}


def page_options():
    """Options that the page lists: those in tags of its lists."""
    found = set()
    for line in page.splitlines():
        if line.startswith(".It ") and " Fl " in line and "Ic" not in line:
            found |= {"-" + name for name in re.findall(r"Fl (-?[A-Za-z-]+)", line)}
    return found


help_text = output(shardrun, "--help").stdout
commands = re.findall(r"^  ([a-z]+) ", help_text.split("commands:")[1].split("\n\n")[0], re.M)
described = set(re.findall(r"^\.It Ic ([a-z]+)", page, re.M))
check("the page describes each command", sorted(set(commands) ^ described))

in_help = {option: command for command in commands for option in help_options(command)}
check("the page lists each option of the help", [f"{c} {o}" for o, c in in_help.items() if o not in page_options()])
check("the help has each option of the page", sorted(page_options() - set(in_help)))

codes = {int(code) for code in re.findall(r"\b([0-9]) [a-z]", help_text.split("exit codes:")[1])}
listed = {int(code) for code in re.findall(r"^\.It ([0-9])$", page.split(".Sh EXIT STATUS")[1], re.M)}
check("the page lists the exit codes of the help", sorted(codes ^ listed))

with tempfile.TemporaryDirectory() as directory:
    example = re.search(r"^\.Bd.*?\n(.*?)^\.Ed", (man / "shard-workflow.5").read_text(), re.S | re.M)[1]
    Path(directory, "w.json").write_text(example)
    ran = output(shardrun, "run", "w.json", "--executor", "process", "--run", "x", "-q", cwd=directory)
    made = Path(directory, ".shardrun/runs/x/work/common/squares.txt")
    lines = made.read_text().split() if made.exists() else []
    wanted = [str(i * i) for i in range(1000)]
    check("the example of shard-workflow(5) works", [] if lines == wanted else [ran.stderr, f"{len(lines)} lines"])

    example = re.search(r"^\.Bd.*?\n(.*?)^\.Ed", (man / "shardrun-hosts.5").read_text(), re.S | re.M)[1]
    Path(directory, "hosts.json").write_text(example)
    ran = output(shardrun, "run", "w.json", "--executor", "process", "--hosts", "hosts.json", "--run", "y", "--json",
                 "--no-report", cwd=directory)
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    hosts = [event["hosts"] for event in events if event["event"] == "run_started"]
    check("the example of shardrun-hosts(5) works", [] if (ran.returncode, hosts) == (0, [2]) else [ran.stderr])

    events_section = page.split(".Sh JSON EVENTS")[1].split(".Sh ENVIRONMENT")[0]
    words = set(re.findall(r"[a-z_]+", events_section))
    unknown = {event["event"] for event in events} - words
    unknown |= {key for event in events for key in event if key != "event"} - words
    check("the page knows each event and key that a run prints", sorted(unknown))

print(f"1..{len(results)}")
sys.exit(0 if all(results) else 1)
