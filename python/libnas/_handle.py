"""Handles: who frees what, and when; and how a status becomes an exception.

A handle of the library has one _Handle, which counts its users: the Python object that shows it,
every handle made from it, and every call that is running. It is freed when the last of them is gone,
so a child always goes before its parent, in whatever order Python's garbage collector comes to
them."""
import ctypes
import threading

from ._library import lib, text
from .errors import State, error

_lock = threading.RLock()  # of the counts; nothing is called under it


class _Handle:
    __slots__ = ("pointer", "free", "parents", "keep", "users", "open", "__weakref__")

    def __init__(self, pointer, free, *parents, keep=None):
        self.pointer, self.free, self.keep = pointer, free, keep
        self.parents = parents
        self.users, self.open = 1, True
        for parent in parents:
            parent.hold()

    def hold(self):
        with _lock:
            if self.pointer is None:
                raise State("it is closed")
            self.users += 1

    def drop(self):
        with _lock:
            self.users -= 1
            if self.users or self.pointer is None:
                return
            pointer, self.pointer = self.pointer, None
        try:
            if self.free is not None:
                self.free(pointer)
        finally:
            self.keep = None  # what the library called into, until now
            parents, self.parents = self.parents, ()
            for parent in parents:
                parent.drop()

    def close(self):
        with _lock:
            was, self.open = self.open, False
        if was:
            self.drop()

    def __del__(self):
        # `open` is absent when the constructor itself failed.
        if getattr(self, "open", False):
            self.close()


class Closing:
    """What all objects with a handle share: close(), `with`, and the pointer for calls."""

    _handle = None

    @property
    def _pointer(self):
        handle = self._handle
        if handle is None or not handle.open:
            raise State(f"this {type(self).__name__} is closed")
        return handle.pointer

    @property
    def closed(self):
        """True after close()."""
        return self._handle is None or not self._handle.open

    def close(self):
        """Lets go of it. The library frees it when nothing made from it is in use any more."""
        if self._handle is not None:
            self._handle.close()

    def __enter__(self):
        self._pointer
        return self

    def __exit__(self, *exception):
        self.close()


# ---- statuses ------------------------------------------------------------------------------------

def check(status, context, errors=None):
    """Raises what a callback raised during the call (errors: the list that it was put in), or the
    exception of an error status; answers the status otherwise. context: the pointer of the context
    that has the sentence, None when there is none yet."""
    if errors:
        raise errors.pop(0)
    if status < 0:
        said = text(lib.nas_context_error(context)) if context else ""
        raise error(status, said or text(lib.nas_status_text(status)))
    return status


def create(function, context, *arguments):
    """Calls nas_X_create(&out, ...): the pointer that came out."""
    out = ctypes.c_void_p()
    check(function(ctypes.byref(out), *arguments), context)
    return out.value
