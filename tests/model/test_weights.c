/* SPDX-License-Identifier: MIT */
/* Weights on disk: what is saved comes back bit for bit, what does not fit is listed, what is
 * broken is refused, and nothing has changed then. */
#include "model_test.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deephealth/tensor_io.h>

static char dir[] = "/tmp/dh_weights_XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void remove_all(void)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') unlink(path_of(e->d_name));
    closedir(d);
}

static int files_there(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static bytes slurp(const char *path)
{
    bytes b = {NULL, 0};
    struct stat info;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &info), 0);
    b.size = (size_t)info.st_size;
    b.data = malloc(b.size + 1);
    assert_non_null(b.data);
    assert_int_equal(fread(b.data, 1, b.size, f), b.size);
    fclose(f);
    return b;
}

static void spill(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Batch norm for its states, layer norm, a layer without bias, a name of the user's. */
static dh_model *make_net(int hidden, uint64_t seed)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_dense(dh_input(net, {6}), hidden, .activation = "relu", .name = "first");
    x = dh_layer_normalization(dh_batch_normalization(x));
    x = dh_softmax(dh_dense(x, 3, .no_bias = true));
    assert_ok(dh_build(net, x, .optimizer = dh_adam(0.01f), .loss = "cross_entropy", .seed = seed));
    return net;
}

static dh_model *make_trained(dh_tensor **x)
{
    dh_tensor *y;
    dh_model *net = make_net(17, 1);
    make_blobs(x, &y, 50, 6, 3, 2);
    assert_ok(dh_fit(net, *x, y, .batch_size = 16, .epochs = 3, .quiet = true));
    dh_tensor_free(y);
    return net;
}

static void assert_same_predictions(dh_model *a, dh_model *b, const dh_tensor *x, bool want)
{
    dh_tensor *p, *q;
    assert_ok(dh_predict(&p, a, x));
    assert_ok(dh_predict(&q, b, x));
    bool same =
        !memcmp(dh_tensor_data(p), dh_tensor_data(q), (size_t)dh_tensor_count(p) * sizeof(float));
    dh_tensor_free(p);
    dh_tensor_free(q);
    assert_int_equal(same, want);
}

/* --- round trips --- */

static void predictions_come_back_bit_for_bit(void **state)
{
    dh_tensor *x;
    char before[65], after[65];
    (void)state;
    dh_model *net = make_trained(&x), *other = make_net(17, 99);
    assert_ok(dh_save_weights(net, path_of("w")));
    assert_same_predictions(net, other, x, false); /* also: a plan over the old weights is there */
    assert_ok(dh_load_weights(other, path_of("w")));
    assert_same_predictions(net, other, x, true);
    assert_ok(dh_model_sha256(before, net));
    assert_ok(dh_model_sha256(after, other));
    assert_string_equal(before, after);
    assert_ok(dh_save_weights(other, path_of("v")));
    bytes a = slurp(path_of("w")), b = slurp(path_of("v"));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    free(a.data);
    free(b.data);
    dh_model_free(net);
    dh_model_free(other);
    dh_tensor_free(x);
    remove_all();
}

static void names_and_states_are_in_the_file(void **state)
{
    static const char *const names[] = {
        "first/weight",
        "first/bias",
        "batch_normalization1/running_mean",
        "batch_normalization1/running_var",
        "batch_normalization1/gamma",
        "batch_normalization1/beta",
        "layer_normalization1/gamma",
        "layer_normalization1/beta",
        "dense2/weight", /* the second dense layer; the first one has its own name */
    };
    const int count = (int)(sizeof names / sizeof *names);
    dh_tensor *x, *t, *mine;
    dh_safetensors *file;
    (void)state;
    dh_model *net = make_trained(&x);
    assert_ok(dh_save_weights(net, path_of("w")));
    assert_ok(dh_safetensors_open(&file, path_of("w")));
    assert_int_equal(dh_safetensors_count(file), count);
    assert_int_equal(dh_model_parameter_count(net), count);
    for (int i = 0; i < count; i++) {
        assert_ok(dh_safetensors_get(&t, file, names[i]));
        assert_ok(dh_model_parameter(&mine, net, names[i]));
        assert_int_equal(dh_tensor_dtype(t), DH_F32);
        assert_int_equal(dh_tensor_count(t), dh_tensor_count(mine));
        for (int64_t k = 0; k < dh_tensor_count(t); k++) assert_true(at(t, k) == at(mine, k));
        dh_tensor_free(t);
        dh_tensor_free(mine);
    }
    double mean; /* training has moved the state */
    assert_ok(dh_safetensors_get(&t, file, names[2]));
    assert_ok(dh_tensor_get(&mean, t, (const int64_t[]){0}));
    assert_true(mean != 0);
    dh_tensor_free(t);
    dh_safetensors_free(file);
    dh_model_free(net);
    dh_tensor_free(x);
    remove_all();
}

