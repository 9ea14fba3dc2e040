/* SPDX-License-Identifier: MIT */
/* Softmax, its logarithm, and cross entropy on logits. */
#include <math.h>

#include "cpu.h"
#include "element.h"
#include "nn_kernels.h"
#include "team.h"

extern const dh__softmax_kernels dh__softmax_portable;
#if DH_HAVE_X86_ISA
extern const dh__softmax_kernels dh__softmax_avx2, dh__softmax_avx512;
#endif

static const dh__softmax_kernels *softmax_table(void)
{
#if DH_HAVE_X86_ISA
    dh__isa isa = dh__cpu_isa();
    if (isa == DH_ISA_AVX512) return &dh__softmax_avx512;
    if (isa == DH_ISA_AVX2) return &dh__softmax_avx2;
#endif
    return &dh__softmax_portable;
}

/* A tensor as [outer, n, inner] around the axis. */
typedef struct frame {
    const dh_call *call;
    const dh__softmax_kernels *kernels;
    int64_t outer, n, inner, blocks;
    bool log;
} frame;

static frame frame_of(const dh_call *call)
{
    const dh_view *x = &call->in[0];
    frame f = {.call = call, .kernels = softmax_table(), .outer = 1, .inner = 1};
    int axis = ((const dh_axis_attr *)call->attr)->axis;
    if (axis < 0) axis += x->ndim;
    for (int a = 0; a < axis; a++) f.outer *= x->shape[a];
    for (int a = axis + 1; a < x->ndim; a++) f.inner *= x->shape[a];
    f.n = x->shape[axis];
    f.blocks = (f.inner + DH_NN_WIDTH - 1) / DH_NN_WIDTH;
    f.log = call->op == &dh_op_log_softmax || call->op == &dh_op_log_softmax_dx;
    return f;
}

static int64_t grain_of(int64_t cost)
{
    int64_t grain = 8192 / (cost + 8);
    return grain < 1 ? 1 : grain;
}

static const char *refuse_unless_packed(const dh_call *call)
{
    return dh__all_packed_f32(call) ? NULL : "takes contiguous f32 only";
}

static void packed_tasks(void *context, int64_t begin, int64_t end)
{
    const frame *f = context;
    const float *a = f->call->in[0].data;
    const float *b = f->call->in_count > 1 ? f->call->in[1].data : NULL;
    float *out = f->call->out[0].data;
    for (int64_t t = begin; t < end; t++) {
        int64_t j = t % f->blocks * DH_NN_WIDTH, at = t / f->blocks * f->n * f->inner + j;
        int64_t m = f->inner - j < DH_NN_WIDTH ? f->inner - j : DH_NN_WIDTH;
        if (f->inner == 1 && b)
            f->kernels->row_dx(out + at, a + at, b + at, f->n, f->log);
        else if (f->inner == 1)
            f->kernels->row(out + at, a + at, f->n, f->log);
        else if (b)
            f->kernels->columns_dx(out + at, a + at, b + at, f->n, f->inner, m, f->log);
        else
            f->kernels->columns(out + at, a + at, f->n, f->inner, m, f->log);
    }
}

static dh_status packed_run(const dh_call *call)
{
    frame f = frame_of(call);
    int64_t width = f.inner < DH_NN_WIDTH ? f.inner : DH_NN_WIDTH;
    if (f.n) dh__team_ranges(f.outer * f.blocks, grain_of(f.n * width), packed_tasks, &f);
    return DH_OK;
}

static void softmax_line(const frame *f, int64_t first)
{
    const dh_view *x = &f->call->in[0], *y = &f->call->out[0];
    double top = dh__get(x, first), sum = 0;
    for (int64_t i = 1; i < f->n; i++) {
        double v = dh__get(x, first + i * f->inner);
        if (v > top || v != v) top = v;
    }
    for (int64_t i = 0; i < f->n; i++) sum += exp(dh__get(x, first + i * f->inner) - top);
    double shift = top + log(sum);
    for (int64_t i = 0; i < f->n; i++) {
        double v = dh__get(x, first + i * f->inner);
        dh__put(y, first + i * f->inner, f->log ? v - shift : exp(v - top) / sum);
    }
}

static void softmax_line_dx(const frame *f, int64_t first)
{
    const dh_view *dy = &f->call->in[0], *y = &f->call->in[1], *dx = &f->call->out[0];
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++) {
        int64_t k = first + i * f->inner;
        sum += dh__get(dy, k) * (f->log ? 1 : dh__get(y, k));
    }
    for (int64_t i = 0; i < f->n; i++) {
        int64_t k = first + i * f->inner;
        double d = dh__get(dy, k), v = dh__get(y, k);
        dh__put(dx, k, f->log ? d - exp(v) * sum : v * (d - sum));
    }
}

static void line_tasks(void *context, int64_t begin, int64_t end)
{
    const frame *f = context;
    for (int64_t t = begin; t < end; t++) {
        int64_t first = t / f->inner * f->n * f->inner + t % f->inner;
        if (f->call->in_count > 1)
            softmax_line_dx(f, first);
        else
            softmax_line(f, first);
    }
}

static dh_status line_run(const dh_call *call)
{
    frame f = frame_of(call);
    if (f.n) dh__team_ranges(f.outer * f.inner, grain_of(16 * f.n), line_tasks, &f);
    return DH_OK;
}

/* --- cross entropy --- */

/* Rows of logits; dloss and dz of the gradient only. */
typedef struct entropy {
    const dh__softmax_kernels *kernels;
    const dh_view *z, *t, *dloss, *out;
    int64_t rows, n;
    bool labels;
} entropy;

