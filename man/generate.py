"""Writes the man pages that the public headers hold: shard_x.3 for each function, shard-x.7 for each header.

usage: generate.py INCLUDE_DIR CHANGELOG VERSION MAN3_DIR MAN7_DIR DEPFILE

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
            definitions[name] = types[name].definition
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


def topic(header):
    """shard/engine.h has its own page, shard-engine(7); what shard.h says is in shard(7)."""
    name = Path(header).stem
    return "shard" if name == "shard" else f"shard-{name}"


def references(names):
    """SEE ALSO, in the order that mandoc wants: by section, then by name."""
    ordered = sorted(set(names), key=lambda name: (name.split()[1], name))
    return [".Sh SEE ALSO", *(f".Xr {name} ," for name in ordered[:-1]), f".Xr {ordered[-1]}"]


def see_also(group, header):
    own = {function.name for function in group.functions}
    others = [f"{f.name} 3" for g in header.groups for f in g.functions if f.name not in own]
    return references([*others, f"{topic(header.name)} 7", "shard 7"])


def summary(doc):
    """For .Nd: no capital, no markup, no full stop."""
    text = doc.summary.replace("`", "")
    return mdoc.escape(text[:1].lower() + text[1:])


def function_page(group, header, types, meanings, date, version):
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
    lines += see_also(group, header)
    return "\n".join(lines) + "\n"


def header_page(header, date, version):
    """What a header says as a whole: its introduction, its types, its functions."""
    lines = ['.\\" Written by man/generate.py from ' + header.name + "; change it there."]
    lines += mdoc.heading(topic(header.name), 7, date, version)
    title = headers.first_sentence(header.intro[0])
    lines += [".Sh NAME", f".Nm {topic(header.name)}", f".Nd {mdoc.escape(title[:1].lower() + title[1:])}"]
    lines += [".Sh SYNOPSIS", f".In {header.name}", ".Sh DESCRIPTION", *mdoc.blocks(header.intro)]
    for item in header.types:
        lines += [f".Ss {item.name}", *mdoc.blocks(item.doc.description + item.doc.returns)]
        lines += mdoc.literal(item.definition)
    functions = [(f.name, g.doc) for g in header.groups for f in g.functions]
    if functions:
        lines += [".Ss Functions", ".Bl -tag -width Ds"]
        for name, doc in functions:
            lines += [f".It Xr {name} 3", *mdoc.prose(doc.summary + ".")]
        lines.append(".El")
    lines += references(["shard 7", *(f"{name} 3" for name, _ in functions)])
    return "\n".join(lines) + "\n"


def empty(directory):
    directory = Path(directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def main():
    include, changelog, version, man3, man7, depfile = sys.argv[1:]
    directory = Path(include) / "shard"
    try:
        read = headers.read_all(directory)
    except headers.HeaderError as error:
        sys.exit(f"generate.py: {error}")
    types = {item.name: item for header in read for item in header.types}
    meanings, date = headers.error_meanings(directory), mdoc.date_of(changelog)

    section3, section7 = empty(man3), empty(man7)
    for header in read:
        for group in header.groups:
            first, *others = [function.name for function in group.functions]
            text = function_page(group, header, types, meanings, date, version)
            (section3 / f"{first}.3").write_text(text)
            for name in others:
                (section3 / f"{name}.3").write_text(f".so man3/{first}.3\n")
        if topic(header.name) != "shard":
            (section7 / f"{topic(header.name)}.7").write_text(header_page(header, date, version))

    inputs = [*sorted(directory.glob("*.h")), Path(changelog), *sorted(Path(__file__).parent.glob("*.py"))]
    Path(depfile).write_text(f"{man3} {man7}: {' '.join(str(path) for path in inputs)}\n")


main()
