/* SPDX-License-Identifier: MIT */
/* Memory of an OpenCL device. A buffer has no address, and a tensor has one that views shift: so
 * each buffer gets addresses of this process that are reserved for it and cannot be touched, and a
 * kernel gets the buffer and how far into it an address lies. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "opencl.h"

#define LEAST 64

static dh_status open_locked(dh__cl_device *d)
{
    cl_int error;
    if (d->opened) return DH_OK;
    d->context = d->cl->clCreateContext(NULL, 1, &d->id, NULL, NULL, &error);
    if (error != CL_SUCCESS) return dh__cl_fail(d, "clCreateContext", error);
    d->queue = d->cl->clCreateCommandQueue(d->context, d->id, 0, &error);
    if (error != CL_SUCCESS) {
        (void)d->cl->clReleaseContext(d->context);
        return dh__cl_fail(d, "clCreateCommandQueue", error);
    }
    dh__cl_trouble none = {0};
    d->trouble = d->cl->clCreateBuffer(d->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                       sizeof none, &none, &error);
    if (error != CL_SUCCESS) {
        (void)d->cl->clReleaseCommandQueue(d->queue);
        (void)d->cl->clReleaseContext(d->context);
        return dh__cl_fail(d, "clCreateBuffer", error);
    }
    dh_status status = dh__cl_load_offline(d);
    if (status) {
        (void)d->cl->clReleaseMemObject(d->trouble);
        (void)d->cl->clReleaseCommandQueue(d->queue);
        (void)d->cl->clReleaseContext(d->context);
        return status;
    }
    d->opened = true;
    return DH_OK;
}

dh_status dh__cl_open(dh__cl_device *device)
{
    (void)pthread_mutex_lock(&device->lock);
    dh_status status = open_locked(device);
    (void)pthread_mutex_unlock(&device->lock);
    return status;
}

/* --- blocks --- */

