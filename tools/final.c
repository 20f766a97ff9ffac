/* A whole training: that of a search's best, or of "nas train". Progress after each epoch; the
 * weights in a file; measured on the test images. Where there is a store, a checkpoint goes into it
 * after each epoch, so that it survives Ctrl-C and kill -9; at its end the store has
 *
 *   blob "final"           what it was that was trained, the curve, the newest checkpoint
 *   fact "final.curve"     lines "epoch loss seconds"
 *   facts "final.epochs", "final.seconds", "final.params", "final.train_loss",
 * "final.test_accuracy", "final.test_loss", "final.test_images" fact "final.settings"  what it was
 * that was trained; the last of all to be written
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "nas.h"

enum { FORMAT = 1 };

typedef struct {
    const tool_training *t;
    char *curve; /* as in the fact */
    size_t n_curve;
    double before;  /* seconds of earlier runs */
    double started; /* this run */
    double epochs, seconds, train_loss;
    double epoch_began, epoch_took, next_news;
    void *kept; /* of an earlier run */
    size_t n_kept;
} progress;

/* ---- the checkpoint in the store
 * ----------------------------------------------------------------------------- */

static char *text_of(const void *bytes, size_t n) {
    char *text = malloc(n + 1);
    if (!text) return NULL;
    memcpy(text, bytes, n);
    text[n] = 0;
    return text;
}

/* What an earlier run of this very training left; one of another training is as good as none. */
static nas_status read_blob(progress *p, nas_reader *from) {
    uint64_t format;
    const void *identity, *curve, *kept;
    size_t n_identity, n_curve, n_kept;
    double epochs, seconds, train_loss;
    nas_status status = nas_read_u64(from, &format);
    if (status >= 0 && format != FORMAT) return NAS_OK;
    if (status >= 0) status = nas_read_bytes(from, &identity, &n_identity);
    if (status >= 0 &&
        (n_identity != strlen(p->t->identity) || memcmp(identity, p->t->identity, n_identity) != 0))
        return NAS_OK;
    if (status >= 0) status = nas_read_bytes(from, &curve, &n_curve);
    if (status >= 0) status = nas_read_f64(from, &epochs);
    if (status >= 0) status = nas_read_f64(from, &seconds);
    if (status >= 0) status = nas_read_f64(from, &train_loss);
    if (status >= 0) status = nas_read_bytes(from, &kept, &n_kept);
    if (status < 0) return status;
    p->curve = text_of(curve, n_curve);
    p->n_curve = n_curve;
    p->kept = text_of(kept, n_kept);
    p->n_kept = n_kept;
    p->epochs = epochs;
    p->before = p->seconds = seconds;
    p->train_loss = train_loss;
    return p->curve && p->kept ? NAS_OK : NAS_E_MEMORY;
}

static nas_status load(progress *p) {
    const void *bytes;
    size_t n;
    nas_reader *reader;
    if (!p->t->store) return NAS_OK;
    nas_status status = nas_store_get_blob(p->t->store, "final", &bytes, &n);
    if (status == NAS_E_NOT_FOUND) return NAS_OK;
    if (status >= 0) status = nas_reader_create(&reader, p->t->context, bytes, n);
    if (status < 0) return status;
    status = read_blob(p, reader);
    nas_reader_free(reader);
    return status;
}

static nas_status keep(void *user, const nas_train_progress *now, const void *bytes, size_t n) {
    progress *p = user;
    nas_writer *to;
    size_t all;
    bool whole = now->step >= now->steps || now->epoch == floor(now->epoch);
    if (!p->t->store || (tool_interrupted && !whole)) return NAS_OK;
    char line[160];
    double seconds = p->before + now->seconds;
    snprintf(line, sizeof line, "%.10g %.10g %.3f\n", now->epoch, now->train_loss, seconds);
    char *curve = realloc(p->curve, p->n_curve + strlen(line) + 1);
    if (!curve) return nas_context_fail(p->t->context, NAS_E_MEMORY, "out of memory");
    p->curve = curve;
    memcpy(curve + p->n_curve, line, strlen(line) + 1);
    p->n_curve += strlen(line);
    nas_status status = nas_writer_create(&to, p->t->context);
    if (status < 0) return status;
    status = nas_write_u64(to, FORMAT);
    if (status >= 0) status = nas_write_bytes(to, p->t->identity, strlen(p->t->identity));
    if (status >= 0) status = nas_write_bytes(to, p->curve, p->n_curve);
    if (status >= 0) status = nas_write_f64(to, now->epoch);
    if (status >= 0) status = nas_write_f64(to, seconds);
    if (status >= 0) status = nas_write_f64(to, now->train_loss);
    if (status >= 0) status = nas_write_bytes(to, bytes, n);
    const void *blob = nas_writer_data(to, &all);
    if (status >= 0) status = nas_store_put_blob(p->t->store, "final", blob, all);
    nas_writer_free(to);
    return status;
}

