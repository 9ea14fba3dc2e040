/* SPDX-License-Identifier: MIT */
/* Optimisers: an update op for each run of neighbouring parameters that are treated alike, over the
 * flat arenas of weights, gradients and slots. */
#include <math.h>
#include <string.h>

#include "objective.h"

/* The numbers as they were given; dh__optimizer_check fills what was left away. */
dh_optimizer(dh_sgd)(const dh_sgd_args *args)
{
    dh_sgd_args a;
    if (dh__args(&a, sizeof a, args, "sgd")) return (dh_optimizer){.learning_rate = NAN};
    return (dh_optimizer){.kind = DH_SGD,
                          .learning_rate = a.learning_rate,
                          .momentum = a.momentum,
                          .weight_decay = a.weight_decay,
                          .nesterov = a.nesterov};
}

static dh_optimizer adam(const dh_adam_args *args, dh_optimizer_kind kind, const char *who)
{
    dh_adam_args a;
    if (dh__args(&a, sizeof a, args, who)) return (dh_optimizer){.learning_rate = NAN};
    return (dh_optimizer){.kind = kind,
                          .learning_rate = a.learning_rate,
                          .beta1 = a.beta1,
                          .beta2 = a.beta2,
                          .epsilon = a.epsilon,
                          .weight_decay = a.weight_decay,
                          .amsgrad = a.amsgrad};
}

dh_optimizer(dh_adam)(const dh_adam_args *args)
{
    return adam(args, DH_ADAM, "adam");
}

dh_optimizer(dh_adamw)(const dh_adam_args *args)
{
    return adam(args, DH_ADAMW, "adamw");
}

dh_optimizer(dh_adamax)(const dh_adam_args *args)
{
    return adam(args, DH_ADAMAX, "adamax");
}

dh_optimizer(dh_nadam)(const dh_adam_args *args)
{
    return adam(args, DH_NADAM, "nadam");
}

dh_optimizer(dh_rmsprop)(const dh_rmsprop_args *args)
{
    dh_rmsprop_args a;
    if (dh__args(&a, sizeof a, args, "rmsprop")) return (dh_optimizer){.learning_rate = NAN};
    return (dh_optimizer){.kind = DH_RMSPROP,
                          .learning_rate = a.learning_rate,
                          .rho = a.rho,
                          .epsilon = a.epsilon,
                          .momentum = a.momentum,
                          .weight_decay = a.weight_decay,
                          .centered = a.centered};
}

dh_optimizer(dh_adagrad)(const dh_adagrad_args *args)
{
    dh_adagrad_args a;
    if (dh__args(&a, sizeof a, args, "adagrad")) return (dh_optimizer){.learning_rate = NAN};
    return (dh_optimizer){.kind = DH_ADAGRAD,
                          .learning_rate = a.learning_rate,
                          .epsilon = a.epsilon,
                          .weight_decay = a.weight_decay};
}

dh_optimizer(dh_adadelta)(const dh_adadelta_args *args)
{
    dh_adadelta_args a;
    if (dh__args(&a, sizeof a, args, "adadelta")) return (dh_optimizer){.learning_rate = NAN};
    return (dh_optimizer){.kind = DH_ADADELTA,
                          .learning_rate = a.learning_rate,
                          .rho = a.rho,
                          .epsilon = a.epsilon,
                          .weight_decay = a.weight_decay};
}

/* The fields that a kind reads: a table's rows, with the defaults of that kind. */
#define RATE(dflt) DH_FIELD(dh_optimizer, learning_rate, NULL, dflt, 0, 1e6, "step size")
#define MOMENTUM   DH_FIELD(dh_optimizer, momentum, NULL, 0, 0, 1, "of the gradient's running sum")
#define BETA1      DH_FIELD(dh_optimizer, beta1, NULL, 0.9, 0, BELOW_1, "of the first moment")
#define BETA2      DH_FIELD(dh_optimizer, beta2, NULL, 0.999, 0, BELOW_1, "of the second moment")
#define RHO(dflt)  DH_FIELD(dh_optimizer, rho, NULL, dflt, 0, BELOW_1, "of the running square")
#define EPSILON(dflt) \
    DH_FIELD(dh_optimizer, epsilon, NULL, dflt, 1e-30, 1, "keeps quotients finite")
#define DECAY(dflt) DH_FIELD(dh_optimizer, weight_decay, NULL, dflt, 0, 1e3, "pull of weights to 0")
#define BELOW_1     0.9999999

