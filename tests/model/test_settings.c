/* SPDX-License-Identifier: MIT */
/* A run goes on only with the settings it began with; what differs is named with both values. */
#include "checkpoint.h"
#include "folder_test.h"

#define RUN(net, ...) \
    dh_fit(net, f->x, f->y, .quiet = true, .checkpoint = f->dir, .resume = true, __VA_ARGS__)

/* A dropout whose rate, and a loss whose weight, can be others. */
#define BUILD(...) built(&(dh_build_args){.struct_size = sizeof(dh_build_args), __VA_ARGS__})

static dh_model *make_net(const dh_build_args *args, float rate, const char *activation, float l2)
{
    dh_build_args a = *args;
    dh_model *net = dh_model_new("net");
    dh_layer *h = dh_dense(dh_input(net, {4}), 3, .activation = activation, .name = "first",
                           .weight_reg = {.l2 = l2});
    h = dh_dropout(h, rate, .name = "drop");
    a.model = net;
    a.output = dh_softmax(dh_dense(h, 2, .name = "last"));
    if (!a.loss) a.loss = "cross_entropy";
    assert_ok((dh_build)(&a));
    return net;
}

static dh_model *built(const dh_build_args *args)
{
    return make_net(args, 0.5f, "relu", 0);
}

/* Resuming changes nothing and says so. */
static void refused(const fixture *f, dh_model *net, const char *why)
{
    char before[65], after[65];
    assert_ok(dh_model_sha256(before, net));
    assert_error(RUN(net, .epochs = 1), DH_ESTATE, "fit: checkpoint \"", f->dir, why);
    assert_ok(dh_model_sha256(after, net));
    assert_string_equal(before, after);
    dh_model_free(net);
}

static void begin(const fixture *f, dh_model *net)
{
    remove_files(f->dir);
    assert_ok(RUN(net, .epochs = 1));
    dh_model_free(net);
}

static void numbers_of_the_optimizer(void **state)
{
    const fixture *f = *state;
    begin(f, BUILD(.optimizer = dh_adam()));
    refused(f, BUILD(.optimizer = dh_adamw()),
            "the optimizer is \"adam\" in the checkpoint, "
            "\"adamw\" here");
    refused(f, BUILD(.optimizer = dh_adam(.beta1 = 0.8f)),
            "the optimizer's beta1 is 0.9 in the checkpoint, 0.8 here");
    refused(f, BUILD(.optimizer = dh_adam(.beta1 = DH_ZERO)),
            "the optimizer's beta1 is 0.9 in the checkpoint, 0 here");
    refused(f, BUILD(.optimizer = dh_adam(.beta2 = 0.99f)),
            "the optimizer's beta2 is 0.999 in the checkpoint, 0.99 here");
    refused(f, BUILD(.optimizer = dh_adam(.epsilon = 1e-7f)),
            "the optimizer's epsilon is 1e-08 in the checkpoint, 1e-07 here");
    refused(f, BUILD(.optimizer = dh_adam(.weight_decay = 0.1f)),
            "the optimizer's weight_decay is 0 in the checkpoint, 0.1 here");
    refused(f, BUILD(.optimizer = dh_adam(.amsgrad = true)),
            "the optimizer's amsgrad is false in the checkpoint, true here");
    begin(f, BUILD(.optimizer = dh_sgd(0.1f, .momentum = 0.9f)));
    refused(f, BUILD(.optimizer = dh_sgd(0.1f, .momentum = 0.9000001f)),
            "the optimizer's momentum is 0.9 in the checkpoint, 0.9000001 here");
    refused(f, BUILD(.optimizer = dh_sgd(0.1f)),
            "the optimizer's momentum is 0.9 in the checkpoint, 0 here");
    refused(f, BUILD(.optimizer = dh_sgd(0.1f, .momentum = 0.9f, .nesterov = true)),
            "the optimizer's nesterov is false in the checkpoint, true here");
    begin(f, BUILD(.optimizer = dh_rmsprop()));
    refused(f, BUILD(.optimizer = dh_rmsprop(.rho = 0.9f)),
            "the optimizer's rho is 0.99 in the checkpoint, 0.9 here");
    refused(f, BUILD(.optimizer = dh_rmsprop(.centered = true)),
            "the optimizer's centered is false in the checkpoint, true here");
}

