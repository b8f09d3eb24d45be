#!/usr/bin/python3
"""Running workflows in containers: what they see, what they may not, how they fail. Skipped where none can be run."""

import re
import shutil

from cases import *

WORKS = containers_work(str(Path(sys.argv[1]).resolve()))


def run(place, *options, **more):
    if not WORKS:
        raise Skip("no container can be run here")
    return place.call("run", "w.json", "--run", "r", *options, **more)


def hold(megabytes):
    return ["/usr/bin/python3", "-c", f"x = b'x' * ({megabytes} << 20)"]


def ends(result):
    return [o for o in result.objects if o["event"] == "attempt_ended"]


@case
def containers_run_a_workflow_with_data(place):
    place.write("in.txt", "hello\n")
    place.workflow([task("a", "cat {input} > {output}", inputs=["in.txt"], outputs=["x"]),
                    task("b", ["cp", "{input}", "{output}"], inputs=["x"], outputs=["y"])])
    ended(run(place, "--hosts", "2"), 0)
    same(place.output("r", "y"), "hello\n")


@case
def a_container_sees_its_volumes_read_only_and_no_network(place):
    command = """touch {output}; { touch "$(dirname {output})/../../intruder"; touch /usr/x; } 2>&1 || true
                 ls /sys/class/net"""
    place.workflow([task("a", command, outputs=["x"])])
    ended(run(place), 0)
    out = (place.run_directory("r") / "attempts/0.1/stdout").read_text()
    same(out.count("Read-only file system"), 2)
    assert "eth" not in out, out
    assert not (place.run_directory("r") / "work/common/intruder").exists(), "it got out"


@case
def a_mounted_path_can_be_written_to(place):
    ledger = place.write("ledger", "")
    place.workflow([task("a", f"echo line >> '{ledger}'")])
    ended(run(place, "--mount", ledger), 0)
    same(ledger.read_text(), "line\n")
    place.workflow([task("a", f"echo line >> '{ledger}'")])
    ended(place.call("run", "w.json", "--run", "s", "--mount", f"{ledger}:ro", "--retries", "task_error=0"), 1)


@case
def out_of_memory_is_recognised_and_tried_with_more(place):
    hog = hold(150)
    place.workflow([task("hog", hog, memory_bytes=100 << 20)])
    result = run(place, "--json")
    if not any(o["outcome"] == "out_of_memory" for o in ends(result)) and "no cgroups" in result.err:
        raise Skip("no memory cgroup here")
    ended(result, 0)
    same([o["outcome"] for o in ends(result)], ["out_of_memory", "done"])


@case
def out_of_memory_is_not_hidden_by_a_pipeline_that_ends_well(place):
    place.workflow([task("a", "/usr/bin/python3 -c \"x = b'x' * (150 << 20)\" | wc -c", memory_bytes=100 << 20,
                         max_attempts=1)])
    result = run(place, "--json")
    if result.code == 0 and "no cgroups" in result.err:
        raise Skip("no memory cgroup here")
    same([o["outcome"] for o in ends(result)], ["out_of_memory"])


@case
def a_host_with_too_little_memory_fails_its_tasks(place):
    host = {"cpu_millicores": 1000, "memory_bytes": 300 << 20, "slots": 1}
    place.write("h.json", json.dumps({"hosts": [{**host, "name": "good"},
                                                {**host, "name": "sick", "memory_limit_bytes": 40 << 20}]}))
    hog = hold(90)
    place.workflow([task(f"t{i}", hog, memory_bytes=200 << 20) for i in range(4)])
    result = run(place, "--hosts", "h.json", "--json", "--policy", "round_robin", "--retries", "out_of_memory=9")
    if not any(o["outcome"] == "out_of_memory" for o in ends(result)) and "no cgroups" in result.err:
        raise Skip("no memory cgroup here")
    same({o["host"] for o in ends(result) if o["outcome"] == "out_of_memory"}, {"sick"})


@case
def a_container_that_writes_without_end_is_cut(place):
    place.workflow([task("a", "head -c 300000000 /dev/zero; echo end")])
    ended(run(place, "--max-output", "100000"), 0)
    kept = (place.run_directory("r") / "attempts/0.1/stdout").read_bytes()
    assert len(kept) < 110000 and kept.endswith(b"end\n"), len(kept)


@case
def a_container_that_ignores_sigterm_is_killed_after_the_grace(place):
    place.workflow([task("a", "trap '' TERM; sleep 1000 & wait; sleep 1000", timeout_seconds=0.5)])
    result = run(place, "--json", "--retries", "timeout=0", "--kill-grace", "0.2")
    ended(result, 1)
    same([o["outcome"] for o in ends(result)], ["timeout"])


@case
def a_command_that_is_not_in_the_image_is_a_launch_error(place):
    place.workflow([task("a", ["no-such-program-here"])])
    result = run(place, "--json", "--retries", "launch_error=0")
    ended(result, 1)
    same([o["outcome"] for o in ends(result)], ["launch_error"])
    assert "no-such-program-here" in ends(result)[0]["message"], result


@case
def a_directory_can_be_the_root_filesystem(place):
    root = place.path / "root"
    ldd = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(", ldd)
    for path in ["/bin/sh", *libraries]:
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path[1:])
    place.workflow([task("a", "echo image > {output}", outputs=["x"], payload={"image": str(root)})])
    ended(run(place), 0)
    same(place.output("r", "x"), "image\n")


@case
def without_a_runtime_the_run_does_not_begin(place):
    place.workflow([task("a", ["true"])])
    result = place.call("run", "w.json", "--runtime", "/nonexistent/crun", "--run", "r")
    ended(result, 3, "/nonexistent/crun", "--executor process")
    same(place.call("status", "--json").objects, [])
    assert not place.run_directory("r").exists(), "a run that did not begin left files"


@case
def after_kill_9_resume_adopts_containers(place):
    if not WORKS:
        raise Skip("no container can be run here")
    ledger = place.write("ledger", "")
    line = f"echo $SHARD_TASK $SHARD_ATTEMPT %s >> '{ledger}'"
    place.workflow([task(f"t{i}", f"{line % 'begin'}; sleep 0.7; {line % 'end'}", after=[f"t{i - 1}"] if i else [])
                    for i in range(4)])
    process = place.start("run", "w.json", "--run", "r", "--json", "--mount", ledger)
    for _ in range(3):
        seen = len(ledger.read_text().splitlines())
        place.wait_for(lambda: len(ledger.read_text().splitlines()) > seen or process.poll() is not None)
        process.kill()
        process.communicate()
        process = place.start("resume", "r", "--json")
    result = place.finish(process)
    ended(result, 0)
    same(result.last["done"], 4)
    # An attempt whose start was recorded, but that was not launched yet, is tried again; what has begun is not.
    same(sorted(line.split()[::2] for line in ledger.read_text().splitlines()),
         sorted([f"t{i}", w] for i in range(4) for w in ("begin", "end")))


@case
def a_replay_runs_in_containers(place):
    place.workflow([{"name": "a", "inputs": ["in"], "outputs": ["x"], "memory_bytes": 30 << 20,
                     "payload": {"replay": {"runtime_seconds": 0.1, "cpu_percent": 150, "memory_bytes": 30 << 20}}}],
                   data=[{"name": "x", "bytes": 1000}, {"name": "in", "bytes": 10}])
    ended(run(place, "--replay"), 0)
    same((place.run_directory("r") / "work/common/x").stat().st_size, 1000)


main()
