/* Costs of published networks, exact to the last parameter: what the reference codes' own networks
 * count. DARTS's tables were made by its NetworkCIFAR and NetworkImageNet with the six genotypes,
 * NAS-Bench-101's by its model builder, the mobile ones by torchvision and ProxylessNAS's code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include "space/space.h"

static nas_context *context;

static int start(void **state) {
    (void)state;
    return nas_context_create(&context, NULL);
}
static int end(void **state) {
    (void)state;
    nas_context_free(context);
    return 0;
}

static nas_space *preset(const char *name, const char *const *overrides, size_t n) {
    nas_space *space;
    if (nas_space_preset(&space, context, name, overrides, n) < 0)
        fail_msg("%s: %s", name, nas_context_error(context));
    return space;
}

static nas_arch_cost costs(const nas_space *space, const char *text) {
    nas_arch *arch;
    nas_arch_cost cost = {.struct_size = sizeof cost};
    if (nas_arch_parse(&arch, space, text) < 0 || nas_arch_costs(arch, &cost) < 0)
        fail_msg("%s: %s", text, nas_context_error(context));
    nas_arch_free(arch);
    return cost;
}

static const struct {
    const char *space, *name;
    int64_t params, with_auxiliary, macs, params_16, macs_16, params_4, macs_4;
} cells[] = {
    {"darts", "DARTS_V1", 3169414, 3645840, 500987520, 232890, 41355776, 10910, 2255488},
    {"darts", "DARTS_V2", 3349342, 3825768, 528359040, 246106, 43444736, 11554, 2369152},
    {"nasnet", "NASNet-A", 3830950, 4288944, 603452448, 333946, 56224896, 23950, 4023072},
    {"amoebanet", "AmoebaNet-A", 3145078, 3603072, 488931552, 326330, 52873088, 22630, 3772896},
    {"pnas", "PNASNet-5", 4481110, 4975968, 706026528, 408762, 67898496, 27990, 4862752},
    {"enas-micro", "ENAS", 4394710, 4871136, 693197856, 390330, 65342592, 25942, 4535072},
};

static void published_cells(void **state) {
    (void)state;
    static const char *const sizes[4][3] = {{"channels=36", "cells=20", "auxiliary=0"},
                                            {"channels=36", "cells=20", "auxiliary=1"},
                                            {"channels=16", "cells=8", "auxiliary=0"},
                                            {"channels=4", "cells=5", "auxiliary=0"}};
    for (size_t i = 0; i < NI_COUNT(cells); i++) {
        const int64_t params[] = {cells[i].params, cells[i].with_auxiliary, cells[i].params_16,
                                  cells[i].params_4};
        const int64_t macs[] = {cells[i].macs, cells[i].macs, cells[i].macs_16, cells[i].macs_4};
        for (int k = 0; k < 4; k++) {
            nas_space *space = preset(cells[i].space, sizes[k], 3);
            nas_arch_cost cost = costs(space, cells[i].name);
            if (cost.params != params[k] || cost.macs != macs[k])
                fail_msg("%s, size %d: %lld parameters, %lld MACs", cells[i].name, k,
                         (long long)cost.params, (long long)cost.macs);
            nas_space_free(space);
        }
    }
}

/* The presets with one line changed; the same words the user would change. */
static nas_space *changed(const char *name, const char *from, const char *to,
                          const char *const *overrides, size_t n) {
    const char *text = nas_space_preset_text(name), *at = strstr(text, from);
    char *copy = malloc(strlen(text) + strlen(to) + 1);
    nas_space *space;
    assert_non_null(at);
    assert_non_null(copy);
    memcpy(copy, text, (size_t)(at - text));
    strcpy(copy + (at - text), to);
    strcat(copy, at + strlen(from));
    if (nas_space_parse(&space, context, copy, strlen(copy), "changed", overrides, n) < 0)
        fail_msg("%s", nas_context_error(context));
    free(copy);
    return space;
}

static void imagenet_cells(void **state) {
    (void)state;
    static const char *const size[] = {"channels=48", "cells=14", "height=224", "width=224",
                                       "classes=1000"};
    nas_space *space = changed("darts", "stem: cifar", "stem: imagenet", size, 5);
    nas_arch_cost v1 = costs(space, "DARTS_V1"), v2 = costs(space, "DARTS_V2");
    assert_int_equal(v1.params, 4510432);
    assert_int_equal(v1.macs, 505864704);
    assert_int_equal(v2.params, 4718752);
    assert_int_equal(v2.macs, 529911552);
    nas_space_free(space);
}

#define C3 "'conv3x3-bn-relu'"
static void nas_bench_101(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t params, macs; /* macs 0: the table has none */
    } table[] = {
        {"inception", 2694282, 402002944},
        {"[[0,1],[0,0]],['input','output']", 882570, 137761792},
        {"[[0,1,0],[0,0,1],[0,0,0]],['input','maxpool3x3','output']", 882570, 0},
        {"[[0,1,0],[0,0,1],[0,0,0]],['input','conv1x1-bn-relu','output']", 1920138, 0},
        {"[[0,1,0,1],[0,0,1,0],[0,0,0,1],[0,0,0,0]],['input'," C3 "," C3 ",'output']", 20346506,
         2989888512},
        {"[[0,1,0,0,0,0,0],[0,0,1,0,0,0,0],[0,0,0,1,0,0,0],[0,0,0,0,1,0,0],[0,0,0,0,0,1,0],"
         "[0,0,0,0,0,0,1],[0,0,0,0,0,0,0]],['input'," C3 "," C3 "," C3 "," C3 "," C3 ",'output']",
         47358090, 0},
    };
    static const char *const small[] = {"channels=16", "modules=1"};
    nas_space *space = preset("nas-bench-101", NULL, 0);
    for (size_t i = 0; i < NI_COUNT(table); i++) {
        nas_arch_cost cost = costs(space, table[i].text);
        assert_int_equal(cost.params, table[i].params);
        if (table[i].macs) assert_int_equal(cost.macs, table[i].macs);
    }
    nas_space_free(space);
    space = preset("nas-bench-101", small, 2);
    nas_arch_cost cost = costs(space, "inception");
    assert_int_equal(cost.params, 13786);
    assert_int_equal(cost.macs, 2343552);
    nas_space_free(space);
    space = preset("nas-bench-101", small, 1);
    cost = costs(space, "inception");
    assert_int_equal(cost.params, 44250);
    assert_int_equal(cost.macs, 6668928);
    nas_space_free(space);
}

