#!/usr/bin/python3
"""Two orchestrators on one run and one Redis server, stopped (SIGSTOP) and continued in turn for so many minutes.

Whoever holds the run is stopped until the other one, which stands by, has taken over; then it goes on, must find itself
fenced and end with 6. One that is stopped in the very moment of a start is made to go on by the other. Another one then
stands by. Each task writes a line to a ledger of its own when it begins and when
it ends: at the end every task has ended once, and no attempt began more than once.

usage: standby.py SHARDRUN [--minutes N] [--seed N] [--executor container|process]
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ledger import check

WIDTH, LEASE, DEADLINE = 4, 3, 300


def write_workflow(path, ledger, count, chance):
    line = f"printf '%s %s {{what}}\\n' $SHARD_TASK_ID $SHARD_ATTEMPT >> '{ledger}'"
    tasks = [{"name": f"t{i}", "after": [f"t{i - WIDTH}"] if i >= WIDTH else [], "cpu_millicores": 1,
              "payload": {"command": f"{line.format(what='begin')}; sleep {chance.uniform(0.1, 2):.2f}; "
                                     f"{line.format(what='end')}"}} for i in range(count)]
    path.write_text(json.dumps({"format": "libshard-workflow", "version": 1, "name": "standby", "tasks": tasks}))


def wait_for(condition, what):
    until = time.monotonic() + DEADLINE
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    assert condition(), f"{what} did not come in {DEADLINE} s"


class Orchestrator:
    """A shardrun, and what it has said."""

    def __init__(self, command, directory, number):
        self.out, self.err = directory / f"out.{number}", directory / f"err.{number}"
        self.process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=open(self.out, "w"),
                                        stderr=open(self.err, "w"))

    def stands_by(self):
        return "standing by" in self.err.read_text() or self.holds()

    def holds(self):
        return "run_started" in self.out.read_text()


def campaign(options, directory, socket):
    chance = random.Random(options.seed)
    ledger = directory / "ledger"
    ledger.touch()
    count = int(options.minutes * 60 * WIDTH * 0.9)
    write_workflow(directory / "w.json", ledger, count, chance)
    # The tasks sleep, so as many run at a time on any machine.
    (directory / "hosts.json").write_text(json.dumps({"hosts": [{"name": "one", "cpu_millicores": 1000 * WIDTH}]}))
    common = ["--store", f"redis+unix://{socket}", "--json"]
    begin = [options.shardrun, "run", "w.json", "--run", "r", "--hosts", "hosts.json", "--executor", options.executor,
             "--lease", str(LEASE), "--mount", ledger, "--no-report", *common]
    resume = [options.shardrun, "resume", "r", "--wait", *common]
    until = time.monotonic() + options.minutes * 60
    holder = Orchestrator(begin, directory, 0)
    everybody = [holder]
    wait_for(lambda: ledger.read_text() or holder.process.poll() is not None, "the first task")
    stops = 0
    try:
        while time.monotonic() < until:
            other = Orchestrator(resume, directory, len(everybody))
            everybody.append(other)
            wait_for(lambda: other.stands_by() or holder.process.poll() is not None, "a stand-by")
            time.sleep(chance.uniform(0, 2 * LEASE))  # when it is stopped is drawn
            if holder.process.poll() is not None:
                break
            holder.process.send_signal(signal.SIGSTOP)
            stops += 1
            wait_for(lambda: other.holds() or other.process.poll() is not None, "a take-over")
            holder.process.send_signal(signal.SIGCONT)
            code = holder.process.wait(timeout=DEADLINE)
            # It may have been stopped after its last word.
            assert code == 6 or (code == 0 and other.process.wait(timeout=DEADLINE) is not None), \
                f"the one that was stopped ended with {code}: {holder.err.read_text()[-500:]}"
            holder = other
        code = everybody[-1].process.wait(timeout=DEADLINE + options.minutes * 60)
        assert code == 0, f"the last one ended with {code}: {everybody[-1].err.read_text()[-500:]}"
    finally:
        for one in everybody:
            one.process.kill()
            one.process.wait()
    check(ledger, count)
    return count, stops


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("shardrun", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--executor", default="container")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="shardrun-standby-"))
    socket = directory / "redis.socket"
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", directory,
                               "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL)
    failed = False
    print("1..1")
    try:
        wait_for(socket.exists, "the server")
        count, stops = campaign(options, directory, socket)
        print(f"ok 1 - {options.executor}: {count} tasks, {stops} times stopped and continued, "
              f"seed {options.seed}")
    except (AssertionError, subprocess.TimeoutExpired) as error:
        failed = True
        print(f"# {error}\nnot ok 1 - {options.executor}, seed {options.seed}, kept in {directory}", flush=True)
    finally:
        server.kill()
        server.wait()
    if not failed:
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
