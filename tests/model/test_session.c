/* SPDX-License-Identifier: MIT */
/* Sessions: many threads on one model's weights, with dh_predict's bits. Runs under the thread
 * sanitizer too (preset tsan). */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "model_test.h"

#define BATCH   8
#define THREADS 8
#define ROUNDS  48

/* Rows of each request; those above BATCH are cut up. */
static const int64_t sizes[] = {1, 8, 3, 13, 5, 2, 16, 7, 21, 4};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

/* A built model, requests, and what dh_predict answers. */
typedef struct served {
    dh_model *net;
    int inputs, outputs;
    dh_tensor *x[SIZES][2], *want[SIZES][2];
} served;

/* A convolution, batch normalisation with statistics of its own, dropout: [N, 2, 7, 7] -> [N, 3] */
static dh_model *image_net(void)
{
    dh_tensor *x, *y;
    dh_model *net = dh_model_new("images");
    dh_layer *h = dh_conv2d(dh_input(net, {2, 7, 7}), 9, {3, 3}, .padding = "same");
    h = dh_relu(dh_batch_normalization(h));
    h = dh_dropout(dh_flatten(dh_max_pool2d(h, {2, 2})), 0.4f);
    h = dh_softmax(dh_dense(dh_dense(h, 17, .activation = "leaky_relu"), 3));
    assert_ok(dh_build(net, h, .loss = "cross_entropy", .optimizer = dh_adam(0.01f),
                       .device = dh_cs_cpu(.threads = 1), .seed = 5));
    assert_ok(dh_tensor_random_normal(&x, {40, 2, 7, 7}, .seed = 3));
    assert_ok(dh_tensor_zeros(&y, {40}, .dtype = DH_I32));
    for (int i = 0; i < 40; i++) ((int32_t *)dh_tensor_data(y))[i] = i % 3;
    assert_ok(dh_fit(net, x, y, .batch_size = 10, .epochs = 2, .quiet = true));
    dh_tensor_free(x);
    dh_tensor_free(y);
    return net;
}

/* Two inputs, two outputs, one of which is an inner layer of the other. */
static dh_model *forked_net(void)
{
    dh_model *net = dh_model_new("fork");
    dh_layer *a = dh_input(net, {6}), *b = dh_input(net, {4});
    dh_layer *h = dh_dense(dh_concat({a, dh_dropout(b, 0.5f)}), 19, .activation = "tanh");
    dh_layer *out = dh_dense(dh_layer_normalization(h), 2);
    assert_ok(dh_build(net, .outputs = {h, out}, .inputs = {b, a},
                       .device = dh_cs_cpu(.threads = 1), .seed = 7));
    return net;
}

static void ask(served *s)
{
    for (int j = 0; j < SIZES; j++) {
        dh_tensor **x = s->x[j];
        uint64_t seed = (uint64_t)j + 11;
        if (s->inputs == 1) {
            assert_ok(dh_tensor_random_normal(&x[0], {sizes[j], 2, 7, 7}, .seed = seed));
        } else {
            assert_ok(dh_tensor_random_normal(&x[0], {sizes[j], 4}, .seed = seed));
            assert_ok(dh_tensor_random_normal(&x[1], {sizes[j], 6}, .seed = seed + 100));
        }
        assert_ok(dh_predict(.outs = s->want[j], .model = s->net, .xs = {x[0], x[1]},
                             .batch_size = BATCH));
    }
}

static served serve(dh_model *net, int inputs, int outputs)
{
    served s = {.net = net, .inputs = inputs, .outputs = outputs};
    ask(&s);
    return s;
}

static void end(served *s)
{
    for (int j = 0; j < SIZES; j++)
        for (int i = 0; i < 2; i++) {
            dh_tensor_free(s->x[j][i]);
            dh_tensor_free(s->want[j][i]);
        }
    dh_model_free(s->net);
}

static bool same_bits(const dh_tensor *a, const dh_tensor *b)
{
    if (dh_tensor_ndim(a) != dh_tensor_ndim(b) || dh_tensor_dtype(a) != dh_tensor_dtype(b))
        return false;
    for (int i = 0; i < dh_tensor_ndim(a); i++)
        if (dh_tensor_dim(a, i) != dh_tensor_dim(b, i)) return false;
    size_t size = (size_t)dh_tensor_count(a) * dh_dtype_size(dh_tensor_dtype(a));
    return !memcmp(dh_tensor_data(a), dh_tensor_data(b), size);
}

