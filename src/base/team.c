/* SPDX-License-Identifier: MIT */
/* The thread team over OpenMP. A run is one parallel region whose threads draw task numbers from
 * counters; a region always asks for the whole team, because libgomp ends and makes threads anew
 * when the number asked for changes from one region to the next.
 *
 * A session is one region around many runs. Between them its threads wait by our own rule, a short
 * spin and then asleep: OpenMP runtimes spin for milliseconds at each region, which on a machine
 * with other work took six times as long for a training step (docs/threads.md). */
#include "team.h"

#include "base_impl.h"
#include "float_mode.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

/* OpenMP ends the process when it can't start a thread, so that no caller's number goes through
 * unchecked. */
enum { MAX_THREADS = 1024 };

static _Thread_local int thread_limit;
static _Thread_local int thread_index;
static _Thread_local bool inside_run;
static _Thread_local struct session *current; /* of the thread that leads one */

#if defined(_OPENMP)

static pthread_once_t team_once = PTHREAD_ONCE_INIT;
static int default_threads = 1;
static int most_threads = MAX_THREADS;
static atomic_bool team_used;    /* some thread of this process has run a team */
static atomic_bool orphan_child; /* forked off a process that had: its threads are gone */

static void mark_child(void)
{
    current = NULL;
    if (atomic_load(&team_used)) atomic_store(&orphan_child, true);
}

static void start(void)
{
    (void)pthread_atfork(NULL, NULL, mark_child);
    int allowed = omp_get_thread_limit();
    if (allowed > 0 && allowed < most_threads) most_threads = allowed;
    const char *wanted = getenv("OMP_NUM_THREADS");
    if (wanted && wanted[0]) {
        default_threads = omp_get_max_threads();
    } else {
        /* With OMP_PROC_BIND the calling thread is bound to one core already, and only OpenMP
         * knows how many the process began with. */
        default_threads = dh__cpu_count();
        int quota = dh__cpu_quota(), cores = omp_get_num_procs();
        if (quota > 0 && cores > quota) cores = quota;
        if (cores > default_threads) default_threads = cores;
    }
    if (default_threads < 1) default_threads = 1;
    if (default_threads > most_threads) default_threads = most_threads;
}

/* A session's threads beyond the caller's limit stay idle. */
static int session_size(const struct session *session);

int dh__team_size(void)
{
    if (inside_run || thread_limit == 1) return 1; /* with one thread OpenMP is never asked */
    if (current) return session_size(current);
    if (omp_in_parallel()) return 1;
    pthread_once(&team_once, start);
    if (atomic_load_explicit(&orphan_child, memory_order_relaxed)) return 1;
    if (thread_limit == 0) return default_threads;
    return thread_limit < most_threads ? thread_limit : most_threads;
}

#else

int dh__team_size(void)
{
    return 1;
}

#endif

int dh__team_limit(int threads)
{
    int before = thread_limit;
    thread_limit = threads > MAX_THREADS ? MAX_THREADS : threads > 0 ? threads : 0;
    return before;
}

int dh__team_index(void)
{
    return thread_index;
}

static void run_serially(int64_t count, void (*task)(void *context, int64_t i), void *context)
{
    /* nothing below may start a team of its own, whose index would clash with this thread's */
    bool before = inside_run;
    inside_run = true;
    for (int64_t i = 0; i < count; i++) task(context, i);
    inside_run = before;
}

/* --- shares --- */

/* Tasks are dealt in stretches, one for each thread, which then helps the others: so that a thread
 * finds in its own caches what it left there in the run before. */
enum { SHARES_MAX = 256 }; /* beyond, threads share a stretch */

typedef struct shares {
    int64_t count;
    int parts;
    struct {
        _Alignas(64) atomic_int_fast64_t next; /* a line of its own: it is written all the time */
    } part[SHARES_MAX];
} shares;

static int64_t first_of(const shares *s, int part)
{
    int64_t rest = s->count % s->parts; /* the first shares have one more */
    return s->count / s->parts * part + (part < rest ? part : rest);
}

