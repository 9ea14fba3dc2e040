/* SPDX-License-Identifier: MIT */
/* Resizing, a plane at a time. */
#include "op_resize.h"
#include "planes.h"

/* The elements of x that make one of y, those that count for nothing left away: so NaN and infinity
 * stay where they are. */
typedef struct neighbours {
    int count;
    int64_t at[8];
    double part[8];
} neighbours;

static neighbours neighbours_of(const dh__resize *r, const dh__resize_source *u,
                                const dh__resize_source *v, const dh__resize_source *w)
{
    neighbours n = {0};
    for (int k = 0; k < 8; k++) {
        const dh__resize_source *s[3] = {u, v, w};
        int64_t at[3];
        double part = 1;
        for (int i = 0; i < 3; i++) {
            bool second = k >> (2 - i) & 1;
            at[i] = second ? s[i]->second : s[i]->first;
            part *= second ? s[i]->part : 1 - s[i]->part;
        }
        if (part == 0) continue;
        n.at[n.count] = (at[0] * r->in[1] + at[1]) * r->in[2] + at[2];
        n.part[n.count++] = part;
    }
    return n;
}

#define T       float
#define F(name) name##_f32
#include "resize_plane.h"
#undef T
#undef F
#define T       double
#define F(name) name##_f64
#include "resize_plane.h"
#undef T
#undef F

static dh__planes planes_of(const dh_call *call, dh__resize *resize)
{
    bool backward = call->op == &dh_op_resize_dx;
    /* infer has checked it */
    if (dh__resize_of(resize, call->attr, &call->in[backward], call->op->name)) dh_error_clear();
    return (dh__planes){.call = call,
                        .geometry = resize,
                        .f32 = backward ? resize_dx_f32 : resize_f32,
                        .f64 = backward ? resize_dx_f64 : resize_f64,
                        .add = true};
}

DH_PLANES_IMPLS(resize, dh__resize, planes_of)

const dh_impl *const dh_cpu_resize[] = {&resize_packed, &resize_copied, NULL};
const dh_impl *const dh_cpu_resize_dx[] = {&resize_packed, &resize_copied, NULL};
