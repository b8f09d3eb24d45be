#!/usr/bin/python3
"""A workflow of a real run, replayed in containers on four hosts of which one is sick, twice: what its store teaches."""

from cases import *

INSTANCE = Path(__file__).resolve().parents[1] / "data/workflows/srasearch-chameleon-40a-003.json"
HOST = {"cpu_millicores": 1000, "memory_bytes": 4 << 30, "slots": 2}
HOSTS = [*({**HOST, "name": f"good-{i}"} for i in (1, 2, 3)), {**HOST, "name": "sick", "memory_limit_bytes": 10 << 20}]


def replay(place, run, policy):
    return place.call("run", INSTANCE, "--replay=0.0003", "--replay-memory-scale=0.6", "--hosts", "h.json", "--policy",
                      policy, "--retries", "out_of_memory=1000,launch_error=1000,task_error=1000", "--run", run,
                      "--no-report", "--json")


def attempts(result):
    return [o for o in result.objects if o["event"] == "attempt_ended"]


@case
def a_sick_host_is_forecast_apart_after_one_run_and_explained_by_name(place):
    place.write("h.json", json.dumps({"hosts": HOSTS}))
    first = replay(place, "one", "round_robin")
    failed = [o for o in attempts(first) if o["outcome"] != "done"]
    if not failed and "no cgroups" in first.err:
        raise Skip("no memory cgroup here")
    ended(first, 0)
    same({o["host"] for o in failed}, {"sick"})
    result = place.call("evaluate", "--store", ".shardrun/store.db", "--json")
    ended(result, 0)
    assert result.last["candidates"]["chosen"]["roc_auc"] > 0.85, result.last
    ended(replay(place, "two", "adaptive"), 0)
    told = place.call("explain", "one", failed[-1]["task"])
    ended(told, 0)
    why = [line for line in told.out.splitlines() if line.startswith("    ") and " = " in line]
    assert any("host_" in line or "pair_" in line for line in why), told


main()
