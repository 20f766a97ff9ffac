#!/usr/bin/env python3
"""What the shared library exports is what the headers declare and what symbols.txt lists.

    symbols.py LIBRARY FOLDER symbols.txt

symbols.txt has a line for each function: its name, and the version in which it first appeared. A line
never goes while the SONAME stays."""
import pathlib
import re
import subprocess
import sys

import headers


def exported(library):
    """(functions, everything else) of the dynamic symbol table."""
    said = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    functions, others = set(), set()
    for line in said.splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.partition("@@")
        if kind == "A":  # the version's own name
            if not re.fullmatch(r"LIBNAS_\d+(_\d+)*", name):
                others.add(name)
        elif kind == "T" and name.startswith("nas_") and version.startswith("LIBNAS_"):
            functions.add(name)
        else:
            others.add(line)
    return functions, others


def main(arguments):
    library, folder, listing = arguments
    text, _ = headers.read(folder)
    declared = set(headers.functions(text))
    listed = {}
    for line in pathlib.Path(listing).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split()
            assert name not in listed, f"{name} is listed twice"
            assert re.fullmatch(r"\d+\.\d+\.\d+", version), line
            listed[name] = version
    functions, others = exported(library)
    complaints = [f"exported, and no function of libnas: {name}" for name in sorted(others)]
    for what, names in (
            ("declared and not exported", declared - functions),
            ("exported and not declared", functions - declared),
            ("exported and not in symbols.txt: add it with the version to come", functions - set(listed)),
            ("in symbols.txt and not exported: a program that uses it would not start",
             set(listed) - functions)):
        complaints += [f"{what}: {name}" for name in sorted(names)]
    names = list(listed)
    if names != sorted(names):
        complaints.append("symbols.txt is not sorted")
    print(*complaints, f"{len(functions)} exported, {len(complaints)} complaints", sep="\n")
    return int(bool(complaints) or len(functions) < 200)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