static void arguments_of_build(void **state)
{
    const fixture *f = *state;
    begin(f, BUILD(.clip_norm = 1));
    refused(f, BUILD(.clip_norm = 2), "clip_norm is 1 in the checkpoint, 2 here");
    refused(f, BUILD(.clip_norm = 1, .clip_value = 2), "clip_value is 0 in the checkpoint, 2 here");
    refused(f, BUILD(.clip_norm = 1, .clip_global_norm = 3),
            "clip_global_norm is 0 in the checkpoint, 3 here");
    refused(f, BUILD(.clip_norm = 1, .seed = 7), "the seed is 0 in the checkpoint, 7 here");
    refused(f, BUILD(.clip_norm = 1, .accumulate = 2), "accumulate is 1 in the checkpoint, 2 here");
    refused(f, BUILD(.clip_norm = 1, .loss = "mse"),
            "the loss of output 0 is \"cross_entropy\" in the checkpoint, \"mse\" here");
    refused(f, BUILD(.clip_norm = 1, .loss_weights = {0.5f}),
            "loss_weights[0] is 1 in the checkpoint, 0.5 here");
    refused(f, BUILD(.clip_norm = 1, .metrics = {"accuracy"}),
            "the list of metrics is \"\" in the checkpoint, \"accuracy\" here");
    dh_model *same = BUILD(.clip_norm = 1, .device = dh_cs_cpu(.threads = 1, .memory = "low_mem"));
    assert_ok(RUN(same, .epochs = 2));
    dh_model_free(same);
}

static void arguments_of_layers(void **state)
{
    const fixture *f = *state;
    dh_build_args none = {.struct_size = sizeof none};
    begin(f, make_net(&none, 0.5f, "relu", 0));
    refused(f, make_net(&none, 0.25f, "relu", 0), "dropout \"drop\" is {rate=0.5, name=drop} of");
    refused(f, make_net(&none, 0.25f, "relu", 0), "in the checkpoint, {rate=0.25, name=drop} of");
    refused(f, make_net(&none, 0.5f, "tanh", 0), "activation=relu");
    refused(f, make_net(&none, 0.5f, "tanh", 0), "activation=tanh");
    refused(f, make_net(&none, 0.5f, NULL, 0), "in the checkpoint, {units=3, name=first} of");
    refused(f, make_net(&none, 0.5f, "relu", 0.5f), "l2");
}

static void arguments_of_fit(void **state)
{
    const fixture *f = *state;
    float weights[] = {1, 2};
    dh_model *net = BUILD(.seed = 1);
    dh_tensor *ones;
    assert_ok(dh_tensor_ones(&ones, {22}));
    assert_ok(RUN(net, .batch_size = 4, .class_weight = weights, .class_count = 2));
#define REFUSED(why, ...) assert_error(RUN(net, __VA_ARGS__), DH_ESTATE, why)
#define WEIGHTED          .class_weight = weights, .class_count = 2
    REFUSED("batch_size is 4 in the checkpoint, 22 here", WEIGHTED);
    REFUSED("no_shuffle is false in the checkpoint, true here", .batch_size = 4, WEIGHTED,
            .no_shuffle = true);
    REFUSED("sample_weight is NULL in the checkpoint, given here", .batch_size = 4, WEIGHTED,
            .sample_weight = ones);
    REFUSED("class_count is 2 in the checkpoint, 0 here", .batch_size = 4);
    weights[1] = 3;
    REFUSED("class_weight[1] is 2 in the checkpoint, 3 here", .batch_size = 4, WEIGHTED);
    weights[1] = 2;
    assert_ok(RUN(net, .batch_size = 4, WEIGHTED, .epochs = 2));
    dh_tensor_free(ones);
    dh_model_free(net);
}

static dh_status idle(dh_callback *self, dh_event *e)
{
    (void)e;
    self->args[1]++; /* it may use them, as long as they are the same when fit begins */
    return DH_OK;
}

