/* parallel.c: the pool of threads inside an operation.
 *
 * A graph runs hundreds of short operations one after another, so that handing one over must cost
 * microseconds: workers that have just worked spin for a moment before they sleep, pieces are
 * claimed by one atomic addition, and the caller never waits for a worker that has not come.
 *
 * How a job ends safely: a worker counts itself in (`inside`) and only then looks whether the job
 * is open; the caller closes the job and only then waits for `inside` to be 0. Both in sequentially
 * consistent order, so that a worker either is waited for or sees the door closed. The job's
 * description is written while the door is closed and nobody is inside.
 *
 * A kernel may wake a worker on the caller's own processor, with others idle, and leave it there
 * for milliseconds, so that two threads are slower than one. A worker that finds itself on the
 * processor of the caller or of an earlier worker moves to another one; one that was woken and has
 * not come is moved by the caller. Threads are not bound to processors: what each may run on stays
 * the application's choice. */
#include "private.h"

#define SPIN_SECONDS  100e-6
#define MOVE_SECONDS  2e-3   /* at most so often, where there are more threads than processors */
#define COME_SECONDS  30e-6  /* from the call to the first piece of who is awake at once */
#define AGAIN_SECONDS 300e-6 /* between two such moves */

typedef struct {
    ni_pool *pool;
    pthread_t thread;
    uint32_t lane;
    double moved;                    /* when it last left a processor */
    _Alignas(64) _Atomic int32_t at; /* its processor at its last job; -1 */
    _Atomic bool asleep;
} worker;

struct ni_pool {
    /* the job */
    ni_body body;
    void *user;
    uint32_t pieces;
    /* each on a cache line of its own: they are written all the time */
    _Alignas(64) _Atomic uint64_t next; /* piece to be claimed */
    _Alignas(64) _Atomic uint32_t inside;
    _Alignas(64) _Atomic uint32_t generation; /* jobs so far; what workers watch */
    _Atomic uint32_t open, stop, sleepers, caller_sleeps;
    _Atomic int32_t caller_at; /* its processor; -1 */
    double woken, moved;       /* when sleepers were called and have not come; were moved */
    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t wake, done;
    uint32_t n_workers;
    worker workers[];
};

/* Above 0: this thread runs a body, or works beside others (ni_serial_begin). */
static _Thread_local uint32_t serial_depth;

void ni_serial_begin(void) {
    serial_depth++;
}

void ni_serial_end(void) {
    serial_depth--;
}

uint32_t ni_lanes(const nas_context *context) {
    return serial_depth ? 1 : context->threads;
}

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* One turn of a waiting loop; false when it has lasted long enough to sleep. */
static bool spin(uint32_t *turns, double *until) {
    pause_briefly();
    if (++*turns % 32) return true;
    double now = ni_clock();
    if (*turns == 32) *until = now + SPIN_SECONDS;
    return now < *until;
}

static void work(ni_pool *pool, uint32_t lane) {
    for (;;) {
        uint64_t piece = atomic_fetch_add(&pool->next, 1);
        if (piece >= pool->pieces) return;
        pool->body(pool->user, (uint32_t)piece, lane);
    }
}

static void leave(ni_pool *pool) {
    if (atomic_fetch_sub(&pool->inside, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
}

enum { OTHERS_MOST = 64 }; /* earlier workers that a worker looks at */

/* Before a worker's first piece of a job. */
static void keep_apart(ni_pool *pool, worker *self) {
    int32_t taken[1 + OTHERS_MOST];
    uint32_t n = 0;
    const int32_t here = ni_processor();
    taken[n++] = atomic_load_explicit(&pool->caller_at, memory_order_relaxed);
    bool shared = here == taken[0];
    for (uint32_t i = 0; i + 1 < self->lane && i < OTHERS_MOST; i++) {
        taken[n] = atomic_load_explicit(&pool->workers[i].at, memory_order_relaxed);
        shared |= here == taken[n++];
    }
    if (here >= 0 && shared) {
        const double now = ni_clock();
        if (now - self->moved > MOVE_SECONDS) {
            ni_move_thread(self->thread, taken, n);
            self->moved = now;
        }
    }
    atomic_store_explicit(&self->at, ni_processor(), memory_order_relaxed);
}

static void *worker_main(void *user) {
    worker *self = user;
    ni_pool *pool = self->pool;
    uint32_t seen = 0, turns = 0;
    double until = 0;
    serial_depth = 1;
    for (;;) {
        while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->stop)) {
            if (spin(&turns, &until)) continue;
            pthread_mutex_lock(&pool->lock);
            atomic_store(&self->asleep, true);
            atomic_fetch_add(&pool->sleepers, 1);
            while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->stop))
                pthread_cond_wait(&pool->wake, &pool->lock);
            atomic_fetch_sub(&pool->sleepers, 1);
            atomic_store(&self->asleep, false);
            pthread_mutex_unlock(&pool->lock);
        }
        if (atomic_load(&pool->stop)) return NULL;
        seen = atomic_load(&pool->generation);
        atomic_fetch_add(&pool->inside, 1);
        if (atomic_load(&pool->open)) {
            keep_apart(pool, self);
            work(pool, self->lane);
        }
        leave(pool);
        turns = 0;
    }
}

