/* nas compare: what its files share. */
#ifndef NAS_COMPARE_H
#define NAS_COMPARE_H
#include "nas.h"

enum { COMPARE_EVALUATIONS, COMPARE_EPOCHS, COMPARE_SECONDS };
extern const char *const compare_units[];
extern const char *const compare_units_words; /* for sentences */

typedef struct {
    char *label, *name;
    char **settings; /* "key=value" */
    size_t n_settings;
} compare_entry;
/* What the file asks for. */
typedef struct {
    char *space;
    char **parameters, **table; /* "key=value" */
    size_t n_parameters, n_table;
    uint64_t seeds, first_seed, workers, threads;
    int unit;
    double *budgets; /* rising */
    size_t n_budgets;
    compare_entry *entries; /* "random" and "local-search" are among them */
    size_t n_entries, random, local;
} compare_plan;
/* 0, or an exit status after a message. */
int compare_read(compare_plan *plan, const char *path);
void compare_plan_free(compare_plan *plan);

/* What came of it: for each controller, seed and point the best validation value until then, and
 * the test value of the network that has it. */
typedef struct {
    const compare_plan *plan;
    double *points; /* rising; the budgets are among them */
    size_t n_points;
    double *validation, *test; /* (controller, seed, point) */
    nas_table_info table;
    double seconds; /* it took */
} compare_runs;
int compare_run(compare_runs *runs, const compare_plan *plan);
void compare_runs_free(compare_runs *runs);
static inline double compare_at(const compare_runs *r, const double *values, size_t entry,
                                size_t seed, size_t point) {
    return values[(entry * r->plan->seeds + seed) * r->n_points + point];
}

/* Mean over the seeds, and the 95 % interval of the mean by bootstrap (percentiles of 2,000). */
typedef struct {
    double mean, low, high;
} compare_mean;
nas_status compare_mean_of(compare_mean *out, nas_context *context, const compare_runs *runs,
                           const double *values, size_t entry, size_t point);
/* Two-sided test of the mean difference, paired by seed: signs of the differences flipped at
 * random, 9,999 times. */
nas_status compare_paired(double *difference, double *p, nas_context *context,
                          const compare_runs *runs, size_t entry, size_t other, size_t point);
/* Holm's correction of n p-values, in place. */
void compare_holm(double *p, size_t n);

/* The picture; means: (controller, point), of the test values. */
void compare_plot(FILE *to, const compare_runs *runs, const compare_mean *means);

#endif
