/* SPDX-License-Identifier: MIT */
/* Initial weights, drawn on the CPU from (seed, the parameter's name). Variance scaling: He et al.
 * 2015, which holds Glorot and Bengio 2010 and LeCun et al. 1998; orthogonal: Saxe et al. 2014. */
#include <float.h>
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

static dh_status init_uniform(const dh__segment *s, float *data, uint64_t seed)
{
    double low = s->init_a, high = s->init_b;
    dh__random_uniform(seed, dh__random_stream(s->name), 0, data, s->count);
    for (int64_t i = 0; i < s->count; i++) data[i] = (float)(low + (high - low) * (double)data[i]);
    return DH_OK;
}

static dh_status init_normal(const dh__segment *s, float *data, uint64_t seed)
{
    double z[BLOCK];
    uint64_t stream = dh__random_stream(s->name);
    for (int64_t i = 0; i < s->count; i += BLOCK) {
        int64_t n = s->count - i < BLOCK ? s->count - i : BLOCK;
        dh__random_normal(seed, stream, (uint64_t)i, z, n);
        for (int64_t k = 0; k < n; k++) data[i + k] = (float)(s->init_a + s->init_b * z[k]);
    }
    return DH_OK;
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

/* --- names --- */

#define MODES         "fan_in|fan_out|fan_avg"
#define DISTRIBUTIONS "truncated_normal|untruncated_normal|uniform"

/* Deviation of a standard normal that is cut off at 2 deviations. */
#define CUT_DEVIATION 0.87962566103423978

enum { FAN_IN, FAN_OUT, FAN_AVG };
enum { TRUNCATED, NORMAL, UNIFORM };

static const struct row {
    const char *name;
    dh__init_fn fn; /* NULL: drawn with a variance of a / fan */
    double a, b;    /* defaults */
    int mode, distribution;
} rows[] = {
    {"zeros", init_zeros, 0, 0, 0, 0},
    {"ones", init_ones, 0, 0, 0, 0},
    {"constant", init_constant, 0, 0, 0, 0},
    {"random_normal", init_normal, 0, 0.05, 0, 0},
    {"random_uniform", init_uniform, -0.05, 0.05, 0, 0},
    {"truncated_normal", init_truncated_normal, 0, 0.05, 0, 0},
    {"glorot_uniform", NULL, 1, 0, FAN_AVG, UNIFORM},
    {"glorot_normal", NULL, 1, 0, FAN_AVG, TRUNCATED},
    {"he_uniform", NULL, 2, 0, FAN_IN, UNIFORM},
    {"he_normal", NULL, 2, 0, FAN_IN, TRUNCATED},
    {"lecun_uniform", NULL, 1, 0, FAN_IN, UNIFORM},
    {"lecun_normal", NULL, 1, 0, FAN_IN, TRUNCATED},
    {"variance_scaling", NULL, 1, 0, FAN_IN, TRUNCATED},
    {"orthogonal", init_orthogonal, 1, 0, 0, 0},
    {"identity", init_identity, 1, 0, 0, 0},
};

static const char *name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i < (int)DH_COUNT(rows) ? rows[i].name : NULL;
}

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < DH_COUNT(rows); i++)
        if (!strcmp(name, rows[i].name)) return &rows[i];
    return NULL;
}

static double fan(const dh__segment *s, int mode)
{
    double count = 1;
    for (int i = 0; i < s->ndim; i++) count *= (double)s->shape[i];
    double in = s->fan_in > 0 ? (double)s->fan_in : count;
    double out = s->fan_out > 0 ? (double)s->fan_out : count;
    return mode == FAN_IN ? in : mode == FAN_OUT ? out : (in + out) / 2;
}

/* A distribution around 0 of variance scale / fan. */
static void scale_variance(dh__segment *s, double scale, int mode, int distribution)
{
    double variance = scale / fan(s, mode), limit = sqrt(3 * scale / fan(s, mode));
    s->init = distribution == UNIFORM  ? init_uniform
              : distribution == NORMAL ? init_normal
                                       : init_truncated_normal;
    s->init_a = distribution == UNIFORM ? -limit : 0;
    s->init_b = distribution == UNIFORM  ? limit
                : distribution == NORMAL ? sqrt(variance)
                                         : sqrt(variance) / CUT_DEVIATION;
}

