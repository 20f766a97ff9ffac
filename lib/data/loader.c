/* Batches of a split: which images, in which order, changed how. All of it is a function of (seed,
 * trial, epoch, index) alone. One batch is prepared ahead by a thread, while another is used. */
#include <inttypes.h>
#include <math.h>
#include "internal.h"

typedef struct {
    float *images;
    int32_t *labels;
    int64_t fill;
    uint64_t epoch;
    int64_t index;
    bool ready;
} slot;

struct ni_loader {
    nas_context *context;
    const nas_dataset *data;
    ni_loader_options o;
    ni_batches batches;
    uint32_t *pool; /* image numbers that the loader draws from (of train, or of test) */
    int64_t n_pool;
    const ni_images *source;
    uint32_t *order; /* of the epoch */
    uint64_t order_epoch;
    bool ordered;
    slot slots[2];
    int current;
    /* the thread that prepares ahead; NULL: batches are made when asked for */
    ni_thread *thread;
    ni_mutex *lock;
    ni_cond *changed;
    slot *wanted; /* to be prepared; NULL: nothing to do */
    bool end;
};

static void shuffle_epoch(ni_loader *l, uint64_t epoch) {
    if (l->ordered && (l->order_epoch == epoch || !l->o.shuffle)) return;
    memcpy(l->order, l->pool, (size_t)l->n_pool * sizeof *l->order);
    if (l->o.shuffle) {
        nas_random random;
        ni_random_init(&random, l->o.seed ^ (epoch * UINT64_C(0x9E3779B97F4A7C15)), l->o.trial,
                       "shuffle");
        nas_random_shuffle(&random, l->order, (size_t)l->n_pool);
    }
    l->order_epoch = epoch;
    l->ordered = true;
}

/* Flip, shifted crop (what comes from outside is a raw 0, as when padding comes before
 * normalisation), cutout (0 after normalisation, as its authors do: DeVries & Taylor 2017). */
static void augment(const ni_loader *l, nas_random *random, const float *from, float *to) {
    const nas_dataset *d = l->data;
    int64_t h = d->height, w = d->width, c = d->channels, pad = d->options.crop_pad;
    int64_t dy = pad ? (int64_t)nas_random_below(random, (uint64_t)(2 * pad + 1)) - pad : 0;
    int64_t dx = pad ? (int64_t)nas_random_below(random, (uint64_t)(2 * pad + 1)) - pad : 0;
    bool flip = d->options.flip && nas_random_below(random, 2);
    for (int64_t y = 0; y < h; y++) {
        for (int64_t x = 0; x < w; x++) {
            int64_t sy = y + dy, sx = (flip ? w - 1 - x : x) + dx;
            float *pixel = to + (y * w + x) * c;
            if (sy < 0 || sy >= h || sx < 0 || sx >= w)
                memcpy(pixel, d->shift, (size_t)c * sizeof *pixel);
            else
                memcpy(pixel, from + (sy * w + sx) * c, (size_t)c * sizeof *pixel);
        }
    }
    int64_t side = d->options.cutout;
    if (!side) return;
    int64_t cy = (int64_t)nas_random_below(random, (uint64_t)h);
    int64_t cx = (int64_t)nas_random_below(random, (uint64_t)w);
    for (int64_t y = cy - side / 2; y < cy - side / 2 + side; y++)
        for (int64_t x = cx - side / 2; x < cx - side / 2 + side; x++)
            if (y >= 0 && y < h && x >= 0 && x < w)
                memset(to + (y * w + x) * c, 0, (size_t)c * sizeof *to);
}

