/* SPDX-License-Identifier: MIT */
/* Checkpoints: a run broken off anywhere ends as one that was not; damaged and foreign files. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder_test.h"
#include "model_mistakes.h"

#define BATCH  4
#define STEPS  6 /* of an epoch */
#define EPOCHS 3

/* Randomness, running statistics, moments: all that has to come back. */
static dh_model *make_net(dh_optimizer optimizer, int accumulate, uint64_t seed)
{
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_batch_normalization(dh_dense(dh_input(net, {4}), 6, .name = "first"));
    h = dh_dropout(dh_activation(h, "relu"), 0.3f);
    assert_ok(dh_build(net, dh_softmax(dh_dense(h, 2, .name = "last")), .seed = seed,
                       .optimizer = optimizer, .loss = "cross_entropy",
                       .metrics = {"accuracy", "confusion_matrix"}, .accumulate = accumulate));
    return net;
}

static dh_status break_off(dh_callback *self, dh_event *e)
{
    const int64_t *at = self->payload;
    return e->total_step == *at ? DH_ECANCELLED : DH_OK;
}

/* What a program changes on its way, once. */
static dh_status change_at_second_epoch(dh_callback *self, dh_event *e)
{
    (void)self;
    if (e->epoch != 2) return DH_OK;
    dh_status status = dh_layer_freeze(dh_model_layer(e->model, "last"), true);
    if (!status) status = dh_model_lr_scale(e->model, "first/weight", 0.5f);
    return status ? status : dh_model_set_learning_rate(e->model, 0.013f);
}

typedef struct plan {
    int accumulate;
    int64_t every;
    int source; /* 0 tensors, 1 a source of tensors, 2 the same prefetched */
} plan;

/* A fit that ends with an error after step `until`; 0: never. */
static dh_status run(const fixture *f, dh_model *net, const plan *p, int64_t until, bool resume)
{
    dh_source *s = NULL;
    if (p->source) assert_ok(dh_source_tensors(&s, f->x, f->y, .batch_size = BATCH, .seed = 9));
    if (p->source == 2) assert_ok(dh_source_prefetch(&s, s));
    dh_status status =
        dh_fit(net, .x = s ? NULL : f->x, .y = s ? NULL : f->y, .batch_size = s ? 0 : BATCH,
               .source = s, .validation_x = f->x, .validation_y = f->y, .epochs = EPOCHS,
               .quiet = true, .checkpoint = f->dir, .checkpoint_steps = p->every, .resume = resume,
               .callbacks = {dh_lr_warmup(5),
                             dh_lr_cosine(.end = 0.1),
                             dh_lr_plateau(.patience = 1, .min_delta = 10, .factor = 0.5),
                             dh_early_stopping(.patience = 9),
                             {.call = change_at_second_epoch, .moments = DH_EPOCH_BEGIN},
                             {.call = break_off, .payload = &until, .moments = DH_STEP_END}});
    dh_source_free(s);
    return status;
}

static void same_history(const dh_model *a, const dh_model *b)
{
    int n, m;
    const dh_epoch *x = dh_model_history(a, &n), *y = dh_model_history(b, &m);
    assert_int_equal(n, m);
    for (int i = 0; i < n; i++) {
        assert_int_equal(x[i].epoch, y[i].epoch);
        assert_int_equal(x[i].train.samples, y[i].train.samples);
        assert_true(x[i].learning_rate == y[i].learning_rate);
        assert_true(x[i].train.loss == y[i].train.loss);
        assert_true(x[i].validation.loss == y[i].validation.loss);
        for (int k = 0; k < x[i].train.metric_count; k++)
            assert_true(x[i].train.metrics[k] == y[i].train.metrics[k]);
    }
}

