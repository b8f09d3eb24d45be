"""Reads the public headers: which functions there are, what their comments say, which types they name.

The comment convention (CONTRIBUTING.md has it for writers):

- A block that starts with "/**" stands directly above what it describes.
- Its first sentence is the summary. Blank lines separate paragraphs. " * - " starts a list item.
- A line that starts with "Returns" begins what is returned, one that starts with "Errors:" the errors.
- Functions that follow each other without a comment of their own share the block above the first.

This file knows C as far as our headers use it, and nothing about man pages.
"""

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Doc:
    """A comment block, taken apart. Paragraphs are strings; a list is a list of strings."""

    summary: str = ""
    description: list = field(default_factory=list)
    returns: list = field(default_factory=list)
    errors: str = ""


@dataclass
class Function:
    name: str
    returns: str
    parameters: list
    header: str
    prototype: str


@dataclass
class Group:
    """Functions that share one comment; the first one names the page."""

    doc: Doc
    functions: list
    header: str


@dataclass
class Type:
    """A struct, enum or function type as it stands, with the comment above it, if any."""

    name: str
    definition: str
    doc: Doc


@dataclass
class Header:
    name: str
    intro: list
    types: list = field(default_factory=list)
    groups: list = field(default_factory=list)


class Literal(str):
    """Text that is not to be filled."""


class HeaderError(Exception):
    pass


ITEM = re.compile(
    r"""(?P<comment>/\*.*?\*/)
      | (?P<function>SHARD_API\b[^;]*;)
      | (?P<body>(?:typedef\s+)?(?:struct|enum)\s+\w*\s*\{.*?\n?\}\s*\w*;)
      | (?P<other>(?:typedef|struct|enum|extern|static)\b[^;{]*;)
      | (?P<preprocessor>^\#(?:[^\n\\]|\\\n|\\.)*)""",
    re.S | re.X | re.M,
)
SENTENCE_END = re.compile(r"(?<!e\.g)(?<!i\.e)[.](?:\s+|$)")


def comment_lines(block):
    """The text lines of a /** block, without the stars."""
    inner = block[3:-2]
    return [re.sub(r"^\s*\* ?", "", line).rstrip() for line in inner.split("\n")]


def paragraphs(lines):
    """Joins lines into paragraphs; consecutive "- " items become one list."""
    result, current = [], []

    def end():
        if current:
            result.append(" ".join(current))
            current.clear()

    in_item = False
    for line in lines:
        if not line.strip():
            end()
            in_item = False
        elif line.startswith("- "):
            if not in_item:
                end()
                result.append([])
            result[-1].append(line[2:].strip())
            in_item = True
        elif in_item:
            result[-1][-1] += " " + line.strip()
        else:
            current.append(line.strip())
    end()
    return result


def intro_of(text):
    """The comment on top, as paragraphs; lines that are indented in it stay as they are, as Literal."""
    match = re.search(r"^/\*(?!\*| SPDX).*?\*/", text, re.S | re.M)
    lines = [re.sub(r"^ ?\*? ?", "", line).rstrip() for line in match[0][2:-2].split("\n")] if match else []
    result = []
    for literal, group in itertools.groupby(lines, key=lambda line: line.startswith("  ")):
        group = list(group)
        result += [Literal("\n".join(group))] if literal else paragraphs(group)
    return result


def parse_doc(block):
    parts = {"description": [], "returns": [], "errors": []}
    where = "description"
    for line in comment_lines(block):
        text = line.strip()
        if re.match(r"Returns?\b", text):
            where = "returns"
        elif text.startswith("Errors:"):
            where, line = "errors", text[len("Errors:"):]
        elif not text and where == "errors":
            where = "description"
        parts[where].append(line)
    doc = Doc(description=paragraphs(parts["description"]), returns=paragraphs(parts["returns"]))
    doc.errors = " ".join(part for part in paragraphs(parts["errors"]) if isinstance(part, str))
    whole = [part for part in doc.description + doc.returns if isinstance(part, str)]
    doc.summary = first_sentence(whole[0]) if whole else ""
    return doc


def first_sentence(text):
    return SENTENCE_END.split(text, maxsplit=1)[0].strip()


def split_parameters(text):
    """Splits at commas outside of parentheses."""
    result, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            result.append(text[start:i])
            start = i + 1
    result.append(text[start:])
    return [part.strip() for part in result]


def parse_function(declaration, header):
    text = re.sub(r"/\*.*?\*/", "", declaration, flags=re.S)
    text = re.sub(r"\s+", " ", text).removeprefix("SHARD_API ").rstrip("; ")
    match = re.match(r"(?P<returns>.*?[\s*])(?P<name>shard_\w+)\s*\((?P<parameters>.*)\)$", text)
    if not match:
        raise HeaderError(f"{header}: not a function: {text}")
    return Function(match["name"], match["returns"].strip(), split_parameters(match["parameters"]), header, text)


def code_of(text):
    """What is declared, without the include guard and the C++ part."""
    return re.sub(r"^#ifdef __cplusplus\n.*?^#endif\n", "", text, flags=re.S | re.M)


def read_header(path, name):
    text = code_of(path.read_text())
    header = Header(name, intro_of(text))
    doc_block, previous_end, previous_kind = None, 0, None
    for match in ITEM.finditer(text):
        kind, item = match.lastgroup, match.group()
        doc = parse_doc(doc_block) if doc_block else None
        if kind == "function":
            function = parse_function(item, name)
            adjacent = previous_kind == "function" and text[previous_end:match.start()].count("\n") == 1
            if doc:
                header.groups.append(Group(doc, [function], name))
            elif adjacent:
                header.groups[-1].functions.append(function)
            else:
                raise HeaderError(f"{name}: {function.name} has no comment above it")
        elif kind in ("body", "other"):
            type_name = name_of_type(item)
            if type_name:
                header.types.append(Type(type_name, item, doc or Doc()))
        doc_block = item if kind == "comment" and item.startswith("/**") else None
        previous_end, previous_kind = match.end(), kind
    return header


def name_of_type(item):
    """The name that a prototype uses for a struct, enum, integer or function type; opaque handles say nothing more."""
    for pattern in (r"(?:struct|enum)\s+(\w+)\s*\{", r"typedef\b.*?\(\*(\w+)\)\s*\(", r"typedef\s+u?int\w+\s+(\w+);"):
        match = re.match(pattern, item, re.S)
        if match:
            return match[1]
    return None


def read_all(directory):
    """All headers of include/shard, in alphabetical order."""
    return [read_header(path, f"shard/{path.name}") for path in sorted(Path(directory).glob("*.h"))]


def error_meanings(directory):
    """What error.h says of each code, for the ERRORS sections."""
    path = Path(directory) / "error.h"
    if not path.exists():
        return {}
    return dict(re.findall(r"\b(SHARD_E\w+)\s*=\s*-\d+,?\s*/\*\s*(.*?)\s*\*/", path.read_text(), re.S))
