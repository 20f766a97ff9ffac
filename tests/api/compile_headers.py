#!/usr/bin/env python3
"""Each public header compiles alone, in C11 and in C++11 and 20, without a warning.

    compile_headers.py INCLUDE CC ... [-- CXX ...]"""
import pathlib
import subprocess
import sys
import tempfile

WARN = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]


def attempt(compiler, flags, source, include):
    done = subprocess.run(compiler + WARN + flags + ["-I", include, source], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def main(arguments):
    include, rest = str(pathlib.Path(arguments[0]).parent), arguments[1:]
    cut = rest.index("--") if "--" in rest else len(rest)
    compilers = [(rest[:cut], ".c", ["c11"])]
    if rest[cut + 1:]:
        compilers.append((rest[cut + 1:], ".cpp", ["c++11", "c++20"]))
    else:
        print("no C++ compiler: the headers are compiled as C alone")
    headers = sorted(pathlib.Path(arguments[0]).glob("*.h"))
    assert len(headers) >= 16
    failed = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        for compiler, suffix, standards in compilers:
            source = pathlib.Path(folder, "alone" + suffix)
            source.write_text("int x = ;\n", encoding="utf-8")
            status, _ = attempt(compiler, [], str(source), include)
            if status == 0:
                sys.exit(f"{compiler} compiles anything: this test would see nothing")
            for header in headers:
                # Twice, so that its guard is tried too.
                line = f"#include <libnas/{header.name}>\n"
                source.write_text(line * 2, encoding="utf-8")
                for standard in standards:
                    tried += 1
                    status, said = attempt(compiler, ["-std=" + standard], str(source), include)
                    if status:
                        failed += 1
                        print(f"{header.name} in {standard}:\n{said}")
    print(f"{tried} compiled, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