static void a_broken_run_ends_like_a_whole_one(void **state)
{
    fixture *f = *state;
    static const plan plans[] = {{0, 1, 0}, {0, 4, 0}, {0, 0, 0}, {4, 3, 0}, {0, 5, 1}, {0, 2, 2}};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        char want[65], got[65];
        dh_model *whole = make_net(dh_adam(0.02f), plans[i].accumulate, 1);
        assert_ok(run(f, whole, &plans[i], 0, false));
        assert_ok(dh_model_sha256(want, whole));
        for (int64_t until = 1; until <= EPOCHS * STEPS; until++) {
            remove_files(f->dir);
            dh_model *first = make_net(dh_adam(0.02f), plans[i].accumulate, 1);
            assert_error(run(f, first, &plans[i], until, until % 2), DH_ECANCELLED, "fit");
            dh_model_free(first);
            dh_model *second = make_net(dh_adam(0.02f), plans[i].accumulate, 1);
            if (until % 3 == 0 && until < EPOCHS * STEPS) /* and broken off once more */
                assert_error(run(f, second, &plans[i], until + 1, true), DH_ECANCELLED, "fit");
            dh_model *last = make_net(dh_adam(0.02f), plans[i].accumulate, 1);
            assert_ok(run(f, last, &plans[i], 0, true));
            assert_ok(dh_model_sha256(got, last));
            assert_string_equal(got, want);
            same_history(last, whole);
            dh_model_free(second);
            dh_model_free(last);
        }
        remove_files(f->dir);
        dh_model_free(whole);
    }
}

/* Every optimiser's memory comes back. */
static void all_optimizers_come_back(void **state)
{
    fixture *f = *state;
    const dh_optimizer list[] = {dh_sgd(0.1f, .momentum = 0.9f),
                                 dh_adam(.amsgrad = true),
                                 dh_adamw(),
                                 dh_adamax(),
                                 dh_nadam(),
                                 dh_rmsprop(.momentum = 0.5f, .centered = true),
                                 dh_adagrad(),
                                 dh_adadelta()};
    static const plan p = {.every = 4};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char want[65], got[65];
        dh_model *net = make_net(list[i], 0, 1);
        assert_ok(run(f, net, &p, 0, false));
        assert_ok(dh_model_sha256(want, net));
        dh_model_free(net);
        remove_files(f->dir);
        net = make_net(list[i], 0, 1);
        assert_error(run(f, net, &p, 10, false), DH_ECANCELLED, "fit");
        dh_model_free(net);
        net = make_net(list[i], 0, 1);
        assert_ok(run(f, net, &p, 0, true));
        assert_ok(dh_model_sha256(got, net));
        assert_string_equal(got, want);
        dh_model_free(net);
        remove_files(f->dir);
    }
}

/* A run that has ended stays as it is; with more epochs it goes on as if it had had them. */
static void a_finished_run_can_be_prolonged(void **state)
{
    fixture *f = *state;
    char hex[3][65];
    for (int way = 0; way < 3; way++) { /* 4 epochs at once; 2, then 2 again; 2, then 4 */
        dh_model *net = make_net(dh_adam(), 0, 1);
        remove_files(f->dir);
        assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .checkpoint = f->dir,
                         .epochs = way ? 2 : 4));
        if (way)
            assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .resume = true,
                             .checkpoint = f->dir, .epochs = way == 1 ? 2 : 4));
        assert_ok(dh_model_sha256(hex[way], net));
        dh_model_free(net);
    }
    assert_string_equal(hex[0], hex[2]);
    assert_string_not_equal(hex[0], hex[1]);
}

static dh_status pause_at(dh_callback *self, dh_event *e)
{
    const int64_t *at = self->payload;
    if (e->total_step == at[0] && (int)e->moment == (int)at[1]) e->stop = true;
    return DH_OK;
}

/* An epoch that a stop breaks off is not ended, so that what watches it sees it once, when it is
 * whole. */
static void a_broken_epoch_is_taken_up_again(void **state)
{
    fixture *f = *state;
    char path[256], want[65], got[65];
    snprintf(path, sizeof path, "%s/best.safetensors", f->dir);
    for (int way = 0; way < 2; way++) { /* at once; broken off in the second epoch */
        dh_model *net = make_net(dh_adam(), 0, 1);
        int64_t at[2][2] = {{STEPS + 2, DH_STEP_END}, {0, 0}};
        int count;
        remove_files(f->dir);
        for (int i = way ? 0 : 1; i < 2; i++) {
            assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .epochs = 3,
                             .checkpoint = f->dir, .resume = true,
                             .callbacks = {{.call = pause_at, .payload = at[i]},
                                           dh_best_weights(path, "loss")}));
            dh_model_history(net, &count);
            assert_int_equal(count, i ? 3 : 1);
        }
        assert_ok(dh_load_weights(net, path));
        assert_ok(dh_model_sha256(way ? got : want, net));
        dh_model_free(net);
    }
    assert_string_equal(got, want);
}

