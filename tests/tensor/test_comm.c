/* SPDX-License-Identifier: MIT */
/* Sums and means of parts that lie on the host and on devices. */
#include <deephealth.h>
#include <deephealth/sys/comm.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_device.h"

#define COUNT (600 * 1024 + 7) /* three pieces */

static float value(int part, int64_t k)
{
    return (float)((k * 31 + part * 7) % 1000) / 8 - 50 + (float)part;
}

static dh_comm_part part_on(const char *device, int part, double weight)
{
    dh_comm_part p = {.weight = weight};
    void *data;
    float *host = malloc(COUNT * sizeof *host);
    assert_non_null(host);
    for (int64_t k = 0; k < COUNT; k++) host[k] = value(part, k);
    assert_int_equal(dh_device_get(&p.device, device), DH_OK);
    assert_int_equal(p.device->alloc(p.device, &data, COUNT * sizeof *host), DH_OK);
    assert_int_equal(p.device->copy_in(p.device, data, host, COUNT * sizeof *host), DH_OK);
    free(host);
    p.data = data;
    return p;
}

static void combine(bool mean, int count, const char *const *devices, const double *weights)
{
    dh_comm_part parts[4];
    dh_comm *comm = dh_comm_host();
    float *got = malloc(COUNT * sizeof *got);
    assert_non_null(got);
    for (int i = 0; i < count; i++) parts[i] = part_on(devices[i], i, weights[i]);
    assert_int_equal((mean ? comm->mean : comm->sum)(comm, parts, count, COUNT), DH_OK);
    for (int i = 0; i < count; i++) {
        dh_device *d = parts[i].device;
        assert_int_equal(d->copy_out(d, got, parts[i].data, COUNT * sizeof *got), DH_OK);
        for (int64_t k = 0; k < COUNT; k++) {
            double want = 0;
            for (int p = 0; p < count; p++) want += weights[p] * (double)value(p, k);
            if (!(fabs((double)got[k] - want) <= 1e-5 * (1 + fabs(want))))
                fail_msg("part %d, element %lld is %g, want %g", i, (long long)k, (double)got[k],
                         want);
        }
        d->free(d, parts[i].data);
    }
    free(got);
}

static void sums_and_means(void **state)
{
    (void)state;
    const char *const mixed[] = {"cpu", "fake:0", "fake:1", "cpu"};
    const char *const apart[] = {"fake:1", "cpu", "fake:0"};
    combine(false, 4, mixed, (const double[]){1, 1, 1, 1});
    combine(false, 3, apart, (const double[]){2, -1, 0.5});
    combine(false, 1, apart, (const double[]){3});
    combine(true, 4, mixed, (const double[]){0.5, 0.25, 0.25, 0});
    combine(true, 3, apart, (const double[]){0, 0.125, 0.875});
    assert_int_equal(fake.used, 0);
}

/* Whatever the weights are: 0.1 + 0.2 + 0.7 is not 1 in floating point. */
static void equal_parts_stay(void **state)
{
    (void)state;
    float a[100], b[100], c[100], was[100];
    for (int k = 0; k < 100; k++) was[k] = a[k] = b[k] = c[k] = 1 / (float)(k + 3);
    dh_device *cpu;
    assert_int_equal(dh_device_get(&cpu, NULL), DH_OK);
    const dh_comm_part parts[] = {{cpu, a, 0.1}, {cpu, b, 0.2}, {cpu, c, 0.7}};
    dh_comm *comm = dh_comm_host();
    assert_int_equal(comm->mean(comm, parts, 3, 100), DH_OK);
    assert_memory_equal(a, was, sizeof a);
    assert_memory_equal(c, was, sizeof a);
    assert_int_equal(comm->sum(comm, parts, 3, 0), DH_OK);
    assert_memory_equal(a, was, sizeof a);
    assert_string_equal(comm->name, "host");
    assert_int_equal(comm->size, 1);
}

static void failures_are_told(void **state)
{
    (void)state;
    dh_comm *comm = dh_comm_host();
    dh_comm_part parts[] = {part_on("fake:0", 0, 1), part_on("fake:1", 1, 1)};
    for (int64_t n = 1; n <= 12; n++) { /* out and in, of two parts, in three pieces */
        fake.fail_at = n;
        assert_int_equal(comm->sum(comm, parts, 2, COUNT), DH_EDEVICE);
    }
    fake.fail_at = -1;
    assert_int_equal(comm->sum(comm, parts, 2, COUNT), DH_OK);
    for (int i = 0; i < 2; i++) parts[i].device->free(parts[i].device, parts[i].data);
    assert_int_equal(fake.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_means),
        cmocka_unit_test(equal_parts_stay),
        cmocka_unit_test(failures_are_told),
    };
    if (dh_driver_add(&fake_driver)) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
