#!/usr/bin/python3
"""Stopping and going on: signals, kill -9, resume, leases; with plain processes."""

from cases import *

STEPS = 5


def chain(place, command="sleep 0.3"):
    """Tasks in a line, each writing to a ledger when it begins and ends."""
    ledger = place.path / "ledger"
    ledger.touch()
    line = f"echo $SHARD_TASK $SHARD_ATTEMPT %s >> '{ledger}'"
    place.workflow([task(f"t{i}", f"{line % 'begin'}; {command}; {line % 'end'}", after=[f"t{i - 1}"] if i else [])
                    for i in range(STEPS)])
    return ledger


def begin(place, *options):
    """A run whose first task has begun."""
    ledger = chain(place)
    process = place.start("run", "w.json", "--executor", "process", "--run", "r", "--json", *options)
    place.wait_for(lambda: ledger.read_text(), "the first task")
    return process, ledger


def check_ledger(ledger):
    lines = ledger.read_text().splitlines()
    same(sorted(lines), sorted(f"t{i} 1 {what}" for i in range(STEPS) for what in ("begin", "end")))


@case
def sigint_lets_what_runs_end_and_resume_goes_on(place):
    process, ledger = begin(place)
    process.send_signal(signal.SIGINT)
    result = place.finish(process)
    ended(result, 4, "draining")
    same(result.last["state"], "suspended")
    assert 1 <= result.last["done"] < STEPS, result
    same(result.last["done"] * 2, len(ledger.read_text().splitlines()))
    again = place.call("resume", "r", "--json")
    ended(again, 0)
    same((again.last["state"], again.last["done"], again.last["attempts"]), ("done", STEPS, STEPS), again)
    check_ledger(ledger)


@case
def a_second_sigint_cancels_and_nothing_is_left_running(place):
    ledger = chain(place, "echo $$ > pid; sleep 1000; true")
    heard = place.path / "heard"
    process = place.start("run", "w.json", "--executor", "process", "--run", "r", "--json", stderr=heard.open("w"))
    place.wait_for(lambda: list(place.path.glob(".shardrun/runs/r/work/common/.out/*/pid")) and ledger.read_text())
    pid_file = list(place.path.glob(".shardrun/runs/r/work/common/.out/*/pid"))[0]
    place.wait_for(pid_file.read_text)
    pid = int(pid_file.read_text())
    process.send_signal(signal.SIGINT)
    place.wait_for(lambda: "draining" in heard.read_text(), "the first signal")
    process.send_signal(signal.SIGINT)
    result = place.finish(process)
    result.err = heard.read_text()
    ended(result, 5, "cancelling")
    same(result.last["state"], "cancelled")
    place.wait_for(lambda: not is_alive(pid), "the end of the command")
    again = place.call("resume", "r", "--json")
    ended(again, 5)
    same(again.last["state"], "cancelled")


@case
def sigterm_is_as_sigint(place):
    process, _ = begin(place)
    process.terminate()
    ended(place.finish(process), 4, "draining")


@case
def sighup_lets_go_at_once_and_resume_adopts(place):
    process, ledger = begin(place)
    process.send_signal(signal.SIGHUP)
    ended(place.finish(process), 4)
    ended(place.call("resume", "r", "-q"), 0)
    check_ledger(ledger)


@case
def a_run_goes_on_when_nobody_reads_its_events_any_more(place):
    process, ledger = begin(place)
    process.stdout.close()
    same(process.wait(DEADLINE), 0)
    check_ledger(ledger)


@case
def after_kill_9_resume_adopts_what_runs_and_runs_nothing_twice(place):
    process, ledger = begin(place)
    for _ in range(3):
        process.kill()
        process.communicate()
        seen = len(ledger.read_text().splitlines())
        process = place.start("resume", "r", "--json")
        place.wait_for(lambda: len(ledger.read_text().splitlines()) > seen or process.poll() is not None)
    result = place.finish(process)
    ended(result, 0)
    same((result.last["state"], result.last["done"]), ("done", STEPS), result)
    # An attempt whose start was recorded, but that was not launched yet, is tried again; what has begun is not.
    same(result.last["attempts"], STEPS + result.last["failures"].get("host_lost", 0), result)
    same(sorted(line.split()[::2] for line in ledger.read_text().splitlines()),
         sorted([f"t{i}", what] for i in range(STEPS) for what in ("begin", "end")))