/* What a deadline breaks off goes on where it stopped; what early stopping ended has ended. */
static void stops_can_be_resumed(void **state)
{
    fixture *f = *state;
    char want[65], got[65];
    dh_model *net = make_net(dh_adam(), 0, 1);
    assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .epochs = 2));
    assert_ok(dh_model_sha256(want, net));
    dh_model_free(net);
    for (int64_t step = 1; step <= 2 * STEPS; step++)
        for (int begin = 0; begin < 2; begin++) {
            int64_t at[] = {step, begin ? DH_STEP_BEGIN : DH_STEP_END}, never[2] = {0};
            for (int i = 0; i < 2; i++) {
                net = make_net(dh_adam(), 0, 1);
                assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .epochs = 2,
                                 .checkpoint = f->dir, .resume = true,
                                 .callbacks = {{.call = pause_at, .payload = i ? never : at}}));
                assert_ok(dh_model_sha256(got, net));
                dh_model_free(net);
            }
            assert_string_equal(got, want);
            remove_files(f->dir);
        }
    for (int i = 0; i < 2; i++) {
        int count;
        net = make_net(dh_adam(), 0, 1);
        assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .epochs = 9,
                         .checkpoint = f->dir, .resume = true,
                         .callbacks = {dh_early_stopping("loss", "max")}));
        assert_ok(dh_model_sha256(i ? got : want, net));
        assert_non_null(dh_model_history(net, &count));
        assert_true(count < 9);
        dh_model_free(net);
    }
    assert_string_equal(got, want);
}

/* --- files --- */

static int count_files(const char *dir, char newest[512])
{
    char **names;
    int count;
    assert_ok(dh__dir_names(&names, &count, dir, "checkpoint-"));
    if (count && newest) snprintf(newest, 512, "%s/%s", dir, names[count - 1]);
    dh__free(names);
    return count;
}

static void damage(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    if (at < 0) { /* cut short */
        fseek(file, 0, SEEK_END);
        assert_int_equal(ftruncate(fileno(file), ftell(file) + at), 0);
    } else {
        fseek(file, at, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(byte ^ 1, file);
    }
    fclose(file);
}

static void quiet_log(dh_log_level level, const char *text, void *payload)
{
    (void)level;
    strncat(payload, text, 2000);
}

static void damaged_files_are_passed_over(void **state)
{
    fixture *f = *state;
    static const plan p = {.every = 4};
    char want[65], got[65], path[512], heard[4096];
    dh_model *net = make_net(dh_adam(0.02f), 0, 1);
    assert_ok(run(f, net, &p, 0, false));
    assert_ok(dh_model_sha256(want, net));
    dh_model_free(net);
    static const long places[] = {-1, -1000, 0, 9, 200, 1200, 3000};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        remove_files(f->dir);
        net = make_net(dh_adam(0.02f), 0, 1);
        assert_error(run(f, net, &p, 17, false), DH_ECANCELLED, "fit");
        dh_model_free(net);
        assert_int_equal(count_files(f->dir, path), 2);
        damage(path, places[i]);
        heard[0] = 0;
        dh_set_log(quiet_log, heard);
        net = make_net(dh_adam(0.02f), 0, 1);
        assert_ok(run(f, net, &p, 0, true));
        dh_set_log(NULL, NULL);
        assert_non_null(strstr(heard, path));
        assert_non_null(strstr(heard, "the one before it is tried"));
        assert_ok(dh_model_sha256(got, net));
        assert_string_equal(got, want);
        dh_model_free(net);
    }
    remove_files(f->dir);
    net = make_net(dh_adam(0.02f), 0, 1);
    assert_error(run(f, net, &p, 5, false), DH_ECANCELLED, "fit");
    dh_model_free(net);
    assert_int_equal(count_files(f->dir, path), 1);
    damage(path, -1);
    dh_set_log(quiet_log, heard);
    net = make_net(dh_adam(0.02f), 0, 1);
    assert_ok(dh_model_sha256(want, net));
    assert_error(run(f, net, &p, 0, true), DH_EFORMAT, "fit: checkpoint \"");
    dh_set_log(NULL, NULL);
    assert_ok(dh_model_sha256(got, net));
    assert_string_equal(got, want);
    dh_model_free(net);
}

