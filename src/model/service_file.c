/* SPDX-License-Identifier: MIT */
/* Computing services in YAML files (docs/devices.md). */
#include <stdlib.h>
#include <string.h>

#include "model_impl.h"
#include "yaml_tree.h"

/* What the file says of one machine. */
typedef struct machine {
    const char *name; /* of hosts */
    const char *device, *fallback;
    int threads, memory, replicas, lsb;
    int mask[DH_MAX_DEVICES];
} machine;

#define MACHINE_FIELDS                                                                            \
    DH_FIELD(machine, device, NULL, 0, 0, 0, "cpu, cuda or opencl; or one device, \"opencl:1\""), \
        DH_FIELD(machine, threads, NULL, 0, 0, 4096, "cores of the CPU; 0: all"),                 \
        DH_FIELD_NAMED(machine, memory, NULL, DH__MEMORY_LEVELS, "what is kept of a step"),       \
        DH_FIELD_ARRAY(machine, mask, NULL, 0, 1, "1 for each device that takes part"),           \
        DH_FIELD(machine, replicas, NULL, 0, 0, DH_MAX_REPLICAS, "that share each batch"),        \
        DH_FIELD(machine, lsb, NULL, 1, 1, 1e9, "batches between two averages of the replicas"),  \
    {                                                                                             \
        .name = "fallback", .kind = DH_FIELD_STRING, .offset = offsetof(machine, fallback),       \
        .size = sizeof(((machine *)0)->fallback), .choices = "cpu",                               \
        .help = "cpu: it runs what the device has no implementation for"                          \
    }

static const dh_field machine_fields[] = {MACHINE_FIELDS, {0}};
static const dh_field host_fields[] = {
    DH_FIELD(machine, name, NULL, 0, 0, 0, "its host name"), MACHINE_FIELDS, {0}};

static const char *driver_at(int index, const void *payload)
{
    DH_UNUSED(payload);
    return dh_driver_name(index);
}

static int line_of(const dh__yaml *map, const char *key)
{
    const dh__yaml *value = dh__yaml_get(map, key);
    return value ? value->line : map->line;
}

/* The driver's own name, which outlives the file; "opencl:1" is a mask of one. */
static dh_status take_device(dh_cs *out, const machine *m, const dh__yaml *map, const char *path)
{
    char hint[96];
    const char *text = m->device ? m->device : "cpu", *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    int line = line_of(map, "device"), i = 0;
    for (; (out->device = dh_driver_name(i)); i++)
        if (strlen(out->device) == length && !strncmp(out->device, text, length)) break;
    DH_REQUIRE(out->device, DH_ENAME, "%s:%d: no driver of devices \"%.*s\"%s", path, line,
               (int)length, text, dh__suggest(hint, sizeof hint, text, driver_at, NULL));
    if (!colon) return DH_OK;
    char *end;
    long index = strtol(colon + 1, &end, 10);
    DH_REQUIRE(colon[1] >= '0' && colon[1] <= '9' && !*end && index < DH_MAX_DEVICES, DH_EINVAL,
               "%s:%d: device is \"%s\", its number must be in [0, %d]", path, line, text,
               DH_MAX_DEVICES - 1);
    DH_REQUIRE(!dh__yaml_get(map, "mask"), DH_EINVAL,
               "%s:%d: mask is given, device \"%s\" names one already", path, line_of(map, "mask"),
               text);
    out->mask[index] = i > 0; /* of the CPU there is one */
    return DH_OK;
}

static dh_status take_machine(dh_cs *out, const dh__yaml *map, const dh_field *fields,
                              const char *path)
{
    static const char *const levels[] = {"full_mem", "mid_mem", "low_mem"};
    machine m;
    int chosen = 0;
    memset(out, 0, sizeof *out);
    dh_field_defaults(fields, &m);
    m.name = m.device = m.fallback = NULL;
    memset(m.mask, 0, sizeof m.mask);
    DH_TRY(dh__yaml_fields(map, fields, &m, path));
    DH_REQUIRE(m.name || fields != host_fields, DH_EINVAL, "%s:%d: the host has no name", path,
               map->line);
    memcpy(out->mask, m.mask, sizeof out->mask);
    DH_TRY(take_device(out, &m, map, path));
    out->threads = m.threads;
    out->memory = m.memory;
    out->memory_name = levels[m.memory];
    out->replicas = m.replicas;
    out->lsb = m.lsb;
    out->fallback = m.fallback ? "cpu" : NULL;
    for (int i = 0; i < DH_MAX_DEVICES; i++) chosen += out->mask[i];
    DH_REQUIRE(!m.replicas || m.replicas >= chosen, DH_EINVAL,
               "%s:%d: replicas is %d, the mask chooses %d devices", path, line_of(map, "replicas"),
               m.replicas, chosen);
    return DH_OK;
}

/* Other machines are checked as far as the file goes. */
static dh_status check_hosts(const dh__yaml *hosts, const char *path)
{
    dh_cs cs;
    DH_REQUIRE(hosts->kind == DH_YAML_LIST, DH_EFORMAT, "%s:%d: hosts is a %s, must be a list",
               path, hosts->line, hosts->kind == DH_YAML_MAP ? "map" : "single value");
    for (int i = 0; i < hosts->count; i++)
        DH_TRY(take_machine(&cs, hosts->items[i], host_fields, path));
    if (!hosts->count) return DH_OK;
    return dh_fail(DH_EMISSING,
                   "%s:%d: host \"%s\" needs MPI, which this version of the library does not use "
                   "yet",
                   path, hosts->items[0]->line, dh__yaml_get(hosts->items[0], "name")->text);
}

static dh_status take_file(dh_cs *out, const dh__yaml *root, const char *path)
{
    DH_REQUIRE(root->kind == DH_YAML_MAP, DH_EFORMAT, "%s:%d: is a %s, must be a map", path,
               root->line, root->kind == DH_YAML_LIST ? "list" : "single value");
    dh__yaml own = *root; /* but for the hosts, this machine */
    size_t room = (size_t)root->count + 1;
    own.items = dh__calloc(room, sizeof *own.items);
    own.keys = dh__calloc(room, sizeof *own.keys);
    dh_status status = own.items && own.keys ? DH_OK : DH_ENOMEM;
    own.count = 0;
    const dh__yaml *hosts = NULL;
    for (int i = 0; i < root->count && !status; i++) {
        if (!strcmp(root->keys[i], "hosts")) {
            hosts = root->items[i];
            continue;
        }
        own.items[own.count] = root->items[i];
        own.keys[own.count++] = root->keys[i];
    }
    if (!status) status = take_machine(out, &own, machine_fields, path);
    if (!status && hosts) status = check_hosts(hosts, path);
    dh__free(own.items);
    dh__free((void *)own.keys);
    return status;
}

dh_status dh_cs_load(dh_cs *out, const char *path)
{
    dh__yaml *root;
    dh_cs cs;
    DH_NEED(out, "cs_load", "out");
    DH_NEED(path, "cs_load", "path");
    DH_TRY(dh__from("cs_load", dh__yaml_read(&root, path)));
    dh_status status = take_file(&cs, root, path);
    dh__yaml_free(root);
    if (!status) *out = cs;
    return dh__from("cs_load", status);
}
