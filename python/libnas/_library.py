"""The shared library: where it is found, how its functions are called, what its structs are."""
import ctypes
import ctypes.util
import os
import pathlib
import sys
import threading

from . import _c
from .errors import Error, Unsupported

KINDS = {
    "u32": ctypes.c_uint32, "i32": ctypes.c_int32, "u64": ctypes.c_uint64,
    "i64": ctypes.c_int64, "f64": ctypes.c_double, "size": ctypes.c_size_t,
    "status": ctypes.c_int32, "str": ctypes.c_char_p, "ptr": ctypes.c_void_p, "void": None,
}
VERSION = (0, 1)  # major, minor: the first libnas that has all that this package calls


def _entries(text):
    """The lines of a table of _c.py; a line that begins with blanks goes on with the one before."""
    lines = []
    for line in text.strip().splitlines():
        if line.startswith(" "):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _make_struct(line):
    name, body = line.split(":")
    fields = []
    for part in body.split(";"):
        kind, *members = part.split()
        for member in members:
            type_ = KINDS[kind]
            if member.endswith("]"):
                member, count = member[:-1].split("[")
                type_ = type_ * int(count)
            fields.append((member, type_))
    return type(name, (ctypes.Structure,), {"_fields_": fields})


def _make_prototype(line):
    name, *kinds = line.split()
    arrow = kinds.index("->")
    return name, (KINDS[kinds[arrow + 1]], [KINDS[kind] for kind in kinds[:arrow]])


STRUCTS = {struct.__name__: struct for struct in map(_make_struct, _entries(_c.STRUCTS))}
PROTOTYPES = dict(map(_make_prototype, _entries(_c.FUNCTIONS)))


def make(name, **members):
    """A public struct, zeroed, with its struct_size set and these members."""
    struct = STRUCTS[name]()
    if hasattr(struct, "struct_size"):
        struct.struct_size = ctypes.sizeof(struct)
    for member, value in members.items():
        setattr(struct, member, value)
    return struct


def initialised(name):
    """A public options struct with the library's defaults. A later library's struct may be longer
    than this package knows: it is filled with room to spare, and what is unknown left out."""
    struct = STRUCTS[name]
    room = (ctypes.c_char * (ctypes.sizeof(struct) + 4096))()
    getattr(lib, name + "_init")(ctypes.addressof(room))
    struct = struct.from_buffer_copy(room)
    struct.struct_size = ctypes.sizeof(struct)
    return struct


def _candidates():
    """Where the library may be, the likeliest first."""
    if os.environ.get("LIBNAS_LIBRARY"):
        return [os.environ["LIBNAS_LIBRARY"]]  # it was named: nothing else will do
    here = pathlib.Path(__file__).resolve().parent
    names = ["libnas.dylib"] if sys.platform == "darwin" else ["libnas.so.0", "libnas.so"]
    found = [here / name for name in names]
    if (here.parent.parent / "meson.build").is_file():  # in the source tree: what was built there
        found += [path for name in names
                  for path in sorted(here.parent.parent.glob("build*/lib/" + name))]
    found += [pathlib.Path(sys.prefix, "lib", name) for name in names]
    found = [str(path) for path in found if path.is_file()]
    return found + names + [name for name in [ctypes.util.find_library("nas")] if name]


def _check(handle, path):
    """The library is of a version that this package can call, and its structs are where the package
    thinks. A later library may have longer structs: what is new stands at their end."""
    version = handle.nas_version
    version.restype = ctypes.c_uint32
    number = version()
    major, minor = number // 1000000, number // 1000 % 1000
    if major != VERSION[0] or minor < VERSION[1]:
        raise Unsupported(
            f"{path} is libnas {major}.{minor}; this package needs {VERSION[0]}.{VERSION[1]} or a "
            f"later {VERSION[0]}.x", _c.NAS_E_VERSION)
    for name, (size, members) in layouts(handle).items():
        struct = STRUCTS.get(name)
        if struct is None:
            continue
        ours = {field: (getattr(struct, field).offset, getattr(struct, field).size)
                for field, _ in struct._fields_}
        wrong = [field for field, place in ours.items() if members.get(field) != place]
        if wrong or size < ctypes.sizeof(struct):
            raise Unsupported(f"{path}: its struct {name} differs from this package's"
                              + (f" in {wrong[0]}" if wrong else ""), _c.NAS_E_VERSION)


