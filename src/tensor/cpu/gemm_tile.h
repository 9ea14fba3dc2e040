/* SPDX-License-Identifier: MIT */
/* The micro-kernel, a template without include guard: isa/gemm_kernel.c includes it per element
 * type, with T the type, F(name) the name with its suffix, V the vector and W its lanes.
 *
 * Up to MR rows x 2 vectors of C stay in registers over the whole sum; each step of k loads one row
 * of B and broadcasts h values of A. One copy is made for each height, so that rows divide into
 * tiles of nearly equal height and none is mostly padding. */

/* h rows of nv vectors to C, with all that follows the product: where the last is not whole, with
 * biases of rows, and for leaky_relu. */
static __attribute__((noinline)) void F(finish_part)(const dh__gemm_tile *t, T *first, const T *add,
                                                     const T *sums, int h, int nv)
{
    const V alpha = F(dh__set)((T)t->alpha), beta = F(dh__set)((T)t->beta);
    for (int v = 0; v < nv; v++) {
        int64_t width = t->cols - v * W < W ? t->cols - v * W : W;
        V bias = {0};
        if (t->bias) bias = F(dh__load_part)((const T *)t->bias + v * W, width);
        for (int i = 0; i < h; i++) {
            T *c = first + i * t->c_row + v * W;
            V x = alpha * F(dh__load)(sums + (i * nv + v) * W);
            if (t->beta != 0) x = F(dh__fma)(beta, F(dh__load_part)(c, width), x);
            if (add) x += F(dh__load_part)(add + i * t->add_row + v * W, width);
            if (t->bias) x += bias;
            if (t->row_bias) x += F(dh__set)(((const T *)t->row_bias)[i]);
            x = F(dh__activate)(x, t->act, (T)t->act_alpha);
            if (width == W)
                F(dh__store)(c, x);
            else
                F(dh__store_part)(c, x, width);
        }
    }
}

/* Element of A in row i, q steps on. Rows apart: a pointer to every third row and one stride in a
 * register reach them all; pinned, or the compiler makes an offset of each row and spills them. */
#define A_AT(i, q) (adjacent ? a[i] : rows[(i) / 3][(i) % 3 * t_a_step + (q)])
#define A_ROW(i) \
    if ((i) % 3 == 0) rows[(i) / 3] = a + ((i) < h ? (i) : 0) * t_a_step;
#define A_NEXT(i)                                   \
    if ((i) % 3 == 0 && (i) < h && !adjacent) {     \
        rows[(i) / 3] += steps;                     \
        __asm__ volatile("" : "+r"(rows[(i) / 3])); \
    }

#define ZERO(i)                          \
    KEPT V x##i##_0 KEPT_IN(i, 0) = {0}; \
    KEPT V x##i##_1 KEPT_IN(i, 1) = {0};
