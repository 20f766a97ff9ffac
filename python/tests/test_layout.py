"""What the package believes of the library is what the headers and the library say."""
import ctypes
import pathlib
import re
import sys
import unittest

from libnas import _c, _library
from support import ROOT

sys.path.insert(0, str(ROOT / "tests" / "api"))
import headers  # noqa: E402  what the headers declare

INCLUDE = ROOT / "include" / "libnas"
KINDS = {"nas_status": "status", "uint32_t": "u32", "int32_t": "i32", "uint64_t": "u64",
         "int64_t": "i64", "double": "f64", "size_t": "size", "nas_node": "u32", "void": "void"}


def kind(declaration):
    """The kind, in _c.py's words, of a C declaration with or without a name."""
    declaration = " ".join(declaration.split())
    if "*" in declaration:
        return "str" if re.fullmatch(r"const char \*\s*\w*", declaration) else "ptr"
    words = [word for word in re.sub(r"\[\w+\]", "", declaration).split() if word != "const"]
    return "ptr" if words[0].endswith("_fn") else KINDS[words[0]]


def flat():
    """All headers without comments, continued lines joined."""
    text = ""
    for path in sorted(INCLUDE.glob("*.h")):
        source = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.S)
        text += source.replace("\\\n", " ")
    return text


class Structs(unittest.TestCase):
    def test_library_and_package_have_the_same_structs(self):
        ours = {name: (ctypes.sizeof(struct), {
            field: (getattr(struct, field).offset, getattr(struct, field).size)
            for field, _ in struct._fields_}) for name, struct in _library.STRUCTS.items()}
        theirs = _library.layouts()
        self.assertGreater(len(theirs), 25)
        self.assertEqual(sorted(ours), sorted(theirs))
        for name in ours:
            self.assertEqual(ours[name], theirs[name], name)

    def test_headers_have_the_same_structs(self):
        text, _ = headers.read(INCLUDE)
        declared = headers.structs(text)
        self.assertEqual(sorted(declared), sorted(_library.STRUCTS))
        for name, members in declared.items():
            self.assertEqual(members, [field for field, _ in _library.STRUCTS[name]._fields_], name)

    def test_members_have_the_headers_types(self):
        text, _ = headers.read(INCLUDE)
        checked = 0
        for body, name in re.findall(r"typedef struct \{(.*?)\}\s*(nas_\w+);", text, re.S):
            kinds = []
            for declaration in filter(None, (" ".join(d.split()) for d in body.split(";"))):
                if "(*" in declaration:
                    kinds.append(("ptr", 1))
                    continue
                first, *others = declaration.split(",")
                base = re.sub(r"[\s*]*\w+(\[\w+\])?$", "", first.strip()) or first
                for one in [first] + [f"{base} {other}" for other in others]:
                    count = re.search(r"\[(\d+)\]", one)
                    kinds.append((kind(one), int(count.group(1)) if count else 1))
            ours = [(type_._type_, type_._length_) if hasattr(type_, "_length_") else (type_, 1)
                    for _, type_ in _library.STRUCTS[name]._fields_]
            self.assertEqual([(_library.KINDS[k], n) for k, n in kinds], ours, name)
            checked += len(ours)
        self.assertGreater(checked, 200)

    def test_a_library_with_another_layout_is_refused(self):
        class Other:
            """The library, with one member of one struct moved."""

            def __getattr__(self, name):
                return getattr(_library.lib.handle(), name)
        real = _library.layouts
        try:
            def moved(handle=None):
                table = real()
                table["nas_trial"][1]["score"] = (0, 8)
                return table
            _library.layouts = moved
            with self.assertRaisesRegex(_library.Unsupported, "nas_trial.*score"):
                _library._check(Other(), "other.so")

            def shorter(handle=None):
                table = real()
                table["nas_trial"] = (8, table["nas_trial"][1])
                return table
            _library.layouts = shorter
            with self.assertRaisesRegex(_library.Unsupported, "nas_trial"):
                _library._check(Other(), "other.so")

            def longer(handle=None):  # of a later library: all that this package knows is there
                table = real()
                table["nas_trial"] = (table["nas_trial"][0] + 8,
                                      dict(table["nas_trial"][1], new=(table["nas_trial"][0], 8)))
                return table
            _library.layouts = longer
            _library._check(Other(), "other.so")
        finally:
            _library.layouts = real


