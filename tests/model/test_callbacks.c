/* SPDX-License-Identifier: MIT */
/* Callbacks: the order of calls, what each ready one does, and its mistakes. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "model_mistakes.h"

#define ROWS  20
#define BATCH 8
#define STEPS 3

typedef struct fixture {
    dh_tensor *x, *y;
    dh_model *net;
    char path[64];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    make_blobs(&f->x, &f->y, ROWS, 4, 2, 3);
    f->net = dh_model_new("net");
    assert_ok(dh_build(f->net, dh_softmax(dh_dense(dh_input(f->net, {4}), 2)), .seed = 1,
                       .optimizer = dh_sgd(0.5f), .loss = "cross_entropy",
                       .metrics = {"accuracy", "mse"}));
    snprintf(f->path, sizeof f->path, "/tmp/dh_callbacks_XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    dh_tensor_free(f->x);
    dh_tensor_free(f->y);
    dh_model_free(f->net);
    remove(f->path);
    free(f);
    return 0;
}

#define FIT(f, ...) \
    dh_fit((f)->net, (f)->x, (f)->y, .batch_size = BATCH, .quiet = true, __VA_ARGS__)

/* --- order --- */

static char story[4096];

static dh_status tell_story(dh_callback *self, dh_event *e)
{
    static const char *const names[] = {"begin", "epoch", "step", "stepped", "epoch_end", "end"};
    int bit = 0;
    while (1 << bit != (int)e->moment) bit++;
    size_t at = strlen(story);
    snprintf(story + at, sizeof story - at, "%s%s %d.%d ", (const char *)self->payload, names[bit],
             e->epoch, (int)e->step);
    if (e->moment == DH_EPOCH_END) {
        int count;
        dh_model_history(e->model, &count);
        assert_int_equal(count, e->epoch);
        assert_non_null(e->validation);
    }
    if (e->moment & (DH_STEP_BEGIN | DH_STEP_END))
        assert_int_equal(e->total_step, (e->epoch - 1) * STEPS + e->step);
    assert_int_equal(e->steps, STEPS);
    assert_int_equal(e->epochs, 2);
    return DH_OK;
}

static void calls_come_in_order(void **state)
{
    fixture *f = *state;
    story[0] = 0;
    assert_ok(FIT(f, .epochs = 2, .validation_x = f->x, .validation_y = f->y,
                  .callbacks = {{.call = tell_story, .payload = "a:"},
                                {.call = NULL},
                                {.call = tell_story,
                                 .payload = "b:",
                                 .moments = DH_FIT_BEGIN | DH_EPOCH_END | DH_FIT_END}}));
    assert_string_equal(
        story, "a:begin 0.0 b:begin 0.0 a:epoch 1.0 a:step 1.1 a:stepped 1.1 a:step 1.2 a:stepped "
               "1.2 a:step 1.3 a:stepped 1.3 a:epoch_end 1.3 b:epoch_end 1.3 a:epoch 2.0 a:step "
               "2.1 a:stepped 2.1 a:step 2.2 a:stepped 2.2 a:step 2.3 a:stepped 2.3 a:epoch_end "
               "2.3 b:epoch_end 2.3 a:end 2.3 b:end 2.3 ");
}

static dh_status fail_at(dh_callback *self, dh_event *e)
{
    const dh_moment *when = self->payload;
    if (e->moment == DH_FIT_END) {
        strcat(story, e->status == DH_EIO ? "failed " : "fine ");
    }
    return e->moment == *when ? DH_EIO : DH_OK;
}

static void the_end_is_told_after_failures(void **state)
{
    fixture *f = *state;
    dh_moment when[] = {DH_STEP_BEGIN, DH_FIT_BEGIN, DH_FIT_END};
    static const char *const want[] = {"failed failed ", "failed ", "failed fine "};
    dh_moment never = 0;
    for (int i = 0; i < 3; i++) {
        story[0] = 0;
        /* at FIT_END in turn: the second one hears of the first one's failure */
        dh_callback quiet = {.call = fail_at, .payload = &never},
                    failing = {.call = fail_at, .payload = &when[i]};
        assert_error(FIT(f, .callbacks = {i == 2 ? failing : quiet, i == 2 ? quiet : failing}),
                     DH_EIO, "fit: callback ended it in epoch");
        assert_string_equal(story, i == 2 ? "fine failed " : want[i]);
    }
}

