/* SPDX-License-Identifier: MIT */
/* Kernels that make one plane (the spatial axes of one channel of one image) from another: channels
 * of images in parallel, each by one thread in a fixed order. Planes of another dtype than f32 and
 * f64, or with gaps, are copied into packed doubles. */
#ifndef DH_PLANES_H
#define DH_PLANES_H

#include "cpu.h"

typedef void (*dh__plane_f32)(const void *geometry, const float *a, const float *b, float *out);
typedef void (*dh__plane_f64)(const void *geometry, const double *a, const double *b, double *out);

typedef struct dh__planes {
    const dh_call *call;
    const void *geometry; /* what the kernels know of the windows */
    dh__plane_f32 f32;
    dh__plane_f64 f64;
    bool add; /* the kernel adds to out, which begins as zeros */
    bool two; /* it reads in[1] too, which has the shape of out */
} dh__planes;

const char *dh__planes_refuse(const dh__planes *p); /* packed f32 and f64 only */
void dh__planes_run(const dh__planes *p);
size_t dh__planes_copied_scratch(const dh__planes *p);
void dh__planes_run_copied(const dh__planes *p);

/* family_packed and family_copied: the implementations of a family whose geometry is a T, which
 * make(call, &geometry) fills. */
#define DH_PLANES_IMPLS(family, T, make)                                   \
    static const char *family##_refuse(const dh_call *call)                \
    {                                                                      \
        T geometry;                                                        \
        dh__planes p = make(call, &geometry);                              \
        return dh__planes_refuse(&p);                                      \
    }                                                                      \
    static dh_status family##_run(const dh_call *call)                     \
    {                                                                      \
        T geometry;                                                        \
        dh__planes p = make(call, &geometry);                              \
        dh__planes_run(&p);                                                \
        return DH_OK;                                                      \
    }                                                                      \
    static size_t family##_scratch(const dh_call *call)                    \
    {                                                                      \
        T geometry;                                                        \
        dh__planes p = make(call, &geometry);                              \
        return dh__planes_copied_scratch(&p);                              \
    }                                                                      \
    static dh_status family##_run_copied(const dh_call *call)              \
    {                                                                      \
        T geometry;                                                        \
        dh__planes p = make(call, &geometry);                              \
        dh__planes_run_copied(&p);                                         \
        return DH_OK;                                                      \
    }                                                                      \
    static const dh_impl family##_packed = {                               \
        .name = "packed", .refuse = family##_refuse, .run = family##_run}; \
    static const dh_impl family##_copied = {                               \
        .name = "copied", .scratch = family##_scratch, .run = family##_run_copied};

#endif
