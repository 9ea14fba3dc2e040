/* SPDX-License-Identifier: MIT */
/* The micro-kernel, a template without include guard: isa/gemm_kernel.c includes it per element
 * type, with T the type, F(name) the name with its suffix, V the vector and W its lanes.
 *
 * Up to MR rows x 2 vectors of C stay in registers over the whole sum; each step of k loads one row
 * of B and broadcasts h values of A. One copy is made for each height, so that rows divide into
 * tiles of nearly equal height and none is mostly padding. */

/* h rows of nv vectors from registers to C, with all that follows the product */
static __attribute__((noinline)) void F(finish_any)(const dh__gemm_tile *t, T *first, const T *add,
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

/* The same of whole vectors with biases of columns. */
static __attribute__((noinline)) void F(finish_whole)(const dh__gemm_tile *t, T *first,
                                                      const T *add, const T *sums, int h, int nv)
{
    const V alpha = F(dh__set)((T)t->alpha), beta = F(dh__set)((T)t->beta);
    for (int v = 0; v < nv; v++) {
        V bias = F(dh__set)((T)-0.0); /* which changes nothing, 0 would make 0 of a sum of -0 */
        if (t->bias) bias = F(dh__load)((const T *)t->bias + v * W);
        T *c = first + v * W;
        for (int i = 0; i < h; i++, c += t->c_row) {
            V x = alpha * F(dh__load)(sums + (i * nv + v) * W);
            if (t->beta != 0) x = F(dh__fma)(beta, F(dh__load)(c), x);
            if (add) x += F(dh__load)(add + i * t->add_row + v * W);
            F(dh__store)(c, F(dh__activate)(x + bias, t->act, 0));
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
#define FMA(i)                                   \
    if (i < h) {                                 \
        V s = F(dh__set)(A_AT(i, step));         \
        F(dh__sum)(x##i##_0, s, b0);             \
        if (nv > 1) F(dh__sum)(x##i##_1, s, b1); \
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
#define SET(i)                                              \
    if (i < h) {                                            \
        T *to = c_at + i * t->c_row;                        \
        F(dh__store)(to, alpha * x##i##_0);                 \
        if (nv > 1) F(dh__store)(to + W, alpha * x##i##_1); \
    }
#define ADD(i)                                                                      \
    if (i < h) {                                                                    \
        T *to = c_at + i * t->c_row;                                                \
        V sum0 = F(dh__fma)(beta, F(dh__load)(to), alpha * x##i##_0), sum1 = sum0;  \
        if (nv > 1) sum1 = F(dh__fma)(beta, F(dh__load)(to + W), alpha * x##i##_1); \
        F(dh__store)(to, sum0);                                                     \
        if (nv > 1) F(dh__store)(to + W, sum1);                                     \
    }
#define DONE INT64_MAX
#define FETCH_C(i) \
    if (i < h) __builtin_prefetch(c_at + i * t->c_row, 1);
#define FINISH(i)                                                                     \
    if (i < h) {                                                                      \
        T *to = c_at + i * t->c_row;                                                  \
        V y = F(dh__at_most)(F(dh__at_least)(x##i##_0 + bias0, low), high);           \
        F(dh__store)(to, y);                                                          \
        if (nv > 1) y = F(dh__at_most)(F(dh__at_least)(x##i##_1 + bias1, low), high); \
        if (nv > 1) F(dh__store)(to + W, y);                                          \
    }
#define KEEP(i)                                                      \
    if (i < h) {                                                     \
        F(dh__store)(sums + i * nv * W, x##i##_0);                   \
        if (nv > 1) F(dh__store)(sums + (i * nv + 1) * W, x##i##_1); \
    }

/* The lines of the next stretch, at most share of them and of one row; DONE: none. */
DH_SIMD_INLINE int64_t F(stretch_of)(const dh__gemm_ahead *ahead, int64_t share)
{
    int64_t lines = ahead->rows > 0 ? ahead->left : 0;
    if (lines > share) lines = share;
    return lines > 0 ? lines : DONE;
}

/* So many lines are fetched, the last of them in front of `line`. */
DH_SIMD_INLINE void F(move_on)(dh__gemm_ahead *ahead, const char *line, int64_t lines)
{
    ahead->line = line;
    ahead->left -= lines;
    if (ahead->left > 0) return;
    ahead->left = ahead->lines;
    ahead->line += ahead->jump;
    ahead->rows--;
}

/* Makes the tile whose places are a_at, b_at, c_at and, if something is added, add. */
DH_SIMD_INLINE void F(make_tile)(const dh__gemm_tile *t, const T *a_at, const T *b_at, T *c_at,
                                 const T *add, const int h, const int nv, const bool adjacent)
{
    ROWS(ZERO)
    const T *rows[(MR + 2) / 3];
    const int64_t t_a_step = t->a_step, t_b_step = t->b_step;
    /* rows of C and lines that are left to fetch; DONE: none, a near line stands in for them, since
     * to ask at each step costs more */
    dh__gemm_ahead *ahead = t->ahead;
    const char *c = (const char *)c_at, *line = c;
    const int64_t last = (nv * W - 1) * (int64_t)sizeof(T);
    int64_t c_step = t->c_row * (int64_t)sizeof(T), line_step = 0, twin = 0;
    int64_t c_rows = ahead ? h : 0, lines = DONE, share = 0, stretch = 0;
    if (ahead) {
        share = ahead->share;
        lines = stretch = F(stretch_of)(ahead, share);
        if (lines < DONE) line = ahead->line, line_step = ahead->step, twin = ahead->twin;
    }
    for (; C_BETWEEN && c_rows > t->k / 4; c_rows--, c += c_step) {
        __builtin_prefetch(c, 1);
        if (nv > 1) __builtin_prefetch(c + last, 1);
    }
    if (!C_BETWEEN && ahead) {
        ROWS(FETCH_C)
    }
    if (!C_BETWEEN || c_rows <= 0) c_rows = DONE, c_step = 0;
    int64_t run = 0, runs = t->runs ? t->run_count : 1;
    const T *a = a_at, *b = b_at;
    if (t->runs && runs > 0) {
        a += t->runs[0].a;
        b += t->runs[0].b;
    }
    int64_t left = runs > 0 ? t->k : 0;
    ROWS(A_ROW)
    (void)a;
    for (;;) {
        int64_t fours = left / 4;
        left -= 4 * fours;
        while (fours > 0 && (c_rows < DONE || lines < DONE)) {
            int64_t count = fours < lines ? fours : lines;
            if (C_BETWEEN && c_rows < count) count = c_rows;
            fours -= count;
            if (c_rows < DONE) c_rows -= count;
            if (lines < DONE) lines -= count;
            for (; count > 0; count--, line += line_step) {
                if (C_BETWEEN) {
                    __builtin_prefetch(c, 1);
                    if (nv > 1) __builtin_prefetch(c + last, 1);
                    c += c_step;
                }
                __builtin_prefetch(line, 0, 2);
                __builtin_prefetch(line + twin, 0, 2);
                FOUR_STEPS
            }
            if (c_rows == 0) c -= c_step, c_rows = DONE, c_step = 0;
            if (lines > 0) continue;
            F(move_on)(ahead, line, stretch);
            share -= stretch;
            lines = stretch = F(stretch_of)(ahead, share);
            line = lines < DONE ? ahead->line : (const char *)c_at;
            if (lines == DONE) line_step = twin = 0;
        }
        for (; fours > 0; fours--) {
            FOUR_STEPS
        }
#pragma GCC unroll 1
        for (; left > 0; left--) {
            const int steps = 1;
            STEP(0);
            ROWS(A_NEXT)
        }
        if (++run >= runs) break;
        a = a_at + t->runs[run].a;
        b = b_at + t->runs[run].b;
        left = t->k;
        ROWS(A_ROW)
    }
    if (lines < DONE) F(move_on)(ahead, line, stretch - lines);
    bool part = t->cols < nv * W || t->row_bias || t->act == DH_ACT_LEAKY_RELU;
    bool more = t->bias || t->act != DH_ACT_NONE;
    if (part || add || (more && (t->beta != 0 || t->alpha != 1))) {
        _Alignas(64) T sums[MR * 2 * W];
        ROWS(KEEP)
        (part ? F(finish_any) : F(finish_whole))(t, c_at, add, sums, h, nv);
        return;
    }
    const V alpha = F(dh__set)((T)t->alpha), beta = F(dh__set)((T)t->beta);
    if (more) {
        const V bias0 = t->bias ? F(dh__load)(t->bias) : (V){0};
        const V bias1 = t->bias && nv > 1 ? F(dh__load)((const T *)t->bias + W) : (V){0};
        const V low = F(dh__set)(t->act == DH_ACT_NONE ? -(T)INFINITY : 0);
        const V high = F(dh__set)(t->act == DH_ACT_RELU6 ? 6 : (T)INFINITY);
        ROWS(FINISH)
    } else if (t->beta == 0) {
        ROWS(SET)
    } else {
        ROWS(ADD)
    }
}

DH_SIMD_INLINE void F(make_tiles)(const dh__gemm_tile *t, const int h, const int nv,
                                  const bool adjacent)
{
    const T *a = t->a, *b = t->b, *add = t->add;
    T *c = t->c;
    for (int64_t left = t->more;; left--) {
        F(make_tile)(t, a, b, c, add, h, nv, adjacent);
        if (left <= 0) break;
        a += t->a_next;
        b += t->b_next;
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
#undef SET
#undef ADD
#undef FINISH
#undef KEEP
#undef DONE
#undef FETCH_C
#undef CASE
