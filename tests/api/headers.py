#!/usr/bin/env python3
"""What the public headers declare, read from their text: the exported functions, the structs with
their members, the INIT macros and init functions.

  headers.py check FOLDER OUT.h     lists as X-macros for test_layout.c and test_options.c
  headers.py symbols FOLDER         the names of all exported functions, one a line
  headers.py layout FOLDER          the body of lib/layout.inc
  headers.py freeze FOLDER OUT.h    all headers in one, without comments: first/libnas/libnas.h was made
                                    so, and is never made again once 0.1.0 is out
"""
import pathlib
import re
import sys


def read(folder):
    """All headers without comments, preprocessor lines apart."""
    text, macros = "", ""
    for path in sorted(pathlib.Path(folder).glob("*.h")):
        source = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.S)
        source = source.replace("\\\n", " ")
        for line in source.splitlines():
            if line.lstrip().startswith("#"):
                macros += line + "\n"
            else:
                text += line + "\n"
    return text, macros


def functions(text):
    names = []
    for declaration in re.findall(r"\bNAS_API\b([^;]*);", text):
        names.append(re.search(r"\b(nas_\w+)\s*\(", declaration).group(1))
    assert len(set(names)) == len(names), "declared twice"
    return sorted(names)


def members(body):
    found = []
    for declaration in body.split(";"):
        declaration = " ".join(declaration.split())
        if not declaration:
            continue
        pointer = re.search(r"\(\*(\w+)\)\s*\(", declaration)
        if pointer:
            found.append(pointer.group(1))
            continue
        for one in declaration.split(","):
            found.append(re.search(r"(\w+)\s*(\[\w+\])?$", one.strip()).group(1))
    return found


def structs(text):
    """name -> members, in the order of the headers."""
    return {name: members(body)
            for body, name in re.findall(r"typedef struct \{(.*?)\}\s*(nas_\w+);", text, re.S)}


ORDER = """base context random io op space proposal result controller dataset tuning model evaluator store search
report""".split()


def freeze(folder):
    """One header that says all that the headers say today."""
    out = ["/* All public headers of libnas 0.1.0, for good: made by headers.py freeze. What is compiled",
           " * against it must run with every later library of the same SONAME. */"]
    for name in ORDER:
        source = pathlib.Path(folder, name + ".h").read_text(encoding="utf-8")
        source = re.sub(r"[ \t]*/\*.*?\*/", "", source, flags=re.S)
        lines = [line.rstrip() for line in source.splitlines()
                 if line.strip() and not re.match(r'\s*#\s*include "', line)]
        out += ["", f"/* {name}.h */"] + lines
    missing = {path.stem for path in pathlib.Path(folder).glob("*.h")} - set(ORDER) - {"libnas"}
    assert not missing, f"headers not in ORDER: {missing}"
    return "\n".join(out) + "\n"


def main(argv):
    text, macros = read(argv[2])
    if argv[1] == "symbols":
        print("\n".join(functions(text)))
    elif argv[1] == "layout":
        for name, list_ in structs(text).items():
            print(f"STRUCT({name})")
            for member in list_:
                print(f"MEMBER({name}, {member})")
            print(f"END({name})\n")
    elif argv[1] == "freeze":
        pathlib.Path(argv[3]).write_text(freeze(argv[2]), encoding="utf-8")
    elif argv[1] == "check":
        exported = functions(text)
        inits = re.findall(r"#\s*define\s+(NAS_\w+)_INIT\b", macros)
        with open(argv[3], "w", encoding="utf-8") as out:
            out.write("/* Made by headers.py from the public headers. */\n#define EACH_INIT_FUNCTION(X)")
            out.write("".join(f" \\\n    X({name[:-5]})" for name in exported
                              if name.endswith("_init")))
            out.write("\n#define EACH_MEMBER(X)")
            for name, list_ in structs(text).items():
                out.write("".join(f" \\\n    X({name}, {member})" for member in list_))
            out.write("\n#define EACH_STRUCT(X)")
            for name, list_ in structs(text).items():
                out.write(f" \\\n    X({name}, {len(list_)})")
            out.write("\n#define EACH_SIZED(X)")
            for name, list_ in structs(text).items():
                if list_[0] == "struct_size":
                    out.write(f" \\\n    X({name})")
            # An options struct has both: a macro for C, a function for other languages.
            out.write("\n#define EACH_INIT(X)")
            for macro in inits:
                name = macro.lower()
                if name.endswith("_options"):
                    assert name + "_init" in exported, f"{macro}_INIT has no function"
                    out.write(f" \\\n    X({name}, {macro}_INIT)")
            for name in exported:
                # (nas_search_options has a NAN in it, which no macro can say without <math.h>.)
                if name.endswith("_init") and name != "nas_search_options_init":
                    assert name[:-5].upper() in inits, f"{name} has no macro"
            out.write("\n")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
