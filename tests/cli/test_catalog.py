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


main()