/* Saving over the file that was loaded, and the file going away, harm no one. */
static void the_file_may_go_after_loading(void **state)
{
    dh_tensor *x;
    (void)state;
    dh_model *net = make_trained(&x), *other = make_net(17, 5);
    assert_ok(dh_save_weights(net, path_of("w")));
    assert_ok(dh_load_weights(other, path_of("w")));
    assert_ok(dh_save_weights(other, path_of("w"))); /* over itself */
    spill(path_of("w"), "", 0);
    assert_same_predictions(net, other, x, true);
    dh_model_free(net);
    dh_model_free(other);
    dh_tensor_free(x);
    remove_all();
}

/* --- what does not fit --- */

static void a_mismatch_lists_all(void **state)
{
    char before[65], after[65];
    (void)state;
    dh_model *net = dh_model_new("a"), *other = make_net(17, 1);
    dh_layer *h = dh_dense(dh_input(net, {6}), 5, .name = "first");
    assert_ok(dh_build(net, dh_dense(h, 3, .name = "last"), .loss = "mse"));
    assert_ok(dh_save_weights(net, path_of("w")));
    assert_ok(dh_model_sha256(before, other));
    assert_error(dh_load_weights(other, path_of("w")), DH_EFORMAT, "load_weights", path_of("w"),
                 "missing 7", "batch_normalization1/running_mean", "dense2/weight", "extra 2",
                 "last/weight", "last/bias", "another shape or dtype 2", "first/weight", "[6, 5]",
                 "[6, 17]", "first/bias");
    assert_null(strchr(dh_error_text(), '\n'));
    assert_ok(dh_model_sha256(after, other));
    assert_string_equal(before, after);
    dh_model_free(net);
    dh_model_free(other);
    remove_all();
}

static void another_dtype_is_a_mismatch(void **state)
{
    dh_tensor *w, *b;
    (void)state;
    dh_model *net = dh_model_new("a");
    assert_ok(dh_build(net, dh_dense(dh_input(net, {2}), 3)));
    assert_ok(dh_tensor_ones(&w, {2, 3}, .dtype = DH_F16));
    assert_ok(dh_tensor_ones(&b, {3}));
    assert_ok(dh_safetensors_save(path_of("w"),
                                  (const char *const[]){"dense1/weight", "dense1/bias"},
                                  (const dh_tensor *const[]){w, b}, 2));
    assert_error(dh_load_weights(net, path_of("w")), DH_EFORMAT, "dense1/weight", "f16", "f32");
    dh_tensor_free(w);
    dh_tensor_free(b);
    dh_model_free(net);
    remove_all();
}

static void long_lists_are_cut(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("deep"), *other = dh_model_new("other");
    dh_layer *x = dh_input(net, {2});
    for (int i = 0; i < 40; i++) x = dh_dense(x, 2);
    assert_ok(dh_build(net, x));
    x = dh_dense(dh_input(other, {2}), 2, .name = "alone");
    assert_ok(dh_build(other, x));
    assert_ok(dh_save_weights(other, path_of("w")));
    assert_error(dh_load_weights(net, path_of("w")), DH_EFORMAT, "missing 80", "dense1/weight",
                 "...", "extra 2", "alone/weight");
    dh_model_free(net);
    dh_model_free(other);
    remove_all();
}

