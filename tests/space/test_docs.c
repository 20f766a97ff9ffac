/* The examples of docs/space-file.md (the argument) as they stand there: each is read, an
 * architecture drawn, its network built; and each kind of network has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include "space/internal.h"

static const char *path;

static void examples(void **state) {
    (void)state;
    static const char *const kinds[] = {"cells", "blocks", "matrix", "stages",
                                        "skips", "chain",  "mlp"};
    bool seen[NI_COUNT(kinds)] = {false};
    nas_context *context;
    void *text;
    size_t n;
    int found = 0;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    assert_int_equal(ni_file_read(context, path, 1 << 20, &text, &n), NAS_OK);
    for (const char *at = text; (at = strstr(at, "```yaml\n")); found++) {
        const char *from = at + 8, *to = strstr(from, "```\n");
        nas_space *space;
        nas_random random;
        assert_non_null(to);
        at = to + 4;
        if (nas_space_parse(&space, context, from, (size_t)(to - from), "docs", NULL, 0) < 0)
            fail_msg("example %d: %s", found + 1, nas_context_error(context));
        ni_random_init(&random, 1, 0, "docs");
        for (int i = 0; i < 10; i++) {
            nas_arch *arch;
            nas_arch_cost cost = {.struct_size = sizeof cost};
            if (nas_space_sample(space, &random, &arch) < 0)
                fail_msg("example %d: %s", found + 1, nas_context_error(context));
            if (space->template) assert_int_equal(nas_arch_costs(arch, &cost), NAS_OK);
            nas_arch_free(arch);
        }
        for (size_t k = 0; space->template && k < NI_COUNT(kinds); k++)
            seen[k] = seen[k] || strcmp(kinds[k], space->template->kind) == 0;
        nas_space_free(space);
    }
    for (size_t k = 0; k < NI_COUNT(kinds); k++)
        if (!seen[k]) fail_msg("no example of template %s", kinds[k]);
    assert_int_equal(found, 8);
    ni_free(context, text);
    nas_context_free(context);
}

int main(int argc, char **argv) {
    path = argc > 1 ? argv[1] : "docs/space-file.md";
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
