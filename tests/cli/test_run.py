#!/usr/bin/python3
"""Running workflows as plain processes: what commands get, what scripts can rely on, what is refused."""

from cases import *

HOST = {"name": "h", "cpu_millicores": 1000, "memory_bytes": 1 << 30}


def run(place, *options, file="w.json", **more):
    return place.call("run", file, "--executor", "process", "--run", "r", *options, **more)


@case
def the_last_object_of_a_run_says_how_it_ended(place):
    place.workflow([task("a", ["true"], outputs=[]), task("b", "echo b > {output}", after=["a"], outputs=["y"])])
    result = run(place, "--json", "--hosts", "2")
    ended(result, 0)
    last = result.last
    same({k: last[k] for k in ("event", "state", "tasks", "done", "failed", "attempts", "run", "store")},
         {"event": "run_finished", "state": "done", "tasks": 2, "done": 2, "failed": 0, "attempts": 2, "run": "r",
          "store": ".shardrun/store.db"})
    assert last["makespan_seconds"] >= 0, last
    ends = [o for o in result.objects if o["event"] == "attempt_ended"]
    same(sorted(o["task"] for o in ends), ["a", "b"])
    for end in ends:
        assert end["host"] in ("host-1", "host-2") and end["outcome"] == "done" and end["seconds"] >= 0, end


@case
def placeholders_name_the_files_of_the_task(place):
    place.write("in one.txt", "1\n")
    place.write("two.txt", "2\n")
    place.workflow([
        task("cat", ["/bin/sh", "-c", 'cat "$1" "$2" > "$3"; echo $4 >> "$3"', "sh", "{input}", "{output}",
                     "{task}/{attempt}"], inputs=["in one.txt", "two.txt"], outputs=["a b's"]),
        task("shell", "cat {input:a b's} | sed 's/^1$/x/; s/^2$/y/' > {output}; echo {{x} ${SHARD_TASK} >> {output:z}",
             inputs=["a b's"], outputs=["z"])])
    ended(run(place), 0)
    same(place.output("r", "z"), "x\ny\ncat/1\n{x} shell\n")


@case
def a_split_task_gets_ranges_and_its_merge_gets_the_parts(place):
    place.workflow([task("count", "echo {index}/{count} {begin}-{end} > {output}", units=10, parts=3, has_merge=True,
                         outputs=["n"], payload={"merge": ["sh", "-c", 'cat "$@" > "$0"', "{output}", "{parts:n}"]})])
    ended(run(place, "--hosts", "2"), 0)
    lines = place.output("r", "n").splitlines()
    same([line.split()[0] for line in lines], ["0/3", "1/3", "2/3"])
    ranges = [tuple(map(int, line.split()[1].split("-"))) for line in lines]
    same((ranges[0][0], ranges[0][1], ranges[2][1]), (0, ranges[1][0], 10))


@case
def names_of_data_never_leave_their_directory(place):
    place.workflow([task("a", "echo a > {output:../../evil}; echo b > {output:/tmp/x}; echo c > {output:.out}",
                         outputs=["../../evil", "/tmp/x", ".out"]),
                    task("b", ["cmp", "{input:../../evil}", "{input:/tmp/x}"], inputs=["../../evil", "/tmp/x"])])
    ended(run(place, "--retries", "task_error=0"), 1)
    same(sorted(p.name for p in (place.run_directory("r") / "work" / "common").iterdir()),
         sorted(["%2E.%2F..%2Fevil", "%2Ftmp%2Fx", "%2Eout", ".out"]))
    ended(run(place, "--run", "../../escape", "-q", "--retries", "task_error=0"), 1)
    assert (place.path / ".shardrun/runs/%2E.%2F..%2Fescape").is_dir(), "the run's directory"


@case
def an_input_that_is_not_there_is_named_at_the_start(place):
    place.workflow([task("a", ["cat", "{input}"], inputs=["nowhere.txt"])])
    ended(run(place), 2, "nowhere.txt", "--inputs")
    place.workflow([task("a", ["cat", "{input}"], inputs=["../w.json"])])
    ended(run(place), 2, "leaves the directory")
    assert not (place.path / ".shardrun").exists(), "a refused run left something behind"


