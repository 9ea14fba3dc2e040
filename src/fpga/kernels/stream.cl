/* SPDX-License-Identifier: MIT */
/* A convolution by windows of 3x3 (or 1x1) in one pass over the image, as an FPGA's pipeline makes
 * it: each turn of the inner loop reads CPI channels of a pixel, pads, moves the window, multiplies it
 * with CPO filters, adds, and once all channels are in, applies what follows and writes. After the
 * design of HLSinf (DeepHealth's FPGA kernels), here over images [N, C, H, W]. It is one work item.
 * An image taller than the sums' memory comes in frames of ROWS rows; none is wider than WIDTH.
 * Options: CPI, CPO, ROWS (even), WIDTH, and NAME, which tells them. The offline compiler (v++) heeds
 * the attributes, others pass over them. */
#pragma OPENCL FP_CONTRACT OFF

#ifdef __xilinx__
#define PIPELINED __attribute__((xcl_pipeline_loop(1)))
#define UNROLLED  __attribute__((opencl_unroll_hint))
#define SPLIT(d)  __attribute__((xcl_array_partition(complete, d)))
#else
#define PIPELINED
#define UNROLLED
#define SPLIT(d)
#endif

/* As the host gives it (fpga_stream.c). */
typedef struct stream {
    long images, channels, height, width;
    long outputs, out_height, out_width; /* before pooling */
    long top, left;                      /* padding; at the other ends it follows from out_ */
    long taps;                           /* 9, or 1: the window's upper left corner alone */
    long bias, act, mish, pool, norm, add; /* pool: 1 maxima, 2 means, of windows of 2x2 */
} stream;

/* Behind the sum: activation, x tanh(softplus(x)). */
static inline float activated(float v, const stream *s, float alpha)
{
    if (s->act == ACT_RELU || s->act == ACT_RELU6) v = v < 0 ? 0 : v;
    if (s->act == ACT_RELU6) v = v > 6 ? 6 : v;
    if (s->act == ACT_LEAKY_RELU) v = v < 0 ? v * alpha : v;
    if (s->mish) v = v * tanh(v > 20 ? v : log1p(exp(v)));
    return v;
}

static inline float pooled(float a, float b, const stream *s)
{
    return s->pool == 2 ? a + b : b > a || b != b ? b : a;
}

/* Normalisation by beta, gamma, mean and variance of the channel. */
static inline float normalised(float v, global const float *norm)
{
    return norm[1] * ((v - norm[2]) / sqrt(norm[3] + 1e-5f)) + norm[0];
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void NAME(
    global float *y, long y0, global const float *x, long x0, global const float *filters,
    long filters0, global const float *bias, long bias0, global const float *norm, long norm0,
    global const float *more, long more0, stream s, float alpha)
{
    local float sums[ROWS][WIDTH][CPO] SPLIT(3);
    local float lines[2][WIDTH + 2][CPI] SPLIT(1) SPLIT(3);
    local float pairs[WIDTH / 2 + 1][CPO] SPLIT(2);
    float weights[CPO][CPI][9] SPLIT(0);
    float window[3][3][CPI] SPLIT(0);
    float begun[CPO] SPLIT(0);
    const long step = s.pool ? 2 : 1, high = s.out_height / step, wide = s.out_width / step;

    for (long image = 0; image < s.images; image++)
    for (long frame = 0; frame < s.out_height; frame += ROWS)
    for (long o = 0; o < s.outputs; o += CPO)
    for (long i = 0; i < s.channels; i += CPI) {
        const long rows = min((long)ROWS, s.out_height - frame);
        const bool last = i + CPI >= s.channels;

        for (long k = 0; k < CPO * CPI * 9; k++) { /* filters of this turn */
            long c = k / (CPI * 9), d = k / 9 % CPI, t = k % 9;
            bool there = o + c < s.outputs && i + d < s.channels && t < s.taps;
            weights[c][d][t] =
                there ? filters[filters0 + ((o + c) * s.channels + i + d) * s.taps + t] : 0;
        }

        for (long row = 0; row < rows + 2; row++)
        PIPELINED
        for (long col = 0; col < s.out_width + 2; col++) {
            const long from_row = frame + row - s.top, from_col = col - s.left;
            const bool inside =
                from_row >= 0 && from_row < s.height && from_col >= 0 && from_col < s.width;
            UNROLLED
            for (int d = 0; d < CPI; d++) { /* read, pad; the window moves on by a column */
                long plane = (image * s.channels + i + d) * s.height;
                float pixel = inside && i + d < s.channels
                                  ? x[x0 + (plane + from_row) * s.width + from_col]
                                  : 0;
                for (int r = 0; r < 3; r++) {
                    window[r][0][d] = window[r][1][d];
                    window[r][1][d] = window[r][2][d];
                }
                window[0][2][d] = lines[0][col][d];
                window[1][2][d] = lines[1][col][d];
                window[2][2][d] = pixel;
                lines[0][col][d] = lines[1][col][d];
                lines[1][col][d] = pixel;
            }
            if (row < 2 || col < 2) continue;
            const long r = row - 2, q = col - 2;
            UNROLLED
            for (int c = 0; c < CPO; c++) { /* multiply, add */
                float sum = i          ? sums[r][q][c]
                            : s.bias && o + c < s.outputs ? bias[bias0 + o + c]
                                                          : 0;
                for (int d = 0; d < CPI; d++)
                    for (int t = 0; t < 9; t++) /* an infinite pixel times no tap is nothing */
                        if (t < s.taps) sum += window[t / 3][t % 3][d] * weights[c][d][t];
                sums[r][q][c] = sum;
                if (!last || o + c >= s.outputs) continue;
                /* what follows, write */
                float v = activated(sum, &s, alpha);
                if (s.pool) {
                    float before = begun[c];
                    begun[c] = v;
                    if (!(q & 1)) continue;
                    v = pooled(before, v, &s);
                    before = pairs[q / 2][c];
                    pairs[q / 2][c] = v;
                    if (!(r & 1)) continue;
                    v = pooled(before, v, &s);
                    if (s.pool == 2) v *= 0.25f;
                }
                if (s.norm) v = normalised(v, norm + norm0 + 4 * (o + c));
                long at = ((image * s.outputs + o + c) * high + (frame + r) / step) * wide + q / step;
                if (s.add) v += more[more0 + at];
                y[y0 + at] = v;
            }
        }
    }
}
