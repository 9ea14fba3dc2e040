/* SPDX-License-Identifier: MIT */
/* Initial weights: moments, limits, orthogonality, identity, the same bits from the same seed. */
#include "model_test.h"
#include "net.h"

#define ROWS  200
#define COLS  300
#define COUNT (ROWS * COLS)

static float data[COUNT];

static dh__segment draw(const char *name, double a, double b, int64_t rows, int64_t columns,
                        uint64_t seed)
{
    dh__segment s = {.name = "layer/weight",
                     .ndim = 2,
                     .shape = {rows, columns},
                     .count = rows * columns,
                     .fan_in = rows,
                     .fan_out = columns};
    assert_ok(dh__initializer_find(&s, &(dh_initializer){name, a, b}, "zeros", "layer/weight"));
    assert_ok(s.init(&s, data, seed));
    return s;
}

static void moments(void **state)
{
    (void)state;
    /* limit 0: unbounded */
    static const struct {
        const char *name;
        double a, b, mean, deviation, low, high;
    } table[] = {
        {"zeros", 0, 0, 0, 0, 0, 0},
        {"ones", 0, 0, 1, 0, 1, 1},
        {"constant", -2.5, 0, -2.5, 0, -2.5, -2.5},
        {"random_normal", 0, 0, 0, 0.05, -1, 1},
        {"random_normal", 3, 2, 3, 2, -20, 20},
        {"random_uniform", 0, 0, 0, 0.1 / 3.4641016, -0.05, 0.05},
        {"random_uniform", 1, 3, 2, 2 / 3.4641016, 1, 3},
        {"truncated_normal", 0, 0, 0, 0.05 * 0.87962566, -0.1, 0.1},
        {"truncated_normal", 1, 2, 1, 2 * 0.87962566, -3, 5},
        {"glorot_uniform", 0, 0, 0, 0.063245553, -0.10954452, 0.10954452},
        {"glorot_normal", 0, 0, 0, 0.063245553, -1, 1},
        {"he_uniform", 0, 0, 0, 0.1, -0.17320509, 0.17320509},
        {"he_normal", 0, 0, 0, 0.1, -1, 1},
        {"lecun_uniform", 0, 0, 0, 0.070710678, -0.12247449, 0.12247449},
        {"lecun_normal", 0, 0, 0, 0.070710678, -1, 1},
        {"variance_scaling", 0, 0, 0, 0.070710678, -1, 1},
        {"variance_scaling", 4, 0, 0, 0.14142136, -1, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            double mean = 0, square = 0;
            draw(table[i].name, table[i].a, table[i].b, ROWS, COLS, seed);
            for (int k = 0; k < COUNT; k++) {
                double v = (double)data[k];
                mean += v / COUNT;
                square += (v - table[i].mean) * (v - table[i].mean) / COUNT;
                if (!(v >= table[i].low - 1e-7 && v <= table[i].high + 1e-7))
                    fail_msg("%s: %g is beyond its limits", table[i].name, v);
            }
            double d = table[i].deviation;
            if (!(fabs(mean - table[i].mean) <= 5 * d / sqrt(COUNT) + 1e-7))
                fail_msg("%s: mean %g", table[i].name, mean);
            if (!(fabs(sqrt(square) - d) <= 5 * d / sqrt(COUNT) + 1e-7))
                fail_msg("%s: deviation %g, not %g", table[i].name, sqrt(square), d);
        }
}

/* Rows (or columns, the fewer) are perpendicular and of length gain. */
static void orthogonal(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{20, 20}, {7, 31}, {31, 7}, {1, 5}, {5, 1}};
    for (int i = 0; i < 5; i++) {
        int64_t rows = shapes[i][0], columns = shapes[i][1];
        draw("orthogonal", i == 1 ? 3 : 0, 0, rows, columns, 9);
        double gain = i == 1 ? 3 : 1;
        bool wide = columns > rows;
        int64_t n = wide ? rows : columns, m = wide ? columns : rows;
        for (int64_t a = 0; a < n; a++)
            for (int64_t b = 0; b < n; b++) {
                double dot = 0;
                for (int64_t k = 0; k < m; k++)
                    dot += (double)data[wide ? a * columns + k : k * columns + a] *
                           (double)data[wide ? b * columns + k : k * columns + b];
                assert_near(dot, a == b ? gain * gain : 0, 1e-5);
            }
    }
}

static void identity(void **state)
{
    (void)state;
    draw("identity", 2, 0, 3, 4, 0);
    for (int i = 0; i < 12; i++) assert_true(data[i] == (i / 4 == i % 4 ? 2.0f : 0.0f));
    draw("identity", 0, 0, 2, 2, 0);
    assert_true(data[0] == 1 && data[1] == 0 && data[3] == 1);
}

static void reproducible(void **state)
{
    (void)state;
    static const char *const names[] = {"random_normal",  "random_uniform", "truncated_normal",
                                        "glorot_uniform", "he_normal",      "orthogonal"};
    static float first[600];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        dh__segment s = draw(names[i], 0, 0, 20, 30, 4);
        memcpy(first, data, sizeof first);
        draw(names[i], 0, 0, 20, 30, 4);
        assert_memory_equal(first, data, sizeof first);
        draw(names[i], 0, 0, 20, 30, 5);
        assert_memory_not_equal(first, data, sizeof first);
        s.name = "layer/other"; /* parameters of one seed differ by their names */
        assert_ok(s.init(&s, data, 4));
        assert_memory_not_equal(first, data, sizeof first);
    }
}

static void errors(void **state)
{
    (void)state;
    dh__segment s = {.name = "w", .ndim = 1, .shape = {3}, .count = 3};
    assert_error(
        dh__initializer_find(&s, &(dh_initializer){"glorot_unifrom", 0, 0}, "zeros", "d/weight"),
        DH_ENAME, "d/weight", "glorot_unifrom", "\"glorot_uniform\"");
    assert_error(
        dh__initializer_find(&s, &(dh_initializer){"constant", NAN, 0}, "zeros", "d/weight"),
        DH_EINVAL, "d/weight", "nan");
    assert_ok(dh__initializer_find(&s, &(dh_initializer){0}, "ones", "d/weight"));
    assert_ok(s.init(&s, data, 1));
    assert_true(data[0] == 1 && data[2] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(moments), cmocka_unit_test(orthogonal),
                                       cmocka_unit_test(identity), cmocka_unit_test(reproducible),
                                       cmocka_unit_test(errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