static void calls_out_of_order_are_said(void **state)
{
    (void)state;
    dh_model *net = dh_model_new("early"), *built = make_net(3, 1);
    assert_error(dh_save_weights(net, path_of("w")), DH_ESTATE, "early", "dh_build");
    assert_error(dh_load_weights(net, path_of("w")), DH_ESTATE, "early", "dh_build");
    assert_error(dh_save_weights(NULL, path_of("w")), DH_EINVAL, "save_weights", "model", "NULL");
    assert_error(dh_load_weights(NULL, path_of("w")), DH_EINVAL, "load_weights", "model", "NULL");
    assert_error(dh_save_weights(built, NULL), DH_EINVAL, "save_weights", "path", "NULL");
    assert_error(dh_load_weights(built, NULL), DH_EINVAL, "load_weights", "path", "NULL");
    assert_error(dh_load_weights(built, path_of("none")), DH_ENOTFOUND, path_of("none"));
    assert_error(dh_load_weights(built, dir), DH_EIO, dir);
    assert_error(dh_save_weights(built, path_of("no/where")), DH_ENOTFOUND, path_of("no/where"));
    dh_model_free(net);
    dh_model_free(built);
    assert_int_equal(files_there(), 0);
}

/* --- broken files --- */

/* Loading `data` fails with a line that names the file, and changes nothing. */
static void assert_refused(dh_model *net, const void *data, size_t size, const char *what)
{
    char before[65], after[65];
    dh_memory_stats first, second;
    const char *path = path_of("broken");
    spill(path, data, size);
    assert_ok(dh_model_sha256(before, net));
    dh_get_memory_stats(&first);
    dh_status status = dh_load_weights(net, path);
    dh_get_memory_stats(&second);
    if (status != DH_EFORMAT && status != DH_EDTYPE && status != DH_EUNSUPPORTED &&
        status != DH_EOVERFLOW)
        fail_msg("%s: %s \"%s\"", what, dh_status_name(status), status ? dh_error_text() : "");
    if (!strstr(dh_error_text(), path)) fail_msg("%s: \"%s\"", what, dh_error_text());
    assert_int_equal(first.live_blocks, second.live_blocks);
    assert_ok(dh_model_sha256(after, net));
    assert_string_equal(before, after);
}

static void truncated_files_are_refused(void **state)
{
    char what[64];
    (void)state;
    dh_model *net = make_net(5, 1);
    assert_ok(dh_save_weights(net, path_of("w")));
    bytes b = slurp(path_of("w"));
    for (size_t size = 0; size < b.size; size += size < 24 || size + 24 > b.size ? 1 : 13) {
        snprintf(what, sizeof what, "%zu of %zu bytes", size, b.size);
        assert_refused(net, b.data, size, what);
    }
    b.data[b.size] = 0; /* one more than there should be */
    assert_refused(net, b.data, b.size + 1, "one byte more");
    free(b.data);
    dh_model_free(net);
    remove_all();
}

static void hostile_headers_are_refused(void **state)
{
    static const char *const headers[] = {
        "",
        "{",
        "[]",
        "{\"dense1/weight\":{}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[24,0]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[-24,24]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,9000000000]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
        "\"data_offsets\":[0,0]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9],"
        "\"data_offsets\":[0,36]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[-2,-3],\"data_offsets\":[0,24]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,6],"
        "\"data_offsets\":[0,24]}}",
        "{\"dense1/weight\":{\"dtype\":\"C64\",\"shape\":[2,3],\"data_offsets\":[0,48]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[24,48]}}",
        "{\"dense1/weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"dense1/bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}",
        "{\"dense1/weight\":\"\\ud800\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 7, INT64_MAX, 1u << 30, 100000001};
    unsigned char file[1024];
    (void)state;
    dh_model *net = dh_model_new("a");
    assert_ok(dh_build(net, dh_dense(dh_input(net, {2}), 3)));
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        uint64_t n = strlen(headers[i]);
        memset(file, 0, sizeof file);
        memcpy(file, &n, sizeof n); /* little-endian, as every machine we test on */
        memcpy(file + 8, headers[i], n);
        assert_refused(net, file, 8 + n + 36, headers[i]);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(file, ' ', sizeof file);
        memcpy(file, &sizes[i], sizeof sizes[i]);
        assert_refused(net, file, sizeof file, "header size");
    }
    dh_model_free(net);
    remove_all();
}

