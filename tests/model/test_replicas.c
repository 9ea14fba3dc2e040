/* SPDX-License-Identifier: MIT */
/* Replicas that share batches: with lsb 1 as one device on the whole batch, with lsb n by
 * themselves for n batches. Oracles are models of one replica. */
#include <math.h>
#include <unistd.h>

#include "folder_test.h"
#include "model_test.h"

#define ROWS 23

typedef struct recipe {
    dh_optimizer optimizer;
    int replicas, lsb, accumulate;
    float global_norm, l2, rate; /* rate: of dropout */
    bool norm, synchronized;
    const char *memory;
} recipe;

static dh_model *make(const recipe *r)
{
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_input(net, {5}), 7, .activation = "tanh", .name = "a",
                           .weight_reg = {.l2 = r->l2});
    if (r->norm)
        h = dh_batch_normalization(h, .name = "n", .momentum = 0.5f,
                                   .synchronized = r->synchronized);
    if (r->rate > 0) h = dh_dropout(h, r->rate);
    if (r->rate > 0) h = dh_gaussian_noise(h, 0.1f);
    h = dh_softmax(dh_dense(h, 3, .name = "b"));
    assert_ok(dh_build(net, h, .loss = "cross_entropy", .optimizer = r->optimizer,
                       .metrics = {"categorical_accuracy"}, .seed = 11,
                       .clip_global_norm = r->global_norm, .accumulate = r->accumulate,
                       .device = dh_cs_cpu(.threads = 2, .memory = r->memory,
                                           .replicas = r->replicas, .lsb = r->lsb)));
    return net;
}

/* Greatest difference of the two models' parameters and states. */
static double apart(dh_model *a, dh_model *b)
{
    double most = 0;
    for (int i = 0; i < dh_model_parameter_count(a); i++) {
        dh_tensor *s, *t;
        float x[64], y[64];
        const char *name = dh_model_parameter_name(a, i);
        assert_ok(dh_model_parameter(&s, a, name));
        assert_ok(dh_model_parameter(&t, b, name));
        assert_in_range(dh_tensor_count(s), 1, 64);
        read_floats(x, s);
        read_floats(y, t);
        for (int64_t k = 0; k < dh_tensor_count(s); k++) {
            double d = fabs((double)x[k] - (double)y[k]);
            if (!(d <= most)) most = d; /* a NaN is the greatest */
        }
        dh_tensor_free(s);
        dh_tensor_free(t);
    }
    return most;
}

static void one_device_on_the_whole_batch(void **state)
{
    (void)state;
    dh_tensor *x, *y, *weights;
    make_blobs(&x, &y, ROWS, 5, 3, 4);
    assert_ok(dh_tensor_random_uniform(&weights, {ROWS}, .seed = 3));
    const recipe recipes[] = {
        {.optimizer = dh_sgd(0.1f, .momentum = 0.9f), .rate = 0.4f},
        {.optimizer = dh_adam(0.01f), .l2 = 0.01f, .global_norm = 0.5f},
        {.optimizer = dh_rmsprop(0.01f), .accumulate = 2, .rate = 0.3f},
        {.optimizer = dh_sgd(0.1f), .accumulate = 3, .memory = "low_mem"},
        {.optimizer = dh_sgd(0.1f), .norm = true, .synchronized = true},
        {.optimizer = dh_sgd(0.1f),
         .norm = true,
         .synchronized = true,
         .accumulate = 3,
         .memory = "mid_mem"},
        {.optimizer = dh_sgd(0.1f),
         .norm = true,
         .synchronized = true,
         .rate = 0.2f,
         .memory = "low_mem"},
    };
    for (size_t i = 0; i < DH_COUNT(recipes); i++)
        for (int replicas = 2; replicas < 7; replicas += i ? 2 : 1) {
            recipe many = recipes[i];
            many.replicas = replicas;
            dh_model *one = make(&recipes[i]), *net = make(&many);
            dh_model *both[] = {one, net};
            for (int k = 0; k < 2; k++) /* batches of 10, 10 and 3 rows */
                assert_ok(dh_fit(both[k], x, y, .batch_size = 10, .epochs = 3, .quiet = true,
                                 .sample_weight = weights));
            assert_true(apart(one, net) < 2e-6);
            int count;
            const dh_epoch *want = dh_model_history(one, NULL), *e = dh_model_history(net, &count);
            assert_int_equal(count, 3);
            for (int k = 0; k < 3; k++) {
                assert_int_equal(e[k].train.samples, ROWS);
                assert_true(near(e[k].train.loss, want[k].train.loss, 1e-5));
                assert_true(near(e[k].train.metrics[0], want[k].train.metrics[0], 1e-9));
            }
            dh_model_free(one);
            dh_model_free(net);
        }
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(weights);
}