static void prepare(ni_loader *l, slot *s) {
    int64_t pixels = ni_dataset_pixels(l->data), first = s->index * l->o.batch;
    bool augmented = l->o.augment && (l->data->options.flip || l->data->options.crop_pad ||
                                      l->data->options.cutout);
    nas_random random;
    shuffle_epoch(l, s->epoch);
    s->fill = l->n_pool - first < l->o.batch ? l->n_pool - first : l->o.batch;
    if (augmented)
        ni_random_init(&random, l->o.seed ^ (s->epoch * UINT64_C(0x9E3779B97F4A7C15)),
                       l->o.trial + ((uint64_t)s->index << 32), "augment");
    for (int64_t i = 0; i < l->o.batch; i++) {
        float *to = s->images + i * pixels;
        if (i >= s->fill) { /* the rest of the last batch: left out by its label */
            memset(to, 0, (size_t)pixels * sizeof *to);
            s->labels[i] = -1;
            continue;
        }
        uint32_t image = l->order[first + i];
        s->labels[i] = l->source->labels[image];
        if (!augmented) {
            ni_dataset_pixels_of(l->data, l->source, image, to);
        } else {
            float *plain = s->images + l->o.batch * pixels; /* one image behind the batch */
            ni_dataset_pixels_of(l->data, l->source, image, plain);
            augment(l, &random, plain, to);
        }
    }
}

static void work(void *user) {
    ni_loader *l = user;
    ni_mutex_lock(l->lock);
    while (!l->end) {
        slot *s = l->wanted;
        if (!s) {
            ni_cond_wait(l->changed, l->lock);
            continue;
        }
        ni_mutex_unlock(l->lock);
        prepare(l, s);
        ni_mutex_lock(l->lock);
        s->ready = true;
        l->wanted = NULL;
        ni_cond_broadcast(l->changed);
    }
    ni_mutex_unlock(l->lock);
}

/* Waits until the thread has nothing to do. */
static void settle(ni_loader *l) {
    if (!l->thread) return;
    ni_mutex_lock(l->lock);
    while (l->wanted)
        ni_cond_wait(l->changed, l->lock);
    ni_mutex_unlock(l->lock);
}

static nas_status next(void *user, uint64_t epoch, int64_t index, const float **images,
                       const int32_t **labels, int64_t *fill) {
    ni_loader *l = user;
    if (index < 0 || index >= l->batches.batches)
        return ni_fail(l->context, NAS_E_INVALID, "batch %" PRId64 ": the epoch has %" PRId64,
                       index, l->batches.batches);
    settle(l);
    slot *s = &l->slots[1 - l->current];
    if (!s->ready || s->epoch != epoch || s->index != index) {
        s->epoch = epoch;
        s->index = index;
        prepare(l, s);
    }
    s->ready = true;
    l->current = 1 - l->current;
    slot *other = &l->slots[1 - l->current];
    other->ready = false;
    if (l->thread && (index + 1 < l->batches.batches)) {
        ni_mutex_lock(l->lock);
        other->epoch = epoch;
        other->index = index + 1;
        l->wanted = other;
        ni_cond_broadcast(l->changed);
        ni_mutex_unlock(l->lock);
    }
    *images = s->images;
    *labels = s->labels;
    *fill = s->fill;
    return NAS_OK;
}

static nas_status choose_pool(ni_loader *l) {
    const nas_dataset *d = l->data;
    const uint32_t *from = NULL;
    int64_t n;
    l->source = l->o.split == NAS_SPLIT_TEST ? &d->test : &d->train;
    switch (l->o.split) {
    case NAS_SPLIT_TRAIN:
        from = d->train_index, n = d->n_train;
        break;
    case NAS_SPLIT_VALIDATION:
        from = d->validation_index, n = d->n_validation;
        break;
    case NAS_SPLIT_TEST:
        n = d->n_test;
        break;
    default:
        return ni_fail(l->context, NAS_E_INVALID, "split %" PRId32 " is not NAS_SPLIT_*",
                       l->o.split);
    }
    if (l->o.also_validation && l->o.split == NAS_SPLIT_TRAIN) from = NULL, n = d->train.n;
    if (n < 1)
        return ni_fail(l->context, NAS_E_INVALID, "data: the %s split has no images",
                       l->o.split == NAS_SPLIT_TRAIN        ? "training"
                       : l->o.split == NAS_SPLIT_VALIDATION ? "validation"
                                                            : "test");
    l->pool = ni_calloc(l->context, (size_t)n, sizeof *l->pool);
    l->order = ni_calloc(l->context, (size_t)n, sizeof *l->order);
    if (!l->pool || !l->order) return NAS_E_MEMORY;
    for (int64_t i = 0; i < n; i++)
        l->pool[i] = from ? from[i] : (uint32_t)i;
    l->n_pool = n;
    if (l->o.fraction < 1) {
        nas_random random;
        ni_random_init(&random, 0, 0, "data fraction");
        nas_random_shuffle(&random, l->pool, (size_t)n);
        l->n_pool = (int64_t)ceil((double)n * l->o.fraction);
        if (l->n_pool < 1) l->n_pool = 1;
    }
    return NAS_OK;
}

