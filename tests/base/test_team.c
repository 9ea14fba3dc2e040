/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

enum { MOST = 1000 };
static atomic_int hits[MOST];
static atomic_int nested_size, worst_index;

static void mark(void *context, int64_t i)
{
    assert_ptr_equal(context, hits);
    atomic_fetch_add(&hits[i], 1);
    if (dh__team_size() != 1) atomic_store(&nested_size, dh__team_size());
    int index = dh__team_index(), worst = atomic_load(&worst_index);
    while (index > worst && !atomic_compare_exchange_weak(&worst_index, &worst, index)) continue;
}

static void each_task_runs_once(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 4, 7};
    static const int counts[] = {0, 1, 2, 3, 5, 64, 997};
    for (size_t s = 0; s < DH_COUNT(sizes); s++)
        for (size_t c = 0; c < DH_COUNT(counts); c++) {
            memset(hits, 0, sizeof hits);
            atomic_store(&worst_index, 0);
            (void)dh__team_limit(sizes[s]);
            int team = dh__team_size();
            dh__team_run(counts[c], mark, hits);
            for (int i = 0; i < MOST; i++)
                assert_int_equal(atomic_load(&hits[i]), i < counts[c] ? 1 : 0);
            assert_true(atomic_load(&worst_index) < team);
        }
    assert_int_equal(atomic_load(&nested_size), 0);
    assert_int_equal(dh__team_index(), 0);
    (void)dh__team_limit(0);
}

enum { PLACES = 3 };
static atomic_int taken[PLACES], clashes;

static void take_place(void *context, int64_t i, int64_t place)
{
    assert_ptr_equal(context, hits);
    if (place < 0 || place >= PLACES || atomic_exchange(&taken[place], 1)) {
        atomic_fetch_add(&clashes, 1);
        return;
    }
    atomic_fetch_add(&hits[i], 1);
    atomic_store(&taken[place], 0);
}

/* More threads than places, and fewer. */
static void places_are_of_one_task_at_a_time(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 7};
    for (size_t s = 0; s < DH_COUNT(sizes); s++)
        for (int places = 0; places <= PLACES; places++) {
            memset(hits, 0, sizeof hits);
            (void)dh__team_limit(sizes[s]);
            dh__team_run_placed(places, MOST, take_place, hits);
            for (int i = 0; i < MOST; i++) assert_int_equal(atomic_load(&hits[i]), 1);
        }
    assert_int_equal(atomic_load(&clashes), 0);
    (void)dh__team_limit(0);
}

static void hostile_arguments_do_nothing(void **state)
{
    (void)state;
    memset(hits, 0, sizeof hits);
    dh__team_run(-5, mark, hits);
    dh__team_run(5, NULL, hits);
    dh__team_run_placed(2, 5, NULL, hits);
    dh__team_run_placed(2, -5, take_place, hits);
    dh__team_ranges(5, 1, NULL, hits);
    dh__team_ranges(-1, 1, NULL, hits);
    assert_int_equal(atomic_load(&hits[0]), 0);
}

static void limits_are_of_the_thread(void **state)
{
    (void)state;
    int usual = dh__team_size();
    assert_true(usual >= 1);
    assert_int_equal(dh__team_limit(3), 0);
    assert_int_equal(dh__team_limit(-7), 3);
    assert_int_equal(dh__team_limit(INT32_MAX), 0);
    assert_true(dh__team_size() <= 1024);
    assert_int_equal(dh__team_limit(0), 1024);
    assert_int_equal(dh__team_size(), usual);
}

static int64_t range_ends[MOST];

static void mark_range(void *context, int64_t begin, int64_t end)
{
    assert_ptr_equal(context, hits);
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(&hits[i], 1);
    range_ends[begin] = end;
}

