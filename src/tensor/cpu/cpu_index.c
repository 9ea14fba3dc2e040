/* SPDX-License-Identifier: MIT */
/* gather, take, scatter and their sums are one walk: over a tensor w (what is read or written in
 * order) and a tensor d (what is addressed along one axis by index). Two elements of w with one
 * target lie in one task and meet in index order, so that sums have the same bits for any thread
 * count. */
#include <string.h>

#include "cpu.h"
#include "move.h"
#include "shape.h"
#include "team.h"

/* --- the index: i64, packed, from the front, checked --- */

static dh_status index_error(const dh_view *index, int64_t flat, int64_t value, int64_t length,
                             const char *who)
{
    int64_t at[DH_MAX_NDIM];
    char text[DH_SHAPE_TEXT];
    for (int i = index->ndim - 1; i >= 0; i--) {
        at[i] = flat % index->shape[i];
        flat /= index->shape[i];
    }
    return dh_fail(DH_EINVAL, "%s: index%s is %lld, the axis has length %lld", who,
                   dh__shape_text(text, sizeof text, index->ndim, at), (long long)value,
                   (long long)length);
}

/* dst has room for all of index; length is that of the axis addressed. */
static dh_status load_index(int64_t *dst, const dh_view *index, int64_t length, const char *who)
{
    dh_view packed = *index;
    int64_t count = dh__view_count(index), bad = 0;
    packed.dtype = DH_U64;
    packed.data = dst;
    dh__view_pack(&packed);
    dh__widen(&packed, index);
    for (int64_t i = 0; i < count; i++) {
        int64_t v = dst[i], k = v < 0 ? v + length : v;
        bad |= (k < 0) | (k >= length);
        dst[i] = k;
    }
    for (int64_t i = 0; bad && i < count; i++)
        if (dst[i] < 0 || dst[i] >= length)
            return index_error(index, i, dst[i] < 0 ? dst[i] - length : dst[i], length, who);
    return DH_OK;
}

static size_t index_bytes(const dh_view *index)
{
    return (size_t)dh__view_count(index) * sizeof(int64_t);
}

/* --- the walk --- */

typedef struct index_walk index_walk;
typedef void (*walk_fn)(const index_walk *walk, char *d, char *w, const int64_t *index, int64_t n);

struct index_walk {
    const dh_view *d, *w;
    const int64_t *index;
    int64_t index_stride[DH_MAX_NDIM]; /* of w's axes; 0 where the index does not depend on one */
    int axis, column;                  /* column: the last axis, -1 where that is axis */
    int64_t size;                      /* of an element */
    int64_t chunk, chunks;             /* of the column axis */
    walk_fn run;
};

/* The rows of one task: all positions along axis, n along the column. Strides in bytes. */
#define WALK(name, T, STATEMENT)                                                             \
    static void name(const index_walk *k, char *d, char *w, const int64_t *index, int64_t n) \
    {                                                                                        \
        int64_t da = k->d->stride[k->axis] * k->size, wa = k->w->stride[k->axis] * k->size;  \
        int c = k->column;                                                                   \
        int64_t dc = c < 0 ? 0 : k->d->stride[c] * k->size;                                  \
        int64_t wc = c < 0 ? 0 : k->w->stride[c] * k->size;                                  \
        int64_t ia = k->index_stride[k->axis], ic = c < 0 ? 0 : k->index_stride[c];          \
        for (int64_t a = 0; a < k->w->shape[k->axis]; a++, w += wa, index += ia) {           \
            for (int64_t j = 0; j < n; j++) {                                                \
                T *to = (T *)(void *)(d + index[j * ic] * da + j * dc);                      \
                T *in_order = (T *)(void *)(w + j * wc);                                     \
                STATEMENT;                                                                   \
            }                                                                                \
        }                                                                                    \
    }

WALK(gather_1, dh__u8, *in_order = *to)
WALK(gather_2, dh__u16, *in_order = *to)
WALK(gather_4, dh__u32, *in_order = *to)
WALK(gather_8, dh__u64, *in_order = *to)
WALK(scatter_1, dh__u8, *to = *in_order)
WALK(scatter_2, dh__u16, *to = *in_order)
WALK(scatter_4, dh__u32, *to = *in_order)
WALK(scatter_8, dh__u64, *to = *in_order)
WALK(add_f32, float, *to += *in_order)
WALK(add_f64, double, *to += *in_order)
WALK(add_1, dh__u8, *to = (dh__u8)(*to + *in_order))
WALK(add_2, dh__u16, *to = (dh__u16)(*to + *in_order))
WALK(add_4, dh__u32, *to += *in_order)
WALK(add_8, dh__u64, *to += *in_order)

