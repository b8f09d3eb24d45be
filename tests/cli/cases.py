"""What the tests of shardrun share: a private directory for each case, shardrun as a user types it, and TAP.

A test file is called with the path of shardrun; its cases are functions marked @case whose names are sentences. Each
gets a Place: a directory of its own, made and removed around it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

CASES = []
REDIS_SERVER = os.environ.get("SHARD_TEST_REDIS_SERVER", "redis-server")
DEADLINE = 120  # of whatever is waited for; nothing is timed


class Skip(Exception):
    """This machine cannot do what the case needs."""


def case(function):
    CASES.append(function)
    return function


class Result:
    def __init__(self, process, stdout, stderr):
        self.code, self.out, self.err = process.returncode, stdout, stderr

    @property
    def objects(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def last(self):
        return self.objects[-1]

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out[-3000:]}\n--- stderr\n{self.err[-3000:]}"


class Place:
    def __init__(self, shardrun, directory):
        self.shardrun, self.path = shardrun, Path(directory)

    def start(self, *arguments, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                   "cwd": self.path, **options}
        return subprocess.Popen([self.shardrun, *map(str, arguments)], **options)

    def finish(self, process, text=None):
        try:
            out, err = process.communicate(input=text, timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end in {DEADLINE} s\n{Result(process, out, err)}") from None
        return Result(process, out, err)

    def call(self, *arguments, text=None, **options):
        if text is not None:
            options["stdin"] = subprocess.PIPE
        return self.finish(self.start(*arguments, **options), text)

    def write(self, name, content):
        path = self.path / name
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        return path

    def workflow(self, tasks, name="w.json", **more):
        return self.write(name, json.dumps({"format": "libshard-workflow", "version": 1, "name": "w", "tasks": tasks,
                                            **more}))

    def run_directory(self, run):
        return self.path / ".shardrun" / "runs" / run

    def output(self, run, name, volume="common"):
        return (self.run_directory(run) / "work" / volume / name).read_text()

    def wait_for(self, condition, what="the condition"):
        until = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < until, f"{what} did not come in {DEADLINE} s"
            time.sleep(0.01)

    def wait_for_file(self, path):
        self.wait_for(lambda: Path(path).exists(), path)


def task(name, command, **more):
    payload = {"command": command, **more.pop("payload", {})}
    return {"name": name, "payload": payload, **more}


def same(got, wanted, about=""):
    assert got == wanted, f"got {got!r}, wanted {wanted!r} {about}"


def ended(result, code, *texts):
    """The exit code, and what stderr says; nothing of an unexpected kind."""
    assert result.code == code, f"wanted exit code {code}: {result}"
    for text in texts:
        assert text in result.err, f"wanted {text!r} on stderr: {result}"


def containers_work(shardrun):
    with tempfile.TemporaryDirectory() as directory:
        place = Place(shardrun, directory)
        place.workflow([task("t", ["true"])])
        return place.call("run", "w.json", "--store", "memory:", "-q").code == 0


SICK = '[ "$SHARD_HOST" != host-3 ]'


def sick_run(place, *options):
    """Run "one", on four hosts of which one is sick; its store has enough attempts to learn from."""
    place.workflow([dict(task(f"t{i}", SICK), kind=("align", "sort", "merge")[i % 3]) for i in range(300)])
    ended(place.call("run", "w.json", "--executor", "process", "--hosts", "4", "--policy", "round_robin", "--retries",
                     "task_error=100", "--run", "one", "--no-report", "--json", *options), 0)


def learned_at(place):
    path = place.path / ".shardrun" / "learned.model"
    return path.stat().st_mtime_ns if path.exists() else 0


def learning_run(place, *options):
    """Run "two", after that: it trains while its tasks run, and uses what it has learned."""
    place.workflow([task("wait", f"until [ -e {place.path}/done ]; do sleep 0.05; done"),
                    *[dict(task(f"t{i}", SICK), kind="align") for i in range(20)]])
    process = place.start("run", "w.json", "--executor", "process", "--hosts", "4", "--policy", "round_robin",
                          "--retries", "task_error=100", "--run", "two", "--no-report", "--json", *options)
    place.wait_for(lambda: learned_at(place) > 0, "a model")
    place.write("done", "")
    ended(place.finish(process), 0)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def remove(directory):
    # A case that failed may leave commands that still write; they end by themselves.
    for _ in range(50):
        shutil.rmtree(directory, ignore_errors=True)
        if not Path(directory).exists():
            return
        time.sleep(0.1)


def main():
    shardrun = str(Path(sys.argv[1]).resolve())
    wanted = sys.argv[2:]
    cases = [c for c in CASES if not wanted or c.__name__ in wanted]
    failed = 0
    print(f"1..{len(cases)}")
    for number, function in enumerate(cases, 1):
        directory = tempfile.mkdtemp(prefix="shardrun-")
        verdict, why = "ok", ""
        try:
            function(Place(shardrun, directory))
        except Skip as skip:
            why = f" # SKIP {skip}"
        except Exception:
            verdict, failed = "not ok", failed + 1
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
        finally:
            remove(directory)
        print(f"{verdict} {number} - {function.__name__.replace('_', ' ')}{why}", flush=True)
    sys.exit(1 if failed else 0)


__all__ = ["DEADLINE", "Path", "Place", "REDIS_SERVER", "SICK", "Skip", "case", "containers_work", "ended", "is_alive",
           "json", "learned_at", "learning_run", "main", "os", "same", "sick_run", "signal", "subprocess", "sys", "task",
           "tempfile", "time"]
