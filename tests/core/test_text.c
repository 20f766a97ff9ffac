/* Text and numbers: growing text, escapes, printing and parsing under any locale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>
#include "allocator.h"
#include "core/core.h"

static nas_context *context;

static int setup(void **state) {
    (void)state;
    return nas_context_create(&context, NULL);
}

static int teardown(void **state) {
    (void)state;
    nas_context_free(context);
    return 0;
}

static void text_grows(void **state) {
    (void)state;
    ni_text text;
    ni_text_init(&text, context);
    assert_string_equal(ni_text_get(&text), "");
    ni_text_add(&text, "one ");
    ni_text_add_n(&text, "twofold", 3);
    ni_text_add_char(&text, '!');
    ni_text_f(&text, " %s=%d", "n", -5);
    ni_text_u64(&text, UINT64_MAX);
    ni_text_add_char(&text, ' ');
    ni_text_i64(&text, INT64_MIN);
    assert_string_equal(ni_text_get(&text),
                        "one two! n=-518446744073709551615 -9223372036854775808");
    assert_int_equal(text.n, strlen(ni_text_get(&text)));
    ni_text_clear(&text);
    assert_string_equal(ni_text_get(&text), "");
    for (int i = 0; i < 3000; i++)
        ni_text_f(&text, "%05d", i);
    assert_int_equal(text.n, 15000);
    assert_memory_equal(ni_text_get(&text) + 14990, "0299802999", 10);
    ni_text_clear(&text);
    char big[3000];
    memset(big, 'b', sizeof big);
    big[2999] = 0;
    ni_text_f(&text, "<%s>", big); /* longer than what there was room for */
    assert_int_equal(text.n, 3001);
    assert_int_equal(text.status, NAS_OK);
    ni_text_free(&text);
}

static void a_failed_text_stays_failed(void **state) {
    (void)state;
    test_allocator heap = TEST_ALLOCATOR_INIT;
    nas_allocator table = test_allocator_table(&heap);
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.allocator = &table;
    nas_context *poor;
    assert_int_equal(nas_context_create(&poor, &options), NAS_OK);
    heap.fail_at = 3;
    ni_text text;
    ni_text_init(&text, poor);
    ni_text_add(&text, "kept");
    for (int i = 0; i < 100; i++)
        ni_text_add(&text, "0123456789");
    assert_int_equal(text.status, NAS_E_MEMORY);
    assert_memory_equal(ni_text_get(&text), "kept0123456789", 14);
    assert_true(text.n < 1004);
    assert_int_equal(ni_text_get(&text)[text.n], 0);
    ni_text_free(&text);
    nas_context_free(poor);
    assert_int_equal(heap.blocks, 0);
}

static void escapes(void **state) {
    (void)state;
    static const struct {
        const char *in, *json, *xml;
    } cases[] = {
        {"plain", "\"plain\"", "plain"},
        {"a\"b\\c\n\t", "\"a\\\"b\\\\c\\n\\t\"", "a&quot;b\\c\n\t"},
        {"\x01\x7f", "\"\\u0001\\u007f\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"</script>&'", "\"\\u003c/script>&'\"", "&lt;/script&gt;&amp;&#39;"},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"", "gr\xc3\xbc\xc3\x9f"},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80"},
        /* not UTF-8: a lone byte, a start without its end, an overlong form, a surrogate, too high
         */
        {"\xff!", "\"\xef\xbf\xbd!\"", "\xef\xbf\xbd!"},
        {"a\xc3", "\"a\xef\xbf\xbd\"", "a\xef\xbf\xbd"},
        {"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    ni_text text;
    ni_text_init(&text, context);
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        ni_text_clear(&text);
        ni_text_json(&text, cases[i].in);
        assert_string_equal(ni_text_get(&text), cases[i].json);
        ni_text_clear(&text);
        ni_text_xml(&text, cases[i].in);
        assert_string_equal(ni_text_get(&text), cases[i].xml);
    }
    ni_text_free(&text);
}

static void copies_into_buffers(void **state) {
    (void)state;
    char buffer[6] = "?????";
    size_t needed = 0;
    assert_int_equal(ni_copy_text(context, "hello", 5, NULL, 0, &needed), NAS_OK);
    assert_int_equal(needed, 5);
    assert_int_equal(ni_copy_text(context, "hello", 5, buffer, 5, &needed), NAS_E_LIMIT);
    assert_string_equal(buffer, "");
    assert_int_equal(ni_copy_text(context, "hello", 5, buffer, 6, NULL), NAS_OK);
    assert_string_equal(buffer, "hello");
    assert_int_equal(ni_copy_text(context, "hello", 5, NULL, 6, NULL), NAS_E_INVALID);
    char none = 'x';
    assert_int_equal(ni_copy_text(context, "", 0, &none, 0, NULL), NAS_E_LIMIT);
    assert_int_equal(none, 'x');
}

