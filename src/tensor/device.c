/* SPDX-License-Identifier: MIT */
/* Drivers and devices by name, and a device's memory seen from the host. */
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "team.h"
#include "tensor_impl.h"

#define MOST_DRIVERS 16

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const dh_driver *drivers[MOST_DRIVERS]; /* none is ever taken away */
static atomic_int driver_count;

static void add_built_in(void)
{
    int count = 0;
    drivers[count++] = &dh__cpu_driver;
    for (int i = 0; dh__drivers[i]; i++) drivers[count++] = dh__drivers[i];
    atomic_store(&driver_count, count);
}

static const dh_driver *driver_at(int index)
{
    (void)pthread_once(&once, add_built_in);
    return index >= 0 && index < atomic_load(&driver_count) ? drivers[index] : NULL;
}

const char *dh_driver_name(int index)
{
    const dh_driver *d = driver_at(index);
    return d ? d->name : NULL;
}

static const char *name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return dh_driver_name(i);
}

/* The driver whose name the first `length` characters are. */
static const dh_driver *find_driver(const char *name, size_t length)
{
    const dh_driver *d;
    for (int i = 0; (d = driver_at(i)); i++)
        if (strlen(d->name) == length && !memcmp(d->name, name, length)) return d;
    return NULL;
}

dh_status dh_driver_add(const dh_driver *driver)
{
    DH_NEED(driver, "driver_add", "driver");
    DH_NEED(driver->name, "driver_add", "name");
    DH_REQUIRE(driver->name[0] && !strchr(driver->name, ':'), DH_EINVAL,
               "driver_add: name is \"%s\", must be neither empty nor hold ':'", driver->name);
    DH_REQUIRE(driver->count && driver->describe && driver->open && driver->lacks, DH_EINVAL,
               "driver_add: driver \"%s\" lacks %s", driver->name,
               !driver->count      ? "count"
               : !driver->describe ? "describe"
               : !driver->open     ? "open"
                                   : "lacks");
    (void)driver_at(0);
    (void)pthread_mutex_lock(&lock);
    int count = atomic_load(&driver_count);
    bool known = find_driver(driver->name, strlen(driver->name)) != NULL;
    if (!known && count < MOST_DRIVERS) {
        drivers[count] = driver;
        atomic_store(&driver_count, count + 1);
    }
    (void)pthread_mutex_unlock(&lock);
    DH_REQUIRE(!known, DH_EINVAL, "driver_add: there is a driver \"%s\" already", driver->name);
    DH_REQUIRE(count < MOST_DRIVERS, DH_EOVERFLOW, "driver_add: driver \"%s\" is one too many, %d",
               driver->name, MOST_DRIVERS);
    return DH_OK;
}

/* Driver and index of "card:1", "card" or NULL. */
static dh_status find_device(const dh_driver **driver, int *index, const char *name)
{
    char hint[160], kind[64];
    int64_t number = 0;
    if (!name) name = dh__cpu_driver.name;
    const char *colon = strchr(name, ':');
    size_t length = colon ? (size_t)(colon - name) : strlen(name);
    *driver = find_driver(name, length);
    dh__format(kind, sizeof kind, "%.*s", (int)length, name);
    DH_REQUIRE(*driver, DH_ENAME, "device_get: no device \"%s\"%s", name,
               dh__suggest(hint, sizeof hint, kind, name_at, NULL));
    bool fits =
        !colon || (strspn(colon + 1, "0123456789") == strlen(colon + 1) && colon[1] &&
                   dh__parse_int64(colon + 1, strlen(colon + 1), &number) && number <= INT_MAX);
    DH_REQUIRE(fits, DH_ENAME, "device_get: no device \"%s\": behind ':' must be a number", name);
    int count = 0;
    DH_TRY(dh__from("device_get", (*driver)->count(&count)));
    DH_REQUIRE(number < count, DH_ENOTFOUND, "device_get: no device \"%s\": there %s %d of %s",
               name, count == 1 ? "is" : "are", count, (*driver)->name);
    *index = (int)number;
    return DH_OK;
}

dh_status dh_device_get(dh_device **out, const char *name)
{
    const dh_driver *driver;
    int index;
    DH_NEED(out, "device_get", "out");
    DH_TRY(find_device(&driver, &index, name));
    return dh__from("device_get", driver->open(out, index));
}

static dh_status named_driver(const dh_driver **out, const char *name, const char *who)
{
    char hint[160];
    DH_NEED(name, who, "driver");
    *out = find_driver(name, strlen(name));
    DH_REQUIRE(*out, DH_ENAME, "%s: no driver \"%s\"%s", who, name,
               dh__suggest(hint, sizeof hint, name, name_at, NULL));
    return DH_OK;
}

dh_status dh_driver_devices(int *out, const char *driver)
{
    const dh_driver *d;
    DH_NEED(out, "driver_devices", "out");
    DH_TRY(named_driver(&d, driver, "driver_devices"));
    return dh__from("driver_devices", d->count(out));
}

dh_status dh_device_describe(dh_device_info *out, const char *device)
{
    const dh_driver *driver;
    int index;
    DH_NEED(out, "device_describe", "out");
    DH_TRY(dh__named(find_device(&driver, &index, device), "device_get", "device_describe"));
    dh_device_info info = {.hardware = "", .software = ""};
    DH_TRY(dh__from("device_describe", driver->describe(&info, index)));
    *out = info;
    return DH_OK;
}

dh_status dh_driver_lacks(const char **why, const char *driver, const char *op)
{
    const dh_driver *d;
    char hint[160];
    DH_NEED(why, "driver_lacks", "why");
    DH_TRY(named_driver(&d, driver, "driver_lacks"));
    DH_NEED(op, "driver_lacks", "op");
    int id = dh__op_find(op);
    DH_REQUIRE(id >= 0, DH_ENAME, "driver_lacks: no op \"%s\"%s", op,
               dh__suggest(hint, sizeof hint, op, dh__op_name_at, NULL));
    *why = d->lacks(id);
    return DH_OK;
}

const char *dh__op_name_at(int i, const void *payload)
{
    DH_UNUSED(payload);
    return i >= 0 && i < DH_OP_COUNT ? dh__ops[i]->name : NULL;
}

const char *dh_op_name(int index)
{
    return dh__op_name_at(index, NULL);
}

/* --- from the host --- */

void dh__view_extent(const dh_view *view, size_t *before, size_t *size)
{
    int64_t low = 0, high = 1;
    for (int i = 0; i < view->ndim; i++) {
        int64_t reach = (view->shape[i] - 1) * view->stride[i];
        if (reach < 0)
            low -= reach;
        else
            high += reach;
    }
    *before = (size_t)low * dh_dtype_size(view->dtype);
    *size = dh__view_count(view) ? *before + (size_t)high * dh_dtype_size(view->dtype) : 0;
}

void dh__device_session(const dh_device *device, void (*body)(void *context), void *context)
{
    if (device->host)
        dh__team_session(body, context);
    else
        body(context);
}

dh_status dh__host_view(dh_view *out, void **block, dh_device *device, const dh_view *view)
{
    size_t before, size;
    *out = *view;
    *block = NULL;
    dh__view_extent(view, &before, &size);
    if (device->host || !size) return DH_OK;
    char *copy = dh__alloc(size);
    if (!copy) return DH_ENOMEM;
    dh_status status = device->copy_out(device, copy, (const char *)view->data - before, size);
    if (status) {
        dh__free(copy);
        return status;
    }
    out->data = copy + before;
    *block = copy;
    return DH_OK;
}