/* Rows of equal index that are packed on both sides move as blocks. */
static void gather_blocks(const index_walk *k, char *d, char *w, const int64_t *index, int64_t n)
{
    int64_t da = k->d->stride[k->axis] * k->size, wa = k->w->stride[k->axis] * k->size;
    int64_t ia = k->index_stride[k->axis];
    for (int64_t a = 0; a < k->w->shape[k->axis]; a++)
        memcpy(w + a * wa, d + index[a * ia] * da, (size_t)(n * k->size));
}

static walk_fn by_size(size_t size, walk_fn s1, walk_fn s2, walk_fn s4, walk_fn s8)
{
    return size == 1 ? s1 : size == 2 ? s2 : size == 4 ? s4 : s8;
}

static walk_fn adder(dh_dtype dtype)
{
    if (dtype == DH_F32) return add_f32;
    if (dtype == DH_F64) return add_f64;
    return by_size(dh_dtype_size(dtype), add_1, add_2, add_4, add_8);
}

static void walk_tasks(void *context, int64_t begin, int64_t end)
{
    const index_walk *k = context;
    for (int64_t task = begin; task < end; task++) {
        int64_t rest = task / k->chunks, first = task % k->chunks * k->chunk, n = 1;
        int64_t d = 0, w = 0, i = 0;
        for (int a = k->w->ndim - 1; a >= 0; a--) {
            if (a == k->axis || a == k->column) continue;
            int64_t at = rest % k->w->shape[a];
            rest /= k->w->shape[a];
            d += at * k->d->stride[a];
            w += at * k->w->stride[a];
            i += at * k->index_stride[a];
        }
        if (k->column >= 0) {
            int64_t left = k->w->shape[k->column] - first;
            n = left < k->chunk ? left : k->chunk;
            d += first * k->d->stride[k->column];
            w += first * k->w->stride[k->column];
            i += first * k->index_stride[k->column];
        }
        k->run(k, (char *)k->d->data + d * k->size, (char *)k->w->data + w * k->size, k->index + i,
               n);
    }
}

static void walk_run(index_walk *k)
{
    const dh_view *w = k->w;
    if (dh__view_count(w) == 0) return;
    k->size = (int64_t)dh_dtype_size(w->dtype);
    k->column = k->axis == w->ndim - 1 ? -1 : w->ndim - 1;
    int64_t columns = k->column < 0 ? 1 : w->shape[k->column], length = w->shape[k->axis];
    k->chunk = columns < 256 ? columns : 256;
    k->chunks = (columns + k->chunk - 1) / k->chunk;
    int64_t tasks = dh__view_count(w) / length / columns * k->chunks;
    int64_t grain = 8192 / (length * k->chunk) + 1;
    dh__team_ranges(tasks, grain, walk_tasks, k);
}

/* --- elementwise: gather, scatter, scatter_add --- */

static int resolved_axis(const dh_call *call, int ndim)
{
    int axis = ((const dh_axis_attr *)call->attr)->axis;
    return axis < 0 ? axis + ndim : axis;
}

static dh_status start_elements(index_walk *k, const dh_call *call, const dh_view *d,
                                const dh_view *w)
{
    dh_view packed = call->in[1];
    dh__view_pack(&packed);
    *k = (index_walk){.d = d, .w = w, .index = call->scratch};
    memcpy(k->index_stride, packed.stride, sizeof packed.stride);
    k->axis = resolved_axis(call, d->ndim);
    return load_index(call->scratch, &call->in[1], d->shape[k->axis], call->op->name);
}

static size_t elements_scratch(const dh_call *call)
{
    return index_bytes(&call->in[1]);
}

static dh_status run_gather(const dh_call *call)
{
    index_walk k;
    DH_TRY(start_elements(&k, call, &call->in[0], &call->out[0]));
    k.run = by_size(dh_dtype_size(call->in[0].dtype), gather_1, gather_2, gather_4, gather_8);
    walk_run(&k);
    return DH_OK;
}

static dh_status run_scatter(const dh_call *call)
{
    index_walk k;
    DH_TRY(start_elements(&k, call, &call->out[0], &call->in[2]));
    k.run = by_size(dh_dtype_size(call->in[0].dtype), scatter_1, scatter_2, scatter_4, scatter_8);
    dh__move(&call->out[0], &call->in[0]);
    walk_run(&k);
    return DH_OK;
}

static dh_status run_scatter_add(const dh_call *call)
{
    index_walk k;
    DH_TRY(start_elements(&k, call, &call->out[0], &call->in[2]));
    k.run = adder(call->in[0].dtype);
    dh__move(&call->out[0], &call->in[0]);
    walk_run(&k);
    return DH_OK;
}

