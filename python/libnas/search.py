"""The one loop that joins a space, a controller and evaluators."""
import ctypes
import dataclasses
import math
import typing

from . import _c
from ._callbacks import WAIT, Guard, hooks_table, interruptible
from ._handle import Closing, _Handle, check, create
from ._library import STRUCTS, encode, initialised, lib, make, text
from .controller import BuiltinController, Controller
from .errors import State
from .evaluator import BuiltinEvaluator, Evaluator, FunctionEvaluator
from .proposal import Proposal, Result, number_of
from .store import Store, Trial, read_trial

ORDERS = {"turns": _c.NAS_ORDER_TURNS, "arrival": _c.NAS_ORDER_ARRIVAL}
HOOKS = ("trial_started", "epoch_ended", "trial_ended", "turn_ended", "should_stop")


@dataclasses.dataclass(frozen=True)
class Objective:
    """One metric of what a search improves. weight: of the weighted sum; limit and exponent: MnasNet's
    soft limit, which multiplies the score by (value / limit) ** exponent."""

    metric: str
    minimise: bool = False
    weight: float = 1.0
    limit: float = 0.0
    exponent: float = 0.0


@dataclasses.dataclass(frozen=True)
class SearchState:
    """Where a search stands. distinct: networks among the proposed, isomorphic ones counted once;
    generations: longest line of parents; best: nan before there is one."""

    trials: int
    turns: int
    evaluations: int
    cached: int
    infeasible: int
    distinct: int
    generations: int
    best: float
    epochs: float
    seconds: float


def _objectives(given):
    if given is None:
        return []
    if isinstance(given, (str, Objective)):
        given = [given]
    return [one if isinstance(one, Objective) else Objective(one) for one in given]


def _freeing(guard):
    """nas_search_free saves the controller's state: an exception of that comes out of close()."""
    def free(pointer):
        lib.nas_search_free(pointer)
        exception = guard.take()
        if exception is not None:
            raise exception
    return free


