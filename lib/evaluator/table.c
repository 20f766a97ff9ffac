/* The table evaluator: looks up what someone else trained. A published table (CSV) of architectures
 * with their metrics and costs answers each proposal at once; its "seconds" are those of the table,
 * which nas_search_simulate lets pass. With curves (a column an epoch) the fidelity "epochs" says
 * how far along the curve the answer is. Nothing is changed by an evaluation: any number of
 * threads, any number of searches. */
#include "csv.h"
#include "fit.h"
#include <math.h>
#include <stdio.h>

enum { MOST_COLUMNS = 4096, MOST_METRICS = 64, MOST_SUM = 16 };
static const uint64_t most_listed = 1 << 24; /* architectures looked through for a missing one */

/* Columns whose mean is a metric. */
typedef struct {
    uint32_t columns[MOST_SUM], n;
} ni_mean;
typedef struct {
    char name[64];
    uint32_t column;
} ni_extra;
typedef struct {
    const char *arch;
    uint64_t line;
    uint64_t curve; /* first of its points in `points` */
    uint32_t n_points;
} ni_line;

typedef struct {
    nas_context *context;
    nas_table_options o; /* texts: copies */
    char *texts[6];
    ni_csv file; /* its bytes stay: lines point into it */
    NI_ARRAY(ni_line) lines;
    NI_ARRAY(double) numbers; /* n_kept a line: accuracy, test, seconds, then the extras */
    NI_ARRAY(double) points;
    uint32_t n_kept;
    /* columns */
    uint32_t arch, seconds;
    ni_mean accuracy, test;
    ni_extra extras[MOST_METRICS];
    uint32_t n_extras;
    NI_ARRAY(uint32_t) curve;
    /* prepared for a space: */
    uint64_t space_hash;
    ni_map *by_arch; /* hash of an architecture to its line */
    nas_table_info info;
} ni_table;

#define NONE UINT32_MAX
enum { ACCURACY, TEST, SECONDS, EXTRAS };

/* ---- columns
 * ------------------------------------------------------------------------------------------ */