static nas_status prepare_loader(ni_loader *l) {
    size_t bytes;
    int64_t pixels = ni_dataset_pixels(l->data);
    if (l->o.batch < 1 || l->o.batch > 65536)
        return ni_fail(l->context, NAS_E_INVALID, "batch is %" PRId64 " and must be 1 to 65536",
                       l->o.batch);
    if (!(l->o.fraction > 0) || !(l->o.fraction <= 1))
        return ni_fail(l->context, NAS_E_INVALID,
                       "the data's fraction must be more than 0, at most 1");
    NI_TRY(choose_pool(l));
    l->batches.user = l;
    l->batches.next = next;
    l->batches.batch = l->o.batch;
    l->batches.batches =
        l->o.drop_last ? l->n_pool / l->o.batch : (l->n_pool + l->o.batch - 1) / l->o.batch;
    if (l->batches.batches < 1)
        return ni_fail(l->context, NAS_E_INVALID,
                       "a batch of %" PRId64 " is more than the %" PRId64 " images there are",
                       l->o.batch, l->n_pool);
    NI_TRY(ni_data_room(l->context, l->o.batch + 1, pixels, sizeof(float), &bytes));
    for (int i = 0; i < 2; i++) {
        l->slots[i].images = ni_alloc_aligned(l->context, bytes);
        l->slots[i].labels = ni_calloc(l->context, (size_t)l->o.batch, sizeof(int32_t));
        if (!l->slots[i].images || !l->slots[i].labels) return NAS_E_MEMORY;
    }
    /* Beside other trials there is no processor to spare. */
    if (ni_lanes(l->context) < 2) return NAS_OK;
    NI_TRY(ni_mutex_create(&l->lock, l->context));
    NI_TRY(ni_cond_create(&l->changed, l->context));
    nas_status status = ni_thread_start(&l->thread, l->context, work, l);
    if (status < 0) l->thread = NULL; /* then batches are made when asked for */
    return status == NAS_E_MEMORY ? status : NAS_OK;
}

nas_status ni_loader_create(ni_loader **out, nas_context *context, const nas_dataset *data,
                            const ni_loader_options *options) {
    ni_loader *l = ni_calloc(context, 1, sizeof *l);
    if (!l) return NAS_E_MEMORY;
    l->context = context;
    l->data = data;
    l->o = *options;
    nas_status status = prepare_loader(l);
    if (status < 0) {
        ni_loader_free(l);
        return status;
    }
    *out = l;
    return NAS_OK;
}

void ni_loader_free(ni_loader *l) {
    if (!l) return;
    nas_context *context = l->context;
    if (l->thread) {
        settle(l);
        ni_mutex_lock(l->lock);
        l->end = true;
        ni_cond_broadcast(l->changed);
        ni_mutex_unlock(l->lock);
        ni_thread_join(l->thread);
    }
    if (l->changed) ni_cond_free(l->changed);
    if (l->lock) ni_mutex_free(l->lock);
    for (int i = 0; i < 2; i++) {
        ni_free(context, l->slots[i].images);
        ni_free(context, l->slots[i].labels);
    }
    ni_free(context, l->pool);
    ni_free(context, l->order);
    ni_free(context, l);
}

const ni_batches *ni_loader_batches(ni_loader *loader) {
    return &loader->batches;
}