static const dh_field sgd_fields[] = {RATE(0.01), MOMENTUM, DECAY(0), {0}};
static const dh_field adam_fields[] = {RATE(0.001), BETA1, BETA2, EPSILON(1e-8), DECAY(0), {0}};
static const dh_field adamw_fields[] = {RATE(0.001), BETA1, BETA2, EPSILON(1e-8), DECAY(0.01), {0}};
static const dh_field adamax_fields[] = {RATE(0.002), BETA1, BETA2, EPSILON(1e-8), DECAY(0), {0}};
static const dh_field rmsprop_fields[] = {RATE(0.01), RHO(0.99), EPSILON(1e-8),
                                          MOMENTUM,   DECAY(0),  {0}};
static const dh_field adagrad_fields[] = {RATE(0.01), EPSILON(1e-10), DECAY(0), {0}};
static const dh_field adadelta_fields[] = {RATE(1), RHO(0.9), EPSILON(1e-6), DECAY(0), {0}};

static const struct kind {
    const char *name;
    const dh_field *fields;
} kinds[] = {
    [DH_OPTIMIZER_NONE] = {"none", sgd_fields},
    [DH_SGD] = {"sgd", sgd_fields},
    [DH_ADAM] = {"adam", adam_fields},
    [DH_ADAMW] = {"adamw", adamw_fields},
    [DH_ADAMAX] = {"adamax", adamax_fields},
    [DH_NADAM] = {"nadam", adamax_fields},
    [DH_RMSPROP] = {"rmsprop", rmsprop_fields},
    [DH_ADAGRAD] = {"adagrad", adagrad_fields},
    [DH_ADADELTA] = {"adadelta", adadelta_fields},
};

const char *dh__optimizer_name(const dh_optimizer *optimizer)
{
    return kinds[optimizer->kind].name;
}

const dh_field *dh__optimizer_fields(const dh_optimizer *optimizer)
{
    return kinds[optimizer->kind].fields;
}

dh_status dh__optimizer_check(dh_optimizer *optimizer)
{
    int kind = (int)optimizer->kind;
    DH_REQUIRE(kind >= 0 && kind <= (int)DH_ADADELTA, DH_EINVAL,
               "optimizer: kind is %d, must be in [0, %d]", kind, (int)DH_ADADELTA);
    if (!kind) {
        DH_REQUIRE(!isnan(optimizer->learning_rate), DH_EINVAL,
                   "optimizer: its constructor refused its arguments; is struct_size set?");
        optimizer->kind = DH_SGD;
        kind = DH_SGD;
    }
    char who[64];
    dh__format(who, sizeof who, "optimizer \"%s\"", kinds[kind].name);
    dh_field_fill(kinds[kind].fields, optimizer);
    return dh_field_check(kinds[kind].fields, optimizer, who);
}

int dh__optimizer_slots(const dh_optimizer *o)
{
    switch (o->kind) {
    case DH_SGD: return o->momentum > 0;
    case DH_ADAM: return o->amsgrad ? 3 : 2;
    case DH_NADAM:
    case DH_ADAMW:
    case DH_ADAMAX:
    case DH_ADADELTA: return 2;
    case DH_RMSPROP: return 1 + o->centered + (o->momentum > 0);
    case DH_ADAGRAD: return 1;
    default: return 0;
    }
}

/* A stretch of the arenas updated by one op. */
typedef struct run {
    int64_t offset, count;
    float lr_scale;
    bool no_decay;
} run;

/* in: weights, gradient, slots. */
static dh_status update(dh__graph *g, const dh_optimizer *o, const run *r, const dh_value *in)
{
    dh_value out[DH_OP_MAX_OUT];
    int n = 2 + dh__optimizer_slots(o);
    double decay = r->no_decay ? 0 : (double)o->weight_decay, scale = (double)r->lr_scale;
    dh_sgd_attr sgd = {(double)o->momentum, decay, scale, o->nesterov};
    dh_rmsprop_attr rms = {(double)o->rho, (double)o->epsilon, (double)o->momentum, decay,
                           scale,          o->centered};
    dh_ada_attr ada = {(double)o->rho, (double)o->epsilon, decay, scale};
    /* adam|adamw|adamax|nadam|amsgrad */
    dh_adam_attr adam_attr = {o->kind == DH_ADAMW    ? 1
                              : o->kind == DH_ADAMAX ? 2
                              : o->kind == DH_NADAM  ? 3
                              : o->amsgrad           ? 4
                                                     : 0,
                              (double)o->beta1,
                              (double)o->beta2,
                              (double)o->epsilon,
                              decay,
                              scale};
    switch (o->kind) {
    case DH_SGD: return dh_emit(&g->emitter, DH_OP_SGD_STEP, &sgd, n, in, out);
    case DH_RMSPROP: return dh_emit(&g->emitter, DH_OP_RMSPROP_STEP, &rms, n, in, out);
    case DH_ADAGRAD: return dh_emit(&g->emitter, DH_OP_ADAGRAD_STEP, &ada, n, in, out);
    case DH_ADADELTA: return dh_emit(&g->emitter, DH_OP_ADADELTA_STEP, &ada, n, in, out);
    default: return dh_emit(&g->emitter, DH_OP_ADAM_STEP, &adam_attr, n, in, out);
    }
}

