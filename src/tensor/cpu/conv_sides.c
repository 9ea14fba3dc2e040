/* SPDX-License-Identifier: MIT */
/* What every implementation of a convolution asks of its call: the three tensors, where a window's
 * element lies, and the normalisation that scales the weights. */
#include "conv_sides.h"

#include <string.h>

#include "cpu.h"
#include "cut.h"

#define TASKS_WANTED  16
#define SHARES_MEMORY 16777216.0 /* bytes of the sums of all shares, at most, if more than one */

dh__conv_sides dh__conv_sides_of(const dh_call *call)
{
    static const struct {
        const dh_op *op;
        int large, weight, small; /* input, or -1: the output */
    } roles[] = {{&dh_op_conv, 0, 1, -1},
                 {&dh_op_conv_dx, -1, 1, 0},
                 {&dh_op_conv_dw, 0, -1, 1},
                 {&dh_op_conv_transpose, -1, 1, 0}};
    int r = 0;
    while (roles[r].op != call->op) r++;
    dh__conv_sides s = {.large = roles[r].large < 0 ? call->out[0] : call->in[roles[r].large],
                        .weight = roles[r].weight < 0 ? call->out[0] : call->in[roles[r].weight],
                        .small = roles[r].small < 0 ? call->out[0] : call->in[roles[r].small]};
    bool with_bias = call->op == &dh_op_conv || call->op == &dh_op_conv_transpose;
    bool add = call->op == &dh_op_conv && ((const dh_conv_attr *)call->attr)->add;
    int count = call->in_count - add;
    s.bias = with_bias && count % 4 == 3 ? &call->in[2] : NULL;
    s.norm = with_bias && count > 3 ? &call->in[count - 4] : NULL;
    s.add = add ? &call->in[count] : NULL;
    s.to_large = roles[r].large < 0;
    s.size = (int64_t)dh_dtype_size(s.large.dtype);
    if (call->op == &dh_op_conv) {
        const dh_conv_attr *attr = call->attr;
        s.act = (dh__act)attr->act;
        s.act_alpha = attr->alpha;
        s.epsilon = attr->epsilon;
        s.pool = attr->pool;
    }
    /* infer has checked it */
    if (dh__conv_shape(&s.c, call->attr, &s.large, &s.weight, call->op->name)) dh_error_clear();
    for (int i = 1; i < 3 && s.pool; i++) s.c.w.out[i] -= s.c.w.out[i] % 2;
    return s;
}

/* --- normalisation --- */

static double number(const dh_view *view, int64_t channel)
{
    int64_t at = channel * view->stride[0] * (int64_t)dh_dtype_size(view->dtype);
    return dh__load(view->dtype, (const char *)view->data + at);
}

double dh__conv_scale(const dh__conv_sides *s, int64_t channel)
{
    return s->norm ? number(&s->norm[0], channel) / sqrt(number(&s->norm[3], channel) + s->epsilon)
                   : 1;
}

double dh__conv_shift(const dh__conv_sides *s, int64_t channel)
{
    double bias = s->bias ? number(s->bias, channel) : 0;
    if (!s->norm) return bias;
    return (bias - number(&s->norm[2], channel)) * dh__conv_scale(s, channel) +
           number(&s->norm[1], channel);
}

int64_t dh__conv_shift_bytes(const dh__conv_sides *s)
{
    return s->norm ? dh__whole_lines(s->norm[0].shape[0] * s->size) : 0;
}

void dh__conv_pack_shifts(const dh__conv_sides *s, void *memory)
{
    for (int64_t c = 0; s->norm && c < s->norm[0].shape[0]; c++)
        dh__store(s->large.dtype, (char *)memory + c * s->size, dh__conv_shift(s, c));
}

char *dh__conv_fold(dh__conv_sides *s, const dh_call *call, char **scratch)
{
    char *packed = (char *)(uintptr_t)call->packed, *shifts = packed ? packed : call->scratch;
    int64_t bytes = dh__conv_shift_bytes(s);
    *scratch = (char *)call->scratch + (packed ? 0 : bytes);
    if (!s->norm) return packed;
    if (!packed) dh__conv_pack_shifts(s, shifts);
    s->shift = (dh_view){.dtype = s->large.dtype,
                         .ndim = 1,
                         .shape = {s->norm[0].shape[0]},
                         .stride = {1},
                         .data = shifts};
    s->bias = &s->shift;
    return packed ? packed + bytes : NULL;
}

void dh__conv_scale_rows(const dh__conv_sides *s, void *rows, int64_t count, int64_t step,
                         int64_t width, int64_t first)
{
    for (int64_t i = 0; i < width && s->norm; i++) {
        double scale = dh__conv_scale(s, first + i);
        for (int64_t r = 0; r < count && s->size == 8; r++) ((double *)rows)[r * step + i] *= scale;
        for (int64_t r = 0; r < count && s->size == 4; r++)
            ((float *)rows)[r * step + i] *= (float)scale;
    }
}

