"""What a search leaves behind."""
import ctypes
import dataclasses
import os

import numpy

from . import _c
from ._handle import Closing, _Handle, check, create
from ._library import encode, initialised, lib, make, text
from .context import default_context
from .controller import written
from .proposal import REASONS, STATES, name_of, trial_or_none

_DURABLE = {"process": _c.NAS_DURABLE_PROCESS, "power": _c.NAS_DURABLE_POWER}


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial as the store keeps it. arch: canonical text; parent, from_trial: numbers of trials or
    None; score: larger is better, -inf when infeasible, nan when it has none; metrics: by name."""

    number: int
    state: str
    reason: str
    arch: str
    sentence: str
    note: str
    evaluator: str
    arch_hash: int
    network_hash: int
    parent: int
    from_trial: int
    generation: int
    score: float
    seconds: float
    turns: int
    metrics: dict = dataclasses.field(default_factory=dict)

    @property
    def infeasible(self):
        return self.state == "infeasible"


def read_trial(struct, store):
    """A nas_trial as a Trial; its metrics come from `store`, a pointer."""
    metrics, name, value = {}, ctypes.c_char_p(), ctypes.c_double()
    for index in range(1 << 16):
        status = lib.nas_store_metric_at(store, struct.number, index, ctypes.byref(name),
                                         ctypes.byref(value))
        if status < 0 or name.value is None:
            break
        metrics[text(name.value)] = value.value
    return Trial(struct.number, name_of(STATES, struct.state), name_of(REASONS, struct.reason),
                 text(struct.arch), text(struct.sentence), text(struct.note), text(struct.evaluator),
                 struct.arch_hash, struct.network_hash, trial_or_none(struct.parent),
                 trial_or_none(getattr(struct, "from")), struct.generation, struct.score,
                 struct.seconds, struct.turns, metrics)


class Store(Closing):
    """A store: Store() in memory, Store("search.nas") in a file.

    It is a sequence of its trials: len(store), store[0], for trial in store. One process writes a
    file at a time; read_only=True opens one that another process writes, as it is at that moment.
    durable: "process" survives the death of the process, "power" the machine's."""

    def __init__(self, path=None, read_only=False, create=True, durable="process", context=None):
        self._context = context or default_context()
        if durable not in _DURABLE:
            raise ValueError(f"durable is {durable!r}; it must be one of {', '.join(_DURABLE)}")
        options = initialised("nas_store_options")
        options.read_only, options.create = int(read_only), int(create)
        options.durable = _DURABLE[durable]
        self.path = None if path is None else os.fspath(path)
        out = ctypes.c_void_p()
        check(lib.nas_store_open(ctypes.byref(out), self._context._at, encode(path, "the path"),
                                 ctypes.byref(options)), self._context._at)
        self._handle = _Handle(out.value, lib.nas_store_free, self._context._handle)

    @classmethod
    def _of_search(cls, pointer, search_handle, context):
        self = cls.__new__(cls)
        self._context, self.path = context, None
        self._handle = _Handle(pointer, None, search_handle)
        return self

    def _check(self, status):
        return check(status, self._context._at)

    def __len__(self):
        out = ctypes.c_uint64()
        self._check(lib.nas_store_trials(self._pointer, ctypes.byref(out)))
        return out.value

    def __getitem__(self, number):
        n = len(self)
        if isinstance(number, slice):
            return [self[index] for index in range(*number.indices(n))]
        if not -n <= number < n:
            raise IndexError(f"the store has {n} trials; there is no trial {number}")
        struct = make("nas_trial")
        self._check(lib.nas_store_trial(self._pointer, number % n, ctypes.byref(struct)))
        return read_trial(struct, self._pointer)

    def __iter__(self):
        for number in range(len(self)):
            yield self[number]

    @property
    def best(self):
        """The trial with the best score, of equals the first; None when none has one."""
        scored = [trial for trial in self if trial.score > float("-inf")]
        return max(scored, key=lambda trial: trial.score, default=None)

    def metrics(self, name):
        """A metric of all trials, an array; nan where a trial has it not."""
        out, value = numpy.full(len(self), numpy.nan), ctypes.c_double()
        for number in range(len(out)):
            status = lib.nas_store_metric(self._pointer, number, encode(name), ctypes.byref(value))
            if status == _c.NAS_OK:
                out[number] = value.value
            elif status != _c.NAS_E_NOT_FOUND:
                self._check(status)
        return out

    def curve(self, trial, name):
        """A learning curve of a trial: two arrays, x and y; empty where there is none."""
        n = ctypes.c_size_t()
        status = lib.nas_store_curve(self._pointer, trial, encode(name), None, None, 0,
                                     ctypes.byref(n))
        if status == _c.NAS_E_NOT_FOUND and trial < len(self):
            return numpy.empty(0), numpy.empty(0)
        if status != _c.NAS_E_LIMIT:
            self._check(status)
        x, y = numpy.empty(n.value), numpy.empty(n.value)
        self._check(lib.nas_store_curve(self._pointer, trial, encode(name), x.ctypes.data,
                                        y.ctypes.data, n.value, ctypes.byref(n)))
        return x, y

    def curves(self, trial):
        """All learning curves of a trial: {name: (x, y)}."""
        found, name = {}, ctypes.c_char_p()
        while True:
            self._check(lib.nas_store_curve_at(self._pointer, trial, len(found), ctypes.byref(name)))
            if name.value is None:
                return found
            found[text(name.value)] = self.curve(trial, text(name.value))

    def fact(self, key, otherwise=None):
        """A text about the search ("controller", "seed", "ended", ...), or `otherwise`."""
        out = ctypes.c_char_p()
        status = lib.nas_store_fact(self._pointer, encode(key), ctypes.byref(out))
        if status == _c.NAS_E_NOT_FOUND:
            return otherwise
        self._check(status)
        return text(out.value)

    def set_fact(self, key, value):
        """A fact of your own, kept beside: "report.title"."""
        self._check(lib.nas_store_set_fact(self._pointer, encode(key), encode(value)))

    def blob(self, name):
        """Bytes that were kept by name, or None."""
        at, n = ctypes.c_void_p(), ctypes.c_size_t()
        status = lib.nas_store_get_blob(self._pointer, encode(name), ctypes.byref(at), ctypes.byref(n))
        if status == _c.NAS_E_NOT_FOUND:
            return None
        self._check(status)
        return ctypes.string_at(at, n.value) if n.value else b""

    def put_blob(self, name, data):
        data = bytes(data)
        self._check(lib.nas_store_put_blob(self._pointer, encode(name), data, len(data)))

    def dump(self):
        """What must be equal between equal runs, as text."""
        return written(self._context, lib.nas_store_dump, self._pointer)

    def report(self, path=None, title=None, best=4, format="html"):
        """A report: "html" (one self-contained page) or "text". Into a file, or as text."""
        from .report import report
        return report(self, path, title, best, format)

    def __repr__(self):
        if self.closed:
            return "<libnas.Store, closed>"
        return f"<libnas.Store {self.path or 'in memory'}: {len(self)} trials>"
