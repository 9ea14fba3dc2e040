/* SPDX-License-Identifier: MIT */
/* Sources: what each kind gives, and fit and evaluate on them. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "model_mistakes.h"

#define ROWS 20

typedef struct fixture {
    dh_tensor *x, *y;
    dh_model *net;
} fixture;

static dh_model *make_net(int accumulate)
{
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_input(net, {4}), 8, .activation = "relu");
    assert_ok(dh_build(net, dh_softmax(dh_dense(dh_dropout(h, 0.3f), 2)), .seed = 1,
                       .optimizer = dh_adam(0.05f), .loss = "cross_entropy",
                       .metrics = {"accuracy"}, .accumulate = accumulate));
    return net;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    make_blobs(&f->x, &f->y, ROWS, 4, 2, 3);
    f->net = make_net(0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    dh_tensor_free(f->x);
    dh_tensor_free(f->y);
    dh_model_free(f->net);
    free(f);
    return 0;
}

/* --- a source of counted batches: x is epoch * 100 + index --- */

typedef struct counting {
    int64_t batches, fails_at;
    atomic_int calls, at_once, most_at_once;
    bool slow;
} counting;

static dh_status count_up(dh_batch *batch, int64_t epoch, int64_t index, void *payload)
{
    counting *c = payload;
    int now = atomic_fetch_add(&c->at_once, 1) + 1, most = atomic_load(&c->most_at_once);
    while (now > most && !atomic_compare_exchange_weak(&c->most_at_once, &most, now)) {
    }
    atomic_fetch_add(&c->calls, 1);
    dh_status status = DH_OK;
    if (index == c->fails_at) status = DH_EIO;
    if (!status && index < c->batches)
        status = dh_tensor_full(&batch->x[0], (double)(epoch * 100 + index), {2, 3});
    if (c->slow && index % 3 == 0) usleep(300);
    atomic_fetch_sub(&c->at_once, 1);
    return status;
}

static int64_t drain(dh_source *s, int64_t epoch, int64_t from)
{
    dh_batch b = {0};
    int64_t count = 0;
    assert_ok(dh_source_start(s, epoch, from));
    for (;; count++) {
        assert_ok(dh_source_next(&b, s));
        if (!b.x[0]) return count;
        assert_true(((float *)dh_tensor_data(b.x[0]))[5] == (float)(epoch * 100 + from + count));
        dh_batch_clear(&b);
    }
}

static void a_function_fills(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        dh_source *s;
        counting c = {.batches = 7, .fails_at = -1};
        assert_ok(dh_source_new(&s, count_up, .payload = &c, .batches = known ? 5 : 0));
        assert_int_equal(dh_source_batches(s), known ? 5 : 0);
        assert_int_equal(drain(s, 0, 0), known ? 5 : 7);
        assert_int_equal(drain(s, 3, 2), known ? 3 : 5);
        assert_int_equal(drain(s, 3, 9), 0);
        dh_source_free(s);
    }
}

static void prefetching_keeps_the_order(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++)
        for (int depth = 1; depth <= 6; depth++) {
            dh_source *inner, *s;
            counting c = {.batches = 23, .fails_at = -1, .slow = true};
            assert_ok(dh_source_new(&inner, count_up, .payload = &c));
            assert_ok(dh_source_prefetch(&s, inner, .depth = depth, .threads = threads));
            for (int64_t epoch = 0; epoch < 3; epoch++) {
                assert_int_equal(drain(s, epoch, epoch * 5), 23 - epoch * 5);
                dh_batch b = {0};
                assert_ok(dh_source_next(&b, s)); /* an end stays one */
                assert_null(b.x[0]);
                assert_ok(dh_source_start(s, epoch, 1)); /* broken off */
                assert_ok(dh_source_next(&b, s));
                dh_batch_clear(&b);
            }
            assert_true(atomic_load(&c.most_at_once) <= threads);
            dh_source_free(s);
        }
}

