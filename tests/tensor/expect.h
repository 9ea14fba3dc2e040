/* SPDX-License-Identifier: MIT */
/* Small tensors as literals, and what is expected of them and of errors. */
#ifndef DH_TEST_EXPECT_H
#define DH_TEST_EXPECT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <deephealth/memory.h>
#include <deephealth/tensor.h>

#include "tensor_impl.h"

#define SHAPE(...)                                                         \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) \
    {                                                                      \
        __VA_ARGS__                                                        \
    }
#define VALUES(...) \
    (double[])      \
    {               \
        __VA_ARGS__ \
    }

/* make(DH_F32, SHAPE(2, 2), VALUES(1, 2, 3, 4)) */
static inline dh_tensor *make(dh_dtype dtype, int ndim, const int64_t *shape, const double *values)
{
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_new(&t, dtype, ndim, shape), DH_OK);
    for (int64_t i = 0; i < dh_tensor_count(t); i++)
        dh__store(dtype, (char *)dh_tensor_data(t) + (size_t)i * dh_dtype_size(dtype), values[i]);
    return t;
}

static inline dh_tensor *tensor(dh_dtype dtype, int ndim, const int64_t *shape, const void *data)
{
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_from_data(&t, data, dtype, ndim, shape), DH_OK);
    return t;
}

static inline dh_tensor *floats(int64_t rows, int64_t columns, const float *data)
{
    return tensor(DH_F32, 2, (int64_t[]){rows, columns}, data);
}

/* 0, 1, 2, ... */
static inline dh_tensor *counted(dh_dtype dtype, int ndim, const int64_t *shape)
{
    dh_tensor *t = NULL;
    assert_int_equal(dh_tensor_new(&t, dtype, ndim, shape), DH_OK);
    for (int64_t i = 0; i < dh_tensor_count(t); i++)
        dh__store(dtype, (char *)dh_tensor_data(t) + (size_t)i * dh_dtype_size(dtype), (double)i);
    return t;
}

static inline double element(const dh_tensor *t, int64_t flat)
{
    int64_t offset = 0;
    for (int i = t->view.ndim - 1; i >= 0; i--) {
        offset += flat % t->view.shape[i] * t->view.stride[i];
        flat /= t->view.shape[i];
    }
    return dh__load(t->view.dtype,
                    (char *)t->view.data + offset * (int64_t)dh_dtype_size(t->view.dtype));
}

static inline void expect_shape(const dh_tensor *t, int ndim, const int64_t *shape)
{
    assert_non_null(t);
    assert_int_equal(dh_tensor_ndim(t), ndim);
    for (int i = 0; i < ndim; i++) assert_int_equal(dh_tensor_dim(t, i), shape[i]);
}

/* Shape and elements; frees t. NaN is expected by NaN. */
static inline void expect(dh_tensor *t, int ndim, const int64_t *shape, const double *values)
{
    expect_shape(t, ndim, shape);
    for (int64_t i = 0; i < dh_tensor_count(t); i++) {
        double got = element(t, i), want = values[i];
        if (isnan(want) && isnan(got)) continue;
        if (!(fabs(got - want) <= 1e-5 * (1 + fabs(want)) || got == want))
            fail_msg("element %d is %.9g, not %.9g", (int)i, got, want);
    }
    dh_tensor_free(t);
}

/* The call fails with status, and its text holds all the pieces. */
#define EXPECT_FAIL(status, call, ...)                                         \
    do {                                                                       \
        const char *const pieces_[] = {__VA_ARGS__};                           \
        assert_int_equal(call, status);                                        \
        for (size_t i_ = 0; i_ < DH_COUNT(pieces_); i_++)                      \
            if (!strstr(dh_error_text(), pieces_[i_]))                         \
                fail_msg("\"%s\" lacks \"%s\"", dh_error_text(), pieces_[i_]); \
    } while (0)

static inline uint64_t live_blocks(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

/* Runs work with its 1st, 2nd, ... allocation failing until it succeeds: each failure is DH_ENOMEM
 * and leaves nothing behind. work frees what it makes. */
static inline void fail_each_allocation(dh_status (*work)(void *), void *context)
{
    for (uint64_t n = 1;; n++) {
        uint64_t before = live_blocks();
        assert_true(n < 200);
        dh_alloc_fail_at(n);
        dh_status status = work(context);
        dh_alloc_fail_at(0);
        assert_int_equal(live_blocks(), before);
        if (status == DH_OK) {
            assert_true(n > 1);
            return;
        }
        assert_int_equal(status, DH_ENOMEM);
    }
}

#endif
