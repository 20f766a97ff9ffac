/* A controller on a published table: `evaluations` asks and tells for each of `seeds` seeds,
 * through the public interface.
 *
 *     bench-policy TABLE.csv SPACE CONTROLLER EVALUATIONS SEEDS [SETTING...]
 *
 * SPACE: "macro" (8 digits, then params, flops, three accuracies, whose mean counts), "201"
 * (number, cell, validation, test accuracy after 12 epochs: validation counts). Prints the mean
 * over seeds of the best value seen after 100, 200, ... evaluations, and a 95 % interval of it by
 * bootstrap (2,000 resamples). Repeats count as evaluations. With -v, the last controller's
 * description too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libnas/libnas.h"

typedef struct {
    uint64_t key;
    double value;
} row;

static nas_context *context;
static row *rows;
static size_t n_rows;

static void die(const char *what) {
    fprintf(stderr, "bench-policy: %s: %s\n", what, context ? nas_context_error(context) : "");
    exit(1);
}
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0) die(#call);                                                                \
    } while (0)

static int by_key(const void *a, const void *b) {
    uint64_t x = ((const row *)a)->key, y = ((const row *)b)->key;
    return x < y ? -1 : x > y;
}

static nas_space *open_space(int macro) {
    static const char *const kinds[] = {"0", "1", "2"};
    nas_space *space;
    char name[16];
    if (!macro) {
        MUST(nas_space_preset(&space, context, "nas-bench-201", NULL, 0));
        return space;
    }
    MUST(nas_space_create(&space, context, "macro"));
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "layer%d", i + 1);
        MUST(nas_space_add_choice(space, name, kinds, 3));
    }
    MUST(nas_space_finish(space));
    return space;
}

static void read_table(const char *path, const nas_space *space, int macro) {
    FILE *file = fopen(path, "r");
    char line[512];
    if (file == NULL || !fgets(line, sizeof line, file)) die(path);
    rows = calloc(20000, sizeof *rows);
    while (n_rows < 20000 && fgets(line, sizeof line, file)) {
        nas_arch *arch;
        if (macro) {
            double a, b, c;
            nas_value values[8] = {{0, 0}};
            if (sscanf(line, "%*8s,%*[^,],%*[^,],%lf,%lf,%lf", &a, &b, &c) != 3 &&
                sscanf(line + 9, "%*[^,],%*[^,],%lf,%lf,%lf", &a, &b, &c) != 3)
                die(line);
            for (int i = 0; i < 8; i++)
                values[i].integer = line[i] - '0';
            MUST(nas_arch_create(&arch, space, values, 8));
            rows[n_rows].value = (a + b + c) / 3;
        } else {
            char *cell = strchr(line, ','), *end = cell ? strchr(cell + 1, ',') : NULL;
            if (end == NULL) die(line);
            *end = 0;
            MUST(nas_arch_parse(&arch, space, cell + 1));
            rows[n_rows].value = strtod(end + 1, NULL);
        }
        rows[n_rows++].key = nas_arch_hash(arch);
        nas_arch_free(arch);
    }
    fclose(file);
    qsort(rows, n_rows, sizeof *rows, by_key);
}

static double value_of(const nas_arch *arch) {
    row wanted = {nas_arch_hash(arch), 0};
    const row *found = bsearch(&wanted, rows, n_rows, sizeof *rows, by_key);
    if (found == NULL) die("an architecture that the table has not");
    return found->value;
}

int main(int argc, char **argv) {
    int verbose = argc > 1 && !strcmp(argv[1], "-v");
    argc -= verbose;
    argv += verbose;
    if (argc < 6) {
        fprintf(stderr, "usage: bench-policy [-v] TABLE.csv macro|201 CONTROLLER EVALUATIONS SEEDS "
                        "[SETTING...]\n");
        return 2;
    }
    nas_context_options c = NAS_CONTEXT_OPTIONS_INIT;
    c.threads = 1;
    MUST(nas_context_create(&context, &c));
    int macro = !strcmp(argv[2], "macro"), evaluations = atoi(argv[4]), seeds = atoi(argv[5]);
    nas_space *space = open_space(macro);
    read_table(argv[1], space, macro);
    int marks = (evaluations + 99) / 100;
    if (marks > 10) marks = 10;
    double *best_at = calloc((size_t)seeds * (size_t)marks + 1, sizeof *best_at), asked_sum = 0;
    nas_result_builder *result;
    MUST(nas_result_create(&result, context));
    for (int seed = 0; seed < seeds; seed++) {
        nas_search_options o;
        nas_search *search;
        nas_controller *controller;
        double best = -INFINITY;
        MUST(nas_controller_named(&controller, space, argv[3], (const char *const *)(argv + 6),
                                  (size_t)(argc - 6)));
        nas_search_options_init(&o);
        o.space = space;
        o.controller = controller;
        o.seed = (uint64_t)seed;
        o.max_trials = (uint64_t)evaluations;
        MUST(nas_search_create(&search, context, &o));
        int i = 0;
        for (; i < evaluations; i++) {
            const nas_proposal *proposal;
            nas_status status = nas_search_ask(search, &proposal);
            if (status == NAS_DONE) break;
            if (status < 0) die("ask");
            double value = value_of(nas_proposal_arch(proposal));
            if (value > best) best = value;
            MUST(nas_result_set(result, "accuracy", value / 100));
            MUST(nas_search_tell(search, proposal, result));
            if (i / 100 < marks) best_at[seed * marks + i / 100] = best;
        }
        asked_sum += i;
        for (int m = i / 100; m < marks; m++)
            best_at[seed * marks + m] = best;
        if (verbose && seed == seeds - 1) {
            nas_sink *sink;
            MUST(nas_sink_memory(&sink, context));
            MUST(nas_controller_describe(controller, sink));
            printf("%s", nas_sink_data(sink, NULL));
            nas_sink_free(sink);
        }
        nas_search_free(search);
        nas_controller_free(controller);
    }
    printf("%s %s, %d seeds, %.1f evaluations each:", argv[2], argv[3], seeds, asked_sum / seeds);
    nas_random *random;
    MUST(nas_random_create(&random, context, 1, 0, "bootstrap"));
    for (int m = 0; m < marks; m++) {
        double sum = 0, sums[2000];
        for (int s = 0; s < seeds; s++)
            sum += best_at[s * marks + m];
        for (int b = 0; b < 2000; b++) {
            sums[b] = 0;
            for (int s = 0; s < seeds; s++)
                sums[b] += best_at[(int)nas_random_below(random, (uint64_t)seeds) * marks + m];
        }
        for (int i = 1; i < 2000; i++) /* few and cheap: insertion */
            for (int j = i; j > 0 && sums[j] < sums[j - 1]; j--) {
                double swap = sums[j];
                sums[j] = sums[j - 1];
                sums[j - 1] = swap;
            }
        int at = (m + 1) * 100 < evaluations ? (m + 1) * 100 : evaluations;
        printf(" %d: %.3f [%.3f, %.3f]", at, sum / seeds, sums[50] / seeds, sums[1949] / seeds);
    }
    printf("\n");
    nas_random_free(random);
    nas_result_free(result);
    nas_space_free(space);
    nas_context_free(context);
    free(best_at);
    free(rows);
    return 0;
}
