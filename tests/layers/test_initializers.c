/* SPDX-License-Identifier: MIT */
/* Initial weights: moments, limits, orthogonality, identity, the same bits from the same seed. */
#include "model_test.h"
#include "net.h"

#define ROWS  200
#define COLS  300
#define COUNT (ROWS * COLS)

static float data[COUNT];

static dh__segment segment(int64_t rows, int64_t columns)
{
    return (dh__segment){.name = "layer/weight",
                         .ndim = 2,
                         .shape = {rows, columns},
                         .count = rows * columns,
                         .fan_in = rows,
                         .fan_out = columns};
}

static dh__segment draw(const char *name, double a, double b, int64_t rows, int64_t columns,
                        uint64_t seed)
{
    dh__segment s = segment(rows, columns);
    dh_initializer init = {.name = name, .a = a, .b = b};
    assert_ok(dh__initializer_find(&s, &init, "zeros", "layer/weight"));
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
        {"glorot_normal", 0, 0, 0, 0.063245553, -0.14380119, 0.14380119},
        {"he_uniform", 0, 0, 0, 0.1, -0.17320509, 0.17320509},
        {"he_normal", 0, 0, 0, 0.1, -0.22736945, 0.22736945},
        {"lecun_uniform", 0, 0, 0, 0.070710678, -0.12247449, 0.12247449},
        {"lecun_normal", 0, 0, 0, 0.070710678, -0.16077448, 0.16077448},
        {"variance_scaling", 0, 0, 0, 0.070710678, -0.16077448, 0.16077448},
        {"variance_scaling", 4, 0, 0, 0.14142136, -0.32154896, 0.32154896},
        {"random_normal", 0.5, 0, 0.5, 0.05, 0.1, 0.9},
        {"random_normal", 0.5, DH_ZERO, 0.5, 0, 0.5, 0.5},
        {"truncated_normal", 0.5, 0, 0.5, 0.05 * 0.87962566, 0.4, 0.6},
        {"random_uniform", -1, 0, -0.5, 1 / 3.4641016, -1, 0},
        {"random_uniform", 0, 2, 1, 2 / 3.4641016, 0, 2},
        {"identity", DH_ZERO, 0, 0, 0, 0, 0},
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

/* The three fans and distributions: 200 in, 300 out, 250 between. */
static void variance_scaling(void **state)
{
    (void)state;
    static const char *const modes[] = {"fan_in", "fan_out", "fan_avg"};
    static const char *const kinds[] = {"truncated_normal", "untruncated_normal", "uniform"};
    static const double fans[] = {ROWS, COLS, (ROWS + COLS) / 2.0};
    for (int m = 0; m < 3; m++)
        for (int k = 0; k < 3; k++) {
            dh__segment s = segment(ROWS, COLS);
            dh_initializer init = {
                .name = "variance_scaling", .a = 3, .mode = modes[m], .distribution = kinds[k]};
            assert_ok(dh__initializer_find(&s, &init, "zeros", "layer/weight"));
            assert_ok(s.init(&s, data, 1));
            double d = sqrt(3 / fans[m]), square = 0, most = 0;
            for (int i = 0; i < COUNT; i++) {
                square += (double)data[i] * (double)data[i] / COUNT;
                most = fmax(most, fabs((double)data[i]));
            }
            if (!(fabs(sqrt(square) - d) <= 5 * d / sqrt(COUNT)))
                fail_msg("%s, %s: deviation %g, not %g", modes[m], kinds[k], sqrt(square), d);
            double limit = k == 0 ? 2 * d / 0.87962566 : k == 2 ? sqrt(3) * d : 6 * d;
            assert_true(most <= limit * 1.000001 && most > (k == 1 ? 3 * d : 0.99 * limit));
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

static dh_status find(dh_initializer init)
{
    dh__segment s = segment(2, 3);
    return dh__initializer_find(&s, &init, "zeros", "d/weight");
}
#define FIND(...) find((dh_initializer){__VA_ARGS__})

static void errors(void **state)
{
    (void)state;
    assert_error(FIND(.name = "glorot_unifrom"), DH_ENAME, "d/weight", "glorot_unifrom",
                 "\"glorot_uniform\"");
    assert_error(FIND(.name = "constant", .a = NAN), DH_EINVAL, "d/weight", "nan");
    assert_error(FIND(.name = "variance_scaling", .a = -1), DH_EINVAL,
                 "parameter \"d/weight\": variance_scaling by -1, must be greater than 0");
    assert_error(FIND(.name = "variance_scaling", .a = DH_ZERO), DH_EINVAL, "by 0,");
    assert_error(FIND(.name = "variance_scaling", .mode = "fan_ave"), DH_ENAME,
                 "parameter \"d/weight\": no mode \"fan_ave\"", "fan_avg");
    assert_error(FIND(.name = "variance_scaling", .distribution = "unifrom"), DH_ENAME,
                 "no distribution \"unifrom\"", "uniform");
    assert_error(FIND(.name = "he_normal", .a = 2), DH_EINVAL,
                 "a is 2, initializer \"he_normal\" has none");
    assert_error(FIND(.name = "zeros", .mode = "fan_in"), DH_EINVAL,
                 "mode \"fan_in\" is of variance_scaling, initializer \"zeros\" has none");
    dh__segment s = segment(1, 3);
    assert_ok(dh__initializer_find(&s, &(dh_initializer){0}, "ones", "d/weight"));
    assert_ok(s.init(&s, data, 1));
    assert_true(data[0] == 1 && data[2] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),      cmocka_unit_test(variance_scaling),
        cmocka_unit_test(orthogonal),   cmocka_unit_test(identity),
        cmocka_unit_test(reproducible), cmocka_unit_test(errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