/* With pool_lock held. No pool is no error: the work is then done by the caller alone. */
static ni_pool *pool_get(nas_context *context) {
    if (context->pool || context->pool_failed) return context->pool;
    uint32_t n = context->threads - 1;
    size_t bytes = sizeof(ni_pool) + n * sizeof(worker);
    ni_pool *pool = ni_alloc_aligned(context, bytes);
    if (!pool) return NULL; /* memory may be there the next time */
    memset(pool, 0, bytes);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    while (pool->n_workers < n) {
        worker *next = &pool->workers[pool->n_workers];
        next->pool = pool;
        next->lane = pool->n_workers + 1;
        atomic_store(&next->at, -1);
        int error = ni_spawn(&next->thread, worker_main, next);
        if (error) {
            ni_log(context, NAS_LOG_WARNING, "only %u of %u threads could be started: %s",
                   pool->n_workers + 1, context->threads, ni_errno_text(error));
            break;
        }
        pool->n_workers++;
    }
    context->pool = pool;
    if (pool->n_workers == 0) {
        context->pool_failed = true;
        ni_pool_free(context);
    }
    return context->pool;
}

void ni_pool_free(nas_context *context) {
    ni_pool *pool = context->pool;
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stop, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    ni_free(context, pool);
    context->pool = NULL;
}

/* With workers asleep. */
static void wake(ni_pool *pool, uint32_t sleepers, uint32_t pieces) {
    const double now = ni_clock();
    pthread_mutex_lock(&pool->lock);
    for (uint32_t i = 0; i < sleepers && i + 1 < pieces; i++)
        pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    if (pool->woken == 0) pool->woken = now;
    if (now - pool->woken < COME_SECONDS || now - pool->moved < AGAIN_SECONDS) return;
    const int32_t here = atomic_load_explicit(&pool->caller_at, memory_order_relaxed);
    for (uint32_t i = 0; i < pool->n_workers && i + 1 < pieces; i++)
        if (atomic_load(&pool->workers[i].asleep))
            ni_move_thread(pool->workers[i].thread, &here, 1);
    pool->moved = now;
}

static void run(ni_pool *pool, uint32_t pieces, ni_body body, void *user) {
    pool->body = body;
    pool->user = user;
    pool->pieces = pieces;
    atomic_store_explicit(&pool->caller_at, ni_processor(), memory_order_relaxed);
    atomic_store(&pool->next, 0);
    atomic_store(&pool->open, 1);
    atomic_fetch_add(&pool->generation, 1);
    uint32_t sleepers = atomic_load(&pool->sleepers);
    if (sleepers)
        wake(pool, sleepers, pieces);
    else
        pool->woken = 0;

    work(pool, 0);

    atomic_store(&pool->open, 0);
    uint32_t turns = 0;
    double until = 0;
    while (atomic_load(&pool->inside)) {
        if (spin(&turns, &until)) continue;
        pthread_mutex_lock(&pool->lock);
        atomic_store(&pool->caller_sleeps, 1);
        while (atomic_load(&pool->inside))
            pthread_cond_wait(&pool->done, &pool->lock);
        atomic_store(&pool->caller_sleeps, 0);
        pthread_mutex_unlock(&pool->lock);
    }
}

void ni_parallel(nas_context *context, uint32_t pieces, ni_body body, void *user) {
    bool alone = pieces < 2 || context->threads < 2 || serial_depth;
    /* The pool serves one caller at a time; the others have threads of their own. */
    bool owner = !alone && pthread_mutex_trylock(&context->pool_lock) == 0;
    ni_pool *pool = owner ? pool_get(context) : NULL;
    serial_depth++;
    if (pool)
        run(pool, pieces, body, user);
    else
        for (uint32_t i = 0; i < pieces; i++)
            body(user, i, 0);
    serial_depth--;
    if (owner) pthread_mutex_unlock(&context->pool_lock);
}
