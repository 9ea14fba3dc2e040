/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <deephealth/version.h>
#include <errno.h>
#include <pthread.h>

static void names_and_version(void **state)
{
    (void)state;
    static const dh_status all[] = {
        DH_OK,        DH_EINVAL,   DH_ESHAPE,     DH_EDTYPE,    DH_ENAME,    DH_ENOMEM,
        DH_EOVERFLOW, DH_EIO,      DH_EFORMAT,    DH_ENOTFOUND, DH_EDEVICE,  DH_EUNSUPPORTED,
        DH_EMISSING,  DH_ENUMERIC, DH_ECANCELLED, DH_ESTATE,    DH_EINTERNAL};
    for (size_t i = 0; i < DH_COUNT(all); i++) {
        assert_int_equal(strncmp(dh_status_name(all[i]), "DH_", 3), 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(dh_status_name(all[i]), dh_status_name(all[j]));
    }
    assert_string_equal(dh_status_name(DH_ESHAPE), "DH_ESHAPE");
    assert_string_equal(dh_status_name((dh_status)-7), "unknown status");
    char version[32];
    (void)snprintf(version, sizeof version, "%d.%d.%d", DH_VERSION_MAJOR, DH_VERSION_MINOR,
                   DH_VERSION_PATCH);
    assert_string_equal(dh_version(), version);
}

static void records_and_clears(void **state)
{
    (void)state;
    dh_error_clear();
    assert_int_equal(dh_error_status(), DH_OK);
    assert_string_equal(dh_error_text(), "");
    errno = EDOM;
    assert_int_equal(dh_fail(DH_ESHAPE, "dense \"%s\": %d and %d", "a", 3, 4), DH_ESHAPE);
    assert_int_equal(errno, EDOM);
    assert_int_equal(dh_error_status(), DH_ESHAPE);
    assert_string_equal(dh_error_text(), "dense \"a\": 3 and 4");
    /* the old text may be an argument of the new one */
    assert_int_equal(dh_fail(DH_EIO, "again: %s", dh_error_text()), DH_EIO);
    assert_string_equal(dh_error_text(), "again: dense \"a\": 3 and 4");
    assert_int_equal(dh_fail(DH_OK, "no failure"), DH_EINTERNAL);
    assert_int_equal(dh_fail((dh_status)5, "positive"), DH_EINTERNAL);
    assert_int_equal(dh_fail(DH_EIO, "a\nb\x1b[31m\x7f"), DH_EIO);
    assert_string_equal(dh_error_text(), "a b [31m ");
    dh_error_clear();
    assert_string_equal(dh_error_text(), "");
}

static void prefixes_once(void **state)
{
    (void)state;
    dh_error_clear();
    dh_error_prefix("layer \"%s\"", "x");
    assert_string_equal(dh_error_text(), "");
    (void)dh_fail(DH_ESHAPE, "matmul: 3 and 4");
    dh_error_prefix("layer \"%s\"", "x");
    dh_error_prefix("layer \"%s\"", "x");
    assert_string_equal(dh_error_text(), "layer \"x\": matmul: 3 and 4");
    dh_error_prefix("model");
    assert_string_equal(dh_error_text(), "model: layer \"x\": matmul: 3 and 4");
    assert_int_equal(dh_error_status(), DH_ESHAPE);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[5000];
    for (size_t i = 0; i < sizeof text - 1; i += 2) memcpy(text + i, "\xc3\xa9", 2);
    text[4998] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        (void)dh_fail(DH_EIO, "%s%s", shift ? "x" : "", text);
        size_t length = strlen(dh_error_text());
        assert_true(length > 1000 && length < 1024);
        assert_string_equal(dh_error_text() + length - 3, "...");
        /* whole letters of two bytes are left */
        assert_int_equal((length - 3 - (size_t)shift) % 2, 0);
        for (int i = 0; i < 40; i++) dh_error_prefix("%d%s", i, text);
        assert_true(strlen(dh_error_text()) < 1024);
    }
}

static void *other_thread(void *payload)
{
    (void)payload;
    bool clean = dh_error_status() == DH_OK && dh_error_text()[0] == '\0';
    (void)dh_fail(DH_EIO, "of the other thread");
    return clean ? payload : NULL;
}

static void threads_have_their_own(void **state)
{
    (void)state;
    int mark;
    void *result = NULL;
    pthread_t thread;
    (void)dh_fail(DH_EINVAL, "of this thread");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &mark), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &mark);
    assert_string_equal(dh_error_text(), "of this thread");
}

static void allocates_nothing_in_any_locale(void **state)
{
    (void)state;
    dh_memory_stats before, after;
    dh_get_memory_stats(&before);
    (void)dh_fail(DH_EINVAL, "%.3f", 0.5);
    dh_error_prefix("x");
    dh_get_memory_stats(&after);
    assert_int_equal(before.alloc_calls, after.alloc_calls);
    if (!set_comma_locale()) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    (void)dh_fail(DH_EINVAL, "%.3f", 0.5);
    (void)setlocale(LC_ALL, "C");
    assert_string_equal(dh_error_text(), "0.500");
}

static char logged[256];

static void take_log(dh_log_level level, const char *text, void *payload)
{
    (void)payload;
    assert_int_equal(level, DH_LOG_ERROR);
    (void)snprintf(logged, sizeof logged, "%s", text);
}

static void perror_logs(void **state)
{
    (void)state;
    dh_set_log(take_log, NULL);
    (void)dh_fail(DH_EINVAL, "stride is 0");
    assert_int_equal(dh_perror("fit"), 1);
    assert_string_equal(logged, "fit: stride is 0");
    assert_int_equal(dh_perror(NULL), 1);
    assert_string_equal(logged, "stride is 0");
    dh_error_clear();
    assert_int_equal(dh_perror("fit"), 1);
    assert_string_equal(logged, "fit: no error was recorded");
    dh_set_log(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_version),
        cmocka_unit_test(records_and_clears),
        cmocka_unit_test(prefixes_once),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(threads_have_their_own),
        cmocka_unit_test(perror_logs),
        cmocka_unit_test(allocates_nothing_in_any_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