static nas_status fact(const tool_training *t, const char *key, double value, int digits) {
    char text[64];
    tool_number(value, digits, text, sizeof text);
    return nas_store_set_fact(t->store, key, text);
}

static nas_status put_facts(const progress *p, const tool_trained *out) {
    const tool_training *t = p->t;
    if (!t->store) return NAS_OK;
    nas_status status = nas_store_set_fact(t->store, "final.curve", p->curve ? p->curve : "");
    if (status >= 0) status = fact(t, "final.epochs", out->epochs, 6);
    if (status >= 0) status = fact(t, "final.seconds", out->seconds, 3);
    if (status >= 0) status = fact(t, "final.train_loss", out->train_loss, 6);
    if (status >= 0) status = fact(t, "final.params", (double)out->cost.params, 0);
    if (status >= 0) status = fact(t, "final.test_images", (double)out->n_test, 0);
    if (status >= 0 && out->n_test) status = fact(t, "final.test_loss", out->test_loss, 6);
    if (status >= 0 && out->n_test) status = fact(t, "final.test_accuracy", out->test_accuracy, 6);
    if (status >= 0) status = nas_store_set_fact(t->store, "final.settings", t->identity);
    return status;
}

static double fact_number(nas_store *store, const char *key, double otherwise) {
    const char *text;
    double value;
    return nas_store_fact(store, key, &text) >= 0 && tool_parse_real(text, &value) ? value
                                                                                   : otherwise;
}

/* All is there already: the facts of this very training, and its weights. */
static bool was_there(const tool_training *t, tool_trained *out) {
    const char *settings;
    if (!t->store || nas_store_fact(t->store, "final.settings", &settings) < 0 ||
        strcmp(settings, t->identity) != 0 || access(t->weights, R_OK) != 0)
        return false;
    out->epochs = fact_number(t->store, "final.epochs", NAN);
    out->seconds = fact_number(t->store, "final.seconds", NAN);
    out->train_loss = fact_number(t->store, "final.train_loss", NAN);
    out->n_test = (int64_t)fact_number(t->store, "final.test_images", 0);
    out->test_accuracy = out->n_test ? fact_number(t->store, "final.test_accuracy", NAN) : NAN;
    out->test_loss = out->n_test ? fact_number(t->store, "final.test_loss", NAN) : NAN;
    out->was_there = true;
    return true;
}

/* ---- while it runs
 * ------------------------------------------------------------------------------------------- */

static nas_status epoch_ended(void *user, const nas_train_progress *now) {
    progress *p = user;
    char text[200], rest[40] = "", duration[32], number[24];
    double clock = tool_clock();
    p->epochs = now->epoch;
    p->seconds = p->before + now->seconds;
    p->train_loss = now->train_loss;
    double part = now->epoch - floor(now->epoch);
    p->epoch_took = (clock - p->epoch_began) / (part > 0 ? part : 1);
    p->epoch_began = clock;
    if (now->step < now->steps) {
        tool_duration((now->epochs - now->epoch) * p->epoch_took, duration, sizeof duration);
        snprintf(rest, sizeof rest, ", %s left", duration);
    }
    tool_number(now->train_loss, 4, number, sizeof number);
    tool_duration(p->seconds, duration, sizeof duration);
    snprintf(text, sizeof text, "%s: epoch %.4g/%.4g  loss %s  %s%s", p->t->title, now->epoch,
             now->epochs, number, duration, rest);
    tool_line(p->t->lines, true, text);
    return tool_interrupted ? NAS_STOP : NAS_OK;
}

/* Ten times a second: the terminal's line each second. */
static nas_status keep_going(void *user) {
    progress *p = user;
    double clock = tool_clock();
    if (tool_interrupted) return NAS_STOP;
    if (!p->t->lines->terminal || clock < p->next_news) return NAS_OK;
    char text[160], spent[32], left[48] = "";
    p->next_news = clock + 1;
    tool_duration(p->before + clock - p->started, spent, sizeof spent);
    double rest = (p->t->options->epochs - p->epochs) * p->epoch_took - (clock - p->epoch_began);
    if (p->epoch_took > 0 && rest > 0) {
        char duration[32];
        tool_duration(rest, duration, sizeof duration);
        snprintf(left, sizeof left, ", %s left", duration);
    }
    snprintf(text, sizeof text, "%s: epoch %.4g done, %.4g to do  %s%s", p->t->title, p->epochs,
             p->t->options->epochs - p->epochs, spent, left);
    tool_line(p->t->lines, false, text);
    return NAS_OK;
}

