/* SPDX-License-Identifier: MIT */
/* Convolution and its gradients by GEMM: the windows of one image and group become the columns of a
 * matrix [channels x window, positions]; where a window is one element and steps by one, the image
 * is that matrix already. What GEMM does not take is summed plainly (cpu_conv_plain.c). */
#include <string.h>

#include "conv_depthwise.h"
#include "cpu.h"
#include "gemm.h"
#include "team.h"

/* --- columns --- */

typedef struct columns {
    const dh__conv_sides *s;
    int64_t n, group;
    char *data; /* [channels x window, positions] */
} columns;

#define GATHER_ROW(T)                                                                     \
    {                                                                                     \
        T *to = (T *)out + (z * w->out[1] + y) * w->out[2];                               \
        const T *from = (const T *)image + t.origin + z * t.step[0] + y * t.step[1];      \
        for (int64_t x = 0; x < t.first[2]; x++) to[x] = 0;                               \
        if (t.step[2] == 1)                                                               \
            memcpy(to + t.first[2], from + t.first[2],                                    \
                   (size_t)(t.last[2] - t.first[2]) * sizeof(T));                         \
        else                                                                              \
            for (int64_t x = t.first[2]; x < t.last[2]; x++) to[x] = from[x * t.step[2]]; \
        for (int64_t x = t.last[2]; x < w->out[2]; x++) to[x] = 0;                        \
    }

static void gather_rows(void *context, int64_t begin, int64_t end)
{
    const columns *c = context;
    const dh__conv_sides *s = c->s;
    const dh__windows *w = &s->c.w;
    int64_t window = dh__windows_elements(w), positions = dh__windows_positions(w);
    for (int64_t row = begin; row < end; row++) {
        dh__conv_tap t = dh__conv_tap_of(s, row % window);
        const char *image =
            dh__conv_plane(s, &s->large, c->n, c->group * s->c.in_channels + row / window);
        char *out = c->data + (size_t)((row * positions) * s->size);
        for (int64_t z = 0; z < w->out[0]; z++)
            for (int64_t y = 0; y < w->out[1]; y++) {
                bool in = z >= t.first[0] && z < t.last[0] && y >= t.first[1] && y < t.last[1];
                if (!in)
                    memset(out + (size_t)(((z * w->out[1] + y) * w->out[2]) * s->size), 0,
                           (size_t)(w->out[2] * s->size));
                else if (s->size == 8)
                    GATHER_ROW(double)
                else
                    GATHER_ROW(float)
            }
    }
}

/* bias[channel] + the columns' elements, each back in its place; a channel at a time, so in one
 * order. */
#define SCATTER_PLANE(T)                                                                          \
    {                                                                                             \
        T *image = (T *)(void *)dh__conv_plane(s, &s->large, c->n, channel);                      \
        T value = s->bias ? ((const T *)s->bias->data)[channel * s->bias->stride[0]] : 0;         \
        for (int64_t i = 0; i < area; i++) image[i] = value;                                      \
        for (int64_t k = 0; k < window; k++) {                                                    \
            dh__conv_tap t = dh__conv_tap_of(s, k);                                               \
            const T *from = (const T *)(void *)c->data + (index * window + k) * positions;        \
            for (int64_t z = t.first[0]; z < t.last[0]; z++)                                      \
                for (int64_t y = t.first[1]; y < t.last[1]; y++) {                                \
                    T *to = image + t.origin + z * t.step[0] + y * t.step[1];                     \
                    const T *row = from + (z * w->out[1] + y) * w->out[2];                        \
                    for (int64_t x = t.first[2]; x < t.last[2]; x++) to[x * t.step[2]] += row[x]; \
                }                                                                                 \
        }                                                                                         \
    }

static void scatter_planes(void *context, int64_t begin, int64_t end)
{
    const columns *c = context;
    const dh__conv_sides *s = c->s;
    const dh__windows *w = &s->c.w;
    int64_t window = dh__windows_elements(w), positions = dh__windows_positions(w);
    int64_t area = w->in[0] * w->in[1] * w->in[2];
    for (int64_t index = begin; index < end; index++) {
        int64_t channel = c->group * s->c.in_channels + index;
        if (s->size == 8)
            SCATTER_PLANE(double)
        else
            SCATTER_PLANE(float)
    }
}

/* --- by GEMM --- */

/* The product of one group of one image. columns: [window x channels, positions], or the image */
static dh__gemm product_of(const dh__conv_sides *s, const dh_op *op, int64_t n, int64_t group,
                           const void *matrix, int64_t matrix_row)
{
    const dh__conv *c = &s->c;
    int64_t window = c->in_channels * dh__windows_elements(&c->w);
    int64_t positions = dh__windows_positions(&c->w);
    void *small = dh__conv_plane(s, &s->small, n, group * c->out_channels);
    void *weight = (char *)s->weight.data + group * c->out_channels * s->weight.stride[0] * s->size;
    dh__gemm g = {.alpha = 1, .f64 = s->size == 8};
    if (op == &dh_op_conv) { /* small = weight columns */
        g.m = c->out_channels;
        g.n = positions;
        g.k = window;
        g.a = weight;
        g.a_row = s->weight.stride[0];
        g.a_col = 1;
        g.b = matrix;
        g.b_row = matrix_row;
        g.b_col = 1;
        g.c = small;
        g.c_row = s->small.stride[1];
        g.beta = s->bias || s->add ? 1 : 0;
        g.act = s->act;
        g.act_alpha = s->act_alpha;
    } else if (op == &dh_op_conv_dw) { /* weight += small columns^T */
        g.m = c->out_channels;
        g.n = window;
        g.k = positions;
        g.a = small;
        g.a_row = s->small.stride[1];
        g.a_col = 1;
        g.b = matrix;
        g.b_row = 1;
        g.b_col = matrix_row;
        g.c = weight;
        g.c_row = s->weight.stride[0];
        g.beta = n > 0;
    } else { /* columns = weight^T small */
        g.m = window;
        g.n = positions;
        g.k = c->out_channels;
        g.a = weight;
        g.a_row = 1;
        g.a_col = s->weight.stride[0];
        g.b = small;
        g.b_row = s->small.stride[1];
        g.b_col = 1;
        g.c = (void *)(uintptr_t)matrix;
        g.c_row = matrix_row;
        g.beta = s->bias && dh__conv_dense(s) ? 1 : 0;
    }
    return g;
}

