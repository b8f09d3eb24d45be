#!/usr/bin/python3
"""Learning from a store: a run on four hosts of which one is sick, and what can be said of it afterwards."""

from cases import *

SICK = '[ "$SHARD_HOST" != host-3 ]'


def sick_run(place, tasks=300):
    place.workflow([dict(task(f"t{i}", SICK), kind=("align", "sort", "merge")[i % 3]) for i in range(tasks)])
    result = place.call("run", "w.json", "--executor", "process", "--hosts", "4", "--policy", "round_robin",
                        "--retries", "task_error=100", "--run", "one", "--no-report", "--json")
    ended(result, 0)


@case
def a_run_on_a_sick_host_lets_its_store_forecast_the_sick_hosts_tasks(place):
    sick_run(place)
    result = place.call("evaluate", "--store", ".shardrun/store.db", "--json")
    ended(result, 0)
    said = result.last
    assert said["rows"] > 350 and 0.1 < said["base_rate_train"] < 0.4, said
    assert said["candidates"]["chosen"]["roc_auc"] > 0.85, said
    trained = place.call("train", "--store", ".shardrun/store.db", "-o", "m.model")
    ended(trained, 0)
    assert "columns:" in trained.out, trained


@case
def a_store_without_attempts_and_no_store_are_told_apart(place):
    ended(place.call("evaluate", "--store", "none.db"), 3, "none.db")
    ended(place.call("train", "--store", "memory:", "-o", "m"), 2, "memory")
    ended(place.call("evaluate"), 2, "--store")
    ended(place.call("evaluate", "x.csv", "--store", "none.db"), 2, "--store")


main()