static void ranges_cover(void **state)
{
    (void)state;
    static const int grains[] = {1, 2, 7, 100, 996, 997, 998, 5000};
    for (size_t g = 0; g < DH_COUNT(grains); g++) {
        memset(hits, 0, sizeof hits);
        memset(range_ends, 0, sizeof range_ends);
        (void)dh__team_limit(3);
        dh__team_ranges(997, grains[g], mark_range, hits);
        for (int i = 0; i < 997; i++) {
            assert_int_equal(atomic_load(&hits[i]), 1);
            int64_t want = i % grains[g] ? 0 : i + grains[g] < 997 ? i + grains[g] : 997;
            assert_int_equal(range_ends[i], want);
        }
    }
    memset(hits, 0, sizeof hits);
    dh__team_ranges(10, 0, mark_range, hits);
    assert_int_equal(range_ends[9], 10);
    (void)dh__team_limit(0);
}

static void run_inner(void *context, int64_t i)
{
    (void)i;
    int index = dh__team_index();
    dh__team_run(10, mark, context);
    assert_int_equal(dh__team_index(), index);
}

static void runs_nest_serially(void **state)
{
    (void)state;
    memset(hits, 0, sizeof hits);
    (void)dh__team_limit(4);
    dh__team_run(20, run_inner, hits);
    for (int i = 0; i < 10; i++) assert_int_equal(atomic_load(&hits[i]), 20);
    assert_int_equal(atomic_load(&nested_size), 0);
#if defined(_OPENMP)
    assert_int_equal(dh__team_size(), 4);
    atomic_int inside = 0;
#pragma omp parallel num_threads(3)
    {
        if (dh__team_size() != 1) atomic_fetch_add(&inside, 1);
    }
    assert_int_equal(atomic_load(&inside), 0);
#endif
    (void)dh__team_limit(0);
}

#if defined(_OPENMP) && defined(__SSE__)
static void read_float_mode(void *context, int64_t i)
{
    ((unsigned *)context)[i] = __builtin_ia32_stmxcsr() & 0x8040u;
    (void)usleep(500); /* so that every thread gets some */
}

static void float_mode_is_the_callers(void **state)
{
    (void)state;
    unsigned modes[64], before = __builtin_ia32_stmxcsr();
    (void)dh__team_limit(4);
    for (int round = 0; round < 2; round++) {
        unsigned want = round ? 0 : 0x8040u; /* flush to zero, denormals are zero */
        __builtin_ia32_ldmxcsr((before & ~0x8040u) | want);
        dh__team_run(64, read_float_mode, modes);
        __builtin_ia32_ldmxcsr(before);
        for (int i = 0; i < 64; i++) assert_int_equal(modes[i], want);
    }
    (void)dh__team_limit(0);
}
#endif

static void sum_range(void *context, int64_t begin, int64_t end)
{
    double sum = 0;
    for (int64_t i = begin; i < end; i++) sum += 1.0 / (double)(i + 1);
    ((double *)context)[begin / 1000] = sum;
}

static void *sum_in_thread(void *payload)
{
    double parts[100], *total = payload;
    (void)dh__team_limit(2);
    for (int round = 0; round < 50; round++) {
        *total = 0;
        dh__team_ranges(100000, 1000, sum_range, parts);
        for (int i = 0; i < 100; i++) *total += parts[i];
    }
    return NULL;
}

static void same_bits_from_several_threads(void **state)
{
    (void)state;
    double totals[3], want = 0, parts[100];
    (void)dh__team_limit(1);
    dh__team_ranges(100000, 1000, sum_range, parts);
    for (int i = 0; i < 100; i++) want += parts[i];
    (void)dh__team_limit(0);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sum_in_thread, &totals[i]), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 3; i++) assert_memory_equal(&totals[i], &want, sizeof want);
}