static const char *refuse_half(const dh_call *call)
{
    dh_dtype dtype = call->in[0].dtype;
    return dtype == DH_F16 || dtype == DH_BF16 ? "sums halves in double only" : NULL;
}

/* Sums in double or uint64_t, rounded once. */
static size_t scatter_wide_scratch(const dh_call *call)
{
    return index_bytes(&call->in[1]) + 64 + 8 * (size_t)dh__view_count(&call->in[0]) + 64 +
           8 * (size_t)dh__view_count(&call->in[2]);
}

static dh_status run_scatter_wide(const dh_call *call)
{
    dh__arena arena = {call->scratch, 0};
    dh_dtype wide = dh__wide_dtype(call->in[0].dtype);
    (void)dh__arena_take(&arena, index_bytes(&call->in[1]));
    dh_view sum = dh__arena_view(&arena, wide, &call->in[0]);
    dh_view src = dh__arena_view(&arena, wide, &call->in[2]);
    index_walk k;
    DH_TRY(start_elements(&k, call, &sum, &src));
    k.run = adder(wide);
    dh__widen(&sum, &call->in[0]);
    dh__widen(&src, &call->in[2]);
    walk_run(&k);
    dh__narrow(&call->out[0], &sum);
    return DH_OK;
}

static const dh_impl gather_any = {.name = "walk", .scratch = elements_scratch, .run = run_gather};
const dh_impl *const dh_cpu_gather[] = {&gather_any, NULL};
static const dh_impl scatter_any = {
    .name = "walk", .scratch = elements_scratch, .run = run_scatter};
const dh_impl *const dh_cpu_scatter[] = {&scatter_any, NULL};
static const dh_impl scatter_add_native = {
    .name = "walk", .refuse = refuse_half, .scratch = elements_scratch, .run = run_scatter_add};
static const dh_impl scatter_add_wide = {
    .name = "wide", .scratch = scatter_wide_scratch, .run = run_scatter_wide};
const dh_impl *const dh_cpu_scatter_add[] = {&scatter_add_native, &scatter_add_wide, NULL};

/* --- take: [outer, axis, inner] by [index] --- */

/* x and y as three axes each; false where strides do not allow it. */
static bool fold_take(dh_view *x3, dh_view *y3, const dh_view *x, const dh_view *index,
                      const dh_view *y, int axis)
{
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < axis; i++) outer *= x->shape[i];
    for (int i = axis + 1; i < x->ndim; i++) inner *= x->shape[i];
    *x3 = (dh_view){x->dtype, 3, {outer, x->shape[axis], inner}, {0}, x->data};
    *y3 = (dh_view){y->dtype, 3, {outer, dh__view_count(index), inner}, {0}, y->data};
    return dh__reshape_view(x3, x) && dh__reshape_view(y3, y);
}

static void start_take(index_walk *k, const dh_view *d, const dh_view *w, const int64_t *index)
{
    *k = (index_walk){.d = d, .w = w, .index = index, .axis = 1, .index_stride = {0, 1, 0}};
}

static const char *refuse_take(const dh_call *call)
{
    dh_view x3, y3;
    return fold_take(&x3, &y3, &call->in[0], &call->in[1], &call->out[0],
                     resolved_axis(call, call->in[0].ndim))
               ? NULL
               : "the strides of x or y do not fold to three axes";
}

static void take_walk(const dh_view *x3, const dh_view *y3, const int64_t *index)
{
    index_walk k;
    size_t size = dh_dtype_size(x3->dtype);
    bool packed = x3->stride[2] == 1 && y3->stride[2] == 1;
    start_take(&k, x3, y3, index);
    k.run = packed ? gather_blocks : by_size(size, gather_1, gather_2, gather_4, gather_8);
    walk_run(&k);
}

static dh_status run_take(const dh_call *call)
{
    const dh_view *x = &call->in[0];
    dh_view x3, y3;
    int axis = resolved_axis(call, x->ndim);
    DH_TRY(load_index(call->scratch, &call->in[1], x->shape[axis], "take"));
    if (!fold_take(&x3, &y3, x, &call->in[1], &call->out[0], axis))
        return dh_fail(DH_EINTERNAL, "take: the strides changed since they were asked");
    take_walk(&x3, &y3, call->scratch);
    return DH_OK;
}

/* With packed copies of x and y. */
static size_t take_packed_scratch(const dh_call *call)
{
    return index_bytes(&call->in[1]) + 64 +
           (size_t)dh__view_count(&call->in[0]) * dh_dtype_size(call->in[0].dtype) + 64 +
           (size_t)dh__view_count(&call->out[0]) * dh_dtype_size(call->out[0].dtype);
}