static entropy entropy_of(const dh_call *call)
{
    bool dx = call->op == &dh_op_softmax_cross_entropy_dx;
    entropy e = {.kernels = softmax_table(), .z = &call->in[dx], .t = &call->in[dx + 1]};
    e.dloss = dx ? &call->in[0] : NULL;
    e.out = &call->out[0];
    e.n = e.z->shape[e.z->ndim - 1];
    e.rows = e.n ? dh__view_count(e.z) / e.n : 0;
    e.labels = !dh_dtype_is_float(e.t->dtype);
    return e;
}

static int64_t label_of(const entropy *e, int64_t row)
{
    const void *address = dh__element(e->t, row);
    if (e->t->dtype == DH_I64) return *(const int64_t *)address;
    if (e->t->dtype == DH_I32) return *(const int32_t *)address;
    return *(const uint8_t *)address;
}

static dh_status check_labels(const entropy *e, const char *who)
{
    for (int64_t r = 0; e->labels && r < e->rows; r++) {
        int64_t label = label_of(e, r);
        DH_REQUIRE(label >= 0 && label < e->n, DH_EINVAL,
                   "%s: label of row %lld is %lld, must be in [0, %lld)", who, (long long)r,
                   (long long)label, (long long)e->n);
    }
    return DH_OK;
}

static void entropy_tasks(void *context, int64_t begin, int64_t end)
{
    const entropy *e = context;
    const float *t = e->t->data;
    float *out = e->out->data;
    for (int64_t r = begin; r < end; r++) {
        const float *z = (const float *)e->z->data + r * e->n;
        const float *tr = e->labels ? NULL : t + r * e->n;
        float lse = e->kernels->log_sum_exp(z, e->n);
        if (!e->dloss) {
            bool soft = !e->labels && lse == lse; /* a NaN in z shows, whatever its target */
            out[r] = e->labels ? lse - z[label_of(e, r)] : lse;
            if (soft) out[r] = e->kernels->soft_loss(z, tr, e->n, lse);
            continue;
        }
        float dloss = ((const float *)e->dloss->data)[r];
        e->kernels->cross_entropy_dx(out + r * e->n, z, tr, e->n, lse, dloss);
        if (e->labels) out[r * e->n + label_of(e, r)] -= dloss;
    }
}

static const char *entropy_refuse(const dh_call *call)
{
    for (int i = 0; i < call->in_count; i++) {
        const dh_view *v = &call->in[i];
        if (!dh__view_contiguous(v) || (dh_dtype_is_float(v->dtype) && v->dtype != DH_F32))
            return "takes contiguous f32 only";
    }
    return dh__packed_f32(&call->out[0]) ? NULL : "takes contiguous f32 only";
}

static dh_status entropy_run(const dh_call *call)
{
    entropy e = entropy_of(call);
    DH_TRY(check_labels(&e, call->op->name));
    dh__team_ranges(e.rows, grain_of(e.n), entropy_tasks, &e);
    return DH_OK;
}

static void entropy_line(const entropy *e, int64_t r)
{
    int64_t from = r * e->n;
    double top = dh__get(e->z, from), sum = 0, mass = 0, loss = 0;
    for (int64_t c = 1; c < e->n; c++) {
        double v = dh__get(e->z, from + c);
        if (v > top || v != v) top = v;
    }
    for (int64_t c = 0; c < e->n; c++) sum += exp(dh__get(e->z, from + c) - top);
    double lse = top + log(sum);
    for (int64_t c = 0; c < e->n; c++) {
        double t = e->labels ? c == label_of(e, r) : dh__get(e->t, from + c);
        mass += t;
        if (t != 0) loss += t * (lse - dh__get(e->z, from + c));
    }
    if (!e->dloss) {
        dh__put(e->out, r, lse == lse ? loss : lse);
        return;
    }
    double dloss = dh__get(e->dloss, r);
    for (int64_t c = 0; c < e->n; c++) {
        double t = e->labels ? c == label_of(e, r) : dh__get(e->t, from + c);
        dh__put(e->out, from + c, dloss * (exp(dh__get(e->z, from + c) - lse) * mass - t));
    }
}

static void entropy_line_tasks(void *context, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) entropy_line(context, r);
}

static dh_status entropy_line_run(const dh_call *call)
{
    entropy e = entropy_of(call);
    DH_TRY(check_labels(&e, call->op->name));
    dh__team_ranges(e.rows, grain_of(16 * e.n), entropy_line_tasks, &e);
    return DH_OK;
}

static const dh_impl packed = {.name = "packed", .refuse = refuse_unless_packed, .run = packed_run};
static const dh_impl line = {.name = "line", .run = line_run};
static const dh_impl entropy_packed = {
    .name = "packed", .refuse = entropy_refuse, .run = entropy_run};
static const dh_impl entropy_any = {.name = "line", .run = entropy_line_run};

const dh_impl *const dh_cpu_softmax[] = {&packed, &line, NULL};
const dh_impl *const dh_cpu_log_softmax[] = {&packed, &line, NULL};
const dh_impl *const dh_cpu_softmax_dx[] = {&packed, &line, NULL};
const dh_impl *const dh_cpu_log_softmax_dx[] = {&packed, &line, NULL};
const dh_impl *const dh_cpu_softmax_cross_entropy[] = {&entropy_packed, &entropy_any, NULL};
const dh_impl *const dh_cpu_softmax_cross_entropy_dx[] = {&entropy_packed, &entropy_any, NULL};