def layouts(handle=None):
    """The library's own table of public structs: {struct: (size, {member: (offset, size)})}."""
    function = (handle or lib.handle()).nas_layout
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_uint32]
    table = {}
    for index in range(10000):
        address = function(index)
        if not address:
            break
        struct = STRUCTS["nas_layout_struct"].from_address(address)
        members = (STRUCTS["nas_layout_member"] * struct.n_members).from_address(struct.members)
        table[struct.name.decode()] = (struct.size, {
            member.name.decode(): (member.offset, member.size) for member in members})
    return table


class _Library:
    """lib.nas_NAME is the function, with its types. Loaded at its first use."""

    def __init__(self):
        self._handle = None
        self._path = None
        self._lock = threading.Lock()

    def load(self, path):
        with self._lock:
            if self._handle is not None:
                if path is not None and os.fspath(path) != self._path:
                    raise Error(f"libnas is loaded already, from {self._path}: call libnas.load "
                                "before anything else", _c.NAS_E_STATE)
                return self._path
            tried = []
            for candidate in [os.fspath(path)] if path is not None else _candidates():
                try:
                    handle = ctypes.CDLL(candidate)
                except OSError as error:
                    tried.append(str(error))
                    continue
                if not hasattr(handle, "nas_version"):
                    tried.append(f"{candidate}: is not libnas")
                    continue
                _check(handle, candidate)
                self._handle, self._path = handle, candidate
                return candidate
        raise Error("the shared library of libnas was not found; install libnas, or name the file by "
                    "libnas.load(PATH) or the environment's LIBNAS_LIBRARY. Tried: "
                    + "; ".join(tried), _c.NAS_E_NOT_FOUND)

    def handle(self):
        if self._handle is None:
            self.load(None)
        return self._handle

    def has(self, name):
        return hasattr(self.handle(), name)

    def __getattr__(self, name):
        if name not in PROTOTYPES:
            raise AttributeError(name)
        try:
            function = getattr(self.handle(), name)
        except AttributeError:
            version = ".".join(map(str, VERSION))
            raise Unsupported(f"{self._path} has no {name}: it is older than libnas {version}, or was "
                              "built without that part", _c.NAS_E_UNSUPPORTED) from None
        function.restype, function.argtypes = PROTOTYPES[name]
        setattr(self, name, function)
        return function


lib = _Library()


def load(path=None):
    """Loads the shared library: from this path, or from where it is found. Answers the path.

    Without this call the first use of the package loads it. Looked at, in this order: the
    environment's LIBNAS_LIBRARY (then nothing else), the package's folder, the build folder when the
    package is used in its source tree, Python's prefix, the system's usual places."""
    return lib.load(path)


def text(value):
    """A text of the library as str; None for NULL."""
    return None if value is None else value.decode("utf-8", "surrogateescape")


def encode(value, what="text"):
    """A str (or path) as the library takes it. None stays None."""
    if value is None:
        return None
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    if b"\0" in value:
        raise ValueError(f"{what} has a 0 byte in it")
    return value


def texts(values, what="texts"):
    """A C array of texts, and how many they are."""
    values = [encode(value, what) for value in values]
    return (ctypes.c_char_p * max(1, len(values)))(*values), len(values)


def settings(options):
    """Keyword options as settings in text, as in a search file: {"population": 20} is
    "population=20". None is left out."""
    found = []
    for name, value in options.items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, float):
            value = repr(value)
        found.append(f"{name}={value}")
    return found
