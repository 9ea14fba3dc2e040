/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gemm.h"
#include "team.h"

#define GUARD 96 /* elements before and after each buffer */

/* A product, its operands in buffers of their own with guards around, and its result. */
typedef struct problem {
    dh__gemm g;
    double *a, *b, *c, *bias; /* plain values: [m][k], [k][n], [m][n], [n] */
    char *buffer[4];          /* in the type and layout of g */
    size_t count[4];          /* elements, guards too */
} problem;

static uint64_t state = 1;

static double draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(state >> 33) / 1073741824.0 - 1;
}

static void put(char *buffer, bool f64, int64_t i, double value)
{
    if (f64)
        ((double *)buffer)[i] = value;
    else
        ((float *)buffer)[i] = (float)value;
}

static double get(const char *buffer, bool f64, int64_t i)
{
    return f64 ? ((const double *)buffer)[i] : (double)((const float *)buffer)[i];
}

/* Values that f32 holds exactly, so that the reference sees what the product sees. */
static double *draw_values(int64_t count)
{
    double *values = malloc((size_t)(count + 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++) values[i] = (double)(float)draw();
    return values;
}

/* rows x cols values with the given steps in a buffer filled with mark. */
static const char *lay_out(problem *p, int which, const double *values, int64_t rows, int64_t cols,
                           int64_t row, int64_t col, double mark)
{
    size_t size = p->g.f64 ? 8 : 4;
    int64_t extent = rows && cols ? (rows - 1) * row + (cols - 1) * col + 1 : 0;
    p->count[which] = (size_t)extent + 2 * GUARD;
    p->buffer[which] = malloc(p->count[which] * size);
    assert_non_null(p->buffer[which]);
    for (size_t i = 0; i < p->count[which]; i++) put(p->buffer[which], p->g.f64, (int64_t)i, mark);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            put(p->buffer[which], p->g.f64, GUARD + i * row + j * col, values[i * cols + j]);
    return p->buffer[which] + GUARD * size;
}

/* Layouts of an operand. Elements between its rows are NaN: who reads them is found out. */
enum { PLAIN, TURNED, PLAIN_WIDE, TURNED_WIDE, APART, LAYOUTS };

static void strides(int layout, int64_t rows, int64_t cols, int64_t *row, int64_t *col)
{
    bool turned = layout == TURNED || layout == TURNED_WIDE;
    int64_t gap = layout == PLAIN_WIDE || layout == TURNED_WIDE ? 5 : 0;
    *row = turned ? 1 : cols + gap;
    *col = turned ? rows + gap : 1;
    if (layout == APART) *row = 3 * cols + 1, *col = 3;
}

static problem make_problem(dh__gemm g, int a_layout, int b_layout, int64_t c_gap, bool bias)
{
    problem p = {.g = g};
    double mark = nan("");
    p.a = draw_values(g.m * g.k);
    p.b = draw_values(g.k * g.n);
    p.c = draw_values(g.m * g.n);
    if (g.beta == 0)
        for (int64_t i = 0; i < g.m * g.n; i++) p.c[i] = mark;
    p.bias = bias ? draw_values(g.n) : NULL;
    strides(a_layout, g.m, g.k, &p.g.a_row, &p.g.a_col);
    strides(b_layout, g.k, g.n, &p.g.b_row, &p.g.b_col);
    p.g.c_row = g.n + c_gap;
    p.g.a = lay_out(&p, 0, p.a, g.m, g.k, p.g.a_row, p.g.a_col, mark);
    p.g.b = lay_out(&p, 1, p.b, g.k, g.n, p.g.b_row, p.g.b_col, mark);
    p.g.c = (char *)lay_out(&p, 2, p.c, g.m, g.n, p.g.c_row, 1, 12345);
    if (bias) p.g.bias = lay_out(&p, 3, p.bias, 1, g.n, g.n, 1, mark);
    return p;
}

static void free_problem(problem *p)
{
    for (int i = 0; i < 4; i++) free(p->buffer[i]);
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->bias);
}

