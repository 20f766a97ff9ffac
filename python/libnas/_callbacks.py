"""Where C calls Python: every function that the library calls is made here.

No exception may pass through C. So each of these functions catches whatever was raised, keeps it in
its search's list, and answers a status that ends what runs; the call that ran it (Search.run) then
raises the very same exception, with its traceback.

Ctrl-C needs care. Python raises KeyboardInterrupt between two bytecodes of whatever runs in the main
thread; were that one of these functions, outside of its `try`, ctypes would print the exception and
drop it. So while a search runs, the interrupt is raised only in other code than this file's; here
it is noted, the search is told to stop, and run() raises it. That is why these functions live in a
file of their own."""
import contextlib
import ctypes
import signal
import sys
import threading

from . import _c
from ._library import encode, lib, make, text
from .context import Random
from .errors import Cancelled, Diverged, Error, Infeasible, OutOfMemory, State
from .proposal import REASONS, Proposal, ProposalBuilder, Result, number_of

_STATUS, _P = ctypes.c_int32, ctypes.c_void_p
_F64, _U64, _TEXT = ctypes.c_double, ctypes.c_uint64, ctypes.c_char_p
LOG = ctypes.CFUNCTYPE(None, _P, ctypes.c_int32, _TEXT)
ASK = ctypes.CFUNCTYPE(_STATUS, _P, _P, _P)
TELL = ctypes.CFUNCTYPE(_STATUS, _P, _P, _P)
TURN = ctypes.CFUNCTYPE(_STATUS, _P, _U64)
STATE = ctypes.CFUNCTYPE(_STATUS, _P, _P)
PREPARE = ctypes.CFUNCTYPE(_STATUS, _P, _P, _P)
EVALUATE = ctypes.CFUNCTYPE(_STATUS, _P, _P, _P, _P)
CANCEL = ctypes.CFUNCTYPE(None, _P, _U64)
STARTED = ctypes.CFUNCTYPE(_STATUS, _P, _P, _P)
EPOCH = ctypes.CFUNCTYPE(_STATUS, _P, _P, _P, _F64, _F64, _TEXT, _F64)
ENDED = ctypes.CFUNCTYPE(_STATUS, _P, _P, _P, _P)
STOP_ASKED = ctypes.CFUNCTYPE(ctypes.c_int32, _P, _P)
TRAINED = ctypes.CFUNCTYPE(_STATUS, _P, _P)


class Signal:
    """What ask and the hooks may answer; see libnas.WAIT, DONE, STOP."""

    def __init__(self, name, status):
        self.name, self.status = name, status

    def __repr__(self):
        return f"libnas.{self.name}"

    def __reduce__(self):
        return self.name


WAIT = Signal("WAIT", _c.NAS_WAIT)
DONE = Signal("DONE", _c.NAS_DONE)
STOP = Signal("STOP", _c.NAS_STOP)


def described(exception):
    """One line that says what was raised, for a trial's reason."""
    said = " ".join(str(exception).split())
    return f"{type(exception).__name__}: {said}" if said else type(exception).__name__


def _address(function):
    return ctypes.cast(function, ctypes.c_void_p).value


class Interrupts:
    """Whether Ctrl-C came while the library ran."""

    interrupted = False
    search = None  # the nas_search to stop, where there is one


class Guard(Interrupts):
    """What a search shares with the functions that the library calls for it."""

    def __init__(self, space, data):
        self.space, self.data = space, data
        self.context = space._context._at
        self.errors = []          # exceptions on their way out
        self.hooks = {}           # of the run that is running
        self.asking = None        # the thread that is inside the controller, under the search's lock
        self.read_trial = None    # set by search.py

    def failed(self, exception, status=_c.NAS_E_CALLBACK):
        """Keeps the exception; the status is what the callback answers."""
        self.errors.append(exception)
        if isinstance(exception, KeyboardInterrupt):
            self.interrupted = True
        if status < 0:
            said = described(exception).replace("\0", " ")
            lib.nas_context_fail(self.context, status, said.encode("utf-8", "replace"))
        return status

    def take(self):
        """The exception that the call which is about to return must raise, or None."""
        exception = self.errors.pop(0) if self.errors else None
        if self.interrupted:
            self.interrupted = False
            if not isinstance(exception, KeyboardInterrupt):
                exception = KeyboardInterrupt()
        if exception is not None:
            del self.errors[:]
        return exception

    def may_lock(self):
        """The search holds its lock while it is inside the controller: its methods would wait for
        ever there."""
        if self.asking == threading.get_ident():
            raise State("a search cannot be used inside its controller's calls: keep what you need "
                        "from tell instead")


