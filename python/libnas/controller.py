"""What proposes: the base class of your own controllers, and those that are built in."""
import ctypes

from . import _c
from ._callbacks import DONE, WAIT, controller_table
from ._handle import Closing, _Handle, check, create
from ._library import encode, lib, settings, text, texts


class Controller:
    """A controller of one's own: a class with ask, and what else it needs.

        class Half(libnas.Controller):
            def ask(self, proposal, random):
                return proposal.space.sample(random)

    All calls come one at a time. Whatever a call raises ends the search, and comes out of the call
    that ran it (Search.run, ask, tell). A search cannot be used inside its controller's calls.

    name             is kept in the store; a resume asks for the same one. The class's name unless set
    needs_gradient   True: proposes "arch_gradient"
    needs_weights    True: proposes "weight_step"
    continues        True: proposes from_trial"""

    name = None
    needs_gradient = False
    needs_weights = False
    continues = False

    def ask(self, proposal, random):
        """Writes the next proposal into `proposal`, a ProposalBuilder, or returns an Arch (its text,
        its values), which is then proposed. libnas.WAIT: a result must be told first. libnas.DONE: I
        have finished. random: the stream of this turn; draw from it alone, and the search repeats."""
        raise NotImplementedError(f"{type(self).__name__} has no ask")

    def tell(self, proposal, result):
        """What came of a proposal; result.score is larger when better, -inf when infeasible."""

    def forget(self, turn):
        """A turn that will never be told. Without it tell gets an infeasible result."""

    def save(self):
        """All of its state, as bytes, for a resume. Without save and load: it has no state."""

    def load(self, data):
        """The same back, into a fresh one."""

    def describe(self):
        """Text for people and reports."""

    def _bind(self, guard):
        """The library's handle over this object, for one search."""
        if _own(self, "save") != _own(self, "load"):
            raise TypeError(f"{type(self).__name__} has one of save and load: both, or neither")
        table, keep = controller_table(self, guard, lambda name: _own(self, name))
        pointer = create(lib.nas_controller_create, guard.context, guard.context,
                         encode(self.name or type(self).__name__), ctypes.byref(table), None)
        return _Handle(pointer, lib.nas_controller_free, guard.space._context._handle, keep=keep)


def _own(controller, name):
    return getattr(type(controller), name) is not getattr(Controller, name)


class BuiltinController(Closing):
    """A controller of the library by name and settings: BuiltinController(space, "evolution",
    population=20). It has the calls of Controller, for controllers of yours that wrap it: ask(proposal,
    random), tell(proposal, result), forget, save, load, describe."""

    def __init__(self, space, name, **options):
        array, n = texts(settings(options))
        self._context = space._context
        pointer = create(lib.nas_controller_named, self._context._at, space._pointer,
                         encode(name, "the controller's name"), array, n)
        self._handle = _Handle(pointer, lib.nas_controller_free, self._context._handle, space._handle)

    def _bind(self, guard):
        self._pointer
        return self._handle

    @property
    def name(self):
        return text(lib.nas_controller_name(self._pointer))

    def ask(self, proposal, random):
        status = check(lib.nas_controller_ask(self._pointer, random._pointer, proposal._pointer),
                       self._context._at)
        return {_c.NAS_WAIT: WAIT, _c.NAS_DONE: DONE}.get(status)

    def tell(self, proposal, result):
        if result._at is None:
            raise TypeError("tell takes the result that a tell of yours was given, during it")
        check(lib.nas_controller_tell(self._pointer, proposal._pointer, result._at),
              self._context._at)

    def forget(self, turn):
        check(lib.nas_controller_forget(self._pointer, turn), self._context._at)

    def save(self):
        return saved(lib.nas_controller_save, self._pointer, self._context)

    def load(self, data):
        loaded(lib.nas_controller_load, self._pointer, self._context, data)

    def describe(self):
        return written(self._context, lib.nas_controller_describe, self._pointer)

    def __repr__(self):
        return ("<libnas.BuiltinController, closed>" if self.closed
                else f"<libnas.BuiltinController {self.name!r}>")


def saved(function, pointer, context):
    """What function(pointer, writer) writes, as bytes."""
    writer = create(lib.nas_writer_create, context._pointer, context._pointer)
    try:
        check(function(pointer, writer), context._pointer)
        n = ctypes.c_size_t()
        at = lib.nas_writer_data(writer, ctypes.byref(n))
        return ctypes.string_at(at, n.value) if n.value else b""
    finally:
        lib.nas_writer_free(writer)


def loaded(function, pointer, context, data):
    data = bytes(data)
    reader = create(lib.nas_reader_create, context._pointer, context._pointer,
                    ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data))
    try:
        check(function(pointer, reader), context._pointer)
    finally:
        lib.nas_reader_free(reader)


def written(context, function, *arguments):
    """What function(*arguments, sink) writes, as text."""
    sink = create(lib.nas_sink_memory, context._pointer, context._pointer)
    try:
        check(function(*arguments, sink), context._pointer)
        n = ctypes.c_size_t()
        lib.nas_sink_data.restype = ctypes.c_void_p  # it may hold 0 bytes
        at = lib.nas_sink_data(sink, ctypes.byref(n))
        return ctypes.string_at(at, n.value).decode("utf-8", "replace") if n.value else ""
    finally:
        lib.nas_sink_free(sink)


def controllers():
    """The controllers that are built in: {name: what its settings are}."""
    found = {}
    while True:
        name = lib.nas_controller_builtin(len(found))
        if name is None:
            return found
        found[text(name)] = text(lib.nas_controller_settings(name))