static dh_status stop_at(dh_callback *self, dh_event *e)
{
    const int *at = self->payload; /* moment, epoch, step */
    self->state[0]++;
    if (e->moment == DH_FIT_END) assert_int_equal(e->status, DH_OK);
    if ((int)e->moment == at[0] && e->epoch == at[1] && e->step == at[2]) e->stop = true;
    return DH_OK;
}

static void stopping_ends_the_epoch(void **state)
{
    static const int at[][3] = {
        {DH_FIT_BEGIN, 0, 0},  {DH_EPOCH_BEGIN, 2, 0}, {DH_STEP_BEGIN, 1, 1},
        {DH_STEP_BEGIN, 1, 3}, {DH_STEP_END, 2, 1},    {DH_EPOCH_END, 2, 3},
    };
    static const int epochs[] = {0, 1, 0, 1, 2, 2}, samples[] = {0, 20, 0, 16, 8, 20};
    (void)state;
    for (int i = 0; i < 6; i++)
        for (int light = 0; light < 2; light++) {
            void *own;
            int count;
            set_up(&own);
            fixture *f = own;
            assert_ok(
                FIT(f, .epochs = 4,
                    .callbacks = {
                        {.call = stop_at, .payload = (void *)(uintptr_t)at[i], .light = light}}));
            const dh_epoch *h = dh_model_history(f->net, &count);
            assert_int_equal(count, epochs[i]);
            if (count) assert_int_equal(h[count - 1].train.samples, samples[i]);
            tear_down(&own);
        }
}

/* --- schedules --- */

typedef struct rates {
    double got[64];
    int count;
} rates;

static dh_status note_rate(dh_callback *self, dh_event *e)
{
    rates *r = self->payload;
    r->got[r->count++] = e->learning_rate;
    return DH_OK;
}

/* The rates of all steps, over the model's 0.5. */
static rates rates_of(fixture *f, int epochs, dh_callback first, dh_callback second)
{
    rates r = {.count = 0};
    assert_ok(FIT(
        f, .epochs = epochs,
        .callbacks = {first, second, {.call = note_rate, .payload = &r, .moments = DH_STEP_END}}));
    assert_int_equal(r.count, epochs * STEPS);
    assert_true(dh_model_learning_rate(f->net) == 0.5f);
    for (int i = 0; i < r.count; i++) r.got[i] /= 0.5;
    return r;
}

static void schedules_follow_their_formulas(void **state)
{
    fixture *f = *state;
    const double pi = 3.14159265358979323846;
    dh_callback none = {0};
    rates r[] = {
        rates_of(f, 5, dh_lr_step(2, .gamma = 0.5), none),
        rates_of(f, 5, dh_lr_multi_step({1, 4}), none),
        rates_of(f, 5, dh_lr_exponential(0.9), none),
        rates_of(f, 5, dh_lr_cosine(.end = 0.1), none),
        rates_of(f, 5, dh_lr_polynomial(.power = 2, .steps = 10), none),
        rates_of(f, 5, dh_lr_warmup(4, .start = 0.2), none),
        rates_of(f, 5, dh_lr_one_cycle(.rise = 0.4), none),
        rates_of(f, 5, dh_lr_warmup(3), dh_lr_cosine(.skip = 3)),
    };
    for (int s = 0; s < 15; s++) {
        int e = s / STEPS;
        double t = s / 15.0, u = s < 10 ? 1 - s / 10.0 : 0;
        double start = 1.0 / 25, end = 1.0 / 250000;
        double want[] = {
            e < 2   ? 1
            : e < 4 ? 0.5
                    : 0.25,
            e < 1   ? 1
            : e < 4 ? 0.1
                    : 0.01,
            pow(0.9, e),
            0.1 + 0.9 * (1 + cos(pi * t)) / 2,
            u * u,
            s < 4 ? 0.2 + 0.8 * (s + 1) / 4 : 1,
            t < 0.4 ? 1 + (start - 1) * (1 + cos(pi * t / 0.4)) / 2
                    : end + (1 - end) * (1 + cos(pi * (t - 0.4) / 0.6)) / 2,
            s < 3 ? (s + 1) / 3.0 : (1 + cos(pi * (s - 3) / 12.0)) / 2,
        };
        for (size_t i = 0; i < sizeof r / sizeof *r; i++) assert_near(r[i].got[s], want[i], 1e-12);
    }
}