static dh_status update_run(dh__graph *g, const dh_optimizer *o, const run *r)
{
    dh_value in[2 + DH_STORE_SLOTS];
    in[0] = dh__graph_flat(g, DH_HOME_WEIGHT, 0, r->offset, r->count);
    in[1] = dh__graph_flat(g, DH_HOME_GRAD, 0, r->offset, r->count);
    for (int s = 0; s < dh__optimizer_slots(o); s++)
        in[2 + s] = dh__graph_flat(g, DH_HOME_SLOT, s, r->offset, r->count);
    return update(g, o, r, in);
}

dh_status dh__optimizer_emit_one(dh__graph *graph, const dh_optimizer *optimizer, int segment,
                                 dh_value grad)
{
    const dh__segment *s = graph->store->segments[segment];
    const run r = {s->offset, s->count, s->lr_scale, s->no_decay};
    dh_value in[2 + DH_STORE_SLOTS];
    graph->phase = DH_UPDATE;
    in[0] = dh__graph_segment(graph, segment, DH_HOME_WEIGHT, 0);
    in[1] = grad;
    for (int k = 0; k < dh__optimizer_slots(optimizer); k++)
        in[2 + k] = dh__graph_segment(graph, segment, DH_HOME_SLOT, k);
    return update(graph, optimizer, &r, in);
}

/* Segments of the weights' arena lie behind each other in the order of their numbers. */
static int collect_runs(const dh__graph *g, const bool *train, run *runs)
{
    int n = 0;
    int64_t end = -1;
    for (int i = 0; i < g->store->count; i++) {
        const dh__segment *s = g->store->segments[i];
        if (s->state || !train[i]) continue;
        int64_t padded = (s->count + 15) / 16 * 16;
        run *last = n ? &runs[n - 1] : NULL;
        if (last && end == s->offset && last->lr_scale == s->lr_scale &&
            last->no_decay == s->no_decay)
            last->count += padded;
        else
            runs[n++] = (run){s->offset, padded, s->lr_scale, s->no_decay};
        end = s->offset + padded;
    }
    return n;
}

static dh_status clip_values(dh__graph *g, double limit, const run *runs, int count)
{
    for (int i = 0; i < count; i++) {
        dh_value grad = dh__graph_flat(g, DH_HOME_GRAD, 0, runs[i].offset, runs[i].count);
        dh_value y = dh_emit1(&g->emitter, DH_OP_CLAMP, &(dh_clamp_attr){-limit, limit}, grad);
        dh__graph_place(g, y, grad);
    }
    return g->emitter.status;
}

/* Each parameter by its own norm, or all by their common one. */
static dh_status clip_norms(dh__graph *g, double limit, const bool *train, bool global)
{
    int n = 0;
    dh_value *in = dh__alloc(2 * (size_t)(g->store->count + 1) * sizeof *in);
    if (!in) return g->emitter.status = DH_ENOMEM;
    dh_value *out = in + g->store->count + 1;
    for (int i = 0; i < g->store->count; i++) {
        if (g->store->segments[i]->state || !train[i]) continue;
        in[n++] = dh__graph_segment(g, i, DH_HOME_GRAD, 0);
        if (global) continue;
        dh_emit(&g->emitter, DH_OP_CLIP_NORM, &(dh_clip_attr){limit}, 1, &in[n - 1], out);
    }
    if (global && n) dh_emit(&g->emitter, DH_OP_CLIP_NORM, &(dh_clip_attr){limit}, n, in, out);
    dh__free(in);
    return g->emitter.status;
}

dh_status dh__optimizer_emit(dh__graph *graph, const dh_optimizer *optimizer, const dh__clip *clip,
                             const bool *train)
{
    run *runs = dh__calloc((size_t)graph->store->count + 1, sizeof *runs);
    if (!runs) return DH_ENOMEM;
    graph->phase = DH_UPDATE;
    int count = collect_runs(graph, train, runs);
    dh_status status = graph->emitter.status;
    if (!status && clip->value > 0) status = clip_values(graph, (double)clip->value, runs, count);
    if (!status && clip->norm > 0) status = clip_norms(graph, (double)clip->norm, train, false);
    if (!status && clip->global_norm > 0)
        status = clip_norms(graph, (double)clip->global_norm, train, true);
    for (int i = 0; i < count && !status; i++) status = update_run(graph, optimizer, &runs[i]);
    dh__free(runs);
    return status ? status : graph->emitter.status;
}