/* Whatever byte of the header it is: a checkpoint of another kind has a sum that is right. */
static void no_damage_is_taken_for_another_kind(void **state)
{
    fixture *f = *state;
    char path[512], heard[4096];
    dh_model *net = make_net(dh_adam(), 0, 1);
    assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .checkpoint = f->dir,
                     .epochs = 2));
    assert_int_equal(count_files(f->dir, path), 2);
    for (long at = 0; at < 3000; at += 13) {
        damage(path, at);
        heard[0] = 0;
        dh_set_log(quiet_log, heard);
        assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .epochs = 1,
                         .checkpoint = f->dir, .resume = true));
        dh_set_log(NULL, NULL);
        assert_non_null(strstr(heard, "the one before it is tried"));
        damage(path, at);
    }
    dh_model_free(net);
}

static void the_folder_is_kept_in_order(void **state)
{
    fixture *f = *state;
    char path[256], deep[256], newest[512];
    FILE *file;
    snprintf(deep, sizeof deep, "%s/a", f->dir);
    snprintf(path, sizeof path, "%s/checkpoint-000000000004.safetensors.0123.tmp", f->dir);
    assert_non_null(file = fopen(path, "wb"));
    fclose(file);
    dh_model *net = make_net(dh_adam(), 0, 1);
    assert_ok(dh_fit(net, f->x, f->y, .batch_size = BATCH, .quiet = true, .epochs = 2,
                     .checkpoint = f->dir, .checkpoint_steps = 1, .checkpoint_keep = 3));
    assert_int_equal(count_files(f->dir, newest), 3); /* and the half one is gone */
    assert_non_null(strstr(newest, "checkpoint-000000000012.safetensors"));
    assert_ok(dh_fit(net, f->x, f->y, .quiet = true, .checkpoint = deep));
    assert_int_equal(count_files(deep, NULL), 1);
    remove_files(deep);
    rmdir(deep);
    dh_model_free(net);
}

static void foreign_checkpoints_are_refused(void **state)
{
    fixture *f = *state;
    char before[65], after[65];
    dh_tensor *less, *less_y;
    dh_model *net = make_net(dh_adam(), 0, 1);
#define FIT(...) dh_fit(__VA_ARGS__, .quiet = true, .checkpoint = f->dir)
    assert_ok(FIT(net, f->x, f->y, .batch_size = BATCH));
    assert_ok(dh_tensor_slice(&less, f->x, "0:20"));
    assert_ok(dh_tensor_slice(&less_y, f->y, "0:20"));
    assert_error(FIT(net, f->x, f->y, .batch_size = BATCH), DH_ESTATE, "fit: checkpoint \"", f->dir,
                 "is of another run: set resume, or take another folder");
    assert_ok(dh_model_sha256(before, net));
#define REFUSED(why, x, y, batch, ...)                                                        \
    assert_error(FIT(net, x, y, .batch_size = batch, .resume = true, __VA_ARGS__), DH_ESTATE, \
                 "fit: checkpoint \"", f->dir, why)
    REFUSED("the number of rows is 22 in the checkpoint, 20 here", less, less_y, BATCH,
            .epochs = 1);
    REFUSED("batch_size is 4 in the checkpoint, 5 here", f->x, f->y, 5, .epochs = 1);
    REFUSED("the list of callbacks is \"\" in the checkpoint, \"lr_cosine,deadline\" here", f->x,
            f->y, BATCH, .callbacks = {dh_lr_cosine(), dh_deadline(5)});
    assert_ok(dh_model_sha256(after, net));
    assert_string_equal(before, after);
    dh_model_free(net);
    net = make_net(dh_adamw(), 0, 1);
    REFUSED("the optimizer is \"adam\" in the checkpoint, \"adamw\" here", f->x, f->y, BATCH,
            .epochs = 1);
    dh_model_free(net);
    net = make_net(dh_adam(), 0, 7);
    REFUSED("the seed is 1 in the checkpoint, 7 here", f->x, f->y, BATCH, .epochs = 1);
    dh_model_free(net);
    net = make_net(dh_adam(), 2, 1);
    REFUSED("accumulate is 1 in the checkpoint, 2 here", f->x, f->y, BATCH, .epochs = 1);
    dh_model_free(net);
    net = dh_model_new("other");
    assert_ok(dh_build(net, dh_softmax(dh_dense(dh_input(net, {4}), 2, .name = "first")), .seed = 1,
                       .optimizer = dh_adam(), .loss = "cross_entropy",
                       .metrics = {"accuracy", "confusion_matrix"}));
    REFUSED("\"first/weight\" is [4, 6] in the checkpoint, [4, 2] here", f->x, f->y, BATCH,
            .epochs = 1);
    dh_model_free(net);
    dh_tensor_free(less);
    dh_tensor_free(less_y);
}

