/* SPDX-License-Identifier: MIT */
/* The transforms of whole tiles, a template without include guard: isa/winograd_kernels.c includes
 * it per side of a tile, with SIDE the side, N that of a transformed tile and F(name) the name with
 * its suffix, when it has the transforms of their lines. */

static void F(input)(float *out, int64_t step, const float *x, int64_t row, int64_t pixel,
                     int64_t channels)
{
    for (int64_t c = 0; c < channels; c += W) {
        V columns[N][N], line[N], turned[N];
        UNROLL for (int j = 0; j < N; j++)
        {
            const float *from = x + j * pixel + c;
            UNROLL for (int i = 0; i < N; i++) line[i] = dh__load_f32(from + i * row);
            F(input_line)(turned, line);
            UNROLL for (int i = 0; i < N; i++) columns[i][j] = turned[i];
        }
        UNROLL for (int i = 0; i < N; i++)
        {
            F(input_line)(turned, columns[i]);
            UNROLL for (int j = 0; j < N; j++)
                dh__store_f32(out + (i * N + j) * step + c, turned[j]);
        }
    }
}

static void F(weights)(float *out, int64_t step, const float *x, int64_t tap, int64_t width)
{
    for (int64_t o = 0; o < width; o += W) {
        V columns[N][3], turned[N];
        UNROLL for (int j = 0; j < 3; j++)
        {
            const float *from = x + j * tap + o;
            F(weight_line)
            (turned, dh__load_f32(from), dh__load_f32(from + 3 * tap),
             dh__load_f32(from + 6 * tap));
            UNROLL for (int i = 0; i < N; i++) columns[i][j] = turned[i];
        }
        UNROLL for (int i = 0; i < N; i++)
        {
            F(weight_line)(turned, columns[i][0], columns[i][1], columns[i][2]);
            UNROLL for (int j = 0; j < N; j++)
                dh__store_f32(out + (i * N + j) * step + o, turned[j]);
        }
    }
}

static void F(output)(float *y, int64_t row, int64_t pixel, const float *x, int64_t step,
                      const float *bias, bool add, int64_t width, int rows, int cols, dh__act act,
                      float alpha)
{
    for (int64_t o = 0; o < width; o += W) {
        V lines[SIDE][N], line[N], turned[SIDE], shift = {0};
        int64_t left = width - o < W ? width - o : W;
        if (bias) shift = dh__load_part_f32(bias + o, left);
        UNROLL for (int j = 0; j < N; j++)
        {
            UNROLL for (int i = 0; i < N; i++) line[i] = dh__load_f32(x + (i * N + j) * step + o);
            F(output_line)(turned, line);
            UNROLL for (int i = 0; i < SIDE; i++) lines[i][j] = turned[i];
        }
        UNROLL for (int i = 0; i < SIDE; i++)
        {
            if (i >= rows) break;
            float *to = y + i * row + o;
            F(output_line)(turned, lines[i]);
            UNROLL for (int j = 0; j < SIDE; j++)
            {
                if (j >= cols) continue;
                V v = turned[j] + shift;
                if (add) v += dh__load_f32(to + j * pixel);
                dh__store_f32(to + j * pixel, dh__activate_f32(v, act, alpha));
            }
        }
    }
}