class Search(Closing):
    """A search over a space.

    space        a Space
    controller   a Controller of yours; a built-in one by name ("random", "evolution"), by name and
                 settings (("evolution", {"population": 20})), or as a BuiltinController
    evaluator    an Evaluator of yours; a function of the proposal; a built-in one ("train", or
                 ("train", {"epochs": 2})). None: ask and tell alone
    evaluators   several by name, {"proxy": ..., "train": ...}, instead of one
    objective    a metric's name, an Objective, or a list of them; "accuracy" unless said
    data         a Dataset
    store        a Store, or the path of one (which close() then closes). A store that holds this search already is resumed
    seed         of everything that is drawn
    window       turns in flight: part of the search. workers: threads that evaluate, 0 for as many
                 as are useful; changes only the speed. Evaluators say themselves whether they may run
                 in several threads; a plain function may when workers > 1 is asked for.
    order        "turns", or "arrival" (results are told as they come)
    max_trials, max_evaluations, max_epochs, max_seconds, target, trial_seconds
                 where it ends; 0, None: no limit
    reuse        True: a network that was evaluated before is not evaluated again
    raises       True: an exception of an evaluator ends the search, and comes out (see Evaluator)
    settings     a text kept in the store"""

    def __init__(self, space, controller="evolution", evaluator=None, evaluators=None, objective=None,
                 data=None, store=None, seed=0, window=1, workers=0, order="turns", reuse=False,
                 max_trials=0, max_evaluations=0, max_epochs=0.0, max_seconds=0.0, target=None,
                 trial_seconds=0.0, checkpoint_seconds=60.0, raises=None, settings=None):
        context = space.context
        if evaluator is not None and evaluators is not None:
            raise TypeError("give evaluator or evaluators, not both")
        self._space, self._data, self._context = space, data, context
        self._owned_store = None
        if store is not None and not isinstance(store, Store):
            store = self._owned_store = Store(store, context=context)
        self._name = space.name
        guard = self._guard = Guard(space, data)
        guard.read_trial = self._read_trial
        self._held = {}  # proposals that ask gave, by address

        controller_handle = self._controller(controller)._bind(guard)
        chosen = list((evaluators or {}).items())
        if evaluator is not None:
            evaluator = self._evaluator(evaluator, workers, raises)
            chosen = [(evaluator.name or type(evaluator).__name__, evaluator)]
        entries = [(name, self._evaluator(one, workers, raises)._bind(guard)) for name, one in chosen]
        named = (STRUCTS["nas_named_evaluator"] * max(1, len(entries)))()
        for at, (name, handle) in zip(named, entries):
            at.name, at.evaluator = encode(name, "an evaluator's name"), handle.pointer
        goals = _objectives(objective)
        aims = (STRUCTS["nas_objective"] * max(1, len(goals)))()
        for at, goal in zip(aims, goals):
            at.metric, at.minimise = encode(goal.metric, "a metric's name"), int(goal.minimise)
            at.weight, at.limit, at.exponent = goal.weight, goal.limit, goal.exponent
        hooks, keep = hooks_table(guard)

        options = initialised("nas_search_options")
        options.space, options.controller = space._pointer, controller_handle.pointer
        options.evaluators, options.n_evaluators = ctypes.addressof(named), len(entries)
        options.objectives, options.n_objectives = ctypes.addressof(aims), len(goals)
        options.data = data._pointer if data is not None else None
        options.store = store._pointer if store is not None else None
        options.hooks = ctypes.addressof(hooks)
        options.seed, options.window, options.workers = seed, window, workers
        options.order, options.reuse = number_of(ORDERS, order, "order"), int(reuse)
        options.max_trials, options.max_evaluations = max_trials, max_evaluations
        options.max_epochs, options.max_seconds = max_epochs, max_seconds
        options.target = math.nan if target is None else target
        options.trial_seconds, options.checkpoint_seconds = trial_seconds, checkpoint_seconds
        options.settings = encode(settings, "settings")

        parents = [context._handle, space._handle, controller_handle]
        parents += [handle for _, handle in entries]
        parents += [part._handle for part in (data, store) if part is not None]
        out = ctypes.c_void_p()
        status = lib.nas_search_create(ctypes.byref(out), context._pointer, ctypes.byref(options))
        self._raise(status)
        guard.search = out.value
        self._handle = _Handle(out.value, _freeing(guard), *parents, keep=keep)
        # The search's own handles of Python controllers and evaluators go with it.
        for handle, part in [(controller_handle, controller)] + [
                (handle, one) for (_, handle), (_, one) in zip(entries, chosen)]:
            if handle is not getattr(part, "_handle", None):
                handle.close()
        self._store = store

    def _controller(self, given):
        if isinstance(given, (Controller, BuiltinController)):
            return given
        name, options = given if isinstance(given, tuple) else (given, {})
        if not isinstance(name, str):
            raise TypeError("a controller must be a libnas.Controller, a name, or a name with a dict of "
                            f"settings, not {type(given).__name__}")
        return BuiltinController(self._space, name, **options)

    def _evaluator(self, given, workers, raises):
        if isinstance(given, Evaluator) and raises is not None and not isinstance(
                given, FunctionEvaluator):
            raise TypeError("raises is an attribute of the evaluator's class")
        if isinstance(given, (Evaluator, BuiltinEvaluator)):
            return given
        name, options = given if isinstance(given, tuple) else (given, {})
        if isinstance(name, str):
            return BuiltinEvaluator(name, context=self._context, **options)
        return FunctionEvaluator(given, concurrent=workers > 1, raises=bool(raises))

    # ---- calls that may run callbacks ----

    def _raise(self, status):
        exception = self._guard.take()
        if exception is not None:
            try:
                raise exception
            finally:
                del exception  # no cycle through this frame
        return check(status, self._context._at)

    def _call(self, function, *arguments):
        self._guard.may_lock()
        pointer = self._pointer
        handle = self._handle
        handle.hold()  # a hook may close the search
        try:
            with interruptible(self._guard):
                status = function(pointer, *arguments)
        except KeyboardInterrupt:  # between the call's end and here
            self._guard.take()
            raise
        finally:
            handle.drop()
        return self._raise(status)

    def run(self, **hooks):
        """Runs it to its end; answers why it ended ("all trials done", "stopped by the caller", ...).

        Hooks, each a function: trial_started(proposal); epoch_ended(proposal, done, total, metric,
        value); trial_ended(trial, result); turn_ended(proposal, result); they may answer libnas.STOP.
        should_stop(), asked often, answers True or False. They come in this thread, one at a time.

        An exception of a hook or of the controller ends the search and is raised here, as it was, and
        so is KeyboardInterrupt, wherever it came. Finished trials are in the store: a new Search on
        it goes on."""
        unknown = [name for name in hooks if name not in HOOKS]
        if unknown:
            raise TypeError(f"there is no hook {unknown[0]!r}; there are {', '.join(HOOKS)}")
        ended = ctypes.c_int32()
        before, self._guard.hooks = self._guard.hooks, hooks
        try:
            self._call(lib.nas_search_run, ctypes.byref(ended))
        finally:
            self._guard.hooks = before
        return text(lib.nas_ended_text(ended.value))

    def step(self):
        """One turn. True: there may be more; False: the search has ended."""
        return self._call(lib.nas_search_step) != _c.NAS_DONE

    def stop(self):
        """Ends a run cleanly; from a hook, another thread or a signal handler."""
        lib.nas_search_stop(self._pointer)

    def ask(self):
        """The next Proposal, to be evaluated anywhere and told back in any order. libnas.WAIT: tell
        one first (`window` are in flight). None: the search has ended."""
        out = ctypes.c_void_p()
        status = self._call(lib.nas_search_ask, ctypes.byref(out))
        if status == _c.NAS_WAIT:
            return WAIT
        if status == _c.NAS_DONE:
            return None
        proposal = self._held[out.value] = Proposal(out.value, self._space)
        return proposal

    def tell(self, proposal, answer):
        """What came of a proposal that ask gave: a number (the accuracy), a dict of metrics or a
        Result. The proposal cannot be used afterwards."""
        context = self._context._at
        result = Result._from(answer)
        self._pointer
        builder = create(lib.nas_result_create, context, context)
        try:
            result._write(builder, context)
            self._over(proposal, lib.nas_search_tell, builder)
        finally:
            lib.nas_result_free(builder)

    def forget(self, proposal):
        """It will never be told."""
        self._over(proposal, lib.nas_search_forget)

    def _over(self, proposal, function, *arguments):
        self._guard.may_lock()
        at = proposal._pointer
        if self._held.get(at) is not proposal:
            raise State("the proposal is not one that this search's ask gave and that waits to be told")
        # Once it is told the address may be given out again, to another thread.
        del self._held[at]
        try:
            self._call(function, at, *arguments)
        except BaseException:
            if lib.nas_search_ended(self._pointer) == _c.NAS_ENDED_NOT:
                self._held.setdefault(at, proposal)
            else:
                proposal._end()
            raise
        proposal._end()

    def close(self):
        """Saves its state and lets go of everything."""
        for proposal in self._held.values():
            proposal._end()
        self._held.clear()
        super().close()
        if self._owned_store is not None:
            self._owned_store.close()

    # ---- what it knows ----

    def _read_trial(self, pointer):
        struct = STRUCTS["nas_trial"].from_address(pointer)
        return read_trial(struct, lib.nas_search_store(self._guard.search))

    @property
    def space(self):
        return self._space

    @property
    def store(self):
        """The store it writes to; of a search without one, the one in memory, which goes with it."""
        if self._store is not None:
            return self._store
        return Store._of_search(lib.nas_search_store(self._pointer), self._handle, self._context)

    @property
    def trials(self):
        """All finished trials, a list of Trial."""
        return list(self.store)

    @property
    def best(self) -> typing.Optional[Trial]:
        """The trial with the best score, of equals the first. Raises NotFound before there is one."""
        self._guard.may_lock()
        struct = make("nas_trial")
        check(lib.nas_search_best(self._pointer, ctypes.byref(struct)), self._context._at)
        return read_trial(struct, lib.nas_search_store(self._pointer))

    @property
    def best_arch(self):
        """The architecture of the best trial, an Arch."""
        return self._space.arch(self.best.arch)

    @property
    def state(self):
        """Where it stands: a SearchState."""
        self._guard.may_lock()
        out = make("nas_search_progress")
        check(lib.nas_search_state(self._pointer, ctypes.byref(out)), self._context._at)
        return SearchState(*(getattr(out, field.name) for field in dataclasses.fields(SearchState)))

    @property
    def ended(self):
        """Why it ended; None while it has not."""
        self._guard.may_lock()
        ended = lib.nas_search_ended(self._pointer)
        return None if ended == _c.NAS_ENDED_NOT else text(lib.nas_ended_text(ended))

    def __len__(self):
        return lib.nas_search_trials(self._pointer)

    def __repr__(self):
        if self.closed:
            return "<libnas.Search, closed>"
        return f"<libnas.Search of {self._name!r}: {len(self)} trials>"