static void mistakes(void **state)
{
    fixture *f = *state;
    char path[512];
    dh_model *net = make_net(dh_adam(), 0, 1);
    CALL(dh_fit(net, f->x, f->y, .resume = true), "fit: resume is given, checkpoint is NULL");
    CALL(dh_fit(net, f->x, f->y, .checkpoint_steps = 4),
         "fit: checkpoint_steps is given, checkpoint is NULL");
    CALL(dh_fit(net, f->x, f->y, .checkpoint = f->dir, .checkpoint_steps = -4),
         "fit: checkpoint_steps is -4, must be at least 1");
    CALL(dh_fit(net, f->x, f->y, .checkpoint = f->dir, .checkpoint_keep = -1),
         "fit: checkpoint_keep is -1, must be at least 1");
    snprintf(path, sizeof path, "%s/checkpoint-1.safetensors", f->dir);
    fclose(fopen(path, "wb"));
    assert_error(dh_fit(net, f->x, f->y, .checkpoint = path), DH_EIO, "fit: make_dirs", path,
                 "Not a directory");
    assert_error(dh_fit(net, f->x, f->y, .checkpoint = "/proc/nowhere"), DH_EIO,
                 "fit: make_dirs \"/proc/nowhere\"");
    none_wrong();
    dh_model_free(net);
}

/* Each request of memory refused in turn: resuming changes nothing then. */
static void survives_without_memory(void **state)
{
    fixture *f = *state;
    static const plan p = {.every = 4};
    char fresh[65], got[65], want[65];
    dh_model *net = make_net(dh_adam(0.02f), 0, 1);
    assert_error(run(f, net, &p, 9, false), DH_ECANCELLED, "fit");
    dh_model_free(net);
    net = make_net(dh_adam(0.02f), 0, 1);
    assert_ok(dh_model_sha256(fresh, net));
    dh_status status = DH_ENOMEM;
    int refused = 0;
    for (int64_t n = 1; status; n++) {
        dh_alloc_fail_at((uint64_t)n);
        status = dh_fit(
            net, f->x, f->y, .batch_size = BATCH, .validation_x = f->x, .validation_y = f->y,
            .epochs = 1, .quiet = true, .checkpoint = f->dir, .checkpoint_steps = 4, .resume = true,
            .callbacks = {dh_lr_warmup(5),
                          dh_lr_cosine(.steps = 18, .end = 0.1),
                          dh_lr_plateau(.patience = 1, .min_delta = 10, .factor = 0.5),
                          dh_early_stopping(.patience = 9),
                          {.call = change_at_second_epoch, .moments = DH_EPOCH_BEGIN},
                          {.call = break_off, .payload = &(int64_t){0}, .moments = DH_STEP_END}});
        dh_alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, DH_ENOMEM);
        assert_ok(dh_model_sha256(got, net));
        refused++;
        assert_string_equal(got, fresh);
        assert_true(n < 5000);
    }
    assert_true(refused > 20);
    assert_ok(dh_model_sha256(want, net)); /* step 8, in the second of three epochs */
    assert_string_not_equal(want, fresh);
    dh_model_free(net);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_broken_run_ends_like_a_whole_one),
        TEST(all_optimizers_come_back),
        TEST(a_finished_run_can_be_prolonged),
        TEST(stops_can_be_resumed),
        TEST(a_broken_epoch_is_taken_up_again),
        TEST(damaged_files_are_passed_over),
        TEST(no_damage_is_taken_for_another_kind),
        TEST(the_folder_is_kept_in_order),
        TEST(foreign_checkpoints_are_refused),
        TEST(mistakes),
        TEST(survives_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
