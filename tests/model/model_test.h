/* SPDX-License-Identifier: MIT */
/* What the model tests share: small data, small networks, one predicate. */
#ifndef DH_MODEL_TEST_H
#define DH_MODEL_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <deephealth.h>

#include "model_impl.h"

/* Models go to DH_TEST_DEVICE where that is set, unless the test names another device than a CPU.
 */
static inline dh_status build_on_test_device(const dh_build_args *args)
{
    dh_build_args a = *args;
    const char *wanted = getenv("DH_TEST_DEVICE");
    if (wanted && (!a.device.device || !strcmp(a.device.device, "cpu"))) a.device.device = wanted;
    return (dh_build)(&a);
}
#undef dh_build
#define dh_build(...) build_on_test_device(DH_ARGS(dh_build_args, __VA_ARGS__))

/* Fails on NaN. */
static inline bool near(double got, double want, double tolerance)
{
    return fabs(got - want) <= tolerance * (1 + fabs(want));
}

#define assert_near(got, want, tolerance)                                                          \
    do {                                                                                           \
        double got_ = (got), want_ = (want);                                                       \
        if (!near(got_, want_, (tolerance))) fail_msg("%s is %.9g, want %.9g", #got, got_, want_); \
    } while (0)

#define assert_ok(expr)                                                                       \
    do {                                                                                      \
        dh_status status_ = (expr);                                                           \
        if (status_) fail_msg("%s: %s: %s", #expr, dh_status_name(status_), dh_error_text()); \
    } while (0)

/* The status, and every word of the message (ended by NULL). */
static inline void expect_error(dh_status got, dh_status want, const char *const *words)
{
    if (got != want)
        fail_msg("status %s, want %s (%s)", dh_status_name(got), dh_status_name(want),
                 dh_error_text());
    for (; *words; words++)
        if (!strstr(dh_error_text(), *words))
            fail_msg("\"%s\" is not in \"%s\"", *words, dh_error_text());
}
#define assert_error(expr, status, ...) \
    expect_error((expr), (status), (const char *const[]){__VA_ARGS__, NULL})

/* All elements of a contiguous f32 tensor, wherever it is. */
static inline void read_floats(float *to, const dh_tensor *t)
{
    dh_device *device = t->storage->device;
    assert_true(t->view.dtype == DH_F32 && dh_tensor_is_contiguous(t));
    assert_ok(device->copy_out(device, to, t->view.data, (size_t)dh_tensor_count(t) * sizeof *to));
}

static inline void write_floats(const dh_tensor *t, const float *from)
{
    dh_device *device = t->storage->device;
    assert_true(t->view.dtype == DH_F32 && dh_tensor_is_contiguous(t));
    assert_ok(
        device->copy_in(device, t->view.data, from, (size_t)dh_tensor_count(t) * sizeof *from));
}

/* One of them. */
static inline float at(const dh_tensor *t, int64_t i)
{
    float value;
    dh_device *device = t->storage->device;
    assert_true(t->view.dtype == DH_F32 && dh_tensor_is_contiguous(t));
    assert_ok(device->copy_out(device, &value, (const float *)t->view.data + i, sizeof value));
    return value;
}

static inline void set_at(const dh_tensor *t, int64_t i, float value)
{
    dh_device *device = t->storage->device;
    assert_true(t->view.dtype == DH_F32 && dh_tensor_is_contiguous(t));
    assert_ok(device->copy_in(device, (float *)t->view.data + i, &value, sizeof value));
}

/* Two interleaved classes of points in n dimensions, far enough apart to be learnt. */
static inline void make_blobs(dh_tensor **x, dh_tensor **y, int64_t rows, int64_t n, int classes,
                              uint64_t seed)
{
    assert_ok(dh_tensor_random_normal(x, {rows, n}, .seed = seed));
    assert_ok(dh_tensor_zeros(y, {rows, classes}));
    float *px = dh_tensor_data(*x), *py = dh_tensor_data(*y);
    for (int64_t i = 0; i < rows; i++) {
        int64_t c = i % classes;
        py[i * classes + c] = 1;
        for (int64_t k = 0; k < n; k++) px[i * n + k] += k % classes == c ? 2.0f : 0.0f;
    }
}

#endif
