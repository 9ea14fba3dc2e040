/* SPDX-License-Identifier: MIT */
/* sort and topk. Each element of a lane becomes an unsigned key in the same order, whatever the
 * dtype (NaN largest, -0 equal to 0); keys with their positions are sorted stably: by insertion
 * when few, else by byte-wise radix sort, least significant byte first. Values are then fetched by
 * position. */
#include <string.h>

#include "cpu.h"
#include "move.h"
#include "team.h"

typedef struct sort_item {
    uint64_t key;
    int64_t at;
} sort_item;

#define SORT_GROUPS 16 /* lanes are shared out to so many tasks, each with scratch of its own */
#define INSERTION   32

/* Order of floats: flip all bits of negatives, the sign bit of the rest. */
static uint64_t float_key(double v)
{
    uint64_t bits;
    if (v != v) return UINT64_MAX;
    if (v == 0) v = 0;
    memcpy(&bits, &v, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* Through double, whose order is that of every narrower float; constant bytes cost no pass. */
static void load_keys(sort_item *items, const dh_view *x, const char *src, int64_t stride,
                      int64_t n, bool descending)
{
    uint64_t wide[128];
    double real[128];
    bool is_float = dh_dtype_is_float(x->dtype);
    bool is_signed = DH_MASK_SIGNED & DH_MASK(x->dtype);
    for (int64_t i = 0; i < n; i += 128) {
        int64_t m = n - i < 128 ? n - i : 128;
        dh__row_widen(x->dtype, is_float ? (void *)real : (void *)wide, src + i * stride, stride,
                      m);
        for (int64_t k = 0; k < m; k++) {
            uint64_t key = is_float ? float_key(real[k]) : wide[k];
            if (is_signed) key ^= (uint64_t)1 << 63;
            items[i + k] = (sort_item){descending ? ~key : key, i + k};
        }
    }
}

static void insertion_sort(sort_item *items, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        sort_item item = items[i];
        int64_t j = i;
        for (; j > 0 && items[j - 1].key > item.key; j--) items[j] = items[j - 1];
        items[j] = item;
    }
}

/* Sorted items are in the array returned, one of the two given. */
static sort_item *radix_sort(sort_item *items, sort_item *other, int64_t n)
{
    int64_t counts[8][256];
    memset(counts, 0, sizeof counts);
    for (int64_t i = 0; i < n; i++)
        for (int b = 0; b < 8; b++) counts[b][items[i].key >> 8 * b & 255]++;
    for (int b = 0; b < 8; b++) {
        if (counts[b][items[0].key >> 8 * b & 255] == n) continue;
        int64_t start = 0;
        for (int v = 0; v < 256; v++) {
            int64_t c = counts[b][v];
            counts[b][v] = start;
            start += c;
        }
        for (int64_t i = 0; i < n; i++) other[counts[b][items[i].key >> 8 * b & 255]++] = items[i];
        sort_item *swap = items;
        items = other;
        other = swap;
    }
    return items;
}

typedef struct ordering {
    const dh_view *x, *values, *indices;
    int axis;
    bool descending;
    int64_t lanes, groups, length, kept;
    sort_item *items; /* 2 * length for each group */
} ordering;

static int64_t lane_offset(const dh_view *view, int axis, int64_t lane)
{
    int64_t offset = 0;
    for (int i = view->ndim - 1; i >= 0; i--) {
        if (i == axis) continue;
        offset += lane % view->shape[i] * view->stride[i];
        lane /= view->shape[i];
    }
    return offset;
}

static void order_lane(const ordering *o, int64_t lane, sort_item *items)
{
    int64_t size = (int64_t)dh_dtype_size(o->x->dtype), n = o->length;
    int64_t xs = o->x->stride[o->axis] * size, vs = o->values->stride[o->axis] * size;
    const char *x = (const char *)o->x->data + lane_offset(o->x, o->axis, lane) * size;
    char *values = (char *)o->values->data + lane_offset(o->values, o->axis, lane) * size;
    int64_t *indices = (int64_t *)o->indices->data + lane_offset(o->indices, o->axis, lane);
    load_keys(items, o->x, x, xs, n, o->descending);
    if (n <= INSERTION)
        insertion_sort(items, n);
    else
        items = radix_sort(items, items + n, n);
    for (int64_t i = 0; i < o->kept; i++) {
        memcpy(values + i * vs, x + items[i].at * xs, (size_t)size);
        indices[i * o->indices->stride[o->axis]] = items[i].at;
    }
}

static void order_group(void *context, int64_t group)
{
    const ordering *o = context;
    int64_t begin = o->lanes * group / o->groups, end = o->lanes * (group + 1) / o->groups;
    for (int64_t lane = begin; lane < end; lane++)
        order_lane(o, lane, o->items + 2 * o->length * group);
}

static ordering describe(const dh_call *call)
{
    const dh_view *x = &call->in[0];
    ordering o = {.x = x, .values = &call->out[0], .indices = &call->out[1], .lanes = 1};
    if (call->op == &dh_op_sort) {
        const dh_sort_attr *attr = call->attr;
        o.axis = attr->axis;
        o.descending = attr->descending;
    } else {
        const dh_topk_attr *attr = call->attr;
        o.axis = attr->axis;
        o.descending = !attr->smallest;
    }
    if (o.axis < 0) o.axis += x->ndim;
    for (int i = 0; i < x->ndim; i++)
        if (i != o.axis) o.lanes *= x->shape[i];
    o.length = x->shape[o.axis];
    o.kept = call->out[0].shape[o.axis];
    o.groups = o.lanes < SORT_GROUPS ? o.lanes : SORT_GROUPS;
    return o;
}

static size_t order_scratch(const dh_call *call)
{
    ordering o = describe(call);
    return (size_t)(2 * o.length * o.groups) * sizeof(sort_item);
}

static dh_status run_order(const dh_call *call)
{
    ordering o = describe(call);
    if (o.length == 0 || o.kept == 0) return DH_OK;
    o.items = call->scratch;
    if (o.lanes * o.length < 2048)
        for (int64_t g = 0; g < o.groups; g++) order_group(&o, g);
    else
        dh__team_run(o.groups, order_group, &o);
    return DH_OK;
}

static const dh_impl order_radix = {.name = "radix", .scratch = order_scratch, .run = run_order};
const dh_impl *const dh_cpu_sort[] = {&order_radix, NULL};
const dh_impl *const dh_cpu_topk[] = {&order_radix, NULL};
