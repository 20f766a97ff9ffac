/* Training steps of an architecture from weights and momentum that another program gives, and back:
 * the library's side of show-training-as-pytorch.
 *
 *   bench-training THREADS BATCH STEPS RATE MOMENTUM DECAY SPACE ARCH [PARAMETER=VALUE ...]
 *
 * SGD with Nesterov momentum, decay of all parameters, half a cosine over STEPS steps. Says each
 * variable (name, 1 if it is trained, its shape in PyTorch's layout), then "ready", and obeys lines
 * from standard input: state FILE      values of all variables, then momentum of the trained ones,
 * are in FILE step INDEX FILE trains step INDEX on the batch in FILE (images N, H, W, C; then
 * labels as int32), and answers with the loss write FILE      values and momentum into FILE Files
 * are float32, tensors in PyTorch's layouts, in the order in which the variables were said. */
#include "evaluator/model.h"
#include "space/space.h"
#include "step.h"

typedef struct {
    nas_context *context;
    ni_trainer *trainer;
    int64_t batch, pixels, steps;
    float *images;
    int32_t *labels;
} side;

static nas_status next_batch(void *user, uint64_t epoch, int64_t index, const float **images,
                             const int32_t **labels, int64_t *fill) {
    side *s = user;
    (void)epoch, (void)index;
    *images = s->images;
    *labels = s->labels;
    *fill = s->batch;
    return NAS_OK;
}

static void read_all(FILE *file, void *to, size_t bytes) {
    if (fread(to, 1, bytes, file) == bytes) return;
    fprintf(stderr, "bench-training: the file is too short\n");
    exit(1);
}

/* The state of the optimizer is the trainer's checkpoint: a version, the step, values, momentum. */
static void get_state(side *s, uint64_t *step, float *values, float *momentum) {
    size_t size = ni_vars_size(ni_trainer_vars(s->trainer)), n;
    nas_writer *writer;
    nas_reader *reader;
    const void *bytes;
    uint64_t version;
    check(s->context, nas_writer_create(&writer, s->context));
    check(s->context, ni_trainer_save(s->trainer, writer));
    const void *all = nas_writer_data(writer, &n);
    check(s->context, nas_reader_create(&reader, s->context, all, n));
    check(s->context, nas_read_u64(reader, &version));
    check(s->context, nas_read_u64(reader, step));
    for (int i = 0; i < 2; i++) {
        check(s->context, nas_read_bytes(reader, &bytes, &n));
        if (n == size * sizeof(float)) memcpy(i ? momentum : values, bytes, n);
    }
    nas_reader_free(reader);
    nas_writer_free(writer);
}

static void set_state(side *s, const float *values, const float *momentum) {
    size_t bytes = ni_vars_size(ni_trainer_vars(s->trainer)) * sizeof(float), n;
    nas_writer *writer;
    nas_reader *reader;
    check(s->context, nas_writer_create(&writer, s->context));
    check(s->context, nas_write_u64(writer, 1));
    check(s->context, nas_write_u64(writer, 0));
    check(s->context, nas_write_bytes(writer, values, bytes));
    check(s->context, nas_write_bytes(writer, momentum, bytes));
    check(s->context, nas_write_bytes(writer, values, 0));
    check(s->context, nas_write_bytes(writer, values, 0));
    const void *all = nas_writer_data(writer, &n);
    check(s->context, nas_reader_create(&reader, s->context, all, n));
    check(s->context, ni_trainer_load(s->trainer, reader));
    nas_reader_free(reader);
    nas_writer_free(writer);
}

