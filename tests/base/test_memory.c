/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <pthread.h>
#include <stdatomic.h>

static void blocks_are_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4095, (size_t)4 << 20, ((size_t)5 << 20) + 3};
    uint64_t before = live_blocks();
    for (size_t i = 0; i < DH_COUNT(sizes); i++) {
        uint8_t *block = dh__alloc(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        if (sizes[i] >= (size_t)4 << 20) assert_int_equal((uintptr_t)block % 4096, 0);
        memset(block, 1, sizes[i]);
        assert_int_equal(live_blocks(), before + 1);
        dh__free(block);
    }
    dh__free(NULL);
    assert_int_equal(live_blocks(), before);
}

static void calloc_zeroes_and_grow_keeps(void **state)
{
    (void)state;
    uint8_t *block = dh__calloc(100, 7);
    assert_non_null(block);
    for (int i = 0; i < 700; i++) assert_int_equal(block[i], 0);
    memset(block, 7, 700);
    dh_alloc_fail_at(1);
    assert_null(dh__grow(block, 700, 1000));
    assert_int_equal(block[699], 7);
    block = dh__grow(block, 700, 1000);
    assert_non_null(block);
    for (int i = 0; i < 700; i++) assert_int_equal(block[i], 7);
    block = dh__grow(block, 1000, 3);
    assert_non_null(block);
    assert_int_equal(block[2], 7);
    dh__free(block);
    block = dh__grow(NULL, 0, 16);
    assert_non_null(block);
    dh__free(block);
    char *copy = dh__strdup("text");
    assert_string_equal(copy, "text");
    dh__free(copy);
    assert_null(dh__strdup(NULL));
}

static void impossible_sizes_fail(void **state)
{
    (void)state;
    assert_null(dh__alloc(SIZE_MAX));
    assert_int_equal(dh_error_status(), DH_ENOMEM);
    assert_non_null(strstr(dh_error_text(), "18446744073709551615 bytes"));
    assert_null(dh__calloc(SIZE_MAX / 2, 3));
    assert_int_equal(dh_error_status(), DH_ENOMEM);
    assert_null(dh__grow(NULL, 0, SIZE_MAX - 5));
}

static void products_are_checked(void **state)
{
    (void)state;
    size_t size;
    int64_t number;
    assert_true(dh__mul_size(1u << 31, 1u << 31, &size));
    assert_true(size == (size_t)1 << 62);
    assert_false(dh__mul_size(SIZE_MAX, 2, &size));
    assert_true(dh__mul_int64(INT64_MIN, 1, &number));
    assert_false(dh__mul_int64(INT64_MIN, -1, &number));
    assert_false(dh__mul_int64(INT64_C(1) << 32, INT64_C(1) << 32, &number));
}

static void nth_call_fails_once(void **state)
{
    (void)state;
    dh_memory_stats before, after;
    dh_get_memory_stats(&before);
    dh_alloc_fail_at(3);
    for (int i = 1; i <= 6; i++) {
        void *block = dh__alloc(12345);
        if (i == 3) {
            assert_null(block);
            assert_int_equal(dh_error_status(), DH_ENOMEM);
            assert_non_null(strstr(dh_error_text(), "12345 bytes"));
        } else {
            assert_non_null(block);
        }
        dh__free(block);
    }
    dh_alloc_fail_at(1);
    dh_alloc_fail_at(0);
    dh__free(dh__alloc(1));
    dh_get_memory_stats(&after);
    assert_int_equal(after.alloc_calls - before.alloc_calls, 7);
    assert_int_equal(after.failed_calls - before.failed_calls, 1);
    assert_int_equal(after.live_blocks, before.live_blocks);
    dh_get_memory_stats(NULL);
}

static int custom_calls, custom_frees;

static void *custom_alloc(size_t size, size_t alignment, void *payload)
{
    void *block = NULL;
    custom_calls++;
    assert_ptr_equal(payload, &custom_calls);
    return posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

static void custom_free(void *block, void *payload)
{
    assert_non_null(block);
    assert_ptr_equal(payload, &custom_calls);
    custom_frees++;
    free(block);
}

static _Alignas(64) uint8_t static_block[128];

static void *crooked_alloc(size_t size, size_t alignment, void *payload)
{
    (void)size, (void)alignment, (void)payload;
    return static_block + 8;
}

static void crooked_free(void *block, void *payload)
{
    (void)payload;
    assert_ptr_equal(block, static_block + 8);
}

static void allocator_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(live_blocks(), 0);
    dh_allocator custom = {custom_alloc, custom_free, &custom_calls};
    assert_int_equal(dh_set_allocator(&custom), DH_OK);
    void *block = dh__alloc(10);
    assert_int_equal(custom_calls, 1);
    CHECK_FAILS(dh_set_allocator(NULL), DH_ESTATE, "1 blocks are alive");
    dh__free(block);
    assert_int_equal(custom_frees, 1);
    custom.free = NULL;
    CHECK_FAILS(dh_set_allocator(&custom), DH_EINVAL, "free is NULL");
    dh_allocator crooked = {crooked_alloc, crooked_free, NULL};
    assert_int_equal(dh_set_allocator(&crooked), DH_OK);
    assert_null(dh__alloc(10));
    assert_non_null(strstr(dh_error_text(), "alignment"));
    assert_int_equal(live_blocks(), 0);
    assert_int_equal(dh_set_allocator(NULL), DH_OK);
    dh__free(dh__alloc(10));
    assert_int_equal(custom_calls, 1);
}

static atomic_int refused;

static void *churn(void *payload)
{
    for (int i = 0; i < 2000; i++) {
        void *block = dh__alloc((size_t)i);
        if (!block) atomic_fetch_add(&refused, 1);
        dh__free(block);
    }
    return payload;
}

static void counters_hold_over_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    dh_memory_stats before, after;
    dh_get_memory_stats(&before);
    dh_alloc_fail_at(4000);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    dh_get_memory_stats(&after);
    assert_int_equal(atomic_load(&refused), 1);
    assert_int_equal(after.alloc_calls - before.alloc_calls, 8000);
    assert_int_equal(after.live_blocks, before.live_blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned),
        cmocka_unit_test(calloc_zeroes_and_grow_keeps),
        cmocka_unit_test(impossible_sizes_fail),
        cmocka_unit_test(products_are_checked),
        cmocka_unit_test(nth_call_fails_once),
        cmocka_unit_test(allocator_is_replaced),
        cmocka_unit_test(counters_hold_over_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