/* Index of the first block whose address is beyond this one. */
static size_t behind(const dh__cl_device *d, const char *address)
{
    size_t low = 0, high = d->block_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->blocks[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const dh__cl_block *block_at(const dh__cl_device *d, const void *address)
{
    size_t i = behind(d, address);
    if (!i) return NULL;
    const dh__cl_block *b = &d->blocks[i - 1];
    return (size_t)((const char *)address - b->address) <= b->size ? b : NULL;
}

dh_status dh__cl_find(cl_mem *out, size_t *offset, dh__cl_device *device, const void *address)
{
    const dh__cl_block *b = block_at(device, address);
    DH_REQUIRE(b, DH_EDEVICE, "%s: %p is no address of its memory", device->name, address);
    *out = b->memory;
    *offset = (size_t)((const char *)address - b->address);
    return DH_OK;
}

static dh_status make_room(dh__cl_device *d)
{
    if (d->block_count < d->block_room) return DH_OK;
    size_t room = d->block_room ? 2 * d->block_room : 16;
    dh__cl_block *grown = dh__grow(d->blocks, d->block_room * sizeof *grown, room * sizeof *grown);
    if (!grown) return DH_ENOMEM;
    d->blocks = grown;
    d->block_room = room;
    return DH_OK;
}

/* What XRT's cl_ext_xilinx.h declares: a bank's number and that it is one. */
typedef struct xilinx_memory {
    unsigned flags;
    void *object, *parameters;
} xilinx_memory;
#define XILINX_EXTENSION (1u << 31) /* of a buffer's flags */
#define XILINX_TOPOLOGY  (1u << 31)

/* On a Xilinx card in the bank that DEEPHEALTH_FPGA_BANK names; where it names none, XRT chooses it
 * by the first kernel that a buffer is given to. */
static cl_mem make_buffer(dh__cl_device *d, size_t size, cl_int *error)
{
    const char *text = getenv("DEEPHEALTH_FPGA_BANK");
    int64_t bank;
    if (!d->xilinx || !text || !dh__parse_int64(text, strlen(text), &bank) || bank < 0 ||
        bank > 255)
        return d->cl->clCreateBuffer(d->context, CL_MEM_READ_WRITE, size, NULL, error);
    xilinx_memory place = {.flags = (unsigned)bank | XILINX_TOPOLOGY};
    return d->cl->clCreateBuffer(d->context, CL_MEM_READ_WRITE | (cl_mem_flags)XILINX_EXTENSION,
                                 size, &place, error);
}

static dh_status add_block(dh__cl_device *d, void **out, size_t size)
{
    cl_int error;
    DH_REQUIRE(size <= d->most && size <= d->memory - d->used, DH_ENOMEM,
               "%s: %zu bytes asked, of %llu there are %llu free, %llu in one piece at most",
               d->name, size, (unsigned long long)d->memory,
               (unsigned long long)(d->memory - d->used), (unsigned long long)d->most);
    DH_TRY(make_room(d));
    void *address = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    DH_REQUIRE(address != MAP_FAILED, DH_ENOMEM, "%s: no addresses for %zu bytes", d->name, size);
    cl_mem memory = make_buffer(d, size, &error);
    if (error != CL_SUCCESS) {
        (void)munmap(address, size);
        return dh__cl_fail(d, "clCreateBuffer", error);
    }
    size_t i = behind(d, address);
    memmove(d->blocks + i + 1, d->blocks + i, (d->block_count - i) * sizeof *d->blocks);
    d->blocks[i] = (dh__cl_block){address, size, memory};
    d->block_count++;
    d->used += size;
    *out = address;
    return DH_OK;
}

static dh_status cl_alloc(dh_device *device, void **out, size_t size)
{
    dh__cl_device *d = device->state;
    if (size < LEAST) size = LEAST;
    (void)pthread_mutex_lock(&d->lock);
    dh_status status = add_block(d, out, size);
    (void)pthread_mutex_unlock(&d->lock);
    return status;
}

/* What is queued and uses it goes on: OpenCL keeps a buffer until then. */
static void cl_free(dh_device *device, void *block)
{
    dh__cl_device *d = device->state;
    if (!block) return;
    (void)pthread_mutex_lock(&d->lock);
    size_t i = behind(d, block);
    if (i && d->blocks[i - 1].address == (char *)block) {
        dh__cl_block b = d->blocks[i - 1];
        memmove(d->blocks + i - 1, d->blocks + i, (d->block_count - i) * sizeof *d->blocks);
        d->block_count--;
        d->used -= b.size;
        (void)d->cl->clReleaseMemObject(b.memory);
        (void)munmap(b.address, b.size);
    }
    if (!d->block_count) {
        dh__free(d->blocks);
        d->blocks = NULL;
        d->block_room = 0;
    }
    (void)pthread_mutex_unlock(&d->lock);
}

/* --- copies --- */

dh_status dh__cl_complaint(dh__cl_device *d)
{
    dh__cl_trouble told = {0}, none = {0};
    (void)pthread_mutex_lock(&d->lock);
    bool doubtful = d->doubtful;
    cl_int error = CL_SUCCESS;
    d->doubtful = false;
    if (doubtful)
        error = d->cl->clEnqueueReadBuffer(d->queue, d->trouble, CL_TRUE, 0, sizeof told, &told, 0,
                                           NULL, NULL);
    if (error == CL_SUCCESS && told.code)
        error = d->cl->clEnqueueWriteBuffer(d->queue, d->trouble, CL_TRUE, 0, sizeof none, &none, 0,
                                            NULL, NULL);
    (void)pthread_mutex_unlock(&d->lock);
    if (error != CL_SUCCESS) return dh__cl_fail(d, "reading complaints", error);
    bool label = told.code - 1 == DH_OP_SOFTMAX_CROSS_ENTROPY;
    DH_REQUIRE(!told.code, DH_EINVAL, "%s: %s %lld is %lld, must be in [%lld, %lld)",
               dh_op_name(told.code - 1), label ? "label of row" : "index number",
               (long long)told.place, (long long)told.value, (long long)told.least,
               (long long)told.limit);
    return DH_OK;
}

/* What a copy is told of: the device, where in which buffers. */
typedef struct place {
    cl_mem memory;
    size_t offset;
} place;

static dh_status find(place *out, dh__cl_device *d, const void *address)
{
    return dh__cl_find(&out->memory, &out->offset, d, address);
}

static dh_status cl_copy_in(dh_device *device, void *dst, const void *host, size_t size)
{
    dh__cl_device *d = device->state;
    place to = {0};
    if (!size) return DH_OK;
    (void)pthread_mutex_lock(&d->lock);
    dh_status status = find(&to, d, dst);
    (void)pthread_mutex_unlock(&d->lock);
    if (status) return status;
    cl_int error = d->cl->clEnqueueWriteBuffer(d->queue, to.memory, CL_TRUE, to.offset, size, host,
                                               0, NULL, NULL);
    return error == CL_SUCCESS ? DH_OK : dh__cl_fail(d, "clEnqueueWriteBuffer", error);
}

static dh_status cl_copy_out(dh_device *device, void *host, const void *src, size_t size)
{
    dh__cl_device *d = device->state;
    place from = {0};
    if (!size) return DH_OK;
    (void)pthread_mutex_lock(&d->lock);
    dh_status status = find(&from, d, src);
    (void)pthread_mutex_unlock(&d->lock);
    if (status) return status;
    cl_int error = d->cl->clEnqueueReadBuffer(d->queue, from.memory, CL_TRUE, from.offset, size,
                                              host, 0, NULL, NULL);
    return error == CL_SUCCESS ? dh__cl_complaint(d) : dh__cl_fail(d, "clEnqueueReadBuffer", error);
}

static dh_status cl_copy(dh_device *device, void *dst, const void *src, size_t size)
{
    dh__cl_device *d = device->state;
    place from = {0}, to = {0};
    if (!size) return DH_OK;
    (void)pthread_mutex_lock(&d->lock);
    dh_status status = find(&from, d, src);
    if (!status) status = find(&to, d, dst);
    if (!status) {
        cl_int error = d->cl->clEnqueueCopyBuffer(d->queue, from.memory, to.memory, from.offset,
                                                  to.offset, size, 0, NULL, NULL);
        if (error != CL_SUCCESS) status = dh__cl_fail(d, "clEnqueueCopyBuffer", error);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return status;
}

static dh_status cl_zero(dh_device *device, void *dst, size_t size)
{
    dh__cl_device *d = device->state;
    const cl_uchar zero = 0;
    place to = {0};
    if (!size) return DH_OK;
    (void)pthread_mutex_lock(&d->lock);
    dh_status status = find(&to, d, dst);
    if (!status) {
        cl_int error = d->cl->clEnqueueFillBuffer(d->queue, to.memory, &zero, sizeof zero,
                                                  to.offset, size, 0, NULL, NULL);
        if (error != CL_SUCCESS) status = dh__cl_fail(d, "clEnqueueFillBuffer", error);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return status;
}

static dh_status cl_wait(dh_device *device)
{
    dh__cl_device *d = device->state;
    cl_int error = d->cl->clFinish(d->queue);
    return error == CL_SUCCESS ? dh__cl_complaint(d) : dh__cl_fail(d, "clFinish", error);
}

void dh__cl_set_memory(dh_device *device)
{
    device->alloc = cl_alloc;
    device->free = cl_free;
    device->copy_in = cl_copy_in;
    device->copy_out = cl_copy_out;
    device->copy = cl_copy;
    device->zero = cl_zero;
    device->wait = cl_wait;
}
