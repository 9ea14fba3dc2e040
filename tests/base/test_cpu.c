/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <deephealth/version.h>

#include "base_impl.h"

#include <sched.h>
#include <sys/wait.h>

static void facts_are_sane(void **state)
{
    (void)state;
    const dh__cpu_cache *caches = dh__cpu_caches();
    assert_true(caches->l1d >= 8192 && caches->l1d <= caches->l2);
    assert_true(caches->l2 <= (size_t)64 << 20 && caches->l3 >= (size_t)512 << 10);
    assert_true(strlen(dh__cpu_model()) > 0 && strlen(dh__cpu_model()) < 64);
    assert_true(dh__cpu_count() >= 1);
    assert_true(dh__cpu_quota() == 0 || dh__cpu_quota() >= dh__cpu_count());
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        assert_true(dh__cpu_count() <= CPU_COUNT(&set));
}

static void isa_names(void **state)
{
    (void)state;
    assert_string_equal(dh__isa_name(DH_ISA_PORTABLE), "portable");
    assert_string_equal(dh__isa_name(DH_ISA_AVX2), "avx2");
    assert_string_equal(dh__isa_name(DH_ISA_AVX512), "avx512");
    assert_string_equal(dh__isa_name((dh__isa)9), "unknown");
    assert_string_equal(dh_isa(), dh__isa_name(dh__cpu_isa()));
#if defined(__x86_64__)
    /* where the compiler's own detection knows, it must agree */
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (dh__cpu_isa() >= DH_ISA_AVX2) assert_true(avx2);
    if (dh__cpu_isa() >= DH_ISA_AVX512) assert_true(__builtin_cpu_supports("avx512vl"));
#else
    assert_int_equal(dh__cpu_isa(), DH_ISA_PORTABLE);
#endif
}

static void clock_goes_forward(void **state)
{
    (void)state;
    double before = dh__now(), after = before;
    for (int i = 0; i < 1000; i++) {
        after = dh__now();
        assert_true(after >= before);
    }
    (void)usleep(2000);
    assert_true(dh__now() - before >= 0.002);
}

static int warnings;

static void count_warnings(dh_log_level level, const char *text, void *payload)
{
    (void)payload;
    if (level == DH_LOG_WARNING && strstr(text, "DEEPHEALTH_ISA")) warnings++;
}

/* In a child: 10 * isa + warnings, asked twice. */
static int child_main(void)
{
    dh_set_log(count_warnings, NULL);
    dh__isa isa = dh__cpu_isa();
    if (dh__cpu_isa() != isa) return 99;
    return 10 * (int)isa + warnings;
}

static const char *self_path;

static int ask_child(const char *isa, bool one_core)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        if (one_core && sched_getaffinity(0, sizeof set, &set) == 0) {
            int core = 0;
            while (core < CPU_SETSIZE - 1 && !CPU_ISSET((size_t)core, &set)) core++;
            CPU_ZERO(&set);
            CPU_SET((size_t)core, &set);
            (void)sched_setaffinity(0, sizeof set, &set);
        }
        (void)setenv("DEEPHEALTH_ISA", isa, 1);
        (void)execl(self_path, self_path, one_core ? "count" : "isa", (char *)NULL);
        _exit(98);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void environment_lowers_the_isa(void **state)
{
    (void)state;
    int best = (int)dh__cpu_isa();
    assert_int_equal(ask_child("", false), 10 * best);
    assert_int_equal(ask_child("portable", false), 0);
    assert_int_equal(ask_child("AVX2", false), best >= 1 ? 10 : 1);
    assert_int_equal(ask_child("avx512", false), best >= 2 ? 20 : 10 * best + 1);
    assert_int_equal(ask_child("sse9", false), 10 * best + 1);
}

static void affinity_is_honoured(void **state)
{
    (void)state;
    assert_int_equal(ask_child("", true), 1);
}

int main(int argc, char **argv)
{
    if (argc > 1) return strcmp(argv[1], "count") == 0 ? dh__cpu_count() : child_main();
    self_path = argv[0];
    (void)unsetenv("DEEPHEALTH_ISA");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_sane),       cmocka_unit_test(isa_names),
        cmocka_unit_test(clock_goes_forward),   cmocka_unit_test(environment_lowers_the_isa),
        cmocka_unit_test(affinity_is_honoured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
