/* sink.c: where text and bytes go: a function of the caller's, a file, memory. */
#include <stdio.h>
#include "private.h"

#define BUFFER 16384

struct nas_sink {
    nas_context *context;
    nas_write_fn write; /* of the caller */
    void *user;
    ni_output *output; /* of a file */
    char *buffer;      /* of a file: what is not yet written */
    size_t held;
    ni_text memory; /* of memory */
    bool in_memory, closed;
    nas_status status; /* the first that was not NAS_OK ends all writing */
};

static nas_status sink_new(nas_sink **out, nas_context *context) {
    nas_sink *sink = ni_calloc(context, 1, sizeof *sink);
    if (!sink) return NAS_E_MEMORY;
    sink->context = context;
    ni_text_init(&sink->memory, context);
    ni_context_hold(context);
    *out = sink;
    return NAS_OK;
}

nas_status nas_sink_create(nas_sink **out, nas_context *context, nas_write_fn write, void *user) {
    NI_TRY(ni_enter(context));
    if (!out || !write)
        return ni_fail(context, NAS_E_INVALID, "nas_sink_create: out and write must not be NULL");
    nas_sink *sink;
    NI_TRY(sink_new(&sink, context));
    sink->write = write;
    sink->user = user;
    *out = sink;
    return NAS_OK;
}

nas_status nas_sink_file(nas_sink **out, nas_context *context, const char *path) {
    NI_TRY(ni_enter(context));
    if (!out || !path || !*path)
        return ni_fail(context, NAS_E_INVALID, "nas_sink_file: out and path must be given");
    nas_sink *sink;
    nas_status status;
    NI_TRY(sink_new(&sink, context));
    sink->buffer = ni_alloc(context, BUFFER);
    status = sink->buffer ? ni_output_open(&sink->output, context, path) : NAS_E_MEMORY;
    if (status < 0)
        nas_sink_free(sink);
    else
        *out = sink;
    return status;
}

nas_status nas_sink_memory(nas_sink **out, nas_context *context) {
    NI_TRY(ni_enter(context));
    if (!out) return ni_fail(context, NAS_E_INVALID, "nas_sink_memory: out must not be NULL");
    nas_sink *sink;
    NI_TRY(sink_new(&sink, context));
    sink->in_memory = true;
    *out = sink;
    return NAS_OK;
}

static nas_status flush(nas_sink *sink) {
    size_t n = sink->held;
    sink->held = 0;
    return ni_output_write(sink->output, sink->buffer, n);
}

static nas_status write_file(nas_sink *sink, const void *bytes, size_t n) {
    if (n > BUFFER - sink->held) NI_TRY(flush(sink));
    if (n > BUFFER) return ni_output_write(sink->output, bytes, n);
    memcpy(sink->buffer + sink->held, bytes, n);
    sink->held += n;
    return NAS_OK;
}

nas_status nas_sink_write(nas_sink *sink, const void *bytes, size_t n) {
    if (!sink) return NAS_E_INVALID;
    NI_TRY(ni_enter(sink->context));
    if (sink->closed)
        return ni_fail(sink->context, NAS_E_STATE, "nas_sink_write: the sink is closed");
    if (sink->status || !n) return sink->status;
    if (!bytes)
        return ni_fail(sink->context, NAS_E_INVALID, "nas_sink_write: bytes must not be NULL");
    if (sink->output) {
        sink->status = write_file(sink, bytes, n);
    } else if (sink->in_memory) {
        ni_text_add_n(&sink->memory, bytes, n);
        sink->status = sink->memory.status;
    } else {
        uint64_t mark = ni_fail_mark(sink->context);
        sink->status = ni_fail_callback(sink->context, sink->write(sink->user, bytes, n), mark,
                                        "the write function of the sink");
    }
    return sink->status;
}

nas_status nas_sink_text(nas_sink *sink, const char *text) {
    if (!sink) return NAS_E_INVALID;
    if (!text) return ni_fail(sink->context, NAS_E_INVALID, "nas_sink_text: text is NULL");
    return nas_sink_write(sink, text, strlen(text));
}

nas_status ni_sink_f(nas_sink *sink, const char *format, ...) {
    ni_text text;
    ni_text_init(&text, sink->context);
    va_list arguments;
    va_start(arguments, format);
    ni_text_v(&text, format, arguments);
    va_end(arguments);
    nas_status status = text.status;
    if (status >= 0)
        status = nas_sink_write(sink, ni_text_get(&text), text.n);
    else if (!sink->status)
        sink->status = status; /* what lacks a piece must not be closed well */
    ni_text_free(&text);
    return status;
}

const char *nas_sink_data(const nas_sink *sink, size_t *n) {
    if (n) *n = sink ? sink->memory.n : 0;
    return sink ? ni_text_get(&sink->memory) : "";
}

nas_status nas_sink_close(nas_sink *sink) {
    if (!sink) return NAS_E_INVALID;
    NI_TRY(ni_enter(sink->context));
    if (sink->closed) return sink->status;
    sink->closed = true;
    if (sink->output) {
        if (!sink->status) sink->status = flush(sink);
        if (!sink->status) sink->status = ni_output_close(sink->output);
        ni_output_free(sink->output);
        sink->output = NULL;
    }
    return sink->status;
}

void nas_sink_free(nas_sink *sink) {
    if (!sink) return;
    nas_context *context = sink->context;
    ni_output_free(sink->output);
    ni_text_free(&sink->memory);
    ni_free(context, sink->buffer);
    ni_free(context, sink);
    ni_context_release(context);
}

nas_context *ni_sink_context(nas_sink *sink) {
    return sink->context;
}
