/* SPDX-License-Identifier: MIT */
/* What a training step allocates: nothing. */
#include <sys/mman.h>

#include "interposed.h"

/* The counter counts, and refuses just the n-th. */
static void the_interposer_works(void **state)
{
    (void)state;
    void *volatile block[6] = {NULL};
    void *aligned = NULL;
    unsigned long long before = refused();
    fail_at(3);
    mark(1);
    block[0] = malloc(10);
    block[1] = calloc(2, 10);
    block[2] = malloc(10);
    block[3] = aligned_alloc(64, 64);
    int error = posix_memalign(&aligned, 64, 10);
    block[4] = realloc(NULL, 10);
    block[5] = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    dh_tensor *t;
    dh_status status = dh_tensor_zeros(&t, {3});
    mark(0);
    assert_true(count() >= 7 + 2); /* a tensor has a header and storage */
    assert_int_equal(refused(), before + 1);
    assert_true(block[0] && block[1] && !block[2] && block[3] && !error && block[4]);
    assert_true(block[5] != MAP_FAILED);
    assert_ok(status);
    munmap(block[5], 4096);
    for (int i = 0; i < 5; i++) free(block[i]);
    free(aligned);
    dh_tensor_free(t);
}

/* --- a step allocates nothing --- */

#define ROWS     70 /* 5 batches of 16, the last of 6 */
#define BATCH    16
#define FEATURES 24

static dh_model *make_net(int threads, const char *memory)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_dense(dh_input(net, {FEATURES}), 33, .activation = "leaky_relu");
    x = dh_dropout(dh_batch_normalization(x), 0.3f);
    x = dh_relu(dh_dense(x, 40));
    x = dh_layer_normalization(x);
    x = dh_softmax(dh_dense(x, 4));
    assert_ok(dh_build(net, x, .optimizer = dh_adam(0.01f), .loss = "cross_entropy",
                       .metrics = {"categorical_accuracy", "mse"},
                       .device = dh_cs_cpu(.threads = threads, .memory = memory), .seed = 3));
    return net;
}

typedef struct watch {
    unsigned long long requests; /* between the first step of an epoch and its last */
    int steps;
} watch;

static dh_status on_event(dh_callback *self, dh_event *e)
{
    watch *w = self->payload;
    if (e->moment != DH_STEP_END) return DH_OK;
    w->steps++;
    if (e->step == 1) mark(1);
    if (e->step == e->steps) {
        mark(0);
        w->requests += count();
    }
    return DH_OK;
}

static void no_log(dh_log_level level, const char *text, void *payload)
{
    (void)level;
    (void)text;
    (void)payload;
}

static void steps_allocate_nothing(void **state)
{
    static const char *const levels[] = {"full_mem", "mid_mem", "low_mem"};
    dh_tensor *x, *y;
    (void)state;
    make_blobs(&x, &y, ROWS, FEATURES, 4, 1);
    dh_set_log(no_log, NULL); /* the progress line is made, and goes nowhere */
    for (int threads = 1; threads <= 2; threads++)
        for (int level = 0; level < 3; level++) {
            watch w = {0, 0};
            dh_model *net = make_net(threads, levels[level]);
            assert_ok(dh_fit(
                net, x, y, .batch_size = BATCH, .epochs = 3,
                .callbacks = {{.call = on_event, .payload = &w}, dh_lr_cosine(), dh_lr_warmup(3)}));
            assert_int_equal(w.steps, 3 * 5);
            if (w.requests)
                fail_msg("%llu allocations in the steps after the first, %d threads, %s",
                         w.requests, threads, levels[level]);
            dh_model_free(net);
        }
    dh_set_log(NULL, NULL);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* All requests of a fit on `rows` rows, on a model that has trained before. */
static unsigned long long requests_of_fit(int64_t rows, int threads, bool quiet)
{
    dh_tensor *x, *y;
    make_blobs(&x, &y, rows, FEATURES, 4, 1);
    dh_model *net = make_net(threads, "full_mem");
    assert_ok(dh_fit(net, x, y, .batch_size = BATCH, .quiet = quiet));
    mark(1);
    dh_status status = dh_fit(net, x, y, .batch_size = BATCH, .quiet = quiet);
    mark(0);
    assert_ok(status);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return count();
}

/* Without a callback many steps run in one go; then their number must not show in the count. */
static void longer_fits_allocate_no_more(void **state)
{
    (void)state;
    dh_set_log(no_log, NULL);
    for (int threads = 1; threads <= 2; threads++) {
        unsigned long long few = requests_of_fit(ROWS, threads, false),
                           many = requests_of_fit(4 * BATCH * BATCH + 6, threads, false);
        if (few != many)
            fail_msg("%llu allocations in 5 steps, %llu in 65, %d threads", few, many, threads);
    }
    dh_set_log(NULL, NULL);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interposer_works),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(longer_fits_allocate_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    (void)argc;
    return run_interposed(argv, run_all);
}
