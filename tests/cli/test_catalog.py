#!/usr/bin/python3
"""Runs with a catalog: where the workflow goes to or comes from, and what plain git sees of the run."""

from cases import *


def git(place, *arguments):
    environment = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", HOME=str(place.path), GIT_AUTHOR_NAME="else",
                       GIT_AUTHOR_EMAIL="else@localhost", GIT_COMMITTER_NAME="else", GIT_COMMITTER_EMAIL="else@localhost")
    return subprocess.run(["git", *arguments], cwd=place.path, check=True, text=True, capture_output=True,
                          env=environment).stdout.strip()


def remote(place):
    git(place, "init", "-q", "--bare", "-b", "main", "remote")
    return f"file://{place.path}/remote"


def run(place, file, *options):
    return place.call("run", file, "--executor", "process", "-q", "--no-report", *options)


@case
def a_run_publishes_its_workflow_and_what_was_decided(place):
    url = remote(place)
    place.workflow([task("whole", ["true"], units=4, parts=2), task("next", ["true"], after=["whole"])])
    ended(run(place, "w.json", "--run", "r1", "--catalog", url), 0)
    messages = git(place, "-C", "remote", "log", "--reverse", "--format=%B", "main")
    assert messages.startswith("Publish the workflow of run r1"), messages
    assert "whole: split\n\nTask: whole\nRun: r1\nReason: parts asked for" in messages, messages
    same(messages.count("Task: "), 1)
    options = json.loads((place.run_directory("r1") / "options.json").read_text())
    same(options["catalog_commit"], git(place, "-C", "remote", "rev-list", "--max-parents=0", "main"))
    assert git(place, "-C", "remote", "log", "--format=%s", "--", "tasks/*/whole-*.log"), "its history is empty"


@case
def a_workflow_of_the_catalog_runs_at_any_revision(place):
    url = remote(place) + "#flows"
    for word in ("old", "new"):
        place.workflow([task("t", ["sh", "-c", f"echo {word} >out"], outputs=["out"])])
        ended(run(place, "w.json", "--run", word, "--catalog", url), 0)
    first = git(place, "-C", "remote", "rev-list", "--max-parents=0", "flows")
    ended(run(place, "catalog:", "--run", "tip", "--catalog", url), 0)
    ended(run(place, f"catalog:{first}", "--run", "first", "--catalog", url), 0)
    same(place.output("tip", "out"), "new\n")
    same(place.output("first", "out"), "old\n")


@case
def a_run_goes_on_when_the_remote_is_gone(place):
    url = remote(place)
    place.workflow([task("t", ["sh", "-c", f"mv '{place.path}/remote' '{place.path}/away'"])])
    ended(run(place, "w.json", "--run", "r", "--catalog", url), 0)
    (place.path / "away").rename(place.path / "remote")
    ended(run(place, "catalog:", "--run", "r2", "--catalog", url), 0)


@case
def a_catalog_that_cannot_serve_ends_the_command(place):
    place.workflow([task("t", ["true"])])
    ended(run(place, "catalog:"), 2, "needs --catalog URL")
    ended(run(place, "w.json", "--catalog", f"{place.path}/nowhere"), 3, "nowhere", "cannot be reached")
    url = remote(place)
    result = run(place, "catalog:", "--catalog", url)
    assert result.code in (2, 3) and "publish a workflow first" in result.err, result
    assert not (place.path / ".shardrun/runs").exists() or not list((place.path / ".shardrun/runs").iterdir())


@case
def a_bad_task_is_named(place):
    url = remote(place)
    place.workflow([task("t", ["true"])])
    ended(run(place, "w.json", "--run", "r", "--catalog", url), 0)
    git(place, "clone", "-q", "remote", "clone")
    file = next(place.path.glob("clone/tasks/*/*/*/t-*.json"))
    file.write_text('{"name": "t", "failure_cost_seconds": "much"}')
    git(place, "-C", "clone", "commit", "-q", "-a", "-m", "broken")
    git(place, "-C", "clone", "push", "-q")
    result = run(place, "catalog:", "--catalog", url)
    assert result.code in (2, 3) and f"{file.name}:1:" in result.err and "/failure_cost_seconds" in result.err, result


def amend_elsewhere(place, name, **fields):
    """An ordinary commit, pushed by plain git."""
    if not (place.path / "clone").exists():
        git(place, "clone", "-q", "remote", "clone")
    git(place, "-C", "clone", "pull", "-q", "--rebase")
    file = next(place.path.glob(f"clone/tasks/*/*/*/{name}-*.json"))
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}, indent=1))
    git(place, "-C", "clone", "commit", "-q", "-a", "-m", f"amend {name}")
    git(place, "-C", "clone", "push", "-q")
    return git(place, "-C", "clone", "rev-parse", "HEAD")