static void mobile(void **state) {
    (void)state;
    static const struct {
        const char *operation;
        int64_t params, macs;
    } table[] = {{"mbconv_3x3_e3", 3191928, 257422208}, {"mbconv_3x3_e6", 4684776, 472620800},
                 {"mbconv_5x5_e3", 3275640, 284216192}, {"mbconv_5x5_e6", 4852200, 526208768},
                 {"mbconv_7x7_e3", 3401208, 324407168}, {"mbconv_7x7_e6", 5103336, 606590720}};
    nas_space *space = preset("proxyless", NULL, 0);
    for (size_t i = 0; i < NI_COUNT(table); i++) {
        char text[2048] = "", one[64];
        for (int stage = 1; stage <= 6; stage++)
            for (int layer = 1; layer <= (stage == 6 ? 1 : 4); layer++) {
                snprintf(one, sizeof one, "%d.%d=%s ", stage, layer, table[i].operation);
                strcat(text, one);
            }
        nas_arch_cost cost = costs(space, text);
        assert_int_equal(cost.params, table[i].params);
        assert_int_equal(cost.macs, table[i].macs);
    }
    nas_space_free(space);

    static const char v2[] =
        "space: mobilenet-v2\n"
        "network:\n"
        "  template: stages\n"
        "  image: {height: 224, width: 224, channels: 3, classes: 1000}\n"
        "  stem: {channels: 32, kernel: 3, stride: 2}\n"
        "  fixed: [{operation: mbconv_3x3_e1, channels: 16, stride: 1}]\n"
        "  head: {channels: 1280}\n"
        "  relu6: 1\n"
        "layers:\n"
        "  operations: [mbconv_3x3_e6]\n"
        "  stages: [{channels: 24, layers: 2, stride: 2}, {channels: 32, layers: 3, stride: 2},\n"
        "    {channels: 64, layers: 4, stride: 2}, {channels: 96, layers: 3, stride: 1},\n"
        "    {channels: 160, layers: 3, stride: 2}, {channels: 320, layers: 1, stride: 1}]\n"
        "  text: digits\n";
    if (nas_space_parse(&space, context, v2, sizeof v2 - 1, "v2", NULL, 0) < 0)
        fail_msg("%s", nas_context_error(context));
    nas_arch_cost cost = costs(space, "0000000000000000");
    assert_int_equal(cost.params, 3504872);
    assert_int_equal(cost.macs, 300774272);
    nas_space_free(space);
}

static void macro(void **state) {
    (void)state;
    /* a few by heart; the whole table where it is there */
    nas_space *space = preset("nas-bench-macro", NULL, 0);
    nas_arch_cost cost = costs(space, "02012100");
    assert_int_equal(cost.params, 890666);
    assert_int_equal(cost.macs, 47327744);
    cost = costs(space, "best");
    assert_int_equal(cost.params, 1985514);
    assert_int_equal(cost.macs, 85164544);
    cost = costs(space, "22222222");
    assert_int_equal(cost.params, 2932586);
    assert_int_equal(cost.macs, 105660928);
    nas_space_free(space);
}

static void whole_macro_table(void **state) {
    (void)state;
    static const char *const places[] = {
        "../shared/data/nas-bench-macro.csv", "../../shared/data/nas-bench-macro.csv",
        "../../../shared/data/nas-bench-macro.csv", "../../../../shared/data/nas-bench-macro.csv"};
    FILE *file = NULL;
    for (size_t i = 0; !file && i < NI_COUNT(places); i++)
        file = fopen(places[i], "r");
    if (!file) {
        print_message("skipped: nas-bench-macro.csv is not beside the project (../shared/data)\n");
        skip();
    }
    nas_space *space = preset("nas-bench-macro", NULL, 0);
    char line[256], arch[16];
    long long params, flops;
    int n = 0;
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%15[0-9],%lld,%lld", arch, &params, &flops) != 3)
            fail_msg("line %d: %s", n + 2, line);
        nas_arch_cost cost = costs(space, arch);
        if (cost.params != params || cost.macs != flops)
            fail_msg("%s: %lld parameters and %lld MACs, and the table has %lld and %lld", arch,
                     (long long)cost.params, (long long)cost.macs, params, flops);
        n++;
    }
    assert_int_equal(n, 6561);
    fclose(file);
    nas_space_free(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_cells), cmocka_unit_test(imagenet_cells),
        cmocka_unit_test(nas_bench_101),   cmocka_unit_test(mobile),
        cmocka_unit_test(macro),           cmocka_unit_test(whole_macro_table),
    };
    return cmocka_run_group_tests(tests, start, end);
}