/* A step of rate 0 changes nothing; the rate of the history is that of the last step. */
static void the_rate_is_used(void **state)
{
    fixture *f = *state;
    char before[65], after[65];
    int count;
    assert_ok(dh_model_sha256(before, f->net));
    assert_ok(FIT(f, .callbacks = {dh_lr_polynomial(.steps = 1), dh_lr_warmup(1000, .start = 0)}));
    assert_ok(dh_model_sha256(after, f->net));
    assert_string_not_equal(before, after); /* the first step's factor is 1/1000 */
    assert_true(dh_model_history(f->net, &count)[0].learning_rate == 0);
    assert_ok(dh_model_set_learning_rate(f->net, 0));
    assert_ok(dh_model_sha256(before, f->net));
    assert_ok(FIT(f, .epochs = 2));
    assert_ok(dh_model_sha256(after, f->net));
    assert_string_equal(before, after);
}

/* --- watching --- */

/* Overwrites the figure that is watched with a script, one value an epoch. */
static dh_status script(dh_callback *self, dh_event *e)
{
    const double *values = self->payload;
    ((dh_result *)(uintptr_t)e->train)->loss = values[e->epoch - 1];
    return DH_OK;
}

static int epochs_until_stop(const double *values, dh_callback stopping)
{
    void *own;
    int count;
    set_up(&own);
    fixture *f = own;
    assert_ok(
        FIT(f, .epochs = 8,
            .callbacks = {
                {.call = script, .payload = (void *)(uintptr_t)values, .moments = DH_EPOCH_END},
                stopping}));
    dh_model_history(f->net, &count);
    tear_down(&own);
    return count;
}

