/* SPDX-License-Identifier: MIT */
/* Tensors as objects: birth, death, what they are. Filling them is create.c's, views are view.c's.
 */
#include <string.h>

#include "tensor_impl.h"

dh_status dh__args(void *out, size_t out_size, const void *args, const char *who)
{
    DH_NEED(args, who, "args");
    size_t size;
    memcpy(&size, args, sizeof size);
    DH_REQUIRE(
        size >= sizeof size && size <= 65536, DH_EINVAL,
        "%s: struct_size is %zu, must be the size of the argument struct (the macro sets it)", who,
        size);
    memset(out, 0, out_size);
    memcpy(out, args, size < out_size ? size : out_size);
    return DH_OK;
}

dh_status dh__dtype_check(dh_dtype dtype, const char *who)
{
    char list[DH_DTYPE_LIST_TEXT];
    DH_REQUIRE(dh_dtype_size(dtype), DH_EDTYPE, "%s: dtype is %d, must be one of %s", who,
               (int)dtype, dh__dtype_list(list, sizeof list, DH_MASK_ANY));
    return DH_OK;
}

static dh_status check_shape(dh_dtype dtype, int ndim, const int64_t *shape, const char *who)
{
    DH_TRY(dh__dtype_check(dtype, who));
    DH_REQUIRE(ndim >= 0 && ndim <= DH_MAX_NDIM, DH_ESHAPE, "%s: ndim is %d, must be in [0, %d]",
               who, ndim, DH_MAX_NDIM);
    DH_REQUIRE(shape || !ndim, DH_EINVAL, "%s: shape is NULL", who);
    for (int i = 0; i < ndim; i++)
        DH_REQUIRE(shape[i] >= 0, DH_ESHAPE, "%s: shape[%d] is %lld, must be at least 0", who, i,
                   (long long)shape[i]);
    return DH_OK;
}

dh_status dh__view_bytes(size_t *out, const dh_view *view, const char *who)
{
    size_t bytes = dh_dtype_size(view->dtype);
    bool empty = false, fits = true;
    for (int i = 0; i < view->ndim; i++) {
        if (view->shape[i] == 0) empty = true;
        if (view->shape[i] > 0) fits &= dh__mul_size(bytes, (size_t)view->shape[i], &bytes);
    }
    char text[DH_SHAPE_TEXT];
    DH_REQUIRE(fits && bytes <= PTRDIFF_MAX, DH_EOVERFLOW,
               "%s: a tensor %s %s does not fit in memory", who,
               dh__shape_text(text, sizeof text, view->ndim, view->shape),
               dh_dtype_name(view->dtype));
    *out = empty ? 0 : bytes;
    return DH_OK;
}

static void set_view(dh_view *view, dh_dtype dtype, int ndim, const int64_t *shape)
{
    memset(view, 0, sizeof *view);
    view->dtype = dtype;
    view->ndim = ndim;
    for (int i = 0; i < ndim; i++) view->shape[i] = shape[i];
    dh__view_pack(view);
}

dh_status dh__tensor_on(dh_tensor **out, dh__storage *storage, const dh_view *view)
{
    dh_tensor *t = dh__calloc(1, sizeof *t);
    if (!t) return DH_ENOMEM;
    t->view = *view;
    t->storage = storage;
    dh__storage_retain(storage);
    *out = t;
    return DH_OK;
}

dh_status dh__tensor_new(dh_tensor **out, dh_device *device, dh_dtype dtype, int ndim,
                         const int64_t *shape)
{
    DH_NEED(out, "tensor_new", "out");
    DH_TRY(check_shape(dtype, ndim, shape, "tensor_new"));
    dh_view view;
    size_t size;
    dh__storage *storage;
    set_view(&view, dtype, ndim, shape);
    DH_TRY(dh__view_bytes(&size, &view, "tensor_new"));
    DH_TRY(dh__storage_new(&storage, device, size));
    view.data = storage->data;
    dh_status status = dh__tensor_on(out, storage, &view);
    dh__storage_release(storage);
    return status;
}

dh_status dh_tensor_new(dh_tensor **out, dh_dtype dtype, int ndim, const int64_t *shape)
{
    return dh__tensor_new(out, dh__cpu(), dtype ? dtype : DH_F32, ndim, shape);
}

dh_status dh_tensor_from_memory(dh_tensor **out, void *data, dh_dtype dtype, int ndim,
                                const int64_t *shape, void (*release)(void *data, void *payload),
                                void *payload)
{
    DH_NEED(out, "tensor_from_memory", "out");
    DH_NEED(data, "tensor_from_memory", "data");
    DH_TRY(check_shape(dtype, ndim, shape, "tensor_from_memory"));
    dh_view view;
    size_t size;
    set_view(&view, dtype, ndim, shape);
    DH_TRY(dh__view_bytes(&size, &view, "tensor_from_memory"));
    DH_REQUIRE((uintptr_t)data % dh_dtype_size(dtype) == 0, DH_EINVAL,
               "tensor_from_memory: data %p is not aligned to the %zu bytes of %s", data,
               dh_dtype_size(dtype), dh_dtype_name(dtype));
    view.data = data;
    dh__storage *s = dh__calloc(1, sizeof *s);
    if (!s) return DH_ENOMEM;
    atomic_init(&s->references, 1);
    s->device = dh__cpu();
    s->data = data;
    s->size = size;
    dh_status status = dh__tensor_on(out, s, &view);
    if (!status) { /* from here on the storage answers for the caller's memory */
        s->release = release;
        s->payload = payload;
    }
    dh__storage_release(s);
    return status;
}