/* ---- the whole of it
 * ----------------------------------------------------------------------------------------- */

static nas_status measure(const progress *p, nas_model *model, tool_trained *out) {
    const tool_training *t = p->t;
    nas_dataset_info info = {.struct_size = sizeof info};
    nas_metrics test = {.struct_size = sizeof test};
    out->epochs = p->epochs;
    out->seconds = p->seconds;
    out->train_loss = p->train_loss;
    nas_status status = nas_model_save(model, t->weights);
    if (status >= 0) status = nas_dataset_describe(t->data, &info);
    if (status >= 0 && info.n_test) {
        status = nas_model_evaluate(model, t->data, NAS_SPLIT_TEST, &test);
        out->test_accuracy = test.accuracy;
        out->test_loss = test.loss;
        out->n_test = test.n;
    }
    return status;
}

static nas_status train(progress *p, tool_trained *out) {
    const tool_training *t = p->t;
    nas_train_options o = *t->options;
    nas_train_hooks hooks = NAS_TRAIN_HOOKS_INIT;
    nas_model *model = NULL;
    hooks.user = p;
    hooks.epoch_ended = epoch_ended;
    hooks.keep_going = keep_going;
    hooks.keep = t->store ? keep : NULL;
    hooks.kept = p->kept;
    hooks.n_kept = p->n_kept;
    /* what earlier runs took counts */
    if (o.max_seconds > 0)
        o.max_seconds =
            o.max_seconds > (int64_t)p->before + 1 ? o.max_seconds - (int64_t)p->before : 1;
    if (p->kept) {
        char text[120];
        snprintf(text, sizeof text, "%s: goes on after epoch %.4g", t->title, p->epochs);
        tool_line(t->lines, true, text);
    }
    p->started = p->epoch_began = p->next_news = tool_clock();
    nas_status status = nas_model_create(&model, t->arch, o.seed);
    if (status >= 0) status = nas_model_train_with(model, t->data, &o, &hooks);
    tool_lines_clear(t->lines);
    out->interrupted = status == NAS_STOP && tool_interrupted;
    if (status >= 0 && !out->interrupted) status = measure(p, model, out);
    if (status >= 0 && !out->interrupted) status = put_facts(p, out);
    nas_model_free(model);
    return status;
}

int tool_train(const tool_training *t, tool_trained *out) {
    progress p;
    memset(&p, 0, sizeof p);
    memset(out, 0, sizeof *out);
    p.t = t;
    p.train_loss = out->train_loss = out->test_accuracy = out->test_loss = NAN;
    out->cost.struct_size = sizeof out->cost;
    nas_status status = nas_arch_costs(t->arch, &out->cost);
    if (status >= 0 && !was_there(t, out)) {
        status = load(&p);
        if (status >= 0) status = train(&p, out);
    }
    free(p.curve);
    free(p.kept);
    if (status == NAS_E_MEMORY && !*nas_context_error(t->context)) return tool_memory();
    return status < 0 ? tool_failed(t->context) : 0;
}

void tool_trained_say(const tool_trained *r) {
    char number[32], duration[32];
    if (isfinite(r->seconds)) {
        tool_duration(r->seconds, duration, sizeof duration);
        printf("%s; ", duration);
    }
    if (r->n_test) {
        tool_number(100 * r->test_accuracy, 2, number, sizeof number);
        printf("test accuracy %s %% on %" PRId64 " images that it never saw; ", number, r->n_test);
    }
    printf("%" PRId64 " parameters, %" PRId64 " multiply-accumulates an image\n", r->cost.params,
           r->cost.macs);
}

void tool_trained_json(FILE *to, const tool_trained *r, const char *weights) {
    const struct {
        const char *name;
        double value;
    } all[] = {{"epochs", r->epochs},
               {"seconds", r->seconds},
               {"train_loss", r->train_loss},
               {"test_accuracy", r->test_accuracy},
               {"test_loss", r->test_loss},
               {"test_images", (double)r->n_test},
               {"params", (double)r->cost.params},
               {"macs", (double)r->cost.macs}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fprintf(to, "%s\"%s\": ", i ? ", " : "", all[i].name);
        tool_json_number(to, all[i].value);
    }
    fputs(", \"weights\": ", to);
    tool_json(to, weights);
}