static dh_status read_choice(int *index, const char *text, const char *choices, const char *what,
                             const char *who)
{
    char hint[160];
    if (!text) return DH_OK;
    int found = dh__choice_index(choices, text);
    DH_REQUIRE(found >= 0, DH_ENAME, "parameter \"%s\": no %s \"%s\"%s", who, what, text,
               dh__suggest_choices(hint, sizeof hint, text, choices));
    *index = found;
    return DH_OK;
}

#define NORMAL_REACH 8 /* deviations: beyond what dh__random_normal draws of 24 bits */

/* Weights are f32, the numbers that they are drawn by are not. */
static dh_status check_reach(const dh__segment *s, const dh_initializer *init, const char *name,
                             const char *who)
{
    bool normal = s->init == init_normal || s->init == init_truncated_normal;
    double a = fabs(s->init_a), b = fabs(s->init_b);
    double most = normal ? a + NORMAL_REACH * b : fmax(a, b);
    DH_REQUIRE(most <= (double)FLT_MAX, DH_EINVAL,
               "parameter \"%s\": %s by %g, %g: weights of up to %g, f32 holds at most %g", who,
               name, init->a + 0, init->b + 0, most, (double)FLT_MAX);
    return DH_OK;
}

static dh_status scaling(dh__segment *segment, const dh_initializer *init, const struct row *row,
                         const char *who)
{
    int mode = row->mode, distribution = row->distribution;
    bool free = !strcmp(row->name, "variance_scaling");
    DH_REQUIRE(free || dh__absent(init->a), DH_EINVAL,
               "parameter \"%s\": a is %g, initializer \"%s\" has none", who, init->a, row->name);
    double scale = dh__absent(init->a) ? row->a : init->a;
    DH_REQUIRE(scale > 0, DH_EINVAL,
               "parameter \"%s\": variance_scaling by %g, must be greater than 0", who, scale + 0);
    DH_TRY(read_choice(&mode, init->mode, MODES, "mode", who));
    DH_TRY(read_choice(&distribution, init->distribution, DISTRIBUTIONS, "distribution", who));
    scale_variance(segment, scale, mode, distribution);
    return check_reach(segment, init, row->name, who);
}

dh_status dh__initializer_find(dh__segment *segment, const dh_initializer *init,
                               const char *default_name, const char *who)
{
    const char *name = init->name ? init->name : default_name;
    const struct row *row = find(name);
    char hint[160];
    DH_REQUIRE(row, DH_ENAME, "parameter \"%s\": no initializer \"%s\"%s", who, name,
               dh__suggest(hint, sizeof hint, name, name_at, NULL));
    DH_REQUIRE(isfinite(init->a) && isfinite(init->b), DH_EINVAL,
               "parameter \"%s\": initializer numbers %g, %g must be finite", who, init->a,
               init->b);
    bool scales = !strcmp(name, "variance_scaling");
    DH_REQUIRE(scales || !(init->mode || init->distribution), DH_EINVAL,
               "parameter \"%s\": %s \"%s\" is of variance_scaling, initializer \"%s\" has none",
               who, init->mode ? "mode" : "distribution",
               init->mode ? init->mode : init->distribution, name);
    if (!row->fn) return scaling(segment, init, row, who);
    segment->init = row->fn;
    /* a range from a to 0 is one: both are left away, or neither */
    bool range = row->fn == init_uniform && !(dh__absent(init->a) && dh__absent(init->b));
    segment->init_a = dh__absent(init->a) && !range ? row->a : init->a;
    segment->init_b = dh__absent(init->b) && !range ? row->b : init->b;
    DH_REQUIRE(row->fn != init_uniform || segment->init_a <= segment->init_b, DH_EINVAL,
               "parameter \"%s\": %s from %g to %g, the first must not be larger", who, name,
               segment->init_a, segment->init_b);
    bool normal = row->fn == init_normal || row->fn == init_truncated_normal;
    DH_REQUIRE(!normal || segment->init_b >= 0, DH_EINVAL,
               "parameter \"%s\": %s of deviation %g, must be at least 0", who, name,
               segment->init_b);
    return check_reach(segment, init, name, who);
}
