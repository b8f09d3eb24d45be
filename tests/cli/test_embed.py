#!/usr/bin/python3
"""The embedding examples run their workflow, and README shows the one with poll() as it is.

usage: test_embed.py README SOURCE PROGRAM..."""

import re
import subprocess
import sys
from pathlib import Path

readme, source, *programs = sys.argv[1:]
failed = 0
print(f"1..{len(programs) + 2}")


def tell(number, name, passed, why=""):
    global failed
    failed += not passed
    print(f"{'ok' if passed else 'not ok'} {number} - {name}")
    if not passed:
        print("#", why.replace("\n", "\n# "))


for number, program in enumerate(programs, 1):
    result = subprocess.run([program], text=True, capture_output=True, timeout=60)
    lines = result.stdout.splitlines()
    order = {line: place for place, line in enumerate(lines)}
    done = [order.get(f"task {task} is done", -1) for task in range(4)]
    passed = (result.returncode == 0 and lines[-1:] == ["the run is done"] and min(done) >= 0
              and done[0] < min(done[1:3]) and max(done[1:3]) < done[3])
    tell(number, f"{Path(program).name} runs each task after those before it", passed, f"{result}")

text = Path(source).read_text()
blocks = re.findall(r"^```c\n(.*?)^```", Path(readme).read_text(), re.S | re.M)
code = text.split("*/\n", 1)[1]  # without the licence line
tell(len(programs) + 1, "README has the example with poll()", any(block.strip() == code.strip() for block in blocks),
     "no block of C in README is the file")
main = text[text.index("int main(void)"):]
tell(len(programs) + 2, "its main has at most 60 lines", main.count("\n") <= 60, f"{main.count(chr(10))} lines")
sys.exit(1 if failed else 0)
