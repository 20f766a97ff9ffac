"""What judges: the base class of your own evaluators, plain functions, and those built in."""
import ctypes
import inspect

from . import _c
from ._callbacks import evaluator_table
from ._handle import Closing, _Handle, check, create
from ._library import encode, lib, settings, text, texts
from .controller import loaded, saved
from .proposal import Result


class Evaluator:
    """An evaluator of one's own: a class with evaluate, and what else it needs.

        class Mine(libnas.Evaluator):
            def evaluate(self, proposal, progress):
                return {"accuracy": 1 / proposal["depth"]}

    Exceptions. What evaluate raises is the trial's affair: the trial is infeasible, its sentence is
    the exception's text, and the search goes on. With raises = True the search ends, cleanly and
    resumable, and the exception comes out of Search.run; the trial is not recorded then. In both
    cases libnas.Infeasible, libnas.Diverged and MemoryError make the trial infeasible, and what is no
    Exception (KeyboardInterrupt, SystemExit) ends the search and comes out of Search.run.

    name             is kept in the store; a resume asks for the same one. The class's name unless set
    concurrent       True: evaluate may run in several threads at once (workers > 1)
    stateless        True: a result depends on its proposal alone
    raises           see above
    needs_network, needs_data       True: refuse a search without
    arch_gradient, weight_step, continues, inherits      True: what it serves of relaxed and continued
                     proposals"""

    name = None
    concurrent = False
    stateless = False
    raises = False
    needs_network = False
    needs_data = False
    arch_gradient = False
    weight_step = False
    continues = False
    inherits = False

    def prepare(self, space, data):
        """Once, before the first evaluate. data: the search's Dataset, or None."""

    def evaluate(self, proposal, progress):
        """Judges a Proposal; progress is a Progress. Answers a number (the accuracy), a dict of
        metrics or a libnas.Result; or libnas.STOP to end the search."""
        raise NotImplementedError(f"{type(self).__name__} has no evaluate")

    def observe(self, proposal, result):
        """Every result, in the order in which the controller is told."""

    def save(self):
        """All of its state, as bytes. Without save and load: it has no state."""

    def load(self, data):
        """The same back, into a fresh one."""

    def cancel(self, turn):
        """From another thread: end that turn soon."""

    def _bind(self, guard):
        if _own(self, "save") != _own(self, "load"):
            raise TypeError(f"{type(self).__name__} has one of save and load: both, or neither")
        flags = (_c.NAS_EVALUATOR_CONCURRENT * bool(self.concurrent)
                 | _c.NAS_EVALUATOR_STATELESS * bool(self.stateless)
                 | _c.NAS_EVALUATOR_ARCH_GRADIENT * bool(self.arch_gradient)
                 | _c.NAS_EVALUATOR_WEIGHT_STEP * bool(self.weight_step)
                 | _c.NAS_EVALUATOR_NEEDS_NETWORK * bool(self.needs_network)
                 | _c.NAS_EVALUATOR_NEEDS_DATA * bool(self.needs_data)
                 | _c.NAS_EVALUATOR_CONTINUES * bool(self.continues)
                 | _c.NAS_EVALUATOR_INHERITS * bool(self.inherits))
        table, keep = evaluator_table(self, guard, lambda name: _own(self, name), flags,
                                      bool(self.raises))
        pointer = create(lib.nas_evaluator_create, guard.context, guard.context,
                         encode(self.name or type(self).__name__), ctypes.byref(table), None)
        return _Handle(pointer, lib.nas_evaluator_free, guard.space._context._handle, keep=keep)


def _own(evaluator, name):
    return getattr(type(evaluator), name) is not getattr(Evaluator, name)


class FunctionEvaluator(Evaluator):
    """A plain function as an evaluator: function(proposal) or function(proposal, progress)."""

    def __init__(self, function, name="callback", concurrent=False, raises=False, stateless=True):
        if not callable(function):
            raise TypeError(f"an evaluator must be a function, not {type(function).__name__}")
        self.name, self.concurrent, self.raises = name, concurrent, raises
        self.stateless = stateless
        self._function = function
        try:
            inspect.signature(function).bind(None, None)
            self._both = True
        except TypeError:
            self._both = False
        except ValueError:  # a builtin without a signature
            self._both = False

    def evaluate(self, proposal, progress):
        return self._function(proposal, progress) if self._both else self._function(proposal)

    def __repr__(self):
        return f"<libnas.FunctionEvaluator of {self._function!r}>"


class BuiltinEvaluator(Closing):
    """An evaluator of the library by name and settings: BuiltinEvaluator("train", epochs=2). It has
    the calls of Evaluator, for evaluators of yours that wrap it."""

    def __init__(self, name, context=None, **options):
        from .context import default_context
        self._context = context or default_context()
        array, n = texts(settings(options))
        pointer = create(lib.nas_evaluator_named, self._context._at, self._context._at,
                         encode(name, "the evaluator's name"), array, n)
        self._handle = _Handle(pointer, lib.nas_evaluator_free, self._context._handle)

    def _bind(self, guard):
        self._pointer
        return self._handle

    @property
    def name(self):
        return text(lib.nas_evaluator_name(self._pointer))

    def prepare(self, space, data):
        check(lib.nas_evaluator_prepare(self._pointer, space._pointer,
                                        data._pointer if data is not None else None),
              self._context._at)

    def evaluate(self, proposal, progress):
        """Its Result."""
        context = self._context._at
        builder = create(lib.nas_result_create, context, context)
        try:
            check(lib.nas_evaluator_evaluate(self._pointer, proposal._pointer,
                                             progress._pointer if progress is not None else None,
                                             builder), context)
            result = Result._read(lib.nas_result_so_far(builder))
            result._end()
            return result
        finally:
            lib.nas_result_free(builder)

    def observe(self, proposal, result):
        check(lib.nas_evaluator_observe(self._pointer, proposal._pointer, result._at),
              self._context._at)

    def save(self):
        return saved(lib.nas_evaluator_save, self._pointer, self._context)

    def load(self, data):
        loaded(lib.nas_evaluator_load, self._pointer, self._context, data)

    def __repr__(self):
        return ("<libnas.BuiltinEvaluator, closed>" if self.closed
                else f"<libnas.BuiltinEvaluator {self.name!r}>")


def evaluators():
    """The evaluators that are built in: {name: what its settings are}."""
    found = {}
    while True:
        name = lib.nas_evaluator_builtin(len(found))
        if name is None:
            return found
        found[text(name)] = text(lib.nas_evaluator_settings(name))