def lines_of(place, run, name, word):
    story = place.call("explain", run, name)
    ended(story, 0)
    return [line for line in story.out.splitlines() if word in line]


def started_under(place, run, name, commit):
    started, = lines_of(place, run, name, "attempt 1 started")
    assert f"catalog commit {commit[:12]}" in started, started


def waiting_run(place, url, *options):
    """The second of two tasks starts when the file "go" is there."""
    place.workflow([task("first", ["sh", "-c", f"while [ ! -e '{place.path}/go' ]; do sleep 0.05; done"]),
                    task("second", ["true"], after=["first"], memory_bytes=1 << 20)])
    process = place.start("run", "w.json", "--executor", "process", "--no-report", "--run", "r", "--catalog", url,
                          "--catalog-interval", "0.1", *options)
    place.wait_for(lambda: "first-" in subprocess.run(["git", "-C", "remote", "ls-tree", "-r", "main"], text=True,
                                                      cwd=place.path, capture_output=True).stdout, "the workflow")
    return process


@case
def a_commit_made_elsewhere_amends_a_task_that_has_not_started(place):
    url = remote(place)
    process = waiting_run(place, url)
    first = git(place, "-C", "remote", "rev-parse", "main")
    commit = amend_elsewhere(place, "second", memory_bytes=2 << 20, expected_seconds=7, failure_cost_seconds=60)
    place.wait_for(lambda: lines_of(place, "r", "second", "amended by"), "the amendment")
    (place.path / "go").touch()
    ended(place.finish(process), 0, f"task 'second' is amended by catalog commit {commit[:12]}")
    amended, = lines_of(place, "r", "second", "amended by")
    for text in (commit, '"memory_bytes": 2097152', '"expected_seconds": 7', '"failure_cost_seconds": 60'):
        assert text in amended, amended
    started_under(place, "r", "second", commit)
    started_under(place, "r", "first", first)


@case
def an_amendment_outlives_kill_9(place):
    url = remote(place)
    process = waiting_run(place, url)
    old = amend_elsewhere(place, "second", expected_seconds=7)
    place.wait_for(lambda: lines_of(place, "r", "second", "amended by"), "the amendment")
    process.kill()
    place.finish(process)
    (place.path / "go").touch()
    (place.path / "remote").rename(place.path / "away")  # what was amended is known without the remote
    ended(place.call("resume", "r", "--no-report"), 0)
    started_under(place, "r", "second", old)


@case
def what_was_amended_while_nobody_looked_counts(place):
    url = remote(place)
    process = waiting_run(place, url)
    process.kill()
    place.finish(process)
    commit = amend_elsewhere(place, "second", expected_seconds=7)
    process = place.start("resume", "r", "--no-report")
    place.wait_for(lambda: lines_of(place, "r", "second", "amended by"), "the amendment")
    (place.path / "go").touch()
    ended(place.finish(process), 0)
    started_under(place, "r", "second", commit)


@case
def a_run_of_a_named_revision_keeps_to_it(place):
    url = remote(place)
    place.workflow([task("t", ["sh", "-c", f"touch '{place.path}/began'; while [ ! -e '{place.path}/go' ]; do "
                                           "sleep 0.05; done"]), task("u", ["true"], after=["t"])])
    (place.path / "go").touch()
    ended(run(place, "w.json", "--run", "r1", "--catalog", url), 0)
    first = git(place, "-C", "remote", "rev-parse", "main")
    amend_elsewhere(place, "u", expected_seconds=7)
    ended(run(place, f"catalog:{first}", "--run", "r2", "--catalog", url, "--catalog-interval", "0.1"), 0)
    same(lines_of(place, "r2", "u", "amended by"), [])
    started_under(place, "r2", "u", first)


@case
def log_tells_the_commits_that_touched_a_task(place):
    url = remote(place)
    place.workflow([task("whole", ["true"], units=4, parts=2), task("next", ["true"], after=["whole"])])
    ended(run(place, "w.json", "--run", "r1", "--catalog", url), 0)
    amend_elsewhere(place, "next", expected_seconds=7)
    amend_elsewhere(place, "whole", failure_cost_seconds=7)
    text = place.call("log", "whole", "--catalog", url)
    ended(text, 0)
    catalog = text.out.split(f"catalog {url}\n")[1].splitlines()
    same(len(catalog), 3)
    assert "by libshard changed it: Publish the workflow of run r1" in catalog[0], catalog
    assert catalog[1].endswith("by libshard: whole: split"), catalog
    assert catalog[2].endswith("by else changed it: amend whole"), catalog
    commits = [o for o in place.call("log", "whole", "--catalog", url, "--json").objects if "message" in o]
    same([c["is_change"] for c in commits], [True, False, True])
    assert "Reason: parts asked for" in commits[1]["message"], commits
    same(commits[2]["catalog_commit"], git(place, "-C", "clone", "rev-parse", "HEAD"))


