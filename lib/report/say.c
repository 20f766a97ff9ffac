/* Numbers, times and strangers' texts as people read them; and sorting. */
#include <math.h>
#include "parts.h"

/* ---- numbers ------------------------------------------------------------------------------------
 */

static void grouped(ni_text *to, double value) {
    char digits[NI_NUMBER_TEXT];
    ni_fixed_text(digits, value, 0);
    size_t n = strlen(digits), start = digits[0] == '-';
    bool plain = strspn(digits + start, "0123456789") == n - start;
    for (size_t i = 0; i < n; i++) {
        if (plain && i > start && (n - i) % 3 == 0) ni_text_add_char(to, ',');
        ni_text_add_char(to, digits[i]);
    }
}

/* Digits after the point so that `step` shows. */
static int digits_of(double step) {
    int digits = 0;
    if (!(step > 0) || !isfinite(step)) return 0;
    while (digits < 9 && fabs(step - nearbyint(step)) > 1e-6 * step) {
        step *= 10;
        digits++;
    }
    return digits;
}

static const char units[] = " kMGTP";
static int unit_of(double largest, double *divisor) {
    int unit = 0;
    for (*divisor = 1; unit < 5 && fabs(largest) >= 1000 * *divisor; unit++)
        *divisor *= 1000;
    return unit;
}

/* `figures` significant digits, without an exponent where that is readable. */
static void significant(ni_text *to, double value, int figures) {
    if (value == 0) {
        ni_text_add_char(to, '0');
        return;
    }
    double size = fabs(value);
    if (size < 1e9 && value == nearbyint(value)) {
        ni_text_fixed(to, value, 0);
        return;
    }
    if (size >= 1e9 || size < 1e-4) {
        /* Rounded to so many digits, then the shortest text of that. */
        double scale = pow(10, figures - 1 - floor(log10(size)));
        double rounded = nearbyint(value * scale) / scale;
        ni_text_f64(to, isfinite(rounded) ? rounded : value);
        return;
    }
    int digits = figures - 1 - (int)floor(log10(size));
    ni_text_fixed(to, value, digits < 0 ? 0 : digits);
}

void ni_say(ni_text *to, double value, ni_say_kind kind) {
    double divisor;
    int unit;
    if (!isfinite(value)) {
        ni_text_add_char(to, '-');
        return;
    }
    switch (kind) {
    case NI_SAY_PLAIN:
        significant(to, value, 4);
        break;
    case NI_SAY_PERCENT:
        ni_text_fixed(to, 100 * value, 2);
        ni_text_add(to, " %");
        break;
    case NI_SAY_COUNT:
        grouped(to, value);
        break;
    case NI_SAY_SHORT:
        unit = unit_of(value, &divisor);
        if (unit == 0) {
            grouped(to, value);
            break;
        }
        significant(to, value / divisor, 3);
        ni_text_f(to, " %c", units[unit]);
        break;
    }
}

void ni_say_step(ni_text *to, double value, double step, double largest, ni_say_kind kind) {
    double divisor;
    if (kind == NI_SAY_PERCENT) {
        ni_text_fixed(to, 100 * value, digits_of(100 * step));
        ni_text_add(to, " %");
        return;
    }
    if (kind == NI_SAY_PLAIN && (fabs(largest) < 1e-4 || fabs(largest) >= 1e15)) {
        significant(to, value, 3);
        return;
    }
    int unit = kind == NI_SAY_PLAIN && fabs(largest) < 1e6 ? 0 : unit_of(largest, &divisor);
    if (unit == 0) divisor = 1;
    ni_text_fixed(to, value / divisor, digits_of(step / divisor));
    if (unit && value != 0) ni_text_f(to, " %c", units[unit]);
}

void ni_say_duration(ni_text *to, double seconds) {
    if (!(seconds >= 0) || seconds > 1e12) {
        ni_text_add_char(to, '-');
        return;
    }
    if (seconds < 99.95) {
        ni_text_fixed(to, seconds, 1);
        ni_text_add(to, " s");
        return;
    }
    uint64_t s = (uint64_t)nearbyint(seconds), h = s / 3600, m = s / 60 % 60;
    if (h >= 48)
        ni_text_f(to, "%llu d %llu h", (unsigned long long)(h / 24), (unsigned long long)(h % 24));
    else if (h)
        ni_text_f(to, "%llu h %llu min", (unsigned long long)h, (unsigned long long)m);
    else
        ni_text_f(to, "%llu min %llu s", (unsigned long long)m, (unsigned long long)(s % 60));
}

/* The civil calendar from days since 1970: eras of 400 years that begin in March (Hinnant,
 * "chrono-compatible low-level date algorithms", 2013). */
void ni_say_date(ni_text *to, double unix_seconds) {
    if (!(unix_seconds >= 0) || unix_seconds > 4e11) return;
    uint64_t s = (uint64_t)unix_seconds, days = s / 86400 + 719468;
    uint64_t era = days / 146097, day = days % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    uint64_t d = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    ni_text_f(to, "%04llu-%02llu-%02llu %02llu:%02llu UTC", (unsigned long long)year,
              (unsigned long long)month, (unsigned long long)d, (unsigned long long)(s / 3600 % 24),
              (unsigned long long)(s / 60 % 60));
}

/* ---- strangers' texts ---------------------------------------------------------------------------
 */

/* Bytes of the first `most` characters. */
static size_t cut(const char *text, size_t most) {
    size_t n = 0;
    for (; text[n]; n++)
        if (((unsigned char)text[n] & 0xc0) != 0x80 && most-- == 0) break;
    return n;
}

size_t ni_characters(const char *text) {
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void ni_say_xml(ni_text *to, const char *text, size_t most) {
    size_t n = cut(text, most);
    if (!text[n]) {
        ni_text_xml(to, text);
        return;
    }
    char *head = ni_strndup(to->context, text, n);
    if (!head) {
        to->status = NAS_E_MEMORY;
        return;
    }
    ni_text_xml(to, head);
    ni_text_add(to, "...");
    ni_free(to->context, head);
}

void ni_say_line(ni_text *to, const char *text, size_t most) {
    size_t n = cut(text, most);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool control = c < 32 || c == 127;
        if (c == 0xc2 && (unsigned char)text[i + 1] >= 0x80 && (unsigned char)text[i + 1] < 0xa0) {
            control = true; /* U+0080 .. U+009F steer terminals too */
            i++;
        }
        ni_text_add_char(to, control ? '?' : (char)c);
    }
    if (text[n]) ni_text_add(to, "...");
}

nas_status ni_say_flush(ni_text *text, nas_sink *to) {
    NI_TRY(text->status);
    nas_status status = nas_sink_write(to, ni_text_get(text), text->n);
    ni_text_clear(text);
    return status;
}

/* ---- sorting
 * ------------------------------------------------------------------------------------- */

static bool before(const ni_key *a, const ni_key *b) {
    if (a->key != b->key) return a->key < b->key;
    if (a->other != b->other) return a->other < b->other;
    return a->trial < b->trial;
}

static void sift(ni_key *keys, size_t at, size_t n) {
    ni_key moved = keys[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(&keys[child], &keys[child + 1])) child++;
        if (!before(&moved, &keys[child])) break;
        keys[at] = keys[child];
    }
    keys[at] = moved;
}

void ni_sort_keys(ni_key *keys, size_t n) {
    for (size_t i = n / 2; i-- > 0;)
        sift(keys, i, n);
    while (n > 1) {
        ni_key last = keys[--n];
        keys[n] = keys[0];
        keys[0] = last;
        sift(keys, 0, n);
    }
}