static int wait_for(pid_t child)
{
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void child_runs_serially(void **state)
{
    (void)state;
    (void)dh__team_limit(3);
    dh__team_run(50, mark, hits);
    pid_t child = fork();
    if (child == 0) {
        memset(hits, 0, sizeof hits);
        (void)alarm(20); /* a hang ends as a failure */
        dh__team_run(50, mark, hits);
        int sum = 0;
        for (int i = 0; i < 50; i++) sum += atomic_load(&hits[i]);
        _exit(sum == 50 && dh__team_size() == 1 ? 7 : 1);
    }
    assert_int_equal(wait_for(child), 7);
    (void)dh__team_limit(0);
}

/* Runs of many sizes in one session: each task once, the team's size kept, limits obeyed. */
typedef struct session_check {
    int size, nested_size, limited;
    bool once, index_ok;
} session_check;

static atomic_int session_hits[700];

static void hit(void *context, int64_t i)
{
    session_check *c = context;
    if (dh__team_index() < 0 || dh__team_index() >= 3) c->index_ok = false;
    atomic_fetch_add(&session_hits[i], 1);
}

static void count_inner(void *context)
{
    session_check *c = context;
    c->nested_size = dh__team_size();
}

static void use_session(void *context)
{
    session_check *c = context;
    c->size = dh__team_size();
    for (int round = 1; round <= 700; round++) {
        dh__team_run(round, hit, c);
        if (round % 97 == 0) usleep(200); /* long enough for the helpers to fall asleep */
    }
    for (int i = 0; i < 700; i++)
        if (atomic_load(&session_hits[i]) != 700 - i) c->once = false;
    dh__team_session(count_inner, c);
    int before = dh__team_limit(2);
    c->limited = dh__team_size();
    dh__team_run(5, hit, c);
    (void)dh__team_limit(before);
}

static void sessions_run_every_task_once(void **state)
{
    (void)state;
    session_check c = {.once = true, .index_ok = true};
    for (int i = 0; i < 700; i++) atomic_store(&session_hits[i], 0);
    (void)dh__team_limit(3);
    int size = dh__team_size();
    dh__team_session(use_session, &c);
    assert_int_equal(c.size, size);
    assert_int_equal(c.nested_size, size);
    assert_int_equal(c.limited, size < 2 ? size : 2);
    assert_true(c.once && c.index_ok);
    assert_int_equal(dh__team_size(), size);
    (void)dh__team_limit(0);
}

static const char *self_path;

static int ask_child(const char *threads, const char *what)
{
    pid_t child = fork();
    if (child == 0) {
        if (threads)
            (void)setenv("OMP_NUM_THREADS", threads, 1);
        else
            (void)unsetenv("OMP_NUM_THREADS");
        if (strcmp(what, "bound") == 0) (void)setenv("OMP_PROC_BIND", "true", 1);
        (void)execl(self_path, self_path, what, (char *)NULL);
        _exit(98);
    }
    return wait_for(child);
}

static void environment_sets_the_size(void **state)
{
    (void)state;
#if defined(_OPENMP)
    assert_int_equal(ask_child("3", "size"), 3);
    assert_int_equal(ask_child("1", "size"), 1);
    assert_int_equal(ask_child(NULL, "size"), dh__cpu_count());
    assert_int_equal(ask_child(NULL, "bound"), dh__cpu_count());
    assert_int_equal(ask_child("3", "fork"), 3);
#else
    assert_int_equal(ask_child("3", "size"), 1);
#endif
}

/* A process that forks before any run: its child still has a team. */
static int fork_first(void)
{
    (void)dh__team_size();
    pid_t child = fork();
    if (child == 0) _exit(dh__team_size());
    return wait_for(child);
}

int main(int argc, char **argv)
{
    if (argc > 1) return strcmp(argv[1], "fork") == 0 ? fork_first() : dh__team_size();
    self_path = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_runs_once),
        cmocka_unit_test(places_are_of_one_task_at_a_time),
        cmocka_unit_test(hostile_arguments_do_nothing),
        cmocka_unit_test(limits_are_of_the_thread),
        cmocka_unit_test(ranges_cover),
        cmocka_unit_test(runs_nest_serially),
#if defined(_OPENMP) && defined(__SSE__)
        cmocka_unit_test(float_mode_is_the_callers),
#endif
        cmocka_unit_test(same_bits_from_several_threads),
        cmocka_unit_test(child_runs_serially),
        cmocka_unit_test(sessions_run_every_task_once),
        cmocka_unit_test(environment_sets_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
