/* SPDX-License-Identifier: MIT */
#include "fold.h"

#include <math.h>
#include <string.h>

#include "team.h"

#define PIECE 32768 /* elements that one task reduces at most, about */
#define BATCH 64    /* outputs handed to the sink at once, in row mode */

extern const dh__reduce_kernels dh__reduce_portable;
#if DH_HAVE_X86_ISA
extern const dh__reduce_kernels dh__reduce_avx2, dh__reduce_avx512;
#endif

static const dh__reduce_kernels *reduce_table(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__reduce_avx512;
    if (isa == DH_ISA_AVX2) return &dh__reduce_avx2;
#endif
    return &dh__reduce_portable;
}

static dh__fold_type fold_type_of(dh_dtype dtype)
{
    if (dtype == DH_F64) return DH_FOLD_F64;
    if (dh_dtype_is_float(dtype)) return DH_FOLD_F32;
    return DH_MASK_UNSIGNED & DH_MASK(dtype) ? DH_FOLD_U64 : DH_FOLD_I64;
}

/* --- the nest --- */

static int64_t magnitude(int64_t stride)
{
    return stride < 0 ? -stride : stride;
}

static void add_axis(int *count, int64_t *shape, int64_t *stride, int64_t n, int64_t s)
{
    int last = *count - 1;
    if (last >= 0 && stride[last] == n * s) {
        shape[last] *= n;
        stride[last] = s;
        return;
    }
    shape[*count] = n;
    stride[(*count)++] = s;
}

/* Reduced axes, the largest stride outermost: memory is then read in its own order. */
static void add_reduced(dh__nest *nest, const dh_view *x, uint32_t mask, bool ordered)
{
    int axes[DH_MAX_NDIM], count = 0;
    for (int a = 0; a < x->ndim; a++) {
        if (!(mask >> a & 1u) || x->shape[a] == 1) continue;
        int at = count++;
        for (; !ordered && at > 0 && magnitude(x->stride[axes[at - 1]]) < magnitude(x->stride[a]);
             at--)
            axes[at] = axes[at - 1];
        axes[at] = a;
    }
    for (int i = 0; i < count; i++)
        add_axis(&nest->reduced, nest->shape, nest->stride, x->shape[axes[i]], x->stride[axes[i]]);
    if (!nest->reduced) add_axis(&nest->reduced, nest->shape, nest->stride, 1, 0);
}

void dh__nest_make(dh__nest *nest, const dh_view *x, uint32_t mask, bool ordered)
{
    memset(nest, 0, sizeof *nest);
    nest->dtype = x->dtype;
    nest->type = fold_type_of(x->dtype);
    nest->data = x->data;
    nest->outputs = nest->length = 1;
    for (int a = 0; a < x->ndim; a++) {
        bool reduced = mask >> a & 1u;
        if (reduced) nest->length *= x->shape[a];
        if (reduced || x->shape[a] == 1) continue;
        nest->outputs *= x->shape[a];
        add_axis(&nest->kept, nest->kept_shape, nest->kept_stride, x->shape[a], x->stride[a]);
    }
    add_reduced(nest, x, mask, ordered);
    int k = nest->kept - 1, r = nest->reduced - 1;
    nest->column =
        k >= 0 && nest->length > 1 && magnitude(nest->kept_stride[k]) < magnitude(nest->stride[r]);
    int64_t width = nest->column ? nest->kept_shape[k] : 1;
    nest->blocks = (width + DH_FOLD_WIDTH - 1) / DH_FOLD_WIDTH;
    if (width > DH_FOLD_WIDTH) width = DH_FOLD_WIDTH;
    nest->piece = PIECE / (width > 0 ? width : 1);
    nest->pieces = nest->length ? (nest->length + nest->piece - 1) / nest->piece : 1;
}

const char *dh__nest_at(const dh__nest *nest, int64_t output)
{
    int64_t offset = 0;
    for (int a = nest->kept - 1; a >= 0; a--) {
        offset += output % nest->kept_shape[a] * nest->kept_stride[a];
        output /= nest->kept_shape[a];
    }
    return nest->data + offset * (int64_t)dh_dtype_size(nest->dtype);
}

const char *dh__nest_line(const dh__nest *nest, const char *base, int64_t *from, int64_t limit,
                          int64_t *count)
{
    int last = nest->reduced - 1;
    int64_t rest = *from / nest->shape[last], at = *from % nest->shape[last];
    int64_t offset = at * nest->stride[last];
    *count = nest->shape[last] - at < limit - *from ? nest->shape[last] - at : limit - *from;
    *from += *count;
    for (int a = last - 1; a >= 0; a--) {
        offset += rest % nest->shape[a] * nest->stride[a];
        rest /= nest->shape[a];
    }
    return base + offset * (int64_t)dh_dtype_size(nest->dtype);
}