@case
def an_output_that_is_absent_or_cannot_be_written_is_a_task_error_that_names_it(place):
    place.workflow([task("absent", ["true"], outputs=["never-written"])])
    result = run(place, "--json", "--retries", "task_error=0")
    ended(result, 1)
    end = [o for o in result.objects if o["event"] == "attempt_ended"][0]
    same(end["outcome"], "task_error")
    assert "'never-written'" in end["message"], end


@case
def an_exit_code_is_a_task_error_with_the_last_line_of_stderr(place):
    place.workflow([task("a", "echo first >&2; echo 'the reason' >&2; exit 7")])
    result = run(place, "--json", "--retries", "task_error=1")
    ended(result, 1)
    ends = [o for o in result.objects if o["event"] == "attempt_ended"]
    same([(o["outcome"], o["attempt"]) for o in ends], [("task_error", 1), ("task_error", 2)])
    assert "exit code 7" in ends[0]["message"] and "the reason" in ends[0]["message"], ends
    same((result.last["state"], result.last["failed"], result.last["attempts"]), ("failed", 1, 2))
    same((place.run_directory("r") / "attempts/0.2/stderr").read_text(), "first\nthe reason\n")


@case
def a_full_disk_told_on_stderr_is_out_of_disk(place):
    place.workflow([task("a", "echo 'cp: write error: No space left on device' >&2; exit 1")])
    result = run(place, "--json", "--retries", "out_of_disk=0")
    same([o["outcome"] for o in result.objects if o["event"] == "attempt_ended"], ["out_of_disk"])


@case
def a_command_that_is_not_there_is_a_launch_error_that_names_it(place):
    place.workflow([task("a", ["no-such-program-here"])])
    result = run(place, "--json", "--retries", "launch_error=0")
    ended(result, 1)
    end = [o for o in result.objects if o["event"] == "attempt_ended"][0]
    same(end["outcome"], "launch_error")
    assert "no-such-program-here" in end["message"], end


@case
def a_task_that_ignores_sigterm_is_killed_after_the_grace(place):
    place.workflow([task("a", "trap '' TERM; sleep 1000 & wait; sleep 1000", timeout_seconds=0.3)])
    result = run(place, "--json", "--retries", "timeout=0", "--kill-grace", "0.2")
    ended(result, 1)
    same([o["outcome"] for o in result.objects if o["event"] == "attempt_ended"], ["timeout"])


@case
def output_without_end_is_cut_and_does_not_block_the_task(place):
    place.workflow([task("a", "head -c 300000000 /dev/zero; echo end")])
    ended(run(place, "--max-output", "100000"), 0)
    kept = (place.run_directory("r") / "attempts/0.1/stdout").read_bytes()
    assert len(kept) < 110000 and kept.endswith(b"end\n"), len(kept)


@case
def a_failed_task_stops_what_depends_on_it_only_with_keep_going(place):
    place.workflow([task("bad", ["false"]), task("after", ["true"], after=["bad"]),
                    task("other", "sleep 0.3", after=[]), task("next", ["true"], after=["other"])])
    result = run(place, "--json", "--keep-going", "--retries", "task_error=0")
    ended(result, 1)
    same((result.last["done"], result.last["failed"], result.last["skipped"]), (2, 1, 1))


@case
def a_task_that_fits_no_host_is_told_at_once(place):
    place.workflow([task("huge", ["true"], memory_bytes=1 << 50)])
    ended(run(place), 2, "huge", "--hosts")


@case
def hosts_that_are_wrong_are_refused_with_their_place(place):
    place.workflow([task("a", ["true"])])
    wrong = {
        '{"hosts": []}': "/hosts",
        '{"hosts": [{"name": "h"}]}': "/hosts/0/cpu_millicores",
        '{"hosts": [{"name": "h", "cpu_millicores": -1}]}': "/hosts/0/cpu_millicores",
        '{"hosts": [{"name": "h", "cpu_millicores": 1, "memory_bytes": 1e99}]}': "/hosts/0/memory_bytes",
        '{"hosts": [{"name": "h", "cpu_millicores": 1, "slots": 0}]}': "/hosts/0/slots",
        '{"hosts": [{"name": "h", "cpu_millicores": 1, "memroy_bytes": 1}]}': "did you mean 'memory_bytes'?",
        '{"hosts": [{"name": "h", "cpu_millicores": 1}, {"name": "h", "cpu_millicores": 1}]}': "/hosts/1/name",
        '{"hosts": [{"name": "h", "cpu_millicores": 1, "speed": NaN}]}': "h.json:1:",
        '{"hosts": [': "h.json:1:",
        '{"hots": []}': "/hots",
    }
    for text, where in wrong.items():
        place.write("h.json", text)
        result = run(place, "--hosts", "h.json")
        assert result.code == 2 and where in result.err, f"{text}: {result}"
    ended(run(place, "--hosts", "0"), 2, "--hosts")
    ended(run(place, "--hosts", "none.json"), 2, "none.json")


