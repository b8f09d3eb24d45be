#!/usr/bin/python3
"""dag and report: what shardrun draws. usage: test_pictures.py SHARDRUN [CASE...]"""

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

from cases import *

SVG = "{http://www.w3.org/2000/svg}"
MONTAGE = Path(__file__).resolve().parents[1] / "data/workflows/montage-chameleon-2mass-025d-001.json"
VOID = {"meta", "br", "hr", "link", "img", "input"}
MAY_STAY_OPEN = {"th", "td", "tr", "p"}  # their end tags are optional in HTML


class Page(HTMLParser):
    """Reads a page and refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        self.drop_optional()
        assert not self.open, f"never closed: {self.open}"

    def drop_optional(self):
        while self.open and self.open[-1] in MAY_STAY_OPEN:
            self.open.pop()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in MAY_STAY_OPEN:
            self.open.pop()
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)


def svg_of(place, *arguments):
    result = place.call("dag", *arguments, "--format=svg")
    ended(result, 0)
    return ElementTree.fromstring(result.out), result.out


def classes(tree, wanted):
    return [e for e in tree.iter() if wanted in (e.get("class") or "").split()]


def chain(place, count):
    place.workflow([{"name": f"t{i}", "kind": "even" if i % 2 == 0 else "odd", "expected_seconds": 1,
                     **({"after": [f"t{i - 1}"]} if i else {})} for i in range(count)])


@case
def dot_has_each_task_and_edge(place):
    result = place.call("dag", MONTAGE)
    ended(result, 0)
    same(len(re.findall(r"^  n\d+ \[", result.out, re.M)), 619)
    same(len(re.findall(r"^  n\d+ -> n\d+", result.out, re.M)), 1641)


@case
def names_are_quoted_in_dot(place):
    place.workflow([{"name": 'say "hi" \\ there'}])
    result = place.call("dag", "w.json")
    assert r'label="say \"hi\" \\ there"' in result.out, result


@case
def the_picture_has_each_task_and_the_critical_path(place):
    tree, _ = svg_of(place, MONTAGE)
    same(len(classes(tree, "n")), 619)
    same(len(classes(tree, "critical")), 8)
    same(len(classes(tree, "critical-edge")), 7)


@case
def no_two_boxes_overlap_and_none_leaves_the_picture(place):
    tree, _ = svg_of(place, MONTAGE)
    boxes = [[float(e.get(k)) for k in ("x", "y", "width", "height")] for e in classes(tree, "n")]
    width, height = float(tree.get("width")), float(tree.get("height"))
    rows = {}
    for x, y, w, h in boxes:
        assert 0 <= x and x + w <= width and 0 <= y and y + h <= height, (x, y, w, h)
        rows.setdefault(y, []).append((x, x + w))
    for row in rows.values():
        row.sort()
        assert all(a[1] <= b[0] for a, b in zip(row, row[1:])), row


@case
def many_tasks_are_drawn_by_kind_and_level(place):
    place.workflow([{"name": f"t{i}", "kind": f"k{i % 3}"} for i in range(2000)])
    tree, text = svg_of(place, "w.json")
    same(len(classes(tree, "n")), 3)
    assert "667" in text and len(text) < 20000, len(text)
    tree, _ = svg_of(place, "w.json", "--group=never")
    same(len(classes(tree, "n")), 2000)


@case
def a_long_chain_stays_a_small_picture(place):
    chain(place, 5000)
    tree, text = svg_of(place, "w.json")
    assert len(classes(tree, "n")) <= 300 and len(text) < 500000, len(text)


@case
def grouping_can_be_asked_for(place):
    chain(place, 4)
    same(len(classes(svg_of(place, "w.json")[0], "n")), 4)
    result = place.call("dag", "w.json", "--group=always")
    assert "tasks=1" in result.out and "-> n1 [label=1" in result.out, result


@case
def an_empty_workflow_has_a_picture(place):
    place.workflow([])
    svg_of(place, "w.json")
    ended(place.call("dag", "w.json"), 0)


@case
def names_mean_nothing_in_the_picture(place):
    place.workflow([{"name": "<script>&\"'", "kind": "</title><b>"}], name="w.json")
    tree, text = svg_of(place, "w.json")
    assert "<script" not in text and "<b>" not in text
    assert any(e.text and "<script>&\"'" in e.text for e in tree.iter(SVG + "title"))


@case
def the_name_of_the_output_says_the_format(place):
    chain(place, 2)
    ended(place.call("dag", "w.json", "-o", "w.svg"), 0)
    assert (place.path / "w.svg").read_text().startswith("<svg")
    ended(place.call("dag", "w.json", "-o", "w.dot"), 0)
    assert (place.path / "w.dot").read_text().startswith("digraph")


@case
def what_cannot_be_drawn_is_refused(place):
    chain(place, 2)
    ended(place.call("dag", "absent.json"), 2, "absent.json")
    ended(place.call("dag", "w.json", "--format=png"), 2, "dot or svg")
    ended(place.call("dag", "w.json", "-o", "no/where/w.svg"), 3, "no/where/w.svg")
    ended(place.call("dag"), 2, "FILE")


def run_once(place, *options):
    place.workflow([task("good", ["true"]), task("bad", "echo 'the reason <b>why</b>' >&2; exit 3", max_attempts=2),
                    task("after", ["true"], after=["bad"])])
    return place.call("run", "w.json", "--executor", "process", "--run", "r", "--keep-going", *options)


@case
def a_run_leaves_a_report_that_says_what_failed(place):
    result = run_once(place, "--json")
    same(result.code, 1)
    path = Path(result.last["report"])
    same(path.name, "report.html")
    page = Page(path.read_text())
    words = " ".join(page.words)
    for wanted in ("the reason <b>why</b>", "task_error", "tried again (1 of 2)", "given up: no attempts left"):
        assert wanted in words, wanted
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe", "b>why")]


@case
def the_report_can_be_made_again_from_the_store(place):
    first = Path(run_once(place, "--json").last["report"]).read_text()
    result = place.call("report", "r", "-o", "again.html")
    ended(result, 0)
    same(result.out, "again.html\n")
    same((place.path / "again.html").read_text(), first)


@case
def the_report_goes_where_it_is_asked_for_or_nowhere(place):
    run_once(place, "--report", "mine.html")
    Page((place.path / "mine.html").read_text())
    assert not (place.run_directory("r") / "report.html").exists()
    chain_result = place.call("run", "w.json", "--executor", "process", "--run", "s", "--no-report", "--json")
    assert "report" not in chain_result.last, chain_result
    assert not (place.run_directory("s") / "report.html").exists()


@case
def a_report_of_a_run_that_is_not_there_is_refused(place):
    run_once(place)
    ended(place.call("report", "absent"), 2, "absent")
    ended(place.call("report", "r", "--store", "absent.db"), 3, "absent.db")
    ended(place.call("report", "r", "--store", "memory:"), 2, "keeps no runs")
    ended(place.call("report", "r", "-o", "no/where.html"), 3, "no/where.html")


main()
