/* SPDX-License-Identifier: MIT */
/* Initial weights, drawn on the CPU from (seed, the parameter's name). Scales: Glorot and Bengio
 * 2010, He et al. 2015, LeCun et al. 1998; orthogonal: Saxe et al. 2014. */
#include <math.h>
#include <string.h>

#include "net.h"
#include "rng.h"

#define BLOCK 512

static dh_status fill(const dh__segment *s, float *data, double value)
{
    for (int64_t i = 0; i < s->count; i++) data[i] = (float)value;
    return DH_OK;
}

static dh_status init_zeros(const dh__segment *s, float *data, uint64_t seed)
{
    DH_UNUSED(seed);
    return fill(s, data, 0);
}

static dh_status init_ones(const dh__segment *s, float *data, uint64_t seed)
{
    DH_UNUSED(seed);
    return fill(s, data, 1);
}

static dh_status init_constant(const dh__segment *s, float *data, uint64_t seed)
{
    DH_UNUSED(seed);
    return fill(s, data, s->init_a);
}

static dh_status draw_uniform(const dh__segment *s, float *data, uint64_t seed, double low,
                              double high)
{
    dh__random_uniform(seed, dh__random_stream(s->name), 0, data, s->count);
    for (int64_t i = 0; i < s->count; i++) data[i] = (float)(low + (high - low) * (double)data[i]);
    return DH_OK;
}

static dh_status draw_normal(const dh__segment *s, float *data, uint64_t seed, double mean,
                             double deviation)
{
    double z[BLOCK];
    uint64_t stream = dh__random_stream(s->name);
    for (int64_t i = 0; i < s->count; i += BLOCK) {
        int64_t n = s->count - i < BLOCK ? s->count - i : BLOCK;
        dh__random_normal(seed, stream, (uint64_t)i, z, n);
        for (int64_t k = 0; k < n; k++) data[i + k] = (float)(mean + deviation * z[k]);
    }
    return DH_OK;
}

static dh_status init_random_normal(const dh__segment *s, float *data, uint64_t seed)
{
    return draw_normal(s, data, seed, s->init_a, s->init_b);
}

static dh_status init_random_uniform(const dh__segment *s, float *data, uint64_t seed)
{
    return draw_uniform(s, data, seed, s->init_a, s->init_b);
}

/* Redraws from later positions of the stream until within two deviations. */
static dh_status init_truncated_normal(const dh__segment *s, float *data, uint64_t seed)
{
    uint64_t stream = dh__random_stream(s->name), position = 0;
    double z[BLOCK];
    int left = 0, at = 0;
    for (int64_t i = 0; i < s->count;) {
        if (at == left) {
            dh__random_normal(seed, stream, position, z, BLOCK);
            position += BLOCK;
            left = BLOCK;
            at = 0;
        }
        double v = z[at++];
        if (fabs(v) <= 2) data[i++] = (float)(s->init_a + s->init_b * v);
    }
    return DH_OK;
}

static double fan(const dh__segment *s, int mode)
{
    double in = (double)(s->fan_in > 0 ? s->fan_in : s->count);
    double out = (double)(s->fan_out > 0 ? s->fan_out : s->count);
    return mode == 0 ? in : (in + out) / 2;
}

static dh_status init_glorot_uniform(const dh__segment *s, float *data, uint64_t seed)
{
    double limit = sqrt(3 / fan(s, 1));
    return draw_uniform(s, data, seed, -limit, limit);
}

static dh_status init_glorot_normal(const dh__segment *s, float *data, uint64_t seed)
{
    return draw_normal(s, data, seed, 0, sqrt(1 / fan(s, 1)));
}

static dh_status init_he_uniform(const dh__segment *s, float *data, uint64_t seed)
{
    double limit = sqrt(6 / fan(s, 0));
    return draw_uniform(s, data, seed, -limit, limit);
}

static dh_status init_he_normal(const dh__segment *s, float *data, uint64_t seed)
{
    return draw_normal(s, data, seed, 0, sqrt(2 / fan(s, 0)));
}

static dh_status init_lecun_uniform(const dh__segment *s, float *data, uint64_t seed)
{
    double limit = sqrt(3 / fan(s, 0));
    return draw_uniform(s, data, seed, -limit, limit);
}

static dh_status init_lecun_normal(const dh__segment *s, float *data, uint64_t seed)
{
    return draw_normal(s, data, seed, 0, sqrt(1 / fan(s, 0)));
}

static dh_status init_variance_scaling(const dh__segment *s, float *data, uint64_t seed)
{
    return draw_normal(s, data, seed, 0, sqrt(s->init_a / fan(s, 0)));
}

