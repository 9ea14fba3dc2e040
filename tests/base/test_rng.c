/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "rng.h"

#include <math.h>

/* Philox4x32-10 as the paper has it: ten rounds, the key bumped between them. */
static void philox(uint64_t seed, uint64_t stream, uint64_t block, uint32_t x[4])
{
    uint64_t key[2] = {seed & UINT32_MAX, seed >> 32};
    x[0] = (uint32_t)block;
    x[1] = (uint32_t)(block >> 32);
    x[2] = (uint32_t)stream;
    x[3] = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t even = UINT64_C(0xD2511F53) * x[0], odd = UINT64_C(0xCD9E8D57) * x[2];
        x[0] = (uint32_t)(odd >> 32 ^ x[1] ^ key[0]);
        x[1] = (uint32_t)odd;
        x[2] = (uint32_t)(even >> 32 ^ x[3] ^ key[1]);
        x[3] = (uint32_t)even;
        key[0] = (key[0] + 0x9E3779B9) & UINT32_MAX;
        key[1] = (key[1] + 0xBB67AE85) & UINT32_MAX;
    }
}

static uint32_t word(uint64_t seed, uint64_t stream, uint64_t position)
{
    uint32_t words[4];
    philox(seed, stream, position / 4, words);
    return words[position % 4];
}

/* The published vectors of Philox4x32-10: all zeros, all ones, digits of pi. */
static void known_answers(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, stream, block;
        uint32_t want[4];
    } cases[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {UINT64_C(0x299f31d0a4093822),
         UINT64_C(0x0370734413198a2e),
         UINT64_C(0x85a308d3243f6a88),
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < DH_COUNT(cases); i++) {
        uint32_t out[4];
        philox(cases[i].seed, cases[i].stream, cases[i].block, out);
        assert_memory_equal(out, cases[i].want, sizeof out);
    }
    uint32_t out[4];
    dh__random_words(0, 0, 0, out, 4);
    assert_memory_equal(out, cases[0].want, sizeof out);
}

static void words_do_not_depend_on_the_cut(void **state)
{
    (void)state;
    uint32_t all[300], part[300];
    static const uint64_t starts[] = {
        0, 1, 2, 3, 5, 1000003, ((uint64_t)1 << 34) - 7, UINT64_MAX - 299};
    for (size_t s = 0; s < DH_COUNT(starts); s++) {
        dh__random_words(9, 4, starts[s], all, 300);
        for (int i = 0; i < 300; i++) assert_int_equal(all[i], word(9, 4, starts[s] + (uint64_t)i));
        for (int cut = 0; cut <= 300; cut += 37) {
            memset(part, 0, sizeof part);
            dh__random_words(9, 4, starts[s], part, cut);
            dh__random_words(9, 4, starts[s] + (uint64_t)cut, part + cut, 300 - cut);
            assert_memory_equal(all, part, sizeof all);
        }
    }
    uint32_t sentinel = 77;
    dh__random_words(1, 1, 0, &sentinel, 0);
    dh__random_words(1, 1, 0, &sentinel, -3);
    dh__random_words(1, 1, 0, NULL, 3);
    assert_int_equal(sentinel, 77);
    assert_true(word(9, 5, 0) != word(9, 4, 0));
    assert_true(word(8, 4, 0) != word(9, 4, 0));
}

enum { COUNT = 200000, BINS = 100 };
static float uniform[COUNT];
static double normal[COUNT];

/* 99 degrees of freedom: mean 99, deviation 14.07; five deviations are allowed. */
static void check_chi_square(const int bins[BINS], double expected)
{
    double chi = 0;
    for (int i = 0; i < BINS; i++) {
        double d = bins[i] - expected;
        chi += d * d / expected;
    }
    assert_true(chi > 99 - 5 * 14.07 && chi < 99 + 5 * 14.07);
}