/* ---- numbers -------------------------------------------------------------------------------- */

static const char *printed(double value) {
    static char text[NI_NUMBER_TEXT];
    return ni_f64_text(text, value);
}

static void known_numbers_print_short(void) {
    assert_string_equal(printed(0.0), "0");
    assert_string_equal(printed(-0.0), "-0");
    assert_string_equal(printed(1), "1");
    assert_string_equal(printed(-42), "-42");
    assert_string_equal(printed(0.1), "0.1");
    assert_string_equal(printed(0.1 + 0.2), "0.30000000000000004");
    assert_string_equal(printed(1.0 / 3), "0.3333333333333333");
    assert_string_equal(printed(1e15), "1000000000000000");
    assert_string_equal(printed(1e16), "1e16");
    assert_string_equal(printed(123456.789), "123456.789");
    assert_string_equal(printed(1e-5), "0.00001");
    assert_string_equal(printed(1.5e-6), "1.5e-6");
    assert_string_equal(printed(-2.5e300), "-2.5e300");
    assert_string_equal(printed(5e-324), "5e-324");
    assert_string_equal(printed(DBL_MAX), "1.7976931348623157e308");
    assert_string_equal(printed(DBL_MIN), "2.2250738585072014e-308");
    assert_string_equal(printed(9007199254740993.0), "9007199254740992");
    assert_string_equal(printed(INFINITY), "inf");
    assert_string_equal(printed(-INFINITY), "-inf");
    assert_string_equal(printed(NAN), "nan");
    char text[NI_NUMBER_TEXT];
    assert_string_equal(ni_fixed_text(text, 93.456, 2), "93.46");
    assert_string_equal(ni_fixed_text(text, 0.5, 0), "0"); /* half to even, as C does */
    assert_string_equal(ni_fixed_text(text, -0.001, 2), "0.00");
    assert_string_equal(ni_fixed_text(text, -1.25, 3), "-1.250");
    assert_string_equal(ni_fixed_text(text, 999999999999999.0, 17),
                        "999999999999999.00000000000000000");
    assert_string_equal(ni_fixed_text(text, -999999999999999.0, 40),
                        "-999999999999999.00000000000000000");
    assert_string_equal(ni_fixed_text(text, 1e300, 2), "1e300");
    assert_string_equal(ni_fixed_text(text, NAN, 2), "nan");
    assert_string_equal(ni_fixed_text(text, 2, -3), "2");
}

static bool parsed(const char *text, double *out) {
    return ni_parse_f64(text, strlen(text), out);
}

static uint64_t bits(double value) {
    uint64_t b;
    memcpy(&b, &value, sizeof b);
    return b;
}

/* Random bit patterns, and random decimals: all must come back to the bit, and no shorter text may.
 */
static void random_numbers_survive(size_t n) {
    nas_random random;
    ni_random_init(&random, 7, 0, "numbers");
    for (size_t i = 0; i < n; i++) {
        uint64_t b = nas_random_u64(&random);
        double value, back = 0;
        memcpy(&value, &b, sizeof value);
        if (i % 4 == 1) value = nas_random_uniform(&random);
        if (i % 4 == 2) value = (double)nas_random_below(&random, 1000000) / 1000;
        if (i % 4 == 3) {
            b &= 0x800fffffffffffffu >> nas_random_below(&random, 40); /* below the normal ones */
            memcpy(&value, &b, sizeof value);
        }
        if (isnan(value)) continue;
        const char *text = printed(value);
        assert_true(strlen(text) < 26);
        assert_true(parsed(text, &back));
        if (bits(back) != bits(value)) fail_msg("%s does not come back", text);
    }
}

static void numbers_print_and_parse(void **state) {
    (void)state;
    known_numbers_print_short();
    random_numbers_survive(100000);
}

static void numbers_are_the_shortest(void **state) {
    (void)state;
    nas_random random;
    ni_random_init(&random, 8, 0, "shortest");
    for (int i = 0; i < 20000; i++) {
        uint64_t b = nas_random_u64(&random);
        double value;
        memcpy(&value, &b, sizeof value);
        if (i % 2) value = ldexp((double)nas_random_below(&random, 1000), (int)(b % 2000) - 1070);
        if (!isfinite(value) || value == 0) continue;
        int figures = 0, least = 0;
        const char *text = printed(value);
        bool leading = true, zeros = true;
        int trailing = 0;
        for (const char *c = text; *c && *c != 'e'; c++) {
            if (*c < '0' || *c > '9') continue;
            if (leading && *c == '0') continue;
            leading = false;
            figures++;
            trailing = *c == '0' ? trailing + 1 : 0;
        }
        (void)zeros;
        figures -= trailing;
        char other[64];
        for (int p = 1; p <= 17 && !least; p++) {
            snprintf(other, sizeof other, "%.*e", p - 1, value);
            if (strtod(other, NULL) == value) least = p;
        }
        if (figures != least) fail_msg("%s has %d figures, %d are enough", text, figures, least);
    }
}

