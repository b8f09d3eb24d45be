#!/usr/bin/python3
"""Stores that do not work: the run stops or does not begin, says why, and nothing is lost."""

import sqlite3

from cases import *


def run(place, *options, **more):
    place.workflow([task(f"t{i}", ["true"]) for i in range(3)])
    return place.call("run", "w.json", "--executor", "process", *options, **more)


def made_store(place):
    ended(run(place, "--run", "old", "-q"), 0)
    return place.path / ".shardrun/store.db"


@case
def a_file_that_is_no_database_is_left_alone(place):
    path = place.write("s.db", b"this is not a database, but it is precious\n" * 100)
    before = path.read_bytes()
    for command in (["status"], ["status", "r"], ["explain", "r", "t"]):
        ended(place.call(*command, "--store", "s.db"), 3, "s.db")
    ended(run(place, "--store", "s.db"), 3, "s.db")
    same(path.read_bytes(), before)


@case
def a_store_of_a_newer_version_is_refused(place):
    path = made_store(place)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 9999")
    ended(run(place, "--run", "r"), 3)
    ended(place.call("status"), 3)


@case
def a_truncated_store_is_refused(place):
    path = made_store(place)
    for extra in ("-wal", "-shm"):
        Path(str(path) + extra).unlink(missing_ok=True)
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2 // 4096 * 4096 + 100)
    ended(run(place, "--run", "r"), 3, "store.db")


@case
def a_store_that_cannot_be_made_is_an_error_of_the_environment(place):
    place.write("file", "")
    ended(run(place, "--store", "file/s.db"), 3, "file")
    ended(run(place, "--store", "/proc/s.db"), 3, "/proc")
    ended(place.call("status", "--store", "none.db"), 3, "none.db")
    ended(run(place, "--store", "ftp:x"), 2, "ftp")
    assert not (place.path / "none.db").exists(), "status made a store"


@case
def a_read_only_store_is_refused_for_a_run_and_good_for_status(place):
    if os.geteuid() == 0:
        raise Skip("root may write to read-only files")
    path = made_store(place)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    ended(run(place, "--run", "r"), 3, "store.db")
    path.parent.chmod(0o755)


@case
def a_store_on_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(place):
    (place.path / "disk").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "none", place.path / "disk"],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        raise Skip("a small disk cannot be mounted here")
    try:
        filler = place.path / "disk/filler"
        place.workflow([task("fill", f"head -c 100000000 /dev/zero > '{filler}'; sleep 0.5"),
                        *[task(f"t{i}", "exit 1", after=["fill"]) for i in range(40)]])
        options = ["--store", "disk/s.db", "--run", "r", "--executor", "process", "--json"]
        result = place.call("run", "w.json", *options, "--retries", "task_error=5")
        assert result.code in (3, 1), result
        filler.unlink(missing_ok=True)
        if result.code == 3:
            subprocess.run(["mount", "-o", "remount,size=100m", "none", place.path / "disk"], check=True)
            again = place.call("resume", "r", "--store", "disk/s.db", "--json", "--retries", "task_error=0")
            ended(again, 1)
            same(again.last["state"], "failed")
    finally:
        subprocess.run(["umount", "-l", place.path / "disk"], check=True)


@case
def two_runs_share_a_store(place):
    place.workflow([task(f"t{i}", "sleep 0.1") for i in range(10)])
    both = [place.start("run", "w.json", "--executor", "process", "--run", name, "--json") for name in ("a", "b")]
    for process in both:
        ended(place.finish(process), 0)
    same(sorted(o["run"] for o in place.call("status", "--json").objects), ["a", "b"])


main()
