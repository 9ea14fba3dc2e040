/* SPDX-License-Identifier: MIT */
/* Corners where sizes, spans and memory meet their limits. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"

#include <deephealth.h>

static dh_tensor *on(float *data, int64_t n)
{
    dh_tensor *t;
    assert_int_equal(dh_tensor_from_memory(&t, data, DH_F32, 1, (int64_t[]){n}, NULL, NULL), DH_OK);
    return t;
}

/* Views that broadcast one element to more than any scratch could hold. */
static void huge_views_are_refused(void **state)
{
    (void)state;
    dh_tensor *one, *wide, *tall, *out[2] = {NULL, NULL};
    int64_t n = INT64_C(1) << 61;
    assert_int_equal(dh_tensor_ones(&one, {1, 1}, .dtype = DH_U8), DH_OK);
    assert_int_equal(dh_tensor_broadcast(&wide, one, 2, (int64_t[]){1, n}), DH_OK);
    assert_int_equal(dh_tensor_broadcast(&tall, one, 2, (int64_t[]){n, 1}), DH_OK);
    assert_int_equal(dh_tensor_matmul(&out[0], wide, tall), DH_EOVERFLOW);
    assert_int_equal(dh_tensor_topk(&out[0], &out[1], wide, 1, 1, false), DH_EOVERFLOW);
    assert_null(out[0]);
    dh_tensor_free(one);
    dh_tensor_free(wide);
    dh_tensor_free(tall);
}

/* Two tensors on the same memory of the caller's, one element apart. */
static void overlap_is_seen_in_foreign_memory(void **state)
{
    (void)state;
    float m[5] = {1, 2, 3, 4, 5};
    dh_tensor *p = on(m, 4), *q = on(m + 1, 4), *back;
    assert_int_equal(dh_tensor_apply(q, "neg", (const dh_tensor *[]){p}, 1), DH_OK);
    static const float want[5] = {1, -1, -2, -3, -4};
    assert_memory_equal(m, want, sizeof m);
    assert_int_equal(dh_tensor_slice(&back, p, "::-1"), DH_OK);
    assert_int_equal(dh_tensor_assign(q, back), DH_OK);
    static const float turned[5] = {1, -3, -2, -1, 1};
    assert_memory_equal(m, turned, sizeof m);
    dh_tensor_free(back);
    dh_tensor_free(p);
    dh_tensor_free(q);
}

static void a_failed_inverse_changes_nothing(void **state)
{
    (void)state;
    float x[8] = {1, 0, 0, 1, 0, 0, 0, 0}, y[8];
    dh_tensor *a, *b;
    for (int i = 0; i < 8; i++) y[i] = 7;
    int64_t shape[] = {2, 2, 2};
    assert_int_equal(dh_tensor_from_memory(&a, x, DH_F32, 3, shape, NULL, NULL), DH_OK);
    assert_int_equal(dh_tensor_from_memory(&b, y, DH_F32, 3, shape, NULL, NULL), DH_OK);
    assert_int_equal(dh_tensor_apply(b, "inverse", (const dh_tensor *[]){a}, 1), DH_ENUMERIC);
    for (int i = 0; i < 8; i++) assert_true(y[i] == 7);
    dh_tensor_free(a);
    dh_tensor_free(b);
}

static void expect_normal(const float *x, double low, double high, const float *want)
{
    float copy[3];
    memcpy(copy, x, sizeof copy);
    dh_tensor *t = on(copy, 3), *y;
    assert_int_equal(dh_tensor_normalize(&y, t, low, high), DH_OK);
    for (int i = 0; i < 3; i++) {
        double got = (double)((float *)dh_tensor_data(y))[i];
        if (!(fabs(got - (double)want[i]) <= 1e-6 * (fabs(high) + fabs(low))))
            fail_msg("element %d is %.9g, must be %.9g", i, got, (double)want[i]);
        assert_true(got >= (double)(float)low && got <= (double)(float)high);
    }
    dh_tensor_free(t);
    dh_tensor_free(y);
}

static void normalize_loses_nothing(void **state)
{
    (void)state;
    expect_normal((float[]){1000000.125f, 1000000.1875f, 1000000.5f}, 0, 255,
                  (float[]){0, 42.5f, 255});
    expect_normal((float[]){0, 1e-39f, 5e-40f}, 0, 1, (float[]){0, 1, 0.5f});
    expect_normal((float[]){-3e38f, 0, 3e38f}, 0, 1, (float[]){0, 0.5f, 1});
    expect_normal((float[]){4, 4, 4}, -3e38, 3e38, (float[]){-3e38f, -3e38f, -3e38f});
}

/* In f64 up to the largest numbers there are. */
static void normalize_reaches_far(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    double v[3] = {-1.7e308, 0, 1.7e308};
    assert_int_equal(dh_tensor_from_data(&x, v, DH_F64, 1, (int64_t[]){3}), DH_OK);
    assert_int_equal(dh_tensor_normalize(&y, x, -1.7e308, 1.7e308), DH_OK);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(((double *)dh_tensor_data(y))[i] - v[i]) <= 1e-12 * 1.7e308);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

#define SIDE 120

typedef struct task {
    const dh_tensor *x;
    const void *want;
    bool same;
} task;

static void *invert(void *payload)
{
    task *t = payload;
    t->same = true;
    for (int i = 0; i < 20; i++) {
        dh_tensor *y;
        if (dh_tensor_inverse(&y, t->x)) return NULL;
        t->same &= !t->want || !memcmp(dh_tensor_data(y), t->want, SIDE * SIDE * sizeof(double));
        dh_tensor_free(y);
    }
    return NULL;
}

/* Threads of the caller's that invert at the same time get the bits of one that is alone. */
static void inverses_meet(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    pthread_t thread[3];
    task t[3];
    assert_int_equal(dh_tensor_random_normal(&x, {SIDE, SIDE}, .dtype = DH_F64, .seed = 3), DH_OK);
    assert_int_equal(dh_tensor_inverse(&y, x), DH_OK);
    for (int i = 0; i < 3; i++) {
        t[i] = (task){x, dh_tensor_data(y), false};
        assert_int_equal(pthread_create(&thread[i], NULL, invert, &t[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        assert_true(t[i].same);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huge_views_are_refused),
        cmocka_unit_test(overlap_is_seen_in_foreign_memory),
        cmocka_unit_test(a_failed_inverse_changes_nothing),
        cmocka_unit_test(normalize_loses_nothing),
        cmocka_unit_test(normalize_reaches_far),
        cmocka_unit_test(inverses_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