dh_status dh_tensor_from_data(dh_tensor **out, const void *data, dh_dtype dtype, int ndim,
                              const int64_t *shape)
{
    DH_NEED(out, "tensor_from_data", "out");
    DH_NEED(data, "tensor_from_data", "data");
    dh_tensor *t;
    DH_TRY(dh__named(dh__tensor_new(&t, dh__cpu(), dtype, ndim, shape), "tensor_new",
                     "tensor_from_data"));
    memcpy(t->view.data, data, (size_t)dh__view_count(&t->view) * dh_dtype_size(dtype));
    *out = t;
    return DH_OK;
}

void dh_tensor_free(dh_tensor *tensor)
{
    if (!tensor) return;
    dh__storage_release(tensor->storage);
    dh__free(tensor);
}

dh_dtype dh_tensor_dtype(const dh_tensor *tensor)
{
    return tensor ? tensor->view.dtype : DH_DTYPE_DEFAULT;
}

int dh_tensor_ndim(const dh_tensor *tensor)
{
    return tensor ? tensor->view.ndim : 0;
}

int64_t dh_tensor_dim(const dh_tensor *tensor, int axis)
{
    if (!tensor) return -1;
    if (axis < 0) axis += tensor->view.ndim;
    return axis >= 0 && axis < tensor->view.ndim ? tensor->view.shape[axis] : -1;
}

const int64_t *dh_tensor_shape(const dh_tensor *tensor)
{
    return tensor ? tensor->view.shape : NULL;
}

const int64_t *dh_tensor_strides(const dh_tensor *tensor)
{
    return tensor ? tensor->view.stride : NULL;
}

int64_t dh_tensor_count(const dh_tensor *tensor)
{
    return tensor ? dh__view_count(&tensor->view) : 0;
}

const char *dh_tensor_device(const dh_tensor *tensor)
{
    return tensor ? tensor->storage->device->name : NULL;
}

bool dh_tensor_is_contiguous(const dh_tensor *tensor)
{
    return tensor && dh__view_contiguous(&tensor->view);
}

void *dh_tensor_data(const dh_tensor *tensor)
{
    return tensor && tensor->storage->device->host ? tensor->view.data : NULL;
}

const char *dh_tensor_describe(const dh_tensor *tensor, char *buffer, size_t size)
{
    char text[DH_SHAPE_TEXT];
    if (!buffer || !size) return "";
    if (!tensor)
        dh__format(buffer, size, "NULL");
    else
        dh__format(buffer, size, "%s %s",
                   dh__shape_text(text, sizeof text, tensor->view.ndim, tensor->view.shape),
                   dh_dtype_name(tensor->view.dtype));
    return buffer;
}

/* Address of one element. */
static dh_status locate(char **out, const dh_tensor *tensor, const int64_t *index, const char *who)
{
    DH_NEED(tensor, who, "tensor");
    DH_REQUIRE(index || !tensor->view.ndim, DH_EINVAL, "%s: index is NULL", who);
    int64_t offset = 0;
    for (int i = 0; i < tensor->view.ndim; i++) {
        int64_t n = tensor->view.shape[i], k = index[i] < 0 ? index[i] + n : index[i];
        DH_REQUIRE(k >= 0 && k < n, DH_EINVAL, "%s: index[%d] is %lld, the axis has length %lld",
                   who, i, (long long)index[i], (long long)n);
        offset += k * tensor->view.stride[i];
    }
    *out = (char *)tensor->view.data + offset * (int64_t)dh_dtype_size(tensor->view.dtype);
    return DH_OK;
}

dh_status dh_tensor_get(double *out, const dh_tensor *tensor, const int64_t *index)
{
    char *address;
    _Alignas(double) char element[sizeof(double)];
    DH_NEED(out, "tensor_get", "out");
    DH_TRY(locate(&address, tensor, index, "tensor_get"));
    dh_device *device = tensor->storage->device;
    dh_dtype dtype = tensor->view.dtype;
    if (!device->host) {
        DH_TRY(dh__from("tensor_get",
                        device->copy_out(device, element, address, dh_dtype_size(dtype))));
        address = element;
    }
    *out = dh__load(dtype, address);
    return DH_OK;
}

dh_status dh_tensor_set(dh_tensor *tensor, const int64_t *index, double value)
{
    char *address;
    _Alignas(double) char element[sizeof(double)];
    DH_TRY(locate(&address, tensor, index, "tensor_set"));
    dh_device *device = tensor->storage->device;
    dh_dtype dtype = tensor->view.dtype;
    dh__store(dtype, device->host ? address : element, value);
    if (device->host) return DH_OK;
    return dh__from("tensor_set", device->copy_in(device, address, element, dh_dtype_size(dtype)));
}