static void prefetching_is_bounded(void **state)
{
    (void)state;
    dh_source *inner, *s;
    dh_batch b = {0};
    counting c = {.batches = 1000, .fails_at = -1};
    assert_ok(dh_source_new(&inner, count_up, .payload = &c));
    assert_ok(dh_source_prefetch(&s, inner, .depth = 3, .threads = 2));
    assert_int_equal(atomic_load(&c.calls), 0);
    assert_ok(dh_source_start(s, 0, 0));
    for (int i = 1; i <= 50; i++) {
        assert_ok(dh_source_next(&b, s));
        assert_true(atomic_load(&c.calls) <= i + 3);
        dh_batch_clear(&b);
    }
    dh_source_free(s);
}

static void errors_come_where_they_are(void **state)
{
    (void)state;
    for (int prefetch = 0; prefetch < 2; prefetch++) {
        dh_source *s;
        dh_batch b = {0};
        counting c = {.batches = 9, .fails_at = 4};
        assert_ok(dh_source_new(&s, count_up, .payload = &c));
        if (prefetch) assert_ok(dh_source_prefetch(&s, s, .threads = 3));
        assert_ok(dh_source_start(s, 1, 2));
        for (int i = 0; i < 2; i++) {
            assert_ok(dh_source_next(&b, s));
            dh_batch_clear(&b);
        }
        for (int i = 0; i < 2; i++)
            assert_error(dh_source_next(&b, s), DH_EIO,
                         "source_next: the source's function ended it at batch 4 of epoch 1");
        assert_null(b.x[0]);
        c.fails_at = -1;
        assert_int_equal(drain(s, 2, 0), 9); /* and it serves again */
        dh_source_free(s);
    }
}

/* --- tensors --- */

static void every_row_comes_once(void **state)
{
    (void)state;
    dh_tensor *x;
    assert_ok(dh_tensor_arange(&x, 0, ROWS, 1, DH_I32));
    for (int way = 0; way < 4; way++) { /* shuffled or not, with or without the short batch */
        dh_source *s;
        dh_batch b = {0};
        int order[2][ROWS], n = 0;
        assert_ok(dh_source_tensors(&s, x, .ys = {x}, .sample_weight = x, .batch_size = 6,
                                    .no_shuffle = way & 1, .drop_last = way & 2, .seed = 5));
        assert_int_equal(dh_source_batches(s), way & 2 ? 3 : 4);
        for (int epoch = 0; epoch < 2; epoch++) {
            int seen[ROWS] = {0};
            assert_ok(dh_source_start(s, epoch, 0));
            for (n = 0;;) {
                assert_ok(dh_source_next(&b, s));
                if (!b.x[0]) break;
                int64_t rows = dh_tensor_dim(b.x[0], 0);
                assert_int_equal(rows, n == 18 ? 2 : 6);
                const int32_t *p = dh_tensor_data(b.x[0]);
                assert_memory_equal(p, dh_tensor_data(b.y[0]), (size_t)rows * 4);
                assert_memory_equal(p, dh_tensor_data(b.sample_weight), (size_t)rows * 4);
                for (int64_t i = 0; i < rows; i++) order[epoch][n++] = p[i], seen[p[i]]++;
                dh_batch_clear(&b);
            }
            assert_int_equal(n, way & 2 ? 18 : ROWS);
            for (int i = 0; i < ROWS; i++) assert_true(seen[i] == 1 || (way & 2 && !seen[i]));
        }
        bool same = !memcmp(order[0], order[1], sizeof(int) * (size_t)n);
        assert_int_equal(same, way & 1);
        dh_source_free(s);
    }
    dh_tensor_free(x);
}