@case
def hosts_from_a_file_run_tasks_under_their_names(place):
    place.write("h.json", json.dumps({"hosts": [{**HOST, "slots": 3, "speed": 2, "labels": {"rack": "1"}}]}))
    place.workflow([task("a", "echo $SHARD_HOST > {output}", outputs=["x"])])
    ended(run(place, "--hosts", "h.json"), 0)
    same(place.output("r", "x"), "h\n")


@case
def every_key_of_the_published_schema_of_hosts_is_taken(place):
    schema = json.loads((Path(__file__).parents[2] / "examples/shardrun/hosts.schema.json").read_text())
    keys = schema["properties"]["hosts"]["items"]["properties"]
    values = {"name": "h", "volume": "own", "labels": {"a": "b"}, "speed": 1.5, "cpu_millicores": 1000,
              "memory_bytes": 1 << 30, "memory_limit_bytes": 1 << 30}
    place.write("h.json", json.dumps({"hosts": [{key: values.get(key, 100) for key in keys}]}))
    place.workflow([task("a", ["true"])])
    ended(run(place, "--hosts", "h.json"), 0)


@case
def data_is_staged_between_hosts_with_volumes_of_their_own(place):
    hosts = [{**HOST, "name": name, "volume": "own", "slots": 1} for name in ("left", "right")]
    place.write("h.json", json.dumps({"hosts": hosts}))
    place.workflow([task(f"make{i}", f"echo {i} > {{output}}", outputs=[f"x{i}"]) for i in range(4)] +
                   [task("all", "cat {input} > {output}", inputs=[f"x{i}" for i in range(4)], outputs=["y"])])
    ended(run(place, "--hosts", "h.json", "--policy", "round_robin"), 0)
    work = place.run_directory("r") / "work"
    found = [p for p in (work / "left/y", work / "right/y") if p.exists()]
    same([p.read_text() for p in found], ["0\n1\n2\n3\n"])
    same(sorted(p.name for p in found[0].parent.iterdir() if p.name.startswith("x")), ["x0", "x1", "x2", "x3"])


@case
def the_name_of_a_run_is_taken_once(place):
    place.workflow([task("a", ["true"])])
    ended(run(place), 0)
    ended(run(place), 2, "shardrun resume r")
    same(len(place.call("status", "--json").objects), 1)


@case
def status_says_of_a_failed_run_what_its_summary_said(place):
    place.workflow([task("bad", ["false"], priority=1), task("ready", ["true"]), task("blocked", ["true"], after=["ready"])])
    place.write("h.json", json.dumps({"hosts": [{"name": "a", "cpu_millicores": 1000, "slots": 1}]}))
    result = place.call("run", "w.json", "--run", "r", "--hosts", "h.json", "--executor", "process", "--no-report",
                        "--retries", "task_error=0")
    same(result.code, 1)
    status = place.call("status", "r")
    for lines in (result.out, status.out):
        same([line for line in lines.splitlines() if line.startswith("tasks")],
             ["tasks     3: 1 blocked, 1 ready, 1 failed"])


@case
def status_and_explain_tell_what_happened(place):
    place.workflow([task("a", ["true"]), task("b", "exit 1", after=["a"]), task("c", ["true"], after=["b"])])
    ended(run(place, "-q", "--retries", "task_error=1"), 1)
    status = place.call("status", "r", "--json")
    ended(status, 0)
    same({k: status.last[k] for k in ("run", "state", "tasks", "done", "failed", "attempts")},
         {"run": "r", "state": "failed", "tasks": 3, "done": 1, "failed": 1, "attempts": 3})
    told = place.call("explain", "r", "b").out
    assert "exit code 1" in told and "task_error" in told and "now: failed" in told, told
    assert "'b', which is failed" in place.call("explain", "r", "c").out, "what c could not follow"
    ended(place.call("explain", "r", "nobody"), 2, "nobody")
    ended(place.call("status", "nothing"), 2, "nothing")


