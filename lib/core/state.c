/* state.c: the bytes of saved state: numbers little-endian, texts and byte strings with their
 * length before them. A call that fails changes neither the writer nor the reader's place. */
#include "core.h"

struct nas_writer {
    nas_context *context;
    unsigned char *data;
    size_t n, capacity;
};

nas_status nas_writer_create(nas_writer **out, nas_context *context) {
    NI_TRY(ni_enter(context));
    if (!out) return ni_fail(context, NAS_E_INVALID, "nas_writer_create: out must not be NULL");
    nas_writer *writer = ni_calloc(context, 1, sizeof *writer);
    if (!writer) return NAS_E_MEMORY;
    writer->context = context;
    ni_context_hold(context);
    *out = writer;
    return NAS_OK;
}

void nas_writer_free(nas_writer *writer) {
    if (!writer) return;
    nas_context *context = writer->context;
    ni_free(context, writer->data);
    ni_free(context, writer);
    ni_context_release(context);
}

const void *nas_writer_data(const nas_writer *writer, size_t *n) {
    if (n) *n = writer ? writer->n : 0;
    return writer && writer->data ? (const void *)writer->data : "";
}

void ni_writer_clear(nas_writer *writer) {
    writer->n = 0;
}

nas_context *ni_writer_context(nas_writer *writer) {
    return writer->context;
}

/* Room for n bytes more; NULL when there is no memory. */
static unsigned char *extend(nas_writer *to, size_t n) {
    size_t wanted;
    if (!ni_add_size(to->n, n, &wanted)) {
        ni_fail_memory(to->context, n);
        return NULL;
    }
    void *data = to->data;
    if (ni_array_grow(to->context, &data, &to->capacity, wanted, 1) < 0) return NULL;
    to->data = data;
    return to->data + to->n;
}

