/* SPDX-License-Identifier: MIT */
/* Convolutions as products of packed panels (tiled), images unfolded as they are packed, so many
 * columns at a time as the scratch holds; and with groups each element by itself. */
#include <string.h>

#include "fpga_ops.h"
#include "gemm_cl.h"
#include "op_conv.h"

#define BATCH        32      /* positions that a work item of pack_taps takes */
#define PACKED_BYTES 8388608 /* of unfolded images at a time, about */

typedef struct sides {
    dh__conv c;
    const dh_view *large, *weight, *small;
    const dh_view *bias, *norm, *add;
    bool pool;
    int act;
    double alpha, epsilon;
} sides;

static sides sides_of(const dh_call *call)
{
    const dh_conv_attr *attr = call->attr;
    const dh_view *in = call->in, *out = call->out;
    bool forward = call->op == &dh_op_conv, transposed = call->op == &dh_op_conv_transpose;
    bool dw = call->op == &dh_op_conv_dw, add = forward && attr->add;
    int count = call->in_count - add;
    sides s = {.large = forward || dw ? &in[0] : &out[0],
               .weight = dw ? &out[0] : &in[1],
               .small = forward ? &out[0]
                        : dw    ? &in[1]
                                : &in[0]};
    if (forward || transposed) {
        s.bias = count % 4 == 3 ? &in[2] : NULL;
        s.norm = count > 3 ? &in[count - 4] : NULL;
        s.add = add ? &in[count] : NULL;
    }
    if (forward) {
        s.act = attr->act;
        s.alpha = attr->alpha;
        s.epsilon = attr->epsilon;
        s.pool = attr->pool;
    }
    /* infer has checked it */
    if (dh__conv_shape(&s.c, attr, s.large, s.weight, call->op->name)) dh_error_clear();
    return s;
}

/* --- what both ways share: normalisation, maxima --- */

static size_t aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

static size_t number_size(const sides *s)
{
    return s->large->dtype == DH_F64 ? sizeof(double) : sizeof(float);
}

/* Factor and addend of each channel, where there is a normalisation. */
static size_t fold_bytes(const sides *s)
{
    return s->norm ? aligned(2 * (size_t)s->norm->shape[0] * number_size(s)) : 0;
}

/* The result before the maxima are taken, where they are. */
static size_t whole_bytes(const sides *s)
{
    int64_t count = s->c.n * s->c.out_channels * s->c.groups * dh__windows_positions(&s->c.w);
    return s->pool ? aligned((size_t)count * dh_dtype_size(s->small->dtype)) : 0;
}

static dh_status fold(const dh_call *call, const sides *s, void *to)
{
    char options[DH_CL_OPTIONS];
    if (!s->norm) return DH_OK;
    dh__cl_launch l = dh__cl_begin(call, "conv", "fold", "%s",
                                   dh__cl_gemm_options(options, sizeof options, s->large->dtype));
    dh__cl_data(&l, to, number_size(s));
    dh__cl_view(&l, s->bias ? s->bias : s->norm);
    for (int i = 0; i < 4; i++) dh__cl_view(&l, &s->norm[i]);
    dh__cl_wide(&l, s->epsilon);
    dh__cl_int(&l, s->bias != NULL);
    return dh__cl_each(&l, s->norm->shape[0]);
}

/* The packed tensor that maxima are taken of. */
static dh_view whole_of(const sides *s, void *memory)
{
    dh_view v = *s->small;
    v.data = memory;
    for (int i = 0; i < s->c.w.ndim; i++) v.shape[2 + i] = s->c.w.out[3 - s->c.w.ndim + i];
    dh__view_pack(&v);
    return v;
}

static dh_status halve(const dh_call *call, const sides *s, const dh_view *whole)
{
    char options[DH_CL_OPTIONS];
    const dh_view *y = s->small;
    if (!s->pool) return DH_OK;
    dh__cl_launch l = dh__cl_begin(call, "conv", "halve", "%s",
                                   dh__cl_gemm_options(options, sizeof options, y->dtype));
    dh__cl_view(&l, y);
    dh__cl_view(&l, whole);
    dh__cl_int(&l, y->shape[3]);
    dh__cl_int(&l, y->shape[2]);
    dh__cl_int(&l, whole->shape[3]);
    dh__cl_int(&l, whole->shape[2]);
    return dh__cl_each(&l, dh__view_count(y));
}

