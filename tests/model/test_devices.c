/* SPDX-License-Identifier: MIT */
/* A model on a device whose memory the host cannot touch: the same numbers as on the CPU, the way
 * there and back, what is copied, what it lacks, and each of its calls failing in turn. */
#include <stdlib.h>
#include <unistd.h>

#include "fake_device.h"
#include "folder_test.h"
#include "model_test.h"

#define ROWS 23
#define WIDE 5

static int add_driver(void **state)
{
    (void)state;
    return dh_driver_add(&fake_driver);
}

/* As if the device were new. */
static int clean(void **state)
{
    (void)state;
    size_t used = fake.used;
    memset(fake.lacks, 0, sizeof fake.lacks);
    fake.fail_at = -1;
    fake.lost = false;
    fake.memory = 0;
    return used ? -1 : 0;
}

static dh_cs on(const char *device)
{
    dh_cs cs = dh_cs_cpu(.threads = 2);
    cs.device = device;
    return cs;
}

/* With what training keeps: moments, running statistics, random numbers. */
static dh_model *network(dh_cs device, const char *loss)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_input(net, {WIDE});
    x = dh_dense(x, 7, .name = "hidden");
    x = dh_relu(dh_batch_normalization(x, .synchronized = true));
    x = dh_dropout(x, 0.2f);
    x = dh_softmax(dh_dense(x, 3, .name = "last"));
    assert_ok(dh_build(net, x, .loss = loss, .metrics = {"categorical_accuracy", "mse"},
                       .optimizer = dh_sgd(0.05f, .momentum = 0.9f), .seed = 11, .device = device,
                       .keep = {dh_model_layer(net, "hidden")}));
    return net;
}

typedef struct figures {
    double loss, accuracy, evaluated;
    char sha[65];
    float predicted[ROWS * 3], hidden[8 * 7];
} figures;

static void use(figures *f, dh_model *net)
{
    dh_tensor *x, *y, *p, *h, *part;
    dh_result r;
    int epochs;
    memset(f, 0, sizeof *f);
    make_blobs(&x, &y, ROWS, WIDE, 3, 5);
    assert_ok(dh_fit(net, x, y, .batch_size = 8, .epochs = 3, .quiet = true));
    const dh_epoch *last = dh_model_history(net, &epochs) + 2;
    assert_int_equal(epochs, 3);
    f->loss = last->train.loss;
    f->accuracy = last->train.metrics[0];
    assert_ok(dh_evaluate(net, x, y, .batch_size = 8, .result = &r, .quiet = true));
    f->evaluated = r.loss;
    assert_ok(dh_model_sha256(f->sha, net));
    assert_ok(dh_predict(&p, net, x, .batch_size = 8));
    memcpy(f->predicted, dh_tensor_data(p), sizeof f->predicted);
    assert_ok(dh_tensor_slice(&part, x, "0:8"));
    assert_ok(dh_forward(net, (const dh_tensor *[]){part}, false));
    assert_ok(dh_layer_output(&h, dh_model_layer(net, "hidden")));
    memcpy(f->hidden, dh_tensor_data(h), sizeof f->hidden);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_tensor_free(p);
    dh_tensor_free(h);
    dh_tensor_free(part);
}

static void a_model_learns_the_same(void **state)
{
    (void)state;
    figures here, there;
    dh_model *a = network(on("cpu"), "cross_entropy"), *b = network(on("fake:1"), "cross_entropy");
    assert_string_equal(dh_model_device(b), "fake:1");
    use(&here, a);
    use(&there, b);
    assert_near(there.loss, here.loss, 1e-5);
    assert_near(there.accuracy, here.accuracy, 0);
    assert_near(there.evaluated, here.evaluated, 1e-5);
    for (int i = 0; i < ROWS * 3; i++) assert_near(there.predicted[i], here.predicted[i], 1e-5);
    for (int i = 0; i < 8 * 7; i++) assert_near(there.hidden[i], here.hidden[i], 1e-5);
    dh_model_free(a);
    dh_model_free(b);
}

/* --- the way there and back --- */

static void epoch(dh_model *net, const dh_tensor *x, const dh_tensor *y)
{
    assert_ok(dh_fit(net, x, y, .batch_size = 8, .epochs = 1, .quiet = true));
}