static void gradients_are_the_batchs(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, 5, 3, 4);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    recipe r = {.optimizer = dh_sgd(0.1f), .replicas = 1, .rate = 0.5f};
    dh_model *one = make(&r);
    r.replicas = 4;
    dh_model *net = make(&r);
    dh_result a, b;
    assert_ok(dh_train_batch(one, xs, ys, &a));
    assert_ok(dh_train_batch(net, xs, ys, &b));
    assert_true(near(a.loss, b.loss, 1e-6) && a.samples == b.samples);
    dh_tensor *g, *h;
    assert_ok(dh_model_gradient(&g, one, "a/weight"));
    assert_ok(dh_model_gradient(&h, net, "a/weight"));
    float want[35], got[35];
    read_floats(want, g);
    read_floats(got, h);
    double off = 0, all = 0;
    for (int k = 0; k < 35; k++) {
        off += pow((double)want[k] - (double)got[k], 2);
        all += (double)want[k] * (double)want[k];
    }
    assert_true(all > 1e-6 && sqrt(off / all) < 1e-5);
    dh_tensor_free(g);
    dh_tensor_free(h);
    dh_model_free(one);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static dh_tensor *rows_of(const dh_tensor *x, int64_t begin, int64_t end)
{
    dh_tensor *copy;
    char range[32];
    snprintf(range, sizeof range, "%d:%d", (int)begin, (int)end);
    assert_ok(dh_tensor_slice(&copy, x, range));
    return copy;
}

static void give(dh_model *to, dh_model *from, const dh_model *other, double share)
{
    for (int i = 0; i < dh_model_parameter_count(to); i++) {
        dh_tensor *t, *a, *b;
        float x[64], y[64];
        const char *name = dh_model_parameter_name(to, i);
        assert_ok(dh_model_parameter(&t, to, name));
        assert_ok(dh_model_parameter(&a, from, name));
        assert_ok(dh_model_parameter(&b, other, name));
        read_floats(x, a);
        read_floats(y, b);
        for (int64_t k = 0; k < dh_tensor_count(t); k++)
            x[k] = (float)(share * (double)x[k] + (1 - share) * (double)y[k]);
        write_floats(t, x);
        dh_tensor_free(t);
        dh_tensor_free(a);
        dh_tensor_free(b);
    }
}

/* Two replicas against two models that train on their rows and are averaged by hand after each
 * second batch: of 5 and 4 rows, of which the first takes 3 and 2. Running statistics too. */
static void each_alone_for_lsb_batches(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 9, 5, 3, 4);
    const int64_t cut[] = {0, 3, 5, 7, 9};
    recipe r = {.optimizer = dh_sgd(0.2f), .norm = true};
    dh_model *half[2] = {make(&r), make(&r)};
    r.replicas = 2;
    r.lsb = 2;
    dh_model *net = make(&r);
    for (int round = 0; round < 3; round++) {
        for (int batch = 0; batch < 2; batch++) {
            dh_tensor *bx = rows_of(x, cut[2 * batch], cut[2 * batch + 2]);
            dh_tensor *by = rows_of(y, cut[2 * batch], cut[2 * batch + 2]);
            const dh_tensor *xs[] = {bx}, *ys[] = {by};
            assert_ok(dh_train_batch(net, xs, ys, NULL));
            dh_tensor_free(bx);
            dh_tensor_free(by);
            for (int i = 0; i < 2; i++) {
                bx = rows_of(x, cut[2 * batch + i], cut[2 * batch + i + 1]);
                by = rows_of(y, cut[2 * batch + i], cut[2 * batch + i + 1]);
                xs[0] = bx;
                ys[0] = by;
                assert_ok(dh_train_batch(half[i], xs, ys, NULL));
                dh_tensor_free(bx);
                dh_tensor_free(by);
            }
        }
        assert_true(apart(half[0], half[1]) > 1e-3);
        give(half[0], half[0], half[1], 5.0 / 9);
        give(half[1], half[0], half[0], 1);
        assert_true(apart(half[0], net) < 1e-6);
    }
    for (int i = 0; i < 2; i++) dh_model_free(half[i]);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Running statistics of one batch, whose parts have statistics of their own. */
