#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What operators ask a store afterwards: history and log; and doctor. usage: test_history.py SHARDRUN"""

import os
import sqlite3

from cases import *

BEGIN = 1_700_000_000


def made_store(place):
    """A run of two tasks, and a history of four minutes that is put in beside what the run has measured itself."""
    place.workflow([task("one", ["true"], kind="blast"), task("two", ["sh", "-c", "exit 3"], kind="blast")])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "-q", "-k", "--retries", "task_error=0"), 1)
    with sqlite3.connect(place.path / ".shardrun/store.db") as db:
        for table in ("samples", "sample_hosts", "spans", "outcomes"):
            db.execute(f"DELETE FROM {table}")
        db.execute("INSERT INTO sample_hosts VALUES(7, 'n1', 240, 0), (8, 'blast', 1, 0)")
        for i in range(240):
            db.execute("INSERT INTO samples(host, time_ns, cpu_share, memory_share) VALUES(7, ?, ?, 0.25)",
                       ((BEGIN + i) * 10**9, i / 240))
        db.execute("INSERT INTO samples(host, time_ns, cpu_share, memory_share) VALUES(8, ?, 1, 1)", (BEGIN * 10**9,))
        db.execute("INSERT INTO spans VALUES('r', 0, 1, 7, ?, ?)", ((BEGIN + 60) * 10**9, (BEGIN + 119) * 10**9))
        for i in range(8):
            db.execute("INSERT INTO outcomes(run, host, kind, task, attempt, outcome, start_ns, end_ns, seconds, p_fail,"
                       " schema_hash, row) VALUES('r', 'n1', 'blast', ?, 1, ?, 0, ?, ?, NULL, 0, x'00000000')",
                       (i % 2, 1 if i else 2, (BEGIN + 30 * i) * 10**9, 10 + i))
    db.close()


def history(place, *arguments):
    result = place.call("history", "--json", *arguments)
    ended(result, 0)
    return result.objects


@case
def a_host_is_shown_in_steps(place):
    made_store(place)
    steps = history(place, "n1", "--every", "1m")
    same([(step["from"] - steps[0]["from"], step["cpu_share"]["count"]) for step in steps][1:3], [(60, 60), (120, 60)])
    same(sum(step["cpu_share"]["count"] for step in steps), 240)
    same(round(max(step["cpu_share"]["max"] for step in steps), 9), round(239 / 240, 9))
    same(sum(step["censored"]["count"] for step in steps if "censored" in step), 8)
    steps = history(place, "n1", "--from", f"@{BEGIN + 60}", "--to", f"@{BEGIN + 120}", "--every", "30")
    same([step["memory_share"] for step in steps], [{"count": 30, "mean": 0.25, "min": 0.25, "max": 0.25}] * 2)
    assert 10 <= len(history(place, "n1")) <= 25, "the width is chosen for some twenty steps"
    text = place.call("history", "n1")
    ended(text, 0)
    for word in ("host 'n1': 240 samples, 8 attempts", "cpu", "memory", "25.0%", "█", "0.0% to 99.6%"):
        assert word in text.out, f"wanted {word!r}: {text}"


@case
def a_kind_and_a_task_are_shown_too(place):
    made_store(place)
    ended(place.call("history", "blast"), 2, "several things", "--of=host")
    steps = history(place, "blast", "--of", "kind", "--every", "1d")
    same(sum(step["failed"]["count"] for step in steps), 8)
    same(max(step["failed"]["max"] for step in steps), 1)
    steps = history(place, "one", "--every", "1d")
    same(sum(step["cpu_share"]["count"] for step in steps if "cpu_share" in step), 60)
    same(sum(step["failed"]["count"] for step in steps), 4)
    same(history(place, "one", "--run", "r", "--every", "1d"), steps)