@contextlib.contextmanager
def interruptible(guard):
    """While a search runs in the main thread, with Python's own handling of Ctrl-C in place."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler and not hasattr(before, "of_libnas"):
        yield
        return

    def interrupt(number, frame):
        guard.interrupted = True
        if guard.search is not None:
            lib.nas_search_stop(guard.search)
        if frame is None or frame.f_code.co_filename != __file__:
            raise KeyboardInterrupt
    interrupt.of_libnas = True  # a search inside a search
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def log_function(log, names):
    """Of a context. May be called in any thread, at any time: an exception can go nowhere, so it is
    shown as those of destructors are."""
    def call(user, level, line):
        try:
            log(names.get(level, str(level)), text(line))
        except BaseException as exception:
            sys.unraisablehook(_Unraisable(exception, log))
    return LOG(call)


class _Unraisable:
    def __init__(self, exception, source):
        self.exc_type, self.exc_value = type(exception), exception
        self.exc_traceback, self.object = exception.__traceback__, source
        self.err_msg = "Exception ignored in a log function of libnas"


# ---- controllers ------------------------------------------------------------------------------------

def _write_state(save, to):
    data = save()
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"save must answer bytes, not {type(data).__name__}")
    data = bytes(data)
    return lib.nas_write_bytes(to, data, len(data))


def _read_state(load, source):
    at, n = ctypes.c_void_p(), ctypes.c_size_t()
    status = lib.nas_read_bytes(source, ctypes.byref(at), ctypes.byref(n))
    if status < 0:
        return status
    load(ctypes.string_at(at, n.value) if n.value else b"")
    return _c.NAS_OK


def controller_table(controller, guard, defined):
    """The nas_controller_ops of a Python controller, and what must be kept as long as it is used.
    defined(name): does its class have a method of its own of that name?"""
    space = guard.space

    def ask(user, stream, out):
        builder = random = None
        try:
            builder, random = ProposalBuilder(out, space), Random._lent(stream)
            guard.asking = threading.get_ident()
            answer = controller.ask(builder, random)
            if answer is None:
                return _c.NAS_OK
            if answer is WAIT or answer is DONE:
                return answer.status
            builder.arch(answer)
            return _c.NAS_OK
        except BaseException as exception:
            return guard.failed(exception)
        finally:
            guard.asking = None
            if builder is not None:
                builder._end()
            if random is not None:
                random.close()

    def tell(user, asked, got):
        proposal = result = None
        try:
            proposal, result = Proposal(asked, space), Result._read(got)
            guard.asking = threading.get_ident()
            controller.tell(proposal, result)
            return _c.NAS_OK
        except BaseException as exception:
            return guard.failed(exception)
        finally:
            guard.asking = None
            if proposal is not None:
                proposal._end()
            if result is not None:
                result._end()

    def guarded(call, *arguments):
        try:
            guard.asking = threading.get_ident()
            answer = call(*arguments)
            return _c.NAS_OK if answer is None else answer
        except BaseException as exception:
            return guard.failed(exception)
        finally:
            guard.asking = None

    def forget(user, turn):
        def call():
            controller.forget(turn)
        return guarded(call)

    def save(user, to):
        return guarded(_write_state, controller.save, to)

    def load(user, source):
        return guarded(_read_state, controller.load, source)

    def describe(user, to):
        return guarded(lambda: lib.nas_sink_text(to, encode(controller.describe())))

    keep = {"ask": ASK(ask), "tell": TELL(tell)}
    if defined("forget"):
        keep["forget"] = TURN(forget)
    if defined("save"):
        keep["save"], keep["load"] = STATE(save), STATE(load)
    if defined("describe"):
        keep["describe"] = STATE(describe)
    flags = (_c.NAS_CONTROLLER_NEEDS_GRADIENT * bool(controller.needs_gradient)
             | _c.NAS_CONTROLLER_NEEDS_WEIGHTS * bool(controller.needs_weights)
             | _c.NAS_CONTROLLER_CONTINUES * bool(controller.continues))
    table = make("nas_controller_ops", flags=flags,
                 **{name: _address(function) for name, function in keep.items()})
    return table, tuple(keep.values())


# ---- evaluators --------------------------------------------------------------------------------------

class Progress:
    """How a running evaluation talks to its search. Valid during evaluate."""

    def __init__(self, pointer, context):
        self._at, self._context = pointer, context
        self._finish = False

    def _answer(self, status):
        if status == _c.NAS_STOP:
            self._finish = True
            return False
        if status < 0:
            raise Cancelled("the evaluation is to be given up", status)
        return True

    def report(self, done, total=0, **metric):
        """`done` of `total` epochs are over: report(3, 10, accuracy=0.8).

        True: go on. False: finish now with what there is; the result's state becomes "stopped".
        Raises libnas.Cancelled when the result is wanted no more: let it pass."""
        if len(metric) > 1:
            raise TypeError("report takes one metric")
        name, value = next(iter(metric.items()), (None, 0.0))
        return self._answer(lib.nas_report(self._pointer, float(done), float(total), encode(name),
                                           float(value)))

    def poll(self):
        """The same answer without news: to be called at least each second."""
        return self._answer(lib.nas_report_poll(self._pointer))

    def keep(self, data):
        """A checkpoint of a long evaluation: these bytes are `kept` when the evaluation runs again
        after the death of the process."""
        data = bytes(data)
        status = lib.nas_report_keep(self._pointer, data, len(data))
        if status < 0:
            raise Error(text(lib.nas_context_error(self._context)), status)

    def _bytes(self, function):
        at, n = ctypes.c_void_p(), ctypes.c_size_t()
        function(self._pointer, ctypes.byref(at), ctypes.byref(n))
        return ctypes.string_at(at, n.value) if at.value and n.value else None

    @property
    def kept(self):
        """The last checkpoint of this evaluation's earlier run, or None."""
        return self._bytes(lib.nas_report_kept)

    @property
    def started_from(self):
        """The last checkpoint of the trial that the proposal starts from, or None."""
        return self._bytes(lib.nas_report_from)

    def keep_due(self, at_end=False):
        """Is a checkpoint wanted now?"""
        return bool(lib.nas_report_keep_due(self._pointer, int(at_end)))

    @property
    def _pointer(self):
        if self._finish is None:
            raise State("this Progress was lent for an evaluation that has ended")
        return self._at

    def _end(self):
        self._at, self._finish = None, None