/* --- reading --- */

static bool is_native(dh_dtype dtype)
{
    return dtype == DH_F32 || dtype == DH_F64 || dtype == DH_I64 || dtype == DH_U64;
}

void dh__fold_load(dh_dtype dtype, void *out, const void *x, int64_t stride, int64_t n)
{
#define LOAD(D, T, O, GET)                                         \
    case D: {                                                      \
        const T *p = x;                                            \
        O *o = out;                                                \
        for (int64_t i = 0; i < n; i++) o[i] = GET(p[i * stride]); \
        return;                                                    \
    }
    switch (dtype) {
        LOAD(DH_F32, float, float, )
        LOAD(DH_F64, double, double, )
        LOAD(DH_F16, uint16_t, float, dh__f16_to_f32)
        LOAD(DH_BF16, uint16_t, float, dh__bf16_to_f32)
        LOAD(DH_I8, int8_t, int64_t, )
        LOAD(DH_I16, int16_t, int64_t, )
        LOAD(DH_I32, int32_t, int64_t, )
        LOAD(DH_I64, int64_t, int64_t, )
        LOAD(DH_BOOL, uint8_t, int64_t, )
        LOAD(DH_U8, uint8_t, uint64_t, )
        LOAD(DH_U16, uint16_t, uint64_t, )
        LOAD(DH_U32, uint32_t, uint64_t, )
        LOAD(DH_U64, uint64_t, uint64_t, )
    default: return;
    }
#undef LOAD
}

/* --- folding --- */

typedef struct job {
    const dh__nest *nest;
    const dh__reduce_kernels *kernels;
    dh__fold fold;
    dh__acc identity;
    const double *centre;
    dh__acc *partial; /* [pieces][outputs], where a range is cut in pieces */
    dh__fold_sink sink;
    void *context;
} job;

static dh__acc identity_of(dh__fold fold, dh__fold_type type)
{
    bool is_float = type == DH_FOLD_F32 || type == DH_FOLD_F64;
    int64_t one = fold == DH_FOLD_PROD || fold == DH_FOLD_ALL;
    if (is_float)
        return (dh__acc){.f = fold == DH_FOLD_MAX   ? -(double)INFINITY
                              : fold == DH_FOLD_MIN ? (double)INFINITY
                                                    : (double)one};
    if (type == DH_FOLD_U64)
        return (dh__acc){.u = fold == DH_FOLD_MIN ? UINT64_MAX : (uint64_t)one};
    return (dh__acc){.i = fold == DH_FOLD_MAX ? INT64_MIN : fold == DH_FOLD_MIN ? INT64_MAX : one};
}

/* One output over elements [from, to) of the reduced range. */
static dh__acc fold_row(const job *j, const char *base, int64_t from, int64_t to, double centre)
{
    const dh__nest *n = j->nest;
    int64_t stride = n->stride[n->reduced - 1];
    size_t size = dh_dtype_size(n->dtype);
    uint64_t block[DH_FOLD_WIDTH];
    dh__acc acc = j->identity;
    while (from < to) {
        int64_t count;
        const char *line = dh__nest_line(n, base, &from, to, &count);
        if (is_native(n->dtype) && (stride == 1 || count == 1)) {
            j->kernels->row[n->type][j->fold](&acc, line, count, centre);
            continue;
        }
        for (int64_t i = 0; i < count; i += DH_FOLD_WIDTH) {
            int64_t m = count - i < DH_FOLD_WIDTH ? count - i : DH_FOLD_WIDTH;
            dh__fold_load(n->dtype, block, line + i * stride * (int64_t)size, stride, m);
            j->kernels->row[n->type][j->fold](&acc, block, m, centre);
        }
    }
    return acc;
}

static int64_t piece_end(const dh__nest *n, int64_t piece)
{
    int64_t end = (piece + 1) * n->piece;
    return end < n->length ? end : n->length;
}

static void row_tasks(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const dh__nest *n = j->nest;
    dh__acc batch[BATCH];
    int64_t held = 0;
    for (int64_t t = begin; t < end; t++) {
        int64_t output = t / n->pieces, piece = t % n->pieces;
        double centre = j->centre ? j->centre[output] : 0;
        dh__acc acc =
            fold_row(j, dh__nest_at(n, output), piece * n->piece, piece_end(n, piece), centre);
        if (j->partial) {
            j->partial[piece * n->outputs + output] = acc;
            continue;
        }
        batch[held++] = acc;
        if (held == BATCH || t + 1 == end) {
            j->sink(j->context, output + 1 - held, batch, held);
            held = 0;
        }
    }
}