@case
def bad_questions_are_refused(place):
    made_store(place)
    for arguments, text in (([], "NAME"), (["n1", "n2"], "one NAME"), (["nobody"], "nothing is kept of"),
                            (["n1", "--from", "yesterday"], "--from: 'yesterday' is no time"),
                            (["n1", "--to", "@-1"], "--to: '@-1' is no time"),
                            (["n1", "--from", "25:99"], "is no time"), (["n1", "--every", "0"], "--every"),
                            (["n1", "--every", "5x"], "--every"), (["n1", "--every", "-5"], "--every"),
                            (["n1", "--from", "@9", "--to", "@8"], "--to is not after --from"),
                            (["n1", "--of", "node"], "none of host, kind and task"),
                            (["n1", "--of", "host", "--run", "r"], "--run is for a task"),
                            (["one", "--run", "x"], "no run 'x'"), (["n1", "--store", "memory:"], "in memory"),
                            (["n1", "--to", "@1000"], "in that time"), (["a\nb"], "name")):
        ended(place.call("history", *arguments), 2, text)
    ended(place.call("history", "n1", "--store", "nowhere.db"), 3, "nowhere.db")
    place.write("bad.db", b"no database" * 1000)
    for command in (["history", "n1"], ["log", "one"]):
        ended(place.call(*command, "--store", "bad.db"), 3, "bad.db")


@case
def a_run_measures_its_host_and_its_tasks(place):
    place.workflow([task("one", ["sh", "-c", "until [ -e go ]; do sleep 0.05; done"])])
    go = ["run", "w.json", "--executor", "process", "--run", "r", "--json", "--monitor-interval", "50"]
    process = place.start(*go)

    def count(name):
        with sqlite3.connect(place.path / ".shardrun/store.db") as db:
            return db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]

    place.wait_for_file(place.path / ".shardrun/store.db")
    place.wait_for(lambda: list(place.path.glob(".shardrun/runs/r/work/common/.out/0.1")))
    place.wait_for(lambda: count("spans") > 0, "a sample that is tagged")
    list(place.path.glob(".shardrun/runs/r/work/common/.out/0.1"))[0].joinpath("go").touch()
    ended(place.finish(process), 0)
    steps = history(place, "one", "--every", "1d")
    assert sum(step["cpu_share"]["count"] for step in steps if "cpu_share" in step) >= 1, steps
    same(sum(step["seconds"]["count"] for step in steps if "seconds" in step), 1)
    text = place.call("log", "one")
    ended(text, 0)
    assert "measured on its hosts meanwhile" in text.out, text


@case
def log_tells_a_task_over_all_runs(place):
    made_store(place)
    place.workflow([task("one", ["true"]), task("other", ["true"])])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "s", "-q"), 0)
    result = place.call("log", "two")
    ended(result, 0)
    for text in ("run r\n", "two: ", "exit code 3", "now failed"):
        assert text in result.out, result
    assert "run s" not in result.out, result
    records = place.call("log", "one", "--json").objects
    same(sorted({record["run"] for record in records}), ["r", "s"])
    same([record["to"] for record in records if record["run"] == "s"][-1], "done")
    assert [r["time"] for r in records] == sorted(r["time"] for r in records)
    same({record["run"] for record in place.call("log", "one", "--run", "s", "--json").objects}, {"s"})
    ended(place.call("log", "nobody"), 2, "no run has a task 'nobody'")
    ended(place.call("log", "two", "--run", "s"), 2, "no run 's' has a task 'two'")
    ended(place.call("log", "two", "--run", "x"), 2, "no run 'x'")
    ended(place.call("log"), 2, "TASK")
    ended(place.call("log", "a", "b"), 2, "one TASK")


