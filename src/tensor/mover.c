/* SPDX-License-Identifier: MIT */
#include "mover.h"

#include "shape.h"

dh_status dh__move_part(const dh_call *call, const dh__mover *mover)
{
    dh_view part = call->out[0];
    dh_call asked = *call;
    int64_t offset = 0;
    part.data = NULL;
    asked.out = &part;
    if (!call->op->view(&asked, &offset))
        return dh_fail(DH_EINTERNAL, "%s: the part has no strides", call->op->name);
    part.data = call->in[0].data;
    dh__view_shift(&part, offset);
    return mover->move(call, &call->out[0], &part);
}

dh_status dh__move_fill_like(const dh_call *call, const dh__mover *mover)
{
    return mover->fill(call, &call->out[0], ((const dh_fill_attr *)call->attr)->value);
}

/* The first input into a part of the result, value around it. */
static dh_status surround(const dh_call *call, const dh__mover *mover, dh_view *part,
                          int64_t offset, double value)
{
    const dh_view *y = &call->out[0];
    dh__view_shift(part, offset);
    if (dh__view_count(part) < dh__view_count(y)) DH_TRY(mover->fill(call, y, value));
    return mover->move(call, part, &call->in[0]);
}

dh_status dh__move_slice_dx(const dh_call *call, const dh__mover *mover)
{
    dh_view part;
    int64_t offset;
    DH_TRY(dh__slice_view(&part, &offset, &call->out[0], call->attr, "slice_dx"));
    return surround(call, mover, &part, offset, 0);
}

dh_status dh__move_pad(const dh_call *call, const dh__mover *mover)
{
    const dh_pad_attr *attr = call->attr;
    dh_view part;
    int64_t offset;
    dh__crop_view(&part, &offset, &call->out[0], &attr->pads);
    return surround(call, mover, &part, offset, attr->value);
}

dh_status dh__move_diag_embed(const dh_call *call, const dh__mover *mover)
{
    dh_view part;
    int64_t offset;
    dh__diag_view(&part, &offset, &call->out[0], ((const dh_diag_attr *)call->attr)->k);
    return surround(call, mover, &part, offset, 0);
}

dh_status dh__move_concat(const dh_call *call, const dh__mover *mover)
{
    const dh_view *y = &call->out[0];
    int axis = ((const dh_axis_attr *)call->attr)->axis;
    int64_t start = 0, offset;
    if (axis < 0) axis += y->ndim;
    for (int i = 0; i < call->in_count; i++) {
        dh_view part;
        dh__part_view(&part, &offset, y, axis, start, call->in[i].shape[axis]);
        dh__view_shift(&part, offset);
        DH_TRY(mover->move(call, &part, &call->in[i]));
        start += call->in[i].shape[axis];
    }
    return DH_OK;
}
