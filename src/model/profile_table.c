/* SPDX-License-Identifier: MIT */
/* The profile as a table: what each op of a layer took, by which implementation, and why not by
 * another. */
#include <string.h>

#include <deephealth/inspection.h>
#include <deephealth/version.h>

#include "model_impl.h"

/* Calls of one op by one implementation in one phase of one layer. */
typedef struct line {
    const dh__node *node; /* the first of them */
    const dh__step_call *call;
    int calls;
    dh__spent spent;
} line;

typedef struct table {
    dh__text *text;
    const dh__profiled *of;
    int64_t steps;
    double seconds; /* of all calls */
    int width;      /* of the layers' names */
} table;

const char *dh__phase_name(dh__phase phase)
{
    static const char *const names[DH_PHASES] = {[DH_FORWARD] = "forward",
                                                 [DH_LOSS] = "loss",
                                                 [DH_BACKWARD] = "backward",
                                                 [DH_COMMIT] = "commit",
                                                 [DH_UPDATE] = "update"};
    return names[phase];
}

const char *dh__scope_name(const dh_model *model, const dh__node *node)
{
    if (node->scope >= 0) return model->net.layers[node->scope]->name;
    return node->phase == DH_UPDATE ? "optimizer" : "losses and metrics";
}

static bool timed(const dh__stage *stage, bool training)
{
    return (stage->key.mode == DH_TRAIN) == training && stage->plan->runs;
}

static bool same_line(const line *l, const dh__node *node, const dh__step_call *call)
{
    return l->node->scope == node->scope && l->node->phase == node->phase &&
           l->call->call.op == call->call.op && l->call->impl == call->impl;
}

static void add_call(line *lines, int *count, const dh__node *node, const dh__step_call *call)
{
    int i = 0;
    while (i < *count && !same_line(&lines[i], node, call)) i++;
    if (i == *count) lines[(*count)++] = (line){.node = node, .call = call};
    lines[i].calls++;
    lines[i].spent.seconds += call->spent.seconds;
    lines[i].spent.flops += call->spent.flops;
    lines[i].spent.bytes += call->spent.bytes;
}

static void write_refusals(const table *t, const line *l)
{
    dh_device *device = t->of->model->net.store->device;
    const dh_impl *const *impl = device->impls(device, l->node->op);
    for (const char *sep = ""; impl && *impl && *impl != l->call->impl; impl++, sep = "; ") {
        const char *why = (*impl)->refuse ? (*impl)->refuse(&l->call->call) : NULL;
        if (why) dh__text_add(t->text, "%s%s: %s", sep, (*impl)->name, why);
    }
}

static void write_line(const table *t, const line *l)
{
    const dh__spent *s = &l->spent;
    double seconds = s->seconds > 0 ? s->seconds : 1e-12, steps = (double)t->steps;
    dh__text_add(t->text, "%-*s  %-8s  %-24s  %-14s  %5d  %9.3f  %5.1f %%  %9.2f  ", t->width,
                 dh__scope_name(t->of->model, l->node), dh__phase_name(l->node->phase),
                 l->call->call.op->name, l->call->impl->name, l->calls, 1e3 * s->seconds / steps,
                 100 * s->seconds / t->seconds, 1e-9 * s->flops / seconds);
    if (t->of->peak > 0)
        dh__text_add(t->text, "%5.1f %%  ", 100 * s->flops / seconds / t->of->peak);
    else
        dh__text_add(t->text, "%7s  ", "-");
    dh__text_add(t->text, "%9.3f  %7.2f  ", 1e-6 * s->bytes / steps, 1e-9 * s->bytes / seconds);
    write_refusals(t, l);
    while (t->text->length && t->text->data[t->text->length - 1] == ' ') t->text->length--;
    dh__text_add(t->text, "\n");
}

