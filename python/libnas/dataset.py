"""Images and labels."""
import ctypes
import dataclasses

import numpy

from ._handle import Closing, _Handle, check, create
from ._library import encode, initialised, lib, make, settings
from .context import default_context
from .proposal import SPLITS, number_of


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """What a data set holds. mean, deviation: of the channels, in units of 0..1."""

    n_train: int
    n_validation: int
    n_test: int
    height: int
    width: int
    channels: int
    classes: int
    mean: tuple
    deviation: tuple
    hash: int


def images(array, what, shape=None):
    """An array of images as the library takes it: uint8 or float32, N, H, W, C, contiguous."""
    array = numpy.asarray(array)
    if array.dtype == numpy.float64:
        raise TypeError(f"{what} are float64; the library computes in float32: "
                        "use array.astype(numpy.float32)")
    if array.dtype not in (numpy.uint8, numpy.float32):
        raise TypeError(f"{what} are {array.dtype}; they must be uint8 (0..255) or float32")
    if array.ndim == 3:
        array = array[..., numpy.newaxis]
    if array.ndim != 4:
        raise ValueError(f"{what} have the shape {array.shape}; it must be (N, H, W, C), or (N, H, W) "
                         "of one channel")
    if shape is not None and array.shape[1:] != tuple(shape):
        hint = ("; channels come last here: numpy.moveaxis(array, 1, -1)"
                if (array.shape[2], array.shape[3], array.shape[1]) == tuple(shape) else "")
        raise ValueError(f"{what} have the shape {array.shape}; each must be {tuple(shape)}, that is "
                         f"(H, W, C){hint}")
    return numpy.ascontiguousarray(array)


def labels(array, n, what):
    array = numpy.asarray(array)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what} are {array.dtype}; they must be integers")
    if array.shape != (n,):
        raise ValueError(f"{what} have the shape {array.shape}; it must be ({n},), one for each image")
    if n and (array.min() < 0 or array.max() > 2**31 - 1):
        raise ValueError(f"{what} must be 0 .. classes - 1")
    return numpy.ascontiguousarray(array, dtype=numpy.int32)


class Dataset(Closing):
    """Images and labels, in a training, a validation and a test split.

    Dataset.open by name or folder, Dataset.from_arrays from numpy. Options of both: validation (how
    many training images are held back; a tenth unless said), balanced, normalise, flip, crop_pad,
    cutout, limit_train, limit_test."""

    def __init__(self):
        raise TypeError("use Dataset.open or Dataset.from_arrays")

    @classmethod
    def _made(cls, pointer, context):
        self = cls.__new__(cls)
        self._handle = _Handle(pointer, lib.nas_dataset_free, context._handle)
        self._context = context
        self._info = None
        return self

    @staticmethod
    def _options(context, options, mean, deviation):
        struct = initialised("nas_dataset_options")
        for setting in settings(options):
            check(lib.nas_dataset_options_set(context._pointer, ctypes.byref(struct),
                                              encode(setting)), context._pointer)
        for name, values in (("mean", mean), ("deviation", deviation)):
            if values is not None:
                values = [float(value) for value in values]
                if not 1 <= len(values) <= 4:
                    raise ValueError(f"{name} has {len(values)} numbers; one for each channel, at most 4")
                getattr(struct, name)[:len(values)] = values
        return struct

    @classmethod
    def open(cls, what, context=None, mean=None, deviation=None, **options):
        """By name ("fashion-mnist"), or a folder with IDX files or CIFAR-10's binary batches."""
        context = context or default_context()
        struct = cls._options(context, options, mean, deviation)
        return cls._made(create(lib.nas_dataset_open, context._pointer, context._pointer,
                                encode(what, "the data's name"), ctypes.byref(struct)), context)

    @classmethod
    def from_arrays(cls, train_images, train_labels, test_images=None, test_labels=None, classes=None,
                    context=None, mean=None, deviation=None, **options):
        """From arrays (N, H, W, C), or (N, H, W) for one channel: uint8, which are scaled to 0..1,
        or float32 as they are. They are copied. classes: as many as the labels say unless given."""
        context = context or default_context()
        train = images(train_images, "training images")
        n, height, width, channels = train.shape
        truth = labels(train_labels, n, "training labels")
        if (test_images is None) != (test_labels is None):
            raise ValueError("test images and test labels come together")
        test = test_truth = None
        if test_images is not None:
            test = images(test_images, "test images", train.shape[1:])
            if test.dtype != train.dtype:
                raise TypeError(f"training images are {train.dtype}, test images {test.dtype}")
            test_truth = labels(test_labels, test.shape[0], "test labels")
        if classes is None:
            classes = 1 + int(max([truth.max() if n else 0]
                                  + ([test_truth.max()] if test is not None and len(test) else [])))
        kind = "bytes" if train.dtype == numpy.uint8 else "floats"
        arrays = make("nas_dataset_arrays", n_train=n, n_test=0 if test is None else len(test),
                      height=height, width=width, channels=channels, classes=classes,
                      train_labels=truth.ctypes.data)
        setattr(arrays, "train_" + kind, train.ctypes.data)
        if test is not None:
            setattr(arrays, "test_" + kind, test.ctypes.data)
            arrays.test_labels = test_truth.ctypes.data
        struct = cls._options(context, options, mean, deviation)
        return cls._made(create(lib.nas_dataset_from_arrays, context._pointer, context._pointer,
                                ctypes.byref(arrays), ctypes.byref(struct)), context)

    @property
    def info(self):
        """Sizes, normalisation, hash: a DatasetInfo."""
        if self._info is None:
            out = make("nas_dataset_info")
            check(lib.nas_dataset_describe(self._pointer, ctypes.byref(out)), self._context._at)
            self._info = DatasetInfo(out.n_train, out.n_validation, out.n_test, out.height, out.width,
                                     out.channels, out.classes, tuple(out.mean[:out.channels]),
                                     tuple(out.deviation[:out.channels]), out.hash)
        return self._info

    def read(self, split="train", start=0, n=None):
        """Images (float32, N, H, W, C, normalised) and labels (int32) of a split."""
        number, info = number_of(SPLITS, split, "split"), self.info
        whole = {"train": info.n_train, "validation": info.n_validation, "test": info.n_test}
        n = whole.get(split, 0) - start if n is None else n
        out = numpy.empty((max(n, 0), info.height, info.width, info.channels), numpy.float32)
        truth = numpy.empty(max(n, 0), numpy.int32)
        check(lib.nas_dataset_read(self._pointer, number, start, n, out.ctypes.data,
                                   truth.ctypes.data), self._context._at)
        return out, truth

    def __repr__(self):
        if self.closed:
            return "<libnas.Dataset, closed>"
        i = self.info
        return (f"<libnas.Dataset: {i.n_train} training, {i.n_validation} validation, {i.n_test} test "
                f"images of {i.height} x {i.width} x {i.channels}, {i.classes} classes>")
