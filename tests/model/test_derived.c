/* SPDX-License-Identifier: MIT */
/* Weights that are packed once for many predictions: whatever changes weights shows in the next. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model_test.h"

#define ROWS 24

/* Predictions of all rows; they stand in the state and go with it. */
static void predict(float *out, dh_model *net, const dh_tensor *x)
{
    dh_tensor *y;
    assert_ok(dh_predict(&y, net, x, .batch_size = ROWS));
    assert_int_equal(dh_tensor_count(y), ROWS * 3);
    memcpy(out, dh_tensor_data(y), ROWS * 3 * sizeof *out);
    dh_tensor_free(y);
}

static bool same(const float *a, const float *b)
{
    return !memcmp(a, b, ROWS * 3 * sizeof *a);
}

/* What prediction gives must be what it gives while a parameter is held, when nothing is kept. */
static void check(float *out, dh_model *net, const dh_tensor *x)
{
    float plain[ROWS * 3];
    dh_tensor *held;
    predict(out, net, x);
    assert_true(net->net.store->derived != NULL);
    assert_ok(dh_model_parameter(&held, net, "first/bias"));
    predict(plain, net, x);
    dh_tensor_free(held);
    assert_true(same(out, plain));
    predict(plain, net, x);
    assert_true(same(out, plain));
}

static void test_changes(void **state)
{
    (void)state;
    dh_tensor *x, *y, *weight;
    float now[ROWS * 3], before[ROWS * 3], first[ROWS * 3];
    char path[] = "/tmp/dh_derived_XXXXXX";
    (void)close(mkstemp(path));
    dh_model *net = dh_model_new("net");
    /* packed for Winograd and for the direct convolution, in groups too */
    dh_layer *h = dh_conv2d(dh_input(net, {3, 9, 9}), 16, {3, 3}, .name = "first");
    h = dh_conv2d(dh_relu(h), 32, {3, 3}, .padding = "same");
    h = dh_conv2d(h, 16, {3, 3}, .strides = {2, 2}, .groups = 2);
    h = dh_dense(dh_global_average_pool(h), 3);
    assert_ok(dh_build(net, h, .loss = "mse", .optimizer = dh_sgd(0.5f), .seed = 3));
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 3, 9, 9}, .seed = 5));
    assert_ok(dh_tensor_random_normal(&y, {ROWS, 3}, .seed = 7));
    check(first, net, x);
    assert_ok(dh_save_weights(net, path));

    assert_ok(dh_model_parameter(&weight, net, "first/weight"));
    float *w = dh_tensor_data(weight);
    w[5] += 1; /* while it is held, after and between predictions */
    predict(now, net, x);
    assert_false(same(now, first));
    w[6] -= 1;
    dh_tensor_free(weight);
    memcpy(before, now, sizeof before);
    check(now, net, x);
    assert_false(same(now, before));

    memcpy(before, now, sizeof before);
    assert_ok(dh_fit(net, x, y, .batch_size = ROWS, .epochs = 1, .quiet = true));
    check(now, net, x);
    assert_false(same(now, before));

    assert_ok(dh_load_weights(net, path));
    check(now, net, x);
    assert_true(same(now, first));
    assert_int_equal(remove(path), 0);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
}