/* Rows and columns of the tensor seen as a matrix whose last axis is the columns. */
static void matrix_of(const dh__segment *s, int64_t *rows, int64_t *columns)
{
    *columns = s->ndim ? s->shape[s->ndim - 1] : 1;
    *rows = s->count / *columns;
}

static dh_status init_identity(const dh__segment *s, float *data, uint64_t seed)
{
    int64_t rows, columns;
    DH_UNUSED(seed);
    matrix_of(s, &rows, &columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            data[i * columns + j] = i == j ? (float)s->init_a : 0.0f;
    return DH_OK;
}

/* Modified Gram-Schmidt on the short side of a normal matrix, in f64. */
static dh_status init_orthogonal(const dh__segment *s, float *data, uint64_t seed)
{
    int64_t rows, columns;
    matrix_of(s, &rows, &columns);
    bool wide = columns > rows;
    int64_t vectors = wide ? rows : columns, length = wide ? columns : rows;
    double *q = dh__alloc((size_t)s->count * sizeof *q);
    if (!q) return DH_ENOMEM;
    dh__random_normal(seed, dh__random_stream(s->name), 0, q, s->count);
    for (int64_t i = 0; i < vectors; i++) {
        double *v = q + i * length, norm = 0;
        for (int pass = 0; pass < 2; pass++) /* twice is enough (Giraud et al. 2005) */
            for (int64_t j = 0; j < i; j++) {
                const double *u = q + j * length;
                double dot = 0;
                for (int64_t k = 0; k < length; k++) dot += u[k] * v[k];
                for (int64_t k = 0; k < length; k++) v[k] -= dot * u[k];
            }
        for (int64_t k = 0; k < length; k++) norm += v[k] * v[k];
        norm = norm > 0 ? 1 / sqrt(norm) : 0;
        for (int64_t k = 0; k < length; k++) v[k] *= norm;
    }
    for (int64_t i = 0; i < vectors; i++)
        for (int64_t k = 0; k < length; k++)
            data[wide ? i * columns + k : k * columns + i] = (float)(s->init_a * q[i * length + k]);
    dh__free(q);
    return DH_OK;
}

static const struct row {
    const char *name;
    dh__init_fn fn;
    double a, b; /* where both are given as 0 */
} rows[] = {
    {"zeros", init_zeros, 0, 0},
    {"ones", init_ones, 0, 0},
    {"constant", init_constant, 0, 0},
    {"random_normal", init_random_normal, 0, 0.05},
    {"random_uniform", init_random_uniform, -0.05, 0.05},
    {"truncated_normal", init_truncated_normal, 0, 0.05},
    {"glorot_uniform", init_glorot_uniform, 0, 0},
    {"glorot_normal", init_glorot_normal, 0, 0},
    {"he_uniform", init_he_uniform, 0, 0},
    {"he_normal", init_he_normal, 0, 0},
    {"lecun_uniform", init_lecun_uniform, 0, 0},
    {"lecun_normal", init_lecun_normal, 0, 0},
    {"variance_scaling", init_variance_scaling, 1, 0},
    {"orthogonal", init_orthogonal, 1, 0},
    {"identity", init_identity, 1, 0},
};

static const char *name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i < (int)DH_COUNT(rows) ? rows[i].name : NULL;
}

dh_status dh__initializer_find(dh__segment *segment, const dh_initializer *init,
                               const char *default_name, const char *who)
{
    const char *name = init->name ? init->name : default_name;
    DH_REQUIRE(isfinite(init->a) && isfinite(init->b), DH_EINVAL,
               "parameter \"%s\": initializer numbers %g, %g must be finite", who, init->a,
               init->b);
    for (size_t i = 0; i < DH_COUNT(rows); i++) {
        if (strcmp(name, rows[i].name)) continue;
        bool given = init->a != 0 || init->b != 0;
        segment->init = rows[i].fn;
        segment->init_a = given ? init->a : rows[i].a;
        segment->init_b = given ? init->b : rows[i].b;
        DH_REQUIRE(segment->init != init_random_uniform || segment->init_a <= segment->init_b,
                   DH_EINVAL, "parameter \"%s\": %s from %g to %g, the first must not be larger",
                   who, name, segment->init_a, segment->init_b);
        bool normal = segment->init == init_random_normal || segment->init == init_truncated_normal;
        DH_REQUIRE(!normal || segment->init_b >= 0, DH_EINVAL,
                   "parameter \"%s\": %s of deviation %g, must be at least 0", who, name,
                   segment->init_b);
        return DH_OK;
    }
    char hint[160];
    return dh_fail(DH_ENAME, "parameter \"%s\": no initializer \"%s\"%s", who, name,
                   dh__suggest(hint, sizeof hint, name, name_at, NULL));
}
