/* SPDX-License-Identifier: MIT */
/* Operands in memory: layouts, sentinels around and between the elements, comparison. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

enum { GUARD = OPERAND_GUARD };

const char *const layout_names[LAYOUT_COUNT] = {"packed", "reversed",  "step 2",   "negative",
                                                "offset", "broadcast", "repeated", "channels last"};

static void set_strides(dh_view *v, layout how)
{
    dh__view_pack(v);
    if (how == CHANNELS_LAST && v->ndim > 2) dh__view_pack_last(v);
    int64_t stride = 1;
    for (int i = 0; i < v->ndim; i++) {
        int back = v->ndim - 1 - i;
        int64_t n = v->shape[how == REVERSED ? i : back];
        if (how == REVERSED) {
            v->stride[i] = stride;
            stride *= n > 0 ? n : 1;
        } else if (how == STEP_2) {
            v->stride[back] = i == 0 ? 2 : stride;
            stride = v->stride[back] * (n > 0 ? n : 1) + (i == 0 ? 3 : 0);
        } else if (how == NEGATIVE) {
            v->stride[back] = -v->stride[back];
        } else if ((how == BROADCAST && n == 1) || (how == REPEATED && back == 0)) {
            v->stride[back] = 0;
        }
    }
}

int64_t view_offset(const dh_view *v, int64_t k)
{
    int64_t at = 0;
    for (int i = v->ndim - 1; i >= 0; i--) {
        at += k % v->shape[i] * v->stride[i];
        k /= v->shape[i];
    }
    return at;
}

walk walk_begin(const dh_view *v)
{
    return (walk){.view = v, .bytes = (int64_t)dh_dtype_size(v->dtype), .at = v->data};
}

void walk_next(walk *w)
{
    const dh_view *v = w->view;
    for (int i = v->ndim - 1; i >= 0; i--) {
        int64_t step = v->stride[i] * w->bytes;
        if (++w->index[i] < v->shape[i]) {
            w->at += step;
            return;
        }
        w->at -= (v->shape[i] - 1) * step;
        w->index[i] = 0;
    }
}

double view_get(const dh_view *v, int64_t k)
{
    return dh__load(v->dtype,
                    (const char *)v->data + view_offset(v, k) * (int64_t)dh_dtype_size(v->dtype));
}

static void *take_memory(size_t size)
{
    void *block = aligned_alloc(64, (size + 63) / 64 * 64);
    if (block) return block;
    fprintf(stderr, "conform: no memory for %zu bytes\n", size);
    exit(2);
}

void operand_place(operand *o, dh_dtype dtype, int ndim, const int64_t *shape, layout how,
                   const double *values)
{
    dh_view *v = &o->view;
    size_t bytes = dh_dtype_size(dtype);
    int64_t low = 0, high = 0;
    memset(o, 0, sizeof *o);
    v->dtype = dtype;
    v->ndim = ndim;
    for (int i = 0; i < ndim; i++) v->shape[i] = shape[i];
    set_strides(v, how);
    int64_t count = dh__view_count(v);
    for (int i = 0; i < ndim && count; i++) {
        int64_t reach = (v->shape[i] - 1) * v->stride[i];
        *(reach < 0 ? &low : &high) += reach;
    }
    size_t span = (size_t)(high - low + 1 + (how == OFFSET)) * bytes;
    o->size = GUARD + span + GUARD;
    o->block = take_memory(o->size);
    o->before = take_memory(o->size);
    v->data = o->block + GUARD + (size_t)(-low + (how == OFFSET)) * bytes;
    for (size_t i = 0; i < o->size; i++) o->block[i] = (unsigned char)(0xA5 ^ i % 251);
    walk w = walk_begin(v);
    for (int64_t k = 0; values && k < count; k++, walk_next(&w)) dh__store(dtype, w.at, values[k]);
    memcpy(o->before, o->block, o->size);
}

void operand_free(operand *o)
{
    free(o->block);
    free(o->before);
    memset(o, 0, sizeof *o);
}

const char *operand_damage(const operand *o, bool elements_may_change)
{
    const dh_view *v = &o->view;
    size_t bytes = dh_dtype_size(v->dtype);
    const char *damage = NULL;
    if (!memcmp(o->block, o->before, o->size)) return NULL;
    if (!elements_may_change) return "bytes of it changed";
    unsigned char *now = take_memory(o->size);
    memcpy(now, o->block, o->size);
    walk w = walk_begin(v);
    for (int64_t k = 0, n = dh__view_count(v); k < n; k++, walk_next(&w)) {
        size_t at = (size_t)(w.at - o->block);
        memcpy(now + at, o->before + at, bytes);
    }
    if (memcmp(now, o->before, o->size)) damage = "bytes around its elements changed";
    free(now);
    return damage;
}

/* --- comparison --- */