static void run(const problem *p)
{
    size_t size = dh__gemm_scratch(&p->g);
    char *scratch = aligned_alloc(64, (size + 64 + 63) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch, 0xff, size); /* NaN, should packing leave a gap */
    memset(scratch + size, 0x5a, 64);
    dh__gemm_run(&p->g, scratch);
    for (int i = 0; i < 64; i++) assert_int_equal(scratch[size + (size_t)i], 0x5a);
    free(scratch);
}

static double activate(const dh__gemm *g, double x)
{
    if (g->act == DH_ACT_RELU6 && x > 6) return 6;
    if (g->act == DH_ACT_NONE || !(x < 0)) return x;
    return g->act == DH_ACT_LEAKY_RELU ? g->act_alpha * x : 0;
}

static bool close_enough(const problem *p, int64_t i, int64_t j, double got)
{
    const dh__gemm *g = &p->g;
    double sum = 0, weight = 0;
    for (int64_t q = 0; q < g->k; q++) {
        double term = p->a[i * g->k + q] * p->b[q * g->n + j];
        sum += term;
        weight += fabs(term);
    }
    double want = g->alpha * sum;
    weight *= fabs(g->alpha);
    if (g->beta != 0) {
        want += g->beta * p->c[i * g->n + j];
        weight += fabs(g->beta * p->c[i * g->n + j]);
    }
    if (p->bias) {
        want += p->bias[j];
        weight += fabs(p->bias[j]);
    }
    double epsilon = g->f64 ? 0x1p-52 : 0x1p-23;
    double tolerance = epsilon * (4 + sqrt((double)g->k)) * weight * 2 + 1e-300;
    double error = fabs(got - activate(g, want));
    if (error <= tolerance) return true;
    print_message("C(%d, %d) is %g, must be %g: m %d n %d k %d strides %d %d, %d %d, %s %s\n",
                  (int)i, (int)j, got, activate(g, want), (int)g->m, (int)g->n, (int)g->k,
                  (int)g->a_row, (int)g->a_col, (int)g->b_row, (int)g->b_col,
                  g->f64 ? "f64" : "f32", dh__gemm_name(g));
    return false;
}

static void check_result(const problem *p)
{
    const dh__gemm *g = &p->g;
    for (int64_t i = 0; i < (int64_t)p->count[2]; i++) {
        int64_t at = i - GUARD, row = at / g->c_row, col = at % g->c_row;
        double got = get(p->buffer[2], g->f64, i);
        if (at >= 0 && row < g->m && col < g->n)
            assert_true(close_enough(p, row, col, got));
        else
            assert_true(got == 12345);
    }
}

static void check(dh__gemm g, int a_layout, int b_layout, int64_t c_gap, bool bias)
{
    problem p = make_problem(g, a_layout, b_layout, c_gap, bias);
    run(&p);
    check_result(&p);
    free_problem(&p);
}

static dh__gemm shape(int64_t m, int64_t n, int64_t k, bool f64)
{
    return (dh__gemm){.m = m, .n = n, .k = k, .alpha = 1, .f64 = f64};
}

/* Runs test for each instruction set that the CPU has, in both types. */
static void on_each_isa(void (*test)(bool f64))
{
    for (int isa = 0; isa <= (int)dh__cpu_isa(); isa++) {
        assert_int_equal(dh__gemm_force_isa(isa), isa);
        test(false);
        test(true);
    }
    dh__gemm_force_isa(-1);
}

static void layouts(bool f64)
{
    static const int64_t shapes[][3] = {{1, 1, 1},    {1, 7, 5},    {7, 1, 5},     {2, 3, 1},
                                        {17, 19, 23}, {31, 37, 29}, {67, 131, 41}, {1, 131, 97},
                                        {131, 1, 97}, {3, 257, 83}, {97, 10, 101}, {64, 64, 64}};
    for (size_t i = 0; i < DH_COUNT(shapes); i++)
        for (int a = 0; a < LAYOUTS; a++)
            for (int b = 0; b < LAYOUTS; b++) {
                dh__gemm g = shape(shapes[i][0], shapes[i][1], shapes[i][2], f64);
                check(g, a, b, (a + b) % 2 * 3, false);
            }
}

