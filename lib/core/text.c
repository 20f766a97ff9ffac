/* text.c: text that grows, its escapes, and copies into callers' buffers. */
#include <stdio.h>
#include "private.h"

void ni_text_init(ni_text *text, nas_context *context) {
    *text = (ni_text){.context = context};
}

void ni_text_lend(ni_text *text, nas_context *context, char *buffer, size_t capacity) {
    *text = (ni_text){.context = context, .data = buffer, .capacity = capacity, .lent = buffer};
    buffer[0] = 0;
}

void ni_text_free(ni_text *text) {
    if (text->data != text->lent) ni_free(text->context, text->data);
    *text = (ni_text){.context = text->context};
}

void ni_text_clear(ni_text *text) {
    text->n = 0;
    text->status = NAS_OK;
    if (text->data) text->data[0] = 0;
}

const char *ni_text_get(const ni_text *text) {
    return text->data ? text->data : "";
}

/* Room for n more bytes and a 0. */
static bool reserve(ni_text *text, size_t n) {
    size_t wanted;
    if (text->status < 0) return false;
    if (!ni_add_size(text->n, n, &wanted) || !ni_add_size(wanted, 1, &wanted)) {
        text->status = ni_fail_memory(text->context, n);
        return false;
    }
    if (wanted <= text->capacity) return true;
    if (wanted < 64) wanted = 64;
    if (text->lent && text->data == text->lent) {
        if (wanted < 2 * text->capacity) wanted = 2 * text->capacity;
        char *own = ni_alloc(text->context, wanted);
        if (!own) {
            text->status = NAS_E_MEMORY;
            return false;
        }
        memcpy(own, text->data, text->n + 1);
        text->data = own;
        text->capacity = wanted;
        return true;
    }
    void *data = text->data;
    text->status = ni_array_grow(text->context, &data, &text->capacity, wanted, 1);
    text->data = data;
    return text->status >= 0;
}

void ni_text_add_n(ni_text *text, const char *bytes, size_t n) {
    if ((text->status < 0 || n >= text->capacity - text->n) && !reserve(text, n)) return;
    if (n) memcpy(text->data + text->n, bytes, n);
    text->n += n;
    text->data[text->n] = 0;
}

void ni_text_add(ni_text *text, const char *string) {
    ni_text_add_n(text, string, strlen(string));
}

void ni_text_add_char(ni_text *text, char c) {
    ni_text_add_n(text, &c, 1);
}

void ni_text_v(ni_text *text, const char *format, va_list arguments) {
    if (!reserve(text, 64)) return;
    va_list again;
    va_copy(again, arguments);
    size_t room = text->capacity - text->n;
    int n = vsnprintf(text->data + text->n, room, format, arguments);
    if (n >= 0 && (size_t)n >= room && reserve(text, (size_t)n))
        n = vsnprintf(text->data + text->n, text->capacity - text->n, format, again);
    va_end(again);
    if (text->status < 0 || n < 0) {
        text->data[text->n] = 0;
        if (n < 0)
            text->status = ni_fail(text->context, NAS_E_INTERNAL, "text cannot be formatted");
        return;
    }
    text->n += (size_t)n;
}

void ni_text_f(ni_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    ni_text_v(text, format, arguments);
    va_end(arguments);
}

void ni_text_u64(ni_text *text, uint64_t value) {
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    ni_text_add_n(text, at, (size_t)(digits + sizeof digits - at));
}

void ni_text_i64(ni_text *text, int64_t value) {
    if (value < 0) ni_text_add_char(text, '-');
    ni_text_u64(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void ni_text_f64(ni_text *text, double value) {
    char number[NI_NUMBER_TEXT];
    ni_text_add(text, ni_f64_text(number, value));
}

void ni_text_fixed(ni_text *text, double value, int digits) {
    char number[NI_NUMBER_TEXT];
    ni_text_add(text, ni_fixed_text(number, value, digits));
}

/* Bytes of the valid UTF-8 character at `at`; 0 if there is none. No overlong forms, surrogates or
 * numbers past U+10FFFF. */
static size_t utf8(const unsigned char *at) {
    if (at[0] < 0x80) return 1;
    unsigned char low = 0x80, high = 0xbf;
    size_t n;
    if (at[0] >= 0xc2 && at[0] <= 0xdf) {
        n = 2;
    } else if (at[0] >= 0xe0 && at[0] <= 0xef) {
        n = 3;
        if (at[0] == 0xe0) low = 0xa0;
        if (at[0] == 0xed) high = 0x9f;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        n = 4;
        if (at[0] == 0xf0) low = 0x90;
        if (at[0] == 0xf4) high = 0x8f;
    } else {
        return 0;
    }
    for (size_t i = 1; i < n; i++) { /* a 0 byte ends the search */
        if (at[i] < low || at[i] > high) return 0;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void ni_text_json(ni_text *text, const char *string) {
    ni_text_add_char(text, '"');
    for (const unsigned char *at = (const unsigned char *)string; *at;) {
        size_t n = utf8(at);
        if (n == 0) {
            ni_text_add(text, REPLACEMENT);
            at++;
            continue;
        }
        if (*at == '"' || *at == '\\') {
            ni_text_add_char(text, '\\');
            ni_text_add_char(text, (char)*at);
        } else if (*at == '\n') {
            ni_text_add(text, "\\n");
        } else if (*at == '\t') {
            ni_text_add(text, "\\t");
        } else if (*at < 32 || *at == 127 || *at == '<') { /* <: JSON stands in HTML too */
            ni_text_f(text, "\\u%04x", *at);
        } else {
            ni_text_add_n(text, (const char *)at, n);
        }
        at += n;
    }
    ni_text_add_char(text, '"');
}

void ni_text_xml(ni_text *text, const char *string) {
    for (const unsigned char *at = (const unsigned char *)string; *at;) {
        size_t n = utf8(at);
        bool never = n == 3 && at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe; /* U+FFFE, U+FFFF */
        if (n == 0 || never || (*at < 32 && *at != '\n' && *at != '\t' && *at != '\r') ||
            *at == 127)
            ni_text_add(text, REPLACEMENT);
        else if (*at == '&')
            ni_text_add(text, "&amp;");
        else if (*at == '<')
            ni_text_add(text, "&lt;");
        else if (*at == '>')
            ni_text_add(text, "&gt;");
        else if (*at == '"')
            ni_text_add(text, "&quot;");
        else if (*at == '\'')
            ni_text_add(text, "&#39;");
        else
            ni_text_add_n(text, (const char *)at, n);
        at += n ? n : 1;
    }
}

nas_status ni_copy_text(nas_context *context, const char *text, size_t n, char *buffer,
                        size_t capacity, size_t *needed) {
    if (!buffer && capacity)
        return ni_fail(context, NAS_E_INVALID, "buffer is NULL, and its capacity is %zu", capacity);
    if (needed) *needed = n;
    if (!buffer) return NAS_OK;
    if (n >= capacity) {
        if (capacity) buffer[0] = 0;
        return ni_fail(context, NAS_E_LIMIT, "the text needs %zu bytes, and the buffer has %zu",
                       n + 1, capacity);
    }
    memcpy(buffer, text, n);
    buffer[n] = 0;
    return NAS_OK;
}