static void parsing_agrees_with_the_c_library(void **state) {
    (void)state;
    static const char *const good[] = {"0",
                                       "-0",
                                       "1",
                                       "+1",
                                       "1.",
                                       ".5",
                                       "-.5e3",
                                       "1e6",
                                       "1E+6",
                                       "1e-6",
                                       "123456789012345678901234567890",
                                       "0.000000000000000000000000000001",
                                       "1e22",
                                       "1e23",
                                       "8.5e22",
                                       "9007199254740993",
                                       "179769313486231570000e288",
                                       "1e-330",
                                       "4.9e-324",
                                       "2.4703282292062327e-324",
                                       "2.4703282292062328e-324",
                                       "0e999999999999",
                                       "00012.50",
                                       "3.14159265358979323846264338327950",
                                       "100000000000000016777215",
                                       "100000000000000016777216",
                                       "1.00000000000000011102230246251565",
                                       "0.1e-5",
                                       "999999999999999e22",
                                       "999999999999999e-22"};
    for (size_t i = 0; i < NI_COUNT(good); i++) {
        double value = -1;
        if (!parsed(good[i], &value)) fail_msg("%s is refused", good[i]);
        if (bits(value) != bits(strtod(good[i], NULL))) fail_msg("%s is read wrongly", good[i]);
    }
    nas_random random;
    ni_random_init(&random, 9, 0, "decimals");
    for (int i = 0; i < 50000; i++) {
        char text[60];
        double value = -1;
        snprintf(
            text, sizeof text, "%llu.%llue%d",
            (unsigned long long)nas_random_below(&random, 1ull << nas_random_below(&random, 64)),
            (unsigned long long)nas_random_below(&random, 1ull << nas_random_below(&random, 64)),
            (int)nas_random_below(&random, 80) - 40);
        assert_true(parsed(text, &value));
        if (bits(value) != bits(strtod(text, NULL))) fail_msg("%s is read wrongly", text);
    }
    static const char *const bad[] = {"",      " ",     "1 ",    " 1",     "1_000", "1,5",   "0x10",
                                      "1e",    "1e+",   "e5",    ".",      "-",     "+",     "--1",
                                      "1.2.3", "1e5.5", "1e999", "-1e999", "in",    "infin", "nano",
                                      "-nan",  "1f",    "0b1",   "1e1e1",  "+-1",   "-.e1"};
    for (size_t i = 0; i < NI_COUNT(bad); i++) {
        double value = 77;
        if (parsed(bad[i], &value)) fail_msg("'%s' is read as %g", bad[i], value);
        assert_true(value == 77);
    }
    double value = 0;
    assert_false(ni_parse_f64("1\0002", 3, &value));
    assert_true(parsed("inf", &value) && value == INFINITY);
    assert_true(parsed("-Infinity", &value) && value == -INFINITY);
    assert_true(parsed("-.INF", &value) && value == -INFINITY);
    assert_true(parsed(".nan", &value) && isnan(value));
    assert_true(parsed("NaN", &value) && isnan(value));
    char long_one[1000];
    memset(long_one, '1', sizeof long_one);
    assert_false(ni_parse_f64(long_one, sizeof long_one, &value));
    assert_true(ni_parse_f64(long_one, 300, &value)); /* 1.1e299 */
    assert_true(ni_parse_f64("12345", 3, &value) && value == 123);
}

static void whole_numbers_parse(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool i, u;
        int64_t value;
    } cases[] = {
        {"0", true, true, 0},
        {"-0", true, false, 0},
        {"+7", true, true, 7},
        {"-7", true, false, -7},
        {"1e6", true, true, 1000000},
        {"15E+3", true, true, 15000},
        {"0e99999999999", true, true, 0},
        {"007", true, true, 7},
        {"9223372036854775807", true, true, INT64_MAX},
        {"-9223372036854775808", true, false, INT64_MIN},
        {"9223372036854775808", false, true, INT64_MIN},
        {"18446744073709551615", false, true, -1},
        {"18446744073709551616", false, false, 0},
        {"-9223372036854775809", false, false, 0},
        {"1e19", false, true, (int64_t)10000000000000000000u},
        {"1e20", false, false, 0},
        {"1e-1", false, false, 0},
        {"1e", false, false, 0},
        {"1.0", false, false, 0},
        {"1_000", false, false, 0},
        {"", false, false, 0},
        {"-", false, false, 0},
        {"e3", false, false, 0},
        {" 1", false, false, 0},
        {"0x1", false, false, 0},
    };
    for (size_t i = 0; i < NI_COUNT(cases); i++) {
        int64_t signed_value = 55;
        uint64_t unsigned_value = 55;
        size_t n = strlen(cases[i].text);
        bool is_signed = ni_parse_i64(cases[i].text, n, &signed_value);
        bool is_unsigned = ni_parse_u64(cases[i].text, n, &unsigned_value);
        if (is_signed != cases[i].i || is_unsigned != cases[i].u) fail_msg("%s", cases[i].text);
        assert_true(signed_value == (is_signed ? cases[i].value : 55));
        assert_true(unsigned_value == (is_unsigned ? (uint64_t)cases[i].value : 55));
    }
}

