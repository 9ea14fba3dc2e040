/* SPDX-License-Identifier: MIT */
/* Products of matrices: both are packed into panels, ROWS lines of the left and COLUMNS lines of the
 * right side by side for each k, zeros where there are no more, and then each work item makes one
 * tile of the result. Options: the dtype X of the tensors; F, in which it is computed; V, a vector of
 * LANES of them; ROWS, and VECTORS of a tile's row. */
typedef CAT(T_, X) T;
#define COLUMNS (VECTORS * LANES)
#define VLOAD   CAT(vload, LANES)
#define VSTORE  CAT(vstore, LANES)
#ifdef WHOLE
#define MAD(a, b, c) ((a) * (b) + (c))
#elif defined DH_FMA
#define MAD(a, b, c) fma(a, b, c)
#else
#define MAD(a, b, c) mad(a, b, c)
#endif

/* Panels of width lines: element (line, k) of matrix m lies at batch(m) + lines(line) + depths(k). */
#define PACK(name, WIDTH)                                                                         \
    kernel void name(global F *to, long to0, global const T *x, long x0, view batch, view lines,  \
                     view depths, long line_count, long first_depth, long depth, long panels,     \
                     long count)                                                                  \
    {                                                                                             \
        EACH(i)                                                                                   \
        long k = i % depth, panel = i / depth, first = panel % panels * WIDTH;                    \
        long step = lines.ndim == 1 ? lines.stride[0] : 0;                                        \
        bool whole = lines.ndim == 1 && first + WIDTH <= line_count;                              \
        x += x0 + line_at(&batch, panel / panels) + line_at(&depths, first_depth + k);            \
        to += to0 + i * WIDTH;                                                                    \
        if (whole)                                                                                \
            for (int w = 0; w < WIDTH; w++) to[w] = CAT(load_, X)(x, (first + w) * step);         \
        else                                                                                      \
            for (int w = 0; w < WIDTH; w++)                                                       \
                to[w] = first + w < line_count ? (F)CAT(load_, X)(x, line_at(&lines, first + w))  \
                                               : (F)0;                                            \
    }
#ifdef K_pack_left
PACK(pack_left, ROWS)
#endif
#ifdef K_pack_right
PACK(pack_right, COLUMNS)
#endif

#ifdef K_multiply
/* Do so many elements from i on lie one after the other? */
static inline bool in_line(const view *v, long i, long count)
{
    int last = (int)v->ndim - 1;
    return last < 0 || (v->stride[last] == 1 && i % v->shape[last] + count <= v->shape[last]);
}

/* Sums of so many terms are added up, so that long ones lose fewer digits. */
#define BLOCK 64

/* y of rows x columns elements in each of batches, at batch + rows + columns; what follows the sum:
 * ACCUMULATE adds what y holds, ROW_SCALE a factor of each row, ROW_BIAS and COLUMN_BIAS an addend,
 * ADD a tensor that lies as y is described by add_*, then the activation. left_step, right_step: from
 * one batch to the next in the packed sides, 0 where all share one. */
kernel void multiply(global const F *left, long left0, long left_step, global const F *right,
                     long right0, long right_step, long depth, global T *y, long y0, view batch,
                     view rows, view columns, long row_count, long first_column, long column_count,
                     global const F *scale, long scale0, global const T *bias, long bias0,
                     long bias_step, global const T *add, long add0, view add_rows,
                     view add_columns, long act, F alpha)
{
    long row = get_global_id(0) * ROWS, column = get_global_id(1) * COLUMNS;
    if (row >= row_count) return;
    V sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < VECTORS; v++) sum[r][v] = (V)(0);
    left += left0 + get_global_id(2) * left_step + row * depth;
    right += right0 + get_global_id(2) * right_step + column * depth;
    for (long from = 0; from < depth; from += BLOCK) {
        V part[ROWS][VECTORS];
        long to = min(from + BLOCK, depth);
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < VECTORS; v++) part[r][v] = (V)(0);
        for (long k = from; k < to; k++, left += ROWS, right += COLUMNS) {
            V b[VECTORS];
#pragma unroll
            for (int v = 0; v < VECTORS; v++) b[v] = VLOAD(v, right);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
#pragma unroll
                for (int v = 0; v < VECTORS; v++)
                    part[r][v] = MAD((V)(left[r]), b[v], part[r][v]);
            }
        }
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < VECTORS; v++) sum[r][v] += part[r][v];
    }
    y += y0 + line_at(&batch, get_global_id(2));
    column += first_column;
    int width = (int)min((long)COLUMNS, first_column + column_count - column);
    long to[COLUMNS];
    for (int c = 0; c < width; c++) to[c] = line_at(&columns, column + c);
    bool whole = width == COLUMNS && in_line(&columns, column, COLUMNS);
#ifdef ADD
    long from[COLUMNS];
    for (int c = 0; c < width; c++) from[c] = line_at(&add_columns, column + c);
#endif
    for (int r = 0; r < ROWS && row + r < row_count; r++) {
        F made[COLUMNS];
        for (int v = 0; v < VECTORS; v++) VSTORE(sum[r][v], v, made);
#ifdef ROW_SCALE
        F factor = scale[scale0 + 2 * (row + r)], addend = scale[scale0 + 2 * (row + r) + 1];
        for (int c = 0; c < COLUMNS; c++) made[c] = made[c] * factor + addend;
#endif
#ifdef ROW_BIAS
        F addend = (F)CAT(load_, X)(bias, bias0 + (row + r) * bias_step);
        for (int c = 0; c < COLUMNS; c++) made[c] += addend;
#endif
#ifdef COLUMN_BIAS
        for (int c = 0; c < width; c++)
            made[c] += (F)CAT(load_, X)(bias, bias0 + (column + c) * bias_step);
#endif
#ifdef ADD
        long add_row = add0 + line_at(&add_rows, row + r);
        for (int c = 0; c < width; c++) made[c] += (F)CAT(load_, X)(add, add_row + from[c]);
#endif
        global T *line = y + line_at(&rows, row + r);
#ifdef ACCUMULATE
        for (int c = 0; c < width; c++) made[c] += (F)CAT(load_, X)(line, to[c]);
#endif
        for (int c = 0; c < COLUMNS; c++) made[c] = ACTIVATED(made[c], act, alpha);
        if (whole)
            for (int c = 0; c < COLUMNS; c++) CAT(store_, X)(line, to[0] + c, made[c]);
        else
            for (int c = 0; c < width; c++) CAT(store_, X)(line, to[c], made[c]);
    }
}
#endif