static void early_stopping_waits_for_its_patience(void **state)
{
    static const double falls[] = {8, 7, 6, 5, 4, 3, 2, 1}, turns[] = {5, 4, 4, 4.5, 3.9, 4, 4, 4},
                        gone[] = {5, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    (void)state;
    assert_int_equal(epochs_until_stop(falls, dh_early_stopping("loss")), 8);
    assert_int_equal(epochs_until_stop(falls, dh_early_stopping("loss", "max")), 2);
    assert_int_equal(epochs_until_stop(turns, dh_early_stopping("loss")), 3);
    assert_int_equal(epochs_until_stop(turns, dh_early_stopping("loss", .patience = 1)), 4);
    assert_int_equal(epochs_until_stop(turns, dh_early_stopping(.patience = 2)), 8);
    assert_int_equal(epochs_until_stop(turns, dh_early_stopping(.patience = 2, .min_delta = 0.2)),
                     5);
    assert_int_equal(epochs_until_stop(gone, dh_early_stopping(.patience = 1)), 3);
}

static dh_status note_best(dh_callback *self, dh_event *e)
{
    char(*hex)[65] = self->payload;
    return dh_model_sha256(hex[e->epoch - 1], e->model);
}

static void the_best_weights_come_back(void **state)
{
    static const double values[] = {5, 3, 4, 4};
    fixture *f = *state;
    char hex[4][65], end[65];
    dh_callback scripted = {.call = script,
                            .payload = (void *)(uintptr_t)values,
                            .moments = DH_EPOCH_END},
                noting = {.call = note_best, .payload = hex, .moments = DH_EPOCH_END};
    assert_ok(FIT(f, .epochs = 4,
                  .callbacks = {scripted, noting,
                                dh_early_stopping("loss", .patience = 9, .best = f->path)}));
    assert_ok(dh_model_sha256(end, f->net));
    assert_string_equal(end, hex[1]);
    assert_string_not_equal(end, hex[3]);
    assert_ok(FIT(f, .epochs = 4, .callbacks = {scripted, noting, dh_best_weights(f->path)}));
    assert_ok(dh_model_sha256(end, f->net));
    assert_string_equal(end, hex[3]);
    assert_ok(dh_load_weights(f->net, f->path));
    assert_ok(dh_model_sha256(end, f->net));
    assert_string_equal(end, hex[1]);
}

static void plateaus_lower_the_rate(void **state)
{
    static const double values[] = {5, 5, 5, 5, 4, 4, 4, 4};
    fixture *f = *state;
    rates r = {.count = 0};
    assert_ok(FIT(
        f, .epochs = 8,
        .callbacks = {
            {.call = script, .payload = (void *)(uintptr_t)values, .moments = DH_EPOCH_END},
            dh_lr_plateau("loss", .patience = 1, .factor = 0.5, .cooldown = 1, .min_factor = 0.2),
            {.call = note_rate, .payload = &r, .moments = DH_EPOCH_END}}));
    /* epochs 2 and 3 bring nothing: lowered after 3; 4 cools; 5 is better; 6 and 7 again */
    static const double want[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25};
    for (int e = 0; e < 8; e++) assert_near(r.got[e], 0.5 * want[e], 1e-12);
}

/* --- files --- */

static char *read_text(const char *path)
{
    static char text[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    return text;
}

static void logs_hold_the_history(void **state)
{
    fixture *f = *state;
    int count;
    char line[400];
    assert_ok(FIT(f, .epochs = 2, .validation_x = f->x, .validation_y = f->y,
                  .callbacks = {dh_csv_log(f->path)}));
    const dh_epoch *h = dh_model_history(f->net, &count);
    const char *text = read_text(f->path);
    const char *head = "epoch,seconds,learning_rate,loss,accuracy,mse,val_loss,"
                       "val_accuracy,val_mse\n";
    assert_memory_equal(text, head, strlen(head));
    text += strlen(head);
    for (int i = 0; i < count; i++) {
        const dh_result *t = &h[i].train, *v = &h[i].validation;
        snprintf(line, sizeof line, "%d,%.9g,0.5,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g\n", i + 1,
                 t->seconds, t->loss, t->metrics[0], t->metrics[1], v->loss, v->metrics[0],
                 v->metrics[1]);
        assert_memory_equal(text, line, strlen(line));
        text += strlen(line);
    }
    assert_int_equal(*text, 0);
    assert_ok(FIT(f, .callbacks = {dh_jsonl_log(f->path)}));
    h = dh_model_history(f->net, &count);
    snprintf(line, sizeof line,
             "{\"epoch\": 3, \"seconds\": %.9g, \"learning_rate\": 0.5, \"loss\": %.9g, "
             "\"accuracy\": %.9g, \"mse\": %.9g}\n",
             h[2].train.seconds, h[2].train.loss, h[2].train.metrics[0], h[2].train.metrics[1]);
    text = strrchr(read_text(f->path), '{');
    assert_string_equal(text, line);
    assert_ok(FIT(f, .callbacks = {dh_learning_curves(f->path)}));
    assert_memory_equal(read_text(f->path), "\x89PNG", 4);
}

/* Of a model of several outputs, each one's loss by the name of its layer. */
static void logs_name_the_losses(void **state)
{
    fixture *f = *state;
    int count;
    char line[400];
    dh_model *net = dh_model_new("two");
    dh_layer *x = dh_input(net, {4});
    dh_layer *a = dh_dense(x, 2, .name = "a"), *b = dh_dense(x, 2, .name = "b");
    assert_ok(dh_build(net, NULL, .outputs = {a, b}, .losses = {"mse", "mae"}));
    assert_ok(dh_fit(net, f->x, NULL, .ys = {f->y, f->y}, .quiet = true,
                     .callbacks = {dh_csv_log(f->path)}));
    const dh_result *r = &dh_model_history(net, &count)->train;
    assert_true(isfinite(r->loss) && r->losses[0] > 0 && r->losses[1] > 0);
    assert_near(r->losses[0] + r->losses[1], r->loss, 1e-6);
    snprintf(line, sizeof line,
             "epoch,seconds,learning_rate,loss,a_loss,b_loss\n1,%.9g,%.9g,%.9g,%.9g,%.9g\n",
             r->seconds, dh_model_history(net, &count)->learning_rate, r->loss, r->losses[0],
             r->losses[1]);
    assert_string_equal(read_text(f->path), line);
    dh_model_free(net);
}

/* --- ends from outside --- */

static volatile sig_atomic_t flag;

static dh_status raise_flag(dh_callback *self, dh_event *e)
{
    (void)self;
    if (e->step == 2) flag = 1;
    return DH_OK;
}

static void a_flag_cancels(void **state)
{
    fixture *f = *state;
    flag = 0;
    assert_ok(FIT(f, .callbacks = {dh_cancel_flag(&flag)}));
    assert_error(FIT(f, .epochs = 3,
                     .callbacks = {{.call = raise_flag, .moments = DH_STEP_END, .light = true},
                                   dh_cancel_flag(&flag)}),
                 DH_ECANCELLED, "fit: cancelled before epoch 1, step 3");
}

static void a_deadline_ends_in_peace(void **state)
{
    fixture *f = *state;
    int count;
    assert_ok(FIT(f, .epochs = 2, .callbacks = {dh_deadline(1000)}));
    dh_model_history(f->net, &count);
    assert_int_equal(count, 2);
    assert_ok(FIT(f, .epochs = 1000000, .callbacks = {dh_deadline(0.05)}));
}

static void mistakes(void **state)
{
    fixture *f = *state;
#define WRONG(callback, want) CALL(FIT(f, .callbacks = {callback}), "fit: " want)
    WRONG(dh_early_stopping("val_loss"),
          "early_stopping: monitor is \"val_loss\", but fit has no validation data");
    WRONG(dh_early_stopping("acuracy"), "early_stopping: monitor \"acuracy\" is no figure of model "
                                        "\"net\", did you mean \"accuracy\"?");
    WRONG(dh_early_stopping("loss", "up"),
          "early_stopping: mode is \"up\", must be \"min\" or \"max\"");
    WRONG(dh_early_stopping(.patience = -1), "early_stopping: patience is -1, must be at least 0");
    WRONG(dh_early_stopping(.min_delta = NAN),
          "early_stopping: min_delta is nan, must be at least 0");
    WRONG(dh_best_weights(.monitor = "loss"), "best_weights: path is NULL");
    WRONG(dh_lr_step(0), "lr_step: epochs is 0, must be at least 1");
    WRONG(dh_lr_step(1, .gamma = -1), "lr_step: gamma is -1, must be in (0, 1e+06]");
    WRONG(dh_lr_multi_step({3, 3}), "lr_multi_step: epochs[1] is 3, must be above epochs[0], 3");
    WRONG(dh_lr_multi_step({-3}), "lr_multi_step: epochs[0] is -3, must be at least 1");
    WRONG(dh_lr_exponential(), "lr_exponential: gamma is 0, must be in (0, 1]");
    WRONG(dh_lr_cosine(.end = 2), "lr_cosine: end is 2, must be in [0, 1]");
    WRONG(dh_lr_cosine(.steps = -2), "lr_cosine: steps is -2, must be at least 1");
    WRONG(dh_lr_cosine(.skip = 3),
          "lr_cosine: skip is 3, must be at least 0 and less than the 3 steps");
    WRONG(dh_lr_polynomial(.power = -1), "lr_polynomial: power is -1, must be above 0");
    WRONG(dh_lr_warmup(0), "lr_warmup: steps is 0, must be at least 1");
    WRONG(dh_lr_warmup(1, .start = 2), "lr_warmup: start is 2, must be in [0, 1]");
    WRONG(dh_lr_one_cycle(.rise = 2), "lr_one_cycle: rise is 2, must be in [0, 1]");
    WRONG(dh_lr_one_cycle(.start = -2), "lr_one_cycle: start is -2, must be in [0, 1]");
    WRONG(dh_lr_plateau(.factor = 1), "lr_plateau: factor is 1, must be in (0, 1)");
    WRONG(dh_lr_plateau(.patience = -1), "lr_plateau: patience is -1, must be at least 0");
    WRONG(dh_lr_plateau(.cooldown = -1), "lr_plateau: cooldown is -1, must be at least 0");
    WRONG(dh_lr_plateau(.min_factor = 2), "lr_plateau: min_factor is 2, must be in [0, 1]");
    WRONG((dh_early_stopping)(&(dh_early_stopping_args){0}),
          "early_stopping: its arguments have an unknown struct_size");
    WRONG(dh_csv_log(), "csv_log: path is NULL");
    WRONG(dh_jsonl_log("/nowhere/x"), "jsonl_log: write \"/nowhere/x\": No such file or directory");
    WRONG(dh_learning_curves(), "learning_curves: path is NULL");
    WRONG(dh_cancel_flag(NULL), "cancel_flag: flag is NULL");
    WRONG(dh_deadline(), "deadline: seconds is 0, must be above 0");
#undef WRONG
    none_wrong();
}

/* What mistakes leave behind is what they found. */
static void refused_arguments_change_nothing(void **state)
{
    fixture *f = *state;
    char before[65], after[65];
    int count;
    assert_ok(dh_model_sha256(before, f->net));
    assert_error(FIT(f, .callbacks = {dh_lr_step(0)}), DH_EINVAL, "lr_step");
    assert_ok(dh_model_sha256(after, f->net));
    assert_string_equal(before, after);
    dh_model_history(f->net, &count);
    assert_int_equal(count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(calls_come_in_order),
        TEST(the_end_is_told_after_failures),
        TEST(stopping_ends_the_epoch),
        TEST(schedules_follow_their_formulas),
        TEST(the_rate_is_used),
        TEST(early_stopping_waits_for_its_patience),
        TEST(the_best_weights_come_back),
        TEST(plateaus_lower_the_rate),
        TEST(logs_hold_the_history),
        TEST(logs_name_the_losses),
        TEST(a_flag_cancels),
        TEST(a_deadline_ends_in_peace),
        TEST(mistakes),
        TEST(refused_arguments_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
