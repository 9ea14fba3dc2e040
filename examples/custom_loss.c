/* SPDX-License-Identifier: MIT */
/* A loss and a metric of one's own, made of the library's ops; their gradients follow. The loss is
 * the focal loss (Lin et al. 2017), which looks away from what is right already:
 *   -(1 - p)^gamma log p, p the probability of the true class. */
#include "common.h"
#include "mlp.h"

/* target and prediction are [N, 10]; what is returned is one number a sample, [N]. */
static dh_layer *focal_loss(dh_layer *target, dh_layer *prediction, void *payload)
{
    const double *gamma = payload;
    dh_layer *p = dh_operation("sum", {dh_multiply({target, prediction})}, .attr = "axes=1");
    dh_layer *rest = dh_operation("affine", {p}, .attr = "alpha=-1, beta=1");
    dh_layer *factor = dh_operation("pow", {rest, dh_constant(p, *gamma)});
    dh_layer *log_p = dh_operation("log", {dh_operation("clamp", {p}, .attr = "min=1e-7")});
    return dh_operation("neg", {dh_multiply({factor, log_p})});
}

/* By how much the largest probability is above the second: how sure the model is. */
static dh_layer *margin(dh_layer *target, dh_layer *prediction, void *payload)
{
    (void)target, (void)payload;
    dh_layer *two = dh_operation("topk", {prediction}, .attr = "k=2");
    return dh_subtract({dh_select(two, 0), dh_select(two, 1)});
}

static dh_model *make_model(const example_options *o)
{
    static double gamma = 2; /* read when the model is built */
    dh_model *net = dh_model_new("focal");
    dh_layer *out = mlp_layers(net);
    return example_built(net, dh_build(net, out, .optimizer = dh_sgd(0.01f, .momentum = 0.9f),
                                       .loss_fn = focal_loss, .loss_payload = &gamma,
                                       .metrics = {"categorical_accuracy"}, .metric_fn = margin,
                                       .metric_fn_name = "margin", .device = example_device(o),
                                       .seed = o->seed));
}

int main(int argc, char **argv)
{
    example_options o = {.name = "custom_loss",
                         .device = "cpu",
                         .epochs = 5,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;
    example_data data;
    if (!example_mnist(&data, &o)) return 1;
    dh_model *net = make_model(&o);
    bool ok = example_run(&o, net, &data);
    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
