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
#else
#define MAD(a, b, c) mad(a, b, c)
#endif

/* Panels of width lines: element (line, k) of matrix m lies at batch(m) + lines(line) + depths(k). */
#define PACK(name, WIDTH)                                                                        \
    kernel void name(global F *to, long to0, global const T *x, long x0, view batch, view lines, \
                     view depths, long line_count, long depth, long panels, long count)          \
    {                                                                                            \
        EACH(i)                                                                                  \
        long k = i % depth, first = i / depth % panels * WIDTH;                                  \
        x += x0 + line_at(&batch, i / depth / panels) + line_at(&depths, k);                     \
        to += to0 + i * WIDTH;                                                                   \
        if (lines.ndim == 1 && first + WIDTH <= line_count) {                                    \
            long step = lines.stride[0];                                                         \
            for (int w = 0; w < WIDTH; w++) to[w] = CAT(load_, X)(x, (first + w) * step);        \
        } else {                                                                                 \
            for (int w = 0; w < WIDTH; w++)                                                      \
                to[w] = first + w < line_count                                                   \
                            ? (F)CAT(load_, X)(x, line_at(&lines, first + w))                    \
                            : (F)0;                                                              \
        }                                                                                        \
    }
#ifdef K_pack_left
PACK(pack_left, ROWS)
#endif
#ifdef K_pack_right
PACK(pack_right, COLUMNS)
#endif

#ifdef K_multiply
/* y of rows x columns elements in each of batches, at batch + rows + columns; what follows the sum:
 * ACCUMULATE adds what y holds, ROW_SCALE a factor of each row, ROW_BIAS and COLUMN_BIAS an addend,
 * ADD a tensor that lies as y is described by add_*, then the activation. left_step, right_step: from
 * one batch to the next in the packed sides, 0 where all share one. */
kernel void multiply(global const F *left, long left0, long left_step, global const F *right,
                     long right0, long right_step, long depth, global T *y, long y0, view batch,
                     view rows, view columns, long row_count, long column_count,
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
    for (long k = 0; k < depth; k++, left += ROWS, right += COLUMNS) {
        V b[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; v++) b[v] = VLOAD(v, right);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
#pragma unroll
            for (int v = 0; v < VECTORS; v++) sum[r][v] = MAD((V)(left[r]), b[v], sum[r][v]);
        }
    }
    y += y0 + line_at(&batch, get_global_id(2));
    for (int r = 0; r < ROWS && row + r < row_count; r++) {
        F made[COLUMNS];
        for (int v = 0; v < VECTORS; v++) VSTORE(sum[r][v], v, made);
        long at_row = line_at(&rows, row + r);
#ifdef ADD
        long add_row = add0 + line_at(&add_rows, row + r);
#endif
        for (long c = 0; c < COLUMNS && column + c < column_count; c++) {
            long to = at_row + line_at(&columns, column + c);
            F value = made[c];
#ifdef ACCUMULATE
            value += (F)CAT(load_, X)(y, to);
#endif
#ifdef ROW_SCALE
            value = value * scale[scale0 + 2 * (row + r)] + scale[scale0 + 2 * (row + r) + 1];
#endif
#ifdef ROW_BIAS
            value += (F)CAT(load_, X)(bias, bias0 + (row + r) * bias_step);
#endif
#ifdef COLUMN_BIAS
            value += (F)CAT(load_, X)(bias, bias0 + (column + c) * bias_step);
#endif
#ifdef ADD
            value += (F)CAT(load_, X)(add, add_row + line_at(&add_columns, column + c));
#endif
            CAT(store_, X)(y, to, ACTIVATED(value, act, alpha));
        }
    }
}
#endif