/* Of a convolution with a normalisation behind: weights, and all that they are scaled by. */
static void test_normalised(void **state)
{
    (void)state;
    static const char *const parameters[] = {"bn/gamma", "bn/running_mean", "bn/running_var",
                                             "deep.bn/beta"};
    dh_tensor *x, *y, *p, *out;
    float now[ROWS * 3], before[ROWS * 3];
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 3, 9, 9}, .seed = 5));
    assert_ok(dh_tensor_random_normal(&y, {ROWS, 3}, .seed = 7));
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_conv2d(dh_input(net, {3, 9, 9}), 16, {3, 3}, .name = "first");
    h = dh_relu(dh_batch_normalization(h, .momentum = 0.5, .name = "bn"));
    dh_layer *deep = dh_depthwise_conv2d(h, {3, 3}, .padding = "same", .no_bias = true);
    h = dh_batch_normalization(deep, .name = "deep.bn");
    h = dh_conv2d(h, 24, {1, 1});
    h = dh_dense(dh_global_average_pool(dh_relu(dh_batch_normalization(h))), 3);
    assert_ok(dh_build(net, h, .loss = "mse", .optimizer = dh_sgd(0.5f), .seed = 3));
    check(now, net, x);
    for (const dh__stage *s = net->first.stages; s; s = s->next)
        for (int i = 0; i < s->plan->graph->node_count; i++)
            assert_string_not_equal(s->plan->calls[i].call.op->name, "batch_norm");
    /* running statistics change before the parameters do */
    memcpy(before, now, sizeof before);
    assert_ok(dh_forward(net, (const dh_tensor *[]){x}, true));
    assert_ok(dh_backward(net, (const dh_tensor *[]){y}, NULL));
    check(now, net, x);
    assert_false(same(now, before));
    memcpy(before, now, sizeof before);
    assert_ok(dh_fit(net, x, y, .batch_size = ROWS, .epochs = 1, .quiet = true));
    check(now, net, x);
    assert_false(same(now, before));
    for (int i = 0; i < 4; i++) {
        memcpy(before, now, sizeof before);
        assert_ok(dh_model_parameter(&p, net, parameters[i]));
        predict(now, net, x);
        assert_true(same(now, before));
        for (int64_t k = 0; k < dh_tensor_count(p); k++) ((float *)dh_tensor_data(p))[k] += 0.25f;
        predict(now, net, x); /* while it is held */
        assert_false(same(now, before));
        dh_tensor_free(p);
        check(now, net, x);
    }
    /* the same without folding: what is kept can't be folded away */
    assert_ok(dh_predict(&out, net, x, .batch_size = ROWS));
    assert_ok(dh_build(net, h, .loss = "mse", .optimizer = dh_sgd(0.5f), .keep = {deep}));
    predict(before, net, x);
    for (int i = 0; i < ROWS * 3; i++)
        assert_near(((float *)dh_tensor_data(out))[i], before[i], 1e-4);
    dh_tensor *all[] = {x, y, out};
    for (int i = 0; i < 3; i++) dh_tensor_free(all[i]);
    dh_model_free(net);
}

/* Sessions and their model keep one copy of what is packed, and the last gives it back. */
static void test_shared(void **state)
{
    (void)state;
    dh_session *a, *b;
    dh_tensor *x, *y;
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_conv2d(dh_input(net, {16, 8, 8}), 16, {3, 3});
    assert_ok(dh_build(net, dh_flatten(h), .seed = 3));
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 16, 8, 8}, .seed = 5));
    assert_ok(dh_session_new(&a, net, .batch_size = ROWS));
    assert_ok(dh_session_new(&b, net, .batch_size = ROWS));
    const dh__derived *d = net->net.store->derived;
    assert_non_null(d);
    assert_null(d->next);
    assert_int_equal(d->users, 2);
    assert_int_equal(d->generation, 0);
    assert_ok(dh_session_predict(&y, a, x));
    dh_tensor_free(y);
    assert_int_equal(d->generation, net->net.store->generation);
    dh_session_free(a);
    assert_int_equal(d->users, 1);
    dh_session_free(b);
    assert_null(net->net.store->derived);
    dh_tensor_free(x);
    dh_model_free(net);
}

static int granted = -1; /* so many requests for memory more; -1: all */

static void *take(size_t size, size_t align, void *payload)
{
    (void)payload;
    if (granted == 0) return NULL;
    granted -= granted > 0;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give(void *block, void *payload)
{
    (void)payload;
    free(block);
}

/* Where there is no memory to keep them, they are made anew each time: also when a smaller batch,
 * which another implementation takes, comes in between. */
static void test_no_memory(void **state)
{
    (void)state;
    dh_tensor *x, *one, *y;
    float first[ROWS * 3], now[ROWS * 3];
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 3, 9, 9}, .seed = 5));
    assert_ok(dh_tensor_random_normal(&one, {1, 3, 9, 9}, .seed = 6));
    for (int refused = 0; refused < 40; refused++) {
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_conv2d(dh_input(net, {3, 9, 9}), 16, {3, 3}, .padding = "same");
        h = dh_conv2d(dh_relu(h), 16, {3, 3}, .padding = "same");
        h = dh_dense(dh_global_average_pool(h), 3);
        assert_ok(dh_build(net, h, .seed = 3));
        predict(first, net, x);
        granted = refused;
        if (!dh_predict(&y, net, one, .batch_size = ROWS)) dh_tensor_free(y);
        granted = -1;
        predict(now, net, x);
        assert_true(same(now, first));
        dh_model_free(net);
    }
    dh_tensor_free(x);
    dh_tensor_free(one);
}

/* --- weights that are left in one form --- */

#define PAGES 512

