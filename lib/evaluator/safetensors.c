/* Weights in files: safetensors (a length, a JSON header, the numbers), float32, PyTorch's names
 * and layouts. The metadata names the space, the architecture and the data's normalisation. A file
 * comes from a stranger: everything is checked before it is used. */
#include <inttypes.h>
#include <math.h>
#include "model.h"

enum { HEADER_MOST = 16 << 20, NAME_MOST = 256 };
#define FILE_MOST ((size_t)1 << 33)

/* ---- writing
 * --------------------------------------------------------------------------------------- */

static void header(const nas_model *m, ni_text *text, size_t *total) {
    const ni_vars *vars = ni_trainer_vars(m->measuring);
    size_t at = 0;
    ni_text_add(text, "{\"__metadata__\":{\"format\":\"pt\",\"libnas.space\":");
    ni_text_json(text, nas_space_text(nas_arch_space(m->arch)));
    ni_text_add(text, ",\"libnas.arch\":");
    ni_text_json(text, nas_arch_text(m->arch));
    for (int k = 0; k < 2; k++) {
        ni_text_add(text, k ? ",\"libnas.deviation\":\"" : ",\"libnas.mean\":\"");
        for (int i = 0; i < 4; i++) {
            if (i) ni_text_add(text, " ");
            ni_text_f64(text, k ? m->deviation[i] : m->mean[i]);
        }
        ni_text_add(text, "\"");
    }
    ni_text_add(text, "}");
    for (uint32_t i = 0; i < ni_vars_count(vars); i++) {
        nas_tensor_info info;
        const ni_var *var = ni_vars_get(vars, i);
        size_t bytes = (size_t)ni_shape_count(var->shape) * 4;
        ni_model_shape(var, &info);
        ni_text_add(text, ",");
        ni_text_json(text, info.name);
        ni_text_add(text, ":{\"dtype\":\"F32\",\"shape\":[");
        for (uint32_t d = 0; d < info.dimensions; d++)
            ni_text_f(text, d ? ",%" PRId64 : "%" PRId64, info.shape[d]);
        ni_text_f(text, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    ni_text_add(text, "}");
    while (text->status >= 0 && text->n % 8)
        ni_text_add_char(text, ' ');
    *total = at;
}

nas_status nas_model_save(const nas_model *m, const char *path) {
    const ni_vars *vars = ni_trainer_vars(m->measuring);
    ni_text text;
    size_t total, largest = 0;
    NI_TRY(ni_enter(m->context));
    if (!path) return ni_fail(m->context, NAS_E_INVALID, "save: the path is NULL");
    ni_text_init(&text, m->context);
    header(m, &text, &total);
    for (uint32_t i = 0; i < ni_vars_count(vars); i++) {
        size_t n = (size_t)ni_shape_count(ni_vars_get(vars, i)->shape);
        if (n > largest) largest = n;
    }
    nas_sink *sink = NULL;
    float *copy = ni_alloc(m->context, largest * sizeof *copy + 1);
    nas_status status = text.status < 0 ? text.status : copy ? NAS_OK : NAS_E_MEMORY;
    if (status >= 0) status = nas_sink_file(&sink, m->context, path);
    if (status >= 0) {
        uint8_t length[8];
        for (int i = 0; i < 8; i++)
            length[i] = (uint8_t)((uint64_t)text.n >> (8 * i));
        status = nas_sink_write(sink, length, 8);
    }
    if (status >= 0) status = nas_sink_write(sink, ni_text_get(&text), text.n);
    for (uint32_t i = 0; status >= 0 && i < ni_vars_count(vars); i++) {
        const ni_var *var = ni_vars_get(vars, i);
        ni_model_copy(var, ni_trainer_values(m->measuring) + var->offset, copy, true);
        status = nas_sink_write(sink, copy, (size_t)ni_shape_count(var->shape) * sizeof *copy);
    }
    if (status >= 0) status = nas_sink_close(sink);
    nas_sink_free(sink);
    ni_free(m->context, copy);
    ni_text_free(&text);
    return status;
}

/* ---- the header's JSON: one object of objects, no deeper
 * ----------------------------------------------- */

typedef struct {
    nas_context *context;
    const char *path, *at, *end;
} scanner;

static nas_status damaged(const scanner *s, const char *what) {
    return ni_fail(s->context, NAS_E_CORRUPT, "%s: its header is damaged: %s", s->path, what);
}

static void blanks(scanner *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
}

static bool take(scanner *s, char c) {
    blanks(s);
    if (s->at >= s->end || *s->at != c) return false;
    s->at++;
    return true;
}

static bool hex4(scanner *s, uint32_t *out) {
    *out = 0;
    if (s->end - s->at < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = *s->at++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit > 15) return false;
        *out = *out * 16 + digit;
    }
    return true;
}

static void add_code_point(ni_text *to, uint32_t c) {
    if (c < 0x80) {
        ni_text_add_char(to, (char)c);
    } else if (c < 0x800) {
        ni_text_add_char(to, (char)(0xC0 | c >> 6));
        ni_text_add_char(to, (char)(0x80 | (c & 0x3F)));
    } else {
        ni_text_add_char(to, (char)(0xE0 | c >> 12));
        ni_text_add_char(to, (char)(0x80 | (c >> 6 & 0x3F)));
        ni_text_add_char(to, (char)(0x80 | (c & 0x3F)));
    }
}

static nas_status string(scanner *s, ni_text *to) {
    ni_text_clear(to);
    if (!take(s, '"')) return damaged(s, "a text is missing");
    while (s->at < s->end && *s->at != '"') {
        char c = *s->at++;
        if ((unsigned char)c < 0x20) return damaged(s, "a control character stands in a text");
        if (c != '\\') {
            ni_text_add_char(to, c);
            continue;
        }
        if (s->at >= s->end) break;
        static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
        c = *s->at++;
        const char *k = strchr(from, c);
        uint32_t code;
        if (c && k) {
            ni_text_add_char(to, into[k - from]);
        } else if (c == 'u' && hex4(s, &code) && code != 0 && (code < 0xD800 || code > 0xDFFF)) {
            add_code_point(to, code);
        } else {
            return damaged(s, "an escape is not JSON's");
        }
    }
    if (!take(s, '"')) return damaged(s, "a text does not end");
    return to->status;
}

static nas_status whole(scanner *s, uint64_t *out) {
    blanks(s);
    const char *from = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    if (from == s->at || !ni_parse_u64(from, (size_t)(s->at - from), out) || *out > INT64_MAX)
        return damaged(s, "a whole number is missing");
    return NAS_OK;
}

static nas_status list(scanner *s, uint64_t *values, uint32_t most, uint32_t *n) {
    *n = 0;
    if (!take(s, '[')) return damaged(s, "a list is missing");
    if (take(s, ']')) return NAS_OK;
    do {
        if (*n == most) return damaged(s, "a list is too long");
        NI_TRY(whole(s, &values[(*n)++]));
    } while (take(s, ','));
    return take(s, ']') ? NAS_OK : damaged(s, "a list does not end");
}

typedef struct {
    uint64_t shape[8], offsets[2];
    uint32_t dimensions;
    bool is_f32;
} entry;

static nas_status read_entry(scanner *s, ni_text *text, entry *e) {
    bool dtype = false, shape = false, offsets = false;
    memset(e, 0, sizeof *e);
    if (!take(s, '{')) return damaged(s, "a tensor is not described");
    do {
        uint32_t n;
        NI_TRY(string(s, text));
        if (!take(s, ':')) return damaged(s, "':' is missing");
        if (strcmp(ni_text_get(text), "dtype") == 0) {
            NI_TRY(string(s, text));
            e->is_f32 = strcmp(ni_text_get(text), "F32") == 0;
            dtype = true;
        } else if (strcmp(ni_text_get(text), "shape") == 0) {
            NI_TRY(list(s, e->shape, 8, &e->dimensions));
            shape = true;
        } else if (strcmp(ni_text_get(text), "data_offsets") == 0) {
            NI_TRY(list(s, e->offsets, 2, &n));
            offsets = n == 2;
        } else {
            return damaged(s, "a tensor has a key that is not safetensors'");
        }
    } while (take(s, ','));
    if (!take(s, '}') || !dtype || !shape || !offsets)
        return damaged(s, "a tensor is described in part");
    return NAS_OK;
}

typedef struct {
    ni_text space, arch, mean, deviation;
} metadata;

static nas_status read_metadata(scanner *s, metadata *m) {
    ni_text key, *to, other;
    ni_text_init(&key, s->context);
    ni_text_init(&other, s->context);
    nas_status status = take(s, '{') ? NAS_OK : damaged(s, "its metadata is not an object");
    if (status >= 0 && !take(s, '}')) {
        do {
            status = string(s, &key);
            if (status < 0) break;
            const char *name = ni_text_get(&key);
            to = !m                                      ? &other
                 : strcmp(name, "libnas.space") == 0     ? &m->space
                 : strcmp(name, "libnas.arch") == 0      ? &m->arch
                 : strcmp(name, "libnas.mean") == 0      ? &m->mean
                 : strcmp(name, "libnas.deviation") == 0 ? &m->deviation
                                                         : &other;
            status = take(s, ':') ? string(s, to) : damaged(s, "':' is missing");
        } while (status >= 0 && take(s, ','));
        if (status >= 0 && !take(s, '}')) status = damaged(s, "its metadata does not end");
    }
    ni_text_free(&key);
    ni_text_free(&other);
    return status;
}

typedef struct {
    void *bytes;
    size_t n, data; /* data: where the numbers begin */
} file;

static nas_status open_file(nas_context *context, const char *path, file *f, scanner *s) {
    memset(f, 0, sizeof *f);
    NI_TRY(ni_file_read(context, path, FILE_MOST, &f->bytes, &f->n));
    const uint8_t *b = f->bytes;
    uint64_t length = 0;
    for (int i = 0; i < 8 && f->n >= 8; i++)
        length |= (uint64_t)b[i] << (8 * i);
    if (f->n < 8 || length < 2 || length > HEADER_MOST || length > f->n - 8) {
        ni_free(context, f->bytes);
        f->bytes = NULL;
        return ni_fail(context, NAS_E_CORRUPT, "%s: is not a safetensors file", path);
    }
    f->data = 8 + (size_t)length;
    *s = (scanner){context, path, (const char *)b + 8, (const char *)b + f->data};
    return NAS_OK;
}

/* Runs over the header; with a model, its weights are taken from the file. A first run without one
 * finds the metadata. */
static nas_status scan(scanner s, const file *f, metadata *m, nas_model *model) {
    ni_vars *vars = model ? ni_trainer_vars(model->measuring) : NULL;
    uint32_t n = vars ? ni_vars_count(vars) : 0, found = 0;
    bool *seen = ni_calloc(s.context, (size_t)n + 1, sizeof *seen);
    ni_text name, text;
    ni_text_init(&name, s.context);
    ni_text_init(&text, s.context);
    nas_status status = !seen           ? NAS_E_MEMORY
                        : take(&s, '{') ? NAS_OK
                                        : damaged(&s, "it is no object");
    bool any = status >= 0 && !take(&s, '}');
    while (status >= 0 && any) {
        entry e;
        uint32_t slot;
        status = string(&s, &name);
        if (status >= 0 && !take(&s, ':')) status = damaged(&s, "':' is missing");
        if (status < 0) break;
        if (strcmp(ni_text_get(&name), "__metadata__") == 0) {
            status = read_metadata(&s, m);
        } else if ((status = read_entry(&s, &text, &e)) >= 0 && vars) {
            size_t room = f->n - f->data;
            if (!ni_vars_find(vars, ni_text_get(&name), &slot)) {
                if (!strstr(ni_text_get(&name), "num_batches_tracked"))
                    status = ni_fail(s.context, NAS_E_NOT_FOUND,
                                     "%s: holds '%.120s', which the network has not", s.path,
                                     ni_text_get(&name));
            } else {
                const ni_var *var = ni_vars_get(vars, slot);
                nas_tensor_info info;
                ni_model_shape(var, &info);
                size_t bytes = (size_t)ni_shape_count(var->shape) * 4;
                bool fits = e.is_f32 && e.dimensions == info.dimensions && !seen[slot];
                for (uint32_t d = 0; fits && d < e.dimensions; d++)
                    fits = e.shape[d] == (uint64_t)info.shape[d];
                if (!fits)
                    status =
                        ni_fail(s.context, NAS_E_SHAPE,
                                "%s: '%.120s' is not float32 of the network's shape, or stands "
                                "there twice",
                                s.path, ni_text_get(&name));
                else if (e.offsets[0] > e.offsets[1] || e.offsets[1] > room ||
                         e.offsets[1] - e.offsets[0] != bytes)
                    status = ni_fail(s.context, NAS_E_CORRUPT,
                                     "%s: the numbers of '%.120s' lie outside the file", s.path,
                                     ni_text_get(&name));
                else {
                    float *copy = ni_alloc(s.context, bytes + 1);
                    if (!copy) {
                        status = NAS_E_MEMORY;
                    } else {
                        memcpy(copy, (char *)f->bytes + f->data + e.offsets[0], bytes);
                        ni_model_copy(var, ni_model_values(model) + var->offset, copy, false);
                        ni_free(s.context, copy);
                        seen[slot] = true;
                        found++;
                    }
                }
            }
        }
        any = take(&s, ',');
        if (status >= 0 && !any && !take(&s, '}')) status = damaged(&s, "it does not end");
    }
    for (uint32_t i = 0; status >= 0 && found < n && i < n; i++)
        if (!seen[i])
            status = ni_fail(s.context, NAS_E_NOT_FOUND, "%s: lacks '%s' of the network", s.path,
                             ni_vars_get(vars, i)->name);
    ni_text_free(&name);
    ni_text_free(&text);
    ni_free(s.context, seen);
    return status;
}

static void four_numbers(const char *text, double out[4]) {
    for (int i = 0; i < 4 && *text; i++) {
        size_t n = strcspn(text, " ");
        double value;
        if (n && ni_parse_f64(text, n, &value) && isfinite(value)) out[i] = value;
        text += n + (text[n] == ' ');
    }
}

static nas_status load_into(nas_context *context, nas_model *m, const file *f, scanner s,
                            const metadata *facts) {
    /* the weights as they are, should the file turn out bad */
    size_t bytes = ni_vars_size(ni_trainer_vars(m->measuring)) * sizeof(float);
    void *before = ni_memdup(context, ni_trainer_values(m->measuring), bytes);
    if (!before) return NAS_E_MEMORY;
    nas_status status = scan(s, f, NULL, m);
    if (status < 0) {
        memcpy(ni_model_values(m), before, bytes);
    } else {
        four_numbers(ni_text_get(&facts->mean), m->mean);
        four_numbers(ni_text_get(&facts->deviation), m->deviation);
    }
    ni_free(context, before);
    return status;
}

static nas_status load(nas_context *context, const char *path, nas_model *into, nas_model **out) {
    file f;
    scanner s;
    metadata m;
    NI_TRY(ni_enter(context));
    if (!path) return ni_fail(context, NAS_E_INVALID, "load: the path is NULL");
    NI_TRY(open_file(context, path, &f, &s));
    ni_text *texts[] = {&m.space, &m.arch, &m.mean, &m.deviation};
    for (int i = 0; i < 4; i++)
        ni_text_init(texts[i], context);
    nas_space *space = NULL;
    nas_arch *arch = NULL;
    nas_model *model = into;
    nas_status status = scan(s, &f, &m, NULL);
    if (status >= 0 && !into) {
        if (m.space.n == 0 || m.arch.n == 0)
            status = ni_fail(context, NAS_E_CORRUPT,
                             "%s: names no space and architecture: make the model first, then load "
                             "its weights",
                             path);
        if (status >= 0)
            status =
                nas_space_parse(&space, context, ni_text_get(&m.space), m.space.n, path, NULL, 0);
        if (status >= 0) status = nas_arch_parse(&arch, space, ni_text_get(&m.arch));
        if (status >= 0) status = nas_model_create(&model, arch, 0);
    }
    if (status >= 0) status = load_into(context, model, &f, s, &m);
    nas_arch_free(arch);
    if (!into) {
        if (status < 0 || !model) {
            if (model) nas_model_free(model);
            nas_space_free(space);
        } else {
            model->owned_space = space;
            *out = model;
        }
    }
    for (int i = 0; i < 4; i++)
        ni_text_free(texts[i]);
    ni_free(context, f.bytes);
    return status;
}

nas_status nas_model_load(nas_model **out, nas_context *context, const char *path) {
    return load(context, path, NULL, out);
}

nas_status nas_model_load_weights(nas_model *model, const char *path) {
    return load(model->context, path, model, NULL);
}
