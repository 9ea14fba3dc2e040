/* SPDX-License-Identifier: MIT */
/* What a program pays before its first prediction: CPU time, user and system, from the start of the
 * process until a saved MLP has answered once.
 *   bench_startup save FILE    writes the weights
 *   bench_startup FILE         loads them, predicts one sample, prints one line of JSON
 * Public headers only, so that it can be linked with any build of the library. */
#include <deephealth.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "mlp.h"

static double cpu_ms(const struct timeval *t)
{
    return (double)t->tv_sec * 1e3 + (double)t->tv_usec * 1e-3;
}

static int predict_once(dh_model *net)
{
    dh_tensor *x, *y = NULL;
    if (dh_tensor_zeros(&x, {1, 784})) return dh_perror("zeros");
    dh_status status = dh_predict(&y, net, x);
    dh_tensor_free(x);
    if (status) return dh_perror("predict");
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    const float *probability = dh_tensor_data(y);
    double sum = 0;
    for (int i = 0; i < 10; i++) sum += (double)probability[i];
    dh_tensor_free(y);
    if (!(fabs(sum - 1) <= 1e-5)) {
        fprintf(stderr, "bench_startup: probabilities sum to %g\n", sum);
        return 1;
    }
    printf("{\"cpu_ms\": %.3f, \"user_ms\": %.3f, \"system_ms\": %.3f, \"peak_rss_bytes\": %lld}\n",
           cpu_ms(&used.ru_utime) + cpu_ms(&used.ru_stime), cpu_ms(&used.ru_utime),
           cpu_ms(&used.ru_stime), (long long)used.ru_maxrss * 1024);
    return 0;
}

int main(int count, char **args)
{
    bool save = count == 3 && !strcmp(args[1], "save");
    if (!save && count != 2) {
        fprintf(stderr, "usage: bench_startup [save] FILE\n");
        return 2;
    }
    dh_model *net = dh_model_new("mlp");
    dh_layer *out = mlp_layers(net);
    if (dh_build(net, out)) return dh_perror("build");
    int code = 0;
    if (save) {
        if (dh_save_weights(net, args[2])) code = dh_perror("save");
    } else if (dh_load_weights(net, args[1])) {
        code = dh_perror("load");
    } else {
        code = predict_once(net);
    }
    dh_model_free(net);
    return code;
}
