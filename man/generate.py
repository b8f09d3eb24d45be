"""Writes one man page for each exported function from the comments in the public headers.

usage: generate.py INCLUDE_DIR CHANGELOG VERSION OUTPUT_DIR DEPFILE

Functions that share a comment share a page; each but the first gets a one-line page that points there. headers.py
describes the comments, mdoc.py makes the markup; here is what a page consists of.
"""

import re
import shutil
import sys
from pathlib import Path

import headers
import mdoc


def parameter_name(parameter):
    match = re.search(r"\(\*(\w+)\)", parameter) or re.search(r"(\w+)(?:\[\w*\])?$", parameter)
    return match[1] if match else ""


def synopsis(group):
    lines = [f".In {group.header}"]
    for function in group.functions:
        lines += [f".Ft {mdoc.argument(function.returns)}", f".Fo {function.name}"]
        lines += [f'.Fa "{parameter}"' for parameter in function.parameters]
        lines.append(".Fc")
    return lines


def used_types(group, types):
    """Public types that the prototypes name, in order, and those that these hold by value."""
    wanted = re.findall(r"\w+", " ".join(function.prototype for function in group.functions))
    definitions = {}
    while wanted:
        name = wanted.pop(0)
        if name in types and name not in definitions:
            definitions[name] = types[name][0]
            wanted += re.findall(r"^\s+struct (\w+) \w", definitions[name], re.M)
    return list(definitions.values())


def error_list(text, meanings):
    """[(code, when)] and the prose that follows, or None when the text is not a list of codes."""
    sentence, _, rest = text.partition(". ")
    pairs = []
    for part in re.split(r"[,;]\s+(?![^(]*\))", sentence.rstrip(".")):
        match = re.fullmatch(r"(SHARD_E\w+)((?: and SHARD_E\w+)*)\s*(?:\((.*)\))?", part.strip())
        if not match:
            return None, text
        codes = [match[1]] + re.findall(r"SHARD_E\w+", match[2])
        pairs += [(code, match[3] or meanings.get(code, "see the description")) for code in codes]
    return pairs, rest


def errors_section(group, meanings, own, arguments):
    pairs, rest = error_list(group.doc.errors, meanings)
    if pairs is None:
        return mdoc.prose(rest, own, arguments)
    lines = [".Bl -tag -width SHARD_EVERSION"]
    for code, when in pairs:
        sentence = when[0].upper() + when[1:]
        lines += [f".It Dv {code}", *mdoc.prose(sentence.rstrip(".") + ".", own, arguments)]
    return [*lines, ".El", *mdoc.prose(rest, own, arguments)]


def see_also(group, groups):
    own = {function.name for function in group.functions}
    names = [f.name for g in groups if g.header == group.header for f in g.functions if f.name not in own]
    references = [f"{name} 3" for name in sorted(names)] + ["shard 7"]
    return [f".Xr {reference} ," for reference in references[:-1]] + [f".Xr {references[-1]}"]


def summary(doc):
    """For .Nd: no capital, no markup, no full stop."""
    text = doc.summary.replace("`", "")
    return mdoc.escape(text[:1].lower() + text[1:])


def page(group, groups, types, meanings, date, version):
    own = [function.name for function in group.functions]
    arguments = {parameter_name(p) for function in group.functions for p in function.parameters}
    lines = ['.\\" Written by man/generate.py from ' + group.header + "; change it there."]
    lines += mdoc.heading(own[0], 3, date, version)
    lines += [".Sh NAME", *(f".Nm {name} ," for name in own[:-1]), f".Nm {own[-1]}", f".Nd {summary(group.doc)}"]
    lines += [".Sh SYNOPSIS", *synopsis(group)]
    lines += [".Sh DESCRIPTION", *mdoc.blocks(group.doc.description or group.doc.returns, own, arguments)]
    definitions = used_types(group, types)
    if definitions:
        lines += [".Ss Types", *mdoc.literal("\n\n".join(definitions))]
    if group.doc.returns:
        lines += [".Sh RETURN VALUES", *mdoc.blocks(group.doc.returns, own, arguments)]
    if group.doc.errors:
        lines += [".Sh ERRORS", *errors_section(group, meanings, own, arguments)]
    lines += [".Sh SEE ALSO", *see_also(group, groups)]
    return "\n".join(lines) + "\n"


def main():
    include, changelog, version, output, depfile = sys.argv[1:]
    directory = Path(include) / "shard"
    try:
        groups, types = headers.read_all(directory)
    except headers.HeaderError as error:
        sys.exit(f"generate.py: {error}")
    meanings, date = headers.error_meanings(directory), mdoc.date_of(changelog)

    output = Path(output)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for group in groups:
        first, *others = [function.name for function in group.functions]
        (output / f"{first}.3").write_text(page(group, groups, types, meanings, date, version))
        for name in others:
            (output / f"{name}.3").write_text(f".so man3/{first}.3\n")

    inputs = [*sorted(directory.glob("*.h")), Path(changelog), *sorted(Path(__file__).parent.glob("*.py"))]
    Path(depfile).write_text(f"{output}: {' '.join(str(path) for path in inputs)}\n")


main()
