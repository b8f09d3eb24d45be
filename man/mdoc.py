"""Turns the text of our comments into mdoc: code in `back quotes`, functions(), constants, sentences on lines of their
own."""

import re
import textwrap
from pathlib import Path

from headers import Literal

TOKEN = re.compile(r"(?P<lead>[(\[]*)(?P<core>`[^`]*`|\S+?)(?P<trail>[)\],.;:?!]*)(?=\s|$)")
ABBREVIATIONS = ("e.g", "i.e", "etc")


def escape(text):
    return text.replace("\\", "\\e")


def argument(text):
    """One argument of a macro."""
    text = escape(text).replace('"', "\\(dq")
    if re.fullmatch(r"[.,;:()\[\]?!|]|", text):
        text = "\\&" + text
    return f'"{text}"' if " " in text or not text else text


def macro_of(core, own, arguments):
    """The macro line that a word asks for, or None for plain text. `own` are the page's functions."""
    quoted = core.startswith("`") and core.endswith("`") and len(core) > 2
    word = core.strip("`") if quoted else core
    function = re.fullmatch(r"(shard_\w+)(\(\))", word)
    if function and function[1] in own:
        return f"Fn {function[1]}"
    if function:
        return f"Xr {function[1]} 3"
    if re.fullmatch(r"SHARD_[A-Z0-9_]+|NULL", word):
        return f"Dv {word}"
    if quoted and word in arguments:
        return f"Fa {word}"
    if quoted:
        return f"Ql {argument(word)}"
    return None


def prose(text, own=(), arguments=()):
    """A paragraph as mdoc lines."""
    lines, words = [], []

    def flush():
        if words:
            for line in textwrap.wrap(escape(" ".join(words)), 79, break_long_words=False, break_on_hyphens=False):
                lines.append("\\&" + line if line[0] in ".'" else line)
            words.clear()

    for match in TOKEN.finditer(text):
        lead, core, trail = match["lead"], match["core"], match["trail"]
        if core.count("(") > core.count(")"):  # the bracket that closes belongs to the word: f(), "(s)"
            missing = core.count("(") - core.count(")")
            core, trail = core + trail[:missing], trail[missing:]
        macro = macro_of(core, own, arguments)
        if macro:
            flush()
            name, _, rest = macro.partition(" ")
            lines.append(" ".join([f".{name}", *lead, rest, *trail]))
        else:
            words.append(match.group())
            if trail.strip(")]") in (".", "?", "!") and core not in ABBREVIATIONS:
                flush()
    flush()
    return lines


def blocks(parts, own=(), arguments=()):
    """Paragraphs and lists, as headers.paragraphs() gives them."""
    lines = []
    for part in parts:
        if isinstance(part, Literal):
            lines += literal(part)
        elif isinstance(part, list):
            lines.append(".Bl -bullet")
            for item in part:
                lines += [".It", *prose(item, own, arguments)]
            lines.append(".El")
        else:
            if lines and not lines[-1].startswith(".Ed"):
                lines.append(".Pp")
            lines += prose(part, own, arguments)
    return lines


def literal(text):
    """Code as it stands."""
    lines = [("\\&" if line[:1] in (".", "'") else "") + escape(line) for line in text.split("\n")]
    return [".Bd -literal", *lines, ".Ed"]


def heading(title, section, date, version):
    return [f".Dd {date}", f".Dt {title.upper()} {section}", f".Os libshard {version}"]


def date_of(changelog):
    """The date of the newest release, in mdoc's form; pages must not differ from one build to the next."""
    months = ("January February March April May June July August September October November December").split()
    match = re.search(r"^## .*?(\d{4})-(\d\d)-(\d\d)", Path(changelog).read_text(), re.M)
    if not match:
        raise SystemExit(f"{changelog}: no release with a date (## [x.y.z] - YYYY-MM-DD)")
    return f"{months[int(match[2]) - 1]} {int(match[3])}, {match[1]}"