/* --- tiled --- */

static const char *tiled_refuse(const dh_call *call)
{
    if (dh__cl_refuse(call)) return dh__cl_refuse(call);
    return sides_of(call).c.groups > 1 ? "channels are in groups" : NULL;
}

/* The product: rows, columns and depth, of which one is cut into chunks: columns, or for the
 * weights the depth. */
typedef struct plan {
    int64_t rows, columns, depth, chunk, chunks;
    bool dw;
} plan;

static int64_t taps_of(const sides *s)
{
    return dh__windows_elements(&s->c.w);
}

static plan plan_of(const sides *s, const dh_call *call)
{
    int64_t positions = s->c.n * dh__windows_positions(&s->c.w), width;
    plan p = {.dw = call->op == &dh_op_conv_dw};
    if (p.dw)
        p = (plan){s->c.out_channels, s->c.in_channels * taps_of(s), positions, 0, 0, true};
    else if (s->small == &call->out[0])
        p = (plan){s->c.out_channels, positions, s->c.in_channels * taps_of(s), 0, 0, false};
    else
        p = (plan){s->c.in_channels,
                   s->c.n * s->c.w.in[0] * s->c.w.in[1] * s->c.w.in[2],
                   s->c.out_channels * taps_of(s),
                   0,
                   0,
                   false};
    int64_t line = (p.dw ? p.columns : p.depth) * (int64_t)number_size(s);
    int64_t all = p.dw ? p.depth : p.columns;
    width = p.dw ? 64 : dh__cl_columns(s->large->dtype);
    p.chunk = line ? PACKED_BYTES / line / width * width : all;
    if (p.chunk < width) p.chunk = width;
    if (p.chunk > all) p.chunk = all;
    p.chunks = p.chunk ? (all + p.chunk - 1) / p.chunk : 0;
    return p;
}

static size_t right_bytes(const sides *s, const plan *p)
{
    return dh__cl_packed_bytes(s->large->dtype, true, 1, p->dw ? p->columns : p->chunk,
                               p->dw ? p->chunk : p->depth);
}

static size_t left_bytes(const sides *s, const plan *p)
{
    return dh__cl_packed_bytes(s->large->dtype, false, 1, p->rows, p->dw ? p->chunk : p->depth);
}

static size_t tiled_scratch(const dh_call *call)
{
    sides s = sides_of(call);
    plan p = plan_of(&s, call);
    return fold_bytes(&s) + whole_bytes(&s) + left_bytes(&s, &p) + right_bytes(&s, &p);
}

/* Images of x unfolded: columns from first on, or for the weights depths. */
static dh_status unfold(const dh_call *call, const sides *s, const plan *p, const dh_view *x,
                        int64_t first, int64_t count, void *to)
{
    char options[DH_CL_OPTIONS];
    int64_t steps[3], width = dh__cl_columns(x->dtype), columns = p->dw ? p->columns : count;
    int64_t depth = p->dw ? count : p->depth;
    const char *kernel = p->dw ? "pack_taps" : x == s->large ? "pack_small" : "pack_large";
    dh__spatial_strides(steps, x);
    dh__cl_launch l = dh__cl_begin(call, "conv", kernel, "%s",
                                   dh__cl_gemm_options(options, sizeof options, x->dtype));
    dh__cl_data(&l, to, number_size(s));
    dh__cl_data(&l, x->data, dh_dtype_size(x->dtype));
    dh__cl_windows(&l, &s->c.w);
    dh__cl_int(&l, x->stride[0]);
    dh__cl_int(&l, x->stride[1]);
    for (int i = 0; i < 3; i++) dh__cl_int(&l, steps[i]);
    dh__cl_int(&l, first);
    dh__cl_int(&l, columns);
    int64_t items = p->dw ? (depth + BATCH - 1) / BATCH : depth / taps_of(s);
    if (p->dw) dh__cl_int(&l, depth);
    dh__cl_int(&l, items);
    return dh__cl_each(&l, (columns + width - 1) / width * items);
}