/* Each number of a ready callback, by its name. */
static void numbers_of_callbacks(void **state)
{
    const fixture *f = *state;
    dh_callback mine = {.call = idle, .moments = DH_STEP_END, .args = {0.25}, .list = {1, 2}},
                other = mine, third = mine;
    other.args[0] = 0.5;
    third.list[1] = 0;
    const struct {
        dh_callback was, is;
        const char *why;
    } pairs[] = {
        {dh_early_stopping(.patience = 3), dh_early_stopping(.patience = 5),
         "early_stopping's patience is 3 in the checkpoint, 5 here"},
        {dh_early_stopping(), dh_early_stopping("accuracy"),
         "early_stopping's figure is \"loss\", min in the checkpoint, \"accuracy\", max here"},
        {dh_early_stopping("loss"), dh_early_stopping(.mode = "max"),
         "early_stopping's figure is \"loss\", min in the checkpoint, \"loss\", max here"},
        {dh_early_stopping(), dh_early_stopping("val_loss"),
         "early_stopping's figure is \"val_loss\", min in the checkpoint"},
        {dh_lr_step(2), dh_lr_step(3), "lr_step's epochs is 2 in the checkpoint, 3 here"},
        {dh_lr_step(2), dh_lr_step(2, .gamma = 0.3),
         "lr_step's gamma is 0.1 in the checkpoint, 0.3 here"},
        {dh_lr_multi_step({3, 5}), dh_lr_multi_step({3, 6}),
         "lr_multi_step's epochs is {3, 5} in the checkpoint, {3, 6} here"},
        {dh_lr_exponential(0.9), dh_lr_exponential(0.8),
         "lr_exponential's gamma is 0.9 in the checkpoint, 0.8 here"},
        {dh_lr_cosine(.steps = 9), dh_lr_cosine(.steps = 9, .end = 0.1),
         "lr_cosine's end is 0 in the checkpoint, 0.1 here"},
        {dh_lr_cosine(.steps = 9), dh_lr_cosine(.steps = 9, .skip = 2),
         "lr_cosine's skip is 0 in the checkpoint, 2 here"},
        {dh_lr_polynomial(), dh_lr_polynomial(2),
         "lr_polynomial's power is 1 in the checkpoint, 2 here"},
        {dh_lr_warmup(5), dh_lr_warmup(6), "lr_warmup's steps is 5 in the checkpoint, 6 here"},
        {dh_lr_one_cycle(), dh_lr_one_cycle(.rise = 0.25),
         "lr_one_cycle's rise is 0.3 in the checkpoint, 0.25 here"},
        {dh_lr_plateau(), dh_lr_plateau(.factor = 0.2),
         "lr_plateau's factor is 0.1 in the checkpoint, 0.2 here"},
        {dh_lr_plateau(), dh_lr_plateau(.patience = DH_ZERO),
         "lr_plateau's patience is 10 in the checkpoint, 0 here"},
        {dh_lr_plateau(), dh_lr_plateau(.cooldown = 2),
         "lr_plateau's cooldown is 0 in the checkpoint, 2 here"},
        {mine, other, "callback's args[0] is 0.25 in the checkpoint, 0.5 here"},
        {mine, third, "callback's list is {1, 2} in the checkpoint, {1} here"},
        {mine, dh_deadline(9),
         "the list of callbacks is \"callback\" in the checkpoint, "
         "\"deadline\" here"},
        {dh_deadline(9), dh_deadline(1000), NULL}, /* it cuts a run, it does not change it */
        {mine, mine, NULL},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        dh_model *net = BUILD(.metrics = {"accuracy"});
        bool val = pairs[i].why && strstr(pairs[i].why, "val_");
        remove_files(f->dir);
        assert_ok(RUN(net, .validation_x = val ? f->x : NULL, .validation_y = val ? f->y : NULL,
                      .callbacks = {pairs[i].was}));
        if (pairs[i].why && !val)
            assert_error(RUN(net, .callbacks = {pairs[i].is}), DH_ESTATE, pairs[i].why);
        else if (val)
            assert_error(RUN(net, .callbacks = {pairs[i].was}), DH_ESTATE, pairs[i].why);
        else
            assert_ok(RUN(net, .epochs = 2, .callbacks = {pairs[i].is}));
        dh_model_free(net);
    }
}

