/* SPDX-License-Identifier: MIT */
#include "planes.h"

#include <string.h>

#include "element.h"
#include "team.h"

#define MOST_GROUPS   16    /* of planes that are copied at a time */
#define SMALLEST_TASK 16384 /* elements of the planes that a thread takes at a time */

static int64_t area(const dh_view *v)
{
    int64_t n = 1;
    for (int i = 2; i < v->ndim; i++) n *= v->shape[i];
    return n;
}

static int64_t plane_count(const dh__planes *p)
{
    return p->call->out[0].shape[0] * p->call->out[0].shape[1];
}

/* --- packed planes --- */

const char *dh__planes_refuse(const dh__planes *p)
{
    const dh_view *in = p->call->in, *out = &p->call->out[0];
    if (out->dtype != DH_F32 && out->dtype != DH_F64) return "dtype is neither f32 nor f64";
    if (!dh__packed_from(&in[0], 2) || !dh__packed_from(out, 2) ||
        (p->two && !dh__packed_from(&in[1], 2)))
        return "planes are not packed";
    return NULL;
}

static void *plane_of(const dh_view *v, int64_t plane)
{
    int64_t n = plane / v->shape[1], c = plane % v->shape[1];
    return (char *)v->data +
           (n * v->stride[0] + c * v->stride[1]) * (int64_t)dh_dtype_size(v->dtype);
}

static void run_range(void *context, int64_t begin, int64_t end)
{
    const dh__planes *p = context;
    const dh_view *in = p->call->in, *y = &p->call->out[0];
    for (int64_t i = begin; i < end; i++) {
        const void *a = plane_of(&in[0], i), *b = p->two ? plane_of(&in[1], i) : NULL;
        void *out = plane_of(y, i);
        if (p->add) memset(out, 0, (size_t)area(y) * dh_dtype_size(y->dtype));
        if (y->dtype == DH_F32)
            p->f32(p->geometry, a, b, out);
        else
            p->f64(p->geometry, a, b, out);
    }
}

void dh__planes_run(const dh__planes *p)
{
    dh__planes job = *p;
    int64_t grain = SMALLEST_TASK / (area(&p->call->in[0]) + area(&p->call->out[0]) + 1);
    if (dh__view_count(&p->call->out[0]))
        dh__team_ranges(plane_count(p), grain > 0 ? grain : 1, run_range, &job);
}

/* --- any planes --- */

static int64_t group_count(const dh__planes *p)
{
    return plane_count(p) < MOST_GROUPS ? plane_count(p) : MOST_GROUPS;
}

static size_t group_size(const dh__planes *p)
{
    int64_t n = area(&p->call->in[0]) + (p->two ? 2 : 1) * area(&p->call->out[0]);
    return ((size_t)n * sizeof(double) + 63) / 64 * 64;
}

size_t dh__planes_copied_scratch(const dh__planes *p)
{
    return group_size(p) * (size_t)group_count(p);
}

static void load_plane(double *to, const dh_view *v, int64_t plane, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = dh__get(v, plane * count + i);
}

static void copied_group(void *context, int64_t group)
{
    const dh__planes *p = context;
    const dh_view *y = &p->call->out[0];
    int64_t in_count = area(&p->call->in[0]), out_count = area(y), groups = group_count(p);
    double *a = (double *)(void *)((char *)p->call->scratch + (size_t)group * group_size(p));
    double *out = a + in_count, *b = p->two ? out + out_count : NULL;
    int64_t end = plane_count(p) * (group + 1) / groups;
    for (int64_t i = plane_count(p) * group / groups; i < end; i++) {
        load_plane(a, &p->call->in[0], i, in_count);
        if (b) load_plane(b, &p->call->in[1], i, out_count);
        if (p->add) memset(out, 0, (size_t)out_count * sizeof *out);
        p->f64(p->geometry, a, b, out);
        for (int64_t k = 0; k < out_count; k++) dh__put(y, i * out_count + k, out[k]);
    }
}

void dh__planes_run_copied(const dh__planes *p)
{
    dh__planes job = *p;
    if (dh__view_count(&p->call->out[0])) dh__team_run(group_count(p), copied_group, &job);
}
