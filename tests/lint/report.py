"""How a check ends: what is wrong, a line each, and the exit code that says so."""

import sys


def finish(problems):
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
