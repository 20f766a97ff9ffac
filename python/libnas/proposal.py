"""What passes between controllers and evaluators: proposals and results."""
import ctypes

from . import _c
from ._handle import check
from ._library import STRUCTS, encode, lib, text
from .context import Random
from .space import Arch, decode_value, encode_value

SPLITS = {"none": _c.NAS_SPLIT_NONE, "train": _c.NAS_SPLIT_TRAIN,
          "validation": _c.NAS_SPLIT_VALIDATION, "test": _c.NAS_SPLIT_TEST}
HOW = {"scratch": _c.NAS_FROM_SCRATCH, "continue": _c.NAS_FROM_CONTINUE,
       "inherit": _c.NAS_FROM_INHERIT}
STATES = {"complete": _c.NAS_STATE_COMPLETE, "stopped": _c.NAS_STATE_STOPPED,
          "infeasible": _c.NAS_STATE_INFEASIBLE, "cached": _c.NAS_STATE_CACHED}
REASONS = {"none": _c.NAS_REASON_NONE, "diverged": _c.NAS_REASON_DIVERGED,
           "memory": _c.NAS_REASON_MEMORY, "time": _c.NAS_REASON_TIME,
           "callback": _c.NAS_REASON_CALLBACK, "constraint": _c.NAS_REASON_CONSTRAINT,
           "vanished": _c.NAS_REASON_VANISHED, "other": _c.NAS_REASON_OTHER}
WANTS = {"metrics": _c.NAS_WANT_METRICS, "arch_gradient": _c.NAS_WANT_ARCH_GRADIENT,
         "weight_step": _c.NAS_WANT_WEIGHT_STEP, "keep_direction": _c.NAS_WANT_KEEP_DIRECTION}
POINTS = {"live": _c.NAS_WEIGHTS_LIVE, "lookahead": _c.NAS_WEIGHTS_LOOKAHEAD}


def name_of(table, number):
    return next((name for name, value in table.items() if value == number), str(number))


def number_of(table, name, what):
    if name not in table:
        raise ValueError(f"{what} is {name!r}; it must be one of {', '.join(table)}")
    return table[name]


def trial_or_none(number):
    return None if number == _c.NAS_TRIAL_NONE else number


class _Lent:
    """What the library lends for one call: it cannot be used after it."""

    _at = None

    @property
    def _pointer(self):
        if self._at is None:
            from .errors import State
            raise State(f"this {type(self).__name__} was lent for a call that has ended: keep what "
                        "you need of it (its arch, its trial) instead")
        return self._at

    def _end(self):
        self._at = None


class Proposal(_Lent):
    """What a controller asks to be tried. Belongs to the search: to be read during the call that
    brings it, or (of Search.ask) until it is told or forgotten. proposal["depth"] is a decision's
    value."""

    def __init__(self, pointer, space):
        self._at, self._space = pointer, space

    @property
    def turn(self):
        return lib.nas_proposal_turn(self._pointer)

    @property
    def trial(self):
        return lib.nas_proposal_trial(self._pointer)

    @property
    def arch(self):
        """The architecture, which may be kept; None for a relaxed proposal."""
        return Arch._borrowed(lib.nas_proposal_arch(self._pointer), self._space)

    @property
    def space(self):
        return self._space

    def __getitem__(self, name):
        decision = self._space.decision(name)
        out = STRUCTS["nas_value"]()
        check(lib.nas_proposal_value(self._pointer, decision.index, ctypes.byref(out)),
              self._space._context._at)
        return decode_value(decision, out)

    @property
    def wants(self):
        """What is wanted: a set of "metrics", "arch_gradient", "weight_step", "keep_direction"."""
        bits = lib.nas_proposal_wants(self._pointer)
        return {name for name, bit in WANTS.items() if bits & bit}

    def paths(self, decision):
        """Paths of a decision: a list of (alternative, active, weight, channels)."""
        index = self._space.decision(decision).index
        n = ctypes.c_uint32()
        at = lib.nas_proposal_paths(self._pointer, index, ctypes.byref(n))
        if not at:
            return []
        paths = (STRUCTS["nas_path"] * n.value).from_address(at)
        return [(p.alternative, bool(p.active), p.weight, p.channels) for p in paths]

    @property
    def path_count(self):
        """The length of the gradient of a relaxed proposal."""
        return lib.nas_proposal_path_count(self._pointer)

    def path_offset(self, decision):
        """Where a decision's paths begin in the gradient."""
        return lib.nas_proposal_path_offset(self._pointer, self._space.decision(decision).index)

    @property
    def split(self):
        return name_of(SPLITS, lib.nas_proposal_split(self._pointer))

    @property
    def batch(self):
        """The number of the batch in its split's stream; None: the whole split."""
        batch = lib.nas_proposal_batch(self._pointer)
        return None if batch == _c.NAS_BATCH_WHOLE else batch

    def fidelity(self, name, otherwise=None):
        """The fidelity of that name ("epochs", ...), or `otherwise`."""
        missing = float("nan")
        value = lib.nas_proposal_fidelity(self._pointer, encode(name), missing)
        return otherwise if value != value else value

    @property
    def from_trial(self):
        """(trial, "continue" or "inherit") that it starts from; None: from scratch."""
        how = ctypes.c_int32()
        trial = lib.nas_proposal_from(self._pointer, ctypes.byref(how))
        return None if trial == _c.NAS_TRIAL_NONE else (trial, name_of(HOW, how.value))

    @property
    def parent(self):
        """The trial that it was derived from, or None."""
        return trial_or_none(lib.nas_proposal_parent(self._pointer))

    @property
    def evaluator(self):
        """Name of the evaluator; "": the search's first."""
        return text(lib.nas_proposal_evaluator(self._pointer))

    @property
    def weights(self):
        """("live", None), or ("lookahead", batch)."""
        batch = ctypes.c_uint64()
        point = lib.nas_proposal_weights(self._pointer, ctypes.byref(batch))
        return name_of(POINTS, point), (batch.value if point == _c.NAS_WEIGHTS_LOOKAHEAD else None)

    @property
    def displacement(self):
        return lib.nas_proposal_displacement(self._pointer)

    @property
    def token(self):
        """The controller's own bytes."""
        n = ctypes.c_size_t()
        at = lib.nas_proposal_token(self._pointer, ctypes.byref(n))
        return ctypes.string_at(at, n.value) if at and n.value else b""

    @property
    def note(self):
        return text(lib.nas_proposal_note(self._pointer))

    @property
    def ends_trial(self):
        return bool(lib.nas_proposal_ends_trial(self._pointer))

    @property
    def seen(self):
        """How many results had been told when this was asked."""
        return lib.nas_proposal_seen(self._pointer)

    @property
    def seed(self):
        return lib.nas_proposal_seed(self._pointer)

    def random(self, purpose):
        """The random stream of this trial for a purpose of your own: the same after a resume, on any
        worker. Draw by chance from this alone, and the search repeats."""
        out = ctypes.c_void_p()
        context = self._space._context
        check(lib.nas_proposal_random(self._pointer, encode(purpose), ctypes.byref(out)),
              context._pointer)
        from ._handle import _Handle
        stream = Random.__new__(Random)
        stream._handle = _Handle(out.value, lib.nas_random_free, context._handle)
        return stream

    def __repr__(self):
        if self._at is None:
            return "<libnas.Proposal, over>"
        return f"<libnas.Proposal: turn {self.turn}, trial {self.trial}>"


