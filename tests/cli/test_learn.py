#!/usr/bin/python3
"""Learning from a store: a run on four hosts of which one is sick, and what can be said of it afterwards."""

from cases import *

@case
def a_run_on_a_sick_host_lets_its_store_forecast_the_sick_hosts_tasks(place):
    sick_run(place)
    result = place.call("evaluate", "--store", ".shardrun/store.db", "--json")
    ended(result, 0)
    said = result.last
    assert said["rows"] > 350 and 0.1 < said["base_rate_train"] < 0.4, said
    assert said["candidates"]["chosen"]["roc_auc"] > 0.85, said
    # What a workflow expects of its tasks is not known here, but after a few attempts what their kinds take is.
    assert said["seconds"]["rows"] > 60 and said["seconds"]["error"] < 2, said
    trained = place.call("train", "--store", ".shardrun/store.db", "-o", "m.model")
    ended(trained, 0)
    assert "columns:" in trained.out and "\nseconds: " in trained.out, trained
    simulated = place.call("simulate", "bag:100", "--hosts=10", "--scenario=sick10", "--seeds=1-2", "--json",
                           "--policy=adaptive:m.model,adaptive:prior")
    ended(simulated, 0)
    same(len(simulated.objects), 4)


@case
def a_model_of_other_columns_forecasts_in_no_simulation(place):
    place.write("t.csv", "t,te,y,moon\n" + "".join(f"{i},{i + 1},{i % 3 == 0:d},{i % 3}\n" for i in range(600)))
    ended(place.call("train", "t.csv", "-o", "m.model"), 0)
    ended(place.call("simulate", "bag:10", "--policy=adaptive:m.model"), 2, "'moon'")


def explained(place, name, run="one"):
    result = place.call("explain", run, name)
    ended(result, 0)
    return result.out


@case
def a_run_learns_in_the_background_and_explains_by_columns(place):
    sick_run(place)
    before = explained(place, "t0")
    assert "why, by the prior" in before and "log-odds of failure" in before, before
    learning_run(place)
    # What was forecast by the prior is explained by it; by the model, what comes after.
    told = explained(place, "t0")
    assert "why, by the prior" in told and "the model that was learned since says" in told, told
    place.workflow([dict(task("t0", "true"), kind="align")])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "after", "-q"), 0)
    told = explained(place, "t0", "after")
    assert "why, by the model that was in use" in told and "learned since" not in told, told
    assert "host_" in told or "pair_" in told or "kind_" in told, told
    # Also when another has come since.
    ended(place.call("train", "--store", ".shardrun/store.db", "--candidate", "linear", "-o", ".shardrun/learned.model"), 0)
    again = explained(place, "t0", "after").splitlines()
    since = [line for line in again if "the model that was learned since says" in line]
    same(len(since), 1)
    same([line for line in again if line not in since], told.splitlines())
    # Whoever wants none of it says so.
    stamp = learned_at(place)
    place.workflow([task("t", "true")])
    ended(place.call("run", "w.json", "--executor", "process", "--no-learning", "--run", "three", "-q"), 0)
    same(learned_at(place), stamp)


@case
def a_damaged_model_is_told_and_left_out(place):
    place.workflow([task("t", "true")])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "one", "-q"), 0)
    place.write(".shardrun/learned.model", "rubbish")
    result = place.call("run", "w.json", "--executor", "process", "--run", "two")
    ended(result, 0, "left out")


@case
def a_store_without_attempts_and_no_store_are_told_apart(place):
    ended(place.call("evaluate", "--store", "none.db"), 3, "none.db")
    ended(place.call("train", "--store", "memory:", "-o", "m"), 2, "memory")
    ended(place.call("evaluate"), 2, "--store")
    ended(place.call("evaluate", "x.csv", "--store", "none.db"), 2, "--store")


main()
