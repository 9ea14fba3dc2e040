/* SPDX-License-Identifier: MIT */
/* Devices "fake:0" and "fake:1" for tests: the CPU's kernels on memory of their own, whose
 * addresses the host cannot follow. They count, lack an op when told so, and fail. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <string.h>
#include <sys/mman.h>

#include "tensor_impl.h"

#define FAKE_DEVICES 2
#define FAKE_BLOCKS  512

typedef struct fake_block {
    char *address; /* what the device gave: no page of it can be touched */
    char *memory;
    size_t size;
} fake_block;

static struct fake {
    int lacks[8];    /* ops, ended by 0 where fewer: DH_OP_NEG, which is 0, is always there */
    int64_t fail_at; /* counted down by each call; at 0 the call fails. Negative: none does */
    bool lost;       /* after a failure every call fails */
    size_t memory;   /* that allocations may take together; 0: any */
    int64_t launches, bytes_in, bytes_out;
    fake_block blocks[FAKE_BLOCKS];
    size_t used;
} fake = {.fail_at = -1};

static inline bool fake_fails(void)
{
    if (fake.fail_at == 0) return fake.lost || (fake.fail_at--, true);
    if (fake.fail_at > 0 && --fake.fail_at == 0) {
        if (!fake.lost) fake.fail_at = -1;
        return true;
    }
    return false;
}

static inline dh_status fake_failure(const dh_device *device, const char *what)
{
    return dh_fail(DH_EDEVICE, "%s: %s failed, as the test wants it", device->name, what);
}

/* Where an address of the device really is; NULL for one that it never gave. */
static inline void *fake_memory(const void *address)
{
    const char *a = address;
    for (int i = 0; i < FAKE_BLOCKS; i++) {
        const fake_block *b = &fake.blocks[i];
        if (b->address && a >= b->address && a <= b->address + b->size)
            return b->memory + (a - b->address);
    }
    return NULL;
}

static inline dh_status fake_alloc(dh_device *device, void **out, size_t size)
{
    int i = 0;
    if (fake_fails()) return fake_failure(device, "an allocation");
    while (i < FAKE_BLOCKS && fake.blocks[i].address) i++;
    bool fits = !fake.memory || (fake.used <= fake.memory && size <= fake.memory - fake.used);
    if (i == FAKE_BLOCKS || !fits)
        return dh_fail(DH_ENOMEM, "%s: %zu bytes asked, %zu are free", device->name, size,
                       fake.memory - fake.used);
    fake_block *b = &fake.blocks[i];
    char *memory = dh__alloc(size);
    if (!memory) return DH_ENOMEM;
    memset(memory, 0x5a, size);
    void *address = mmap(NULL, size + 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) {
        dh__free(memory);
        return dh_fail(DH_ENOMEM, "%s: no addresses", device->name);
    }
    *b = (fake_block){address, memory, size};
    fake.used += size;
    *out = address;
    return DH_OK;
}

static inline void fake_free(dh_device *device, void *block)
{
    DH_UNUSED(device);
    for (int i = 0; i < FAKE_BLOCKS; i++) {
        fake_block *b = &fake.blocks[i];
        if (!block || b->address != (char *)block) continue;
        (void)munmap(b->address, b->size + 1);
        dh__free(b->memory);
        fake.used -= b->size;
        memset(b, 0, sizeof *b);
    }
}

static inline dh_status fake_copy_in(dh_device *device, void *dst, const void *host, size_t size)
{
    if (fake_fails()) return fake_failure(device, "a copy in");
    fake.bytes_in += (int64_t)size;
    if (size) memcpy(fake_memory(dst), host, size);
    return DH_OK;
}

static inline dh_status fake_copy_out(dh_device *device, void *host, const void *src, size_t size)
{
    if (fake_fails()) return fake_failure(device, "a copy out");
    fake.bytes_out += (int64_t)size;
    if (size) memcpy(host, fake_memory(src), size);
    return DH_OK;
}

