"""Contexts, and streams of random numbers."""
import ctypes
import os
import threading

from . import _c
from ._handle import Closing, _Handle, check, create
from ._library import encode, lib, make, text

_ISA = {"best": _c.NAS_ISA_BEST, "generic": _c.NAS_ISA_GENERIC, "avx2": _c.NAS_ISA_AVX2,
        "avx512": _c.NAS_ISA_AVX512, "neon": _c.NAS_ISA_NEON}
_LOG = {"error": _c.NAS_LOG_ERROR, "warning": _c.NAS_LOG_WARNING, "info": _c.NAS_LOG_INFO,
        "debug": _c.NAS_LOG_DEBUG}
_LOG_NAMES = {number: name for name, number in _LOG.items()}


class Context(Closing):
    """What all else hangs off: threads, instruction set, memory limit, log.

    threads       0: as many as there are processors
    isa           "best", "generic", "avx2", "avx512", "neon"
    log           a function of (level, text), level one of "error", "warning", "info", "debug"; may
                  be called from any thread. Without one the library is silent.
    memory_limit  bytes that the context may hold at once; 0: no limit

    Everything that takes a context works without one too, in a context of the process's own."""

    def __init__(self, threads=0, isa="best", log=None, log_level="warning", memory_limit=0):
        keep = None
        if log is not None:
            from ._callbacks import log_function  # which itself needs Random
            keep = log_function(log, _LOG_NAMES)
        if isa not in _ISA:
            raise ValueError(f"isa is {isa!r}; it must be one of {', '.join(_ISA)}")
        options = make("nas_context_options", threads=threads, isa=_ISA[isa],
                       log=ctypes.cast(keep, ctypes.c_void_p).value if keep else None,
                       log_level=_LOG[log_level], memory_limit=memory_limit)
        pointer = create(lib.nas_context_create, None, ctypes.byref(options))
        self._handle = _Handle(pointer, lib.nas_context_free, keep=keep)

    @property
    def _at(self):
        """Its pointer for what was made from it, which may outlast close()."""
        return self._handle.pointer

    @property
    def threads(self):
        return lib.nas_context_threads(self._pointer)

    @property
    def isa(self):
        return text(lib.nas_isa_name(lib.nas_context_isa(self._pointer)))

    @property
    def memory(self):
        """Bytes held now, at most so far, and how many allocations: a dict."""
        use = make("nas_memory_use")
        check(lib.nas_context_memory(self._pointer, ctypes.byref(use)), self._pointer)
        return {"bytes_now": use.bytes_now, "bytes_peak": use.bytes_peak,
                "allocations": use.allocations}

    def __repr__(self):
        if self.closed:
            return "<libnas.Context, closed>"
        return f"<libnas.Context: {self.threads} threads, {self.isa}>"


_default = None
_default_process = None
_default_lock = threading.Lock()


def default_context():
    """The context of what was made without one. A child of fork gets its own."""
    global _default, _default_process
    with _default_lock:
        if _default is None or _default.closed or _default_process != os.getpid():
            _default, _default_process = Context(), os.getpid()
        return _default


class Random(Closing):
    """A stream of random numbers, by (seed, trial, purpose): the same three give the same numbers on
    every machine."""

    def __init__(self, seed=0, trial=0, purpose="", context=None):
        context = context or default_context()
        pointer = create(lib.nas_random_create, context._pointer, context._pointer, seed, trial,
                         encode(purpose, "purpose"))
        self._handle = _Handle(pointer, lib.nas_random_free, context._handle)

    @classmethod
    def _lent(cls, pointer):
        """One that the library lends for a call; _handle.close() ends that."""
        self = cls.__new__(cls)
        self._handle = _Handle(pointer, None)
        return self

    def u64(self):
        """64 random bits."""
        return lib.nas_random_u64(self._pointer)

    def below(self, n):
        """Uniform in 0 .. n-1."""
        if n < 1:
            raise ValueError("n must be at least 1")
        return lib.nas_random_below(self._pointer, n)

    def uniform(self):
        """Uniform in [0, 1)."""
        return lib.nas_random_uniform(self._pointer)

    def normal(self):
        """Normal, mean 0 and deviation 1."""
        return lib.nas_random_normal(self._pointer)

    def choice(self, items):
        """One of them."""
        return items[self.below(len(items))]

    def pick(self, weights):
        """Index i with probability weights[i] / sum."""
        values = (ctypes.c_double * len(weights))(*weights)
        if not len(weights):
            raise ValueError("there must be at least one weight")
        return lib.nas_random_pick(self._pointer, ctypes.addressof(values), len(weights))

    def permutation(self, n):
        """0 .. n-1 in random order, a list."""
        values = (ctypes.c_uint32 * max(1, n))(*range(n))
        lib.nas_random_shuffle(self._pointer, ctypes.addressof(values), n)
        return list(values)[:n]

    def __repr__(self):
        return "<libnas.Random, closed>" if self.closed else "<libnas.Random>"
