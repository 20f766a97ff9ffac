/* The lines of a search while it runs: each trial, the best so far, the time that is left, with the
 * final training that comes after. */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "nas.h"

typedef struct {
    uint64_t trial;
    double began, part; /* part: of its epochs, as it reported */
} flying;

struct tool_progress {
    const tool_parts *parts;
    const nas_search_options *options;
    tool_lines *lines;
    nas_search *search;
    nas_store *store;
    pthread_mutex_t mutex; /* the search may ask whether to stop from any of its threads */
    char best_text[40];
    double best, started, next_tick;
    uint64_t best_trial;
    nas_search_progress before;      /* as this run found it */
    flying *in_flight;               /* up to window */
    uint32_t n_in_flight, n_workers; /* of those in flight the first n_workers are being trained */
    /* Of this run's trials together: */
    uint64_t n_trials;
    double trial_seconds, work; /* work: images that they trained on times MACs */
};

/* ---- how long it will take
 * ------------------------------------------------------------------------------------------ */

/* Images that a training sees; measuring an image costs a third of training on it. */
static double images_seen(const tool_progress *p, const nas_train_options *o, double epochs) {
    nas_dataset_info d = {.struct_size = sizeof d};
    if (!p->parts->data || nas_dataset_describe(p->parts->data, &d) < 0) return 0;
    double train = (double)(d.n_train + (o->use_validation ? d.n_validation : 0));
    double measured = o->use_validation ? 0 : (double)d.n_validation;
    measured *= o->validate == 1 ? ceil(epochs) : o->validate == 2 ? 1 : 0;
    return epochs * o->data_fraction * train + measured / 3;
}

/* Of the final training of the best so far, at the speed at which this run's trials trained. */
static double final_seconds(const tool_progress *p, double speed) {
    double macs;
    if (!(speed > 0) || nas_store_metric(p->store, p->best_trial, "macs", &macs) < 0) return 0;
    const nas_train_options *o = &p->parts->final;
    double seconds = images_seen(p, o, o->epochs) * macs / speed;
    return o->max_seconds > 0 && seconds > (double)o->max_seconds ? (double)o->max_seconds
                                                                  : seconds;
}

static double least(double a, double limit, double done, double rate) {
    if (!(limit > 0)) return a;
    double left = limit > done ? (limit - done) / rate : 0;
    return left < a ? left : a;
}

/* ", 85 s left", or nothing where it cannot be told: no trial has finished, no budget ends it. */
static void left(const tool_progress *p, char *buffer, size_t capacity) {
    nas_search_progress at = {.struct_size = sizeof at};
    char text[32];
    double now = tool_clock(), spent = now - p->started;
    buffer[0] = 0;
    if (p->n_trials == 0 || spent <= 0 || nas_search_state(p->search, &at) < 0) return;
    /* What runs counts by its epochs, or by the time that a trial took so far. */
    double mean = p->trial_seconds / (double)p->n_trials, parts = 0;
    for (uint32_t i = 0; i < p->n_in_flight && i < p->n_workers; i++) {
        double part = mean > 0 ? (now - p->in_flight[i].began) / mean : 0;
        if (part > 0.95) part = 0.95;
        parts += p->in_flight[i].part > part ? p->in_flight[i].part : part;
    }
    double done = (double)at.trials + parts, rate = ((double)p->n_trials + parts) / spent;
    double share = (double)(at.evaluations - p->before.evaluations) / (double)p->n_trials;
    double epochs = (at.epochs - p->before.epochs) / (double)p->n_trials, rest = INFINITY;
    rest = least(rest, (double)p->options->max_trials, done, rate);
    if (share > 0)
        rest =
            least(rest, (double)p->options->max_evaluations, (double)at.evaluations, rate * share);
    if (epochs > 0) rest = least(rest, p->options->max_epochs, at.epochs, rate * epochs);
    rest = least(rest, p->options->max_seconds, at.seconds, 1);
    if (!isfinite(rest)) return;
    double work = p->work * ((double)p->n_trials + parts) / (double)p->n_trials;
    tool_duration(rest + final_seconds(p, work / spent), text, sizeof text);
    snprintf(buffer, capacity, ", %s left", text);
}

/* ---- the search's hooks
 * --------------------------------------------------------------------------------------------- */

/* The terminal's line while trials run. */
static void tick(tool_progress *p) {
    char text[200], rest[48], budget[32] = "";
    nas_search_progress at = {.struct_size = sizeof at};
    if (!p->lines->terminal || !p->search) return;
    left(p, rest, sizeof rest);
    (void)nas_search_state(p->search, &at);
    if (p->options->max_trials)
        snprintf(budget, sizeof budget, "/%" PRIu64, p->options->max_trials);
    snprintf(text, sizeof text, "%" PRIu64 "%s done, %" PRIu32 " running  best %s%s", at.trials,
             budget, p->n_in_flight < p->n_workers ? p->n_in_flight : p->n_workers, p->best_text,
             rest);
    tool_line(p->lines, false, text);
    p->next_tick = tool_clock() + 1;
}

static int32_t on_poll(void *user, nas_search *search) {
    tool_progress *p = user;
    (void)search;
    if (!p->lines->terminal) return 0;
    pthread_mutex_lock(&p->mutex);
    if (tool_clock() >= p->next_tick) tick(p);
    pthread_mutex_unlock(&p->mutex);
    return 0;
}

static nas_status on_start(void *user, nas_search *search, const nas_proposal *proposal) {
    tool_progress *p = user;
    (void)search;
    pthread_mutex_lock(&p->mutex);
    if (p->n_in_flight < p->options->window)
        p->in_flight[p->n_in_flight++] = (flying){nas_proposal_trial(proposal), tool_clock(), 0};
    tick(p);
    pthread_mutex_unlock(&p->mutex);
    return NAS_OK;
}