static void uniform_is_uniform(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        int bins[BINS] = {0};
        double sum = 0, squares = 0, lag = 0;
        dh__random_uniform(seed, 2, 5, uniform, COUNT);
        for (int i = 0; i < COUNT; i++) {
            double u = (double)uniform[i];
            assert_true(u >= 0 && u < 1);
            assert_true(u == (double)(word(seed, 2, 5 + (uint64_t)i) >> 8) * 0x1p-24);
            bins[(int)(u * BINS)]++;
            sum += u;
            squares += (u - 0.5) * (u - 0.5);
            if (i) lag += (u - 0.5) * ((double)uniform[i - 1] - 0.5);
        }
        double root = sqrt((double)COUNT);
        assert_true(fabs(sum / COUNT - 0.5) < 5 * sqrt(1.0 / 12) / root);
        assert_true(fabs(squares / COUNT - 1.0 / 12) < 5 * sqrt(1.0 / 180) / root);
        assert_true(fabs(lag / COUNT) < 5 * (1.0 / 12) / root);
        check_chi_square(bins, (double)COUNT / BINS);
    }
}

static void normal_is_normal(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        int bins[BINS] = {0};
        double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
        dh__random_normal(seed, 7, 0, normal, COUNT);
        for (int i = 0; i < COUNT; i++) {
            double z = normal[i];
            int bin = (int)(0.5 * erfc(-z / sqrt(2.0)) * BINS); /* its probability is uniform */
            bins[bin < BINS ? bin : BINS - 1]++;
            m1 += z;
            m2 += z * z;
            m3 += z * z * z;
            m4 += z * z * z * z;
        }
        double root = sqrt((double)COUNT);
        assert_true(fabs(m1 / COUNT) < 5 / root);
        assert_true(fabs(m2 / COUNT - 1) < 5 * sqrt(2.0) / root);
        assert_true(fabs(m3 / COUNT) < 5 * sqrt(15.0) / root);
        assert_true(fabs(m4 / COUNT - 3) < 5 * sqrt(96.0) / root);
        check_chi_square(bins, (double)COUNT / BINS);
    }
}

static void normal_follows_its_formula(void **state)
{
    (void)state;
    double z[40], part[40];
    dh__random_normal(3, 1, 10, z, 39);
    for (int i = 0; i < 39; i++) {
        uint64_t even = 10 + (uint64_t)(i / 2 * 2);
        double u0 = (double)(word(3, 1, even) >> 8) / 16777216.0;
        double u1 = (double)(word(3, 1, even + 1) >> 8) / 16777216.0;
        double r = sqrt(-2 * log(1 - u0)), t = 2 * 3.14159265358979323846 * u1;
        assert_true(fabs(z[i] - (i % 2 ? r * sin(t) : r * cos(t))) <= 1e-14 * (1 + r));
    }
    dh__random_normal(3, 1, 13, part, 36); /* an odd start begins with the pair's second half */
    assert_memory_equal(part, z + 3, 36 * sizeof z[0]);
    dh__random_normal(3, 1, 10, NULL, 5);
    dh__random_uniform(3, 1, 10, NULL, 5);
}

static void permutations_are_fair(void **state)
{
    (void)state;
    int64_t out[1000];
    bool seen[1000] = {false};
    dh__random_permutation(1, 2, out, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_true(out[i] >= 0 && out[i] < 1000 && !seen[out[i]]);
        seen[out[i]] = true;
    }
    int orders[64] = {0}, used = 0;
    for (uint64_t seed = 0; seed < 24000; seed++) {
        dh__random_permutation(seed, 3, out, 4);
        orders[out[0] * 16 + out[1] * 4 + out[2]]++;
    }
    for (int i = 0; i < 64; i++) {
        if (orders[i]) used++;
        assert_true(orders[i] == 0 || abs(orders[i] - 1000) < 5 * 31);
    }
    assert_int_equal(used, 24);
    out[0] = 55;
    dh__random_permutation(1, 1, out, 0);
    dh__random_permutation(1, 1, NULL, 5);
    assert_int_equal(out[0], 55);
    dh__random_permutation(1, 1, out, 1);
    assert_int_equal(out[0], 0);
}

static void streams_are_fnv1a(void **state)
{
    (void)state;
    assert_true(dh__random_stream("") == UINT64_C(0xcbf29ce484222325));
    assert_true(dh__random_stream("a") == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(dh__random_stream("foobar") == UINT64_C(0x85944171f73967e8));
    assert_true(dh__random_stream(NULL) == dh__random_stream(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(words_do_not_depend_on_the_cut),
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(normal_is_normal),
        cmocka_unit_test(normal_follows_its_formula),
        cmocka_unit_test(permutations_are_fair),
        cmocka_unit_test(streams_are_fnv1a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