static void shares_deal(shares *s, int64_t count, int64_t parts)
{
    s->count = count;
    s->parts = parts < SHARES_MAX ? (int)parts : SHARES_MAX;
    for (int p = 0; p < s->parts; p++) atomic_init(&s->part[p].next, first_of(s, p));
}

/* The next task of *part, or of those behind it, to which *part moves on; -1: none is left. The
 * caller begins with a part of its own and *helped = 0. */
static int64_t shares_take(shares *s, int *part, int *helped)
{
    for (; *helped < s->parts; ++*helped) {
        atomic_int_fast64_t *next = &s->part[*part].next;
        int64_t end = first_of(s, *part + 1);
        if (atomic_load_explicit(next, memory_order_relaxed) < end) {
            int64_t i = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
            if (i < end) return i;
        }
        *part = (*part + 1) % s->parts;
    }
    return -1;
}

#if defined(_OPENMP)

typedef struct team_job {
    void (*task)(void *context, int64_t i);
    void *context;
    uint64_t float_mode; /* the leader's, for all: else bits would tell which thread made them */
    shares shares;
} team_job;

static void work(team_job *job, int index)
{
    int part = index % job->shares.parts, helped = 0;
    for (int64_t i; (i = shares_take(&job->shares, &part, &helped)) >= 0;)
        job->task(job->context, i);
}

static void work_on(team_job *job, int index)
{
    uint64_t before = dh__float_mode_get();
    inside_run = true;
    thread_index = index;
    if (before != job->float_mode) dh__float_mode_set(job->float_mode);
    work(job, index);
    if (before != job->float_mode) dh__float_mode_set(before);
    thread_index = 0;
    inside_run = false;
}

__attribute__((noinline)) static void run_team(int threads, team_job *job)
{
    atomic_store_explicit(&team_used, true, memory_order_relaxed);
#pragma omp parallel num_threads(threads)
    work_on(job, omp_get_thread_num());
}

/* --- sessions --- */

enum { SPIN_CHECKS = 64, SPIN_MICROSECONDS = 50 };

typedef struct session {
    int threads;
    team_job *job; /* of the run in progress */
    int active;    /* threads that take part in it */
    bool sleepers; /* guarded by lock, as are the waits on changed */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    _Alignas(64) atomic_uint turn; /* counts runs; the last one ends the session */
    _Alignas(64) atomic_int busy;  /* helpers that have not finished the run */
    bool over;
} session;

static int session_size(const struct session *s)
{
    return thread_limit > 0 && thread_limit < s->threads ? thread_limit : s->threads;
}

