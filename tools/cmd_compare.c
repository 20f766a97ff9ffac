/* nas compare: controllers beside each other on a table. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "compare.h"

/* At a budget: for each controller means of both values, differences and corrected p-values against
 * random and local search. */
typedef struct {
    compare_mean validation, test;
    double against[2], p[2];
} line;

static int measure(nas_context *context, const compare_runs *r, size_t point, line *lines) {
    size_t n = r->plan->n_entries;
    double *p = calloc(n, sizeof *p);
    nas_status status = p ? NAS_OK : NAS_E_MEMORY;
    for (size_t e = 0; status >= 0 && e < n; e++) {
        status = compare_mean_of(&lines[e].validation, context, r, r->validation, e, point);
        if (status >= 0) status = compare_mean_of(&lines[e].test, context, r, r->test, e, point);
    }
    for (int base = 0; base < 2; base++) {
        size_t other = base ? r->plan->local : r->plan->random, tested = 0;
        for (size_t e = 0; status >= 0 && e < n; e++)
            if (e != other)
                status = compare_paired(&lines[e].against[base], &p[tested++], context, r, e, other,
                                        point);
        compare_holm(p, tested);
        tested = 0;
        for (size_t e = 0; status >= 0 && e < n; e++)
            lines[e].p[base] = e == other ? NAN : p[tested++];
    }
    free(p);
    return status < 0 ? tool_failed(context) : 0;
}

static void verdict(FILE *to, const line *l, int base, bool same) {
    static const char *const names[] = {"random", "local search"};
    if (same) return;
    if (isnan(l->p[base]))
        fprintf(to, "; against %s: nothing to compare", names[base]);
    else if (l->p[base] >= 0.05)
        fprintf(to, "; no better than %s (p = %.4f)", names[base], l->p[base]);
    else
        fprintf(to, "; %s than %s by %.4f (p = %.4f)", l->against[base] > 0 ? "better" : "worse",
                names[base], fabs(l->against[base]), l->p[base]);
}

static void write_text(FILE *to, const compare_runs *r, double budget, const line *lines) {
    const compare_plan *plan = r->plan;
    int width = 10;
    for (size_t e = 0; e < plan->n_entries; e++)
        if ((int)strlen(plan->entries[e].label) > width)
            width = (int)strlen(plan->entries[e].label);
    fprintf(to, "\nafter %.6g %s\n", budget, compare_units[plan->unit]);
    fprintf(to, "%-*s  validation                   test\n", width, "");
    for (size_t e = 0; e < plan->n_entries; e++) {
        const line *l = &lines[e];
        fprintf(to, "%-*s  %8.4f [%8.4f, %8.4f]  %8.4f [%8.4f, %8.4f]", width,
                plan->entries[e].label, l->validation.mean, l->validation.low, l->validation.high,
                l->test.mean, l->test.low, l->test.high);
        verdict(to, l, 0, e == plan->random);
        verdict(to, l, 1, e == plan->local);
        fputc('\n', to);
    }
}