static nas_status find_column(const ni_table *t, const char *name, size_t n, const char *setting,
                              uint32_t *out) {
    char wrong[80];
    const char *known[64];
    size_t listed = 0;
    for (uint32_t i = 0; i < t->file.cells.n; i++) {
        const ni_cell *cell = &t->file.cells.items[i];
        if (cell->n == n && !memcmp(cell->text, name, n)) return *out = i, NAS_OK;
        if (listed < NI_COUNT(known)) known[listed++] = cell->text;
    }
    if (n > sizeof wrong - 1) n = sizeof wrong - 1;
    memcpy(wrong, name, n);
    wrong[n] = 0;
    const char *near = ni_nearest(wrong, known, listed);
    return ni_fail(t->context, NAS_E_NOT_FOUND, "%s:1: no column is named '%s' (setting %s)%s%s%s",
                   t->o.path, wrong, setting, near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

/* "a+b+c" */
static nas_status find_mean(const ni_table *t, const char *text, const char *setting,
                            ni_mean *out) {
    out->n = 0;
    while (text && *text) {
        size_t n = strcspn(text, "+");
        if (out->n == MOST_SUM)
            return ni_fail(t->context, NAS_E_LIMIT, "%s: setting %s names more than %d columns",
                           t->o.path, setting, MOST_SUM);
        NI_TRY(find_column(t, text, n, setting, &out->columns[out->n++]));
        text += n + (text[n] == '+');
    }
    return NAS_OK;
}

static nas_status find_extras(ni_table *t, const char *text) {
    while (text && *text) {
        size_t n = strcspn(text, ",");
        ni_extra *extra = &t->extras[t->n_extras];
        if (t->n_extras == MOST_METRICS || n >= sizeof extra->name || n == 0)
            return ni_fail(t->context, NAS_E_LIMIT,
                           "%s: setting metrics takes up to %d names of 1 to 63 bytes", t->o.path,
                           MOST_METRICS);
        NI_TRY(find_column(t, text, n, "metrics", &extra->column));
        memcpy(extra->name, text, n);
        extra->name[n] = 0;
        t->n_extras++;
        text += n + (text[n] == ',');
    }
    return NAS_OK;
}

/* "acc_": acc_1, acc_2, ... in that order, however the file orders them. */
static nas_status find_curve(ni_table *t, const char *prefix) {
    char name[96];
    size_t n = prefix ? strlen(prefix) : 0;
    if (n == 0) return NAS_OK;
    if (n > 63) return ni_fail(t->context, NAS_E_INVALID, "setting curve is past 63 bytes");
    for (uint32_t epoch = 1; epoch <= MOST_COLUMNS; epoch++) {
        uint32_t column = NONE;
        size_t length = (size_t)snprintf(name, sizeof name, "%s%u", prefix, epoch);
        for (uint32_t i = 0; i < t->file.cells.n; i++)
            if (t->file.cells.items[i].n == length &&
                !memcmp(t->file.cells.items[i].text, name, length))
                column = i;
        if (column == NONE) break;
        NI_TRY(NI_PUSH(t->context, &t->curve, column));
    }
    if (t->curve.n) return NAS_OK;
    return ni_fail(t->context, NAS_E_NOT_FOUND,
                   "%s:1: no column is named '%s1', the first epoch of setting curve", t->o.path,
                   prefix);
}

static nas_status read_header(ni_table *t) {
    const nas_table_options *o = &t->o;
    nas_status status = ni_csv_next(&t->file);
    if (status == NAS_DONE)
        return ni_fail(t->context, NAS_E_SYNTAX, "%s: the table is empty", o->path);
    NI_TRY(status);
    if (t->file.cells.n > MOST_COLUMNS)
        return ni_fail(t->context, NAS_E_LIMIT, "%s:1: more than %d columns", o->path,
                       MOST_COLUMNS);
    t->arch = NONE;
    if (strcmp(o->arch, "#") != 0)
        NI_TRY(find_column(t, o->arch, strlen(o->arch), "arch", &t->arch));
    NI_TRY(find_mean(t, o->accuracy, "accuracy", &t->accuracy));
    NI_TRY(find_mean(t, o->test, "test", &t->test));
    t->seconds = NONE;
    if (o->seconds && *o->seconds)
        NI_TRY(find_column(t, o->seconds, strlen(o->seconds), "seconds", &t->seconds));
    NI_TRY(find_extras(t, o->metrics));
    NI_TRY(find_curve(t, o->curve));
    if (t->accuracy.n == 0 && t->curve.n == 0)
        return ni_fail(t->context, NAS_E_INVALID,
                       "%s: name its columns by setting accuracy, or its curves by setting curve",
                       o->path);
    t->n_kept = EXTRAS + t->n_extras;
    return NAS_OK;
}

/* ---- lines
 * -------------------------------------------------------------------------------------------- */

static nas_status read_number(const ni_table *t, uint32_t column, double *out) {
    const ni_cell *cell = &t->file.cells.items[column];
    if (ni_parse_f64(cell->text, cell->n, out) && isfinite(*out)) return NAS_OK;
    return ni_fail(t->context, NAS_E_SYNTAX, "%s:%llu: '%.40s' in column %u is not a number",
                   t->o.path, (unsigned long long)t->file.line, cell->text, column + 1);
}

static nas_status read_mean(const ni_table *t, const ni_mean *mean, double *out) {
    double sum = 0, one;
    for (uint32_t i = 0; i < mean->n; i++) {
        NI_TRY(read_number(t, mean->columns[i], &one));
        sum += one;
    }
    *out = mean->n ? sum / mean->n * t->o.scale : NAN;
    return NAS_OK;
}

/* A curve may end early (empty cells at its end), but has no gaps. */
static nas_status read_curve(ni_table *t, ni_line *line) {
    double value;
    line->curve = t->points.n;
    for (size_t i = 0; i < t->curve.n; i++) {
        if (t->file.cells.items[t->curve.items[i]].n == 0) continue;
        NI_TRY(read_number(t, t->curve.items[i], &value));
        if (i != line->n_points)
            return ni_fail(t->context, NAS_E_SYNTAX,
                           "%s:%llu: the curve lacks epoch %u, but has %zu", t->o.path,
                           (unsigned long long)t->file.line, line->n_points + 1, i + 1);
        NI_TRY(NI_PUSH(t->context, &t->points, value * t->o.scale));
        line->n_points++;
    }
    if (line->n_points || t->curve.n == 0) return NAS_OK;
    return ni_fail(t->context, NAS_E_SYNTAX, "%s:%llu: the curve has no points", t->o.path,
                   (unsigned long long)t->file.line);
}

static nas_status read_line(ni_table *t, size_t columns) {
    ni_line line = {"", t->file.line, 0, 0};
    double kept[EXTRAS + MOST_METRICS];
    if (t->file.cells.n != columns)
        return ni_fail(t->context, NAS_E_SYNTAX, "%s:%llu: %zu cells, but the header has %zu",
                       t->o.path, (unsigned long long)line.line, t->file.cells.n, columns);
    if (t->arch != NONE) line.arch = t->file.cells.items[t->arch].text;
    if (t->arch != NONE && line.arch[0] == 0)
        return ni_fail(t->context, NAS_E_SYNTAX, "%s:%llu: the architecture is missing", t->o.path,
                       (unsigned long long)line.line);
    NI_TRY(read_curve(t, &line));
    NI_TRY(read_mean(t, &t->accuracy, &kept[ACCURACY]));
    NI_TRY(read_mean(t, &t->test, &kept[TEST]));
    kept[SECONDS] = NAN;
    if (t->seconds != NONE) {
        NI_TRY(read_number(t, t->seconds, &kept[SECONDS]));
        if (kept[SECONDS] < 0)
            return ni_fail(t->context, NAS_E_SYNTAX, "%s:%llu: the seconds are negative", t->o.path,
                           (unsigned long long)line.line);
    }
    for (uint32_t i = 0; i < t->n_extras; i++)
        NI_TRY(read_number(t, t->extras[i].column, &kept[EXTRAS + i]));
    if (line.n_points) { /* without columns of their own they are what the curve comes to */
        double last = t->points.items[line.curve + line.n_points - 1];
        if (isnan(kept[ACCURACY])) kept[ACCURACY] = last;
        if (isnan(kept[TEST])) kept[TEST] = last;
    }
    for (uint32_t i = 0; i < t->n_kept; i++)
        NI_TRY(NI_PUSH(t->context, &t->numbers, kept[i]));
    return NI_PUSH(t->context, &t->lines, line);
}

static nas_status read_table(ni_table *t) {
    NI_TRY(ni_csv_open(&t->file, t->context, t->o.path));
    NI_TRY(read_header(t));
    size_t columns = t->file.cells.n;
    for (;;) {
        nas_status status = ni_csv_next(&t->file);
        if (status == NAS_DONE) break;
        NI_TRY(status);
        NI_TRY(read_line(t, columns));
    }
    if (t->lines.n) return NAS_OK;
    return ni_fail(t->context, NAS_E_SYNTAX, "%s: the table has a header alone", t->o.path);
}

static void summarise(ni_table *t) {
    nas_table_info *info = &t->info;
    size_t best = 0;
    info->rows = t->lines.n;
    info->best_test = -INFINITY;
    for (size_t i = 0; i < t->lines.n; i++) {
        const double *kept = &t->numbers.items[i * t->n_kept];
        info->mean_accuracy += kept[ACCURACY] / (double)t->lines.n;
        info->mean_test += kept[TEST] / (double)t->lines.n;
        if (kept[ACCURACY] > t->numbers.items[best * t->n_kept + ACCURACY]) best = i;
        if (kept[TEST] > info->best_test) info->best_test = kept[TEST];
    }
    info->best_accuracy = t->numbers.items[best * t->n_kept + ACCURACY];
    info->test_of_best = t->numbers.items[best * t->n_kept + TEST];
    info->epochs = (uint32_t)t->curve.n;
}

/* ---- the space
 * --------------------------------------------------------------------------------------------- */

static nas_status arch_of_line(const ni_table *t, const nas_space *space, size_t i,
                               nas_arch **out) {
    char where[32];
    const ni_line *line = &t->lines.items[i];
    nas_status status =
        t->arch == NONE ? nas_space_at(space, i, out) : nas_arch_parse(out, space, line->arch);
    if (status >= 0) return NAS_OK;
    snprintf(where, sizeof where, ":%llu", (unsigned long long)line->line);
    ni_text prefix;
    ni_text_init(&prefix, t->context);
    ni_text_add(&prefix, t->o.path);
    ni_text_add(&prefix, where);
    status = ni_fail_prefix(t->context, status, ni_text_get(&prefix));
    ni_text_free(&prefix);
    return status;
}

/* Names the first architecture of the space that no line has. */
static nas_status find_missing(const ni_table *t, const nas_space *space, const ni_map *map) {
    uint64_t count, missing = 0;
    ni_text first;
    nas_status status = nas_space_count(space, &count, NULL, 0);
    if (status == NAS_E_LIMIT || (status >= 0 && count > most_listed)) return NAS_OK;
    NI_TRY(status);
    if (count <= t->lines.n) return NAS_OK;
    ni_text_init(&first, t->context);
    for (uint64_t i = 0; i < count; i++) {
        nas_arch *arch;
        NI_GOTO(end, nas_space_at(space, i, &arch));
        bool there = ni_map_get(map, nas_arch_hash(arch), NULL) || nas_arch_check(arch) < 0;
        if (!there && missing++ == 0) ni_text_add(&first, nas_arch_text(arch));
        nas_arch_free(arch);
    }
    if (missing)
        status = ni_fail(t->context, NAS_E_NOT_FOUND,
                         "%s: the architecture '%s' is missing (%llu of %llu of space '%s' are); "
                         "missing=infeasible lets them be infeasible",
                         t->o.path, ni_text_get(&first), (unsigned long long)missing,
                         (unsigned long long)count, nas_space_name(space));
end:
    ni_text_free(&first);
    return status;
}

static nas_status fill_map(const ni_table *t, const nas_space *space, ni_map *map) {
    uint64_t count = 0, other;
    nas_status counted = nas_space_count(space, &count, NULL, 0);
    if (t->arch == NONE && (counted < 0 || count != t->lines.n))
        return ni_fail(t->context, NAS_E_INVALID,
                       "%s: arch=# takes line i for architecture i of the space, but there are %zu "
                       "lines and space '%s' has another number",
                       t->o.path, t->lines.n, nas_space_name(space));
    for (size_t i = 0; i < t->lines.n; i++) {
        nas_arch *arch;
        NI_TRY(arch_of_line(t, space, i, &arch));
        uint64_t hash = nas_arch_hash(arch);
        nas_arch_free(arch);
        if (ni_map_get(map, hash, &other))
            return ni_fail(t->context, NAS_E_EXISTS,
                           "%s:%llu: the architecture of line %llu comes again", t->o.path,
                           (unsigned long long)t->lines.items[i].line,
                           (unsigned long long)t->lines.items[other].line);
        NI_TRY(ni_map_put(map, hash, i));
    }
    return t->o.missing ? NAS_OK : find_missing(t, space, map);
}

static nas_status table_prepare(void *self, const nas_space *space, nas_dataset *data) {
    ni_table *t = self;
    ni_map *map;
    (void)data;
    if (t->by_arch && t->space_hash == nas_space_hash(space)) return NAS_OK;
    NI_TRY(ni_map_create(&map, t->context));
    nas_status status = fill_map(t, space, map);
    if (status < 0) {
        ni_map_free(map);
        return status;
    }
    ni_map_free(t->by_arch);
    t->by_arch = map;
    t->space_hash = nas_space_hash(space);
    return NAS_OK;
}

/* ---- answers
 * ------------------------------------------------------------------------------------------------
 */

static nas_status add_noise(const ni_table *t, const nas_proposal *asked, double *accuracy) {
    nas_random *random;
    if (!(t->o.noise > 0)) return NAS_OK;
    NI_TRY(nas_proposal_random(asked, "table.noise", &random));
    *accuracy += t->o.noise * nas_random_normal(random);
    nas_random_free(random);
    return NAS_OK;
}

/* Along the curve to the epoch asked for; a curve that ended earlier stays where it ended. */
static nas_status follow_curve(const ni_table *t, const nas_proposal *asked, const ni_line *line,
                               nas_reporter *progress, nas_result_builder *out, double *accuracy,
                               double *epochs) {
    double whole = (double)t->curve.n, wanted = nas_proposal_fidelity(asked, "epochs", whole);
    if (!(wanted >= 1)) wanted = 1;
    *epochs = floor(wanted < whole ? wanted : whole);
    uint32_t n = (uint32_t)*epochs;
    for (uint32_t e = 0; e < n; e++) {
        uint32_t at = e < line->n_points ? e : line->n_points - 1;
        *accuracy = t->points.items[line->curve + at];
        NI_TRY(nas_result_add_point(out, "accuracy", e + 1, *accuracy));
        if (progress == NULL) continue;
        nas_status status = nas_report(progress, e + 1, n, "accuracy", *accuracy);
        if (status == NAS_OK) continue;
        NI_TRY(status);
        *epochs = e + 1;
        return nas_result_set_state(out, NAS_STATE_STOPPED);
    }
    return NAS_OK;
}

static nas_status table_evaluate(void *self, const nas_proposal *asked, nas_reporter *progress,
                                 nas_result_builder *out) {
    const ni_table *t = self;
    const nas_arch *arch = nas_proposal_arch(asked);
    uint64_t at;
    if (arch == NULL)
        return ni_fail(t->context, NAS_E_UNSUPPORTED,
                       "evaluator 'table' knows whole networks: the proposal is a relaxed one");
    if (t->by_arch == NULL)
        return ni_fail(t->context, NAS_E_STATE, "evaluator 'table' was not prepared");
    if (!ni_map_get(t->by_arch, nas_arch_hash(arch), &at)) {
        nas_status status = ni_fail(t->context, NAS_E_NOT_FOUND, "%s has no line for '%s'",
                                    t->o.path, nas_arch_text(arch));
        return t->o.missing
                   ? nas_result_set_infeasible(out, NAS_REASON_OTHER, nas_context_error(t->context))
                   : status;
    }
    const double *kept = &t->numbers.items[at * t->n_kept];
    double accuracy = kept[ACCURACY], epochs = 0, seconds = kept[SECONDS];
    if (t->curve.n) {
        NI_TRY(follow_curve(t, asked, &t->lines.items[at], progress, out, &accuracy, &epochs));
        if (isnan(seconds))
            seconds = 1;
        else
            seconds /= (double)t->curve.n;
        /* What a trial that continues another one pays again is nothing. */
        int32_t how;
        (void)nas_proposal_from(asked, &how);
        double paid = 0;
        const void *before;
        size_t n_before;
        NI_TRY(nas_report_from(progress, &before, &n_before));
        if (how == NAS_FROM_CONTINUE && n_before == sizeof paid) memcpy(&paid, before, sizeof paid);
        seconds *= epochs > paid ? epochs - paid : 0;
        NI_TRY(nas_result_set(out, "epochs", epochs));
        if (nas_report_keep_due(progress, 1))
            NI_TRY(nas_report_keep(progress, &epochs, sizeof epochs));
    }
    NI_TRY(add_noise(t, asked, &accuracy));
    NI_TRY(nas_result_set(out, "accuracy", accuracy));
    if (!isnan(kept[TEST])) NI_TRY(nas_result_set(out, "test_accuracy", kept[TEST]));
    if (!isnan(seconds)) NI_TRY(nas_result_set(out, "seconds", seconds));
    for (uint32_t i = 0; i < t->n_extras; i++)
        NI_TRY(nas_result_set(out, t->extras[i].name, kept[EXTRAS + i]));
    return NAS_OK;
}

static void table_destroy(void *self) {
    ni_table *t = self;
    nas_context *context = t->context;
    ni_csv_close(&t->file);
    ni_map_free(t->by_arch);
    NI_ARRAY_FREE(context, &t->lines);
    NI_ARRAY_FREE(context, &t->numbers);
    NI_ARRAY_FREE(context, &t->points);
    NI_ARRAY_FREE(context, &t->curve);
    for (size_t i = 0; i < NI_COUNT(t->texts); i++)
        ni_free(context, t->texts[i]);
    ni_free(context, t);
}

/* ---- making one
 * ---------------------------------------------------------------------------------------------------
 */

void nas_table_options_init(nas_table_options *options) {
    *options = (nas_table_options)NAS_TABLE_OPTIONS_INIT;
}

static nas_status copy_texts(ni_table *t) {
    const char **texts[] = {&t->o.path, &t->o.arch,    &t->o.accuracy,
                            &t->o.test, &t->o.seconds, &t->o.metrics};
    for (size_t i = 0; i < NI_COUNT(texts); i++) {
        if (*texts[i] == NULL) continue;
        t->texts[i] = ni_strdup(t->context, *texts[i]);
        if (t->texts[i] == NULL) return NAS_E_MEMORY;
        *texts[i] = t->texts[i];
    }
    return NAS_OK;
}

/* What tells two tables apart, for a resume: where the file lies does not. */
static nas_status identity(const ni_table *t, ni_text *text) {
    uint64_t hash = ni_hash(t->numbers.items, t->numbers.n * sizeof(double));
    hash = ni_hash_seeded(t->points.items, t->points.n * sizeof(double), hash);
    ni_text_f(text, "lines=%zu hash=%016llx noise=", t->lines.n, (unsigned long long)hash);
    ni_text_f64(text, t->o.noise);
    ni_text_add(text, t->o.missing ? " missing=infeasible" : "");
    return text->status;
}

static const nas_evaluator_ops table_ops = {
    .struct_size = sizeof(nas_evaluator_ops),
    .flags = NAS_EVALUATOR_CONCURRENT | NAS_EVALUATOR_STATELESS | NAS_EVALUATOR_CONTINUES,
    .prepare = table_prepare,
    .evaluate = table_evaluate,
    .destroy = table_destroy,
};

nas_status nas_evaluator_table(nas_evaluator **out, nas_context *context,
                               const nas_table_options *given) {
    nas_table_options options = NAS_TABLE_OPTIONS_INIT;
    ni_text text;
    NI_TRY(ni_enter(context));
    NI_TRY(
        ni_options(context, &options, sizeof options, sizeof options, given, "nas_table_options"));
    if (options.path == NULL || options.path[0] == 0)
        return ni_fail(context, NAS_E_INVALID, "evaluator 'table': setting path names its file");
    if (options.arch == NULL || options.arch[0] == 0) options.arch = "arch";
    if (!isfinite(options.scale) || options.scale == 0 || !(options.noise >= 0) ||
        !isfinite(options.noise))
        return ni_fail(context, NAS_E_INVALID,
                       "evaluator 'table': scale must be finite and not 0, noise 0 or more");
    if (options.missing != 0 && options.missing != 1)
        return ni_fail(context, NAS_E_INVALID, "evaluator 'table': missing is %d, must be 0 or 1",
                       options.missing);
    ni_table *t = ni_calloc(context, 1, sizeof *t);
    if (t == NULL) return NAS_E_MEMORY;
    t->context = context;
    t->o = options;
    ni_text_init(&text, context);
    nas_status status = copy_texts(t);
    if (status >= 0) status = read_table(t);
    if (status >= 0) {
        t->o.curve = NULL; /* read: not kept */
        summarise(t);
        status = identity(t, &text);
    }
    if (status >= 0)
        status = ni_evaluator_make(out, context, "table", &table_ops, t, ni_text_get(&text));
    ni_text_free(&text);
    if (status < 0) table_destroy(t);
    return status;
}

nas_status nas_evaluator_table_info(const nas_evaluator *evaluator, nas_table_info *out) {
    nas_context *context = ni_evaluator_context(evaluator);
    NI_TRY(ni_enter(context));
    const ni_table *t = ni_evaluator_self(evaluator, table_evaluate);
    if (t == NULL)
        return ni_fail(context, NAS_E_INVALID, "evaluator \"%s\" is not a table",
                       nas_evaluator_name(evaluator));
    return ni_answer(context, out, &t->info, sizeof t->info, sizeof t->info, "nas_table_info");
}

/* ---- by name
 * -------------------------------------------------------------------------------------------------------
 */

const char ni_table_settings[] =
    "path = table.csv: the file, with a line of column names\n"
    "arch = arch: column of the architectures; #: line i is architecture i of the space\n"
    "accuracy = : column of the validation accuracy, or several joined by +: their mean\n"
    "test = : the same, for the test accuracy\n"
    "seconds = : column of what an evaluation costs, for simulated time\n"
    "metrics = : further columns that become metrics, joined by commas\n"
    "curve = : what names of a learning curve's columns begin with, acc_: acc_1, acc_2, ...\n"
    "scale = 1: accuracies are multiplied by it; 0.01 for percent\n"
    "noise = 0: standard deviation of noise added to the validation accuracy\n"
    "missing = error: an architecture that has no line; or infeasible\n";

nas_status ni_table_named(nas_evaluator **out, nas_context *context, const char *const *settings,
                          size_t n_settings) {
    static const char *const on_missing[] = {"error", "infeasible", NULL};
    static const ni_option_row rows[] = {
        {.name = "path", .kind = NI_OPTION_TEXT, .offset = offsetof(nas_table_options, path)},
        {.name = "arch", .kind = NI_OPTION_TEXT, .offset = offsetof(nas_table_options, arch)},
        {.name = "accuracy",
         .kind = NI_OPTION_TEXT,
         .offset = offsetof(nas_table_options, accuracy)},
        {.name = "test", .kind = NI_OPTION_TEXT, .offset = offsetof(nas_table_options, test)},
        {.name = "seconds", .kind = NI_OPTION_TEXT, .offset = offsetof(nas_table_options, seconds)},
        {.name = "metrics", .kind = NI_OPTION_TEXT, .offset = offsetof(nas_table_options, metrics)},
        {.name = "curve", .kind = NI_OPTION_TEXT, .offset = offsetof(nas_table_options, curve)},
        {.name = "scale", .kind = NI_OPTION_F64, .offset = offsetof(nas_table_options, scale)},
        {.name = "noise", .kind = NI_OPTION_F64, .offset = offsetof(nas_table_options, noise)},
        {.name = "missing",
         .kind = NI_OPTION_I32,
         .offset = offsetof(nas_table_options, missing),
         .names = on_missing}};
    nas_table_options o = NAS_TABLE_OPTIONS_INIT;
    for (size_t i = 0; i < n_settings; i++)
        NI_TRY(ni_option_set(context, "evaluator 'table'", rows, NI_COUNT(rows), &o, settings[i]));
    return nas_evaluator_table(out, context, &o);
}