static inline void pause_briefly(void)
{
#if defined(__SSE__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* True as soon as ready(s, seen) is, false when it is time to sleep. */
static bool spin(const session *s, bool (*ready)(const session *s, unsigned seen), unsigned seen)
{
    double end = dh__now() + SPIN_MICROSECONDS * 1e-6;
    do {
        for (int i = 0; i < SPIN_CHECKS; i++) {
            if (ready(s, seen)) return true;
            pause_briefly();
        }
    } while (dh__now() < end);
    return ready(s, seen);
}

static bool turned(const session *s, unsigned seen)
{
    return atomic_load_explicit(&s->turn, memory_order_acquire) != seen;
}

static bool finished(const session *s, unsigned seen)
{
    DH_UNUSED(seen);
    return atomic_load_explicit(&s->busy, memory_order_acquire) == 0;
}

static void wait_for(session *s, bool (*ready)(const session *s, unsigned seen), unsigned seen)
{
    if (spin(s, ready, seen)) return;
    pthread_mutex_lock(&s->lock);
    while (!ready(s, seen)) {
        s->sleepers = true;
        pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

/* After turn or busy has changed. Taking the lock orders the change against a sleeper's look. */
static void wake(session *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->sleepers) {
        s->sleepers = false;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

static void help(session *s, int index)
{
    for (unsigned seen = 0;; seen++) {
        wait_for(s, turned, seen);
        if (s->over) return;
        if (index < s->active) work_on(s->job, index);
        if (atomic_fetch_sub_explicit(&s->busy, 1, memory_order_acq_rel) == 1) wake(s);
    }
}

static void next_turn(session *s)
{
    atomic_store_explicit(&s->busy, s->threads - 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->turn, 1, memory_order_release);
    wake(s);
}

static void run_in_session(session *s, int threads, team_job *job)
{
    s->job = job;
    s->active = threads;
    next_turn(s);
    work_on(job, 0);
    wait_for(s, finished, 0);
}

static void lead(session *s, void (*body)(void *context), void *context)
{
    current = s;
    body(context);
    current = NULL;
    s->over = true;
    next_turn(s);
}

/* Out of line: clang asks libomp for the thread's number at the top of a function that holds a
 * region, and a lone thread must not wake OpenMP at all. */
__attribute__((noinline)) static void run_session(session *s, int threads,
                                                  void (*body)(void *context), void *context)
{
    atomic_store_explicit(&team_used, true, memory_order_relaxed);
#pragma omp parallel num_threads(threads)
    {
#pragma omp single
        s->threads = omp_get_num_threads(); /* may be fewer; the barrier shows it to all */
        if (omp_get_thread_num() == 0)
            lead(s, body, context);
        else
            help(s, omp_get_thread_num());
    }
}

void dh__team_session(void (*body)(void *context), void *context)
{
    int threads = current ? 1 : dh__team_size();
    session s = {.threads = 1};
    if (threads == 1) { /* inside another one, or nobody to help */
        body(context);
        return;
    }
    if (pthread_mutex_init(&s.lock, NULL) || pthread_cond_init(&s.changed, NULL)) {
        body(context); /* each run then opens a region of its own */
        return;
    }
    run_session(&s, threads, body, context);
    pthread_cond_destroy(&s.changed);
    pthread_mutex_destroy(&s.lock);
}

#else

void dh__team_session(void (*body)(void *context), void *context)
{
    body(context);
}

#endif

void dh__team_run(int64_t count, void (*task)(void *context, int64_t i), void *context)
{
    if (count <= 0 || !task) return;
#if defined(_OPENMP)
    int threads = count == 1 ? 1 : dh__team_size();
    if (threads > 1) {
        team_job job;
        job.task = task;
        job.context = context;
        job.float_mode = dh__float_mode_get();
        shares_deal(&job.shares, count, threads);
        if (current)
            run_in_session(current, threads, &job);
        else
            run_team(threads, &job);
        return;
    }
#endif
    run_serially(count, task, context);
}

typedef struct placed_job {
    void (*task)(void *context, int64_t i, int64_t place);
    void *context;
    shares shares;
} placed_job;

static void run_place(void *context, int64_t place)
{
    placed_job *job = context;
    int part = (int)(place % job->shares.parts), helped = 0;
    for (int64_t i; (i = shares_take(&job->shares, &part, &helped)) >= 0;)
        job->task(job->context, i, place);
}

void dh__team_run_placed(int64_t places, int64_t count,
                         void (*task)(void *context, int64_t i, int64_t place), void *context)
{
    if (count <= 0 || !task) return;
    placed_job job;
    int64_t threads = places > 1 ? dh__team_size() : 1;
    if (threads > places) threads = places;
    if (threads > count) threads = count;
    if (threads < 1) threads = 1;
    job.task = task;
    job.context = context;
    shares_deal(&job.shares, count, threads);
    if (threads > 1)
        dh__team_run(threads, run_place, &job);
    else
        run_place(&job, 0);
}

typedef struct range_job {
    void (*body)(void *context, int64_t begin, int64_t end);
    void *context;
    int64_t count, grain;
} range_job;

static void run_range(void *context, int64_t i)
{
    const range_job *job = context;
    int64_t begin = i * job->grain, left = job->count - begin;
    job->body(job->context, begin, begin + (left < job->grain ? left : job->grain));
}

void dh__team_ranges(int64_t count, int64_t grain,
                     void (*body)(void *context, int64_t begin, int64_t end), void *context)
{
    if (count <= 0 || !body) return;
    if (grain < 1) grain = 1;
    range_job job = {.body = body, .context = context, .count = count, .grain = grain};
    dh__team_run(count / grain + (count % grain != 0), run_range, &job);
}