/* m neighbouring outputs over elements [from, to) of the reduced range. */
static void fold_column(const job *j, dh__acc *acc, const char *base, int64_t m, int64_t from,
                        int64_t to, const double *centre)
{
    const dh__nest *n = j->nest;
    int64_t across = n->kept_stride[n->kept - 1], down = n->stride[n->reduced - 1];
    int64_t size = (int64_t)dh_dtype_size(n->dtype);
    uint64_t block[DH_FOLD_WIDTH];
    while (from < to) {
        int64_t rows;
        const char *line = dh__nest_line(n, base, &from, to, &rows);
        if (is_native(n->dtype) && (across == 1 || m == 1)) {
            j->kernels->column[n->type][j->fold](acc, line, down, rows, m, centre);
            continue;
        }
        for (int64_t r = 0; r < rows; r++) {
            dh__fold_load(n->dtype, block, line + r * down * size, across, m);
            j->kernels->column[n->type][j->fold](acc, block, 0, 1, m, centre);
        }
    }
}

static void column_tasks(void *context, int64_t begin, int64_t end)
{
    static const double zeros[DH_FOLD_WIDTH];
    const job *j = context;
    const dh__nest *n = j->nest;
    int64_t width = n->kept_shape[n->kept - 1];
    for (int64_t t = begin; t < end; t++) {
        int64_t tile = t / n->pieces, piece = t % n->pieces;
        int64_t at = tile % n->blocks * DH_FOLD_WIDTH, output = tile / n->blocks * width + at;
        int64_t m = width - at < DH_FOLD_WIDTH ? width - at : DH_FOLD_WIDTH;
        dh__acc local[DH_FOLD_WIDTH], *acc = local;
        if (j->partial) acc = j->partial + piece * n->outputs + output;
        for (int64_t i = 0; i < m; i++) acc[i] = j->identity;
        fold_column(j, acc, dh__nest_at(n, output), m, piece * n->piece, piece_end(n, piece),
                    j->centre ? j->centre + output : zeros);
        if (!j->partial) j->sink(j->context, output, acc, m);
    }
}

/* Partial results of [begin, end) join in the order of the pieces. */
static void join_tasks(void *context, int64_t begin, int64_t end)
{
    static const double zeros[DH_FOLD_WIDTH];
    const job *j = context;
    const dh__nest *n = j->nest;
    dh__fold_type type = n->type == DH_FOLD_F32 ? DH_FOLD_F64 : n->type;
    dh__fold fold = j->fold == DH_FOLD_SQ ? DH_FOLD_SUM : j->fold;
    for (int64_t i = begin; i < end; i += DH_FOLD_WIDTH) {
        int64_t m = end - i < DH_FOLD_WIDTH ? end - i : DH_FOLD_WIDTH;
        j->kernels->column[type][fold](j->partial + i, j->partial + n->outputs + i, n->outputs,
                                       n->pieces - 1, m, zeros);
        j->sink(j->context, i, j->partial + i, m);
    }
}

size_t dh__fold_scratch(const dh__nest *nest)
{
    if (nest->pieces == 1) return 0;
    return (size_t)nest->pieces * (size_t)nest->outputs * sizeof(dh__acc);
}

void dh__fold_run(const dh__nest *nest, dh__fold fold, const double *centre, void *scratch,
                  dh__fold_sink sink, void *context)
{
    job j = {.nest = nest, .kernels = reduce_table(), .fold = fold, .centre = centre};
    j.identity = identity_of(fold, nest->type);
    j.partial = nest->pieces > 1 ? scratch : NULL;
    j.sink = sink;
    j.context = context;
    if (!nest->outputs) return;
    int64_t work = nest->length < nest->piece ? nest->length : nest->piece;
    if (nest->column) {
        int64_t width = nest->kept_shape[nest->kept - 1];
        int64_t tiles = nest->outputs / width * nest->blocks;
        int64_t grain = PIECE / ((width < DH_FOLD_WIDTH ? width : DH_FOLD_WIDTH) * work + 64);
        dh__team_ranges(tiles * nest->pieces, grain < 1 ? 1 : grain, column_tasks, &j);
    } else {
        int64_t grain = PIECE / (work + 16);
        dh__team_ranges(nest->outputs * nest->pieces, grain < 1 ? 1 : grain, row_tasks, &j);
    }
    if (j.partial) dh__team_ranges(nest->outputs, 4096, join_tasks, &j);
}