/* A schedule over all of fit is another one with other epochs, unless its steps are given. */
static void more_epochs_bend_a_schedule(void **state)
{
    const fixture *f = *state;
    dh_model *net = BUILD(.seed = 1);
    assert_ok(RUN(net, .epochs = 3, .callbacks = {dh_lr_cosine()}));
    assert_error(RUN(net, .epochs = 4, .callbacks = {dh_lr_cosine()}), DH_ESTATE,
                 "lr_cosine's steps is 3 in the checkpoint, 4 here");
    assert_ok(RUN(net, .epochs = 4, .callbacks = {dh_lr_cosine(.steps = 3)}));
    dh_model_free(net);
}

/* --- the learning rate --- */

static dh_status lower(dh_callback *self, dh_event *e)
{
    (void)self;
    return e->epoch == 2 ? dh_model_set_learning_rate(e->model, 0.0625f) : DH_OK;
}

static float rate_after(const fixture *f, float rate, int epochs)
{
    dh_model *net = BUILD(.optimizer = dh_sgd(rate));
    assert_ok(
        RUN(net, .epochs = epochs, .callbacks = {{.call = lower, .moments = DH_EPOCH_BEGIN}}));
    rate = dh_model_learning_rate(net);
    dh_model_free(net);
    return rate;
}

/* What the run has changed comes back; what the program has changed since holds. */
static void a_new_learning_rate_holds(void **state)
{
    const fixture *f = *state;
    dh_set_log_level(DH_LOG_WARNING);
    assert_true(rate_after(f, 0.5f, 2) == 0.0625f);
    assert_true(rate_after(f, 0.5f, 3) == 0.0625f);    /* as it began: it goes on as it stood */
    assert_true(rate_after(f, 0.0625f, 4) == 0.0625f); /* as it stands */
    assert_true(rate_after(f, 0.5f, 5) == 0.0625f);    /* and it still began with that */
    assert_true(rate_after(f, 0.25f, 6) == 0.25f);
    assert_true(rate_after(f, 0.25f, 7) == 0.25f);
    assert_true(rate_after(f, 0.5f, 8) == 0.5f);
    dh_set_log_level(DH_LOG_INFO);
}

/* --- other versions --- */

/* A file as the library before this one wrote it. */
static void another_version_is_named(void **state)
{
    const fixture *f = *state;
    char path[128], sum[16];
    static const char *const keys[] = {"callbacks", "format", "optimizer", "version", "sum"};
    static const char *const versions[] = {"1", "3"};
    for (int i = 0; i < 2; i++) {
        const char *values[] = {"", "deephealth checkpoint", "sgd", versions[i], sum};
        const char *name = "#fit/position";
        dh_tensor *position;
        uint32_t crc = 0;
        assert_ok(dh_tensor_zeros(&position, {12}, .dtype = DH_I64));
        assert_ok(dh__checkpoint_add_tensor(&crc, name, position));
        for (int k = 0; k < 4; k++) crc = dh__checkpoint_add_pair(crc, keys[k], values[k]);
        snprintf(sum, sizeof sum, "%08x", (unsigned)crc);
        snprintf(path, sizeof path, "%s/checkpoint-000000000001.safetensors", f->dir);
        assert_ok(dh__safetensors_save(path, 1, &name, (const dh_tensor *const *)&position, 5, keys,
                                       values));
        dh_tensor_free(position);
        dh_model *net = BUILD(.seed = 1);
        snprintf(sum, sizeof sum, "\"%s\"", versions[i]);
        assert_error(RUN(net, .epochs = 1), DH_EUNSUPPORTED, "fit: checkpoint \"", path,
                     "\": it has version ", sum, ", this library reads \"2\"");
        dh_model_free(net);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(numbers_of_the_optimizer),  TEST(arguments_of_build),
        TEST(arguments_of_layers),       TEST(arguments_of_fit),
        TEST(numbers_of_callbacks),      TEST(more_epochs_bend_a_schedule),
        TEST(a_new_learning_rate_holds), TEST(another_version_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