const char *dh__conv_not_packed(const dh__conv_sides *s)
{
    if (s->large.dtype != DH_F32 && s->large.dtype != DH_F64) return "dtype is neither f32 nor f64";
    if (!dh__packed_from(&s->weight, 1)) return "weight is not packed";
    if (!dh__packed_from(&s->small, 2)) return "positions are not packed";
    if (!dh__packed_from(&s->large, 2)) return "images are not packed";
    if (s->add && !dh__packed_from(s->add, 2)) return "what is added is not packed";
    if (s->pool) return "takes no maxima";
    return NULL;
}

void dh__conv_zero_weight(const dh__conv_sides *s)
{
    int64_t row = s->c.in_channels * dh__windows_elements(&s->c.w);
    for (int64_t i = 0; i < s->weight.shape[0]; i++)
        memset((char *)s->weight.data + i * s->weight.stride[0] * s->size, 0,
               (size_t)(row * s->size));
}

int64_t dh__conv_shares(int64_t tasks, double bytes)
{
    int64_t shares = dh__divide_up(TASKS_WANTED, tasks);
    double most = SHARES_MEMORY / bytes;
    return (double)shares <= most ? shares : most > 1 ? (int64_t)most : 1;
}

int64_t dh__conv_folded_bytes(const dh__conv_sides *s)
{
    int64_t weights = dh__whole_lines(dh__view_count(&s->weight) * s->size);
    return s->norm ? dh__conv_shift_bytes(s) + weights : 0;
}

static void scale_weights(const dh__conv_sides *s, char *out)
{
    int64_t row = dh__view_count(&s->weight) / s->weight.shape[0];
    for (int64_t c = 0; c < s->weight.shape[0]; c++) {
        const char *from = (const char *)s->weight.data + c * s->weight.stride[0] * s->size;
        double scale = dh__conv_scale(s, c);
        for (int64_t i = 0; i < row; i++, out += s->size)
            dh__store(s->weight.dtype, out, scale * dh__load(s->weight.dtype, from + i * s->size));
    }
}

size_t dh__conv_packed_folded(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    return (size_t)dh__conv_folded_bytes(&s);
}

void dh__conv_pack_folded(const dh_call *call, void *out)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    dh__conv_pack_shifts(&s, out);
    scale_weights(&s, (char *)out + dh__conv_shift_bytes(&s));
}

char *dh__conv_fold_weights(dh__conv_sides *s, const dh_call *call)
{
    char *scratch, *weights = dh__conv_fold(s, call, &scratch);
    if (!s->norm) return scratch;
    if (!weights) {
        scale_weights(s, scratch);
        weights = scratch;
        scratch = (char *)call->scratch + dh__conv_folded_bytes(s);
    }
    s->weight.data = weights;
    s->weight.stride[0] = dh__view_count(&s->weight) / s->weight.shape[0];
    return scratch;
}

/* Positions [*first, *last) of axis i whose element k lies inside. */
static void inside(const dh__windows *w, int i, int64_t k, int64_t *first, int64_t *last)
{
    int64_t at = k * w->dilation[i] - w->begin[i], step = w->stride[i];
    int64_t from = at >= 0 ? 0 : (-at + step - 1) / step;
    int64_t to = w->in[i] > at ? (w->in[i] - 1 - at) / step + 1 : 0;
    *last = to < w->out[i] ? to : w->out[i];
    *first = from < *last ? from : *last;
}

dh__conv_tap dh__conv_tap_of(const dh__conv_sides *s, int64_t index)
{
    const dh__windows *w = &s->c.w;
    int64_t strides[3];
    dh__conv_tap t = {.k = {index / (w->size[1] * w->size[2]), index / w->size[2] % w->size[1],
                            index % w->size[2]}};
    dh__spatial_strides(strides, &s->large);
    for (int i = 0; i < 3; i++) {
        inside(w, i, t.k[i], &t.first[i], &t.last[i]);
        t.origin += (t.k[i] * w->dilation[i] - w->begin[i]) * strides[i];
        t.step[i] = w->stride[i] * strides[i];
    }
    return t;
}

/* Row by row of the positions, their strides apart in the channel. */
#define GATHER(T)                                                                   \
    for (int64_t run; count > 0; count -= run, x = 0) {                             \
        const T *row = (const T *)(const void *)channel +                           \
                       (z * w->stride[0] * w->in[1] + y * w->stride[1]) * w->in[2]; \
        T *to = buffer;                                                             \
        run = dh__at_most(w->out[2] - x, count);                                    \
        for (int64_t i = 0; i < run; i++) to[i] = row[(x + i) * step];              \
        buffer = to + run;                                                          \
        if (++y == w->out[1]) {                                                     \
            y = 0;                                                                  \
            z++;                                                                    \
        }                                                                           \
    }

const char *dh__conv_pixels(const dh__conv_sides *s, const char *channel, int64_t begin,
                            int64_t count, void *buffer)
{
    const dh__windows *w = &s->c.w;
    if (dh__conv_dense(s)) return channel + begin * s->size;
    const char *gathered = buffer;
    int64_t x = begin % w->out[2], y = begin / w->out[2] % w->out[1];
    int64_t z = begin / w->out[2] / w->out[1], step = w->stride[2];
    if (s->size == 8)
        GATHER(double)
    else
        GATHER(float)
    return gathered;
}