/* ---- locales -------------------------------------------------------------------------------- */

/* Any installed one that writes 1,5; else one made here, if the tool for that is there. */
static bool comma_locale(char *folder) {
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "es_ES.UTF-8",
                                        "it_IT.UTF-8", "pl_PL.UTF-8", "ru_RU.UTF-8"};
    for (size_t i = 0; i < NI_COUNT(names); i++)
        if (setlocale(LC_ALL, names[i]) && *localeconv()->decimal_point == ',') return true;
    char path[100], command[300];
    snprintf(path, sizeof path, "%s/comma", folder);
    FILE *file = fopen(path, "w");
    if (!file) return false;
    fputs("comment_char %\nescape_char /\nLC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\n"
          "grouping 3;3\nEND LC_NUMERIC\n",
          file);
    fclose(file);
    snprintf(command, sizeof command, "localedef -c -i %s/comma %s/comma_XX >/dev/null 2>&1",
             folder, folder);
    int answer = system(command);
    (void)answer; /* it warns of all that the locale lacks */
    setenv("LOCPATH", folder, 1);
    return setlocale(LC_NUMERIC, "comma_XX") && *localeconv()->decimal_point == ',';
}

static void the_locale_changes_nothing(void **state) {
    (void)state;
    char folder[] = "/tmp/libnas-locale-XXXXXX", command[100], seen[20];
    assert_non_null(mkdtemp(folder));
    bool found = comma_locale(folder);
    if (found) {
        snprintf(seen, sizeof seen, "%.1f", 1.5);
        assert_string_equal(seen, "1,5"); /* the locale is in force */
        known_numbers_print_short();
        random_numbers_survive(10000);
        double value;
        assert_true(parsed("1234567.891234567891234", &value));
        assert_true(value == 1234567.891234567891234);
        assert_false(parsed("1,5", &value));
        snprintf(seen, sizeof seen, "%.1f", 1.5);
        assert_string_equal(seen, "1,5"); /* and still is */
    }
    setlocale(LC_ALL, "C");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    if (!found) {
        print_message("no locale with a decimal comma, and no localedef to make one: skipped\n");
        skip();
    }
}

static void text_begins_in_a_buffer(void **state) {
    (void)state;
    for (size_t capacity = 1; capacity < 80; capacity += 13) {
        char buffer[80], wanted[200] = "";
        ni_text text;
        nas_memory_use before = {.struct_size = sizeof before}, now = before;
        assert_int_equal(nas_context_memory(context, &before), NAS_OK);
        ni_text_lend(&text, context, buffer, capacity);
        assert_string_equal(ni_text_get(&text), "");
        for (int i = 0; i < 30; i++) {
            ni_text_add(&text, "ab");
            ni_text_u64(&text, (uint64_t)i);
            snprintf(wanted + strlen(wanted), 8, "ab%d", i);
            assert_string_equal(ni_text_get(&text), wanted);
            assert_int_equal(text.n, strlen(wanted));
            assert_int_equal(nas_context_memory(context, &now), NAS_OK);
            assert_true((now.bytes_now == before.bytes_now) == (text.n < capacity));
        }
        ni_text_clear(&text);
        ni_text_add(&text, "again");
        assert_string_equal(ni_text_get(&text), "again");
        ni_text_free(&text);
        assert_int_equal(nas_context_memory(context, &now), NAS_OK);
        assert_true(now.bytes_now == before.bytes_now);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(text_begins_in_a_buffer),
        cmocka_unit_test(a_failed_text_stays_failed),
        cmocka_unit_test(escapes),
        cmocka_unit_test(copies_into_buffers),
        cmocka_unit_test(numbers_print_and_parse),
        cmocka_unit_test(numbers_are_the_shortest),
        cmocka_unit_test(parsing_agrees_with_the_c_library),
        cmocka_unit_test(whole_numbers_parse),
        cmocka_unit_test(the_locale_changes_nothing),
    };
    return cmocka_run_group_tests_name("core: text and numbers", tests, setup, teardown);
}
