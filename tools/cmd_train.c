/* nas train: one architecture, trained and measured on the test images. */
#include <stdlib.h>
#include <string.h>
#include "nas.h"

enum { SET = 1, DATA, SEED, EPOCHS, THREADS, TUNING };

typedef struct {
    char **settings, **data_settings;
    size_t n_settings, n_data_settings;
    char *data, *tuning;
    uint64_t seed, threads;
} wish;

static int take(void *user, int option, const char *text) {
    wish *w = user;
    char setting[256];
    switch (option) {
    case DATA:
        free(w->data);
        return (w->data = tool_copy(text)) ? 0 : tool_memory();
    case TUNING:
        free(w->tuning);
        return (w->tuning = tool_copy(text)) ? 0 : tool_memory();
    case SEED:
        return tool_option_whole("--seed", text, INT64_MAX, &w->seed);
    case THREADS:
        return tool_option_whole("--threads", text, 4096, &w->threads);
    case EPOCHS:
        snprintf(setting, sizeof setting, "epochs=%s", text);
        return tool_list_add(&w->settings, &w->n_settings, setting) ? 0 : tool_memory();
    default:
        /* "data.KEY=VALUE" is the data's; the rest is the training's, as in a search file's final
         */
        if (strncmp(text, "data.", 5) == 0)
            return tool_list_add(&w->data_settings, &w->n_data_settings, text + 5) ? 0
                                                                                   : tool_memory();
        if (strncmp(text, "final.", 6) == 0) text += 6;
        return tool_list_add(&w->settings, &w->n_settings, text) ? 0 : tool_memory();
    }
}

static int train(nas_context *context, const wish *w, const tool_request *r, const char *weights) {
    nas_space *space = NULL;
    nas_arch *arch = NULL;
    nas_dataset *data = NULL;
    nas_tuning *tuning = NULL;
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    nas_dataset_options d = NAS_DATASET_OPTIONS_INIT;
    nas_status status = NAS_OK;
    tool_lines lines;
    tool_trained trained;
    tool_lines_begin(&lines, r->quiet || r->json);
    o.seed = w->seed;
    o.use_validation = 1;
    o.validate = 0;
    int code = tool_tuning(&tuning, context, w->tuning);
    o.tuning = tuning;
    if (!code) code = tool_train_options(&o, context, w->settings, w->n_settings);
    if (!code) code = tool_space(&space, context, r->words[0], r->parameters, r->n_parameters);
    if (!code) status = nas_arch_parse(&arch, space, r->words[1]);
    for (size_t i = 0; !code && status >= 0 && i < w->n_data_settings; i++)
        status = nas_dataset_options_set(context, &d, w->data_settings[i]);
    if (!code && status >= 0)
        status = nas_dataset_open(&data, context, w->data ? w->data : "fashion-mnist", &d);
    if (!code && status < 0) code = tool_failed(context);
    tool_training t = {context, arch, data, &o, weights, "training", NULL, "", &lines};
    if (!code) code = tool_train(&t, &trained);
    if (!code && trained.interrupted) {
        code = tool_error("interrupted; nothing was saved");
    } else if (!code && r->json) {
        fputs("{\"arch\": ", stdout);
        tool_json(stdout, nas_arch_text(arch));
        fputs(", ", stdout);
        tool_trained_json(stdout, &trained, weights);
        puts("}");
    } else if (!code) {
        fputs("trained: ", stdout);
        tool_trained_say(&trained);
        if (!lines.quiet) printf("%s  the trained weights, for PyTorch too\n", weights);
    }
    nas_tuning_free(tuning);
    nas_dataset_free(data);
    nas_arch_free(arch);
    nas_space_free(space);
    return code;
}

int cmd_train(int argc, const char **argv) {
    static const struct poptOption options[] = {
        {"data", 0, POPT_ARG_STRING, NULL, DATA, "a name, or a folder; fashion-mnist", "NAME"},
        {"set", 's', POPT_ARG_STRING, NULL, SET, "one setting of the training, or data.KEY",
         "KEY=VALUE"},
        {"epochs", 0, POPT_ARG_STRING, NULL, EPOCHS, "passes over the images; 12", "N"},
        {"seed", 0, POPT_ARG_STRING, NULL, SEED, "of weights and shuffling; 0", "N"},
        {"threads", 0, POPT_ARG_STRING, NULL, THREADS, "of the library; 0: as many as processors",
         "N"},
        {"tuning", 0, POPT_ARG_STRING, NULL, TUNING, "a table of nas tune", "FILE"},
        POPT_TABLEEND};
    static const tool_command about = {
        "train",
        "SPACE ARCH",
        "Trains an architecture of a space on the training and validation images together, saves "
        "its\n"
        "weights and measures it on the test images. Settings are those of a search file's final.",
        "file for the weights; trained.safetensors",
        TAKES_OUTPUT | TAKES_JSON | TAKES_QUIET | TAKES_PARAM,
        2,
        2,
        options,
        take};
    wish w;
    tool_request r;
    int code;
    memset(&w, 0, sizeof w);
    if (tool_read(&r, &about, &w, argc, argv, &code)) {
        tool_signals(NULL);
        nas_context *context = tool_context((unsigned)w.threads);
        code = context ? train(context, &w, &r, r.output ? r.output : "trained.safetensors")
                       : EXIT_FAILED;
        nas_context_free(context);
        tool_request_free(&r);
    }
    tool_list_free(w.settings, w.n_settings);
    tool_list_free(w.data_settings, w.n_data_settings);
    free(w.data);
    free(w.tuning);
    return code;
}
