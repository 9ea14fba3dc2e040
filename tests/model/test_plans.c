/* SPDX-License-Identifier: MIT */
/* How many plans a model makes for batches of several sizes: none twice. */
#include "model_test.h"

static dh_tensor *random_rows(int64_t rows)
{
    dh_tensor *x;
    assert_ok(dh_tensor_random_normal(&x, {rows, 3}, .seed = 1));
    return x;
}

static int count_plans(const dh_model *net)
{
    int count = 0;
    for (const dh__stage *s = net->first.stages; s; s = s->next) count++;
    return count;
}

/* Each size, three times round; the number of plans after it. */
static int plans_for(dh_model *net, const int64_t *sizes, int count, int batch_size)
{
    for (int i = 0; i < 3 * count; i++) {
        dh_tensor *x = random_rows(sizes[i % count]), *y;
        assert_ok(dh_predict(&y, net, x, .batch_size = batch_size));
        assert_int_equal(y->view.shape[0], sizes[i % count]);
        dh_tensor_free(x);
        dh_tensor_free(y);
    }
    return count_plans(net);
}

static void one_plan_serves_smaller_batches(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("net");
    assert_ok(dh_build(net, dh_dense(dh_input(net, {3}), 2)));
    assert_int_equal(plans_for(net, (const int64_t[]){9, 4, 7, 1}, 4, 0), 1);
    assert_int_equal(plans_for(net, (const int64_t[]){4, 20, 11}, 3, 10), 2); /* and one of 10 */
    dh_model_free(net);
}

/* x plus the sum of its rows from the fourth last to the third: fewer rows have more of them, so
 * that no plan for more rows has the room. */
static dh_value emit_odd(struct dh__build *b, const void *args, int in_count, const dh_value *in)
{
    dh_emitter *e = &b->graph->emitter;
    dh_slice_attr slice = {.count = 1, .start = {-4}, .stop = {3}, .step = {1}};
    dh_reduce_attr sum = {.axes = {1, {0}}, .keepdims = true};
    (void)args;
    (void)in_count;
    dh_value some = dh_emit1(e, DH_OP_SLICE, &slice, in[0]);
    some = dh_emit1(e, DH_OP_SUM, &sum, dh_emit1(e, DH_OP_EXP, NULL, some));
    return dh_emit2(e, DH_OP_ADD, NULL, in[0], some);
}

static void a_plan_of_one_size_is_made_once(void **state)
{
    (void)state;
    static const dh_field none[] = {{0}};
    static const dh__layer_def odd = {.kind = "odd",
                                      .args_size = sizeof(size_t),
                                      .fields = none,
                                      .in_min = 1,
                                      .in_max = 1,
                                      .emit = emit_odd};
    dh_model *net = dh_model_new("net");
    size_t args = sizeof args;
    dh_layer *x = dh_input(net, {3}), *y = dh__layer_new(&net->net, &odd, &args, 1, &x);
    assert_ok(dh_build(net, y));
    /* 11 rows are 7, of which none is summed, and 4, of which three are */
    assert_int_equal(plans_for(net, (const int64_t[]){11}, 1, 7), 2);
    assert_int_equal(plans_for(net, (const int64_t[]){11, 12, 7, 4}, 4, 7), 3);
    dh_tensor *in = random_rows(11), *out;
    assert_ok(dh_predict(&out, net, in, .batch_size = 7));
    const float *p = dh_tensor_data(in), *q = dh_tensor_data(out);
    for (int i = 0; i < 11 * 3; i++) {
        double sum = 0;
        for (int k = 7; i / 3 >= 7 && k < 10; k++) sum += exp((double)p[k * 3 + i % 3]);
        assert_near((double)q[i], (double)p[i] + sum, 1e-5);
    }
    dh_tensor_free(in);
    dh_tensor_free(out);
    dh_model_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_plan_serves_smaller_batches),
        cmocka_unit_test(a_plan_of_one_size_is_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