@case
def status_shows_a_run_while_another_process_works_on_it(place):
    process, _ = begin(place)
    status = place.call("status", "r", "--json")
    ended(status, 0)
    same((status.last["state"], status.last["owner_alive"]), ("active", True))
    assert "t0" in place.call("explain", "r", "t1").out, "what t1 waits for"
    process.kill()
    process.communicate()
    same(place.call("status", "r", "--json").last["owner_alive"], False)
    assert "shardrun resume r" in place.call("status", "r").out, "what to do next"
    place.call("resume", "r", "-q")


@case
def a_run_that_another_process_holds_cannot_be_resumed(place):
    process, _ = begin(place)
    process.send_signal(signal.SIGSTOP)
    ended(place.call("resume", "r"), 6, "holds")
    process.send_signal(signal.SIGCONT)
    ended(place.finish(process), 0)


@case
def a_run_whose_process_dies_while_it_is_looked_at_is_resumed(place):
    process, ledger = begin(place)
    process.send_signal(signal.SIGSTOP)
    second = place.start("resume", "r", "--json")
    lease = place.path / ".shardrun/store.db-lease"
    place.wait_for(lambda: any(os.path.exists(fd) and os.path.samefile(fd, lease)
                               for fd in Path(f"/proc/{second.pid}/fd").glob("*")), "the second to look")
    process.kill()
    process.communicate()
    ended(place.finish(second), 0)
    check_ledger(ledger)


@case
def runs_of_one_name_in_two_stores_have_cgroups_of_their_own(place):
    place.workflow([task("a", "cat /proc/self/cgroup > {output}", outputs=["groups"])])
    groups = []
    for store in ("a", "b"):
        ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "-q", "--store", f"{store}/s.db"), 0)
        lines = (place.path / store / "runs/r/work/common/groups").read_text().split()
        groups.append({os.path.dirname(line.split(":")[2]) for line in lines if "shardrun" in line})
    if not groups[0]:
        raise Skip("no cgroups here")
    same(groups[0] & groups[1], set())


@case
def resume_of_a_run_that_is_done_says_so(place):
    place.workflow([task("a", ["true"])])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "-q"), 0)
    result = place.call("resume", "r", "--json")
    ended(result, 0)
    same((result.last["event"], result.last["state"], result.last["done"]), ("run_finished", "done", 1))


@case
def resume_of_what_is_not_there_says_so(place):
    ended(place.call("resume", "r"), 2, "there is no run 'r'")
    place.workflow([task("a", ["true"])])
    ended(place.call("run", "w.json", "--executor", "process", "--run", "r", "-q"), 0)
    # As if the store had lost it; then as if shardrun had been killed between making the run's files and storing the run.
    os.rename(place.run_directory("r"), place.run_directory("s"))
    ended(place.call("resume", "s"), 3, "it has lost the run")
    (place.run_directory("s") / "epoch").unlink()
    ended(place.call("resume", "s"), 2, "start it again")


@case
def an_output_that_was_lost_meanwhile_is_made_again(place):
    place.workflow([task("a", "echo made >> {output}", outputs=["x"]), task("b", "touch begun; sleep 0.5", after=["a"]),
                    task("c", "cat {input} > {output}", after=["b"], inputs=["x"], outputs=["y"])])
    process = place.start("run", "w.json", "--executor", "process", "--run", "r")
    place.wait_for(lambda: list(place.path.glob(".shardrun/runs/r/work/common/.out/1.1/begun")))
    process.send_signal(signal.SIGINT)
    ended(place.finish(process), 4)
    (place.run_directory("r") / "work/common/x").unlink()
    result = place.call("resume", "r", "--json")
    ended(result, 0)
    same(place.output("r", "y"), "made\n")


@case
def options_of_the_run_hold_for_its_resume(place):
    place.write("h.json", json.dumps({"hosts": [{"name": "odd", "cpu_millicores": 1000, "slots": 1}]}))
    process, _ = begin(place, "--hosts", "h.json", "--policy", "round_robin")
    process.send_signal(signal.SIGINT)
    ended(place.finish(process), 4)
    os.unlink(place.path / "h.json")
    result = place.call("resume", "r", "--json")
    ended(result, 0)
    same({o["host"] for o in result.objects if o["event"] == "attempt_ended"}, {"odd"})
    same([o["policy"] for o in result.objects if o["event"] == "run_started"], ["round_robin"])


main()