def evaluator_table(evaluator, guard, defined, flags, raises):
    """The nas_evaluator_ops of a Python evaluator, and what must be kept as long as it is used."""
    space, context = guard.space, guard.context

    def infeasible(exception):
        """An exception that is the trial's, not the search's: the status to answer."""
        if isinstance(exception, Cancelled):
            return _c.NAS_E_CANCELLED
        status = _c.NAS_E_CALLBACK
        if isinstance(exception, Error) and exception.status in (
                _c.NAS_E_DIVERGED, _c.NAS_E_MEMORY, _c.NAS_E_INFEASIBLE):
            status = exception.status
            said = str(exception) or type(exception).__name__
        elif isinstance(exception, MemoryError):
            status, said = _c.NAS_E_MEMORY, described(exception)
        else:
            said = described(exception)
        return lib.nas_context_fail(context, status, encode(said.replace("\0", " ")))

    def evaluate(user, asked, reporter, out):
        proposal = progress = None
        try:
            proposal, progress = Proposal(asked, space), Progress(reporter, context)
            answer = evaluator.evaluate(proposal, progress)
            if answer is STOP:
                return _c.NAS_STOP
            result = Result._from(answer)
            if progress._finish and result.state == "complete":
                result.state = "stopped"
            result._write(out, context)
            return _c.NAS_OK
        except Infeasible as exception:
            return lib.nas_result_set_infeasible(
                out, number_of(REASONS, exception.reason, "reason"),
                encode((str(exception) or "infeasible").replace("\0", " ")))
        except (Cancelled, Diverged, OutOfMemory, MemoryError) as exception:
            return infeasible(exception)
        except Exception as exception:
            if raises:
                return guard.failed(exception, _c.NAS_STOP)
            return infeasible(exception)
        except BaseException as exception:
            return guard.failed(exception, _c.NAS_STOP)
        finally:
            if proposal is not None:
                proposal._end()
            if progress is not None:
                progress._end()

    def prepare(user, space_pointer, data_pointer):
        try:
            evaluator.prepare(space, guard.data)
            return _c.NAS_OK
        except BaseException as exception:
            return guard.failed(exception)

    def observe(user, asked, got):
        proposal = result = None
        try:
            proposal, result = Proposal(asked, space), Result._read(got)
            evaluator.observe(proposal, result)
            return _c.NAS_OK
        except BaseException as exception:
            return guard.failed(exception)
        finally:
            if proposal is not None:
                proposal._end()
            if result is not None:
                result._end()

    def save(user, to):
        try:
            return _write_state(evaluator.save, to)
        except BaseException as exception:
            return guard.failed(exception)

    def load(user, source):
        try:
            return _read_state(evaluator.load, source)
        except BaseException as exception:
            return guard.failed(exception)

    def cancel(user, turn):
        try:
            evaluator.cancel(turn)
        except BaseException as exception:
            guard.failed(exception, _c.NAS_OK)

    keep = {"evaluate": EVALUATE(evaluate)}
    if defined("prepare"):
        keep["prepare"] = PREPARE(prepare)
    if defined("observe"):
        keep["observe"] = TELL(observe)
    if defined("save"):
        keep["save"], keep["load"] = STATE(save), STATE(load)
    if defined("cancel"):
        keep["cancel"] = CANCEL(cancel)
    table = make("nas_evaluator_ops", flags=flags,
                 **{name: _address(function) for name, function in keep.items()})
    return table, tuple(keep.values())


