/* SPDX-License-Identifier: MIT */
/* Computing services: which devices a model computes on, and its way from one to another. */
#include <string.h>

#include "model_impl.h"

static dh_cs service(const char *device, const char *memory)
{
    int level = memory && *memory ? dh__choice_index(DH__MEMORY_LEVELS, memory) : 0;
    return (dh_cs){.device = device, .memory = level, .memory_name = memory};
}

dh_cs(dh_cs_cpu)(const dh_cs_cpu_args *args)
{
    dh_cs_cpu_args a;
    if (dh__args(&a, sizeof a, args, "cs_cpu")) return (dh_cs){.memory = -1};
    dh_cs cs = service("cpu", a.memory);
    cs.threads = a.threads;
    cs.replicas = a.replicas;
    cs.lsb = a.lsb;
    return cs;
}

static dh_cs accelerators(const char *driver, const dh_cs_devices_args *args, const char *who)
{
    dh_cs_devices_args a;
    if (dh__args(&a, sizeof a, args, who)) return (dh_cs){.memory = -1};
    dh_cs cs = service(driver, a.memory);
    memcpy(cs.mask, a.mask, sizeof cs.mask);
    cs.lsb = a.lsb;
    cs.replicas = a.replicas;
    cs.fallback = a.fallback;
    return cs;
}

dh_cs(dh_cs_gpu)(const dh_cs_devices_args *args)
{
    return accelerators("cuda", args, "cs_gpu");
}

dh_cs(dh_cs_fpga)(const dh_cs_devices_args *args)
{
    return accelerators("opencl", args, "cs_fpga");
}

/* --- checking --- */

/* What a computing service comes to. */
typedef struct chosen {
    dh_device *device[DH_MAX_DEVICES];
    int count, replicas;
} chosen;

static dh_status add_device(chosen *out, const char *driver, int index)
{
    char name[64];
    dh__format(name, sizeof name, "%s:%d", driver, index);
    return dh__named(dh_device_get(&out->device[out->count++], index ? name : driver), "device_get",
                     "device");
}

static dh_status add_masked(chosen *out, const dh_cs *cs, const char *driver)
{
    int count;
    for (int i = 0; i < DH_MAX_DEVICES; i++) {
        DH_REQUIRE(cs->mask[i] == 0 || cs->mask[i] == 1, DH_EINVAL,
                   "device mask[%d] is %d, must be 0 or 1", i, cs->mask[i]);
        if (!cs->mask[i]) continue;
        DH_TRY(dh__named(dh_driver_devices(&count, driver), "driver_devices", "device"));
        DH_REQUIRE(i < count, DH_ENOTFOUND, "device mask[%d] is 1, there %s %d %s device%s", i,
                   count == 1 ? "is" : "are", count, driver, count == 1 ? "" : "s");
        DH_TRY(add_device(out, driver, i));
    }
    return out->count ? DH_OK : add_device(out, driver, 0);
}

static dh_status choose(chosen *out, const dh_cs *cs)
{
    const char *device = cs->device ? cs->device : "cpu";
    out->count = 0;
    if (strchr(device, ':'))
        DH_TRY(
            dh__named(dh_device_get(&out->device[out->count++], device), "device_get", "device"));
    else
        DH_TRY(add_masked(out, cs, device));
    out->replicas = cs->replicas ? cs->replicas : out->count;
    DH_REQUIRE(out->replicas >= out->count, DH_EINVAL,
               "device replicas is %d, the mask chooses %d devices", cs->replicas, out->count);
    return DH_OK;
}

static dh_status check(const dh_cs *cs)
{
    char hint[96];
    const char *level = cs->memory_name ? cs->memory_name : "?";
    DH_REQUIRE(cs->memory >= 0 && cs->memory <= DH_LOW_MEM, DH_ENAME, "no memory level \"%s\"%s",
               level, dh__suggest_choices(hint, sizeof hint, level, DH__MEMORY_LEVELS));
    DH_REQUIRE(cs->threads >= 0 && cs->threads <= 4096, DH_EINVAL,
               "device threads is %d, must be in [0, 4096]", cs->threads);
    DH_REQUIRE(cs->replicas >= 0 && cs->replicas <= DH_MAX_REPLICAS, DH_EINVAL,
               "device replicas is %d, must be in [0, %d]", cs->replicas, DH_MAX_REPLICAS);
    DH_REQUIRE(cs->lsb >= 0, DH_EINVAL, "device lsb is %d, must be at least 0", cs->lsb);
    DH_REQUIRE(!cs->fallback || !strcmp(cs->fallback, "cpu"), DH_ENAME,
               "device fallback is \"%s\", must be \"cpu\"", cs->fallback);
    return DH_OK;
}

/* --- moving --- */