static void csv_text(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

static void write_csv(FILE *to, const compare_runs *r, double budget, const line *lines) {
    for (size_t e = 0; e < r->plan->n_entries; e++) {
        const line *l = &lines[e];
        csv_text(to, r->plan->entries[e].label);
        fprintf(to,
                ",%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%" PRIu64 "\n",
                budget, l->validation.mean, l->validation.low, l->validation.high, l->test.mean,
                l->test.low, l->test.high, l->against[0], l->p[0], l->against[1], l->p[1],
                r->plan->seeds);
    }
}

static void write_seeds(FILE *to, const compare_runs *r, double budget, size_t point) {
    for (size_t e = 0; e < r->plan->n_entries; e++)
        for (size_t s = 0; s < r->plan->seeds; s++) {
            csv_text(to, r->plan->entries[e].label);
            fprintf(to, ",%.10g,%" PRIu64 ",%.10g,%.10g\n", budget, r->plan->first_seed + s,
                    compare_at(r, r->validation, e, s, point), compare_at(r, r->test, e, s, point));
        }
}

static void write_head(FILE *to, const compare_runs *r) {
    const compare_plan *plan = r->plan;
    fprintf(to,
            "%s: %" PRIu64
            " architectures; best validation %.6g, test of that one %.6g, best test %.6g\n",
            plan->space, r->table.rows, r->table.best_accuracy, r->table.test_of_best,
            r->table.best_test);
    fprintf(to,
            "%zu controllers, %" PRIu64 " seeds, %" PRIu64 " simulated worker%s; means with 95 %% "
            "intervals by bootstrap; paired tests by sign flips, Holm's correction\n",
            plan->n_entries, plan->seeds, plan->workers, plan->workers == 1 ? "" : "s");
}

typedef struct {
    tool_output text, csv, seeds, svg;
    char *paths[4];
} outputs;

static int open_outputs(outputs *o, const char *folder) {
    static const char *const names[] = {"compare.txt", "compare.csv", "seeds.csv", "compare.svg"};
    tool_output *all[] = {&o->text, &o->csv, &o->seeds, &o->svg};
    memset(o, 0, sizeof *o);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return tool_error("the folder %s cannot be made: %s", folder, strerror(errno));
    for (int i = 0; i < 4; i++) {
        o->paths[i] = tool_join(folder, names[i]);
        if (!o->paths[i]) return tool_memory();
        int code = tool_output_open(all[i], o->paths[i]);
        if (code) return code;
    }
    return 0;
}

static int close_outputs(outputs *o, nas_context *context, int code) {
    tool_output *all[] = {&o->text, &o->csv, &o->seeds, &o->svg};
    for (int i = 0; i < 4; i++)
        if (all[i]->to) code = tool_output_close(all[i], context, code);
    for (int i = 0; i < 4; i++)
        free(o->paths[i]);
    return code;
}

static int write_all(nas_context *context, const compare_runs *r, outputs *o, bool quiet) {
    const compare_plan *plan = r->plan;
    size_t n = plan->n_entries;
    line *lines = calloc(n, sizeof *lines);
    compare_mean *means = calloc(n * r->n_points, sizeof *means);
    int code = lines && means ? 0 : tool_memory();
    if (!code) {
        write_head(o->text.to, r);
        if (!quiet) write_head(stdout, r);
        fputs("controller,budget,validation,validation_low,validation_high,test,test_low,test_high,"
              "against_random,p_random,against_local_search,p_local_search,seeds\n",
              o->csv.to);
        fputs("controller,budget,seed,validation,test\n", o->seeds.to);
    }
    for (size_t b = 0, point = 0; !code && b < plan->n_budgets; b++) {
        while (r->points[point] < plan->budgets[b])
            point++;
        code = measure(context, r, point, lines);
        if (code) break;
        write_text(o->text.to, r, plan->budgets[b], lines);
        if (!quiet) write_text(stdout, r, plan->budgets[b], lines);
        write_csv(o->csv.to, r, plan->budgets[b], lines);
        write_seeds(o->seeds.to, r, plan->budgets[b], point);
    }
    for (size_t i = 0; !code && i < n * r->n_points; i++)
        if (compare_mean_of(&means[i], context, r, r->test, i / r->n_points, i % r->n_points) < 0)
            code = tool_failed(context);
    if (!code) compare_plot(o->svg.to, r, means);
    free(lines);
    free(means);
    return code;
}

typedef struct {
    uint64_t seeds, threads;
} wish;
enum { SEEDS = 1, THREADS };

static int take(void *user, int option, const char *text) {
    wish *w = user;
    return option == SEEDS ? tool_option_whole("--seeds", text, 100000, &w->seeds)
                           : tool_option_whole("--threads", text, 1024, &w->threads);
}

int cmd_compare(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"seeds", 0, POPT_ARG_STRING, NULL, SEEDS, "seeds of each controller, over the file's",
         "N"},
        {"threads", 0, POPT_ARG_STRING, NULL, THREADS, "searches at once; all processors", "N"},
        POPT_TABLEEND};
    static const tool_command about = {
        .name = "compare",
        .arguments = "FILE.yaml",
        .about = "Controllers beside each other on a table of published results: each with every "
                 "seed, to every budget.\nRandom and local search are always beside. Writes "
                 "compare.txt, compare.csv, seeds.csv and compare.svg.",
        .output = "folder for what it writes; nas-compare",
        .takes = TAKES_OUTPUT | TAKES_QUIET,
        .least = 1,
        .most = 1,
        .options = options,
        .set = take};
    tool_request r;
    wish w = {0, 0};
    int code;
    if (!tool_read(&r, &about, &w, argc, argv, &code)) return code;
    compare_plan plan;
    compare_runs runs;
    outputs o;
    memset(&runs, 0, sizeof runs);
    code = compare_read(&plan, r.words[0]);
    if (!code && w.seeds == 1) code = tool_usage("--seeds must be at least 2");
    if (w.seeds) plan.seeds = w.seeds;
    if (w.threads) plan.threads = w.threads;
    if (!code) code = compare_run(&runs, &plan);
    nas_context *context = code ? NULL : tool_context(1);
    if (!code && !context) code = EXIT_FAILED;
    if (!code) {
        const char *folder = r.output ? r.output : "nas-compare";
        code = open_outputs(&o, folder);
        if (!code) code = write_all(context, &runs, &o, r.quiet);
        code = close_outputs(&o, context, code);
        if (!code && !r.quiet)
            printf("\n%zu searches in %.1f s; %s/compare.svg shows them\n",
                   plan.n_entries * (size_t)plan.seeds, runs.seconds, folder);
    }
    nas_context_free(context);
    compare_runs_free(&runs);
    compare_plan_free(&plan);
    tool_request_free(&r);
    return code;
}