class ProposalBuilder(_Lent):
    """Where a controller writes its proposal, during ask. Every call copies."""

    def __init__(self, pointer, space):
        self._at, self._space = pointer, space

    def _call(self, function, *arguments):
        check(function(self._pointer, *arguments), self._space._context._at)

    @property
    def space(self):
        return self._space

    @property
    def turn(self):
        """The turn that this ask is for."""
        return lib.nas_propose_turn(self._pointer)

    @property
    def trial(self):
        """The trial that this ask is for."""
        return lib.nas_propose_trial(self._pointer)

    @property
    def so_far(self):
        """What has been set, for controllers that wrap a controller: a Proposal, valid until the
        next call here."""
        return Proposal(lib.nas_propose_so_far(self._pointer), self._space)

    def arch(self, arch):
        """The architecture: an Arch, its text, or its values by name."""
        if not isinstance(arch, Arch):
            arch = self._space.arch(arch)
        self._call(lib.nas_propose_arch, arch._pointer)

    def value(self, decision, value):
        """One decision's value."""
        decision = self._space.decision(decision)
        value = encode_value(decision, value)
        self._call(lib.nas_propose_value, decision.index, ctypes.byref(value))

    def paths(self, decision, paths):
        """Several paths of a decision: (alternative, active, weight, channels), the last two may be
        left out (1)."""
        decision = self._space.decision(decision)
        array = (STRUCTS["nas_path"] * max(1, len(paths)))()
        for at, path in zip(array, paths):
            alternative, active, weight, channels = (tuple(path) + (1.0, 1.0))[:4]
            if isinstance(alternative, str):
                alternative = encode_value(decision, alternative).integer
            at.alternative, at.active = alternative, int(active)
            at.weight, at.channels = weight, channels
        self._call(lib.nas_propose_paths, decision.index, array, len(paths))

    def want(self, *wants):
        """What is wanted; "metrics" unless said."""
        self._call(lib.nas_propose_want, sum(number_of(WANTS, one, "want") for one in set(wants)))

    def batch(self, split, batch=None):
        """Which batch of which split; None: the whole split."""
        self._call(lib.nas_propose_batch, number_of(SPLITS, split, "split"),
                   _c.NAS_BATCH_WHOLE if batch is None else batch)

    def fidelity(self, name, value):
        """A named fidelity: "epochs", "data_fraction", "resolution", or an evaluator's own."""
        self._call(lib.nas_propose_fidelity, encode(name), value)

    def from_trial(self, trial, how="continue"):
        """Start from an earlier trial: "continue" or "inherit"."""
        self._call(lib.nas_propose_from, trial, number_of(HOW, how, "how"))

    def evaluator(self, name):
        self._call(lib.nas_propose_evaluator, encode(name))

    def weights(self, point, lookahead_batch=0):
        self._call(lib.nas_propose_weights, number_of(POINTS, point, "point"), lookahead_batch)

    def displacement(self, scale):
        self._call(lib.nas_propose_displacement, scale)

    def token(self, data):
        """Bytes of your own that come back with the result."""
        data = bytes(data)
        self._call(lib.nas_propose_token, data, len(data))

    def continue_trial(self):
        """More turns of this trial follow."""
        self._call(lib.nas_propose_continue_trial)

    def note(self, note):
        """A line for people and reports."""
        self._call(lib.nas_propose_note, encode(note))

    def parent(self, trial):
        """The trial that this one was derived from."""
        self._call(lib.nas_propose_parent, trial)


