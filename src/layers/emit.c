/* SPDX-License-Identifier: MIT */
#include "net.h"

dh_value dh__emit_fail(dh__graph *graph, dh_status status)
{
    if (!graph->emitter.status) graph->emitter.status = status;
    return DH_NO_VALUE;
}

dh_value dh__emit_scale(dh__graph *graph, dh_value x, double alpha, double beta)
{
    return dh_emit1(&graph->emitter, DH_OP_AFFINE, &(dh_affine_attr){alpha, beta}, x);
}

dh_value dh__emit_reduce(dh__graph *graph, int op, dh_value x, int from_axis, bool keepdims)
{
    if (graph->emitter.status || x == DH_NO_VALUE) return DH_NO_VALUE;
    const dh_view *v = dh__graph_view(graph, x);
    dh_reduce_attr attr = {.keepdims = keepdims};
    for (int a = from_axis; a < v->ndim; a++) attr.axes.v[attr.axes.count++] = a;
    if (!attr.axes.count && v->ndim) return x; /* no axes would mean all of them */
    return dh_emit1(&graph->emitter, op, &attr, x);
}

dh_value dh__emit_cast(dh__graph *graph, dh_value x, dh_dtype dtype)
{
    if (graph->emitter.status || x == DH_NO_VALUE) return DH_NO_VALUE;
    if (dh__graph_view(graph, x)->dtype == dtype) return x;
    return dh_emit1(&graph->emitter, DH_OP_CAST, &(dh_cast_attr){(int)dtype}, x);
}

dh_status dh__feature_axis(int *out, int axis, dh__graph *graph, dh_value x, const char *who)
{
    if (graph->emitter.status || x == DH_NO_VALUE) return graph->emitter.status;
    const dh_view *v = dh__graph_view(graph, x);
    char text[DH_SHAPE_TEXT];
    int found;
    dh_status status = dh__axis(&found, axis, v->ndim, who);
    if (!status && found == 0)
        status = dh_fail(DH_EINVAL, "%s: axis %d of x %s is the batch", who, axis,
                         dh__shape_text(text, sizeof text, v->ndim, v->shape));
    if (status)
        dh__emit_fail(graph, status);
    else
        *out = found;
    return status;
}
