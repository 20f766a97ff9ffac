/* Logits, and nothing else: see nn.h. */
#include "nn.h"

/* Programs are for these numbers of images; what lacks is filled up with zeros. */
static const int64_t sizes[] = {1, 2, 4, 8, 16, 32, 64, 128};

typedef struct {
    nas_graph *graph;
    ni_program *program;
    uint32_t input;
    float *images, *logits; /* where fewer images come */
} sized;

struct ni_predictor {
    nas_context *context;
    ni_net net;
    ni_vars *vars;
    float *values;
    sized sized[NI_COUNT(sizes)];
};

nas_status ni_predictor_create(ni_predictor **out, nas_context *context, const ni_net *net,
                               ni_vars *vars, float *values) {
    ni_predictor *p = ni_calloc(context, 1, sizeof *p);
    if (!p) return NAS_E_MEMORY;
    p->context = context;
    p->net = *net;
    p->vars = vars;
    p->values = values;
    *out = p;
    return NAS_OK;
}

static void free_sized(ni_predictor *p, sized *s) {
    ni_program_free(s->program);
    ni_graph_free(s->graph);
    ni_free(p->context, s->images);
    ni_free(p->context, s->logits);
    memset(s, 0, sizeof *s);
}

void ni_predictor_free(ni_predictor *p) {
    if (!p) return;
    for (size_t i = 0; i < NI_COUNT(sizes); i++)
        free_sized(p, &p->sized[i]);
    ni_free(p->context, p);
}

void ni_predictor_thaw(ni_predictor *p) {
    for (size_t i = 0; p && i < NI_COUNT(sizes); i++)
        if (p->sized[i].program) ni_program_thaw(p->sized[i].program);
}

static size_t image_size(const ni_net *net) {
    return (size_t)(net->height * net->width * net->channels);
}

static nas_status make_sized(ni_predictor *p, sized *s, int64_t n) {
    const ni_plan_options plan = {.frozen = 1};
    ni_node images, logits;
    ni_shape shape = ni_shape4(n, p->net.height, p->net.width, p->net.channels);
    NI_TRY(ni_graph_create(&s->graph, p->context, p->vars, NI_F32, NI_EVAL));
    NI_TRY(ni_input(s->graph, shape, &s->input, &images));
    NI_TRY(p->net.build(p->net.user, s->graph, images, &logits));
    const ni_output output = {logits, NI_NONE};
    NI_TRY(ni_program_create(&s->program, s->graph, &output, 1, &plan));
    if (n == 1) return NAS_OK;
    s->images = ni_calloc(p->context, (size_t)n * image_size(&p->net), sizeof *s->images);
    s->logits = ni_calloc(p->context, (size_t)(n * p->net.classes), sizeof *s->logits);
    return s->images && s->logits ? NAS_OK : NAS_E_MEMORY;
}

static nas_status run_sized(ni_predictor *p, const sized *s, const float *images, float *logits) {
    const void *inputs[] = {images};
    void *outputs[] = {logits};
    const ni_run run = {.inputs = inputs, .values = p->values, .outputs = outputs};
    return ni_program_run(s->program, &run);
}

nas_status ni_predictor_run(ni_predictor *p, const float *images, int64_t n, float *logits) {
    const size_t image = image_size(&p->net), classes = (size_t)p->net.classes;
    size_t at = 0;
    while (n > 0) {
        size_t i = 0;
        while (i + 1 < NI_COUNT(sizes) && sizes[i] < n)
            i++;
        const size_t fill = (size_t)(n < sizes[i] ? n : sizes[i]);
        sized *s = &p->sized[i];
        if (!s->program) {
            nas_status status = make_sized(p, s, sizes[i]);
            if (status < 0) {
                free_sized(p, s);
                return status;
            }
        }
        if ((int64_t)fill == sizes[i]) {
            NI_TRY(run_sized(p, s, images + at * image, logits + at * classes));
        } else {
            memcpy(s->images, images + at * image, fill * image * sizeof *images);
            memset(s->images + fill * image, 0, ((size_t)sizes[i] - fill) * image * sizeof *images);
            NI_TRY(run_sized(p, s, s->images, s->logits));
            memcpy(logits + at * classes, s->logits, fill * classes * sizeof *logits);
        }
        at += fill;
        n -= (int64_t)fill;
    }
    return NAS_OK;
}
