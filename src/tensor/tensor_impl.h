/* SPDX-License-Identifier: MIT */
/* tensor: dtypes, storage, views, the op table, the eager API; cpu/ is the reference device. It
 * knows base alone; it must not know graphs, layers or images. */
#ifndef DH_TENSOR_IMPL_H
#define DH_TENSOR_IMPL_H

#include <stdatomic.h>

#include <deephealth/sys/device.h>
#include <deephealth/tensor.h>

#include "base.h"
#include "ops.h"

typedef struct dh__storage {
    atomic_int references;
    dh_device *device;
    void *data;
    size_t size;
    void (*release)(void *data, void *payload); /* NULL with owned == false: nothing to do */
    void *payload;
    bool owned; /* allocated from device */
} dh__storage;

struct dh_tensor {
    dh_view view; /* data is the first element's address on the device */
    dh__storage *storage;
};

/* --- storage.c --- */
dh_status dh__storage_new(dh__storage **out, dh_device *device, size_t size);
void dh__storage_retain(dh__storage *storage);
void dh__storage_release(dh__storage *storage); /* NULL is fine */

/* --- device.c --- */
/* Of the rooms that hold a device; made by src/CMakeLists.txt, ended by NULL. */
extern const dh_driver *const dh__drivers[];
extern const dh_driver dh__cpu_driver;
/* The same elements in memory of the host: the view itself where the device's is that, else a copy
 * in *block, which dh__free frees. */
dh_status dh__host_view(dh_view *out, void **block, dh_device *device, const dh_view *view);

/* dh__team_session where the device is the host; beside another one the team does not stand by,
 * as its processors may be what computes there. */
void dh__device_session(const dh_device *device, void (*body)(void *context), void *context);

/* Of all its elements in memory: bytes, and how many of them lie before the element of index 0. */
void dh__view_extent(const dh_view *view, size_t *before, size_t *size);

/* --- host_impl.c --- */
/* Runs a call of another device by the CPU's implementation, in staging of so many bytes. */
extern const dh_impl dh__host_impl;
size_t dh__host_bytes(const dh_call *call);

/* --- tensor.c --- */
/* DH_EDTYPE where dtype is none. */
dh_status dh__dtype_check(dh_dtype dtype, const char *who);
/* A contiguous tensor with new storage; failures name tensor_new, which dh__named replaces. */
dh_status dh__tensor_new(dh_tensor **out, dh_device *device, dh_dtype dtype, int ndim,
                         const int64_t *shape);
/* A tensor on a part of a storage that it retains; view.data must point into it. */
dh_status dh__tensor_on(dh_tensor **out, dh__storage *storage, const dh_view *view);
/* Bytes of a packed tensor of this view; DH_EOVERFLOW. */
dh_status dh__view_bytes(size_t *out, const dh_view *view, const char *who);
/* Copies the public argument struct of a caller, old or new, into one of ours, zero-filled. */
dh_status dh__args(void *out, size_t out_size, const void *args, const char *who);

/* --- create.c --- */
/* The shape list of an argument struct, ended by 0; a length behind the end is a mistake. */
dh_status dh__shape_list(int *ndim, int64_t *shape, const int64_t *list, const char *who);

/* --- eager.c --- */
/* Runs an op on tensors of one device; outputs are new tensors. dtype promotion as the op says. */
dh_status dh__eager(int op, const void *attr, int in_count, const dh_tensor *const *in,
                    dh_tensor **out);
/* The same into an existing tensor of the right shape and dtype, which may overlap inputs. */
dh_status dh__eager_into(int op, const void *attr, int in_count, const dh_tensor *const *in,
                         dh_tensor *out);
#define DH_NEED(pointer, who, name) \
    DH_REQUIRE((pointer) != NULL, DH_EINVAL, "%s: %s is NULL", (who), (name))

/* --- scalars (dtype.c) --- */
double dh__load(dh_dtype dtype, const void *address);
void dh__store(dh_dtype dtype, void *address, double value); /* as dh_tensor_cast from f64 */
uint16_t dh__f32_to_bf16(float x);
uint16_t dh__f32_to_f16(float x);
float dh__bf16_to_f32(uint16_t x);
float dh__f16_to_f32(uint16_t x);

dh_device *dh__cpu(void);

/* Where in which stream a random op finds the word of its first element (dh_step). */
static inline uint64_t dh__random_first(const dh_call *call, uint64_t *stream)
{
    const dh_view *x = &call->in[0];
    int64_t row = x->ndim && x->shape[0] ? dh__view_count(x) / x->shape[0] : 0;
    *stream = call->stream + (call->step->position >> 24);
    return (call->step->position << 40) + (uint64_t)(row * call->step->row);
}

#endif
