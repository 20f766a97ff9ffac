/* thread.c: threads, mutexes and condition variables for the rooms above, over POSIX's. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <time.h>
#include "private.h"

/* The application's signal handlers run in the application's threads. */
int ni_spawn(pthread_t *out, void *(*body)(void *), void *user) {
    sigset_t all, before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error) return error;
    error = pthread_create(out, NULL, body, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct ni_thread {
    nas_context *context;
    pthread_t thread;
    void (*body)(void *user);
    void *user;
};

static void *thread_main(void *user) {
    ni_thread *thread = user;
    thread->body(thread->user);
    return NULL;
}

nas_status ni_thread_start(ni_thread **out, nas_context *context, void (*body)(void *user),
                           void *user) {
    ni_thread *thread = ni_alloc(context, sizeof *thread);
    if (!thread) return NAS_E_MEMORY;
    *thread = (ni_thread){.context = context, .body = body, .user = user};
    ni_context_hold(context);
    *out = thread; /* before it runs: it may look */
    int error = ni_spawn(&thread->thread, thread_main, thread);
    if (error) {
        *out = NULL;
        ni_context_release(context);
        ni_free(context, thread);
        return ni_fail(context, NAS_E_LIMIT, "cannot start a thread: %s", ni_errno_text(error));
    }
    return NAS_OK;
}

void ni_thread_join(ni_thread *thread) {
    if (!thread) return;
    nas_context *context = thread->context;
    pthread_join(thread->thread, NULL);
    ni_free(context, thread);
    ni_context_release(context);
}

struct ni_mutex {
    nas_context *context;
    pthread_mutex_t mutex;
};

nas_status ni_mutex_create(ni_mutex **out, nas_context *context) {
    ni_mutex *mutex = ni_alloc(context, sizeof *mutex);
    if (!mutex) return NAS_E_MEMORY;
    mutex->context = context;
    pthread_mutex_init(&mutex->mutex, NULL);
    *out = mutex;
    return NAS_OK;
}

void ni_mutex_free(ni_mutex *mutex) {
    if (!mutex) return;
    pthread_mutex_destroy(&mutex->mutex);
    ni_free(mutex->context, mutex);
}

void ni_mutex_lock(ni_mutex *mutex) {
    pthread_mutex_lock(&mutex->mutex);
}

void ni_mutex_unlock(ni_mutex *mutex) {
    pthread_mutex_unlock(&mutex->mutex);
}

struct ni_cond {
    nas_context *context;
    pthread_cond_t cond;
};

nas_status ni_cond_create(ni_cond **out, nas_context *context) {
    ni_cond *cond = ni_alloc(context, sizeof *cond);
    if (!cond) return NAS_E_MEMORY;
    cond->context = context;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* setting the clock wakes nobody */
    pthread_cond_init(&cond->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = cond;
    return NAS_OK;
}

void ni_cond_free(ni_cond *cond) {
    if (!cond) return;
    pthread_cond_destroy(&cond->cond);
    ni_free(cond->context, cond);
}

void ni_cond_wait(ni_cond *cond, ni_mutex *mutex) {
    pthread_cond_wait(&cond->cond, &mutex->mutex);
}

bool ni_cond_wait_for(ni_cond *cond, ni_mutex *mutex, double seconds) {
    if (!(seconds > 0)) seconds = 0;
    if (seconds > 1e8) seconds = 1e8; /* years: keeps the sum in range */
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double whole = floor(seconds);
    until.tv_sec += (time_t)whole;
    until.tv_nsec += (long)((seconds - whole) * 1e9);
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return pthread_cond_timedwait(&cond->cond, &mutex->mutex, &until) != ETIMEDOUT;
}

void ni_cond_signal(ni_cond *cond) {
    pthread_cond_signal(&cond->cond);
}

void ni_cond_broadcast(ni_cond *cond) {
    pthread_cond_broadcast(&cond->cond);
}