class Functions(unittest.TestCase):
    def test_every_function_has_the_headers_types(self):
        text, _ = headers.read(INCLUDE)
        declared = {}
        for declaration in re.findall(r"\bNAS_API\b([^;]*);", text):
            result, name, arguments = re.match(r"^(.*?)\b(nas_\w+)\s*\((.*)\)$",
                                               " ".join(declaration.split())).groups()
            arguments = [] if arguments.strip() == "void" else arguments.split(",")
            declared[name] = (_library.KINDS[kind(result)],
                              [_library.KINDS[kind(one)] for one in arguments])
        self.assertGreater(len(declared), 250)
        self.assertEqual(sorted(declared), sorted(_library.PROTOTYPES))
        for name, types in declared.items():
            self.assertEqual(types, _library.PROTOTYPES[name], name)

    def test_an_absent_function_says_so(self):
        lib = _library._Library()
        lib.load(_library.lib.load(None))
        _library.PROTOTYPES["nas_not_there"] = (None, [])
        try:
            with self.assertRaisesRegex(_library.Unsupported, "has no nas_not_there"):
                lib.nas_not_there()
        finally:
            del _library.PROTOTYPES["nas_not_there"]
        with self.assertRaises(AttributeError):
            lib.printf

    def test_a_library_that_is_none(self):
        lib = _library._Library()
        with self.assertRaisesRegex(_library.Error, "not found.*no-such-file"):
            lib.load("/no-such-file.so")
        libm = ctypes.util.find_library("m")
        if libm:
            with self.assertRaisesRegex(_library.Error, "is not libnas"):
                lib.load(libm)
        loaded = _library.lib.load(None)
        self.assertEqual(_library.lib.load(loaded), loaded)
        with self.assertRaisesRegex(_library.Error, "loaded already"):
            _library.lib.load("/another.so")


class Constants(unittest.TestCase):
    def test_every_constant_has_the_headers_value(self):
        text = flat()
        declared = {name: int(value)
                    for name, value in re.findall(r"X\((NAS_\w+),\s*(-?\d+),", text)}
        for body in re.findall(r"enum \{(.*?)\}", text, re.S):
            if "#define" not in body:
                found = re.findall(r"(NAS_\w+)\s*=\s*(-?\d+)", body)
                self.assertEqual(len(found), len(re.findall(r"NAS_\w+", body)))  # all have a value
                declared.update({name: int(value) for name, value in found})
        special = {"NAS_STATUS_CALLER": -1000, "NAS_NODE_NONE": 2**32 - 1,
                   "NAS_BATCH_WHOLE": 2**64 - 1, "NAS_TRIAL_NONE": 2**64 - 1}
        macros = dict(re.findall(r"#define (NAS_(?:STATUS_CALLER|NODE_NONE|BATCH_WHOLE|TRIAL_NONE)) "
                                 r"\(?(-?\w+)\)?", text))
        spelled = {"UINT32_MAX": 2**32 - 1, "UINT64_MAX": 2**64 - 1}
        self.assertEqual({name: spelled.get(value) or int(value) for name, value in macros.items()},
                         special)
        declared.update(special)
        ours = {name: value for name, value in vars(_c).items() if name.startswith("NAS_")}
        self.assertGreater(len(declared), 90)
        self.assertEqual(declared, ours)

    def test_every_error_status_has_its_exception(self):
        import libnas
        from libnas.errors import error
        for name, value in vars(_c).items():
            if name.startswith("NAS_E_"):
                raised = error(value, "why")
                self.assertIsNot(type(raised), libnas.Error, name)
                self.assertEqual((raised.status, raised.name, str(raised)), (value, name, "why"))
        self.assertEqual(error(-1234, "mine").status, -1234)

    def test_version(self):
        import libnas
        text = (ROOT / "include/libnas/base.h").read_text(encoding="utf-8")
        self.assertIn(f'#define NAS_VERSION_TEXT "{libnas.__version__}"', text)
        self.assertEqual(libnas.version(), libnas.__version__)
        project = pathlib.Path(ROOT, "python/pyproject.toml").read_text(encoding="utf-8")
        self.assertIn(f'version = "{libnas.__version__}"', project)


if __name__ == "__main__":
    unittest.main()