/* NULL, or what went wrong; cmocka's asserts belong to the main thread. */
static const char *predict_one(const served *s, dh_session *session, int j)
{
    dh_tensor *got[2] = {NULL, NULL};
    if (dh_session_predict(.outs = got, .session = session, .xs = {s->x[j][0], s->x[j][1]}))
        return dh_error_text();
    bool same = true;
    for (int o = 0; o < s->outputs; o++) {
        same &= same_bits(got[o], s->want[j][o]);
        dh_tensor_free(got[o]);
    }
    return same ? NULL : "other bits than dh_predict's";
}

typedef struct worker {
    const served *s;
    int number;
    char why[256]; /* "" if all was well */
} worker;

/* Each thread makes its session, uses it, and now and then makes another instead. */
static void *work(void *context)
{
    worker *w = context;
    dh_session *session = NULL;
    for (int k = 0; k < ROUNDS && !*w->why; k++) {
        if ((k + w->number) % 12 == 0) {
            dh_session_free(session);
            session = NULL;
        }
        const char *why = NULL;
        if (!session && dh_session_new(&session, w->s->net, .batch_size = BATCH))
            why = dh_error_text();
        if (!why) why = predict_one(w->s, session, (k * 3 + w->number) % SIZES);
        if (why) snprintf(w->why, sizeof w->why, "thread %d, round %d: %s", w->number, k, why);
    }
    dh_session_free(session);
    return NULL;
}

/* The model itself may predict meanwhile, here in the main thread, and its parameters may be read.
 */
static void from_many_threads(served *s)
{
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.s = s, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    dh_tensor *again[2];
    bool same = true;
    dh_status status = DH_OK;
    for (int k = 0; k < ROUNDS && !status; k++) {
        int j = k % SIZES;
        dh_tensor *parameter;
        assert_ok(dh_model_parameter(&parameter, s->net, dh_model_parameter_name(s->net, 0)));
        dh_tensor_free(parameter);
        status = dh_predict(.outs = again, .model = s->net, .xs = {s->x[j][0], s->x[j][1]},
                            .batch_size = BATCH);
        for (int o = 0; o < s->outputs && !status; o++) {
            same &= same_bits(again[o], s->want[j][o]);
            dh_tensor_free(again[o]);
        }
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_ok(status);
    assert_true(same);
    for (int i = 0; i < THREADS; i++)
        if (*workers[i].why) fail_msg("%s", workers[i].why);
}

static void threads_share_a_model(void **state)
{
    (void)state;
    served s = serve(image_net(), 1, 1);
    from_many_threads(&s);
    end(&s);
}

static void threads_share_a_model_of_several_inputs_and_outputs(void **state)
{
    (void)state;
    served s = serve(forked_net(), 2, 2);
    from_many_threads(&s);
    end(&s);
}

/* Weights of several pages, "few" taken by another implementation where there are few rows. */
static dh_model *wide_net(void)
{
    dh_model *net = dh_model_new("wide");
    dh_layer *h = dh_conv2d(dh_input(net, {2, 7, 7}), 48, {3, 3}, .padding = "same");
    h = dh_conv2d(dh_relu(h), 48, {3, 3}, .padding = "same", .name = "few");
    h = dh_conv2d(dh_batch_normalization(h), 64, {3, 3}, .strides = {2, 2}, .name = "any");
    h = dh_dense(dh_flatten(h), 3);
    assert_ok(dh_build(net, h, .device = dh_cs_cpu(.threads = 1), .seed = 5));
    return net;
}

typedef struct survivor {
    const served *s;
    dh_session *session;
    int rounds;
    const char *why;
} survivor;

static void *outlive(void *context)
{
    survivor *v = context;
    for (int k = 0; k < v->rounds && !v->why; k++)
        v->why = predict_one(v->s, v->session, k % SIZES);
    dh_session_free(v->session);
    return NULL;
}

static void ask_one_by_one(served *s)
{
    for (int j = 0; j < SIZES; j++) {
        dh_tensor_free(s->want[j][0]);
        assert_ok(dh_predict(&s->want[j][0], s->net, s->x[j][0], .batch_size = 1));
    }
}

/* Sessions of one row and of more; the model and some of them go while the others predict, and take
 * what they alone needed with them. */
static void sessions_outlive_their_model(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    survivor survivors[THREADS];
    for (int with_many = 0; with_many < 4; with_many++) {
        dh_model *net = wide_net();
        served single = serve(net, 1, 1), many = serve(net, 1, 1);
        ask_one_by_one(&single);
        for (int i = 0; i < THREADS; i++) {
            bool one = i % 4 >= with_many;
            survivors[i] =
                (survivor){.s = one ? &single : &many, .rounds = i < THREADS / 2 ? i : ROUNDS};
            assert_ok(dh_session_new(&survivors[i].session, net, .batch_size = one ? 1 : BATCH));
        }
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, outlive, &survivors[i]), 0);
        dh_model_free(net);
        for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < THREADS; i++)
            if (survivors[i].why) fail_msg("thread %d: %s", i, survivors[i].why);
        single.net = many.net = NULL;
        end(&single);
        end(&many);
    }
}

