/* SPDX-License-Identifier: MIT */
/* Serving: the network of mnist_mlp is trained, then --threads threads share it, each with a
 * session of its own, and answer requests of --batch-size test images. */
#include "common.h"
#include "mlp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One thread: requests first, first + step, ... of all test images. */
typedef struct server {
    dh_model *net;
    const dh_tensor *x, *want; /* images, and what dh_predict says of them */
    int64_t batch, first, step;
    bool failed, differs;
} server;

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The request that begins at image `row`: its answer is compared bit for bit. */
static dh_status answer(server *s, dh_session *session, int64_t row)
{
    char slice[64];
    int64_t count = dh_tensor_dim(s->x, 0), end = row + s->batch < count ? row + s->batch : count;
    dh_tensor *images, *y = NULL;
    snprintf(slice, sizeof slice, "%lld:%lld", (long long)row, (long long)end);
    dh_status status = dh_tensor_slice(&images, s->x, slice);
    if (status) return status;
    status = dh_session_predict(&y, session, images);
    if (!status) {
        int64_t classes = dh_tensor_dim(y, 1);
        const float *want = (const float *)dh_tensor_data(s->want) + row * classes;
        size_t size = (size_t)((end - row) * classes) * sizeof *want;
        s->differs |= memcmp(dh_tensor_data(y), want, size) != 0;
    }
    dh_tensor_free(y);
    dh_tensor_free(images);
    return status;
}

static void *serve(void *context)
{
    server *s = context;
    dh_session *session = NULL;
    int64_t count = dh_tensor_dim(s->x, 0);
    dh_status status = dh_session_new(&session, s->net, .batch_size = (int)s->batch);
    for (int64_t row = s->first * s->batch; row < count && !status; row += s->step * s->batch)
        status = answer(s, session, row);
    dh_session_free(session);
    if (status) s->failed = dh_perror("serve"); /* the text is this thread's */
    return NULL;
}

/* All test images, by `count` threads. */
static bool serve_all(const example_options *o, dh_model *net, const dh_tensor *x, int count)
{
    dh_tensor *want;
    if (dh_predict(&want, net, x, .batch_size = o->batch_size)) return !dh_perror("predict");
    server *servers = calloc((size_t)count, sizeof *servers);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    int started = 0;
    double start = now();
    for (; servers && threads && started < count; started++) {
        servers[started] = (server){.net = net,
                                    .x = x,
                                    .want = want,
                                    .batch = o->batch_size,
                                    .first = started,
                                    .step = count};
        if (pthread_create(&threads[started], NULL, serve, &servers[started])) break;
    }
    bool ok = started == count, agree = true;
    if (!ok) fprintf(stderr, "%s: %d threads could not be started\n", o->name, count);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        ok &= !servers[i].failed;
        agree &= !servers[i].differs;
    }
    double seconds = now() - start;
    if (ok)
        printf("%d threads served %lld images, %.0f images/s; they %s with dh_predict\n", count,
               (long long)dh_tensor_dim(x, 0), (double)dh_tensor_dim(x, 0) / seconds,
               agree ? "agree bit for bit" : "DISAGREE");
    free(servers);
    free(threads);
    dh_tensor_free(want);
    return ok && agree;
}

int main(int argc, char **argv)
{
    example_options o = {.name = "sessions",
                         .device = "cpu",
                         .epochs = 1,
                         .batch_size = 100,
                         .seed = 1,
                         .fits = true};
    int code;
    if (!example_parse(&o, argc, argv, &code)) return code;

    example_data data;
    if (!example_mnist(&data, &o)) return 1;

    dh_model *net = mlp_new(example_device(&o), o.seed);
    dh_result test;
    bool ok = net != NULL;
    if (ok && (dh_fit(net, data.x_train, data.y_train, EXAMPLE_FIT(&o)) ||
               dh_evaluate(net, data.x_test, data.y_test, .result = &test, .quiet = true)))
        ok = !dh_perror("sessions");
    if (ok) {
        int epochs;
        const dh_epoch *history = dh_model_history(net, &epochs);
        ok = serve_all(&o, net, data.x_test, dh_model_threads(net)) &&
             example_report(&o, net, history, epochs, &test);
    }

    dh_model_free(net);
    example_data_free(&data);
    return ok ? 0 : 1;
}