/* Shares of 20,000 draws, within five standard deviations. */
static void draws_follow_their_weights(void **state)
{
    (void)state;
    static const float weights[] = {1, 0, 3, 0, 0, 4};
    static const int32_t labels[] = {0, 0, 0, 0, 2, 7};
    static const double want[2][6] = {{1 / 8.0, 0, 3 / 8.0, 0, 0, 4 / 8.0},
                                      {1 / 12.0, 1 / 12.0, 1 / 12.0, 1 / 12.0, 1 / 3.0, 1 / 3.0}};
    dh_tensor *x, *w, *y, *hot;
    assert_ok(dh_tensor_arange(&x, 0, 6, 1, DH_I32));
    assert_ok(dh_tensor_from_data(&w, weights, DH_F32, 1, (int64_t[]){6}));
    assert_ok(dh_tensor_from_data(&y, labels, DH_I32, 1, (int64_t[]){6}));
    assert_ok(dh_tensor_zeros(&hot, {6, 8}));
    for (int i = 0; i < 6; i++) ((float *)dh_tensor_data(hot))[i * 8 + labels[i]] = 1;
    for (int way = 0; way < 3; way++) {
        dh_source *s;
        dh_batch b = {0};
        double n = 20000, count[6] = {0};
        assert_ok(dh_source_tensors(&s, x, way == 2 ? hot : y, .weights = way ? NULL : w,
                                    .balance = way > 0, .draws = 20000, .batch_size = 20000));
        assert_ok(dh_source_start(s, 4, 0));
        assert_ok(dh_source_next(&b, s));
        assert_int_equal(dh_tensor_dim(b.x[0], 0), 20000);
        for (int i = 0; i < 20000; i++) count[((int32_t *)dh_tensor_data(b.x[0]))[i]]++;
        for (int i = 0; i < 6; i++) {
            double p = want[way > 0][i];
            assert_true(fabs(count[i] - n * p) <= 5 * sqrt(n * p * (1 - p)));
        }
        dh_batch_clear(&b);
        dh_source_free(s);
    }
    dh_tensor_free(x), dh_tensor_free(w), dh_tensor_free(y), dh_tensor_free(hot);
}

/* --- fit and evaluate --- */

static dh_status rows_of_blobs(dh_batch *batch, int64_t epoch, int64_t index, void *payload)
{
    const fixture *f = payload;
    char rows[32];
    (void)epoch;
    if (index * 6 >= ROWS) return DH_OK;
    snprintf(rows, sizeof rows, "%d:%d", (int)index * 6, (int)index * 6 + 6);
    dh_status status = dh_tensor_slice(&batch->x[0], f->x, rows);
    return status ? status : dh_tensor_slice(&batch->y[0], f->y, rows);
}

/* Tensors, a function with and without a known length, and both prefetched train the same bits; 4
 * batches are whole groups. */
static void fit_takes_any_source(void **state)
{
    const fixture *f = *state;
    for (int accumulate = 0; accumulate <= 2; accumulate += 2) {
        char want[65], got[65];
        double loss = 0;
        for (int way = 0; way < 6; way++) {
            dh_source *s = NULL;
            int count;
            dh_model *net = make_net(accumulate);
            if (way == 1 || way == 5)
                assert_ok(dh_source_tensors(&s, f->x, f->y, .batch_size = 6, .no_shuffle = true));
            if (way > 1 && way < 5)
                assert_ok(dh_source_new(&s, rows_of_blobs, .payload = *state,
                                        .batches = way == 3 ? 0 : 4));
            if (way >= 4) assert_ok(dh_source_prefetch(&s, s, .threads = 2));
            if (s)
                assert_ok(
                    dh_fit(net, .source = s, .validation_source = s, .epochs = 3, .quiet = true));
            else
                assert_ok(dh_fit(net, f->x, f->y, .validation_x = f->x, .validation_y = f->y,
                                 .batch_size = 6, .epochs = 3, .quiet = true, .no_shuffle = true));
            assert_ok(dh_model_sha256(way ? got : want, net));
            const dh_epoch *h = dh_model_history(net, &count);
            assert_int_equal(count, 3);
            assert_int_equal(h[2].train.samples, ROWS);
            assert_int_equal(h[2].validation.samples, ROWS);
            if (!way) loss = h[2].train.loss;
            if (way) assert_string_equal(got, want);
            assert_true(h[2].train.loss == loss);
            dh_source_free(s);
            dh_model_free(net);
        }
    }
}

/* Gradients of a group that an unforeseen end cuts short are not lost. */
static void an_unforeseen_end_updates(void **state)
{
    char before[65], after[65];
    dh_source *s;
    dh_model *net = make_net(100);
    assert_ok(dh_source_new(&s, rows_of_blobs, .payload = *state));
    assert_ok(dh_model_sha256(before, net));
    assert_ok(dh_fit(net, .source = s, .quiet = true));
    assert_ok(dh_model_sha256(after, net));
    assert_string_not_equal(before, after);
    dh_source_free(s);
    dh_model_free(net);
}