/* Nor does the number of threads of a session show in the bits. */
static void a_session_has_its_own_threads(void **state)
{
    (void)state;
    served s = serve(image_net(), 1, 1);
    for (int threads = 1; threads <= 3; threads++) {
        dh_session *session;
        assert_ok(dh_session_new(&session, s.net, .batch_size = BATCH, .threads = threads));
        for (int j = 0; j < SIZES; j++) {
            const char *why = predict_one(&s, session, j);
            if (why) fail_msg("%d threads, %lld rows: %s", threads, (long long)sizes[j], why);
        }
        dh_session_free(session);
    }
    end(&s);
}

/* --- the weights are the model's --- */

static void expect_model(dh_session *session, dh_model *net, const dh_tensor *x, const char *when)
{
    dh_tensor *got, *want;
    assert_ok(dh_predict(&want, net, x, .batch_size = BATCH));
    assert_ok(dh_session_predict(&got, session, x));
    if (!same_bits(got, want)) fail_msg("%s: other bits than dh_predict's", when);
    dh_tensor_free(got);
    dh_tensor_free(want);
}

static void new_weights_are_seen_at_once(void **state)
{
    (void)state;
    char path[] = "/tmp/dh_session_XXXXXX";
    int fd = mkstemp(path);
    dh_tensor *x, *y, *before, *after;
    dh_session *session;
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_batch_normalization(dh_input(net, {5})), 2);
    assert_true(fd >= 0 && !close(fd));
    assert_ok(dh_build(net, h, .loss = "mse", .device = dh_cs_cpu(.threads = 1)));
    assert_ok(dh_tensor_random_normal(&x, {11, 5}, .seed = 1));
    assert_ok(dh_tensor_zeros(&y, {11, 2}));
    assert_ok(dh_save_weights(net, path));
    /* made before there are gradients: training then lays out more memory */
    assert_ok(dh_session_new(&session, net, .batch_size = BATCH));
    assert_ok(dh_session_predict(&before, session, x));
    assert_ok(dh_fit(net, x, y, .batch_size = 4, .quiet = true));
    assert_ok(dh_session_predict(&after, session, x));
    assert_false(same_bits(before, after));
    expect_model(session, net, x, "after fit");
    assert_ok(dh_load_weights(net, path));
    expect_model(session, net, x, "after load_weights");
    dh_tensor_free(after);
    assert_ok(dh_session_predict(&after, session, x));
    assert_true(same_bits(before, after));
    dh_session_free(session);
    dh_model_free(net);
    unlink(path);
    dh_tensor *all[] = {x, y, before, after};
    for (size_t i = 0; i < 4; i++) dh_tensor_free(all[i]);
}

static void a_model_with_sessions_stays_built(void **state)
{
    (void)state;
    dh_session *one, *two;
    dh_tensor *x, *y;
    dh_model *net = dh_model_new("net"), *other = dh_model_new("other", .share = net);
    dh_layer *out = dh_dense(dh_input(net, {4}), 3, .name = "first");
    assert_ok(dh_build(net, out));
    assert_ok(dh_tensor_random_normal(&x, {3, 4}, .seed = 1));
    assert_ok(dh_session_new(&one, net));
    assert_ok(dh_session_new(&two, net));
    assert_error(dh_build(net, out), DH_ESTATE, "build: model \"net\" has 2 sessions", "free them");
    dh_session_free(two);
    assert_error(dh_build(net, out), DH_ESTATE, "build: model \"net\" has 1 session;", "free it");
    dh_layer *more = dh_dense(dh_dense(dh_input(other, {4}), 3, .name = "first"), 2);
    assert_error(dh_build(other, more), DH_ESTATE, "build: ", "sessions", "parameters");
    expect_model(one, net, x, "after builds that were refused"); /* still built */
    dh_session_free(one);
    assert_ok(dh_build(other, more));
    assert_ok(dh_build(net, out));
    assert_ok(dh_predict(&y, net, x));
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
    dh_model_free(other);
}