/* Whole pages of a weight that are in memory. */
static int pages_of(const dh__params *store, const char *name)
{
    const dh__segment *s = store->segments[dh__params_find(store, name)];
    unsigned char in_memory[PAGES];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)((float *)store->weights->data + s->offset), end;
    end = (begin + (size_t)s->count * sizeof(float)) / page;
    begin = (begin + page - 1) / page;
    assert_in_range(end - begin, 1, PAGES);
    assert_int_equal(mincore((void *)(begin * page), (end - begin) * page, in_memory), 0);
    int count = 0;
    for (uintptr_t i = 0; i < end - begin; i++) count += in_memory[i] & 1;
    return count;
}

/* "few" is taken by another implementation where there are few rows, "any" never. */
static dh_model *two_kinds(dh_model *share)
{
    dh_model *net = dh_model_new("net", .share = share);
    dh_layer *h =
        dh_conv2d(dh_input(net, {32, 8, 8}), 64, {3, 3}, .padding = "same", .name = "few");
    h = dh_conv2d(dh_relu(h), 96, {3, 3}, .strides = {2, 2}, .name = "any");
    h = dh_dense(dh_flatten(h), 3, .name = "dense");
    assert_ok(dh_build(net, h, .loss = "mse", .optimizer = dh_sgd(0.1f), .seed = 3));
    return net;
}

typedef struct answers {
    dh_tensor *x, *y;
} answers;

static answers ask(dh_model *net, int64_t rows, int batch)
{
    answers a;
    assert_ok(dh_tensor_random_normal(&a.x, {rows, 32, 8, 8}, .seed = (uint64_t)rows));
    assert_ok(dh_predict(&a.y, net, a.x, .batch_size = batch));
    return a;
}

static void expect_same(dh_session *session, const answers *a)
{
    dh_tensor *y;
    assert_ok(dh_session_predict(&y, session, a->x));
    assert_int_equal(dh_tensor_count(y), dh_tensor_count(a->y));
    assert_memory_equal(dh_tensor_data(y), dh_tensor_data(a->y),
                        (size_t)dh_tensor_count(y) * sizeof(float));
    dh_tensor_free(y);
}

static void forget(answers *a)
{
    dh_tensor_free(a->x);
    dh_tensor_free(a->y);
}

/* Sessions whose model is freed keep what they read, and that alone. */
static void test_given_up(void **state)
{
    (void)state;
    dh_session *one, *many;
    dh_model *net = two_kinds(NULL);
    const dh__params *store = net->net.store;
    answers single = ask(net, 1, 1), all = ask(net, ROWS, ROWS), some = ask(net, 5, ROWS);
    int few = pages_of(store, "few/weight");
    int dense = pages_of(store, "dense/weight");
    assert_ok(dh_session_new(&one, net, .batch_size = 1));
    assert_ok(dh_session_new(&many, net, .batch_size = ROWS));
    expect_same(one, &single);
    dh_model_free(net);
    expect_same(one, &single); /* the other has not packed its own yet */
    assert_int_equal(pages_of(store, "few/weight"), few);
    assert_int_equal(pages_of(store, "any/weight"), 0); /* for both alike */
    assert_int_equal(pages_of(store, "dense/weight"), dense);
    expect_same(many, &all);
    expect_same(many, &some);
    expect_same(one, &single);
    assert_int_equal(pages_of(store, "few/weight"), few);
    assert_int_equal(pages_of(store, "any/weight"), 0);
    assert_int_equal(pages_of(store, "dense/weight"), dense);
    dh_session_free(many); /* it might have predicted fewer rows */
    expect_same(one, &single);
    assert_int_equal(pages_of(store, "few/weight"), 0);
    assert_int_equal(pages_of(store, "dense/weight"), dense);
    dh_session_free(one);
    forget(&single);
    forget(&all);
    forget(&some);
}

/* Who might read or write them keeps them. */
static void test_not_given_up(void **state)
{
    (void)state;
    dh_session *session;
    dh_tensor *held;
    dh_model *net = two_kinds(NULL), *other = two_kinds(net);
    const dh__params *store = net->net.store;
    int any = pages_of(store, "any/weight");
    assert_ok(dh_session_new(&session, net, .batch_size = 1));
    answers a = ask(net, 1, 1);
    assert_ok(dh_model_parameter(&held, other, "any/weight"));
    dh_model_free(net);
    expect_same(session, &a);
    dh_tensor_free(held);
    expect_same(session, &a);
    assert_int_equal(pages_of(store, "any/weight"), any);
    assert_ok(dh_train_batch(other, (const dh_tensor *[]){a.x}, (const dh_tensor *[]){a.y}, NULL));
    forget(&a);
    a = ask(other, 1, 1);
    expect_same(session, &a);
    assert_ok(dh_model_parameter(&held, other, "any/weight"));
    dh_model_free(other);
    expect_same(session, &a);
    assert_int_equal(pages_of(store, "any/weight"), any);
    ((float *)dh_tensor_data(held))[0] += 1; /* by its owner, whom no model outlives */
    dh_tensor_free(held);
    dh_tensor *y;
    assert_ok(dh_session_predict(&y, session, a.x));
    assert_memory_not_equal(dh_tensor_data(y), dh_tensor_data(a.y), sizeof(float));
    assert_int_equal(pages_of(store, "any/weight"), 0);
    dh_tensor_free(y);
    dh_session_free(session);
    forget(&a);
}