/* Any one byte of the header changed: an error or, where it only renames, a mismatch. No crash. */
static void flipped_bytes_are_survived(void **state)
{
    char before[65], after[65];
    uint64_t header;
    (void)state;
    dh_model *net = make_net(3, 1);
    assert_ok(dh_save_weights(net, path_of("w")));
    assert_ok(dh_model_sha256(before, net));
    bytes b = slurp(path_of("w"));
    memcpy(&header, b.data, sizeof header);
    for (size_t i = 0; i < 8 + header; i++) {
        unsigned char kept = b.data[i];
        b.data[i] = (unsigned char)(kept ^ (1u << i % 8));
        spill(path_of("broken"), b.data, b.size);
        dh_status status = dh_load_weights(net, path_of("broken"));
        assert_ok(dh_model_sha256(after, net));
        if (status && strcmp(before, after)) fail_msg("byte %zu: a failure changed the weights", i);
        if (!status) assert_ok(dh_load_weights(net, path_of("w")));
        b.data[i] = kept;
    }
    free(b.data);
    dh_model_free(net);
    remove_all();
}

/* --- a full disk --- */

static void a_full_disk_leaves_the_old_file(void **state)
{
    struct rlimit old, tight;
    dh_tensor *x;
    (void)state;
    dh_model *small = make_trained(&x), *big = dh_model_new("big");
    assert_ok(dh_save_weights(small, path_of("w")));
    bytes before = slurp(path_of("w"));
    assert_ok(dh_build(big, dh_dense(dh_input(big, {300}), 300)));

    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t limit = 0; limit <= 300000; limit += 100000) { /* the file has 360,000 bytes */
        tight = old;
        tight.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        dh_status status = dh_save_weights(big, path_of("w"));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_error(status, DH_EIO, path_of("w"), "File too large");
        bytes after = slurp(path_of("w"));
        assert_int_equal(after.size, before.size);
        assert_memory_equal(after.data, before.data, before.size);
        free(after.data);
        assert_int_equal(files_there(), 1); /* nothing temporary is left */
    }
    signal(SIGXFSZ, handler);
    assert_ok(dh_save_weights(big, path_of("w")));
    free(before.data);
    dh_model_free(small);
    dh_model_free(big);
    dh_tensor_free(x);
    remove_all();
}

/* /dev/full refuses every byte; it is a device, written in place. */
static void a_device_without_room_is_said(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK)) skip();
    dh_model *net = make_net(5, 1);
    assert_error(dh_save_weights(net, "/dev/full"), DH_EIO, "/dev/full", "No space left");
    dh_model_free(net);
}

/* Each allocation of saving and loading fails in turn: old file and old weights stay. */
static void failing_allocations_change_nothing(void **state)
{
    char before[65], after[65];
    dh_memory_stats first, second;
    (void)state;
    dh_model *net = make_net(5, 1), *other = make_net(5, 2);
    assert_ok(dh_save_weights(net, path_of("w")));
    assert_ok(dh_model_sha256(before, other));
    for (int what = 0; what < 2; what++) {
        dh_status status = DH_ENOMEM;
        for (uint64_t n = 1; status; n++) {
            dh_get_memory_stats(&first);
            dh_alloc_fail_at(n);
            status =
                what ? dh_load_weights(other, path_of("w")) : dh_save_weights(net, path_of("v"));
            dh_alloc_fail_at(0);
            dh_get_memory_stats(&second);
            assert_int_equal(first.live_blocks, second.live_blocks);
            assert_ok(dh_model_sha256(after, other));
            if (!status) break;
            assert_int_equal(status, DH_ENOMEM);
            assert_string_equal(before, after);
            assert_int_equal(files_there(), 1 + what);
        }
    }
    assert_ok(dh_model_sha256(before, net));
    assert_string_equal(before, after);
    dh_model_free(net);
    dh_model_free(other);
    remove_all();
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    remove_all(); /* after a failure */
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_come_back_bit_for_bit),
        cmocka_unit_test(names_and_states_are_in_the_file),
        cmocka_unit_test(the_file_may_go_after_loading),
        cmocka_unit_test(a_mismatch_lists_all),
        cmocka_unit_test(another_dtype_is_a_mismatch),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(calls_out_of_order_are_said),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(flipped_bytes_are_survived),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(a_device_without_room_is_said),
        cmocka_unit_test(failing_allocations_change_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
