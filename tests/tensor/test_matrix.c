/* SPDX-License-Identifier: MIT */
/* Linear algebra by the eager API. */
#include <deephealth/tensor_linalg.h>

#include "cpu.h"
#include "expect.h"

static void test_matmul(void **state)
{
    (void)state;
    dh_tensor *a = counted(DH_F32, SHAPE(2, 3)), *b = counted(DH_F32, SHAPE(3, 2)), *y = NULL,
              *t = NULL;
    dh_tensor *v = make(DH_I16, SHAPE(3), VALUES(1, 2, 3)), *s = make(DH_F32, 0, NULL, VALUES(2));
    dh_tensor *flags = make(DH_BOOL, SHAPE(2, 2), VALUES(1, 0, 1, 1));
    assert_int_equal(dh_tensor_matmul(&y, a, b), DH_OK);
    expect(y, SHAPE(2, 2), VALUES(10, 13, 28, 40));
    assert_int_equal(dh_tensor_matmul(&y, a, v), DH_OK); /* i16 meets f32 */
    assert_int_equal(dh_tensor_dtype(y), DH_F32);
    expect(y, SHAPE(2), VALUES(8, 26));
    assert_int_equal(dh_tensor_matmul(&y, v, b), DH_OK);
    expect(y, SHAPE(2), VALUES(16, 22));
    assert_int_equal(dh_tensor_transpose(&t, b, 0, 1), DH_OK);
    assert_int_equal(dh_tensor_transpose(&y, a, 0, 1), DH_OK);
    dh_tensor *p = NULL;
    assert_int_equal(dh_tensor_matmul(&p, t, y), DH_OK); /* (a b)^T without a copy */
    expect(p, SHAPE(2, 2), VALUES(10, 28, 13, 40));
    dh_tensor_free(y);
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_matmul(&y, a, a), "a [2, 3]", "rows of 3");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_matmul(&y, a, s), "[2, 3]", "[]");
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_matmul(&y, flags, flags), "matmul", "bool");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_matmul(&y, a, NULL), "tensor_matmul", "b is NULL");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_matmul(NULL, a, b), "tensor_matmul", "out is NULL");
    assert_null(y);
    dh_tensor *big = counted(DH_F32, SHAPE(2, 3, 3)), *other = counted(DH_F32, SHAPE(4, 3, 3));
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_matmul(&y, big, other), "[2]", "[4]");
    dh_tensor_free(big);
    dh_tensor_free(other);
    dh_tensor_free(t);
    dh_tensor_free(a);
    dh_tensor_free(b);
    dh_tensor_free(v);
    dh_tensor_free(s);
    dh_tensor_free(flags);
}

static void test_integers_wrap(void **state)
{
    (void)state;
    dh_tensor *a = make(DH_U8, SHAPE(2), VALUES(200, 100)), *y = NULL;
    assert_int_equal(dh_tensor_matmul(&y, a, a), DH_OK);
    assert_int_equal(dh_tensor_dtype(y), DH_U8);
    expect(y, 0, NULL, VALUES((200 * 200 + 100 * 100) % 256));
    dh_tensor_free(a);
    a = make(DH_I64, SHAPE(1, 1), VALUES(0));
    *(int64_t *)dh_tensor_data(a) = ((int64_t)1 << 62) + 1;
    assert_int_equal(dh_tensor_matmul(&y, a, a), DH_OK);
    assert_true(*(int64_t *)dh_tensor_data(y) == (int64_t)(((uint64_t)1 << 63) + 1));
    dh_tensor_free(y);
    dh_tensor_free(a);
}

