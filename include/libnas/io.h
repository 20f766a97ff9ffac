/* io.h: where text goes, and the bytes of saved state.
 *
 * A sink takes text or bytes that the library makes (a report, a drawing, a description).
 * A writer and a reader carry the state of a controller or an evaluator: that is the whole of
 * resume. Numbers are little-endian; a reader checks every bound and never reads past its end. */
#ifndef LIBNAS_IO_H
#define LIBNAS_IO_H
#include "base.h"
NAS_EXTERN_C_BEGIN

/* Returns NAS_OK, or another status, which ends the writing and is passed through. */
typedef nas_status (*nas_write_fn)(void *user, const void *bytes, size_t n);

/* A sink over the caller's function, into a file (written beside it and renamed when the sink is
 * closed well), or into memory. */
NAS_API nas_status nas_sink_create(nas_sink **out, nas_context *context, nas_write_fn write,
                                   void *user);
NAS_API nas_status nas_sink_file(nas_sink **out, nas_context *context, const char *path);
NAS_API nas_status nas_sink_memory(nas_sink **out, nas_context *context);
NAS_API nas_status nas_sink_write(nas_sink *sink, const void *bytes, size_t n);
NAS_API nas_status nas_sink_text(nas_sink *sink, const char *text);
/* Of a memory sink: what it holds, with a 0 byte after it; borrowed until the next write. */
NAS_API const char *nas_sink_data(const nas_sink *sink, size_t *n);
/* Finishes what was written (for a file: flushes, renames) and reports the first failure. */
NAS_API nas_status nas_sink_close(nas_sink *sink);
/* Frees it; a file sink that was not closed leaves no file. */
NAS_API void nas_sink_free(nas_sink *sink);

NAS_API nas_status nas_writer_create(nas_writer **out, nas_context *context);
NAS_API void nas_writer_free(nas_writer *writer);
NAS_API const void *nas_writer_data(const nas_writer *writer, size_t *n); /* borrowed */
NAS_API nas_status nas_write_u64(nas_writer *to, uint64_t value);
NAS_API nas_status nas_write_i64(nas_writer *to, int64_t value);
NAS_API nas_status nas_write_f64(nas_writer *to, double value);
NAS_API nas_status nas_write_f64s(nas_writer *to, const double *values, size_t n);
NAS_API nas_status nas_write_bytes(nas_writer *to, const void *bytes, size_t n); /* with length */
NAS_API nas_status nas_write_text(nas_writer *to, const char *text);
NAS_API nas_status nas_write_arch(nas_writer *to, const nas_arch *arch);

/* Over the caller's bytes, which must stay while it is used. */
NAS_API nas_status nas_reader_create(nas_reader **out, nas_context *context, const void *bytes,
                                     size_t n);
NAS_API void nas_reader_free(nas_reader *reader);
NAS_API nas_status nas_read_u64(nas_reader *from, uint64_t *out);
NAS_API nas_status nas_read_i64(nas_reader *from, int64_t *out);
NAS_API nas_status nas_read_f64(nas_reader *from, double *out);
NAS_API nas_status nas_read_f64s(nas_reader *from, double *out, size_t n); /* n as it was written */
/* Borrowed from the reader's bytes. */
NAS_API nas_status nas_read_bytes(nas_reader *from, const void **out, size_t *n);
/* Into a buffer; NAS_E_LIMIT if it and its 0 byte do not fit. */
NAS_API nas_status nas_read_text(nas_reader *from, char *out, size_t capacity);
/* Of the given space; the caller frees it. */
NAS_API nas_status nas_read_arch(nas_reader *from, const nas_space *space, nas_arch **out);
NAS_API size_t nas_reader_left(const nas_reader *from);

NAS_EXTERN_C_END
#endif