static void shuffled_sources_shuffle_as_seeded(void **state)
{
    fixture *f = *state;
    char hex[2][65];
    for (int run = 0; run < 2; run++) {
        dh_source *s;
        dh_model *net = make_net(0);
        assert_ok(dh_source_tensors(&s, f->x, f->y, .batch_size = 6, .seed = (uint64_t)run));
        assert_ok(dh_fit(net, .source = s, .quiet = true));
        assert_ok(dh_model_sha256(hex[run], net));
        dh_source_free(s);
        dh_model_free(net);
    }
    assert_string_not_equal(hex[0], hex[1]);
}

static void evaluate_takes_a_source(void **state)
{
    fixture *f = *state;
    dh_result want, got;
    dh_source *s;
    assert_ok(dh_evaluate(f->net, f->x, f->y, .batch_size = 6, .result = &want, .quiet = true));
    assert_ok(dh_source_new(&s, rows_of_blobs, .payload = f));
    assert_ok(dh_evaluate(f->net, .source = s, .result = &got, .quiet = true));
    assert_true(got.loss == want.loss && got.metrics[0] == want.metrics[0]);
    assert_int_equal(got.samples, ROWS);
    dh_source_free(s);
}

/* A tensor that was freed lives on in its source. */
static void a_source_keeps_its_tensors(void **state)
{
    fixture *f = *state;
    dh_source *s;
    assert_ok(dh_source_tensors(&s, f->x, f->y));
    dh_tensor_free(f->x);
    dh_tensor_free(f->y);
    f->x = f->y = NULL;
    assert_ok(dh_fit(f->net, .source = s, .quiet = true));
    dh_source_free(s);
}

static void failures_end_fit(void **state)
{
    fixture *f = *state;
    for (int prefetch = 0; prefetch < 2; prefetch++) {
        dh_source *s;
        counting c = {.batches = 9, .fails_at = 0};
        assert_ok(dh_source_new(&s, count_up, .payload = &c));
        if (prefetch) assert_ok(dh_source_prefetch(&s, s));
        assert_error(dh_fit(f->net, .source = s, .quiet = true), DH_EIO,
                     "fit: the source's function ended it at batch 0 of epoch");
        c.fails_at = 2;
        assert_error(dh_fit(f->net, .source = s, .quiet = true), DH_ESHAPE,
                     "fit: ", "batch 0 of the source", "takes [N, 4], x is [2, 3]");
        dh_source_free(s);
    }
}