#define FMA(i)                                      \
    if (i < h) {                                    \
        V s = F(dh__set)(A_AT(i, step));            \
        if (nv > 1) {                               \
            F(dh__sum)(x##i##_0, s, b0);            \
            F(dh__sum)(x##i##_1, s, b1);            \
        } else {                                    \
            x##i##_0 = F(dh__fma)(s, b0, x##i##_0); \
        }                                           \
    }
/* One step of k; nothing of the next is loaded before, which would take registers from C. The
 * step's number is an enum: as a variable gcc would make other code of it. */
#define STEP(q)                              \
    do {                                     \
        enum { step = (q) };                 \
        V b0 = F(dh__load)(b), b1 = b0;      \
        if (nv > 1) b1 = F(dh__load)(b + W); \
        ONCE(b0);                            \
        if (nv > 1) ONCE(b1);                \
        ROWS(FMA)                            \
        b += t_b_step;                       \
        if (adjacent) a += t_a_step;         \
        __asm__ volatile("" ::: "memory");   \
    } while (0)
#define FOUR_STEPS       \
    const int steps = 4; \
    STEP(0);             \
    STEP(1);             \
    STEP(2);             \
    STEP(3);             \
    ROWS(A_NEXT)
#define FETCH_C(i) \
    if (i < h) __builtin_prefetch(c + i * c_row, 1);
#define SCALE(i)                                 \
    if (i < h) {                                 \
        x##i##_0 = alpha * x##i##_0;             \
        if (nv > 1) x##i##_1 = alpha * x##i##_1; \
    }
#define TAKE_C(i)                                                                          \
    if (i < h) {                                                                           \
        x##i##_0 = F(dh__fma)(beta, F(dh__load)(c + i * c_row), x##i##_0);                 \
        if (nv > 1) x##i##_1 = F(dh__fma)(beta, F(dh__load)(c + i * c_row + W), x##i##_1); \
    }
#define TAKE_ADD(i)                                                           \
    if (i < h) {                                                              \
        x##i##_0 = x##i##_0 + F(dh__load)(add + i * add_row);                 \
        if (nv > 1) x##i##_1 = x##i##_1 + F(dh__load)(add + i * add_row + W); \
    }
#define PUT(i, ACT)                                                         \
    if (i < h) {                                                            \
        F(dh__store)(c + i * c_row, ACT(x##i##_0 + bias0));                 \
        if (nv > 1) F(dh__store)(c + i * c_row + W, ACT(x##i##_1 + bias1)); \
    }
#define ITSELF(x)    (x)
#define RELU(x)      F(dh__at_least)(x, zero)
#define RELU6(x)     F(dh__at_most)(F(dh__at_least)(x, zero), six)
#define PUT_NONE(i)  PUT(i, ITSELF)
#define PUT_RELU(i)  PUT(i, RELU)
#define PUT_RELU6(i) PUT(i, RELU6)
#define KEEP(i)                                                      \
    if (i < h) {                                                     \
        F(dh__store)(sums + i * nv * W, x##i##_0);                   \
        if (nv > 1) F(dh__store)(sums + (i * nv + 1) * W, x##i##_1); \
    }

/* Makes the tiles of a call, h rows of nv vectors each. What they have in common is read once,
 * since short sums take as many instructions as what is around them. */
DH_SIMD_INLINE void F(make_tiles)(const dh__gemm_tile *t, const int h, const int nv,
                                  const bool adjacent)
{
    static const dh__gemm_at one_run[1];
    const dh__gemm_at *runs = t->runs ? t->runs : one_run;
    const int64_t run_count = t->runs ? t->run_count : 1, c_row = t->c_row, add_row = t->add_row;
    const int64_t t_a_step = t->a_step, t_b_step = t->b_step, last = nv * W - 1;
    const uint64_t all_fours = (uint64_t)t->k / 4, all_ones = (uint64_t)t->k % 4;
    const bool part = t->cols < nv * W || t->row_bias || t->act == DH_ACT_LEAKY_RELU;
    const T *a_at = t->a, *b_at = t->b, *add = t->add, *rows[(MR + 2) / 3];
    T *c = t->c;
    dh__gemm_ahead *ahead = t->ahead;
    for (int64_t tiles = t->more;; tiles--) {
        ROWS(ZERO)
        /* lines to fetch, and rows of C, with AVX-512 between the steps */
        int64_t lines = ahead && ahead->rows > 0 && ahead->left > 0 ? ahead->share : 0;
        int64_t c_rows = C_BETWEEN && ahead ? h : 0;
        if (!C_BETWEEN && ahead) {
            ROWS(FETCH_C)
        }
        for (; c_rows > (int64_t)all_fours; c_rows--) {
            __builtin_prefetch(c + (c_rows - 1) * c_row, 1);
            if (nv > 1) __builtin_prefetch(c + (c_rows - 1) * c_row + last, 1);
        }
        for (int64_t run = 0; run < run_count; run++) {
            const T *a = a_at + runs[run].a, *b = b_at + runs[run].b;
            uint64_t fours = all_fours;
            ROWS(A_ROW)
            (void)a;
            while (fours > 0 && (lines > 0 || c_rows > 0)) {
                /* what there is not more of, a near line stands in for: to ask at each step costs
                 * more */
                const char *line = (const char *)c, *c_line = line;
                int64_t line_step = 0, twin = 0, c_step = 0, count = (int64_t)fours;
                if (lines > 0) {
                    if (count > lines) count = lines;
                    if (count > ahead->left) count = ahead->left;
                    line = ahead->line, line_step = ahead->step, twin = ahead->twin;
                }
                if (c_rows > 0) {
                    if (count > c_rows) count = c_rows;
                    c_rows -= count;
                    c_line = (const char *)(c + c_rows * c_row);
                    c_step = c_row * (int64_t)sizeof(T);
                }
                if (lines > 0) lines = move_on(ahead, count) ? lines - count : 0;
                fours -= (uint64_t)count;
                for (; count > 0; count--, line += line_step) {
                    if (C_BETWEEN) {
                        __builtin_prefetch(c_line, 1);
                        if (nv > 1) __builtin_prefetch(c_line + last * (int64_t)sizeof(T), 1);
                        c_line += c_step;
                    }
                    __builtin_prefetch(line, 0, 2);
                    __builtin_prefetch(line + twin, 0, 2);
                    FOUR_STEPS
                }
            }
            for (; fours > 0; fours--) {
                FOUR_STEPS
            }
#pragma GCC unroll 1
            for (uint64_t ones = all_ones; ones > 0; ones--) {
                const int steps = 1;
                STEP(0);
                ROWS(A_NEXT)
            }
        }
        if (part) {
            _Alignas(64) T sums[MR * 2 * W];
            ROWS(KEEP)
            F(finish_part)(t, c, add, sums, h, nv);
        } else {
            const V alpha = F(dh__set)((T)t->alpha), beta = F(dh__set)((T)t->beta);
            int number0 = 0, number6 = 6; /* made here: during the sum their vectors had no place */
            __asm__ volatile("" : "+r"(number0), "+r"(number6));
            const V zero = F(dh__set)((T)number0), six = F(dh__set)((T)number6);
            /* -0 changes nothing, where 0 would make 0 of a sum of -0 */
            V bias0 = -zero, bias1 = bias0;
            if (t->bias) bias0 = F(dh__load)(t->bias);
            if (t->bias && nv > 1) bias1 = F(dh__load)((const T *)t->bias + W);
            if (t->alpha != 1) {
                ROWS(SCALE)
            }
            if (t->beta != 0) {
                ROWS(TAKE_C)
            }
            if (add) {
                ROWS(TAKE_ADD)
            }
            if (t->act == DH_ACT_RELU) {
                ROWS(PUT_RELU)
            } else if (t->act == DH_ACT_RELU6) {
                ROWS(PUT_RELU6)
            } else {
                ROWS(PUT_NONE)
            }
        }
        if (tiles <= 0) break;
        a_at += t->a_next;
        b_at += t->b_next;
        c += t->c_next;
        if (add) add += t->add_next;
    }
}

#define CASE(i)                                   \
    case i + 1:                                   \
        if (t->cols > W)                          \
            F(make_tiles)(t, i + 1, 2, ADJACENT); \
        else                                      \
            F(make_tiles)(t, i + 1, 1, ADJACENT); \
        break;

/* A is packed, or its rows are adjacent in memory */
static void F(tile_rows)(const dh__gemm_tile *t, int h)
{
#define ADJACENT true
    switch (h) {
        ROWS(CASE)
    }
#undef ADJACENT
}

/* the columns of A are adjacent in memory */
static void F(tile_cols)(const dh__gemm_tile *t, int h)
{
#define ADJACENT false
    switch (h) {
        ROWS(CASE)
    }
#undef ADJACENT
}

#undef A_AT
#undef A_ROW
#undef A_NEXT
#undef ZERO
#undef FMA
#undef STEP
#undef FOUR_STEPS
#undef FETCH_C
#undef SCALE
#undef TAKE_C
#undef TAKE_ADD
#undef PUT
#undef ITSELF
#undef RELU
#undef RELU6
#undef PUT_NONE
#undef PUT_RELU
#undef PUT_RELU6
#undef KEEP
#undef CASE