@case
def a_replay_of_scale_0_runs_the_shape_alone(place):
    place.workflow([{"name": "a", "outputs": ["x"], "expected_seconds": 1e6, "memory_bytes": 1 << 45,
                     "payload": {"replay": {"runtime_seconds": 1e6, "memory_bytes": 1 << 45}}},
                    {"name": "b", "inputs": ["x", "external"], "expected_seconds": 1e6,
                     "payload": {"replay": {"runtime_seconds": 1e6}}}],
                   data=[{"name": "x", "bytes": 1 << 50}, {"name": "external", "bytes": 1 << 50}])
    ended(run(place, "--replay=0"), 0)
    same((place.run_directory("r") / "work/common/x").stat().st_size, 1)


@case
def a_replay_writes_files_of_scaled_sizes(place):
    place.workflow([{"name": "a", "inputs": ["in"], "outputs": ["x"],
                     "payload": {"replay": {"runtime_seconds": 1, "cpu_percent": 50, "memory_bytes": 3000000}}}],
                   data=[{"name": "x", "bytes": 1000}, {"name": "in", "bytes": 10}])
    ended(run(place, "--replay=0.1"), 0)
    same((place.run_directory("r") / "work/common/x").stat().st_size, 100)
    same((place.run_directory("r") / "work/common/in").stat().st_size, 1)


@case
def a_replayed_task_with_units_tells_its_progress_and_shares_out_its_rest(place):
    place.workflow([{"name": "a", "units": 40, "outputs": ["x"], "expected_seconds": 3,
                     "payload": {"replay": {"runtime_seconds": 3, "cpu_percent": 10}}}], data=[{"name": "x", "bytes": 4000}])
    for seed in range(20):  # restless draws what it does; it may as well replicate
        result = run(place, "--run", seed, "--replay", "--hosts", "2", "--policy", "restless", "--seed", seed, "--json")
        ended(result, 0)
        assert "progress" in [one["event"] for one in result.objects], result
        common = place.run_directory(str(seed)) / "work/common"
        same((common / "x").stat().st_size, 4000)
        parts = [path.stat().st_size for path in common.glob("x.part*") if path.name.count(".part") == 1]
        if parts:
            break
    assert 3900 <= sum(parts) <= 4000, f"each unit writes its share: {parts}"


@case
def a_command_tells_its_progress_through_a_file(place):
    place.workflow([{"name": "a", "units": 4, "payload": {
        "command": "for i in 1 2 3; do echo $i >> $SHARD_PROGRESS; done; printf 4 >> $SHARD_PROGRESS; test $SHARD_UNITS = 4"}}])
    result = run(place, "--json")
    ended(result, 0)
    told = [one["units_done"] for one in result.objects if one["event"] == "progress"]
    same(told[-1], 3)  # the last line has no end: it may still be being written
    place.workflow([{"name": "a", "units": 4, "payload": {"command": "echo nonsense > $SHARD_PROGRESS"}},
                    {"name": "b", "units": 4, "payload": {"command": "echo 5 > $SHARD_PROGRESS"}},
                    {"name": "c", "payload": {"command": "test -z \"$SHARD_PROGRESS\""}}])
    result = run(place, "--run", "s", "--json")
    ended(result, 0, "progress-refused")
    same([one for one in result.objects if one["event"] == "progress"], [])


@case
def a_store_in_memory_leaves_no_store_behind(place):
    place.workflow([task("a", ["true"])])
    result = run(place, "--store", "memory:", "--json")
    ended(result, 0)
    same(result.last["store"], "memory:")
    assert not (place.path / ".shardrun/store.db").exists(), "store.db"
    ended(place.call("resume", "r", "--store", "memory:"), 2, "memory")


@case
def standard_output_has_nothing_but_json_with_json(place):
    place.workflow([task("a", "exit 1")])
    result = run(place, "--json")
    assert result.objects, "every line is an object"
    place.workflow([task("a", "exit 1"), task("a", "exit 1")])
    same(run(place, "--json").out, "")


main()
