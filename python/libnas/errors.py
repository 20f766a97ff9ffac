"""What goes wrong: one exception for each status of the library, all of them libnas.Error.

    error.status     the number, -3
    error.name       its name, "NAS_E_NOT_FOUND"
    str(error)       the library's sentence: what, where, and the remedy
"""
from . import _c

_NAMES = {value: name for name, value in vars(_c).items()
          if name.startswith("NAS_E_") and isinstance(value, int)}


class Error(Exception):
    """The library refused, or failed. Its subclasses say why."""

    status = None

    def __init__(self, sentence="", status=None):
        super().__init__(sentence)
        if status is not None:
            self.status = status

    @property
    def name(self):
        """The name of the status in C."""
        return _NAMES.get(self.status, "NAS_E_?")


class Invalid(Error, ValueError):
    """An argument that cannot be."""


class NotFound(Error, LookupError):
    """There is nothing of that name."""


class Syntax(Error, ValueError):
    """A text that cannot be parsed; the sentence has file, line and column."""


class IO(Error, OSError):
    """Reading or writing failed."""

    def __init__(self, sentence="", status=None):
        Error.__init__(self, sentence, status)

    def __str__(self):
        return str(self.args[0]) if self.args else ""


class Corrupt(Error, ValueError):
    """Data is damaged, or not of this kind."""


class Version(Error):
    """Written by a later version of libnas."""


class Unsupported(Error):
    """This library, or this processor, cannot do that."""


class State(Error, RuntimeError):
    """Not allowed now."""


class Infeasible(Error):
    """No candidate satisfies the constraints.

    An evaluator raises it to say that its network cannot be judged:
    raise libnas.Infeasible("too large for the device", reason="memory")."""

    status = _c.NAS_E_INFEASIBLE

    def __init__(self, sentence="", status=None, reason="constraint"):
        super().__init__(sentence, status)
        self.reason = reason


class Cancelled(Error):
    """Given up because someone said so."""


class Limit(Error):
    """A limit was reached."""


class Callback(Error):
    """A callback failed."""


class Forked(Error):
    """A context of the parent process was used after fork."""


class Diverged(Error, ArithmeticError):
    """A number is not finite."""


class Exists(Error):
    """It exists already."""


class Shape(Error, ValueError):
    """Shapes do not fit."""


class Busy(Error):
    """In use by another process or thread."""


class Differs(Error):
    """A replay differs from its record."""


class OutOfMemory(Error, MemoryError):
    """No memory, or the context's limit is reached."""


class Internal(Error):
    """The library found a mistake of its own."""


_CLASSES = {
    _c.NAS_E_INVALID: Invalid, _c.NAS_E_MEMORY: OutOfMemory, _c.NAS_E_NOT_FOUND: NotFound,
    _c.NAS_E_SYNTAX: Syntax, _c.NAS_E_IO: IO, _c.NAS_E_CORRUPT: Corrupt,
    _c.NAS_E_VERSION: Version, _c.NAS_E_UNSUPPORTED: Unsupported, _c.NAS_E_STATE: State,
    _c.NAS_E_INFEASIBLE: Infeasible, _c.NAS_E_CANCELLED: Cancelled, _c.NAS_E_LIMIT: Limit,
    _c.NAS_E_CALLBACK: Callback, _c.NAS_E_FORKED: Forked, _c.NAS_E_DIVERGED: Diverged,
    _c.NAS_E_EXISTS: Exists, _c.NAS_E_SHAPE: Shape, _c.NAS_E_BUSY: Busy,
    _c.NAS_E_DIFFERS: Differs, _c.NAS_E_INTERNAL: Internal,
}
for _status, _class in _CLASSES.items():
    _class.status = _status


def error(status, sentence):
    """The exception of a status."""
    return _CLASSES.get(status, Error)(sentence, status)