def doctor_of(place, url):
    result = place.call("doctor", "--executor", "process", "--json", "--catalog", url)
    finding, = (o for o in result.objects if o["check"] == "catalog")
    return result.code, finding["state"], finding["found"] + " | " + finding["fix"]


@case
def doctor_looks_at_the_catalog(place):
    url = remote(place)
    code, state, text = doctor_of(place, url)
    same((code, state), (0, "ok"), text)
    assert "has no workflow yet" in text, text
    place.workflow([task("t", ["true"])])
    ended(run(place, "w.json", "--run", "r", "--catalog", url), 0)
    same(doctor_of(place, url)[:2], (0, "ok"))
    amend_elsewhere(place, "t", failure_cost_seconds="much")
    (place.path / ".shardrun").rename(place.path / "old")
    code, state, text = doctor_of(place, url)
    same((code, state), (0, "warning"), text)
    assert "/failure_cost_seconds" in text and "correct the files" in text, text
    code, state, text = doctor_of(place, f"{place.path}/nowhere")
    same((code, state), (3, "failed"), text)
    assert "cannot be reached" in text and "git ls-remote" in text, text
    git(place, "init", "-q", "--bare", "plain")
    (place.path / "plain/objects").rename(place.path / "plain/gone")
    code, state, text = doctor_of(place, f"{place.path}/plain")
    same((code, state), (3, "failed"), text)


@case
def a_trained_model_goes_with_the_catalog(place):
    url = remote(place)
    place.write("t.csv", "t,te,y,moon\n" + "".join(f"{i},{i + 1},{i % 3 == 0:d},{i % 3}\n" for i in range(600)))
    ended(place.call("train", "t.csv", "-o", "m.model", "--catalog", url), 0)
    same(subprocess.run(["git", "-C", "remote", "show", "main:models/learned.model"], cwd=place.path, check=True,
                        capture_output=True).stdout, (place.path / "m.model").read_bytes())
    assert "columns: " in git(place, "-C", "remote", "show", "main:models/learned.txt")
    place.workflow([task("t", ["true"])])
    other = place.start("run", f"{place.path}/w.json", "--executor", "process", "-q", "--no-report", "--catalog", url)
    result = place.finish(other)
    same(result.code, 0)
    # What it was trained on are no columns of a run: it is left out, and said to be.
    assert "the model that was learned is left out" in result.err, result


@case
def a_quarantine_is_a_commit(place):
    url = remote(place)
    # What starts at once everywhere fails where it is sick: no other host has done better by then.
    place.workflow([dict(task(f"t{i}", f"sleep 0.2; {SICK}"), kind=f"k{i % 4}") for i in range(60)])
    result = run(place, "w.json", "--hosts", "4", "--retries", "task_error=100", "--run", "r", "--catalog", url)
    ended(result, 0, "host 'host-3' is quarantined: ")
    messages = git(place, "-C", "remote", "log", "--reverse", "--format=%B", "main", "--", "hosts")
    assert messages.startswith("host-3: quarantined\n\nHost: host-3\nRun: r\nReason: "), messages
    assert "attempts failed by its doing" in messages, messages
    file, = git(place, "-C", "remote", "ls-tree", "-r", "--name-only", "main", "hosts").splitlines()
    assert "quarantined in r: " in git(place, "-C", "remote", "show", f"main:{file}")
    git(place, "-C", "remote", "fsck", "--strict")


@case
def what_a_run_has_learned_forecasts_elsewhere(place):
    url = remote(place)
    sick_run(place, "--no-learning")
    learning_run(place, "--catalog", url)
    model = subprocess.run(["git", "-C", "remote", "show", "main:models/learned.model"], cwd=place.path, check=True,
                           capture_output=True).stdout
    same(model, (place.path / ".shardrun/learned.model").read_bytes())
    assert "columns: " in git(place, "-C", "remote", "show", "main:models/learned.txt")
    # Another machine, with a store of its own.
    (place.path / ".shardrun").rename(place.path / "old")
    place.workflow([dict(task("t0", "true"), kind="align")])
    ended(run(place, "w.json", "--run", "three", "--catalog", url), 0)
    same((place.path / ".shardrun/learned.model").read_bytes(), model)
    told, = lines_of(place, "three", "t0", "why, by the model that was in use")


main()