static void exchange(side *s, const char *path, bool write) {
    const ni_vars *vars = ni_trainer_vars(s->trainer);
    size_t size = ni_vars_size(vars);
    float *parts[2], *file = ni_alloc(s->context, size * sizeof(float));
    uint64_t step;
    FILE *stream = fopen(path, write ? "wb" : "rb");
    for (int i = 0; i < 2; i++)
        parts[i] = ni_calloc(s->context, size, sizeof(float));
    if (!file || !parts[0] || !parts[1] || !stream) {
        fprintf(stderr, "bench-training: %s cannot be opened\n", path);
        exit(1);
    }
    get_state(s, &step, parts[0], parts[1]);
    for (int part = 0; part < 2; part++)
        for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
            const ni_var *var = ni_vars_get(vars, slot);
            size_t n = (size_t)ni_shape_count(var->shape);
            if (part && var->kind != NI_PARAMETER) continue;
            if (!write) read_all(stream, file, n * sizeof *file);
            ni_model_copy(var, parts[part] + var->offset, file, write);
            if (write) fwrite(file, sizeof *file, n, stream);
        }
    if (!write) set_state(s, parts[0], parts[1]);
    fclose(stream);
    ni_free(s->context, file);
    ni_free(s->context, parts[0]);
    ni_free(s->context, parts[1]);
}

static void one_step(side *s, int64_t index, const char *path) {
    const ni_batches data = {s, s->steps, s->batch, next_batch};
    double loss = 0, correct = 0;
    int64_t images = 0;
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        fprintf(stderr, "bench-training: %s cannot be opened\n", path);
        exit(1);
    }
    read_all(stream, s->images, (size_t)(s->batch * s->pixels) * sizeof *s->images);
    read_all(stream, s->labels, (size_t)s->batch * sizeof *s->labels);
    fclose(stream);
    check(s->context, ni_trainer_run(s->trainer, &data, 0, index, index + 1, (uint64_t)index,
                                     (uint64_t)s->steps, &loss, &correct, &images, NULL, NULL));
    printf("%.9g\n", loss / (double)images);
}

int main(int argc, char **argv) {
    nas_train_options o = NAS_TRAIN_OPTIONS_INIT;
    nas_space *space;
    nas_arch *arch;
    ni_net net;
    ni_arch_net build;
    side s = {0};
    char line[600], path[500];
    long long index;
    if (argc < 9) {
        fprintf(stderr, "usage: bench-training THREADS BATCH STEPS RATE MOMENTUM DECAY SPACE ARCH "
                        "[PARAMETER=VALUE ...]\n");
        return 2;
    }
    s.context = bench_context(argv[1], "best");
    s.batch = atoi(argv[2]);
    s.steps = atoi(argv[3]);
    o.batch = (uint32_t)s.batch;
    o.learning_rate = atof(argv[4]);
    o.momentum = atof(argv[5]);
    o.weight_decay = atof(argv[6]);
    o.decay_all = 1;
    check(s.context, nas_space_open(&space, s.context, argv[7], (const char *const *)argv + 9,
                                    (size_t)(argc - 9)));
    check(s.context, nas_arch_parse(&arch, space, argv[8]));
    check(s.context, ni_arch_network(&net, &build, arch, 0));
    check(s.context, ni_trainer_create(&s.trainer, s.context, &net, &o));
    s.pixels = net.height * net.width * net.channels;
    s.images = ni_alloc(s.context, (size_t)(s.batch * s.pixels) * sizeof *s.images);
    s.labels = ni_alloc(s.context, (size_t)s.batch * sizeof *s.labels);
    if (!s.images || !s.labels) return 1;
    const ni_vars *vars = ni_trainer_vars(s.trainer);
    for (uint32_t slot = 0; slot < ni_vars_count(vars); slot++) {
        nas_tensor_info info;
        ni_model_shape(ni_vars_get(vars, slot), &info);
        printf("%s %u", info.name, info.trained);
        for (uint32_t d = 0; d < info.dimensions; d++)
            printf(" %lld", (long long)info.shape[d]);
        printf("\n");
    }
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "state %499s", path) == 1) {
            exchange(&s, path, false);
            printf("ok\n");
        } else if (sscanf(line, "write %499s", path) == 1) {
            exchange(&s, path, true);
            printf("ok\n");
        } else if (sscanf(line, "step %lld %499s", &index, path) == 2) {
            one_step(&s, index, path);
        } else {
            break;
        }
        fflush(stdout);
    }
    ni_trainer_free(s.trainer);
    ni_free(s.context, s.images);
    ni_free(s.context, s.labels);
    nas_arch_free(arch);
    nas_space_free(space);
    nas_context_free(s.context);
    return 0;
}
