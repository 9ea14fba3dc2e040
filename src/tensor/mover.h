/* SPDX-License-Identifier: MIT */
/* Shape ops by two deeds that every device can do: elements of one view into another, and a value
 * into all of a view. */
#ifndef DH_MOVER_H
#define DH_MOVER_H

#include "ops.h"

typedef struct dh__mover {
    /* Views of one shape and dtype. */
    dh_status (*move)(const dh_call *call, const dh_view *to, const dh_view *from);
    dh_status (*fill)(const dh_call *call, const dh_view *to, double value); /* as a cast */
} dh__mover;

/* Ops whose result is a part of the first input, as their own view says: permute, expand_like,
 * slice, split_like, pad_dx, diag. */
dh_status dh__move_part(const dh_call *call, const dh__mover *mover);
dh_status dh__move_fill_like(const dh_call *call, const dh__mover *mover);
dh_status dh__move_slice_dx(const dh_call *call, const dh__mover *mover);
dh_status dh__move_pad(const dh_call *call, const dh__mover *mover);
dh_status dh__move_diag_embed(const dh_call *call, const dh__mover *mover);
dh_status dh__move_concat(const dh_call *call, const dh__mover *mover);

/* A device's implementation of an op by a deed, and its list <device>_<op>; last: dh_impl's
 * channels_last. */
#define DH_MOVES(device, op, deed, mover, last)                                                \
    static dh_status op##_run(const dh_call *call)                                             \
    {                                                                                          \
        return dh__move_##deed(call, &(mover));                                                \
    }                                                                                          \
    static const dh_impl op##_copy = {.name = "copy", .run = op##_run, .channels_last = last}; \
    const dh_impl *const device##_##op[] = {&op##_copy, NULL};

#endif
