/* SPDX-License-Identifier: MIT */
/* Batches made ahead: threads draw numbers in order and put what they make into a ring, from which
 * it is taken in order. */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "source_impl.h"
#include "team.h"

#define MOST_DEPTH   1024
#define MOST_THREADS 64

typedef struct slot {
    dh__rows rows;
    dh_status status;
    dh__error error;
    bool full;
} slot;

typedef struct prefetch {
    dh_source base;
    dh_source *inner;
    pthread_mutex_t lock;
    pthread_cond_t work, done; /* for the threads; for the one that takes, or begins */
    pthread_t threads[MOST_THREADS];
    int thread_count, busy;
    int64_t depth;
    int64_t drawn, taken, end; /* the next number to make and to take; the first not to be made */
    bool quit;
    slot slots[]; /* depth */
} prefetch;

static bool may_draw(const prefetch *p)
{
    return p->drawn < p->end && p->drawn - p->taken < p->depth;
}

/* What comes behind an end or an error is not wanted. */
static void put(prefetch *p, int64_t number, dh__rows *rows, dh_status status)
{
    slot *s = &p->slots[number % p->depth];
    if (number >= p->end) {
        dh__rows_clear(rows);
        return;
    }
    s->rows = *rows;
    s->status = status;
    if (status) dh__error_save(&s->error);
    s->full = true;
    if ((status || rows->count == 0) && number + 1 < p->end) p->end = number + 1;
}

static void *make_batches(void *context)
{
    prefetch *p = context;
    dh__team_limit(1);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->quit && !may_draw(p)) pthread_cond_wait(&p->work, &p->lock);
        if (p->quit) break;
        int64_t number = p->drawn++;
        dh__rows rows = {.count = 0};
        p->busy++;
        pthread_mutex_unlock(&p->lock);
        dh_status status = p->inner->get(p->inner, number, &rows);
        if (!status) status = dh__rows_own(&rows);
        if (status) dh__rows_clear(&rows);
        pthread_mutex_lock(&p->lock);
        p->busy--;
        put(p, number, &rows, status);
        pthread_cond_broadcast(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* With the lock held: nobody draws until begin or never, and what was made is gone. */
static void drain(prefetch *p)
{
    p->end = 0;
    while (p->busy > 0) pthread_cond_wait(&p->done, &p->lock);
    for (int64_t i = 0; i < p->depth; i++) {
        dh__rows_clear(&p->slots[i].rows);
        p->slots[i].full = false;
    }
}

static dh_status begin_prefetch(dh_source *source, int64_t epoch, int64_t first)
{
    prefetch *p = (prefetch *)source;
    pthread_mutex_lock(&p->lock);
    drain(p);
    dh_status status = p->inner->begin(p->inner, epoch, first);
    p->drawn = p->taken = first;
    p->end = status ? 0 : p->base.batches ? p->base.batches : INT64_MAX;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    return status;
}

/* number is that of the last call and one, or of begin. */
static dh_status get_prefetched(dh_source *source, int64_t number, dh__rows *out)
{
    prefetch *p = (prefetch *)source;
    slot *s = &p->slots[number % p->depth];
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&p->lock);
    while (!s->full && number < p->end) pthread_cond_wait(&p->done, &p->lock);
    dh_status status = DH_OK;
    if (s->full) {
        *out = s->rows;
        status = s->status;
        if (status) dh__error_restore(&s->error);
        memset(&s->rows, 0, sizeof s->rows);
        s->full = status != DH_OK || out->count == 0; /* an end stays one */
        if (!s->full) p->taken++;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    return status;
}

static void free_prefetch(dh_source *source)
{
    prefetch *p = (prefetch *)source;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    drain(p);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->thread_count; i++) pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    dh_source_free(p->inner);
    dh__free(p);
}

/* Signals are for the program's own threads. */
static dh_status start_threads(prefetch *p, int count)
{
    sigset_t all, before;
    int error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < count && !error; i++) {
        error = pthread_create(&p->threads[i], NULL, make_batches, p);
        p->thread_count += !error;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    DH_REQUIRE(!error, DH_ENOMEM, "source_prefetch: thread %d of %d could not be started",
               p->thread_count + 1, count);
    return DH_OK;
}

static dh_status make(dh_source **out, const dh_source_prefetch_args *a)
{
    DH_REQUIRE(a->depth >= 0 && a->depth <= MOST_DEPTH, DH_EINVAL,
               "source_prefetch: depth is %d, must be 1 to %d", a->depth, MOST_DEPTH);
    DH_REQUIRE(a->threads >= 0 && a->threads <= MOST_THREADS, DH_EINVAL,
               "source_prefetch: threads is %d, must be 1 to %d", a->threads, MOST_THREADS);
    DH_REQUIRE(a->inner->get != get_prefetched, DH_EINVAL,
               "source_prefetch: inner is a prefetching source already");
    size_t depth = a->depth ? (size_t)a->depth : 4;
    prefetch *p = dh__calloc(1, sizeof *p + depth * sizeof p->slots[0]);
    if (!p) return dh__from("source_prefetch", DH_ENOMEM);
    p->base = (dh_source){.batches = a->inner->batches,
                          .next = -1,
                          .begin = begin_prefetch,
                          .get = get_prefetched,
                          .free = free_prefetch};
    p->depth = (int64_t)depth;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    dh_status status = start_threads(p, a->threads ? a->threads : 1);
    if (status) {
        free_prefetch(&p->base);
        return status;
    }
    p->inner = a->inner;
    *out = &p->base;
    return DH_OK;
}

dh_status(dh_source_prefetch)(dh_source **out, const dh_source_prefetch_args *args)
{
    dh_source_prefetch_args a;
    DH_TRY(dh__args(&a, sizeof a, args, "source_prefetch"));
    dh_status status = DH_OK;
    if (!out) status = dh_fail(DH_EINVAL, "source_prefetch: out is NULL");
    if (!status && !a.inner) status = dh_fail(DH_EINVAL, "source_prefetch: inner is NULL");
    if (!status) status = make(out, &a);
    if (status) dh_source_free(a.inner);
    if (status && out) *out = NULL;
    return status;
}