static const char *refuse_gemm(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    return dh__conv_not_packed(&s);
}

static size_t columns_size(const dh__conv_sides *s)
{
    if (dh__conv_dense(s)) return 0;
    int64_t rows = s->c.in_channels * dh__windows_elements(&s->c.w);
    return ((size_t)((rows * dh__windows_positions(&s->c.w)) * s->size) + 63) / 64 * 64;
}

static size_t scratch_gemm(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    dh__gemm g = product_of(&s, call->op, 0, 0, NULL, dh__windows_positions(&s.c.w));
    return (size_t)dh__conv_folded_bytes(&s) + columns_size(&s) + dh__gemm_scratch(&g);
}

#define FILL_CHANNEL(T)                                                                            \
    {                                                                                              \
        T *to = (T *)(void *)dh__conv_plane(s, view, n, channel);                                  \
        const T *add = (const T *)(s->add ? (void *)dh__conv_plane(s, s->add, n, channel) : NULL); \
        T value = s->bias ? ((const T *)s->bias->data)[channel * s->bias->stride[0]] : 0;          \
        for (int64_t i = 0; i < count; i++) to[i] = add ? value + add[i] : value;                  \
    }

/* The result begins as its bias and what is added. */
static void fill(const dh__conv_sides *s, const dh_view *view, int64_t n, int64_t first,
                 int64_t channels)
{
    int64_t count = 1;
    for (int i = 2; i < view->ndim; i++) count *= view->shape[i];
    for (int64_t channel = first; channel < first + channels; channel++) {
        if (s->size == 8)
            FILL_CHANNEL(double)
        else
            FILL_CHANNEL(float)
    }
}

static void run_group(const dh__conv_sides *s, const dh_call *call, char *scratch, int64_t n,
                      int64_t group)
{
    const dh__conv *c = &s->c;
    bool direct = dh__conv_dense(s), to_large = s->to_large;
    int64_t rows = c->in_channels * dh__windows_elements(&c->w);
    int64_t row = direct ? s->large.stride[1] : dh__windows_positions(&c->w);
    columns k = {s, n, group,
                 direct ? dh__conv_plane(s, &s->large, n, group * c->in_channels) : scratch};
    if (!direct && !to_large) dh__team_ranges(rows, 65536 / (row + 1) + 1, gather_rows, &k);
    if ((s->bias || s->add) && call->op == &dh_op_conv)
        fill(s, &s->small, n, group * c->out_channels, c->out_channels);
    if (s->bias && to_large && direct)
        fill(s, &s->large, n, group * c->in_channels, c->in_channels);
    dh__gemm g = product_of(s, call->op, n, group, k.data, row);
    dh__gemm_run(&g, scratch + columns_size(s));
    if (!direct && to_large) dh__team_ranges(c->in_channels, 1, scatter_planes, &k);
}

static dh_status run_gemm(const dh_call *call)
{
    dh__conv_sides s = dh__conv_sides_of(call);
    if (!dh__view_count(&call->out[0])) return DH_OK;
    if (call->op == &dh_op_conv_dw && (!s.c.n || !dh__windows_positions(&s.c.w)))
        dh__conv_zero_weight(&s);
    char *scratch = dh__conv_fold_weights(&s, call);
    for (int64_t n = 0; n < s.c.n; n++)
        for (int64_t group = 0; group < s.c.groups; group++) run_group(&s, call, scratch, n, group);
    return DH_OK;
}

static const dh_impl conv_gemm = {.name = "gemm",
                                  .refuse = refuse_gemm,
                                  .scratch = scratch_gemm,
                                  .packed = dh__conv_packed_folded,
                                  .pack = dh__conv_pack_folded,
                                  .run = run_gemm};

#define OF_RESULTS                                                                            \
    {                                                                                         \
        &dh__conv_winograd, &dh__conv_winograd_2x2, &dh__conv_depthwise, &dh__conv_pointwise, \
            &dh__conv_direct, &conv_gemm, &dh__conv_plain, NULL                               \
    }

const dh_impl *const dh_cpu_conv[] = {
    &dh__conv_winograd,  &dh__conv_winograd_2x2, &dh__conv_depthwise_last,
    &dh__conv_depthwise, &dh__conv_pointwise,    &dh__conv_direct,
    &conv_gemm,          &dh__conv_plain,        NULL};
const dh_impl *const dh_cpu_conv_dx[] = OF_RESULTS;
const dh_impl *const dh_cpu_conv_transpose[] = OF_RESULTS;
const dh_impl *const dh_cpu_conv_dw[] = {&dh__conv_winograd_dw,
                                         &dh__conv_depthwise_dw,
                                         &dh__conv_pointwise_dw,
                                         &dh__conv_direct_dw,
                                         &conv_gemm,
                                         &dh__conv_plain,
                                         NULL};
