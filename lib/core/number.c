/* number.c: numbers to text and back, whatever the locale of the process or the thread. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "core.h"

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

/* ---- printing ------------------------------------------------------------------------------- */

typedef struct {
    bool negative;
    int n;        /* digits, without zeros at the end (but at least one) */
    int exponent; /* of ten, of the first digit */
    char digits[20];
} decimal;

/* `value` to `n` significant digits, rounded right by the C library. Its decimal separator is the
 * locale's, of any length: what is not a digit is skipped. */
static void split(decimal *out, double value, int n) {
    char text[64];
    snprintf(text, sizeof text, "%.*e", n - 1, value);
    const char *at = text;
    out->negative = *at == '-';
    if (out->negative) at++;
    out->n = 0;
    for (; *at && *at != 'e'; at++)
        if (digit(*at)) out->digits[out->n++] = *at;
    out->exponent = *at ? atoi(at + 1) : 0;
    while (out->n > 1 && out->digits[out->n - 1] == '0')
        out->n--;
    out->digits[out->n] = 0;
}

static char *write_exponent(char *at, const decimal *d) {
    *at++ = d->digits[0];
    if (d->n > 1) {
        *at++ = '.';
        memcpy(at, d->digits + 1, (size_t)d->n - 1);
        at += d->n - 1;
    }
    return at + snprintf(at, 8, "e%d", d->exponent);
}

static char *write_plain(char *at, const decimal *d) {
    if (d->exponent < 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = -1; i > d->exponent; i--)
            *at++ = '0';
        memcpy(at, d->digits, (size_t)d->n);
        at += d->n;
    } else {
        for (int i = 0; i < d->n || i <= d->exponent; i++) {
            if (i == d->exponent + 1) *at++ = '.';
            *at++ = i < d->n ? d->digits[i] : '0';
        }
    }
    *at = 0;
    return at;
}

char *ni_f64_text(char *buffer, double value) {
    char *at = buffer;
    if (isnan(value)) return strcpy(buffer, "nan");
    if (isinf(value)) return strcpy(buffer, value > 0 ? "inf" : "-inf");
    if (value == 0) return strcpy(buffer, signbit(value) ? "-0" : "0");
    /* 15 digits always survive in a normal number, so that fewer need not be tried there; zeros at
     * the end are dropped. Numbers below the normal ones have less precision. */
    decimal d;
    for (int n = fabs(value) < 2.2250738585072014e-308 ? 1 : 15; n <= 17; n++) {
        double back;
        split(&d, value, n);
        if (d.negative) *at++ = '-';
        write_exponent(at, &d);
        at = buffer;
        if (n == 17 || (ni_parse_f64(buffer, strlen(buffer), &back) && back == value)) break;
    }
    if (d.negative) *at++ = '-';
    if (d.exponent < -5 || d.exponent > 15)
        write_exponent(at, &d);
    else
        write_plain(at, &d);
    return buffer;
}