@case
def compact_drops_old_records_and_the_run_stays_what_it_was(place):
    place.workflow([task(f"t{i}", ["true"]) for i in range(30)])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "-q"), 0)
    before = place.call("status", "r", "--json").last
    first = place.call("log", "t0", "--json").objects
    with sqlite3.connect(place.path / ".shardrun/store.db") as db:
        db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
                   " INSERT INTO outcomes(run, host, kind, task, attempt, outcome, start_ns, end_ns, schema_hash, row)"
                   " SELECT 'old', 'n1', 'k', i, 1, 1, i, i, 0, x'00000000' FROM n")
    db.close()
    done = place.call("compact", "--keep-records", "10", "--json")
    ended(done, 0)
    same((done.last["runs"], done.last["partial"]), (1, False))
    same(done.last["outcomes"], 5000)
    assert done.last["records"] > 50 and done.last["bytes_after"] < done.last["bytes_before"], done
    same(place.call("status", "r", "--json").last, before)
    with sqlite3.connect(place.path / ".shardrun/store.db") as db:
        same(db.execute("SELECT count(*) FROM records").fetchone()[0], 10)
    db.close()
    assert len(place.call("log", "t0", "--json").objects) < len(first)
    ended(place.call("explain", "r", "t0"), 0)
    ended(place.call("report", "r"), 0)
    same(place.call("compact", "--json").last["records"], 0)
    assert "dropped 0 records of 1 runs" in place.call("compact").out
    for arguments, text in ((["--keep-records", "0"], "--keep-records"), (["--keep-records", "x"], "--keep-records"), (["r"], "no arguments"),
                            (["--store", "memory:"], "in memory")):
        ended(place.call("compact", *arguments), 2, text)
    place.write("bad.db", b"no database" * 1000)
    ended(place.call("compact", "--store", "bad.db"), 3, "bad.db")


@case
def what_a_store_keeps_of_history_is_bounded_by_options(place):
    place.workflow([task(f"t{i}", ["true"]) for i in range(30)])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "-q", "--keep-outcomes", "12",
                     "--keep-sample-days", "60"), 0)
    same(json.loads((place.run_directory("r") / "options.json").read_text())["keep"],
         {"samples": 0, "sample_days": 60, "outcomes": 12, "outcome_days": 0, "records": 0})

    def count(name):
        with sqlite3.connect(place.path / ".shardrun/store.db") as db:
            return db.execute(f"SELECT count(*) FROM {name} WHERE host = 7").fetchone()[0]

    with sqlite3.connect(place.path / ".shardrun/store.db") as db:
        assert db.execute("SELECT count(*) FROM outcomes").fetchone()[0] < 30
        db.execute("INSERT INTO sample_hosts VALUES(7, 'n1', 1, 0)")
        db.execute("INSERT INTO samples(host, time_ns, cpu_share) VALUES(7, ?, 1)", (int(time.time() - 40 * 86400) * 10**9,))
    db.close()
    ended(place.call("compact", "--keep-sample-days", "60"), 0)
    same(count("samples"), 1)
    ended(place.call("compact"), 0)
    same(count("samples"), 0)
    for option in ("--keep-samples", "--keep-sample-days", "--keep-outcomes", "--keep-outcome-days", "--keep-records"):
        ended(place.call("compact", option, "0"), 2, f"{option} wants a whole number")
    ended(place.call("run", "w.json", "--keep-outcom-days", "5"), 2, "--keep-outcome-days")


def findings(result):
    return {object["check"]: object for object in result.objects}


@case
def doctor_looks_at_everything_and_changes_nothing(place):
    result = place.call("doctor", "--json", "--executor", "process")
    assert result.code in (0, 3), result
    found = findings(result)
    same(sorted(found), ["cgroups", "clock", "disk", "store"])
    same(found["store"]["state"], "ok")
    same(list(place.path.iterdir()), [])
    assert "runtime" in findings(place.call("doctor", "--json"))
    text = place.call("doctor").out
    for line in text.splitlines():
        assert line.split()[0] in ("ok", "warning", "failed", "fix:"), text


@case
def doctor_says_what_is_wrong_and_what_to_do(place):
    place.write("bad.db", b"no database" * 1000)
    result = place.call("doctor", "--json", "--executor", "process", "--store", "bad.db")
    same(result.code, 3, result)
    same(findings(result)["store"]["state"], "failed")
    assert "bad.db" in findings(result)["store"]["found"] and findings(result)["store"]["fix"], result
    result = place.call("doctor", "--json", "--runtime", "/nowhere/crun")
    same(result.code, 3, result)
    same(findings(result)["runtime"]["state"], "failed")
    result = place.call("doctor", "--json", "--executor", "process", "--store", "redis+unix:///nowhere/redis.sock")
    same(result.code, 3, result)
    assert "/nowhere/redis.sock" in findings(result)["store"]["found"], result
    ended(place.call("doctor", "x"), 2, "no arguments")
    ended(place.call("doctor", "--executor", "vm"), 2, "neither container nor process")
    ended(place.call("doctor", "--store", "http://x"), 2)


main()
