/* SPDX-License-Identifier: MIT */
/* Data of any dtype and strides give what the same numbers give as packed f32. */
#include "model_test.h"

enum { ROWS = 11, HIGH = 3, WIDE = 5 };

static dh_model *built(void)
{
    dh_model *net = dh_model_new("types");
    dh_layer *x = dh_dense(dh_flatten(dh_input(net, {HIGH, WIDE})), 4, .activation = "tanh");
    assert_ok(dh_build(net, dh_softmax(dh_dense(x, 3)), .loss = "cross_entropy",
                       .metrics = {"accuracy"}, .optimizer = dh_sgd(0.05f), .seed = 3));
    return net;
}

/* Whole numbers in 0..7 and in -3..4, which all dtypes but bool hold; each row its own. */
static dh_tensor *numbers(int64_t low)
{
    dh_tensor *x;
    assert_ok(dh_tensor_zeros(&x, {ROWS, HIGH, WIDE}));
    float *data = dh_tensor_data(x);
    for (int64_t i = 0; i < ROWS * HIGH * WIDE; i++) data[i] = (float)((i * 5 + i / 7) % 8 + low);
    return x;
}

static dh_tensor *labels(void)
{
    dh_tensor *y;
    assert_ok(dh_tensor_zeros(&y, {ROWS, 3}));
    for (int64_t i = 0; i < ROWS; i++) ((float *)dh_tensor_data(y))[i * 3 + i % 3] = 1;
    return y;
}

/* The same tensor, its axes in the memory in another order. */
static dh_tensor *turned(const dh_tensor *x)
{
    dh_tensor *a, *b, *c;
    assert_ok(dh_tensor_permute(&a, x, (int[]){2, 0, 1}));
    assert_ok(dh_tensor_copy(&b, a));
    assert_ok(dh_tensor_permute(&c, b, (int[]){1, 2, 0}));
    dh_tensor_free(a);
    dh_tensor_free(b);
    return c;
}

/* Every second row of a tensor of twice as many, whose other rows are not numbers. */
static dh_tensor *spread(const dh_tensor *x)
{
    dh_tensor *wide, *y;
    const int64_t row = HIGH * WIDE;
    assert_ok(dh_tensor_zeros(&wide, {2 * ROWS, HIGH, WIDE}));
    float *to = dh_tensor_data(wide);
    for (int64_t i = 0; i < 2 * ROWS * row; i++)
        to[i] = i / row % 2 ? NAN : ((const float *)dh_tensor_data(x))[i / row / 2 * row + i % row];
    assert_ok(dh_tensor_slice(&y, wide, "::2"));
    dh_tensor_free(wide);
    return y;
}

typedef struct outcome {
    dh_result before;
    char weights[65];
    float prediction[ROWS * 3];
} outcome;

/* Evaluates, trains two epochs and predicts in batches of 4, so that the last is of 3 rows. */
static outcome run(const dh_tensor *x, const dh_tensor *y)
{
    outcome o = {.weights = ""};
    dh_tensor *p;
    dh_model *net = built();
    assert_ok(dh_evaluate(net, x, y, .batch_size = 4, .result = &o.before, .quiet = true));
    assert_ok(dh_fit(net, x, y, .batch_size = 4, .epochs = 2, .quiet = true));
    assert_ok(dh_model_sha256(o.weights, net));
    assert_ok(dh_predict(&p, net, x, .batch_size = 4));
    assert_int_equal(dh_tensor_count(p), ROWS * 3);
    memcpy(o.prediction, dh_tensor_data(p), sizeof o.prediction);
    dh_tensor_free(p);
    dh_model_free(net);
    return o;
}

static void expect_like(const outcome *want, dh_tensor *x, dh_tensor *y, const char *what)
{
    outcome got = run(x, y);
    if (got.before.loss != want->before.loss || got.before.metrics[0] != want->before.metrics[0])
        fail_msg("%s: the loss is %.9g, want %.9g", what, got.before.loss, want->before.loss);
    if (strcmp(got.weights, want->weights) ||
        memcmp(got.prediction, want->prediction, sizeof got.prediction))
        fail_msg("%s: the trained model is another", what);
}

static void any_dtype(void **state)
{
    (void)state;
    static const dh_dtype types[] = {DH_F64, DH_F16, DH_BF16, DH_I8,  DH_U8, DH_I16,
                                     DH_U16, DH_I32, DH_U32,  DH_I64, DH_U64};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        bool is_signed =
            types[i] != DH_U8 && types[i] != DH_U16 && types[i] != DH_U32 && types[i] != DH_U64;
        dh_tensor *x = numbers(is_signed ? -3 : 0), *y = labels(), *cast_x, *cast_y, *turned_x;
        outcome want = run(x, y);
        assert_true(isfinite(want.before.loss) && want.before.loss > 0);
        assert_ok(dh_tensor_cast(&cast_x, x, types[i]));
        assert_ok(dh_tensor_cast(&cast_y, y, types[i]));
        turned_x = turned(cast_x);
        expect_like(&want, cast_x, y, dh_dtype_name(types[i]));
        expect_like(&want, x, cast_y, "the target");
        expect_like(&want, turned_x, cast_y, "both, turned");
        dh_tensor *all[] = {x, y, cast_x, cast_y, turned_x};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) dh_tensor_free(all[k]);
    }
}

static void any_strides(void **state)
{
    (void)state;
    dh_tensor *x = numbers(-3), *y = labels();
    outcome want = run(x, y);
    dh_tensor *views[] = {turned(x), spread(x)};
    for (int i = 0; i < 2; i++) {
        expect_like(&want, views[i], y, i ? "spread" : "turned");
        dh_tensor_free(views[i]);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

typedef struct heard {
    char text[512];
    int count;
} heard;

static void listen(dh_log_level level, const char *text, void *payload)
{
    heard *h = payload;
    if (level != DH_LOG_INFO) return;
    (void)snprintf(h->text, sizeof h->text, "%s", text);
    h->count++;
}

static void evaluate_says_its_figures(void **state)
{
    (void)state;
    heard h = {.count = 0};
    dh_result r;
    char want[128];
    dh_tensor *x = numbers(0), *y = labels();
    dh_model *net = built();
    dh_log_level level = dh_get_log_level();
    dh_set_log(listen, &h);
    dh_set_log_level(DH_LOG_INFO);
    assert_ok(dh_evaluate(net, x, y, .result = &r));
    assert_int_equal(h.count, 1);
    (void)snprintf(want, sizeof want, "evaluate: loss %.4f  accuracy %.4f", r.loss, r.metrics[0]);
    assert_string_equal(h.text, want);
    assert_ok(dh_evaluate(net, x, y, .quiet = true));
    assert_int_equal(h.count, 1);
    dh_set_log(NULL, NULL);
    dh_set_log_level(level);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_dtype),
        cmocka_unit_test(any_strides),
        cmocka_unit_test(evaluate_says_its_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
