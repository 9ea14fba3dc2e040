/* SPDX-License-Identifier: MIT */
/* Resizing of one packed plane, a template without include guard: cpu_resize.c includes it with T
 * the element type and F(name) the name with its suffix. */

/* BODY for each element of y, `to`, with its up to eight neighbours in x: at[k] and part[k]. */
#define ELEMENTS(BODY)                                                   \
    {                                                                    \
        const dh__resize *r = geometry;                                  \
        int64_t to = 0;                                                  \
        for (int64_t a = 0; a < r->out[0]; a++) {                        \
            dh__resize_source u = dh__resize_source_of(r, 0, a);         \
            for (int64_t b = 0; b < r->out[1]; b++) {                    \
                dh__resize_source v = dh__resize_source_of(r, 1, b);     \
                for (int64_t c = 0; c < r->out[2]; c++, to++) {          \
                    dh__resize_source w = dh__resize_source_of(r, 2, c); \
                    neighbours n = neighbours_of(r, &u, &v, &w);         \
                    for (int k = 0; k < n.count; k++) BODY               \
                }                                                        \
            }                                                            \
        }                                                                \
    }

static void F(resize)(const void *geometry, const T *x, const T *none, T *y)
{
    DH_UNUSED(none);
    ELEMENTS({ y[to] += (T)(n.part[k] * (double)x[n.at[k]]); })
}

static void F(resize_dx)(const void *geometry, const T *dy, const T *none, T *dx)
{
    DH_UNUSED(none);
    ELEMENTS({ dx[n.at[k]] += (T)(n.part[k] * (double)dy[to]); })
}

#undef ELEMENTS
