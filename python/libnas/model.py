"""One network: trained, measured, used, kept."""
import ctypes
import dataclasses

import numpy

from . import _c
from ._callbacks import Interrupts, interruptible, train_function
from ._handle import Closing, _Handle, check, create
from ._library import STRUCTS, encode, initialised, lib, make, settings, text
from .context import default_context
from .dataset import images
from .proposal import SPLITS, number_of
from .space import Arch, Space


@dataclasses.dataclass(frozen=True)
class Epoch:
    """Progress of a training, after each epoch. validation_*: None where not measured. seconds:
    since the training began."""

    epoch: float
    epochs: float
    step: int
    steps: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Mean cross-entropy, fraction right, of n images."""

    loss: float
    accuracy: float
    n: int


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """Images that a model takes, how they are to be normalised ((value - mean) / deviation, in units
    of 0..1), and its number of classes."""

    height: int
    width: int
    channels: int
    classes: int
    mean: tuple
    deviation: tuple


def _read_epoch(pointer):
    p = STRUCTS["nas_train_progress"].from_address(pointer)
    validation_loss = validation_accuracy = None
    if p.validation_accuracy >= 0:
        validation_loss, validation_accuracy = p.validation_loss, p.validation_accuracy
    return Epoch(p.epoch, p.epochs, p.step, p.steps, p.train_loss, p.train_accuracy, validation_loss,
                 validation_accuracy, p.learning_rate, p.seconds)


class Model(Closing):
    """A network built from an architecture, its weights drawn from the seed."""

    def __init__(self, arch, seed=0):
        self._arch = arch
        self._context = arch.space._context
        pointer = create(lib.nas_model_create, self._context._at, arch._pointer, seed)
        self._handle = _Handle(pointer, lib.nas_model_free, arch._handle)

    @classmethod
    def load(cls, path, context=None):
        """From a file that save wrote; nothing else is needed."""
        self = cls.__new__(cls)
        self._context = context or default_context()
        pointer = create(lib.nas_model_load, self._context._at, self._context._at,
                         encode(path, "the path"))
        self._handle = _Handle(pointer, lib.nas_model_free, self._context._handle)
        self._arch = None
        return self

    @property
    def arch(self):
        """Its architecture."""
        if self._arch is None:  # of a file: the architecture holds its space
            at = lib.nas_arch_hold(lib.nas_model_arch(self._pointer))
            space = Space.__new__(Space)
            space._handle = _Handle(lib.nas_arch_space(at), lambda _: lib.nas_arch_free(at),
                                    self._context._handle)
            space._context, space._decisions = self._context, None
            self._arch = Arch._borrowed(at, space)
        return self._arch

    @property
    def info(self):
        """What it takes and gives: a ModelInfo."""
        out = make("nas_model_info")
        check(lib.nas_model_describe(self._pointer, ctypes.byref(out)), self._context._at)
        return ModelInfo(out.height, out.width, out.channels, out.classes,
                         tuple(out.mean[:out.channels]), tuple(out.deviation[:out.channels]))

    def train(self, data, progress=None, seed=0, **options):
        """Trains on the data's training split. Options as in a search file: epochs, batch, optimizer,
        learning_rate, schedule, weight_decay, label_smoothing, drop_path, ...

        progress: a function that gets an Epoch after each; it may answer libnas.STOP. What it raises
        ends the training and comes out of here. True: trained to the end; False: ended early, by
        libnas.STOP or max_seconds."""
        context = self._context._at
        struct = initialised("nas_train_options")
        for setting in settings(options):
            check(lib.nas_train_options_set(context, ctypes.byref(struct), encode(setting)), context)
        struct.seed = seed
        errors, interrupts = [], Interrupts()
        function = train_function(progress, _read_epoch, errors)
        handle = self._handle
        pointer = self._pointer
        handle.hold()
        try:
            with interruptible(interrupts):
                status = lib.nas_model_train(pointer, data._pointer, ctypes.byref(struct), function,
                                             None)
        finally:
            handle.drop()
        if interrupts.interrupted and not errors:
            raise KeyboardInterrupt
        return check(status, context, errors) != _c.NAS_STOP

    def evaluate(self, data, split="test"):
        """Measures it on a split: a Metrics."""
        out = make("nas_metrics")
        check(lib.nas_model_evaluate(self._pointer, data._pointer, number_of(SPLITS, split, "split"),
                                     ctypes.byref(out)), self._context._at)
        return Metrics(out.loss, out.accuracy, out.n)

    def predict(self, batch):
        """Logits (N, classes) of images (N, H, W, C), float32, normalised as Dataset.read gives
        them. A contiguous array is not copied."""
        info = self.info
        batch = images(batch, "images", (info.height, info.width, info.channels))
        if batch.dtype != numpy.float32:
            raise TypeError("images must be float32, normalised as Dataset.read gives them")
        out = numpy.empty((len(batch), info.classes), numpy.float32)
        check(lib.nas_model_predict(self._pointer, batch.ctypes.data, len(batch), out.ctypes.data),
              self._context._at)
        return out

    def save(self, path):
        """As safetensors, with PyTorch's names and layouts."""
        check(lib.nas_model_save(self._pointer, encode(path, "the path")), self._context._at)

    def load_weights(self, path):
        """Weights of a file into this model: every name must be there with its shape."""
        check(lib.nas_model_load_weights(self._pointer, encode(path, "the path")),
              self._context._at)

    def _tensors(self):
        index = 0
        while True:
            info = STRUCTS["nas_tensor_info"]()
            status = lib.nas_model_tensor(self._pointer, index, ctypes.byref(info))
            if status == _c.NAS_DONE or status == _c.NAS_E_NOT_FOUND:
                return
            check(status, self._context._at)
            yield text(info.name), tuple(info.shape[:info.dimensions]), bool(info.trained)
            index += 1

    @property
    def shapes(self):
        """{name: shape} of all its tensors, in PyTorch's names and layouts."""
        return {name: shape for name, shape, _ in self._tensors()}

    @property
    def tensors(self):
        """{name: array} of copies of all its tensors, weights and running statistics."""
        return {name: self[name] for name in self.shapes}

    def _shape(self, name):
        shapes = self.shapes
        if name not in shapes:
            raise KeyError(f"the model has no tensor {name!r}")
        return shapes[name]

    def __getitem__(self, name):
        """A copy of one tensor: model["classifier.weight"]."""
        out = numpy.empty(self._shape(name), numpy.float32)
        check(lib.nas_model_read_tensor(self._pointer, encode(name), out.ctypes.data, out.size),
              self._context._at)
        return out

    def __setitem__(self, name, values):
        shape = self._shape(name)
        values = numpy.ascontiguousarray(values, dtype=numpy.float32)
        if values.shape != shape:
            raise ValueError(f"tensor {name} has the shape {shape}, not {values.shape}")
        check(lib.nas_model_write_tensor(self._pointer, encode(name), values.ctypes.data, values.size),
              self._context._at)

    def __repr__(self):
        return "<libnas.Model, closed>" if self.closed else f"<libnas.Model of {self.arch.text}>"