static void statistics_are_averaged(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 5, 5, 3, 4);
    recipe r = {.optimizer = dh_sgd(0), .norm = true};
    dh_model *half[2] = {make(&r), make(&r)};
    r.replicas = 2;
    dh_model *net = make(&r);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    assert_ok(dh_train_batch(net, xs, ys, NULL));
    for (int i = 0; i < 2; i++) {
        dh_tensor *px = rows_of(x, i ? 3 : 0, i ? 5 : 3), *py = rows_of(y, i ? 3 : 0, i ? 5 : 3);
        xs[0] = px;
        ys[0] = py;
        assert_ok(dh_train_batch(half[i], xs, ys, NULL));
        dh_tensor_free(px);
        dh_tensor_free(py);
    }
    assert_true(apart(half[0], net) > 1e-3);
    give(half[0], half[0], half[1], 3.0 / 5);
    assert_true(apart(half[0], net) < 1e-6);
    for (int i = 0; i < 2; i++) dh_model_free(half[i]);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Whoever reads the parameters between two averages sees one: the mean until there. */
static void reading_averages(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    char hash[3][65];
    make_blobs(&x, &y, 8, 5, 3, 4);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    const recipe each = {.optimizer = dh_adam(0.05f), .replicas = 3, .lsb = 1000};
    const recipe first = {.optimizer = dh_adam(0.05f), .replicas = 3, .lsb = 1};
    dh_model *a = make(&each), *b = make(&each), *c = make(&first);
    for (int i = 0; i < 3; i++) {
        assert_ok(dh_train_batch(a, xs, ys, NULL));
        assert_ok(dh_train_batch(b, xs, ys, NULL));
        assert_ok(dh_train_batch(c, xs, ys, NULL));
        dh_tensor *p;
        assert_ok(dh_predict(&p, b, x)); /* averages b: from here on it goes another way */
        dh_tensor_free(p);
    }
    assert_ok(dh_model_sha256(hash[0], a));
    assert_ok(dh_model_sha256(hash[1], b));
    assert_ok(dh_model_sha256(hash[2], a));
    assert_string_not_equal(hash[0], hash[1]);
    assert_string_equal(hash[0], hash[2]);
    assert_true(apart(a, c) > 1e-4);
    /* the mean is there: the first replica alone has another */
    dh_model_free(a);
    dh_model_free(b);
    dh_model_free(c);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Values set, weights loaded, rates, freezing and a move amid training reach every replica. */
static void all_follow_the_first(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 12, 5, 3, 4);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    recipe r = {.optimizer = dh_adam(0.03f), .rate = 0.2f};
    dh_model *one = make(&r);
    r.replicas = 3;
    dh_model *net = make(&r), *both[] = {one, net};
    for (int i = 0; i < 2; i++) {
        dh_tensor *t;
        assert_ok(dh_train_batch(both[i], xs, ys, NULL));
        assert_ok(dh_model_parameter(&t, both[i], "a/weight"));
        set_at(t, 3, 0.75f);
        dh_tensor_free(t);
        assert_ok(dh_train_batch(both[i], xs, ys, NULL));
        assert_ok(dh_model_lr_scale(both[i], "b/weight", 0.125f));
        assert_ok(dh_train_batch(both[i], xs, ys, NULL));
        assert_ok(dh_layer_freeze(dh_model_layer(both[i], "a"), true));
        assert_ok(dh_train_batch(both[i], xs, ys, NULL));
        assert_ok(dh_layer_freeze(dh_model_layer(both[i], "a"), false));
        /* in parts, which the first place does alone */
        assert_ok(dh_zero_grads(both[i]));
        assert_ok(dh_forward(both[i], xs, true));
        assert_ok(dh_backward(both[i], ys, NULL));
        assert_ok(dh_update(both[i]));
        assert_ok(dh_train_batch(both[i], xs, ys, NULL));
    }
    assert_true(apart(one, net) < 1e-5);
    /* with what its optimiser has, to two replicas and back to one */
    const char *device = getenv("DH_TEST_DEVICE");
    dh_cs cs = dh_cs_cpu(.replicas = 2);
    if (device) cs.device = device;
    assert_ok(dh_model_to_device(net, cs));
    for (int i = 0; i < 2; i++) assert_ok(dh_train_batch(both[i], xs, ys, NULL));
    assert_true(apart(one, net) < 1e-5);
    cs.replicas = 1;
    assert_ok(dh_model_to_device(net, cs));
    for (int i = 0; i < 2; i++) assert_ok(dh_train_batch(both[i], xs, ys, NULL));
    assert_true(apart(one, net) < 1e-5);
    dh_model_free(one);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* A run of two epochs, and one that goes on after the first from its checkpoint: the same bits. */
static void checkpoints_hold_all(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, 5, 3, 4);
    for (int lsb = 1; lsb < 4; lsb += 2) {
        char whole[65], parts[65], dir[] = "/tmp/dh_replicas_XXXXXX";
        recipe r = {
            .optimizer = dh_adam(0.03f), .replicas = 3, .lsb = lsb, .norm = true, .rate = 0.2f};
        dh_model *a = make(&r), *b = make(&r), *c = make(&r);
        assert_non_null(mkdtemp(dir));
        assert_ok(dh_fit(a, x, y, .batch_size = 5, .epochs = 2, .quiet = true));
        assert_ok(dh_fit(b, x, y, .batch_size = 5, .epochs = 1, .quiet = true, .checkpoint = dir));
        assert_ok(dh_fit(c, x, y, .batch_size = 5, .epochs = 2, .quiet = true, .checkpoint = dir,
                         .resume = true));
        assert_ok(dh_model_sha256(whole, a));
        assert_ok(dh_model_sha256(parts, c));
        assert_string_equal(whole, parts);
        remove_files(dir);
        assert_int_equal(rmdir(dir), 0);
        dh_model_free(a);
        dh_model_free(b);
        dh_model_free(c);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* A batch whose second part has no finite loss leaves all as it was, and says where it is. */
static void a_bad_part_is_named(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    char before[65], after[65];
    make_blobs(&x, &y, 10, 5, 3, 4);
    ((float *)dh_tensor_data(x))[7 * 5] = NAN;
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    for (int lsb = 1; lsb < 3; lsb++) {
        recipe r = {.optimizer = dh_sgd(0.1f), .replicas = 2, .lsb = lsb, .norm = true};
        dh_model *net = make(&r);
        assert_ok(dh_model_sha256(before, net));
        assert_error(dh_train_batch(net, xs, ys, NULL), DH_ENUMERIC,
                     "train_batch: rows [5, 10) of the batch, on ", "NaN or infinity");
        assert_ok(dh_model_sha256(after, net));
        assert_string_equal(before, after);
        dh_model_free(net);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Of two models on one store, one with replicas, each reads what the other has left. */
/* Whatever else is made again for want of memory, replicas meet as often: twice on the way there
 * and twice on the way back for each normalisation. */
static void sums_are_kept(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, 16, 5, 3, 4);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    const char *const levels[] = {"full_mem", "mid_mem", "low_mem"};
    int nodes[3];
    for (int i = 0; i < 3; i++) {
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_input(net, {5});
        for (int k = 0; k < 6; k++)
            h = dh_sigmoid(dh_batch_normalization(dh_dense(h, 24), .synchronized = true));
        assert_ok(dh_build(net, dh_softmax(dh_dense(h, 3)), .loss = "cross_entropy",
                           .optimizer = dh_sgd(0.1f),
                           .device = dh_cs_cpu(.memory = levels[i], .replicas = 2)));
        assert_ok(dh_train_batch(net, xs, ys, NULL));
        const dh__graph *g = net->first.stages->plan->graph;
        int sums = 0;
        for (int k = 0; k < g->node_count; k++) sums += g->nodes[k]->op == DH_OP_ALL_SUM;
        assert_int_equal(sums, 6 * 4);
        nodes[i] = g->node_count;
        dh_model_free(net);
    }
    assert_true(nodes[1] > nodes[0] && nodes[2] > nodes[0]);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* What is summed over replicas must be as large in each. Even parts have it, uneven ones are told.
 */
static void sums_over_rows(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    char before[65], after[65];
    make_blobs(&x, &y, 10, 5, 3, 4);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    for (int replicas = 1; replicas < 5; replicas++) {
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_operation("all_sum", {dh_dense(dh_input(net, {5}), 3)});
        assert_ok(dh_build(net, dh_softmax(h), .loss = "cross_entropy", .optimizer = dh_sgd(0.1f),
                           .seed = 11, .device = dh_cs_cpu(.replicas = replicas)));
        assert_ok(dh_model_sha256(before, net));
        if (replicas < 3)
            assert_ok(dh_train_batch(net, xs, ys, NULL));
        else
            assert_error(dh_train_batch(net, xs, ys, NULL), DH_ESHAPE, "all_sum", "replica",
                         replicas == 3 ? "4 and 3 rows" : "3 and 2 rows");
        assert_ok(dh_model_sha256(after, net));
        assert_int_equal(!strcmp(before, after), replicas >= 3);
        dh_model_free(net);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void a_shared_store_is_kept_one(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    char hash[2][65];
    make_blobs(&x, &y, 8, 5, 3, 4);
    const dh_tensor *xs[] = {x}, *ys[] = {y};
    recipe r = {.optimizer = dh_sgd(0.1f), .replicas = 2, .lsb = 50};
    dh_model *net = make(&r), *other = dh_model_new("other", .share = net);
    dh_layer *h = dh_dense(dh_input(other, {5}), 7, .activation = "tanh", .name = "a");
    assert_ok(dh_build(other, dh_softmax(dh_dense(h, 3, .name = "b")), .loss = "cross_entropy",
                       .optimizer = dh_sgd(0.1f)));
    for (int i = 0; i < 3; i++) {
        assert_ok(dh_train_batch(net, xs, ys, NULL));
        assert_ok(dh_model_sha256(hash[0], other));
        assert_ok(dh_model_sha256(hash[1], net));
        assert_string_equal(hash[0], hash[1]);
        assert_ok(dh_train_batch(other, xs, ys, NULL));
        assert_ok(dh_model_sha256(hash[1], net));
        assert_string_not_equal(hash[0], hash[1]);
    }
    dh_model_free(net);
    dh_model_free(other);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void mistakes(void **state)
{
    (void)state;
    recipe r = {.optimizer = dh_sgd(0.1f)};
    dh_model *net = make(&r);
    dh_cs cs = dh_cs_cpu(.replicas = -1);
    assert_error(dh_model_to_device(net, cs), DH_EINVAL, "replicas is -1", "[0, 64]");
    cs = dh_cs_cpu(.replicas = 2, .lsb = -3);
    assert_error(dh_model_to_device(net, cs), DH_EINVAL, "lsb is -3", "at least 0");
    assert_error(dh_model_to_cpu(net, .replicas = 65), DH_EINVAL, "model_to_cpu", "replicas is 65");
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_device_on_the_whole_batch),
        cmocka_unit_test(gradients_are_the_batchs),
        cmocka_unit_test(each_alone_for_lsb_batches),
        cmocka_unit_test(statistics_are_averaged),
        cmocka_unit_test(reading_averages),
        cmocka_unit_test(all_follow_the_first),
        cmocka_unit_test(checkpoints_hold_all),
        cmocka_unit_test(a_bad_part_is_named),
        cmocka_unit_test(sums_are_kept),
        cmocka_unit_test(sums_over_rows),
        cmocka_unit_test(a_shared_store_is_kept_one),
        cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