static unsigned char *put(unsigned char *at, uint64_t value) {
    for (int i = 0; i < 8; i++)
        *at++ = (unsigned char)(value >> (8 * i));
    return at;
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

nas_status ni_write_raw(nas_writer *to, const void *bytes, size_t n) {
    if (!n) return NAS_OK;
    unsigned char *at = extend(to, n);
    if (!at) return NAS_E_MEMORY;
    memcpy(at, bytes, n);
    to->n += n;
    return NAS_OK;
}

nas_status nas_write_u64(nas_writer *to, uint64_t value) {
    if (!to) return NAS_E_INVALID;
    NI_TRY(ni_enter(to->context));
    unsigned char *at = extend(to, 8);
    if (!at) return NAS_E_MEMORY;
    put(at, value);
    to->n += 8;
    return NAS_OK;
}

nas_status nas_write_i64(nas_writer *to, int64_t value) {
    return nas_write_u64(to, (uint64_t)value);
}

nas_status nas_write_f64(nas_writer *to, double value) {
    return nas_write_u64(to, bits_of(value));
}

nas_status nas_write_f64s(nas_writer *to, const double *values, size_t n) {
    size_t bytes;
    if (!to) return NAS_E_INVALID;
    NI_TRY(ni_enter(to->context));
    if (n && !values)
        return ni_fail(to->context, NAS_E_INVALID, "nas_write_f64s: values is NULL, n is %zu", n);
    if (!ni_mul_size(n, 8, &bytes) || !ni_add_size(bytes, 8, &bytes))
        return ni_fail_memory(to->context, SIZE_MAX);
    unsigned char *at = extend(to, bytes);
    if (!at) return NAS_E_MEMORY;
    at = put(at, n);
    for (size_t i = 0; i < n; i++)
        at = put(at, bits_of(values[i]));
    to->n += bytes;
    return NAS_OK;
}

nas_status nas_write_bytes(nas_writer *to, const void *bytes, size_t n) {
    size_t total;
    if (!to) return NAS_E_INVALID;
    NI_TRY(ni_enter(to->context));
    if (n && !bytes)
        return ni_fail(to->context, NAS_E_INVALID, "nas_write_bytes: bytes is NULL, n is %zu", n);
    if (!ni_add_size(n, 8, &total)) return ni_fail_memory(to->context, n);
    unsigned char *at = extend(to, total);
    if (!at) return NAS_E_MEMORY;
    at = put(at, n);
    if (n) memcpy(at, bytes, n);
    to->n += total;
    return NAS_OK;
}

nas_status nas_write_text(nas_writer *to, const char *text) {
    if (!to) return NAS_E_INVALID;
    if (!text) return ni_fail(to->context, NAS_E_INVALID, "nas_write_text: text is NULL");
    return nas_write_bytes(to, text, strlen(text));
}

/* ---- reading -------------------------------------------------------------------------------- */

struct nas_reader {
    nas_context *context;
    const unsigned char *data;
    size_t n, at;
};

nas_status nas_reader_create(nas_reader **out, nas_context *context, const void *bytes, size_t n) {
    NI_TRY(ni_enter(context));
    if (!out || (n && !bytes))
        return ni_fail(context, NAS_E_INVALID, "nas_reader_create: out and bytes must be given");
    nas_reader *reader = ni_calloc(context, 1, sizeof *reader);
    if (!reader) return NAS_E_MEMORY;
    reader->context = context;
    reader->data = bytes;
    reader->n = n;
    ni_context_hold(context);
    *out = reader;
    return NAS_OK;
}

void nas_reader_free(nas_reader *reader) {
    if (!reader) return;
    nas_context *context = reader->context;
    ni_free(context, reader);
    ni_context_release(context);
}

nas_context *ni_reader_context(nas_reader *reader) {
    return reader->context;
}

size_t nas_reader_left(const nas_reader *from) {
    return from ? from->n - from->at : 0;
}

static nas_status too_short(nas_reader *from, uint64_t wanted) {
    return ni_fail(from->context, NAS_E_CORRUPT,
                   "saved state ends too early: %llu bytes wanted at byte %zu, and %zu are left",
                   (unsigned long long)wanted, from->at, from->n - from->at);
}

static uint64_t get(const unsigned char *at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What every reading call needs. */
static nas_status check(const nas_reader *from, const void *out) {
    if (!from) return NAS_E_INVALID;
    NI_TRY(ni_enter(from->context));
    return out ? NAS_OK : ni_fail(from->context, NAS_E_INVALID, "nas_read_*: out is NULL");
}

nas_status ni_read_raw(nas_reader *from, void *out, size_t n) {
    if (n > from->n - from->at) return too_short(from, n);
    if (n) memcpy(out, from->data + from->at, n);
    from->at += n;
    return NAS_OK;
}

nas_status nas_read_u64(nas_reader *from, uint64_t *out) {
    NI_TRY(check(from, out));
    if (from->n - from->at < 8) return too_short(from, 8);
    *out = get(from->data + from->at);
    from->at += 8;
    return NAS_OK;
}

nas_status nas_read_i64(nas_reader *from, int64_t *out) {
    uint64_t value;
    NI_TRY(check(from, out));
    NI_TRY(nas_read_u64(from, &value));
    *out = (int64_t)value;
    return NAS_OK;
}

nas_status nas_read_f64(nas_reader *from, double *out) {
    uint64_t value;
    NI_TRY(check(from, out));
    NI_TRY(nas_read_u64(from, &value));
    *out = double_of(value);
    return NAS_OK;
}

nas_status nas_read_f64s(nas_reader *from, double *out, size_t n) {
    NI_TRY(check(from, n ? (const void *)out : (const void *)from));
    size_t left = from->n - from->at;
    if (left < 8) return too_short(from, 8);
    const unsigned char *at = from->data + from->at;
    uint64_t written = get(at);
    if (written != n)
        return ni_fail(from->context, NAS_E_CORRUPT,
                       "saved state holds %llu numbers at byte %zu where %zu are wanted",
                       (unsigned long long)written, from->at, n);
    if (n > (left - 8) / 8) return too_short(from, written);
    for (size_t i = 0; i < n; i++)
        out[i] = double_of(get(at + 8 + 8 * i));
    from->at += 8 + 8 * n;
    return NAS_OK;
}

nas_status nas_read_bytes(nas_reader *from, const void **out, size_t *n) {
    NI_TRY(check(from, out));
    NI_TRY(check(from, n));
    size_t left = from->n - from->at;
    if (left < 8) return too_short(from, 8);
    uint64_t length = get(from->data + from->at);
    if (length > left - 8) return too_short(from, length);
    *out = from->data + from->at + 8;
    *n = (size_t)length;
    from->at += 8 + (size_t)length;
    return NAS_OK;
}

nas_status nas_read_text(nas_reader *from, char *out, size_t capacity) {
    NI_TRY(check(from, out));
    size_t start = from->at, n;
    const void *bytes;
    NI_TRY(nas_read_bytes(from, &bytes, &n));
    nas_status status = NAS_OK;
    if (n >= capacity)
        status = ni_fail(from->context, NAS_E_LIMIT,
                         "a text of saved state needs %zu bytes, and the buffer has %zu", n + 1,
                         capacity);
    else if (memchr(bytes, 0, n))
        status = ni_fail(from->context, NAS_E_CORRUPT,
                         "a text of saved state at byte %zu holds a 0 byte", start);
    if (status < 0) {
        from->at = start;
        return status;
    }
    memcpy(out, bytes, n);
    out[n] = 0;
    return NAS_OK;
}