/* A layer that is there twice, once behind a normalisation that folds into it, and a layer for
 * whose packed weights there is no memory. */
static void test_given_up_by_some(void **state)
{
    (void)state;
    int kept = 0, gave_up = 0;
    dh_model *like = two_kinds(NULL);
    answers a = ask(like, 1, 1);
    dh_model_free(like);
    for (uint64_t refused = 1; !gave_up; refused++) {
        dh_session *session = NULL;
        dh_model *net = two_kinds(NULL);
        const dh__params *store = net->net.store;
        dh_alloc_fail_at(refused);
        dh_status status = dh_session_new(&session, net, .batch_size = 1);
        dh_alloc_fail_at(0);
        dh_model_free(net);
        for (int i = 0; !status && i < 3; i++) expect_same(session, &a);
        if (!status && pages_of(store, "any/weight")) kept++;
        if (!status && !pages_of(store, "any/weight") && !pages_of(store, "few/weight")) gave_up++;
        dh_session_free(session);
    }
    assert_true(kept > 0); /* where its packed form was what could not be had */
    forget(&a);
    dh_model *block = dh_model_new("block");
    dh_layer *h =
        dh_conv2d(dh_input(block, {32, 8, 8}), 32, {3, 3}, .padding = "same", .name = "twice");
    assert_ok(dh_build(block, h, .seed = 3));
    dh_model *net = dh_model_new("net", .share = block);
    h = dh_model_apply(block, {dh_relu(dh_model_apply(block, {dh_input(net, {32, 8, 8})}))});
    assert_ok(dh_build(net, dh_dense(dh_flatten(dh_batch_normalization(h)), 3), .seed = 3));
    const dh__params *store = net->net.store;
    answers want = ask(net, 1, 1);
    dh_session *session;
    assert_ok(dh_session_new(&session, net, .batch_size = 1));
    dh_model_free(net);
    expect_same(session, &want);
    assert_true(pages_of(store, "twice/weight") > 0);
    dh_model_free(block);
    for (int i = 0; i < 3; i++) expect_same(session, &want);
    assert_int_equal(pages_of(store, "twice/weight"), 0);
    dh_session_free(session);
    forget(&want);
}

/* Where fewer rows would be taken by another implementation after all, the one goes on whose
 * weights there are. */
static void test_given_up_for_good(void **state)
{
    (void)state;
    dh_session *session;
    dh_tensor *x, *some, *y, *of_some;
    dh_model *net = dh_model_new("net");
    dh_layer *h =
        dh_conv2d(dh_input(net, {32, 24, 24}), 32, {3, 3}, .padding = "same", .name = "deep");
    assert_ok(dh_build(net, dh_global_average_pool(h), .seed = 3));
    const dh__params *store = net->net.store;
    assert_ok(dh_tensor_random_normal(&x, {ROWS, 32, 24, 24}, .seed = 5));
    assert_ok(dh_tensor_slice(&some, x, ":5"));
    assert_ok(dh_session_new(&session, net, .batch_size = ROWS));
    dh_model_free(net);
    assert_ok(dh_session_predict(&y, session, x));
    assert_int_equal(pages_of(store, "deep/weight"), 0);
    assert_int_equal(setenv("DEEPHEALTH_WINOGRAD", "0", 1), 0);
    assert_ok(dh_session_predict(&of_some, session, some));
    unsetenv("DEEPHEALTH_WINOGRAD");
    assert_memory_equal(dh_tensor_data(of_some), dh_tensor_data(y), 5 * 32 * sizeof(float));
    dh_session_free(session);
    dh_tensor *all[] = {x, some, y, of_some};
    for (int i = 0; i < 4; i++) dh_tensor_free(all[i]);
}

int main(void)
{
    const dh_allocator counted = {.alloc = take, .free = give};
    if (dh_set_allocator(&counted)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),          cmocka_unit_test(test_normalised),
        cmocka_unit_test(test_shared),           cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_given_up),         cmocka_unit_test(test_not_given_up),
        cmocka_unit_test(test_given_up_by_some), cmocka_unit_test(test_given_up_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