/* Some axes of a view: those of bit mask. */
static dh_view axes_of(const dh_view *x, uint32_t mask)
{
    dh_view v = {.dtype = x->dtype, .data = x->data};
    for (int a = 0; a < x->ndim; a++) {
        if (!(mask >> a & 1u)) continue;
        v.shape[v.ndim] = x->shape[a];
        v.stride[v.ndim++] = x->stride[a];
    }
    return v;
}

#define IMAGES_AND_SPACE ~2u
#define CHANNELS         2u

/* Where of y the elements of a chunk of its columns lie: that of all, from first on. */
static dh_status multiply_chunk(const dh_call *call, dh__cl_product *p, const void *left,
                                const void *right, int64_t first, int64_t count)
{
    p->first_column = first;
    p->columns = count;
    return dh__cl_multiply(call, p, left, true, right, true);
}

/* y, images' positions by channels, from the weights and the other side x. */
static dh_status run_images(const dh_call *call, const sides *s, const plan *p, const dh_view *y,
                            const dh_view *x, const void *factors, char *scratch)
{
    bool small = x == s->large;
    char *left = scratch, *right = left + left_bytes(s, p);
    dh__cl_side weights = {.lines = axes_of(s->weight, small ? 1u : 2u),
                           .depths = axes_of(s->weight, small ? ~1u : ~2u),
                           .shared = true};
    dh__cl_product product = {.dtype = y->dtype,
                              .batches = 1,
                              .rows = p->rows,
                              .depth = p->depth,
                              .row = axes_of(y, CHANNELS),
                              .column = axes_of(y, IMAGES_AND_SPACE),
                              .scale = s->norm ? factors : NULL,
                              .row_bias = s->norm ? NULL : s->bias,
                              .add = s->add,
                              .act = (dh__act)s->act,
                              .alpha = s->alpha};
    if (s->add) {
        product.add_row = axes_of(s->add, CHANNELS);
        product.add_column = axes_of(s->add, IMAGES_AND_SPACE);
    }
    DH_TRY(dh__cl_pack(call, &weights, false, 1, p->rows, p->depth, left));
    for (int64_t first = 0; first < p->columns; first += p->chunk) {
        int64_t count = p->columns - first < p->chunk ? p->columns - first : p->chunk;
        if (p->depth) DH_TRY(unfold(call, s, p, x, first, count, right));
        DH_TRY(multiply_chunk(call, &product, left, right, first, count));
    }
    return DH_OK;
}

static dh_status run_weights(const dh_call *call, const sides *s, const plan *p, char *scratch)
{
    char *left = scratch, *right = left + left_bytes(s, p);
    dh__cl_side small = {.lines = axes_of(s->small, CHANNELS),
                         .depths = axes_of(s->small, IMAGES_AND_SPACE),
                         .shared = true};
    dh__cl_product product = {.dtype = s->weight->dtype,
                              .batches = 1,
                              .rows = p->rows,
                              .columns = p->columns,
                              .row = axes_of(s->weight, 1u),
                              .column = axes_of(s->weight, ~1u)};
    if (!p->depth) return dh__cl_fill(call, s->weight, 0);
    for (int64_t first = 0; first < p->depth; first += p->chunk) {
        int64_t count = p->depth - first < p->chunk ? p->depth - first : p->chunk;
        small.first_depth = first;
        product.depth = count;
        product.accumulate = first > 0;
        DH_TRY(dh__cl_pack(call, &small, false, 1, p->rows, count, left));
        DH_TRY(unfold(call, s, p, s->large, first, count, right));
        DH_TRY(dh__cl_multiply(call, &product, left, true, right, true));
    }
    return DH_OK;
}

static dh_status tiled_run(const dh_call *call)
{
    sides s = sides_of(call);
    plan p = plan_of(&s, call);
    char *factors = call->scratch, *whole_at = factors + fold_bytes(&s);
    char *scratch = whole_at + whole_bytes(&s);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    if (p.dw) return run_weights(call, &s, &p, scratch);
    if (s.large == &call->out[0]) return run_images(call, &s, &p, s.large, s.small, NULL, scratch);
    dh_view whole = s.pool ? whole_of(&s, whole_at) : *s.small;
    DH_TRY(fold(call, &s, factors));
    DH_TRY(run_images(call, &s, &p, &whole, s.large, factors, scratch));
    return halve(call, &s, &whole);
}

/* --- each element by itself --- */

