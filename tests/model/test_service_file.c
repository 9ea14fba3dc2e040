/* SPDX-License-Identifier: MIT */
/* Computing services from YAML files: what they mean, and each mistake with its line. */
#include <unistd.h>

#include "model_test.h"

static char path[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/dh_service_XXXXXX");
    int fd = mkstemp(path);
    if (fd >= 0) close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static dh_status load(dh_cs *cs, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    memset(cs, 0x55, sizeof *cs);
    return dh_cs_load(cs, path);
}

/* A library without libyaml says so. */
static bool is_missing(void)
{
    dh_cs cs;
    dh_status status = load(&cs, "threads: 1\n");
    if (status == DH_EMISSING) assert_non_null(strstr(dh_error_text(), "libyaml-dev"));
    return status == DH_EMISSING;
}

static void what_files_say(void **state)
{
    (void)state;
    if (is_missing()) skip();
    dh_cs cs;
    const int none[DH_MAX_DEVICES] = {0};
    assert_ok(load(&cs, "threads: 3\n"));
    assert_string_equal(cs.device, "cpu");
    assert_true(cs.threads == 3 && cs.memory == 0 && cs.replicas == 0 && !cs.fallback);
    assert_memory_equal(cs.mask, none, sizeof none);
    assert_ok(load(&cs, "# two cards\ndevice: opencl\nmask: [1, 0, 1]\nmemory: low_mem\n"
                        "replicas: 4\nlsb: 8\nfallback: cpu\n"));
    assert_string_equal(cs.device, "opencl");
    assert_true(cs.memory == 2 && cs.replicas == 4 && cs.lsb == 8);
    assert_string_equal(cs.fallback, "cpu");
    assert_string_equal(cs.memory_name, "low_mem");
    assert_true(cs.mask[0] == 1 && cs.mask[1] == 0 && cs.mask[2] == 1 && cs.mask[3] == 0);
    assert_ok(load(&cs, "device: \"cuda:15\"\nhosts: []\n"));
    assert_string_equal(cs.device, "cuda");
    assert_int_equal(cs.mask[15], 1);
    assert_ok(load(&cs, "device: cpu:0\nthreads: 2\n"));
    assert_memory_equal(cs.mask, none, sizeof none);
    /* and a model is built with it */
    dh_model *net = dh_model_new("net");
    assert_ok((dh_build)(&(dh_build_args){.struct_size = sizeof(dh_build_args),
                                          .model = net,
                                          .output = dh_dense(dh_input(net, {3}), 2),
                                          .device = cs}));
    assert_int_equal(dh_model_threads(net), 2);
    dh_model_free(net);
}

static void each_mistake_has_its_line(void **state)
{
    (void)state;
    if (is_missing()) skip();
    static const struct {
        const char *text;
        dh_status status;
        const char *words[3];
    } cases[] = {
        {"threads: 2\nmemory: lowmem\n", DH_ENAME, {":2: ", "\"lowmem\"", "low_mem"}},
        {"threads: -1\n", DH_EINVAL, {":1: ", "threads is -1", "[0, 4096]"}},
        {"\n\nthread: 2\n", DH_ENAME, {":3: ", "\"thread\"", "threads"}},
        {"device: opncl\n", DH_ENAME, {":1: ", "\"opncl\"", "opencl"}},
        {"device: opencl:16\n", DH_EINVAL, {":1: ", "\"opencl:16\"", "[0, 15]"}},
        {"device: opencl:x\n", DH_EINVAL, {":1: ", "\"opencl:x\"", "[0, 15]"}},
        {"device: opencl:1\nmask: [1]\n", DH_EINVAL, {":2: ", "mask", "\"opencl:1\""}},
        {"device: opencl\nmask: [1, 2]\n", DH_EINVAL, {":2: ", "mask[1] is 2", "[0, 1]"}},
        {"device: opencl\nmask: [1, 1, 1]\nreplicas: 2\n",
         DH_EINVAL,
         {":3: ", "replicas is 2", "chooses 3"}},
        {"replicas: 65\n", DH_EINVAL, {":1: ", "replicas is 65", "[0, 64]"}},
        {"lsb: 0\n", DH_EINVAL, {":1: ", "lsb is 0", "[1, "}},
        {"fallback: gpu\n", DH_ENAME, {":1: ", "\"gpu\"", "cpu"}},
        {"threads: many\n", DH_EINVAL, {":1: ", "threads", "many"}},
        {"- cpu\n", DH_EFORMAT, {":1: ", "is a list", "must be a map"}},
        {"cpu\n", DH_EFORMAT, {":1: ", "is a single value", "must be a map"}},
        {"threads: [1\n", DH_EFORMAT, {":", "", ""}},
        {"hosts: node1\n", DH_EFORMAT, {":1: ", "hosts is a single value", "list"}},
        {"hosts:\n  - threads: 2\n", DH_EINVAL, {":2: ", "host has no name", ""}},
        {"hosts:\n  - name: a\n    threads: 2\n  - name: b\n    mask: [3]\n",
         DH_EINVAL,
         {":5: ", "mask[0] is 3", "[0, 1]"}},
        {"hosts:\n  - [1]\n", DH_EFORMAT, {":2: ", "is a list", "map"}},
        {"threads: 4\nhosts:\n  - name: node1\n    device: cuda\n    mask: [1, 1]\n",
         DH_EMISSING,
         {":3: ", "\"node1\"", "MPI"}},
    };
    for (size_t i = 0; i < DH_COUNT(cases); i++) {
        dh_cs cs, before;
        memset(&before, 0x55, sizeof before);
        dh_status status = load(&cs, cases[i].text);
        if (status != cases[i].status) print_error("case %zu: %s\n", i, dh_error_text());
        assert_error(status, cases[i].status, "cs_load: ", path, cases[i].words[0],
                     cases[i].words[1], cases[i].words[2]);
        assert_memory_equal(&cs, &before, sizeof cs);
    }
    dh_cs cs;
    assert_error(dh_cs_load(&cs, "/no/such/file.yaml"), DH_ENOTFOUND,
                 "cs_load: ", "/no/such/file.yaml");
    assert_error(dh_cs_load(&cs, NULL), DH_EINVAL, "cs_load: path is NULL");
    assert_error(dh_cs_load(NULL, path), DH_EINVAL, "cs_load: out is NULL");
}

static void each_allocation_fails(void **state)
{
    (void)state;
    if (is_missing()) skip();
    const char *texts[] = {"device: opencl\nmask: [1, 0, 1]\n",
                           "threads: 2\nhosts:\n  - name: a\n    mask: [1]\n"};
    for (size_t i = 0; i < DH_COUNT(texts); i++) {
        dh_cs cs;
        dh_memory_stats before, after;
        dh_status whole = load(&cs, texts[i]), status = DH_ENOMEM;
        assert_int_equal(whole, i ? DH_EMISSING : DH_OK);
        dh_get_memory_stats(&before);
        uint64_t n = 1;
        for (; status == DH_ENOMEM; n++) {
            dh_alloc_fail_at(n);
            status = dh_cs_load(&cs, path);
            dh_alloc_fail_at(0);
            dh_get_memory_stats(&after);
            assert_int_equal(after.live_blocks, before.live_blocks);
        }
        assert_int_equal(status, whole);
        assert_true(n > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_files_say),
        cmocka_unit_test(each_mistake_has_its_line),
        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_file);
}
