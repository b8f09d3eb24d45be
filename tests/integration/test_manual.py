#!/usr/bin/python3
"""What CONTRIBUTING.md promises about comments in public headers: a small header, and the pages made of it.

usage: test_manual.py GENERATE_PY
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ERROR_H = """
/* Errors. */
enum shard_code { SHARD_ENOENT = -3, /* what was named is not there */ SHARD_EINVAL = -2 /* a bad argument */ };
"""

DEMO_H = """
/*
 * Demonstrations, for tests.
 *
 *   kept -> as it is
 */

/** What is shown. */
struct shard_demo_size {
    int width; /* in `cells` */
};

/**
 * Shows a demo, e.g. this one. Any thread may call it; see shard_demo_hide().
 *
 * - `size` is copied
 * - NULL is fine
 *
 * Returns 0, or 1 when it was shown before.
 * Errors: SHARD_ENOENT, SHARD_EINVAL (size is 0). Nothing is shown then.
 */
SHARD_API int shard_demo_show(const struct shard_demo_size *size, void (*done)(void *self, int how), void *self);
SHARD_API int shard_demo_hide(void);
"""


def generate(script, work, demo):
    include = work / "include" / "shard"
    include.mkdir(parents=True, exist_ok=True)
    (include / "error.h").write_text(ERROR_H)
    (include / "demo.h").write_text(demo)
    (work / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [1.2.3] - 2024-02-09\n")
    arguments = [include.parent, work / "CHANGELOG.md", "1.2.3", work / "man3", work / "man7", work / "depfile"]
    return subprocess.run([sys.executable, script, *map(str, arguments)], text=True, capture_output=True)


def check(script, work):
    """Yields (sentence, whether it holds)."""
    result = generate(script, work, DEMO_H)
    yield "pages are made without a word", result.returncode == 0 and not result.stderr
    page = (work / "man3" / "shard_demo_show.3").read_text()
    lines = page.split("\n")
    yield "the date is the newest release's", ".Dd February 9, 2024" in lines
    yield "the first sentence is the summary", ".Nd shows a demo, e.g. this one" in lines
    yield "a function without a comment shares the one above", ".Nm shard_demo_hide" in lines
    yield "and its page points there", (work / "man3" / "shard_demo_hide.3").read_text() == ".so man3/shard_demo_show.3\n"
    yield "a function parameter is one argument", '.Fa "void (*done)(void *self, int how)"' in lines
    yield "a list is a list", lines[lines.index(".Bl -bullet") + 1:][:3] == [".It", ".Fa size", "is copied"]
    yield "what is returned has its section", "Returns 0, or 1 when it was shown before." in page.split(".Sh RETURN VALUES")[1]
    errors = page.split(".Sh ERRORS")[1]
    yield "an error has its reason", ".It Dv SHARD_EINVAL\nSize is 0.\n" in errors
    yield "an error without one has error.h's", ".It Dv SHARD_ENOENT\nWhat was named is not there.\n" in errors
    yield "the rest of the errors follows", errors.index("Nothing is shown then.") > errors.index(".El")
    yield "a type that is used is shown", "struct shard_demo_size {" in page
    topic = (work / "man7" / "shard-demo.7").read_text()
    yield "a header has its page", ".Nd demonstrations, for tests" in topic and "What is shown." in topic
    yield "indented lines stay as they are", ".Bd -literal\n  kept -> as it is\n.Ed" in topic
    lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", work / "man3" / "shard_demo_show.3",
                           work / "man7" / "shard-demo.7"], text=True, capture_output=True)
    yield "mandoc has nothing to say", lint.stdout == "" and lint.returncode == 0
    result = generate(script, work, "SHARD_API int shard_silent(void);\n")
    yield "a function without any comment is an error", result.returncode != 0 and "shard_silent" in result.stderr


def main():
    with tempfile.TemporaryDirectory() as work:
        results = list(check(sys.argv[1], Path(work)))
    print(f"1..{len(results)}")
    for number, (sentence, holds) in enumerate(results, 1):
        print(f"{'ok' if holds else 'not ok'} {number} - {sentence}")
    sys.exit(0 if all(holds for _, holds in results) else 1)


main()