static void test_layouts(void **unused)
{
    (void)unused;
    on_each_isa(layouts);
}

/* Each remainder of the rows' tile, and of the columns' panel and vector. */
static void remainders(bool f64)
{
    for (int m = 1; m <= 30; m++) check(shape(m, 35, 9, f64), m % 2, 0, 1, m % 3 == 0);
    for (int n = 1; n <= 100; n++) {
        check(shape(5, n, 6, f64), 0, 0, 1, n % 3 == 0);
        check(shape(30, n, 7, f64), 1, n % 2, 1, n % 3 == 0);
    }
    for (int k = 0; k <= 40; k++) check(shape(20, 70, k, f64), k % 2, k / 2 % 2, 2, true);
}

static void test_remainders(void **unused)
{
    (void)unused;
    on_each_isa(remainders);
}

/* Sums over so few terms that A stays in registers: across strips and row blocks, odd ends. */
static void few_terms(bool f64)
{
    static const int64_t shapes[][2] = {{16, 256}, {17, 257}, {131, 521}, {259, 1030}};
    for (int k = 1; k <= 14; k++)
        for (size_t s = 0; s < DH_COUNT(shapes); s++) {
            dh__gemm g = shape(shapes[s][0], shapes[s][1], k, f64);
            g.alpha = s % 2 ? 0.7 : 1;
            g.beta = k % 3 == 0 ? 0.37 : 0;
            check(g, (k + (int)s) % LAYOUTS, (k + (int)s) % 4, k % 2 * 3, false);
        }
    dh__gemm g = shape(100, 1024, 10, f64);
    g.a_row = 10, g.a_col = 1, g.b_row = 1, g.b_col = 10;
    assert_non_null(strstr(dh__gemm_name(&g), "gemm_short"));
    g.act = DH_ACT_RELU;
    assert_null(strstr(dh__gemm_name(&g), "gemm_short"));
}

static void test_few_terms(void **unused)
{
    (void)unused;
    on_each_isa(few_terms);
}

static void factors(bool f64)
{
    static const double values[] = {0, 1, -1, 0.37};
    static const int64_t shapes[][3] = {{13, 33, 17}, {40, 70, 600}, {1, 77, 31},
                                        {77, 1, 31},  {9, 5, 0},     {1, 1, 0}};
    for (size_t s = 0; s < DH_COUNT(shapes); s++)
        for (size_t a = 0; a < DH_COUNT(values); a++)
            for (size_t b = 0; b < DH_COUNT(values); b++)
                for (int act = DH_ACT_NONE; act <= DH_ACT_RELU6; act++) {
                    dh__gemm g = shape(shapes[s][0], shapes[s][1], shapes[s][2], f64);
                    g.alpha = values[a];
                    g.beta = values[b];
                    g.act = (dh__act)act;
                    g.act_alpha = 0.3;
                    check(g, 0, 0, 3, act > 0);
                }
}

static void test_factors(void **unused)
{
    (void)unused;
    on_each_isa(factors);
}

/* Long enough for several k blocks, k chunks, row blocks and strips. */
static void blocks(bool f64)
{
    check(shape(1500, 70, 40, f64), PLAIN, PLAIN, 0, true);
    check(shape(45, 75, 5001, f64), TURNED, PLAIN, 0, true);
    check(shape(600, 45, 1025, f64), PLAIN, TURNED, 7, false);
    check(shape(2100, 10, 3000, f64), APART, TURNED, 0, false);
}

static void test_blocks(void **unused)
{
    (void)unused;
    on_each_isa(blocks);
}

static void empty(bool f64)
{
    check(shape(0, 5, 3, f64), 0, 0, 0, false);
    check(shape(5, 0, 3, f64), 0, 0, 4, false);
    check(shape(0, 0, 0, f64), 0, 0, 1, false);
}

static void test_empty(void **unused)
{
    (void)unused;
    on_each_isa(empty);
}