static void write_head(const table *t, bool training, double flops)
{
    char peak[80] = "";
    if (t->of->peak > 0)
        dh__format(peak, sizeof peak, ", %.1f %% of the peak of %.1f",
                   100 * flops / t->seconds / t->of->peak, 1e-9 * t->of->peak);
    dh__text_add(
        t->text, "%s \"%s\", %s: %.3f ms a step, mean of %lld; %.1f GFLOP/s%s; %d threads, %s\n",
        t->of->name, t->of->model->net.name, training ? "training" : "evaluation and prediction",
        1e3 * t->seconds / (double)t->steps, (long long)t->steps, 1e-9 * flops / t->seconds, peak,
        t->of->threads, dh_isa());
    dh__text_add(t->text, "%-*s  %-8s  %-24s  %-14s  %5s  %9s  %7s  %9s  %7s  %9s  %7s  refused\n",
                 t->width, "layer", "phase", "op", "implementation", "calls", "ms", "share",
                 "GFLOP/s", "of peak", "MB", "GB/s");
}

static int calls_of(const dh__profiled *of, bool training)
{
    int count = 0;
    for (const dh__stage *s = of->stages; s; s = s->next)
        if (timed(s, training)) count += s->plan->graph->node_count;
    return count;
}

/* In the order of the layers, what belongs to none behind them. */
static void write_lines(const table *t, const line *lines, int count)
{
    for (int scope = 0; scope <= t->of->model->net.count; scope++)
        for (int i = 0; i < count; i++) {
            int at = lines[i].node->scope < 0 ? t->of->model->net.count : lines[i].node->scope;
            if (at == scope) write_line(t, &lines[i]);
        }
}

static dh_status write_mode(dh__text *text, const dh__profiled *of, bool training)
{
    table t = {.text = text, .of = of, .width = (int)strlen("losses and metrics")};
    int count = 0, calls = calls_of(of, training);
    double flops = 0;
    if (!calls) return DH_OK;
    line *lines = dh__calloc((size_t)calls, sizeof *lines);
    if (!lines) return DH_ENOMEM;
    for (const dh__stage *s = of->stages; s; s = s->next) {
        if (!timed(s, training)) continue;
        t.steps += s->plan->runs;
        for (int i = 0; i < s->plan->graph->node_count; i++)
            if (s->plan->calls[i].impl)
                add_call(lines, &count, s->plan->graph->nodes[i], &s->plan->calls[i]);
    }
    for (int i = 0; i < count; i++) {
        int width = (int)strlen(dh__scope_name(of->model, lines[i].node));
        if (width > t.width) t.width = width;
        t.seconds += lines[i].spent.seconds;
        flops += lines[i].spent.flops;
    }
    if (t.seconds > 0) {
        if (text->length) dh__text_add(text, "\n");
        write_head(&t, training, flops);
        write_lines(&t, lines, count);
    }
    dh__free(lines);
    return DH_OK;
}

dh_status dh__profile_write(char **text, const dh__profiled *of, const char *who)
{
    dh__text t = {0};
    DH_REQUIRE(calls_of(of, true) || calls_of(of, false), DH_ESTATE,
               "%s: %s \"%s\" has no step that was timed; dh_model_profile(model, true) begins it",
               who, of->name, of->model->net.name);
    dh_status status = write_mode(&t, of, true);
    if (!status) status = write_mode(&t, of, false);
    if (!status) status = dh__text_status(&t);
    if (!status && !t.length)
        status = dh_fail(DH_ESTATE, "no time has passed in the steps of %s \"%s\"", of->name,
                         of->model->net.name);
    if (status)
        dh__text_free(&t);
    else
        *text = t.data;
    return dh__from(who, status);
}

dh_status dh__profile_log(const dh__profiled *of, const char *who)
{
    char *text = NULL;
    DH_TRY(dh__profile_write(&text, of, who));
    dh__log_lines(text);
    dh_text_free(text);
    return DH_OK;
}

dh__profiled dh__profiled_model(const dh_model *model)
{
    return (dh__profiled){.model = model,
                          .name = "model",
                          .stages = model->first.stages,
                          .peak = model->peak.flops,
                          .threads = dh_model_threads(model)};
}

dh_status dh_profile_text(char **text, const dh_model *model)
{
    DH_NEED(text, "profile_text", "text");
    DH_NEED(model, "profile_text", "model");
    const dh__profiled of = dh__profiled_model(model);
    return dh__profile_write(text, &of, "profile_text");
}

dh_status dh_profile(const dh_model *model)
{
    DH_NEED(model, "profile", "model");
    const dh__profiled of = dh__profiled_model(model);
    return dh__profile_log(&of, "profile");
}
