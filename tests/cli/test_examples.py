#!/usr/bin/python3
"""The workflows and the demo in examples/ work. usage: test_examples.py SHARDRUN [CASE...]"""

import shutil

from cases import *

TOP = Path(__file__).resolve().parents[2]
EXAMPLES = TOP / "examples"


def run_example(place, name, *options):
    return place.call("run", EXAMPLES / "workflows" / f"{name}.json", "--run", name, "--json", *options)


@case
def every_example_is_valid(place):
    for path in sorted((EXAMPLES / "workflows").glob("*.json")):
        ended(place.call("check", path), 0)


@case
def hello_says_hello(place):
    ended(run_example(place, "hello", "--executor", "process"), 0)
    same(place.output("hello", "loud.txt"), "HELLO FROM LINUX, ATTEMPT 1 OF WRITE\n")


def see_index(place, *options):
    result = run_example(place, "inverted-index", "--hosts", "2", *options)
    ended(result, 0)
    files = place.output("inverted-index", "files.txt").split()
    index = dict(line.split(" ", 1) for line in place.output("inverted-index", "index.txt").splitlines())
    assert len(files) >= 64 and len(index) > 100, (len(files), len(index))
    assert list(index) == sorted(index), "the index is not in order"
    assert all(set(places.split()) <= set(files) for places in index.values())
    common = [line.split() for line in place.output("inverted-index", "most-common.txt").splitlines()]
    same(len(common), 20)
    for count, word in common:
        same(len(index[word].split()), int(count))


@case
def the_index_is_right(place):
    see_index(place, "--executor", "process")


@case
def the_index_is_right_in_containers(place):
    if not containers_work(place.shardrun):
        raise Skip("containers do not work here")
    see_index(place)


@case
def the_one_that_fails_does_and_says_why(place):
    result = run_example(place, "fails", "--executor", "process", "--keep-going")
    same(result.code, 1)
    outcomes = sorted(event["outcome"] for event in result.objects if event["event"] == "attempt_ended")
    same(outcomes, ["done", "done", "task_error", "task_error", "timeout"])
    same((result.last["done"], result.last["failed"], result.last["skipped"]), (2, 2, 1))
    assert "this is the reason" in place.call("explain", "fails", "bad").out


def demo(place, *options):
    environment = dict(os.environ, BUILD=str(place.path / "build"))
    there = place.path / "build/examples/shardrun"
    there.parent.mkdir(parents=True)
    there.symlink_to(Path(place.shardrun).parent)
    return place.finish(subprocess.Popen([EXAMPLES / "demo", *options], env=environment, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True))


@case
def the_demo_comes_to_a_good_end_without_containers(place):
    result = demo(place, "--executor", "process", "--replay=0")
    ended(result, 0)
    assert "619 done" in result.out, result
    report = place.path / "build/demo/report.html"
    assert str(report) in result.out and report.exists(), result
    assert (place.path / "build/demo/montage.svg").exists()


@case
def the_demo_says_what_is_missing(place):
    shutil.copytree(EXAMPLES, place.path / "examples", symlinks=True)
    result = place.finish(subprocess.Popen([place.path / "examples/demo"], stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, text=True))
    ended(result, 3, "`make` builds it")


main()