class Result:
    """What came of a proposal. An evaluator may answer one, and a controller is told one.

    metrics    {"accuracy": 0.9}
    curves     {"accuracy": [(1, 0.5), (2, 0.7)]}, points (x, y); or numbers alone, which are then at
               x = 1, 2, ...
    state      "complete", "stopped", "infeasible", "cached"
    reason     why infeasible: "diverged", "memory", "time", "callback", "constraint", "vanished",
               "other"; "none"
    sentence   the same for people
    gradient   of a relaxed proposal: one number a path
    score      what the search maximises; -inf when infeasible, nan when the result has none.
               Filled in by the search"""

    def __init__(self, metrics=None, curves=None, state="complete", reason="none", sentence="",
                 gradient=None, score=float("nan")):
        self.metrics = dict(metrics or {})
        self.curves = dict(curves or {})
        self.state, self.reason, self.sentence = state, reason, sentence
        self.gradient, self.score = gradient, score
        self._at = None

    def __getitem__(self, metric):
        return self.metrics[metric]

    @property
    def infeasible(self):
        return self.state == "infeasible"

    @classmethod
    def _read(cls, pointer):
        """A copy of a nas_result; _at stays its address while the call lasts."""
        metrics, curves = {}, {}
        value, x, y = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
        while True:
            name = text(lib.nas_result_metric_at(pointer, len(metrics), ctypes.byref(value)))
            if name is None:
                break
            metrics[name] = value.value
        while True:
            name = lib.nas_result_curve_at(pointer, len(curves))
            if name is None:
                break
            points = []
            for index in range(lib.nas_result_points(pointer, name)):
                lib.nas_result_point(pointer, name, index, ctypes.byref(x), ctypes.byref(y))
                points.append((x.value, y.value))
            curves[text(name)] = points
        n = ctypes.c_size_t()
        at = lib.nas_result_gradient(pointer, ctypes.byref(n))
        gradient = list((ctypes.c_double * n.value).from_address(at)) if at and n.value else None
        self = cls(metrics, curves, name_of(STATES, lib.nas_result_state(pointer)),
                   name_of(REASONS, lib.nas_result_reason(pointer)),
                   text(lib.nas_result_sentence(pointer)), gradient, lib.nas_result_score(pointer))
        self._at = pointer
        return self

    def _end(self):
        self._at = None

    @classmethod
    def _from(cls, answer):
        """What an evaluator may answer: a Result, a dict of metrics, or a number (the accuracy)."""
        if isinstance(answer, Result):
            return answer
        if hasattr(answer, "items"):
            return cls(answer)
        try:
            return cls({"accuracy": float(answer)})
        except (TypeError, ValueError):
            raise TypeError("an evaluation must answer a number, a dict of metrics or a "
                            f"libnas.Result, not {type(answer).__name__}") from None

    def _write(self, builder, context):
        """Into a nas_result_builder. context: a pointer, for the sentence."""
        for name, value in self.metrics.items():
            check(lib.nas_result_set(builder, encode(name, "a metric's name"), float(value)), context)
        for name, points in self.curves.items():
            label = encode(name, "a curve's name")
            for index, point in enumerate(points):
                try:
                    x, y = point
                except TypeError:
                    x, y = index + 1, point
                check(lib.nas_result_add_point(builder, label, float(x), float(y)), context)
        if self.gradient is not None:
            n = len(self.gradient)
            values = (ctypes.c_double * max(1, n))(*map(float, self.gradient))
            check(lib.nas_result_set_gradient(builder, values, n), context)
        state = number_of(STATES, self.state, "state")
        if state == _c.NAS_STATE_INFEASIBLE:
            reason = "other" if self.reason == "none" else self.reason
            check(lib.nas_result_set_infeasible(builder, number_of(REASONS, reason, "reason"),
                                                encode(self.sentence)), context)
        elif state != _c.NAS_STATE_COMPLETE:
            check(lib.nas_result_set_state(builder, state), context)

    def __repr__(self):
        if self.infeasible:
            return f"<libnas.Result: infeasible, {self.reason}: {self.sentence}>"
        metrics = ", ".join(f"{name} {value:.6g}" for name, value in self.metrics.items())
        return f"<libnas.Result: {metrics or self.state}>"