/* NaN of A or B must reach C through every activation. */
static void nans(bool f64)
{
    for (int act = DH_ACT_NONE; act <= DH_ACT_RELU6; act++)
        for (int m = 1; m <= 40; m += 39) {
            dh__gemm g = shape(m, 40, 40, f64);
            g.act = (dh__act)act;
            problem p = make_problem(g, 0, 0, 0, false);
            put(p.buffer[1], f64, GUARD + 3, nan("")); /* B(0, 3) */
            run(&p);
            for (int64_t i = 0; i < m * 40; i++)
                assert_int_equal(isnan(get(p.buffer[2], f64, GUARD + i)) != 0, i % 40 == 3);
            free_problem(&p);
        }
}

static void test_nan(void **unused)
{
    (void)unused;
    on_each_isa(nans);
}

static void threads(bool f64)
{
    static const int64_t shapes[][3] = {{100, 1024, 784}, {1024, 10, 100},   {100, 10, 1024},
                                        {784, 1024, 100}, {300, 300, 300},   {1, 1024, 1024},
                                        {1024, 1, 1024},  {64, 64, 9000},    {1300, 200, 600},
                                        {100, 1024, 10},  {1025, 129, 1031}, {100, 1024, 100}};
    for (size_t s = 0; s < DH_COUNT(shapes); s++)
        for (int layout = 0; layout < 4; layout++) {
            dh__gemm g = shape(shapes[s][0], shapes[s][1], shapes[s][2], f64);
            problem p = make_problem(g, layout & 1, layout >> 1, 0, g.k > 12);
            size_t bytes = p.count[2] * (f64 ? 8u : 4u);
            char *first = malloc(bytes);
            assert_non_null(first);
            for (int n = 1; n <= 4; n++) {
                int before = dh__team_limit(n);
                memset(p.g.c, 0xff, (size_t)(g.m * g.n) * (f64 ? 8u : 4u));
                run(&p);
                dh__team_limit(before);
                if (n == 1) {
                    if (g.m * g.n * g.k < 8000000) check_result(&p);
                    memcpy(first, p.buffer[2], bytes);
                }
                assert_memory_equal(first, p.buffer[2], bytes);
            }
            free(first);
            free_problem(&p);
        }
}

static void test_threads(void **unused)
{
    (void)unused;
    for (int isa = 0; isa <= (int)dh__cpu_isa(); isa++) {
        dh__gemm_force_isa(isa);
        threads(false);
    }
    dh__gemm_force_isa(-1);
    threads(true);
}

/* Scratch for a bound serves all that is smaller. */
static void test_scratch_grows(void **unused)
{
    (void)unused;
    for (int isa = 0; isa <= (int)dh__cpu_isa(); isa++) {
        dh__gemm_force_isa(isa);
        size_t before = 0;
        for (int64_t m = 1; m < 3000; m++) {
            dh__gemm g = shape(m, 500, 700, false);
            size_t size = dh__gemm_scratch(&g);
            assert_true(size >= before);
            before = size;
        }
    }
    dh__gemm_force_isa(-1);
}

static void openblas(bool f64)
{
    layouts(f64);
    factors(f64);
    threads(f64);
}

static void test_openblas(void **unused)
{
    (void)unused;
    if (!dh__gemm_force_openblas(1)) {
        dh__gemm_force_openblas(-1);
        skip();
    }
    dh__gemm g = shape(64, 64, 64, false);
    g.a_row = g.b_row = g.c_row = 64;
    g.a_col = g.b_col = 1;
    assert_string_equal(dh__gemm_name(&g), "gemm_openblas");
    openblas(false);
    openblas(true);
    assert_false(dh__gemm_force_openblas(0));
    assert_string_not_equal(dh__gemm_name(&g), "gemm_openblas");
    dh__gemm_force_openblas(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),       cmocka_unit_test(test_remainders),
        cmocka_unit_test(test_few_terms),     cmocka_unit_test(test_factors),
        cmocka_unit_test(test_blocks),        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_nan),           cmocka_unit_test(test_threads),
        cmocka_unit_test(test_scratch_grows), cmocka_unit_test(test_openblas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