static void a_model_moves(void **state)
{
    (void)state;
    char stays[65], moves[65], back[65];
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, WIDE, 3, 5);
    dh_model *a = network(on("fake"), "mse"), *b = network(on("fake"), "mse");
    for (int i = 0; i < 3; i++) epoch(a, x, y);
    epoch(b, x, y);
    assert_ok(dh_model_to_device(b, on("fake:1")));
    assert_string_equal(dh_model_device(b), "fake:1");
    epoch(b, x, y);
    assert_ok(dh_model_to_cpu(b, .threads = 1));
    assert_string_equal(dh_model_device(b), "cpu");
    assert_ok(dh_model_to_device(b, on("fake:0")));
    epoch(b, x, y);
    assert_ok(dh_model_sha256(stays, a));
    assert_ok(dh_model_sha256(moves, b));
    assert_string_equal(stays, moves);
    assert_ok(dh_model_to_cpu(b));
    assert_ok(dh_model_sha256(back, b));
    assert_string_equal(stays, back);
    epoch(b, x, y);
    dh_model_free(a);
    dh_model_free(b);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void who_holds_its_memory_keeps_it_there(void **state)
{
    (void)state;
    dh_tensor *held;
    dh_session *session;
    dh_model *net = network(on("fake"), "mse");
    assert_ok(dh_model_parameter(&held, net, "last/weight"));
    assert_string_equal(dh_tensor_device(held), "fake:0");
    assert_error(dh_model_to_cpu(net), DH_ESTATE, "model_to_cpu: ", "parameters", "held");
    dh_tensor_free(held);
    assert_ok(dh_session_new(&session, net));
    assert_error(dh_model_to_cpu(net), DH_ESTATE, "1 session", "fake:0", "\"cpu\"");
    dh_session_free(session);
    dh_model *twin = dh_model_new("twin", .share = net);
    dh_layer *x = dh_input(twin, {WIDE});
    x = dh_dense(x, 7, .name = "hidden");
    assert_error(dh_build(twin, x, .loss = "mse"), DH_ESTATE, "shares", "fake:0", "\"cpu\"");
    assert_error(dh_model_to_cpu(net), DH_ESTATE, "shares");
    assert_ok(dh_build(twin, x, .loss = "mse", .device = on("fake:0")));
    dh_model_free(twin);
    assert_ok(dh_model_to_cpu(net));
    assert_ok(dh_build(net, dh_model_output(net, 0), .device = on("fake:1")));
    assert_string_equal(dh_model_device(net), "fake:1");
    dh_model_free(net);
}

/* Nothing lies anywhere before the first of them is built. */
static void models_that_share_go_together(void **state)
{
    (void)state;
    dh_model *a = dh_model_new("a"), *b = dh_model_new("b", .share = a);
    dh_layer *x = dh_input(a, {WIDE}), *y = dh_input(b, {WIDE});
    assert_ok(dh_build(a, dh_dense(x, 3, .name = "one"), .loss = "mse", .device = on("fake:1")));
    y = dh_dense(y, 3, .name = "one");
    assert_error(dh_build(b, y, .loss = "mse"), DH_ESTATE, "fake:1", "\"cpu\"");
    assert_ok(dh_build(b, y, .loss = "mse", .device = on("fake:1")));
    dh_tensor *in, *target;
    make_blobs(&in, &target, ROWS, WIDE, 3, 5);
    epoch(a, in, target);
    epoch(b, in, target);
    dh_model_free(b);
    dh_model_free(a);
    dh_tensor_free(in);
    dh_tensor_free(target);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    dh_model *net = network(on("cpu"), "mse");
    dh_cs cs = on("fake");
    cs.mask[2] = 1;
    assert_error(dh_model_to_device(net, cs), DH_ENOTFOUND, "mask[2] is 1", "2 fake devices");
    cs.mask[2] = 0;
    cs.mask[1] = 1;
    assert_ok(dh_model_to_device(net, cs));
    assert_string_equal(dh_model_device(net), "fake:1");
    cs.mask[0] = 1;
    cs.replicas = 1;
    assert_error(dh_model_to_device(net, cs), DH_EINVAL, "replicas is 1", "chooses 2 devices");
    cs.replicas = 0;
    cs.mask[0] = 2;
    assert_error(dh_model_to_device(net, cs), DH_EINVAL, "mask[0] is 2", "0 or 1");
    cs.mask[0] = 0;
    cs.lsb = -1;
    assert_error(dh_model_to_device(net, cs), DH_EINVAL, "lsb is -1");
    cs.lsb = 0;
    cs.fallback = "gpu";
    assert_error(dh_model_to_device(net, cs), DH_ENAME, "fallback is \"gpu\"", "\"cpu\"");
    assert_error(dh_model_to_device(net, on("fake:2")), DH_ENOTFOUND, "fake:2", "2 of fake");
    assert_error(dh_model_to_device(net, on("flake")), DH_ENAME, "flake", "fake");
    assert_error(dh_model_to_gpu(net, {1}), DH_EMISSING, "model_to_gpu: device: cuda: ", "no CUDA");
    assert_error(dh_model_to_gpu(net), DH_EMISSING, "model_to_gpu: ", "cuda: ", "no CUDA");
    assert_error(dh_model_to_cpu(net, .memory = "most"), DH_ENAME, "model_to_cpu: ", "most");
    assert_error(dh_model_to_cpu(NULL), DH_EINVAL, "model_to_cpu: ", "model is NULL");
    assert_string_equal(dh_model_device(net), "fake:1");
    assert_null(dh_model_device(NULL));
    dh_model_free(net);
}

