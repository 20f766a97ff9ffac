"""What people look at: reports of a store, drawings of architectures."""
import ctypes

from . import _c
from ._handle import check, create
from ._library import encode, initialised, lib
from .controller import written
from .proposal import number_of

_FORMATS = {"svg": _c.NAS_DRAW_SVG, "dot": _c.NAS_DRAW_DOT, "text": _c.NAS_DRAW_TEXT}


def draw(arch, format="svg"):
    """An architecture as "svg", "dot" or "text"."""
    function, number = lib.nas_arch_draw, number_of(_FORMATS, format, "format")
    return written(arch.space.context, function, arch._pointer, number)


def report(store, path=None, title=None, best=4, format="html"):
    """A store's report, as text or into a file."""
    if format not in ("html", "text"):
        raise ValueError(f"format is {format!r}; it must be html or text")
    function = lib.nas_report_html if format == "html" else lib.nas_report_text
    context = store._context
    options = initialised("nas_report_options")
    title = encode(title, "the title")
    options.title, options.best = title, best
    if path is None:
        return written(context, function, store._pointer, ctypes.byref(options))
    sink = create(lib.nas_sink_file, context._pointer, context._pointer, encode(path, "the path"))
    try:
        check(function(store._pointer, ctypes.byref(options), sink), context._pointer)
        check(lib.nas_sink_close(sink), context._pointer)
    finally:
        lib.nas_sink_free(sink)
    return None