static dh_status run_take_packed(const dh_call *call)
{
    dh__arena arena = {call->scratch, 0};
    const dh_view *x = &call->in[0];
    dh_view x3, y3;
    int axis = resolved_axis(call, x->ndim);
    int64_t *index = dh__arena_take(&arena, index_bytes(&call->in[1]));
    dh_view xp = dh__arena_view(&arena, x->dtype, x);
    dh_view yp = dh__arena_view(&arena, x->dtype, &call->out[0]);
    DH_TRY(load_index(index, &call->in[1], x->shape[axis], "take"));
    dh__move(&xp, x);
    (void)fold_take(&x3, &y3, &xp, &call->in[1], &yp, axis);
    take_walk(&x3, &y3, index);
    dh__move(&call->out[0], &yp);
    return DH_OK;
}

static const dh_impl take_folded = {
    .name = "folded", .refuse = refuse_take, .scratch = elements_scratch, .run = run_take};
static const dh_impl take_packed = {
    .name = "packed", .scratch = take_packed_scratch, .run = run_take_packed};
const dh_impl *const dh_cpu_take[] = {&take_folded, &take_packed, NULL};

static const char *refuse_take_dx(const dh_call *call)
{
    dh_view x3, y3;
    if (refuse_half(call)) return refuse_half(call);
    return fold_take(&x3, &y3, &call->out[0], &call->in[1], &call->in[0],
                     resolved_axis(call, call->in[2].ndim))
               ? NULL
               : "the strides of dy or dx do not fold to three axes";
}

static dh_status add_taken(const dh_call *call, const dh_view *dx, const dh_view *dy,
                           int64_t *index)
{
    dh_view x3, y3;
    index_walk k;
    int axis = resolved_axis(call, dx->ndim);
    DH_TRY(load_index(index, &call->in[1], dx->shape[axis], "take_dx"));
    if (!fold_take(&x3, &y3, dx, &call->in[1], dy, axis))
        return dh_fail(DH_EINTERNAL, "take_dx: the strides changed since they were asked");
    dh__fill(dx, 0);
    start_take(&k, &x3, &y3, index);
    k.run = adder(dx->dtype);
    walk_run(&k);
    return DH_OK;
}

static dh_status run_take_dx(const dh_call *call)
{
    return add_taken(call, &call->out[0], &call->in[0], call->scratch);
}

static size_t take_dx_wide_scratch(const dh_call *call)
{
    return index_bytes(&call->in[1]) + 64 + 8 * (size_t)dh__view_count(&call->in[0]) + 64 +
           8 * (size_t)dh__view_count(&call->out[0]);
}

static dh_status run_take_dx_wide(const dh_call *call)
{
    dh__arena arena = {call->scratch, 0};
    dh_dtype wide = dh__wide_dtype(call->in[0].dtype);
    int64_t *index = dh__arena_take(&arena, index_bytes(&call->in[1]));
    dh_view dy = dh__arena_view(&arena, wide, &call->in[0]);
    dh_view dx = dh__arena_view(&arena, wide, &call->out[0]);
    dh__widen(&dy, &call->in[0]);
    DH_TRY(add_taken(call, &dx, &dy, index));
    dh__narrow(&call->out[0], &dx);
    return DH_OK;
}

static const dh_impl take_dx_native = {
    .name = "folded", .refuse = refuse_take_dx, .scratch = elements_scratch, .run = run_take_dx};
static const dh_impl take_dx_wide = {
    .name = "wide", .scratch = take_dx_wide_scratch, .run = run_take_dx_wide};
const dh_impl *const dh_cpu_take_dx[] = {&take_dx_native, &take_dx_wide, NULL};

/* --- one_hot --- */

static dh_status run_one_hot(const dh_call *call)
{
    const dh_one_hot_attr *attr = call->attr;
    const dh_view *y = &call->out[0];
    int64_t *index = call->scratch, count = dh__view_count(&call->in[0]);
    int last = y->ndim - 1;
    int64_t size = (int64_t)dh_dtype_size(y->dtype);
    DH_TRY(load_index(index, &call->in[0], attr->depth, "one_hot"));
    dh__fill(y, attr->off);
    for (int64_t i = 0; i < count; i++)
        dh__store(y->dtype,
                  (char *)y->data + (dh__offset_of(y, last, i) + index[i] * y->stride[last]) * size,
                  attr->on);
    return DH_OK;
}

static size_t one_hot_scratch(const dh_call *call)
{
    return index_bytes(&call->in[0]);
}

static const dh_impl one_hot_any = {.name = "any", .scratch = one_hot_scratch, .run = run_one_hot};
const dh_impl *const dh_cpu_one_hot[] = {&one_hot_any, NULL};