char *ni_fixed_text(char *buffer, double value, int digits) {
    if (digits < 0) digits = 0;
    if (digits > 17) digits = 17;
    if (!isfinite(value) || fabs(value) >= 1e15) return ni_f64_text(buffer, value);
    char text[64];
    snprintf(text, sizeof text, "%.*f", digits, value);
    char *at = buffer;
    const char *from = text;
    if (*from == '-') {
        bool zero = true; /* -0.00 says nothing that 0.00 does not */
        for (const char *c = from; *c; c++)
            if (digit(*c) && *c != '0') zero = false;
        if (!zero) *at++ = '-';
        from++;
    }
    while (digit(*from))
        *at++ = *from++;
    if (digits) *at++ = '.';
    for (; *from; from++)
        if (digit(*from)) *at++ = *from;
    *at = 0;
    return buffer;
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* [sign] digits [e digits], when the whole of it is at most `most`. */
static bool parse_magnitude(const char *text, size_t n, uint64_t most, uint64_t *out) {
    uint64_t value = 0;
    size_t i = 0;
    for (; i < n && digit(text[i]); i++)
        if (!ni_mul_u64(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return false;
    if (i == 0) return false;
    if (i < n) { /* 1e6: people write budgets so */
        uint32_t exponent = 0;
        if (text[i] != 'e' && text[i] != 'E') return false;
        i++;
        if (i < n && text[i] == '+') i++;
        if (i == n) return false;
        for (; i < n; i++) {
            if (!digit(text[i])) return false;
            if (exponent < 1000) exponent = exponent * 10 + (uint32_t)(text[i] - '0');
        }
        for (; exponent && value; exponent--)
            if (!ni_mul_u64(value, 10, &value)) return false;
    }
    if (value > most) return false;
    *out = value;
    return true;
}

bool ni_parse_u64(const char *text, size_t n, uint64_t *out) {
    if (n && *text == '+') text++, n--;
    return parse_magnitude(text, n, UINT64_MAX, out);
}

bool ni_parse_i64(const char *text, size_t n, int64_t *out) {
    bool negative = n && *text == '-';
    uint64_t value;
    if (n && (*text == '-' || *text == '+')) text++, n--;
    if (!parse_magnitude(text, n, (uint64_t)INT64_MAX + negative, &value)) return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static bool is_word(const char *text, size_t n, const char *word) {
    if (n != strlen(word)) return false;
    for (size_t i = 0; i < n; i++)
        if ((text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]) != word[i])
            return false;
    return true;
}

#define NUMBER_LONGEST 400

bool ni_parse_f64(const char *text, size_t n, double *out) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n == 0 || n > NUMBER_LONGEST) return false;
    size_t i = 0, figures = 0, after = 0;
    bool negative = text[0] == '-';
    if (text[0] == '-' || text[0] == '+') i++;
    if (is_word(text + i, n - i, "inf") || is_word(text + i, n - i, "infinity") ||
        is_word(text + i, n - i, ".inf")) {
        *out = negative ? -INFINITY : INFINITY;
        return true;
    }
    if (is_word(text, n, "nan") || is_word(text, n, ".nan")) {
        *out = NAN;
        return true;
    }
    uint64_t mantissa = 0;
    size_t significant = 0;
    for (; i < n && digit(text[i]); i++, figures++)
        if (significant || text[i] != '0') {
            if (significant++ < 18) mantissa = mantissa * 10 + (uint64_t)(text[i] - '0');
        }
    if (i < n && text[i] == '.')
        for (i++; i < n && digit(text[i]); i++, figures++, after++)
            if (significant || text[i] != '0') {
                if (significant++ < 18) mantissa = mantissa * 10 + (uint64_t)(text[i] - '0');
            }
    if (figures == 0) return false;
    int exponent = 0;
    if (i < n && (text[i] == 'e' || text[i] == 'E')) {
        bool down = ++i < n && text[i] == '-';
        if (i < n && (text[i] == '-' || text[i] == '+')) i++;
        if (i == n) return false;
        for (; i < n && digit(text[i]); i++)
            if (exponent < 10000) exponent = exponent * 10 + (text[i] - '0');
        if (down) exponent = -exponent;
    }
    if (i != n) return false;

    /* Both parts exact as doubles: one rounding (Clinger, PLDI 1990). */
    int shift = exponent - (int)after;
    if (significant <= 15 && shift >= -22 && shift <= 22) {
        double value = (double)mantissa;
        value = shift < 0 ? value / tens[-shift] : value * tens[shift];
        *out = negative ? -value : value;
        return true;
    }
    /* "C" is built in: neither a file nor memory is needed for it. */
    char copy[NUMBER_LONGEST + 1];
    memcpy(copy, text, n);
    copy[n] = 0;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) return false;
    char *end;
    double value = strtod_l(copy, &end, plain);
    freelocale(plain);
    if (*end || isinf(value)) return false;
    *out = value;
    return true;
}
