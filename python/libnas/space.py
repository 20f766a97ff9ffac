"""Search spaces and architectures."""
import ctypes
import dataclasses
import operator
import typing

from . import _c
from ._handle import Closing, _Handle, check, create
from ._library import STRUCTS, encode, lib, make, settings, text, texts
from .context import Random, default_context

_KINDS = {_c.NAS_DECISION_CHOICE: "choice", _c.NAS_DECISION_INTEGER: "integer",
          _c.NAS_DECISION_REAL: "real"}
_ROLES = {_c.NAS_ROLE_ARCHITECTURE: "architecture", _c.NAS_ROLE_HYPERPARAMETER: "hyperparameter"}


@dataclasses.dataclass(frozen=True)
class Real:
    """A decision that is a real number, for Space.create."""

    low: float
    high: float
    log: bool = False


@dataclasses.dataclass(frozen=True)
class Decision:
    """One decision of a space. kind: "choice", "integer", "real"; role: "architecture", or
    "hyperparameter" when the evaluator reads it. condition: (decision, alternative) that it depends
    on, or None."""

    index: int
    name: str
    kind: str
    role: str
    alternatives: typing.Optional[tuple] = None
    low: typing.Optional[float] = None
    high: typing.Optional[float] = None
    step: typing.Optional[int] = None
    log: bool = False
    condition: typing.Optional[tuple] = None


@dataclasses.dataclass(frozen=True)
class Costs:
    """What a network costs, known before anything runs. macs, activation_bytes: for one image.
    published_flops: as the space's authors counted; None where they did not."""

    params: int
    macs: int
    published_flops: typing.Optional[int]
    activation_bytes: int
    weight_bytes: int
    depth: int


