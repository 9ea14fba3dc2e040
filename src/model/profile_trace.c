/* SPDX-License-Identifier: MIT */
/* The profile as a timeline, and what the environment asks of it. */
#include <deephealth/inspection.h>

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json.h"
#include "model_impl.h"

static void add_shapes(dh__text *t, const char *name, const dh_view *views, int count)
{
    char shape[DH_SHAPE_TEXT];
    dh__text_add(t, ",\"%s\":\"", name);
    for (int i = 0; i < count; i++)
        dh__text_add(t, "%s%s %s", i ? ", " : "", dh_dtype_name(views[i].dtype),
                     dh__shape_text(shape, sizeof shape, views[i].ndim, views[i].shape));
    dh__text_add(t, "\"");
}

/* Microseconds; bytes and GFLOP/s are means over all runs of the call. */
static void add_event(dh__text *t, const dh_model *model, const dh__node *node,
                      const dh__step_call *c, double origin)
{
    const dh__spent *s = &c->spent;
    dh__text_add(t, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":%.3f,\"dur\":%.3f,\"cat\":\"%s\",",
                 1e6 * (s->began - origin), 1e6 * s->last, dh__phase_name(node->phase));
    dh__text_add(t, "\"name\":");
    dh__json_add_string(t, c->call.op->name);
    dh__text_add(t, ",\"args\":{\"layer\":");
    dh__json_add_string(t, dh__scope_name(model, node));
    dh__text_add(t, ",\"implementation\":\"%s\"", c->impl->name);
    add_shapes(t, "in", c->call.in, c->call.in_count);
    add_shapes(t, "out", c->call.out, c->call.out_count);
    dh__text_add(t, ",\"GFLOP/s\":%.3f,\"bytes\":%.0f}}",
                 s->seconds > 0 ? 1e-9 * s->flops / s->seconds : 0,
                 s->bytes / (double)c->spent.runs);
}

/* The first call's begin of all stages that were timed. */
static double origin_of(const dh__stage *stages)
{
    double origin = INFINITY;
    for (const dh__stage *s = stages; s; s = s->next)
        for (int i = 0; i < s->plan->graph->node_count && s->plan->runs; i++)
            if (s->plan->calls[i].spent.runs && s->plan->calls[i].spent.began < origin)
                origin = s->plan->calls[i].spent.began;
    return origin;
}

static void write_trace(dh__text *t, const dh__profiled *of, double origin)
{
    dh__text_add(t,
                 "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
                 "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\",\"args\":{\"name\":");
    dh__json_add_string(t, of->model->net.name);
    dh__text_add(t, "}}");
    for (const dh__stage *s = of->stages; s; s = s->next)
        for (int i = 0; i < s->plan->graph->node_count && s->plan->runs; i++)
            if (s->plan->calls[i].spent.runs)
                add_event(t, of->model, s->plan->graph->nodes[i], &s->plan->calls[i], origin);
    dh__text_add(t, "\n]}\n");
}

static dh_status save(const dh__text *t, const char *path)
{
    dh__writer *writer;
    DH_TRY(dh__text_status(t));
    DH_TRY(dh__writer_open(&writer, path));
    (void)dh__write(writer, t->data, t->length);
    return dh__writer_commit(writer);
}

static dh_status trace(const dh__profiled *of, const char *path, const char *who)
{
    dh__text t = {0};
    double origin = origin_of(of->stages);
    DH_REQUIRE(isfinite(origin), DH_ESTATE,
               "%s: %s \"%s\" has no step that was timed; dh_model_profile(model, true) begins it",
               who, of->name, of->model->net.name);
    write_trace(&t, of, origin);
    dh_status status = save(&t, path);
    dh__text_free(&t);
    return dh__from(who, status);
}

dh_status dh_profile_trace(const dh_model *model, const char *path)
{
    DH_NEED(model, "profile_trace", "model");
    DH_NEED(path, "profile_trace", "path");
    const dh__profiled of = dh__profiled_model(model);
    return trace(&of, path, "profile_trace");
}

/* --- the environment --- */

static const char *asked(void)
{
    const char *value = getenv("DEEPHEALTH_PROFILE");
    return value && *value && strcmp(value, "0") ? value : NULL;
}

void dh__profile_ask(dh_model *model)
{
    model->profile = model->profile_asked = asked() != NULL;
}

/* A profile that can't be told is no failure of what was profiled. */
void dh__profile_tell(const dh__profiled *of)
{
    const char *path = asked();
    dh__error saved;
    if (!of->model->profile_asked || !path || !isfinite(origin_of(of->stages))) return;
    dh__error_save(&saved);
    dh_status status = dh__profile_log(of, "profile");
    if (!status && strcmp(path, "1")) status = trace(of, path, "profile_trace");
    if (status) dh__log(DH_LOG_WARNING, "%s", dh_error_text());
    dh__error_restore(&saved);
}
