/* SPDX-License-Identifier: MIT */
/* Passes over sources at their corners: calls in between, numbers at their limits. */
#include <stdlib.h>

#include "model_mistakes.h"

#define ROWS 60

typedef struct fixture {
    dh_tensor *x, *y;
    dh_model *net;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    make_blobs(&f->x, &f->y, ROWS, 4, 2, 3);
    f->net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_input(f->net, {4}), 2);
    assert_ok(dh_build(f->net, dh_softmax(h), .seed = 1, .loss = "cross_entropy", .accumulate = 2));
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

static dh_status three_batches(dh_batch *batch, int64_t epoch, int64_t index, void *payload)
{
    (void)epoch;
    (void)payload;
    if (index < 3) make_blobs(&batch->x[0], &batch->y[0], 6, 4, 2, (uint64_t)index + 7);
    return DH_OK;
}

/* More plans than are kept, after the last step. */
static dh_status evaluate_often(dh_callback *self, dh_event *e)
{
    const fixture *f = self->payload;
    for (int b = 1; b <= ROWS && e->step == 3; b++)
        DH_TRY(dh_evaluate(e->model, f->x, f->y, .batch_size = b, .quiet = true));
    return DH_OK;
}

static void evaluations_leave_the_last_update(void **state)
{
    fixture *f = *state;
    char want[65], got[65];
    dh_source *s;
    dh_tensor *first;
    assert_ok(dh_source_new(&s, three_batches));
    assert_ok(dh_model_parameter(&first, f->net, "dense1/weight"));
    float before[8];
    read_floats(before, first);
    assert_ok(dh_fit(f->net, .source = s, .quiet = true));
    assert_ok(dh_model_sha256(want, f->net));
    write_floats(first, before);
    dh_tensor_free(first);
    assert_ok(dh_model_parameter(&first, f->net, "dense1/bias"));
    write_floats(first, (const float[2]){0});
    dh_tensor_free(first);
    assert_ok(
        dh_fit(f->net, .source = s, .quiet = true,
               .callbacks = {{.call = evaluate_often, .payload = f, .moments = DH_STEP_END}}));
    assert_ok(dh_model_sha256(got, f->net));
    assert_string_equal(got, want);
    dh_source_free(s);
}

static dh_status evaluate_on(dh_callback *self, dh_event *e)
{
    return e->step == 2 ? dh_evaluate(e->model, .source = self->payload, .quiet = true) : DH_OK;
}

/* Batches in another's order, or none for ever, without a word. */
static void a_source_serves_one_pass_at_a_time(void **state)
{
    fixture *f = *state;
    for (int ahead = 0; ahead < 2; ahead++) {
        dh_source *s;
        assert_ok(dh_source_tensors(&s, f->x, f->y, .batch_size = 4));
        if (ahead) assert_ok(dh_source_prefetch(&s, s));
        assert_error(
            dh_fit(f->net, .source = s, .quiet = true,
                   .callbacks = {{.call = evaluate_on, .payload = s, .moments = DH_STEP_END}}),
            DH_ESTATE, "fit: the source was started again amid a pass, before batch 2");
        assert_ok(dh_fit(f->net, .source = s, .validation_source = s, .quiet = true));
        dh_source_free(s);
    }
}

static void numbers_at_their_limits(void **state)
{
    fixture *f = *state;
    dh_source *s;
    dh_batch b = {0};
    dh_tensor *many, *none;
    assert_ok(dh_source_new(&s, three_batches));
    assert_ok(dh_source_prefetch(&s, s));
    assert_ok(dh_source_start(s, 0, INT64_MAX - 1));
    assert_ok(dh_source_next(&b, s));
    assert_null(b.x[0]);
    dh_source_free(s);
    assert_ok(dh_source_new(&s, three_batches, .batches = INT64_MAX / 2));
    CALL(dh_fit(f->net, .source = s, .epochs = 9, .quiet = true, .callbacks = {dh_lr_cosine()}),
         "fit: lr_cosine: steps is 0, and 9 epochs of 4611686018427387903 steps are too many");
    dh_source_free(s);
    assert_ok(dh_tensor_full(&many, 1e308, {ROWS}, .dtype = DH_F64));
    CALL(dh_source_tensors(&s, f->x, f->y, .weights = many),
         "source_tensors: the sum of weights is inf, must be finite and above 0");
    assert_ok(dh_tensor_slice(&none, f->y, ":,0:0"));
    CALL(dh_source_tensors(&s, f->x, none, .balance = true),
         "source_tensors: balance: y has no classes, needs [N] or [N, classes]");
    none_wrong();
    dh_tensor_free(many);
    dh_tensor_free(none);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(evaluations_leave_the_last_update),
        TEST(a_source_serves_one_pass_at_a_time),
        TEST(numbers_at_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