class Space(Closing):
    """A search space: Space.open, Space.preset, Space.parse or Space.create make one.

    It never changes, and any number of threads may use it at once."""

    def __init__(self):
        raise TypeError("use Space.open, Space.preset, Space.parse or Space.create")

    @classmethod
    def _made(cls, pointer, context):
        self = cls.__new__(cls)
        self._handle = _Handle(pointer, lib.nas_space_free, context._handle)
        self._context = context
        self._decisions = None
        return self

    @classmethod
    def open(cls, what, context=None, **overrides):
        """A preset by name, or else a YAML file by path; its parameters may be overridden:
        Space.open("quick", channels=8)."""
        context = context or default_context()
        array, n = texts(settings(overrides))
        return cls._made(create(lib.nas_space_open, context._pointer, context._pointer,
                                encode(what, "the space's name"), array, n), context)

    @classmethod
    def preset(cls, name, context=None, **overrides):
        """A preset by name; see libnas.presets()."""
        context = context or default_context()
        array, n = texts(settings(overrides))
        return cls._made(create(lib.nas_space_preset, context._pointer, context._pointer,
                                encode(name, "the preset's name"), array, n), context)

    @classmethod
    def parse(cls, yaml, origin="<text>", context=None, **overrides):
        """From a YAML text; origin stands in error sentences in a file name's place."""
        context = context or default_context()
        array, n = texts(settings(overrides))
        yaml = encode(yaml, "the space's text")
        return cls._made(create(lib.nas_space_parse, context._pointer, context._pointer, yaml,
                                len(yaml), encode(origin, "origin"), array, n), context)

    @classmethod
    def create(cls, name, decisions, conditions=None, constraints=(), context=None):
        """A space without a network, for evaluations of one's own.

        decisions    {"depth": range(1, 17), "kind": ["plain", "separable"], "rate": Real(1e-3, 1)}:
                     a range for an integer, names for a choice, Real for a real number
        conditions   {"kernel": ("kind", "separable")}: kernel is there only where kind is separable
        constraints  texts: ["depth * width <= 64"]"""
        context = context or default_context()
        at = context._pointer
        pointer = create(lib.nas_space_create, at, at, encode(name, "the space's name"))
        self = cls._made(pointer, context)
        conditions = dict(conditions or {})
        for decision, what in decisions.items():
            label = encode(decision, "a decision's name")
            if isinstance(what, range):
                if not len(what) or what.step < 0:
                    raise ValueError(f"decision {decision}: {what} must rise and not be empty")
                check(lib.nas_space_add_integer(pointer, label, what[0], what[-1], what.step), at)
            elif isinstance(what, Real):
                check(lib.nas_space_add_real(pointer, label, what.low, what.high, int(what.log)), at)
            elif isinstance(what, (list, tuple)):
                array, n = texts(what, f"an alternative of {decision}")
                check(lib.nas_space_add_choice(pointer, label, array, n), at)
            else:
                raise TypeError(f"decision {decision}: a range, a list of names or a Real is needed, "
                                f"not {type(what).__name__}")
            if decision in conditions:
                on, alternative = conditions.pop(decision)
                check(lib.nas_space_add_condition(pointer, encode(on), encode(alternative)), at)
        if conditions:
            raise ValueError(f"condition of {next(iter(conditions))}: there is no such decision")
        for constraint in constraints:
            check(lib.nas_space_add_constraint(pointer, encode(constraint, "a constraint")), at)
        check(lib.nas_space_finish(pointer), at)
        return self

    @property
    def context(self):
        return self._context

    @property
    def name(self):
        return text(lib.nas_space_name(self._pointer))

    @property
    def text(self):
        """Its YAML text, overrides applied: enough to make it again."""
        return text(lib.nas_space_text(self._pointer))

    @property
    def hash(self):
        return lib.nas_space_hash(self._pointer)

    @property
    def has_network(self):
        """True when its architectures can be costed, built and trained."""
        return bool(lib.nas_space_has_network(self._pointer))

    @property
    def decisions(self):
        """All decisions, a tuple of Decision."""
        if self._decisions is None:
            pointer, found = self._pointer, []
            for index in range(lib.nas_space_decisions(pointer)):
                d = make("nas_decision")
                check(lib.nas_space_decision(pointer, index, ctypes.byref(d)), self._context._at)
                found.append(self._decision(index, d, found))
            self._decisions = tuple(found)
        return self._decisions

    @staticmethod
    def _decision(index, d, before):
        alternatives = condition = low = high = step = None
        if d.kind == _c.NAS_DECISION_CHOICE:
            names = (ctypes.c_char_p * d.n_alternatives).from_address(d.alternatives)
            alternatives = tuple(text(name) for name in names)
        elif d.kind == _c.NAS_DECISION_INTEGER:
            low, high, step = d.low, d.high, d.step
        else:
            low, high = d.real_low, d.real_high
        if d.condition >= 0:
            on = before[d.condition]
            condition = (on.name, on.alternatives[d.condition_alternative])
        return Decision(index, text(d.name), _KINDS[d.kind], _ROLES[d.role], alternatives, low, high,
                        step, bool(d.log_scale), condition)

    def decision(self, name):
        """The decision of that name, or of that index."""
        if isinstance(name, str):
            out = ctypes.c_uint32()
            check(lib.nas_space_find_decision(self._pointer, encode(name), ctypes.byref(out)),
                  self._context._at)
            name = out.value
        return self.decisions[name]

    def count(self):
        """How many architectures there are, exactly; constraints over the network left out, real
        numbers counted as one."""
        count, digits = ctypes.c_uint64(), ctypes.create_string_buffer(4096)
        status = lib.nas_space_count(self._pointer, ctypes.byref(count), digits, len(digits))
        if status == _c.NAS_E_LIMIT and digits.value.isdigit():
            return int(digits.value)
        check(status, self._context._at)
        return count.value

    def sample(self, random=None):
        """An architecture, uniform over those that satisfy the constraints. random: a Random, or a
        number that seeds one."""
        random = self._random(random)
        out = ctypes.c_void_p()
        check(lib.nas_space_sample(self._pointer, random._pointer, ctypes.byref(out)),
              self._context._at)
        return Arch._made(out.value, self)

    def mutate(self, arch, random=None):
        """One decision of `arch` redrawn to another value."""
        random = self._random(random)
        out = ctypes.c_void_p()
        check(lib.nas_space_mutate(self._pointer, arch._pointer, random._pointer, ctypes.byref(out)),
              self._context._at)
        return Arch._made(out.value, self)

    def _random(self, random):
        if random is None:
            raise TypeError("a libnas.Random, or a number to seed one, is needed: the library draws "
                            "nothing by chance")
        return random if isinstance(random, Random) else Random(operator.index(random),
                                                                context=self._context)

    def at(self, index):
        """The index-th architecture of a fixed order, 0 .. count-1."""
        out = ctypes.c_void_p()
        check(lib.nas_space_at(self._pointer, index, ctypes.byref(out)), self._context._at)
        return Arch._made(out.value, self)

    def arch(self, what):
        """An architecture from its canonical text, or from values: {"depth": 3, "kind": "plain"}.
        Values of decisions whose condition is not met may be left out."""
        context = self._context._at
        if isinstance(what, (str, bytes)):
            return Arch._made(create(lib.nas_arch_parse, context, self._pointer, encode(what)), self)
        values = dict(what)
        array = (STRUCTS["nas_value"] * max(1, len(self.decisions)))()
        for decision in self.decisions:
            on = decision.condition
            active = on is None or what.get(on[0]) == on[1]
            if decision.name in values:
                array[decision.index] = encode_value(decision, values.pop(decision.name))
            elif active:
                raise ValueError(f"decision {decision.name} has no value")
        if values:
            raise ValueError(f"the space has no decision {next(iter(values))!r}")
        return Arch._made(create(lib.nas_arch_create, context, self._pointer, array,
                                 len(self.decisions)), self)

    def __repr__(self):
        if self.closed:
            return "<libnas.Space, closed>"
        return f"<libnas.Space {self.name!r}: {len(self.decisions)} decisions>"