static void test_dot_outer(void **state)
{
    (void)state;
    dh_tensor *v = make(DH_F64, SHAPE(3), VALUES(1, 2, 3)), *s = make(DH_F64, 0, NULL, VALUES(2)),
              *y = NULL;
    dh_tensor *a = counted(DH_F64, SHAPE(2, 3)), *b = counted(DH_F64, SHAPE(2, 3, 2));
    assert_int_equal(dh_tensor_dot(&y, v, v), DH_OK);
    expect(y, 0, NULL, VALUES(14));
    assert_int_equal(dh_tensor_dot(&y, v, s), DH_OK);
    expect(y, SHAPE(3), VALUES(2, 4, 6));
    assert_int_equal(dh_tensor_dot(&y, a, v), DH_OK);
    expect(y, SHAPE(2), VALUES(8, 26));
    assert_int_equal(dh_tensor_dot(&y, a, b),
                     DH_OK); /* y[i, k, m] = sum over j of a[i, j] b[k, j, m] */
    expect(y, SHAPE(2, 2, 2), VALUES(10, 13, 28, 31, 28, 40, 100, 112));
    assert_int_equal(dh_tensor_outer(&y, v, a), DH_OK);
    expect_shape(y, SHAPE(3, 6));
    assert_true(element(y, 11) == 10 && element(y, 17) == 15);
    dh_tensor_free(y);
    y = NULL;
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_dot(&y, v, a), "[3]", "[2, 3]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_outer(&y, NULL, a), "tensor_outer", "a is NULL");
    assert_null(y);
    dh_tensor_free(v);
    dh_tensor_free(s);
    dh_tensor_free(a);
    dh_tensor_free(b);
}

static void test_inverse_det(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(2, 2, 2), VALUES(0, 2, 4, 0, 1, 2, 3, 5)), *y = NULL;
    assert_int_equal(dh_tensor_inverse(&y, x), DH_OK); /* a zero pivot needs an exchange of rows */
    expect(y, SHAPE(2, 2, 2), VALUES(0, 0.25, 0.5, 0, -5, 2, 3, -1));
    assert_int_equal(dh_tensor_det(&y, x), DH_OK);
    expect(y, SHAPE(2), VALUES(-8, -1));
    dh_tensor_free(x);
    x = make(DH_F64, SHAPE(2, 2, 2), VALUES(1, 0, 0, 1, 1, 2, 2, 4));
    assert_int_equal(dh_tensor_det(&y, x), DH_OK);
    expect(y, SHAPE(2), VALUES(1, 0));
    y = NULL;
    EXPECT_FAIL(DH_ENUMERIC, dh_tensor_inverse(&y, x), "inverse", "matrix 1 of the batch of 2");
    dh_tensor_free(x);
    x = counted(DH_F32, SHAPE(2, 3));
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_inverse(&y, x), "inverse", "[2, 3]");
    EXPECT_FAIL(DH_ESHAPE, dh_tensor_det(&y, x), "det", "[2, 3]");
    EXPECT_FAIL(DH_EINVAL, dh_tensor_det(&y, NULL), "tensor_det", "x is NULL");
    dh_tensor_free(x);
    x = make(DH_I32, SHAPE(1, 1), VALUES(1));
    EXPECT_FAIL(DH_EDTYPE, dh_tensor_inverse(&y, x), "inverse", "i32");
    assert_null(y);
    dh_tensor_free(x);
}

