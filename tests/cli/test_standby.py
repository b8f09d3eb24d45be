#!/usr/bin/python3
"""Two orchestrators on one run: the second stands by, takes over when the first dies or stalls, and adopts what runs; the
first, when it goes on, finds itself fenced and starts nothing. With SQLite, and with a redis-server of the test's own."""

import shutil

from cases import *

STEPS = 5


def begin(place, *options):
    """A run of tasks in a line, each of which writes down when it begins and ends; the first one has begun."""
    ledger = place.path / "ledger"
    ledger.touch()
    line = f"echo $SHARD_TASK $SHARD_ATTEMPT %s >> '{ledger}'"
    place.workflow([task(f"t{i}", f"{line % 'begin'}; sleep 0.5; {line % 'end'}", after=[f"t{i - 1}"] if i else [])
                    for i in range(STEPS)])
    process = place.start("run", "w.json", "--executor", "process", "--run", "r", "--json", *options)
    place.wait_for(lambda: ledger.read_text(), "the first task")
    return process, ledger


def check_ledger(ledger):
    same(sorted(ledger.read_text().splitlines()),
         sorted(f"t{i} 1 {what}" for i in range(STEPS) for what in ("begin", "end")))


def redis(place):
    """A server in the case's directory, and its URL."""
    if shutil.which(REDIS_SERVER) is None:
        raise Skip("there is no redis-server")
    socket = place.path / "redis.socket"
    server = subprocess.Popen([REDIS_SERVER, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", place.path,
                               "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL)
    place.wait_for(socket.exists, "the server")
    return server, f"redis+unix://{socket}"


def stands_by(place, store, **options):
    process = place.start("resume", "r", "--wait", "--store", store, "--json", stderr=open(place.path / "second", "w"),
                          **options)
    place.wait_for(lambda: "standing by" in (place.path / "second").read_text(), "the stand-by")
    return process


def stalls(place, store):
    first, ledger = begin(place, "--store", store, "--lease", "2")
    second = stands_by(place, store)
    first.send_signal(signal.SIGSTOP)
    result = place.finish(second)
    first.send_signal(signal.SIGCONT)
    ended(result, 0)
    same((result.last["state"], result.last["attempts"]), ("done", STEPS), result)
    fenced = place.finish(first)
    ended(fenced, 6)
    check_ledger(ledger)


def dies(place, store):
    first, ledger = begin(place, "--store", store, "--lease", "2")
    second = stands_by(place, store)
    first.kill()
    result = place.finish(second)
    place.finish(first)
    ended(result, 0)
    same((result.last["state"], result.last["attempts"]), ("done", STEPS), result)
    check_ledger(ledger)


@case
def a_stand_by_adopts_containers_that_run(place):
    if not containers_work(place.shardrun):
        raise Skip("no container can be run here")
    (place.path / "ledger").mkdir()
    ledger = place.write("ledger/lines", "")
    line = f"echo $SHARD_TASK $SHARD_ATTEMPT %s >> '{ledger}'"
    hold = f"{line % 'begin'}; until [ -e '{ledger.parent}/go' ]; do sleep 0.05; done; {line % 'end'}"
    place.workflow([task("a", hold), task("b", hold), task("c", line % "end", after=["a", "b"])])
    store = ["--store", place.path / "store.db"]
    first = place.start("run", "w.json", "--run", "r", "--lease", "2", "--mount", ledger.parent, "-q", *store)
    place.wait_for(lambda: len(ledger.read_text().splitlines()) == 2 or first.poll() is not None, "two containers")
    with open(place.path / "events", "w") as events:
        second = stands_by(place, store[1], stdout=events)
        first.kill()
        place.finish(first)
        place.wait_for(lambda: (place.path / "events").read_text().count("attempt_adopted") == 2 or
                       second.poll() is not None, "the adoption")
    same(sorted(ledger.read_text().splitlines()), ["a 1 begin", "b 1 begin"])
    place.write("ledger/go", "")
    ended(place.finish(second), 0)
    same(sorted(ledger.read_text().splitlines()), ["a 1 begin", "a 1 end", "b 1 begin", "b 1 end", "c 1 end"])


@case
def a_stand_by_takes_over_from_one_that_stalls(place):
    stalls(place, place.path / "store.db")


@case
def a_stand_by_takes_over_from_one_that_is_killed(place):
    dies(place, place.path / "store.db")


@case
def a_stand_by_takes_over_from_one_that_stalls_on_redis(place):
    server, url = redis(place)
    try:
        stalls(place, url)
    finally:
        server.kill()
        server.wait()


@case
def a_stand_by_takes_over_from_one_that_is_killed_on_redis(place):
    server, url = redis(place)
    try:
        dies(place, url)
    finally:
        server.kill()
        server.wait()


@case
def a_password_does_not_belong_in_a_url(place):
    result = place.call("status", "--store", "redis://user:secret@localhost/0")
    ended(result, 2, "password")
    assert "secret" not in result.err, result


@case
def a_server_that_is_not_there_is_told_at_once(place):
    ended(place.call("status", "--store", f"redis+unix://{place.path}/none"), 3, "No such file or directory")


main()