/* What lies on the old device is the model's alone, so that nobody is left behind. */
static dh_status check_alone(const dh_model *model, const dh_device *to)
{
    const dh__params *store = model->net.store;
    int sessions = atomic_load(&model->references) - 1, owners = atomic_load(&store->owners);
    DH_REQUIRE(!sessions, DH_ESTATE,
               "model \"%s\" is on \"%s\" and has %d session%s; free %s before it goes to \"%s\"",
               model->net.name, store->device->name, sessions, sessions == 1 ? "" : "s",
               sessions == 1 ? "it" : "them", to->name);
    bool empty = !store->weights && !store->states;
    DH_REQUIRE(owners <= 1 || empty, DH_ESTATE,
               "model \"%s\" shares its parameters, on \"%s\", with %d other model%s, so it cannot "
               "go to \"%s\"",
               model->net.name, store->device->name, owners - 1, owners == 2 ? "" : "s", to->name);
    return DH_OK;
}

/* The model's own place. */
static dh_status move_first(dh_model *model, dh_device *device)
{
    dh__params *store = model->net.store;
    dh__arena *arena;
    if (device == store->device && device == model->first.arena->device) return DH_OK;
    if (device != store->device) DH_TRY(check_alone(model, device));
    DH_TRY(dh__arena_new(&arena, device));
    dh__stages_free(model); /* they lie in the old memory */
    dh_status status =
        device == store->device ? DH_OK : dh__params_move(store, &model->first.slots, device);
    if (status == DH_EDEVICE) /* once more, for it may have been a hiccup */
        status = dh__params_move(store, &model->first.slots, device);
    if (status && device->host) status = dh__rescue(model, status);
    if (status) {
        dh__arena_free(arena);
        return status;
    }
    dh__arena_free(model->first.arena);
    model->first.arena = arena;
    model->forward_training = false;
    model->peak.asked = false;
    return DH_OK;
}

dh_status dh__model_place(dh_model *model, const dh_cs *cs)
{
    chosen c;
    dh__replicas *replicas;
    bool fallback = cs->fallback != NULL;
    DH_TRY(check(cs));
    DH_TRY(choose(&c, cs));
    dh_status settled = dh__settle(model);
    if (settled != DH_EDEVICE || !c.device[0]->host) DH_TRY(settled);
    DH_TRY(dh__replicas_new(&replicas, c.replicas, cs->lsb, c.count, c.device, fallback));
    dh_status status = move_first(model, c.device[0]);
    if (status) {
        dh__replicas_free(replicas);
        return status;
    }
    dh__replicas_free(model->replicas);
    model->replicas = replicas;
    if (model->first.arena->fallback != fallback) dh__stages_free(model);
    model->first.arena->fallback = fallback;
    model->cs = *cs;
    model->cs.device = c.device[0]->name;
    model->cs.replicas = c.replicas;
    model->cs.memory_name = model->cs.fallback = NULL;
    return DH_OK;
}

dh_status dh_model_to_device(dh_model *model, dh_cs device)
{
    DH_TRY(dh__ready(model, false, "model_to_device"));
    DH_REQUIRE(!model->fitting, DH_ESTATE, "model_to_device: model \"%s\" is in fit",
               model->net.name);
    int level = model->cs.memory;
    dh_status status = dh__model_place(model, &device);
    if (!status) status = dh__rescue_keep(model);
    if (!status && level != model->cs.memory) dh__stages_free(model);
    return dh__from("model_to_device", status);
}

dh_status(dh_model_to_cpu)(const dh_model_to_cpu_args *args)
{
    dh_model_to_cpu_args a;
    DH_TRY(dh__args(&a, sizeof a, args, "model_to_cpu"));
    return dh__named(dh_model_to_device(a.model, dh_cs_cpu(.threads = a.threads, .memory = a.memory,
                                                           .replicas = a.replicas, .lsb = a.lsb)),
                     "model_to_device", "model_to_cpu");
}

static dh_status to_accelerators(const dh_model_to_args *args, const char *driver, const char *who)
{
    dh_model_to_args a;
    DH_TRY(dh__args(&a, sizeof a, args, who));
    dh_cs_devices_args b = {.struct_size = sizeof b,
                            .lsb = a.lsb,
                            .memory = a.memory,
                            .replicas = a.replicas,
                            .fallback = a.fallback};
    memcpy(b.mask, a.mask, sizeof b.mask);
    return dh__named(dh_model_to_device(a.model, accelerators(driver, &b, who)), "model_to_device",
                     who);
}

dh_status(dh_model_to_gpu)(const dh_model_to_args *args)
{
    return to_accelerators(args, "cuda", "model_to_gpu");
}

dh_status(dh_model_to_fpga)(const dh_model_to_args *args)
{
    return to_accelerators(args, "opencl", "model_to_fpga");
}

const char *dh_model_device(const dh_model *model)
{
    return model ? model->first.arena->device->name : NULL;
}