/* --- several --- */

/* Two devices that share batches: the bits of two replicas on one device; and between averages no
 * more copies than the batch and the figures of both. */
static void two_devices_share_a_batch(void **state)
{
    (void)state;
    for (int lsb = 1; lsb < 4; lsb += 2) {
        figures here, there;
        dh_cs cs = on("fake:1");
        cs.lsb = lsb;
        cs.replicas = 2;
        dh_model *net = network(cs, "cross_entropy");
        use(&here, net);
        dh_model_free(net);
        cs.device = "fake";
        cs.mask[0] = cs.mask[1] = 1;
        net = network(cs, "cross_entropy");
        use(&there, net);
        assert_string_equal(here.sha, there.sha);
        assert_true(here.loss == there.loss && here.evaluated == there.evaluated);
        dh_model_free(net);
    }
    dh_tensor *x, *y;
    make_blobs(&x, &y, 8, WIDE, 3, 5);
    const dh_tensor *xs[] = {x, NULL}, *ys[] = {y, NULL};
    dh_cs cs = on("fake");
    cs.mask[0] = cs.mask[1] = 1;
    cs.lsb = 1000;
    dh_model *net = network(cs, "mse");
    for (int i = 0; i < 3; i++) {
        fake.bytes_in = fake.bytes_out = 0;
        assert_ok(dh_train_batch(net, xs, ys, NULL));
        if (!i) continue; /* the second one gets its parameters */
        assert_int_equal(fake.bytes_in, 8 * (WIDE + 3) * sizeof(float));
        assert_int_equal(fake.bytes_out, 2 * 5 * sizeof(float));
    }
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* --- the CPU steps in where it is asked to --- */

static void the_cpu_runs_what_the_device_lacks(void **state)
{
    (void)state;
    figures all, some;
    char *text;
    dh_cs cs = on("fake");
    dh_model *a = network(cs, "cross_entropy");
    use(&all, a);
    dh_model_free(a);
    fake.lacks[0] = DH_OP_BATCH_NORM_TRAIN;
    fake.lacks[1] = DH_OP_DROPOUT;
    fake.lacks[2] = DH_OP_SGD_STEP;
    fake.lacks[3] = DH_OP_LINEAR;
    dh_model *net = dh_model_new("net");
    assert_error(dh_build(net, dh_dense(dh_input(net, {2}), 2), .loss = "mse", .device = cs),
                 DH_EUNSUPPORTED, "linear: device \"fake:0\" does not have this op",
                 "the test wants it so");
    dh_model_free(net);
    cs.fallback = "cpu";
    a = network(cs, "cross_entropy");
    use(&some, a);
    assert_near(some.loss, all.loss, 1e-5);
    for (int i = 0; i < ROWS * 3; i++) assert_near(some.predicted[i], all.predicted[i], 1e-5);
    assert_ok(dh_summary_text(&text, a, 8));
    assert_non_null(strstr(text, "cpu"));
    assert_non_null(strstr(text, "fake"));
    dh_text_free(text);
    dh_model_free(a);
}

/* --- what is copied --- */

static void a_step_copies_the_batch_and_the_figures(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    dh_model *net = network(on("fake"), "mse");
    make_blobs(&x, &y, 8, WIDE, 3, 5);
    const dh_tensor *xs[] = {x, NULL}, *ys[] = {y, NULL};
    for (int i = 0; i < 3; i++) {
        fake.bytes_in = fake.bytes_out = 0;
        assert_ok(dh_train_batch(net, xs, ys, NULL));
        if (!i) continue;
        assert_int_equal(fake.bytes_in, 8 * (WIDE + 3) * sizeof(float));
        /* the loss, looked at before gradients; loss and loss of the output; two metrics */
        assert_int_equal(fake.bytes_out, 5 * sizeof(float));
    }
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* --- failures --- */

#define PARAMETERS 4
#define LARGEST    64

typedef struct steps { /* parameters before the first step, and after each */
    float values[8][PARAMETERS][LARGEST];
    int count;
} steps;

static void note_parameters(float values[PARAMETERS][LARGEST], const dh_model *net)
{
    assert_int_equal(dh_model_parameter_count(net), PARAMETERS);
    memset(values, 0, sizeof(float) * PARAMETERS * LARGEST);
    for (int i = 0; i < PARAMETERS; i++) {
        dh_tensor *t;
        assert_ok(dh_model_parameter(&t, net, dh_model_parameter_name(net, i)));
        assert_in_range(dh_tensor_count(t), 1, LARGEST);
        read_floats(values[i], t);
        dh_tensor_free(t);
    }
}

static dh_status note_step(dh_callback *callback, dh_event *e)
{
    steps *s = callback->payload;
    assert_in_range(s->count, 0, 7);
    note_parameters(s->values[s->count++], e->model);
    return DH_OK;
}

static dh_status build_and_train(dh_model **net, const dh_tensor *x, const dh_tensor *y, dh_cs cs,
                                 steps *note)
{
    dh_layer *in = dh_input(*net, {WIDE});
    dh_layer *out = dh_softmax(dh_dense(dh_relu(dh_dense(in, 7)), 3));
    DH_TRY(dh_build(*net, out, .loss = "cross_entropy", .metrics = {"mse"}, .device = cs,
                    .optimizer = dh_sgd(0.05f, .momentum = 0.9f)));
    dh_callback call = {0};
    if (note)
        call = (dh_callback){
            .call = note_step, .payload = note, .moments = DH_FIT_BEGIN | DH_STEP_END};
    return dh_fit(*net, x, y, .batch_size = 8, .epochs = 1, .quiet = true, .callbacks = {call});
}

/* All of one step, but that some have the next update already where that failed midway. */
static bool is_good_step(const steps *s, const dh_model *net)
{
    float now[PARAMETERS][LARGEST];
    note_parameters(now, net);
    for (int k = 0; k < s->count; k++) {
        bool good = true;
        for (int i = 0; i < PARAMETERS; i++)
            good &= !memcmp(now[i], s->values[k][i], sizeof now[i]) ||
                    (k + 1 < s->count && !memcmp(now[i], s->values[k + 1][i], sizeof now[i]));
        if (good) return true;
    }
    return false;
}

static bool device_failed(dh_status status)
{
    return status == DH_EDEVICE && strstr(dh_error_text(), "as the test wants it");
}

/* lost: every call after the first failure fails as well. */
static void fail_each(bool lost, dh_cs cs)
{
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, WIDE, 3, 5);
    dh_memory_stats before, after;
    steps good = {.count = 0};
    dh_model *whole = dh_model_new("net");
    assert_ok(build_and_train(&whole, x, y, cs, &good));
    assert_int_equal(good.count, 4);
    dh_model_free(whole);
    int64_t n = 1;
    int was_rescued = 0;
    for (bool done = false; !done; n++) {
        dh_get_memory_stats(&before);
        dh_model *net = dh_model_new("net");
        fake.lost = lost;
        fake.fail_at = n;
        dh_status status = build_and_train(&net, x, y, cs, NULL);
        done = status == DH_OK;
        if (!done && !device_failed(status))
            fail_msg("call %lld: %s", (long long)n, dh_error_text());
        if (!done && net && dh_model_device(net) && !strcmp(dh_model_device(net), "fake:0"))
            if (!dh_model_to_cpu(net)) { /* its last good step is there, and it goes on */
                assert_true(cs.lsb > 1 || is_good_step(&good, net));
                assert_ok(dh_fit(net, x, y, .batch_size = 8, .epochs = 1, .quiet = true));
            }
        was_rescued += !done && lost && net && !strcmp(dh_model_device(net), "cpu");
        fake.fail_at = -1;
        fake.lost = false;
        dh_model_free(net);
        dh_get_memory_stats(&after);
        assert_int_equal(after.live_blocks, before.live_blocks);
        assert_int_equal(fake.used, 0);
        assert_true(n < 100000);
    }
    assert_true(n > 50);
    assert_true(was_rescued > 20 || !lost);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void each_call_of_the_device_fails(void **state)
{
    (void)state;
    fail_each(false, on("fake"));
}

static void each_call_of_two_devices_fails(void **state)
{
    (void)state;
    for (int lsb = 1; lsb < 3; lsb++) {
        dh_cs cs = on("fake");
        cs.mask[0] = cs.mask[1] = 1;
        cs.lsb = lsb;
        fail_each(false, cs);
    }
}

static void the_device_is_lost(void **state)
{
    (void)state;
    dh_set_log_level(DH_LOG_ERROR); /* each loss is a warning */
    fail_each(true, on("fake"));
    dh_set_log_level(DH_LOG_INFO);
}

/* Memory of the host that can't be had, wherever it is wanted, changes nothing on the devices. */
static void each_allocation_fails(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, WIDE, 3, 5);
    for (int devices = 1; devices < 3; devices++) {
        dh_cs cs = on("fake");
        cs.mask[0] = cs.mask[1] = devices == 2;
        steps good = {.count = 0};
        dh_model *whole = dh_model_new("net");
        assert_ok(build_and_train(&whole, x, y, cs, &good));
        dh_model_free(whole);
        int refusals = 0;
        for (uint64_t n = 1; n < 100000; n += 1 + n / 64) {
            dh_memory_stats before, after;
            dh_get_memory_stats(&before);
            dh_model *net = dh_model_new("net");
            dh_alloc_fail_at(n);
            dh_status status = build_and_train(&net, x, y, cs, NULL);
            dh_alloc_fail_at(0);
            if (status) expect_error(status, DH_ENOMEM, (const char *const[]){"alloc", NULL});
            if (status && !strcmp(dh_model_device(net), "fake:0")) {
                dh_status moved = dh_model_to_cpu(net);
                if (moved) {
                    expect_error(moved, DH_ESTATE, (const char *const[]){"is not built", NULL});
                } else {
                    assert_true(is_good_step(&good, net));
                    assert_ok(dh_fit(net, x, y, .batch_size = 8, .epochs = 1, .quiet = true));
                    refusals++;
                }
            }
            dh_model_free(net);
            dh_get_memory_stats(&after);
            assert_int_equal(after.live_blocks, before.live_blocks);
            assert_int_equal(fake.used, 0);
            if (!status) break;
        }
        assert_true(refusals > 10);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* What a lost device leaves is the end of the last epoch, and of what was loaded since. */
static void what_is_kept_is_the_last_epochs(void **state)
{
    fixture *f = *state;
    char sha[65], now[65], path[256];
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, WIDE, 3, 5);
    const dh_tensor *xs[] = {x, NULL}, *ys[] = {y, NULL};
    snprintf(path, sizeof path, "%s/kept.safetensors", f->dir);
    for (int loads = 0; loads < 2; loads++) {
        dh_model *net = network(on("fake"), "mse");
        epoch(net, x, y);
        if (loads) {
            dh_model *other = network(on("cpu"), "mse");
            assert_ok(dh_save_weights(other, path));
            assert_ok(dh_load_weights(net, path));
            dh_model_free(other);
        }
        assert_ok(dh_model_sha256(sha, net));
        fake.fail_at = 9;
        fake.lost = true;
        assert_error(dh_fit(net, x, y, .epochs = 1, .quiet = true), DH_EDEVICE,
                     "as the test wants");
        assert_int_equal(dh_model_to_device(net, on("fake:1")), DH_EDEVICE);
        assert_ok(dh_model_to_cpu(net));
        assert_ok(dh_model_sha256(now, net));
        assert_string_equal(sha, now);
        assert_ok(dh_train_batch(net, xs, ys, NULL));
        fake.fail_at = -1;
        fake.lost = false;
        dh_model_free(net);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

static void its_memory_is_too_small(void **state)
{
    (void)state;
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, WIDE, 3, 5);
    bool fits = false;
    for (size_t memory = 64; !fits; memory += 97) {
        dh_model *net = dh_model_new("net");
        fake.memory = memory;
        dh_status status = build_and_train(&net, x, y, on("fake"), NULL);
        fits = status == DH_OK;
        if (!fits) expect_error(status, DH_ENOMEM, (const char *const[]){"bytes asked", NULL});
        dh_model_free(net);
        assert_int_equal(fake.used, 0);
        assert_true(memory < 1000000);
    }
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* A step that does not fit names the layer where, what was asked and is free, and a level that
 * would fit; at that level the model goes on. */
static void a_level_that_fits_is_named(void **state)
{
    (void)state;
    static const char *const levels[] = {"mid_mem", "low_mem"};
    dh_tensor *x, *y;
    int named[2] = {0};
    bool fits = false;
    make_blobs(&x, &y, 64, 16, 3, 5);
    const dh_tensor *xs[] = {x, NULL}, *ys[] = {y, NULL};
    for (size_t memory = 20000; !fits; memory += 1500) {
        dh_model *net = dh_model_new("net");
        dh_layer *h = dh_input(net, {16});
        for (int i = 0; i < 6; i++) h = dh_sigmoid(dh_batch_normalization(dh_dense(h, 24)));
        fake.memory = memory;
        assert_ok(dh_build(net, dh_softmax(dh_dense(h, 3)), .loss = "cross_entropy",
                           .device = on("fake")));
        dh_status status = dh_train_batch(net, xs, ys, NULL);
        fits = status == DH_OK;
        const char *would = fits ? NULL : strstr(dh_error_text(), "would fit");
        if (!fits) assert_int_equal(status, DH_ENOMEM);
        for (int i = 0; i < 2 && would; i++) {
            if (!strstr(dh_error_text(), levels[i])) continue;
            named[i]++;
            assert_error(status, DH_ENOMEM, "train_batch: fake:0: ", " bytes asked, ", " are free",
                         "a step of 64 rows needs ", "\" needs the most, ");
            dh_cs cs = on("fake");
            cs.memory = 1 + i;
            assert_ok(dh_model_to_device(net, cs));
            assert_ok(dh_train_batch(net, xs, ys, NULL));
        }
        dh_model_free(net);
        assert_true(memory < 1000000);
    }
    assert_true(named[0] > 0 && named[1] > 0);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* --- files --- */

static void files_hold_the_same(void **state)
{
    fixture *f = *state;
    char path[256], sha[65], again[65];
    dh_model *net = network(on("fake"), "mse"), *other = network(on("fake:1"), "mse");
    dh_tensor *x, *y;
    make_blobs(&x, &y, ROWS, WIDE, 3, 5);
    epoch(net, x, y);
    snprintf(path, sizeof path, "%s/weights.safetensors", f->dir);
    assert_ok(dh_save_weights(net, path));
    assert_ok(dh_load_weights(other, path));
    assert_ok(dh_model_sha256(sha, net));
    assert_ok(dh_model_sha256(again, other));
    assert_string_equal(sha, again);
    snprintf(path, sizeof path, "%s/weights.png", f->dir);
    assert_ok(dh_model_plot_histograms(net, path, "weights"));
    assert_ok(dh_model_plot_histograms(net, path, "gradients"));
    snprintf(path, sizeof path, "%s/run", f->dir);
    for (int epochs = 1; epochs <= 2; epochs++) {
        dh_model *run = network(on("fake"), "mse");
        assert_ok(dh_fit(run, x, y, .batch_size = 8, .epochs = epochs, .quiet = true,
                         .checkpoint = path, .resume = true));
        assert_ok(dh_model_sha256(again, run));
        dh_model_free(run);
    }
    dh_model *whole = network(on("fake"), "mse");
    assert_ok(dh_fit(whole, x, y, .batch_size = 8, .epochs = 2, .quiet = true));
    assert_ok(dh_model_sha256(sha, whole));
    assert_string_equal(sha, again);
    remove_files(path);
    assert_int_equal(rmdir(path), 0);
    dh_model_free(whole);
    dh_model_free(net);
    dh_model_free(other);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* --- tensors --- */

static void elements_are_read_and_written(void **state)
{
    (void)state;
    dh_tensor *x, *there, *column;
    double v;
    assert_ok(dh_tensor_arange(&x, 0, 12, 1, DH_F32));
    assert_ok(dh_tensor_to_device(&there, x, "fake:0"));
    assert_ok(dh_tensor_set(there, (int64_t[]){-1}, 40));
    assert_ok(dh_tensor_get(&v, there, (int64_t[]){11}));
    assert_true(v == 40);
    assert_error(dh_tensor_get(&v, there, (int64_t[]){12}), DH_EINVAL, "index[0] is 12");
    assert_ok(dh_tensor_slice(&column, there, "1:12:5"));
    assert_error(dh_tensor_assign(column, x), DH_ESHAPE, "[12]", "[3]");
    dh_tensor *three, *back;
    assert_ok(dh_tensor_from_data(&three, (const int32_t[]){-1, -2, -3}, DH_I32, 1,
                                  (const int64_t[]){3}));
    assert_ok(dh_tensor_assign(column, three)); /* from the CPU, cast, to every fifth */
    assert_ok(dh_tensor_zeros(&back, {12}));
    assert_ok(dh_tensor_assign(back, there));
    const float want[] = {0, -1, 2, 3, 4, 5, -2, 7, 8, 9, 10, -3};
    assert_memory_equal(dh_tensor_data(back), want, sizeof want);
    fake.lost = true;
    fake.fail_at = 0;
    assert_error(dh_tensor_get(&v, there, (int64_t[]){0}), DH_EDEVICE, "tensor_get: ");
    assert_error(dh_tensor_set(there, (int64_t[]){0}, 1), DH_EDEVICE, "tensor_set: ");
    fake.fail_at = -1;
    dh_tensor *made[] = {x, there, column, three, back};
    for (size_t i = 0; i < DH_COUNT(made); i++) dh_tensor_free(made[i]);
    assert_int_equal(fake.used, 0);
}

static void tensors_are_there_too(void **state)
{
    (void)state;
    dh_tensor *x, *there, *second, *sum, *back, *view, *same;
    bool all;
    assert_ok(dh_tensor_arange(&x, 0, 12, 1, DH_F32));
    assert_ok(dh_tensor_to_device(&there, x, "fake:0"));
    assert_null(dh_tensor_data(there));
    assert_ok(dh_tensor_slice(&view, there, "11:1:-3"));
    assert_ok(dh_tensor_add(&sum, view, view));
    assert_string_equal(dh_tensor_device(sum), "fake:0");
    assert_ok(dh_tensor_to_device(&second, sum, "fake:1"));
    assert_error(dh_tensor_add(&back, sum, second), DH_EDEVICE, "fake:1", "fake:0");
    assert_ok(dh_tensor_to_device(&back, second, "cpu"));
    const float *y = dh_tensor_data(back), want[] = {22, 16, 10, 4};
    for (int i = 0; i < 4; i++) assert_near(y[i], want[i], 0);
    assert_ok(dh_tensor_add_scalar(&same, second, 0.5));
    assert_string_equal(dh_tensor_device(same), "fake:1");
    assert_ok(dh_tensor_allclose(&all, sum, sum, 0, 0, false));
    assert_true(all);
    dh_tensor *made[] = {x, there, second, sum, back, view, same};
    for (size_t i = 0; i < DH_COUNT(made); i++) dh_tensor_free(made[i]);
    assert_int_equal(fake.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_model_learns_the_same, clean),
        cmocka_unit_test_teardown(a_model_moves, clean),
        cmocka_unit_test_teardown(who_holds_its_memory_keeps_it_there, clean),
        cmocka_unit_test_teardown(models_that_share_go_together, clean),
        cmocka_unit_test_teardown(what_is_not_there_is_told, clean),
        cmocka_unit_test_teardown(two_devices_share_a_batch, clean),
        cmocka_unit_test_teardown(the_cpu_runs_what_the_device_lacks, clean),
        cmocka_unit_test_teardown(a_step_copies_the_batch_and_the_figures, clean),
        cmocka_unit_test_teardown(each_call_of_the_device_fails, clean),
        cmocka_unit_test_teardown(each_call_of_two_devices_fails, clean),
        cmocka_unit_test_teardown(each_allocation_fails, clean),
        cmocka_unit_test_teardown(the_device_is_lost, clean),
        cmocka_unit_test_teardown(its_memory_is_too_small, clean),
        cmocka_unit_test_teardown(a_level_that_fits_is_named, clean),
        cmocka_unit_test_setup_teardown(files_hold_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_is_the_last_epochs, set_up, tear_down),
        cmocka_unit_test_teardown(elements_are_read_and_written, clean),
        cmocka_unit_test_teardown(tensors_are_there_too, clean),
    };
    return cmocka_run_group_tests(tests, add_driver, NULL);
}