static void the_model_may_go_first(void **state)
{
    (void)state;
    dh_memory_stats before, after;
    dh_get_memory_stats(&before);
    served s = serve(image_net(), 1, 1);
    dh_session *session[2];
    for (int i = 0; i < 2; i++) assert_ok(dh_session_new(&session[i], s.net, .batch_size = BATCH));
    dh_model_free(s.net);
    s.net = NULL;
    for (int i = 0; i < 2; i++) {
        const char *why = predict_one(&s, session[i], 3);
        if (why) fail_msg("session %d: %s", i, why);
        dh_session_free(session[i]);
    }
    end(&s);
    dh_get_memory_stats(&after);
    assert_int_equal(after.live_blocks, before.live_blocks);
}

/* --- memory --- */

static void only_the_outputs_are_allocated(void **state)
{
    (void)state;
    dh_memory_stats before, between, after;
    served s = serve(image_net(), 1, 1);
    for (int threads = 1; threads <= 2; threads++) {
        dh_session *session;
        assert_ok(dh_session_new(&session, s.net, .batch_size = BATCH, .threads = threads));
        for (int j = 0; j < SIZES; j++) {
            dh_tensor *like, *got;
            dh_get_memory_stats(&before);
            assert_ok(dh__tensor_new(&like, dh__cpu(), DH_F32, 2, (int64_t[]){sizes[j], 3}));
            dh_get_memory_stats(&between);
            assert_ok(dh_session_predict(&got, session, s.x[j][0]));
            dh_get_memory_stats(&after);
            assert_int_equal(after.alloc_calls - between.alloc_calls,
                             between.alloc_calls - before.alloc_calls);
            dh_tensor_free(like);
            dh_tensor_free(got);
        }
        dh_session_free(session);
    }
    end(&s);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    dh_tensor *const mark = (dh_tensor *)(void *)state;
    served s = serve(forked_net(), 2, 2);
    dh_status status = DH_ENOMEM;
    uint64_t n = 1;
    for (; status && n < 2000; n++) {
        dh_session *session = NULL;
        dh_tensor *got[2] = {mark, mark};
        dh_memory_stats before, after;
        dh_get_memory_stats(&before);
        dh_error_clear();
        dh_alloc_fail_at(n);
        status = dh_session_new(&session, s.net, .batch_size = BATCH);
        bool made = !status;
        if (made)
            status =
                dh_session_predict(.outs = got, .session = session, .xs = {s.x[3][0], s.x[3][1]});
        dh_alloc_fail_at(0);
        if (status) {
            assert_error(status, DH_ENOMEM, made ? "session_predict: " : "session_new: ");
            assert_true(got[0] == mark && got[1] == mark && made == (session != NULL));
            const char *why = made ? predict_one(&s, session, 3) : NULL;
            if (why) fail_msg("request %d refused, then %s", (int)n, why);
        }
        for (int o = 0; o < 2 && !status; o++) {
            assert_true(same_bits(got[o], s.want[3][o]));
            dh_tensor_free(got[o]);
        }
        dh_session_free(session);
        dh_get_memory_stats(&after);
        assert_int_equal(after.live_blocks, before.live_blocks);
    }
    assert_ok(status);
    assert_true(n > 20);
    assert_int_equal(atomic_load(&s.net->references), 1);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(threads_share_a_model_of_several_inputs_and_outputs),
        cmocka_unit_test(sessions_outlive_their_model),
        cmocka_unit_test(a_session_has_its_own_threads),
        cmocka_unit_test(new_weights_are_seen_at_once),
        cmocka_unit_test(a_model_with_sessions_stays_built),
        cmocka_unit_test(the_model_may_go_first),
        cmocka_unit_test(only_the_outputs_are_allocated),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