/* Tolerances, absolute and relative alike because values are of order 1.
 *   f64   1e-11: sums of 1e5 terms in another order, and functions that lose a few digits
 *   f32   2e-5:  170 units in the last place: sums of 1e5 terms by lanes and blocks
 *   f16   4e-3:  4 units; computed in f32, so that only the stores round
 *   bf16  3e-2:  4 units
 * A case's own numbers are meant for f32 and scale the others in proportion. */
static void tolerance(const subject *s, dh_dtype dtype, const dh_impl *impl, double *rtol,
                      double *atol)
{
    static const double base[] = {
        [DH_F32] = 2e-5, [DH_F64] = 1e-11, [DH_F16] = 4e-3, [DH_BF16] = 3e-2};
    double r = s->c->rtol > 0 ? s->c->rtol / base[DH_F32] : 1;
    double a = s->c->atol > 0 ? s->c->atol / base[DH_F32] : 1;
    if (s->c->winograd_atol > 0 && (!impl || !strcmp(impl->name, "winograd")))
        a = s->c->winograd_atol / base[DH_F32];
    *rtol = base[dtype] * r * s->loose;
    *atol = base[dtype] * a * s->loose;
}

/* 0 or less: agrees. Above 0: by how much it is beyond what is allowed; NaN disagreeing: infinity.
 * Integers beyond 2^53 are not exact in the reference. */
static double excess(double got, double want, dh_dtype dtype, double rtol, double atol)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (got == want) return 0;
    if (isinf(want) || isinf(got)) return INFINITY;
    if (!dh_dtype_is_float(dtype) && !(fabs(want) > 0x1p53)) return INFINITY;
    double allowed = dh_dtype_is_float(dtype) ? atol + rtol * fabs(want) : 1e-12 * fabs(want);
    return fabs(got - want) <= allowed ? 0 : fabs(got - want) / allowed;
}

bool compare_output(const subject *s, int output, const dh_view *got, const dh_impl *impl,
                    const char *how)
{
    const ref_tensor *want = &s->want[output];
    double rtol = 0, atol = 0, worst = 0, worst_want = 0;
    int64_t worst_at = 0, wrong = 0;
    bool is_float = dh_dtype_is_float(got->dtype);
    if (is_float) tolerance(s, got->dtype, impl, &rtol, &atol);
    walk here = walk_begin(got);
    for (int64_t k = 0; k < want->count; k++, walk_next(&here)) {
        double w = want->data[k];
        if (!is_float || !(fabs(w) <= 100)) w = round_to(got->dtype, w); /* overflow stays */
        double e = excess(dh__load(got->dtype, here.at), w, got->dtype, rtol, atol);
        if (!(e > 0)) continue;
        wrong++;
        if (e <= worst) continue;
        worst = e;
        worst_at = k;
        worst_want = w;
    }
    if (!conform_check(wrong == 0))
        conform_fail(s, "%s: output %d [%lld] is %.9g, must be %.9g (%lld of %lld wrong)", how,
                     output, (long long)worst_at, view_get(got, worst_at), worst_want,
                     (long long)wrong, (long long)want->count);
    return wrong == 0;
}