static inline dh_status fake_copy(dh_device *device, void *dst, const void *src, size_t size)
{
    if (fake_fails()) return fake_failure(device, "a copy");
    if (size) memcpy(fake_memory(dst), fake_memory(src), size);
    return DH_OK;
}

static inline dh_status fake_zero(dh_device *device, void *dst, size_t size)
{
    if (fake_fails()) return fake_failure(device, "a fill");
    if (size) memset(fake_memory(dst), 0, size);
    return DH_OK;
}

static inline dh_status fake_wait(dh_device *device)
{
    return fake_fails() ? fake_failure(device, "the wait") : DH_OK;
}

/* --- ops: the last of the CPU's implementations, which takes everything --- */

static inline const dh_impl *fake_kernel(const dh_call *call)
{
    const dh_impl *const *list = dh__cpu()->impls(dh__cpu(), dh__op_find(call->op->name));
    while (list[1]) list++;
    return *list;
}

static inline const char *fake_refuse(const dh_call *call)
{
    const dh_impl *kernel = fake_kernel(call);
    return kernel->refuse ? kernel->refuse(call) : NULL;
}

static inline size_t fake_scratch(const dh_call *call)
{
    const dh_impl *kernel = fake_kernel(call);
    return kernel->scratch ? kernel->scratch(call) : 0;
}

static inline dh_status fake_run(const dh_call *call)
{
    dh_call here = *call;
    dh_view views[64], *v = views;
    if (fake_fails()) return fake_failure(call->device, "a launch");
    fake.launches++;
    if (call->in_count + call->out_count > 64) return fake_failure(call->device, "a large call");
    here.device = dh__cpu();
    here.in = v;
    for (int i = 0; i < call->in_count; i++, v++) {
        *v = call->in[i];
        v->data = fake_memory(v->data);
    }
    here.out = v;
    for (int i = 0; i < call->out_count; i++, v++) {
        *v = call->out[i];
        v->data = fake_memory(v->data);
    }
    here.scratch = fake_memory(call->scratch);
    return fake_kernel(call)->run(&here);
}

static const dh_impl fake_impl = {
    .name = "fake", .refuse = fake_refuse, .scratch = fake_scratch, .run = fake_run};

static inline bool fake_is_lacking(int op)
{
    for (size_t i = 0; i < DH_COUNT(fake.lacks); i++)
        if (op && fake.lacks[i] == op) return true;
    return false;
}

static inline const dh_impl *const *fake_impls(const dh_device *device, int op)
{
    static const dh_impl *const list[] = {&fake_impl, NULL};
    DH_UNUSED(device);
    return fake_is_lacking(op) ? NULL : list;
}

/* --- the driver --- */

static inline dh_status fake_count(int *out)
{
    *out = FAKE_DEVICES;
    return DH_OK;
}

static inline dh_status fake_describe(dh_device_info *out, int index)
{
    dh__format(out->name, sizeof out->name, "fake:%d", index);
    out->hardware = "none";
    out->software = "a test";
    out->memory = fake.memory;
    out->memory_free = fake.memory ? fake.memory - fake.used : 0;
    out->units = 1;
    return DH_OK;
}

static inline const char *fake_lacks(int op)
{
    return fake_is_lacking(op) ? "the test wants it so" : NULL;
}

static inline dh_status fake_open(dh_device **out, int index);

static const dh_driver fake_driver = {.name = "fake",
                                      .count = fake_count,
                                      .describe = fake_describe,
                                      .open = fake_open,
                                      .lacks = fake_lacks};

static inline dh_status fake_open(dh_device **out, int index)
{
    static dh_device devices[FAKE_DEVICES];
    static const char *const names[FAKE_DEVICES] = {"fake:0", "fake:1"};
    devices[index] = (dh_device){.name = names[index],
                                 .driver = &fake_driver,
                                 .alloc = fake_alloc,
                                 .free = fake_free,
                                 .copy_in = fake_copy_in,
                                 .copy_out = fake_copy_out,
                                 .copy = fake_copy,
                                 .zero = fake_zero,
                                 .wait = fake_wait,
                                 .impls = fake_impls};
    *out = &devices[index];
    return DH_OK;
}

#endif