/* Every implementation of inverse and det says the same of a singular matrix late in a batch. */
static void test_every_solver(void **state)
{
    (void)state;
    enum { BATCH = 41, N = 9 };
    dh_tensor *x = NULL, *y = NULL, *product = NULL;
    assert_int_equal(dh_tensor_random_normal(&x, {BATCH, N, N}, .dtype = DH_F64, .seed = 3), DH_OK);
    assert_int_equal(dh_tensor_new(&y, DH_F64, 3, (int64_t[]){BATCH, N, N}), DH_OK);
    for (int i = 0; dh_cpu_inverse[i]; i++) {
        dh_call call = {
            .op = &dh_op_inverse, .in_count = 1, .out_count = 1, .in = &x->view, .out = &y->view};
        if (dh_cpu_inverse[i]->refuse && dh_cpu_inverse[i]->refuse(&call)) continue;
        call.scratch = dh__alloc(dh_cpu_inverse[i]->scratch(&call));
        assert_non_null(call.scratch);
        assert_int_equal(dh_cpu_inverse[i]->run(&call), DH_OK);
        assert_int_equal(dh_tensor_matmul(&product, x, y), DH_OK);
        for (int64_t k = 0; k < dh_tensor_count(product); k++) {
            double want = k % N == k / N % N ? 1 : 0;
            assert_true(fabs(element(product, k) - want) <= 1e-8);
        }
        dh_tensor_free(product);
        double *row = (double *)dh_tensor_data(x) + 37 * N * N, saved[N];
        memcpy(saved, row, sizeof saved);
        memset(row, 0, sizeof saved);
        EXPECT_FAIL(DH_ENUMERIC, dh_cpu_inverse[i]->run(&call), "matrix 37", "batch of 41");
        memcpy(row, saved, sizeof saved);
        dh__free(call.scratch);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* Every implementation, of matrices whose pivots' product leaves the range of double on the way. */
static void test_det_range(void **state)
{
    (void)state;
    static const struct {
        double diagonal[4], want;
    } cases[] = {{{1e200, 1e200, 1e-200, -1e-200}, -1},
                 {{1e-200, 1e-200, 1e200, 1e200}, 1},
                 {{0x1p-1022, 0x1p-1022, 0x1p1023, 0x1p1021}, 1},
                 {{0x1p1000, 0x1p1000, 2, 2}, INFINITY},
                 {{0x1p-1000, -0x1p-1000, 2, 2}, -0.0},
                 {{0x1p-1000, 0x1p-60, 1, 1}, 0x1p-1060},
                 {{0x1p-1070, 0x1p30, 3, 1}, 0x1.8p-1039},
                 {{0x1p-1040, 0x1p-1030, 0x1p1023, 0x1p1000}, 0x1p-47},
                 {{1e200, 1e200, 0, 5}, 0},
                 {{1e200, 0, NAN, 5}, NAN},
                 {{-INFINITY, 1e-300, 1e-300, 1}, -INFINITY}};
    dh_tensor *y = make(DH_F64, SHAPE(1), VALUES(7));
    for (size_t c = 0; c < DH_COUNT(cases); c++)
        for (int i = 0; dh_cpu_det[i]; i++) {
            dh_tensor *x = NULL;
            assert_int_equal(dh_tensor_zeros(&x, {1, 4, 4}, .dtype = DH_F64), DH_OK);
            for (int k = 0; k < 4; k++) ((double *)dh_tensor_data(x))[5 * k] = cases[c].diagonal[k];
            dh_call call = {
                .op = &dh_op_det, .in_count = 1, .out_count = 1, .in = &x->view, .out = &y->view};
            if (!dh_cpu_det[i]->refuse || !dh_cpu_det[i]->refuse(&call)) {
                call.scratch = dh__alloc(dh_cpu_det[i]->scratch(&call));
                assert_non_null(call.scratch);
                assert_int_equal(dh_cpu_det[i]->run(&call), DH_OK);
                double got = element(y, 0), want = cases[c].want;
                bool same = isnan(want) ? isnan(got)
                                        : got == want || fabs(got - want) <= 1e-15 * fabs(want);
                if (!same)
                    fail_msg("case %d, %s: %g, not %g", (int)c, dh_cpu_det[i]->name, got, want);
                dh__free(call.scratch);
            }
            dh_tensor_free(x);
        }
    dh_tensor_free(y);
}

static dh_status work_matrix(void *context)
{
    const dh_tensor *x = context;
    dh_tensor *y = NULL;
    DH_TRY(dh_tensor_outer(&y, x, x));
    dh_tensor_free(y);
    DH_TRY(dh_tensor_dot(&y, x, x));
    dh_tensor_free(y);
    DH_TRY(dh_tensor_inverse(&y, x));
    dh_tensor_free(y);
    return DH_OK;
}

static void test_allocation_failure(void **state)
{
    (void)state;
    dh_tensor *x = make(DH_F32, SHAPE(1, 2, 2), VALUES(1, 2, 3, 5));
    fail_each_allocation(work_matrix, x);
    dh_tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_integers_wrap),
        cmocka_unit_test(test_dot_outer),
        cmocka_unit_test(test_inverse_det),
        cmocka_unit_test(test_det_range),
        cmocka_unit_test(test_every_solver),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