# ---- hooks ----------------------------------------------------------------------------------------------

def hooks_table(guard):
    """The nas_search_hooks of a search: they call what the run that is running was given."""
    space = guard.space

    def answer(value):
        return _c.NAS_STOP if value is STOP else _c.NAS_OK

    def started(user, search, asked):
        proposal = None
        try:
            hook = guard.hooks.get("trial_started")
            if hook is None:
                return _c.NAS_OK
            proposal = Proposal(asked, space)
            return answer(hook(proposal))
        except BaseException as exception:
            return guard.failed(exception, _c.NAS_STOP)
        finally:
            if proposal is not None:
                proposal._end()

    def epoch(user, search, asked, done, total, metric, value):
        proposal = None
        try:
            hook = guard.hooks.get("epoch_ended")
            if hook is None:
                return _c.NAS_OK
            proposal = Proposal(asked, space)
            return answer(hook(proposal, done, total, text(metric), value))
        except BaseException as exception:
            return guard.failed(exception, _c.NAS_STOP)
        finally:
            if proposal is not None:
                proposal._end()

    def trial(user, search, trial_pointer, got):
        result = None
        try:
            hook = guard.hooks.get("trial_ended")
            if hook is None:
                return _c.NAS_OK
            result = Result._read(got)
            return answer(hook(guard.read_trial(trial_pointer), result))
        except BaseException as exception:
            return guard.failed(exception, _c.NAS_STOP)
        finally:
            if result is not None:
                result._end()

    def turn(user, search, asked, got):
        proposal = result = None
        try:
            hook = guard.hooks.get("turn_ended")
            if hook is None:
                return _c.NAS_OK
            proposal, result = Proposal(asked, space), Result._read(got)
            return answer(hook(proposal, result))
        except BaseException as exception:
            return guard.failed(exception, _c.NAS_STOP)
        finally:
            if proposal is not None:
                proposal._end()
            if result is not None:
                result._end()

    def should_stop(user, search):
        try:
            hook = guard.hooks.get("should_stop")
            return int(bool(hook())) if hook is not None else 0
        except BaseException as exception:
            guard.failed(exception, _c.NAS_OK)
            return 1

    keep = {"trial_started": STARTED(started), "epoch_ended": EPOCH(epoch),
            "trial_ended": ENDED(trial), "turn_ended": ENDED(turn),
            "should_stop": STOP_ASKED(should_stop)}
    table = make("nas_search_hooks", **{name: _address(function) for name, function in keep.items()})
    return table, tuple(keep.values())


def train_function(progress, read, errors):
    """The nas_train_fn of a training: calls progress(read(what came)) after each epoch."""
    def call(user, now):
        try:
            if progress is None:  # called all the same: Ctrl-C is heard here
                return _c.NAS_OK
            return _c.NAS_STOP if progress(read(now)) is STOP else _c.NAS_OK
        except BaseException as exception:
            errors.append(exception)
            return _c.NAS_E_CALLBACK
    return TRAINED(call)