def encode_value(decision, value):
    """A decision's value as the library keeps it."""
    out = STRUCTS["nas_value"]()
    if decision.kind == "choice":
        if isinstance(value, str):
            if value not in decision.alternatives:
                raise ValueError(f"decision {decision.name}: {value!r} is none of "
                                 + ", ".join(decision.alternatives))
            value = decision.alternatives.index(value)
        out.integer = operator.index(value)
    elif decision.kind == "integer":
        out.integer = operator.index(value)
    else:
        out.real = float(value)
    return out


def decode_value(decision, value):
    if decision.kind == "choice":
        return decision.alternatives[value.integer]
    return value.integer if decision.kind == "integer" else value.real


class Arch(Closing):
    """An architecture: one value for each decision of its space. Made by a space's sample, mutate,
    at and arch; never changes. arch["depth"] is a decision's value."""

    def __init__(self):
        raise TypeError("use Space.sample, Space.mutate, Space.at or Space.arch")

    @classmethod
    def _made(cls, pointer, space):
        self = cls.__new__(cls)
        self._handle = _Handle(pointer, lib.nas_arch_free, space._handle)
        self._space = space
        return self

    @classmethod
    def _borrowed(cls, pointer, space):
        """Of a proposal: becomes one more owner."""
        return cls._made(lib.nas_arch_hold(pointer), space) if pointer else None

    @property
    def space(self):
        return self._space

    @property
    def text(self):
        """The canonical text: Space.arch reads it back."""
        return text(lib.nas_arch_text(self._pointer))

    @property
    def hash(self):
        return lib.nas_arch_hash(self._pointer)

    @property
    def network_hash(self):
        """Equal for isomorphic networks."""
        return lib.nas_arch_network_hash(self._pointer)

    @property
    def costs(self):
        """Parameters, multiply-accumulates and the like: a Costs."""
        out = make("nas_arch_cost")
        check(lib.nas_arch_costs(self._pointer, ctypes.byref(out)), self._space._context._at)
        return Costs(out.params, out.macs, None if out.published_flops < 0 else out.published_flops,
                     out.activation_bytes, out.weight_bytes, out.depth)

    def check(self):
        """Raises Infeasible, which names the constraint, when one does not hold."""
        check(lib.nas_arch_check(self._pointer), self._space._context._at)

    def __getitem__(self, name):
        decision = self._space.decision(name)
        if not lib.nas_arch_active(self._pointer, decision.index):
            return None
        out = STRUCTS["nas_value"]()
        check(lib.nas_arch_value(self._pointer, decision.index, ctypes.byref(out)),
              self._space._context._at)
        return decode_value(decision, out)

    @property
    def values(self):
        """All decisions' values by name; None where a decision's condition is not met."""
        return {decision.name: self[decision.index] for decision in self._space.decisions}

    def draw(self, format="svg"):
        """A drawing of its network as text: "svg", "dot" (graphviz) or "text"."""
        from .report import draw
        return draw(self, format)

    def __eq__(self, other):
        if not isinstance(other, Arch):
            return NotImplemented
        return bool(lib.nas_arch_equal(self._pointer, other._pointer))

    def __hash__(self):
        return hash(self.hash)

    def __str__(self):
        return self.text

    def __repr__(self):
        return "<libnas.Arch, closed>" if self.closed else f"<libnas.Arch {self.text}>"


def presets():
    """The names of the spaces that are built in."""
    found = []
    while True:
        name = text(lib.nas_space_preset_name(len(found)))
        if name is None:
            return found
        found.append(name)


def preset_text(name):
    """The YAML text of a preset."""
    found = text(lib.nas_space_preset_text(encode(name, "the preset's name")))
    if found is None:
        raise KeyError(f"there is no preset {name!r}; there are {', '.join(presets())}")
    return found
