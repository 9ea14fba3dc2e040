/* SPDX-License-Identifier: MIT */
/* A user's program: trains a small network through the installed library. */
#include <deephealth.h>
#include <stdio.h>

int main(void)
{
    dh_tensor *x, *y;
    dh_result r;
    if (dh_digits_generate(&x, &y, 500, 1)) return dh_perror("digits");
    dh_model *net = dh_model_new("consumer");
    dh_layer *h = dh_dense(dh_input(net, {784}), 32, .activation = "relu");
    if (dh_build(net, dh_softmax(dh_dense(h, 10)), .loss = "cross_entropy", .metrics = {"accuracy"},
                 .optimizer = dh_adam(0.003f)))
        return dh_perror("build");
    if (dh_fit(net, x, y, .batch_size = 50, .epochs = 5, .quiet = true)) return dh_perror("fit");
    if (dh_evaluate(net, x, y, .result = &r, .quiet = true)) return dh_perror("evaluate");
    printf("%s: accuracy %.3f\n", dh_version(), r.metrics[0]);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return r.metrics[0] > 0.8 ? 0 : 1;
}
