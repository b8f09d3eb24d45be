#!/usr/bin/python3
"""Commands that only read files: check, import, version; and the command line itself."""

from cases import *

NATIVE = {"format": "libshard-workflow", "version": 1}


def checked(place, text, **options):
    place.write("w.json", text)
    result = place.call("check", "w.json", "--json", **options)
    return result.code, result.last


@case
def check_counts_tasks_edges_and_files(place):
    place.workflow([task("a", ["true"], outputs=["x"]), task("b", ["true"], inputs=["x"]),
                    task("c", ["true"], after=["a", "b"])])
    result = place.call("check", "w.json", "--json")
    ended(result, 0)
    same({k: result.last[k] for k in ("valid", "format", "tasks", "edges", "files", "errors")},
         {"valid": True, "format": "native", "tasks": 3, "edges": 3, "files": 1, "errors": []})


@case
def check_says_where_a_file_is_wrong(place):
    text = '{"format": "libshard-workflow",\n "version": 1, "tasks": [{"name": "a", "units": -1}]}'
    code, answer = checked(place, text)
    same((code, answer["valid"]), (2, False))
    same(answer["errors"][0]["pointer"], "/tasks/0/units")
    same(answer["errors"][0]["line"], 2)


@case
def check_reads_standard_input(place):
    text = json.dumps({**NATIVE, "tasks": []})
    result = place.call("check", "-", "--json", text=text)
    ended(result, 0)
    same(result.last["tasks"], 0)


@case
def bad_files_are_refused_with_a_message_and_exit_code_2(place):
    one = json.dumps({**NATIVE, "tasks": [task("a", ["true"])]})
    bad = {
        "not JSON": "hello",
        "truncated": one[:-3],
        "duplicate key": one.replace('"version": 1', '"version": 1, "version": 1'),
        "wrong type": one.replace('"a"', "7"),
        "edge to nowhere": json.dumps({**NATIVE, "tasks": [task("a", ["true"], after=["b"])]}),
        "two of a name": json.dumps({**NATIVE, "tasks": [task("a", ["true"]), task("a", ["true"])]}),
        "nesting": "[" * 1000000,
        "WfFormat of the future": '{"schemaVersion": "9.9", "workflow": {}}',
        "newline in a name": json.dumps({**NATIVE, "tasks": [task("a\nb", ["true"])]}),
        "NUL in a name": json.dumps({**NATIVE, "tasks": [task("a\0b", ["true"])]}),
        "long name": json.dumps({**NATIVE, "tasks": [task("a" * 10000, ["true"])]}),
        "overflow": one.replace('"name": "a"', '"name": "a", "memory_bytes": 1e400'),
    }
    for what, text in bad.items():
        code, answer = checked(place, text)
        assert code == 2 and not answer["valid"] and answer["errors"][0]["message"], f"{what}: {code} {answer}"
        result = place.call("run", "w.json", "--executor", "process")
        assert result.code == 2 and "w.json" in result.err, f"{what}: {result}"
    assert not (place.path / ".shardrun").exists(), "a refused file left something behind"


@case
def a_cycle_is_named(place):
    place.workflow([task(name, ["true"], after=[before]) for name, before in ("ac", "ba", "cb")])
    ended(place.call("check", "w.json"), 2, "a -> ", "b -> ", "c")


@case
def an_unknown_placeholder_is_named_with_its_task(place):
    place.workflow([task("good", "echo ${HOME} {{ a; } {task}"), task("bad", ["echo", "{ouput}"])])
    ended(place.call("check", "w.json"), 2, "task 'bad'", "'{ouput}'")
    ended(place.call("run", "w.json", "--executor", "process"), 2, "task 'bad'", "'{ouput}'")


@case
def a_payload_with_a_typing_error_is_refused(place):
    place.workflow([{"name": "a", "payload": {"comand": ["true"]}}])
    ended(place.call("check", "w.json"), 2, "task 'a'", "did you mean 'command'?")


@case
def import_writes_what_check_accepts(place):
    wfformat = {"schemaVersion": "1.5", "name": "w", "workflow": {
        "specification": {"tasks": [
            {"name": "a", "id": "a", "parents": [], "children": ["b"], "inputFiles": [], "outputFiles": ["x"]},
            {"name": "b", "id": "b", "parents": ["a"], "children": [], "inputFiles": ["x"], "outputFiles": []}],
            "files": [{"id": "x", "sizeInBytes": 5}]},
        "execution": {"makespanInSeconds": 3, "executedAt": "", "tasks": [
            {"id": "a", "runtimeInSeconds": 1.5}, {"id": "b", "runtimeInSeconds": 0}], "machines": []}}}
    place.write("wf.json", json.dumps(wfformat))
    ended(place.call("import", "wf.json", "-o", "native.json"), 0)
    result = place.call("check", "native.json", "--json")
    ended(result, 0)
    same((result.last["format"], result.last["tasks"], result.last["edges"]), ("native", 2, 1))
    ended(place.call("run", "wf.json", "--executor", "process"), 2, "--replay")


@case
def import_to_where_it_cannot_write_says_so(place):
    place.workflow([])
    ended(place.call("import", "w.json", "-o", "none/native.json"), 3, "none/native.json")


@case
def unknown_commands_and_options_suggest_the_nearest(place):
    ended(place.call("chekc", "w.json"), 2, "did you mean 'check'?")
    ended(place.call("run", "w.json", "--hots", "2"), 2, "did you mean '--hosts'?")
    ended(place.call("run"), 2, "FILE is missing")
    ended(place.call("run", "w.json", "--executor", "cloud"), 2, "container or process")
    ended(place.call("run", "w.json", "--retries", "oom=3"), 2, "out_of_memory")
    ended(place.call(), 2, "commands:")


@case
def help_and_version_go_to_standard_output(place):
    result = place.call("--help")
    ended(result, 0)
    assert "resume" in result.out and not result.err, result
    assert place.call("version").out.startswith("shardrun "), "version"
    assert "--hosts" in place.call("run", "--help").out, "help of run"


main()
