/* SPDX-License-Identifier: MIT */
/* The network that mnist_mlp.c spells out, 784-1024-1024-1024-10, for the programs that are about
 * something else. */
#ifndef EXAMPLE_MLP_H
#define EXAMPLE_MLP_H

#include <deephealth.h>

/* Adds the layers; the last one, whose output are the probabilities of the digits. */
static inline dh_layer *mlp_layers(dh_model *net)
{
    dh_layer *x = dh_input(net, {784});
    for (int i = 0; i < 3; i++) x = dh_dense(x, 1024, .activation = "leaky_relu");
    return dh_softmax(dh_dense(x, 10));
}

/* Built for training; NULL after an error was printed. */
static inline dh_model *mlp_new(dh_cs device, uint64_t seed)
{
    dh_model *net = dh_model_new("mlp");
    dh_layer *out = mlp_layers(net);
    if (!dh_build(net, out, .optimizer = dh_sgd(0.01f, .momentum = 0.9f),
                  .loss = "soft_cross_entropy", .metrics = {"categorical_accuracy"},
                  .device = device, .seed = seed))
        return net;
    dh_perror("build");
    dh_model_free(net);
    return NULL;
}

#endif