static flying *find(tool_progress *p, uint64_t trial) {
    for (uint32_t i = 0; i < p->n_in_flight; i++)
        if (p->in_flight[i].trial == trial) return &p->in_flight[i];
    return NULL;
}

/* The next one takes its place. */
static void landed(tool_progress *p, flying *flew) {
    uint32_t at = (uint32_t)(flew - p->in_flight), next = p->n_workers - 1;
    memmove(flew, flew + 1, (--p->n_in_flight - at) * sizeof *flew);
    if (at <= next && next < p->n_in_flight) p->in_flight[next].began = tool_clock();
}

/* A value of the objective's metric. */
static void value_text(const tool_progress *p, double value, char *buffer, size_t capacity) {
    const char *name = p->parts->objectives[0].metric, *tail = strstr(name, "accuracy");
    char number[32];
    if (tail && strcmp(tail, "accuracy") == 0) {
        tool_number(100 * value, 2, number, sizeof number);
        snprintf(buffer, capacity, "%s %%", number);
    } else {
        snprintf(buffer, capacity, "%.20s %.6g", name, value);
    }
}

static nas_status on_trial(void *user, nas_search *search, const nas_trial *trial,
                           const nas_result *result) {
    tool_progress *p = user;
    char text[800], rest[48], now[40] = "infeasible", budget[32] = "";
    double value, macs, epochs = p->parts->trial.epochs;
    (void)search;
    pthread_mutex_lock(&p->mutex);
    flying *flew = find(p, trial->number);
    if (nas_result_metric(result, p->parts->objectives[0].metric, &value) >= 0)
        value_text(p, value, now, sizeof now);
    if (trial->score > p->best) {
        p->best = trial->score;
        p->best_trial = trial->number;
        memcpy(p->best_text, now, sizeof now);
    }
    if (flew) {
        p->n_trials++;
        p->trial_seconds += tool_clock() - flew->began;
        landed(p, flew);
        (void)nas_result_metric(result, "epochs", &epochs);
        if (nas_result_metric(result, "macs", &macs) >= 0)
            p->work += images_seen(p, &p->parts->trial, epochs) * macs;
    }
    nas_search_progress at = {.struct_size = sizeof at};
    (void)nas_search_state(p->search, &at);
    if (p->options->max_trials)
        snprintf(budget, sizeof budget, "/%" PRIu64, p->options->max_trials);
    left(p, rest, sizeof rest);
    snprintf(text, sizeof text,
             "trial %-3" PRIu64 " %s  best %s  %" PRIu64 "%s done%s  %.300s%s%.300s",
             trial->number + 1, now, p->best_text, at.trials, budget, rest, trial->arch,
             *trial->sentence ? "  : " : "", trial->sentence);
    tool_line(p->lines, true, text);
    tick(p);
    pthread_mutex_unlock(&p->mutex);
    return NAS_OK;
}

static nas_status on_epoch(void *user, nas_search *search, const nas_proposal *proposal,
                           double done, double total, const char *metric, double value) {
    tool_progress *p = user;
    (void)search, (void)metric, (void)value;
    pthread_mutex_lock(&p->mutex);
    flying *flew = find(p, nas_proposal_trial(proposal));
    if (flew && total > 0) flew->part = done / total;
    tick(p);
    pthread_mutex_unlock(&p->mutex);
    return NAS_OK;
}

/* ---- for the command
 * ------------------------------------------------------------------------------------------- */

tool_progress *tool_progress_create(const tool_parts *parts, const nas_search_options *options,
                                    tool_lines *lines) {
    tool_progress *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->in_flight = calloc((size_t)options->window + 1, sizeof *p->in_flight);
    if (!p->in_flight || pthread_mutex_init(&p->mutex, NULL) != 0) {
        free(p->in_flight);
        free(p);
        return NULL;
    }
    p->parts = parts;
    p->options = options;
    p->lines = lines;
    p->n_workers = options->workers ? options->workers : nas_context_threads(parts->context);
    if (p->n_workers > options->window) p->n_workers = options->window;
    p->best = -INFINITY;
    snprintf(p->best_text, sizeof p->best_text, "-");
    return p;
}

void tool_progress_free(tool_progress *p) {
    if (!p) return;
    pthread_mutex_destroy(&p->mutex);
    free(p->in_flight);
    free(p);
}

void tool_progress_hooks(tool_progress *p, nas_search_hooks *hooks) {
    memset(hooks, 0, sizeof *hooks);
    hooks->struct_size = sizeof *hooks;
    hooks->user = p;
    hooks->trial_started = on_start;
    hooks->trial_ended = on_trial;
    hooks->epoch_ended = on_epoch;
    hooks->should_stop = on_poll;
}

nas_status tool_progress_begin(tool_progress *p, nas_search *search) {
    nas_trial best = {.struct_size = sizeof best};
    double value;
    p->search = search;
    p->store = nas_search_store(search);
    p->started = tool_clock();
    p->before.struct_size = sizeof p->before;
    nas_status status = nas_search_state(search, &p->before);
    if (status < 0 || p->before.trials == 0) return status;
    char text[80];
    snprintf(text, sizeof text, "the store has %" PRIu64 " trials already", p->before.trials);
    tool_line(p->lines, true, text);
    if (nas_search_best(search, &best) < 0) return NAS_OK;
    p->best = best.score;
    p->best_trial = best.number;
    if (nas_store_metric(p->store, best.number, p->parts->objectives[0].metric, &value) >= 0)
        value_text(p, value, p->best_text, sizeof p->best_text);
    return NAS_OK;
}