typedef struct strides {
    cl_long large[5], small[5], weight[5], groups, in_channels, out_channels, images;
} strides;

static void take_strides(cl_long out[5], const dh_view *view)
{
    int64_t space[3];
    dh__spatial_strides(space, view);
    out[0] = view->stride[0];
    out[1] = view->stride[1];
    for (int i = 0; i < 3; i++) out[2 + i] = space[i];
}

static void give_sides(dh__cl_launch *l, const sides *s)
{
    strides k = {.groups = s->c.groups,
                 .in_channels = s->c.in_channels,
                 .out_channels = s->c.out_channels,
                 .images = s->c.n};
    take_strides(k.large, s->large);
    take_strides(k.small, s->small);
    take_strides(k.weight, s->weight);
    dh__cl_windows(l, &s->c.w);
    dh__cl_bytes(l, &k, sizeof k);
}

static size_t each_scratch(const dh_call *call)
{
    sides s = sides_of(call);
    return fold_bytes(&s) + whole_bytes(&s);
}

static void give_plain(dh__cl_launch *l, const dh_view *view)
{
    dh__cl_data(l, view ? view->data : NULL, view ? dh_dtype_size(view->dtype) : 1);
}

static dh__cl_launch begin_each(const dh_call *call, const char *kernel, const dh_view *result)
{
    char options[DH_CL_OPTIONS];
    dh__cl_launch l = dh__cl_begin(call, "conv", kernel, "%s",
                                   dh__cl_gemm_options(options, sizeof options, result->dtype));
    dh__cl_view(&l, result);
    return l;
}

static dh_status each_small(const dh_call *call, const sides *s)
{
    char *factors = call->scratch;
    dh_view whole = s->pool ? whole_of(s, factors + fold_bytes(s)) : *s->small;
    const dh_view *bias = s->norm ? NULL : s->bias;
    DH_TRY(fold(call, s, factors));
    dh__cl_launch l = begin_each(call, "each_small", &whole);
    give_plain(&l, s->large);
    give_plain(&l, s->weight);
    give_sides(&l, s);
    dh__cl_data(&l, s->norm ? factors : NULL, number_size(s));
    give_plain(&l, bias);
    dh__cl_int(&l, bias ? bias->stride[0] : 0);
    dh__cl_view(&l, s->add ? s->add : s->large);
    dh__cl_int(&l, (s->norm != NULL) + 2 * (bias != NULL) + 4 * (s->add != NULL));
    dh__cl_int(&l, s->act);
    dh__cl_number(&l, s->large->dtype, s->alpha);
    DH_TRY(dh__cl_each(&l, dh__view_count(&whole)));
    return halve(call, s, &whole);
}

static dh_status each_run(const dh_call *call)
{
    sides s = sides_of(call);
    const dh_view *y = &call->out[0];
    if (!dh__view_count(y)) return DH_OK;
    if (y == s.small) return each_small(call, &s);
    dh__cl_launch l = begin_each(call, y == s.weight ? "each_weight" : "each_large", y);
    give_plain(&l, &call->in[0]);
    give_plain(&l, &call->in[1]);
    give_sides(&l, &s);
    if (y == s.large) {
        give_plain(&l, s.bias);
        dh__cl_int(&l, s.bias ? s.bias->stride[0] : 0);
        dh__cl_int(&l, s.bias != NULL);
    }
    return dh__cl_each(&l, dh__view_count(y));
}

const dh_impl dh__fpga_tiled = {
    .name = "tiled", .refuse = tiled_refuse, .scratch = tiled_scratch, .run = tiled_run};
const dh_impl dh__fpga_each = {
    .name = "elements", .refuse = dh__cl_refuse, .scratch = each_scratch, .run = each_run};
const dh_impl *const dh_fpga_conv[] = {&dh__fpga_tiled, &dh__fpga_stream, &dh__fpga_each, NULL};
const dh_impl *const dh_fpga_conv_dx[] = {&dh__fpga_tiled, &dh__fpga_each, NULL};
const dh_impl *const dh_fpga_conv_dw[] = {&dh__fpga_tiled, &dh__fpga_each, NULL};
const dh_impl *const dh_fpga_conv_transpose[] = {&dh__fpga_tiled, &dh__fpga_each, NULL};
