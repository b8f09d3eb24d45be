#!/usr/bin/python3
"""shardrun simulate: what scripts rely on, and what is refused."""

from cases import *

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
FIELDS = ["workflow", "policy", "seed", "makespan_seconds", "lower_bound_seconds", "wasted_cpu_seconds",
          "useful_cpu_seconds", "attempts", "failed_attempts", "max_failures_of_a_task", "decide_cpu_us_per_task"]
SMALL = ["bag:200", "--hosts=10", "--copies=1"]


def lines(place, *arguments):
    result = place.call("simulate", *SMALL, "--json", *arguments)
    ended(result, 0)
    return [{k: v for k, v in line.items() if k != "decide_cpu_us_per_task"} for line in result.objects]


@case
def json_has_one_line_for_each_workflow_policy_and_seed_with_the_fields_of_the_contract(place):
    result = place.call("simulate", *SMALL, "bag:100", "--json", "--policy=heft,late", "--seeds=3-5")
    ended(result, 0)
    same([list(line) for line in result.objects], [FIELDS] * 12)
    same([(x["workflow"], x["seed"], x["policy"]) for x in result.objects],
         [(w, s, p) for w in ("bag:200", "bag:100") for s in (3, 4, 5) for p in ("heft", "late")])


@case
def the_same_seeds_give_the_same_lines_in_one_process_and_in_several(place):
    given = ["--scenario=sick10", "--policy=least_loaded,adaptive:prior", "--seeds=1-3"]
    same(lines(place, *given, "--jobs=1"), lines(place, *given, "--jobs=3"))


@case
def the_prior_reads_what_hosts_report_before_anything_has_failed(place):
    wasted = []
    for signal in (0.6, 0):
        place.write("s.json", json.dumps({"name": "signs", "samples": {"signal": signal, "decoys": 0}, "sickness": [
            {"kind": "memory", "share": 0.1, "p_fail": 0.7},
            {"kind": "disk", "share": 0.1, "p_fail": 0.7, "fail_from": 0.5, "fail_to": 1}]}))
        result = place.call("simulate", "bag:600", "--hosts=30", "--scenario=s.json", "--policy=adaptive:prior",
                            "--seeds=1-3", "--json")
        ended(result, 0)
        wasted.append(sum(line["wasted_cpu_seconds"] for line in result.objects))
    assert 3 * wasted[0] < 2 * wasted[1], wasted


@case
def a_finished_run_can_be_simulated_again_under_other_policies(place):
    place.write("h.json", json.dumps({"hosts": [{"name": name, "cpu_millicores": 1000, "slots": 1}
                                                for name in ("a", "b", "sick")]}))
    place.workflow([task(f"t{i}", "test $SHARD_HOST != sick", kind="k", after=[f"t{i - 4}"] if i > 3 else [])
                    for i in range(24)])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "--hosts", "h.json", "--policy",
                     "round_robin", "--retries", "task_error=50", "--no-report"), 0)
    again = ["simulate", "--from-run=r", "--policy=round_robin,exclude_after_failures,adaptive:prior", "--seeds=1-2"]
    first = place.call(*again, "--json", "-v")
    ended(first, 0, '"count": 3', '"kind": "failing"')
    second = place.call(*again, "--json", "--jobs=1")
    known = [[{k: v for k, v in line.items() if k != "decide_cpu_us_per_task"} for line in result.objects]
             for result in (first, second)]
    same(known[0], known[1], "the same inputs give the same decisions")
    same([list(line) for line in first.objects], [FIELDS] * 6)
    failed = {line["policy"]: line["failed_attempts"] for line in first.objects}
    assert failed["round_robin"] > failed["adaptive:prior"], failed
    # What if failures were dearer, or tasks split sooner? The same tasks, and other decisions.
    base = lines(place, "--scenario=sick30-episodic", "--policy=adaptive:prior")
    for option in ("--waste-weight=50", "--failure-cost=10000", "--split-p=1"):
        assert lines(place, "--scenario=sick30-episodic", "--policy=adaptive:prior", option) != base, option
        same(lines(place, "--scenario=sick30-episodic", "--policy=heft", option), lines(place, "--scenario=sick30-episodic", "--policy=heft"))
        ended(place.call("simulate", "bag:5", option.split("=")[0] + "=-1"), 2, option.split("=")[0])
    ended(place.call("simulate", "bag:5", "--policy=adaptive", "--split-p=1.5"), 2, "split_p")
    ended(place.call("simulate", "--from-run=none"), 2, "none")
    ended(place.call("simulate", "--from-run=r", "bag:5"), 2, "--from-run")
    ended(place.call("simulate", "--from-run=r", "--scenario=healthy"), 2, "--from-run")
    ended(place.call("simulate", "bag:5", "--store=x.db"), 2, "--from-run")
    ended(place.call("simulate", "--from-run=r", "--store=memory:"), 2, "memory")


@case
def every_scenario_that_comes_with_the_project_is_known_by_name_and_ends(place):
    names = sorted(path.stem for path in SCENARIOS.glob("*.json") if path.stem != "scenario.schema")
    same(len(names), 7)
    for name in names:
        same(lines(place, f"--scenario={name}")[0]["attempts"] >= 200, True)
        same(json.loads((SCENARIOS / f"{name}.json").read_text())["name"], name)


@case
def the_table_has_a_row_for_each_policy(place):
    result = place.call("simulate", *SMALL, "--policy=heft,random_retry")
    ended(result, 0)
    for word in ("scenario healthy", "heft", "random_retry", "makespan over lower bound", "█"):
        same(word in result.out, True)


@case
def a_scenario_that_contradicts_itself_is_refused_with_file_and_place(place):
    place.write("bad.json", '{"name": "bad",\n "hosts": {"speed_min": 3, "speed_max": 2}}')
    result = place.call("simulate", "bag:10", "--scenario=bad.json")
    ended(result, 2)
    same("bad.json:2:" in result.err and "/hosts: speed_min 3 is above speed_max 2" in result.err, True)


@case
def what_is_not_known_is_refused_before_anything_is_simulated(place):
    for arguments, word in [(["bag:10", "--scenario=hot"], "there is no scenario 'hot'"),
                            (["bag:10", "--policy=magic"], "there is no policy 'magic'"),
                            (["bag:10", "--policy=adaptive:nowhere"], "nowhere"),
                            (["bag:0"], "expected bag:N"), (["bag:x"], "expected bag:N"),
                            (["bag:10", "--seeds=5-4"], "--seeds"), (["bag:10", "--hosts=0"], "--hosts"),
                            (["nowhere.json"], "nowhere.json"), ([], "FILE is missing")]:
        result = place.call("simulate", *arguments)
        ended(result, 2)
        same(word in result.err and result.out == "", True)


main()
