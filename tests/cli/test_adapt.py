#!/usr/bin/python3
"""What the policy adaptive does in real runs: rests of slow tasks go to others, and hosts that fall sick in the middle."""

from cases import *

# Before each unit it looks whether its rest was given to others, and tells how far it is: shardrun(1), ENVIRONMENT. On
# the host `slow` every unit after the tenth takes long.
SHARING = """n=0; seen=0; i={begin}; : > {output}
while [ $i -lt {end} ]; do
  [ -f "${SHARD_LIMIT:-/none}" ] && seen=$(cat "$SHARD_LIMIT")
  echo "$n $seen" >> "${SHARD_PROGRESS:-/dev/null}"
  [ $seen -gt 0 ] && [ $n -ge $seen ] && break
  if [ $SHARD_HOST = slow ] && [ $n -ge 10 ]; then sleep 3; else sleep 0.02; fi
  echo $i $SHARD_HOST >> {output}; i=$((i + 1)); n=$((n + 1))
done
echo "$n $seen" >> "${SHARD_PROGRESS:-/dev/null}"
"""
UNITS = 60


@case
def a_task_whose_host_slows_down_gives_its_rest_to_others(place):
    names = ("a", "b", "c", "slow")
    place.write("h.json", json.dumps({"hosts": [{"name": name, "cpu_millicores": 1000, "slots": 1} for name in names]}))
    place.workflow([task(f"t{i}", SHARING, kind="k", units=UNITS, min_units=2, has_merge=True, expected_seconds=2,
                         outputs=[f"d{i}"], payload={"merge": "cat {parts} > {output}"}) for i in range(4)])
    result = place.call("run", "w.json", "--executor", "process", "--run", "r", "--hosts", "h.json", "--policy",
                        "adaptive", "--json")
    ended(result, 0)
    late = [event["task"] for event in result.objects if event["event"] == "attempt_started"
            and event["host"] == "slow" and "/" not in event["task"]]
    assert late, "the host that is slow was not used: nothing to see"
    for i in range(4):
        lines = [line.split() for line in place.output("r", f"d{i}").splitlines()]
        same([int(unit) for unit, _ in lines], list(range(UNITS)), f"of t{i}: each unit once, in order")
        hosts = {host for _, host in lines}
        if f"t{i}" == late[0]:
            assert hosts != {"slow"}, f"t{i} was left where it was"
            story = place.call("explain", "r", f"t{i}").out
            assert "costs" in story and "fails with probability" in story, story
            assert "split" in story, story  # a replica, which late reviews may prefer, is a split too
    failed = [event for event in result.objects if event["event"] == "attempt_ended" and event["outcome"] not in
              ("done", "cancelled", "preempted")]
    same(failed, [], "nobody is blamed")


@case
def explain_tells_what_pushed_the_forecast_of_each_attempt(place):
    place.write("h.json", json.dumps({"hosts": [{"name": name, "cpu_millicores": 1000, "slots": 1} for name in "ab"]}))
    place.workflow([task(f"t{i}", "test $SHARD_HOST = a", kind="k") for i in range(30)])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "--hosts", "h.json", "--policy",
                     "adaptive", "--retries", "task_error=9"), 0)
    story = place.call("explain", "r", "t29").out
    attempts = story.count("attempt 1 started on") + story.count("attempt 2 started on")
    same(story.count("why, by the prior"), attempts, story)
    assert "costs" in story and "kind_failure_rate" in story, story


@case
def explain_tells_what_splits_and_waits_were_weighed_against(place):
    slow = {"name": "slow", "cpu_millicores": 1000, "slots": 1, "speed": 0.01}
    place.write("h.json", json.dumps({"hosts": [{"name": "a", "cpu_millicores": 1000, "slots": 1}, slow]}))
    place.workflow([task(f"t{i}", "sleep 1", kind="k", expected_seconds=1) for i in range(2)])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "w", "--hosts", "h.json", "--policy",
                     "adaptive"), 0)
    stories = "".join(place.call("explain", "w", f"t{i}").out for i in range(2))
    assert "it had waited, since slow costs" in stories and "; to wait" in stories, stories
    place.write("h.json", json.dumps({"hosts": [{"name": "b", "cpu_millicores": 4000, "slots": 4}]}))
    place.workflow([task("t", "true", kind="k", units=8, expected_seconds=60)])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "s", "--hosts", "h.json", "--policy",
                     "adaptive"), 0)
    story = place.call("explain", "s", "t").out
    assert "parts costs" in story and "; as one" in story and ", on b" in story, story


@case
def a_plan_of_a_host_that_slows_down_is_refused_when_half_of_it_is_missing(place):
    place.workflow([task("a", ["true"])])
    host = {"name": "h", "cpu_millicores": 1000}
    for wrong, message in (({"slowed_after_seconds": 5}, "/hosts/0/slowed_millicores is missing"),
                           ({"slowed_millicores": 5}, "/hosts/0/slowed_after_seconds is missing"),
                           ({"slowed_after_seconds": -1, "slowed_millicores": 5}, "slowed_after_seconds is not a number"),
                           ({"slowed_after_seconds": 1, "slowed_millicores": 0}, "slowed_millicores is not a whole"),
                           ({"tmp_bytes": -1}, "tmp_bytes is not a whole")):
        place.write("h.json", json.dumps({"hosts": [{**host, **wrong}]}))
        ended(place.call("run", "w.json", "--executor", "process", "--hosts", "h.json"), 2, message)


@case
def a_host_with_a_small_tmp_runs_out_of_disk(place):
    if not containers_work(place.shardrun):
        raise Skip("containers do not work here")
    host = {"cpu_millicores": 1000, "slots": 1}
    place.write("h.json", json.dumps({"hosts": [{**host, "name": "good"}, {**host, "name": "full", "tmp_bytes": 65536}]}))
    place.workflow([task(f"t{i}", "head -c 1000000 /dev/zero | cat > /tmp/x") for i in range(4)])
    result = place.call("run", "w.json", "--hosts", "h.json", "--json", "--policy", "round_robin")
    ended(result, 0)
    ends = [event for event in result.objects if event["event"] == "attempt_ended"]
    same({event["outcome"] for event in ends if event["host"] == "full"}, {"out_of_disk"})
    same({event["outcome"] for event in ends if event["host"] == "good"}, {"done"})


@case
def a_host_slows_down_when_its_plan_says_so_and_after_a_resume_too(place):
    place.write("h.json", json.dumps({"hosts": [{"name": "h", "cpu_millicores": 1000, "slowed_after_seconds": 0.1,
                                                 "slowed_millicores": 900}]}))
    place.workflow([task("a", "sleep 1"), task("b", "sleep 1", after=["a"])])
    process = place.start("run", "w.json", "--executor", "process", "--run", "r", "--hosts", "h.json", "--json")
    place.wait_for_file(place.run_directory("r") / "attempts/0.1/stdout")
    process.kill()
    process.communicate()
    result = place.call("resume", "r")
    ended(result, 0)
    assert "host h is slowed to 900 millicores" in result.out + result.err, result


main()
