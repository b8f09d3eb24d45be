#!/usr/bin/python3
"""What a real run decided is decided again, when the engine is told the same at the same times."""

from cases import *

PROGRAM = os.environ["REPLAY_DECISIONS"]
HOSTS = ["a", "b", "sick"]


def run(place, name, policy, seed):
    """Twelve tasks that wait for each other, on three hosts of which one fails, and one in three parts. There are so few of
    each kind that what they held of memory, which no record says, decides nothing."""
    place.write("h.json", json.dumps({"hosts": [{"name": host, "cpu_millicores": 1000, "slots": 1} for host in HOSTS]}))
    tasks = [task(f"t{i}", f"sleep 0.0{1 + i % 5}; test $SHARD_HOST != sick", kind=f"k{i % 4}",
                  after=[f"t{i - 3}"] if i > 2 else []) for i in range(12)]
    tasks.append(task("wide", "test $SHARD_HOST != sick", kind="wide", units=9, parts=3, after=["t4"]))
    place.workflow(tasks)
    result = place.call("run", "w.json", "--executor=process", f"--run={name}", "--hosts=h.json", f"--policy={policy}",
                        "--retries=task_error=50", f"--seed={seed}", "--monitor-interval=3600000", "--no-learning",
                        "--no-report", "--json")
    ended(result, 0)
    return result


def replay(place, name, policy, seed):
    process = subprocess.run([PROGRAM, ".shardrun/store.db", name, policy, str(seed), *HOSTS], cwd=place.path, text=True,
                             capture_output=True, timeout=DEADLINE)
    return process


def made_again(place, policy):
    run(place, "r", policy, 7)
    again = replay(place, "r", policy, 7)
    assert again.returncode == 0, f"{policy}: {again.stderr}"
    assert int(again.stdout) > 33, again.stdout  # records: of 15 tasks a start and an end, of the split, of failures
    return again


@case
def a_run_under_exclusion_is_decided_again_as_it_was(place):
    made_again(place, "exclude_after_failures")


@case
def a_run_under_adaptive_is_decided_again_as_it_was(place):
    made_again(place, "adaptive")


@case
def another_policy_decides_otherwise(place):
    run(place, "r", "round_robin", 7)
    other = replay(place, "r", "heft", 7)
    same(other.returncode, 1)
    assert "was: record" in other.stderr, other.stderr


main()
