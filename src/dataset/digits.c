/* SPDX-License-Identifier: MIT */
/* Digits as pen strokes: polylines on a unit square, distorted, drawn with a soft round pen. */
#include <math.h>
#include <string.h>

#include <deephealth/datasets.h>

#include "rng.h"
#include "team.h"
#include "tensor_impl.h"

#define SIDE       28
#define MAX_POINTS 20
#define STREAM     0x646967697473u /* "digits" */

/* Points x, y in 0..1; a negative x lifts the pen. */
typedef struct glyph {
    int count;
    float at[MAX_POINTS][2];
} glyph;

static const glyph glyphs[10] = {
    {9,
     {{.5f, .1f},
      {.25f, .25f},
      {.2f, .5f},
      {.28f, .8f},
      {.5f, .9f},
      {.72f, .8f},
      {.8f, .5f},
      {.75f, .25f},
      {.5f, .1f}}},
    {3, {{.35f, .28f}, {.55f, .1f}, {.52f, .9f}}},
    {8,
     {{.25f, .28f},
      {.38f, .12f},
      {.62f, .12f},
      {.75f, .3f},
      {.65f, .5f},
      {.25f, .88f},
      {.5f, .86f},
      {.8f, .88f}}},
    {11,
     {{.25f, .18f},
      {.5f, .1f},
      {.72f, .22f},
      {.68f, .4f},
      {.45f, .48f},
      {.68f, .55f},
      {.76f, .72f},
      {.62f, .88f},
      {.4f, .9f},
      {.25f, .8f},
      {.24f, .78f}}},
    {6, {{.6f, .9f}, {.62f, .1f}, {.6f, .12f}, {.2f, .62f}, {.5f, .63f}, {.82f, .62f}}},
    {9,
     {{.75f, .12f},
      {.35f, .12f},
      {.3f, .45f},
      {.5f, .4f},
      {.72f, .5f},
      {.76f, .7f},
      {.6f, .88f},
      {.4f, .9f},
      {.24f, .8f}}},
    {10,
     {{.68f, .1f},
      {.45f, .25f},
      {.28f, .5f},
      {.26f, .75f},
      {.42f, .9f},
      {.65f, .88f},
      {.74f, .7f},
      {.62f, .54f},
      {.42f, .56f},
      {.28f, .7f}}},
    {5, {{.22f, .14f}, {.5f, .12f}, {.78f, .12f}, {.58f, .5f}, {.42f, .9f}}},
    {14,
     {{.5f, .48f},
      {.3f, .36f},
      {.3f, .18f},
      {.5f, .1f},
      {.7f, .18f},
      {.7f, .36f},
      {.5f, .48f},
      {.28f, .62f},
      {.26f, .8f},
      {.5f, .9f},
      {.74f, .8f},
      {.72f, .62f},
      {.5f, .48f},
      {.5f, .48f}}},
    {10,
     {{.74f, .3f},
      {.6f, .46f},
      {.38f, .46f},
      {.26f, .3f},
      {.38f, .12f},
      {.6f, .1f},
      {.74f, .26f},
      {.74f, .45f},
      {.66f, .7f},
      {.5f, .9f}}},
};

/* Distance of (x, y) to the segment a b. */
static float segment_distance(float x, float y, const float *a, const float *b)
{
    float dx = b[0] - a[0], dy = b[1] - a[1], length = dx * dx + dy * dy;
    float t = length > 0 ? ((x - a[0]) * dx + (y - a[1]) * dy) / length : 0;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    dx = x - (a[0] + t * dx);
    dy = y - (a[1] + t * dy);
    return sqrtf(dx * dx + dy * dy);
}

/* The glyph's points in pixels after rotation, shear, scale, shift and a wobble of each point. */
static void distort(const glyph *g, const float *u, float points[MAX_POINTS][2])
{
    float angle = (u[0] - .5f) * .5f, shear = (u[1] - .5f) * .5f;
    float sx = .62f + .22f * u[2], sy = .68f + .2f * u[3];
    float ox = (u[4] - .5f) * 3, oy = (u[5] - .5f) * 3;
    float c = cosf(angle), s = sinf(angle);
    for (int i = 0; i < g->count; i++) {
        float x = (g->at[i][0] - .5f + (u[8 + 2 * i] - .5f) * .08f) * sx;
        float y = (g->at[i][1] - .5f + (u[9 + 2 * i] - .5f) * .08f) * sy;
        x += shear * y;
        points[i][0] = (c * x - s * y) * SIDE + SIDE / 2.0f + ox;
        points[i][1] = (s * x + c * y) * SIDE + SIDE / 2.0f + oy;
    }
}

static void draw(float *image, const glyph *g, float points[MAX_POINTS][2], float pen)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            float nearest = 100;
            for (int i = 0; i + 1 < g->count; i++) {
                float d =
                    segment_distance((float)x + .5f, (float)y + .5f, points[i], points[i + 1]);
                if (d < nearest) nearest = d;
            }
            float ink = pen + .6f - nearest;
            image[y * SIDE + x] = ink <= 0 ? 0 : ink >= 1 ? 1 : ink;
        }
}

typedef struct job {
    float *x, *y;
    uint64_t seed;
} job;

static void make_digit(void *context, int64_t i)
{
    const job *j = context;
    float u[64], points[MAX_POINTS][2], noise[SIDE * SIDE];
    uint64_t stream = STREAM + ((uint64_t)i << 8);
    dh__random_uniform(j->seed, stream, 0, u, 64);
    int label = (int)(u[63] * 10);
    const glyph *g = &glyphs[label];
    distort(g, u, points);
    draw(j->x + i * SIDE * SIDE, g, points, .7f + .9f * u[6]);
    dh__random_uniform(j->seed, stream + 1, 0, noise, SIDE * SIDE);
    for (int k = 0; k < SIDE * SIDE; k++) {
        float *v = &j->x[i * SIDE * SIDE + k];
        *v *= .85f + .15f * noise[k];
    }
    j->y[i * 10 + label] = 1;
}

dh_status dh_digits_generate(dh_tensor **x, dh_tensor **y, int64_t count, uint64_t seed)
{
    dh_tensor *images, *labels;
    DH_NEED(x, "digits_generate", "x");
    DH_NEED(y, "digits_generate", "y");
    DH_REQUIRE(count >= 1, DH_EINVAL, "digits_generate: count is %lld, must be at least 1",
               (long long)count);
    DH_TRY(dh__named(dh_tensor_new(&images, DH_F32, 2, (int64_t[]){count, SIDE * SIDE}),
                     "tensor_new", "digits_generate"));
    dh_status status =
        (dh_tensor_zeros)(&labels, &(dh_tensor_args){.struct_size = sizeof(dh_tensor_args),
                                                     .shape = {count, 10}});
    if (status) {
        dh_tensor_free(images);
        return status;
    }
    job j = {images->view.data, labels->view.data, seed};
    dh__team_run(count, make_digit, &j);
    *x = images;
    *y = labels;
    return DH_OK;
}