static void mistakes(void **state)
{
    fixture *f = *state;
    dh_source *s, *given;
    dh_batch b = {0};
    dh_tensor *three;
    counting c = {.batches = 0, .fails_at = -1};
    assert_ok(dh_tensor_zeros(&three, {3}));
    assert_ok(dh_source_new(&given, count_up, .payload = &c));
    CALL(dh_source_new(NULL, count_up), "source_new: out is NULL");
    CALL(dh_source_new(&s, NULL), "source_new: fill is NULL");
    CALL(dh_source_new(&s, count_up, .batches = -1),
         "source_new: batches is -1, must be at least 0");
    CALL(dh_source_tensors(NULL, f->x), "source_tensors: out is NULL");
    CALL(dh_source_tensors(&s, NULL), "source_tensors: x is NULL");
    CALL(dh_source_tensors(&s, f->x, three), "source_tensors: y 0 has 3 rows, x has 20");
    CALL(dh_source_tensors(&s, f->x, .sample_weight = three),
         "source_tensors: sample_weight 0 has 3 rows, x has 20");
    CALL(dh_source_tensors(&s, f->x, .weights = three),
         "source_tensors: weights 0 has 3 rows, x has 20");
    CALL(dh_source_tensors(&s, three, .weights = three), "source_tensors: weights are all 0");
    CALL(dh_source_tensors(&s, three, .balance = true),
         "source_tensors: balance: y has 0 axes, needs [N] or [N, classes]");
    CALL(dh_source_tensors(&s, three, .balance = true, .weights = three),
         "source_tensors: both balance and weights are given");
    CALL(dh_source_tensors(&s, f->x, .draws = 5),
         "source_tensors: draws is 5, but there are neither balance nor weights");
    CALL(dh_source_tensors(&s, f->x, .batch_size = -5),
         "source_tensors: batch_size is -5, must be at least 1");
    ((float *)dh_tensor_data(three))[1] = -1;
    CALL(dh_source_tensors(&s, three, .weights = three),
         "source_tensors: weights[1] is -1, must be at least 0");
    CALL(dh_source_tensors(&s, three, three, .balance = true),
         "source_tensors: balance: row 1 of y is -1, must be a class");
    CALL(dh_source_prefetch(&s, NULL), "source_prefetch: inner is NULL");
    CALL(dh_source_start(NULL, 0, 0), "source_start: source is NULL");
    CALL(dh_source_start(given, -1, 0), "source_start: epoch is -1, must be at least 0");
    CALL(dh_source_start(given, 0, -1), "source_start: index is -1, must be at least 0");
    CALL(dh_source_next(&b, given),
         "source_next: the source was not started; call dh_source_start first");
    CALL(dh_source_next(NULL, given), "source_next: out is NULL");
    CALL(dh_source_next(&b, NULL), "source_next: source is NULL");
    CALL(dh_fit(f->net, f->x, .source = given), "fit: both source and x are given");
    CALL(dh_fit(f->net, .source = given, .batch_size = 3),
         "fit: both source and batch_size are given");
    CALL(dh_fit(f->net, .source = given, .sample_weight = three),
         "fit: both source and sample_weight are given");
    CALL(dh_fit(f->net, .source = given, .validation_split = 0.5f),
         "fit: both source and validation_split are given");
    CALL(dh_fit(f->net, f->x, f->y, .validation_source = given, .validation_split = 0.5f),
         "fit: both validation_source and validation_split are given");
    CALL(dh_fit(f->net, f->x, f->y, .validation_source = given, .validation_x = f->x,
                .validation_y = f->y),
         "fit: validation: both source and x are given");
    CALL(dh_fit(f->net, .source = given, .quiet = true),
         "fit: the source gave no batch in epoch 1");
    CALL(dh_fit(f->net, .source = given, .callbacks = {dh_lr_cosine()}),
         "fit: lr_cosine: steps is 0, and the source does not tell how many an epoch has");
    CALL(dh_evaluate(f->net, .source = given), "evaluate: the source gave no batch");
    CALL(dh_source_prefetch(&s, given, .depth = -1),
         "source_prefetch: depth is -1, must be 1 to 1024");
    assert_ok(dh_source_new(&given, count_up, .payload = &c));
    CALL(dh_source_prefetch(&s, given, .threads = 65),
         "source_prefetch: threads is 65, must be 1 to 64");
    assert_ok(dh_source_new(&given, count_up, .payload = &c));
    assert_ok(dh_source_prefetch(&given, given));
    CALL(dh_source_prefetch(&s, given), "source_prefetch: inner is a prefetching source already");
    dh_source_free(NULL);
    dh_batch_clear(NULL);
    assert_int_equal(dh_source_batches(NULL), -1);
    none_wrong();
    dh_tensor_free(three);
}

/* Each request of memory refused in turn. */
static void survives_without_memory(void **state)
{
    fixture *f = *state;
    dh_status status = DH_ENOMEM;
    for (int64_t n = 1; status; n++) {
        dh_source *s = NULL;
        dh_alloc_fail_at(n);
        status = dh_source_tensors(&s, f->x, f->y, .balance = true, .batch_size = 6);
        if (!status) status = dh_source_prefetch(&s, s, .threads = 2);
        if (!status) status = dh_fit(f->net, .source = s, .quiet = true);
        dh_alloc_fail_at(0);
        dh_source_free(s);
        if (status) assert_int_equal(status, DH_ENOMEM);
        assert_true(n < 5000);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_fills),
        cmocka_unit_test(prefetching_keeps_the_order),
        cmocka_unit_test(prefetching_is_bounded),
        cmocka_unit_test(errors_come_where_they_are),
        cmocka_unit_test(every_row_comes_once),
        cmocka_unit_test(draws_follow_their_weights),
        TEST(fit_takes_any_source),
        TEST(an_unforeseen_end_updates),
        TEST(shuffled_sources_shuffle_as_seeded),
        TEST(evaluate_takes_a_source),
        TEST(a_source_keeps_its_tensors),
        TEST(failures_end_fit),
        TEST(mistakes),
        TEST(survives_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
