"""libnas: neural architecture search, the C library from Python.

    import libnas

    space = libnas.Space.create("mine", {"depth": range(1, 17), "kind": ["plain", "separable"]})
    search = libnas.Search(space, "evolution", lambda proposal: my_accuracy(proposal["depth"]),
                           max_trials=200, seed=1)
    search.run()
    print(search.best.arch)

docs/python.md is the manual. Nothing is loaded until it is used; libnas.load names the shared library
where it is not found by itself."""
from ._callbacks import DONE, STOP, WAIT, Progress
from ._library import lib as _lib
from ._library import load
from .context import Context, Random, default_context
from .controller import BuiltinController, Controller, controllers
from .dataset import Dataset, DatasetInfo
from .errors import (IO, Busy, Callback, Cancelled, Corrupt, Differs, Diverged, Error, Exists, Forked,
                     Infeasible, Internal, Invalid, Limit, NotFound, OutOfMemory, Shape, State, Syntax,
                     Unsupported, Version)
from .evaluator import BuiltinEvaluator, Evaluator, FunctionEvaluator, evaluators
from .model import Epoch, Metrics, Model, ModelInfo
from .proposal import Proposal, ProposalBuilder, Result
from .search import Objective, Search, SearchState
from .space import Arch, Costs, Decision, Real, Space, preset_text, presets
from .store import Store, Trial

__version__ = "0.1.0"


def version():
    """The version of the shared library, "0.1.0"."""
    return _lib.nas_version_text().decode()


__all__ = [
    "Arch", "BuiltinController", "BuiltinEvaluator", "Busy", "Callback", "Cancelled", "Context",
    "Controller", "Corrupt", "Costs", "DONE", "Dataset", "DatasetInfo", "Decision", "Differs",
    "Diverged", "Epoch", "Error", "Evaluator", "Exists", "Forked", "FunctionEvaluator", "IO",
    "Infeasible", "Internal", "Invalid", "Limit", "Metrics", "Model", "ModelInfo", "NotFound",
    "Objective", "OutOfMemory", "Progress", "Proposal", "ProposalBuilder", "Random", "Real", "Result",
    "STOP", "Search", "SearchState", "Shape", "Space", "State", "Store", "Syntax", "Trial",
    "Unsupported", "Version", "WAIT", "controllers", "default_context", "evaluators", "load",
    "preset_text", "presets", "version",
]
