/* SPDX-License-Identifier: MIT */
/* The summary: layers, shapes, parameters, work, implementations, and memory by level. */
#include <string.h>

#include "model_impl.h"

/* What the nodes of one layer's forward add up to. */
typedef struct work {
    double flops;
    char impl[64];
    double most; /* flops of the node whose implementation is named */
} work;

static void add_work(work *w, const dh__stage *stage)
{
    const dh__plan *plan = stage->plan;
    for (int i = 0; i < plan->phase_end[DH_FORWARD]; i++) {
        const dh__step_call *c = &plan->calls[i];
        int scope = plan->graph->nodes[i]->scope;
        if (scope < 0 || !c->impl) continue;
        double flops = dh__op_flops(&c->call);
        w[scope].flops += flops;
        if (flops < w[scope].most) continue;
        w[scope].most = flops;
        dh__format(w[scope].impl, sizeof w[scope].impl, "%s", c->impl->name);
    }
}

int64_t dh__layer_parameters(const dh_layer *layer, int64_t *trainable)
{
    const dh_model *model = (const dh_model *)(const void *)layer->net;
    const dh__params *store = layer->net->store;
    size_t n = strlen(layer->owner);
    int64_t total = 0;
    for (int i = 0; i < store->count && dh__first_owner(layer); i++) {
        const dh__segment *s = store->segments[i];
        if (strncmp(s->name, layer->owner, n) || s->name[n] != '/') continue;
        total += s->count;
        if (dh__trainable(model, i)) *trainable += s->count;
    }
    return total;
}

/* "1.50 M", "12 ": a unit follows. */
static const char *amount(char *text, size_t size, double n)
{
    static const char units[] = " kMGT";
    int u = 0;
    for (; n >= 1000 && u < 4; u++) n /= 1000;
    dh__format(text, size, u ? "%.2f %c" : "%.0f ", n, units[u]);
    return text;
}

static void target_guess(dh__key *key, const dh_model *model)
{
    for (int o = 0; o < model->output_count; o++) {
        const dh_view *v = dh__graph_view(model->net.sketch, model->output[o]->sketch);
        key->target[o].dtype = DH_F32;
        key->target[o].ndim = v->ndim;
        for (int i = 1; i < v->ndim; i++) key->target[o].shape[i] = v->shape[i];
    }
}

static bool has_loss(const dh_model *model)
{
    for (int o = 0; o < model->output_count; o++)
        if (model->goal[o].name || model->goal[o].fn_result) return true;
    return false;
}

/* Of what is trained now, and of what was and keeps them. */
static dh_status count_slots(size_t *bytes, const dh_model *model)
{
    bool *trained;
    DH_TRY(dh__model_trained(&trained, model));
    int64_t elements = dh__slots_elements(&model->first.slots, model->net.store, trained);
    dh__free(trained);
    *bytes = (size_t)elements * sizeof(float) * (size_t)dh__optimizer_slots(&model->optimizer);
    return DH_OK;
}

/* Those that are never all there at once: what they add to the activations. */
static dh_status add_early_gradients(dh_memory_report *r, dh_model *model, const dh__key *key)
{
    dh__stage *stage;
    size_t activations = r->activation_bytes[model->cs.memory];
    DH_TRY(dh__stage_new(&stage, model, key, (dh__memory)model->cs.memory));
    size_t all = stage->plan->arena_size;
    r->gradient_bytes = all > activations ? all - activations : 0;
    dh__stage_free(stage);
    return DH_OK;
}

dh_status dh_model_memory(dh_memory_report *out, dh_model *model, int batch_size)
{
    DH_NEED(out, "model_memory", "out");
    DH_TRY(dh__ready(model, false, "model_memory"));
    DH_REQUIRE(batch_size > 0, DH_EINVAL, "model_memory: batch_size is %d, must be at least 1",
               batch_size);
    dh_memory_report r = {0};
    const dh__params *store = model->net.store;
    bool train = has_loss(model);
    dh__key key = {
        .mode = train ? DH_TRAIN : DH_PREDICT, .rows = batch_size, .freeze = dh__freeze_key(model)};
    target_guess(&key, model);
    size_t weights = (size_t)store->allocated[0] * sizeof(float);
    r.parameter_bytes = weights + (size_t)store->allocated[1] * sizeof(float);
    r.gradient_bytes = train ? weights : 0;
    int before = dh__enter(model);
    dh_status status = train ? count_slots(&r.optimizer_bytes, model) : DH_OK;
    for (int level = 0; level < 3 && !status; level++) {
        dh__stage *stage;
        status = dh__stage_new(&stage, model, &key, (dh__memory)level);
        if (status) break;
        r.activation_bytes[level] = stage->plan->arena_size;
        dh__stage_free(stage);
    }
    key.early = train && dh__updates_early(model);
    if (key.early && !status) status = add_early_gradients(&r, model, &key);
    dh__leave(before);
    if (status) return status;
    r.plan_bytes = r.parameter_bytes + r.gradient_bytes + r.optimizer_bytes +
                   r.activation_bytes[model->cs.memory];
    *out = r;
    return DH_OK;
}

static const char *title(char *text, size_t size, const dh_layer *layer)
{
    dh__format(text, size, "%s (%s)", layer->name, layer->def->kind);
    return text;
}

const char *dh__layer_shape(char *text, size_t size, const dh_layer *layer)
{
    const dh_view *v = dh__graph_view(layer->net->sketch, layer->sketch);
    char shape[DH_SHAPE_TEXT];
    dh__shape_text(shape, sizeof shape, v->ndim, v->shape);
    const char *rest = strchr(shape, ',');
    bool batch = v->ndim && v->shape[0] == DH_SKETCH_ROWS;
    dh__format(text, size, batch ? "[N%s" : "%s", batch ? (rest ? rest : "]") : shape);
    return text;
}

/* --- the table --- */

static double sum_of(const dh__times *times)
{
    return times->forward + times->backward + times->update;
}

/* Nothing where nothing was timed. */
static void write_times(dh__text *t, const dh__profile *profile, const dh__times *times)
{
    if (!profile->steps) return;
    double all = sum_of(&profile->total), share = all > 0 ? 100 * sum_of(times) / all : 0;
    dh__text_add(t, "%10.3f  %10.3f  %10.3f  %5.1f%%  ", 1e3 * times->forward,
                 1e3 * times->backward, 1e3 * times->update, share);
}

static void write_other(dh__text *t, const dh__profile *profile, const dh__times *times, int width,
                        const char *name)
{
    dh__text_add(t, "%-*s  %-20s %12s  %10s  ", width, name, "", "", "");
    write_times(t, profile, times);
    dh__text_add(t, "-\n");
}

/* Rows of what belongs to no layer, and of all together. */
static void write_rest(dh__text *t, const dh_model *model, const dh__profile *profile, int width)
{
    char name[64];
    if (!profile->steps) return;
    write_other(t, profile, &profile->rows[model->net.count], width, "losses and metrics");
    dh__format(name, sizeof name, "optimizer (%s)", dh__optimizer_name(&model->optimizer));
    if (profile->training)
        write_other(t, profile, &profile->rows[model->net.count + 1], width, name);
    write_other(t, profile, &profile->total, width, "all");
    dh__text_add(t, "times in milliseconds a step, means over %lld steps of %s\n",
                 (long long)profile->steps,
                 profile->training ? "training" : "evaluation and prediction");
}

static void write_layer(dh__text *t, const dh_layer *layer, const work *w,
                        const dh__profile *profile, int width, int64_t own)
{
    char name[128], shape[64], flops[32];
    dh__text_add(t, "%-*s  %-20s %12lld  %10s  ", width, title(name, sizeof name, layer),
                 dh__layer_shape(shape, sizeof shape, layer), (long long)own,
                 amount(flops, sizeof flops, w->flops));
    if (profile->steps) write_times(t, profile, &profile->rows[layer->index]);
    dh__text_add(t, "%s\n", *w->impl ? w->impl : "-");
}

static void write_layers(dh__text *t, const dh_model *model, const work *w,
                         const dh__profile *profile, const bool *wanted)
{
    char text[128];
    int64_t total = 0, trainable = 0;
    double all = 0;
    int width = profile->steps ? (int)strlen("optimizer (adadelta)") : 5;
    for (int i = 0; i < model->net.count; i++) {
        int length = (int)strlen(title(text, sizeof text, model->net.layers[i]));
        if (wanted[i] && length > width) width = length;
    }
    dh__text_add(t, "model \"%s\"\n%-*s  %-20s %12s  %10s  ", model->net.name, width, "layer",
                 "output", "parameters", "FLOPs ");
    if (profile->steps)
        dh__text_add(t, "%10s  %10s  %10s  %6s  ", "forward", "backward", "update", "share");
    dh__text_add(t, "implementation\n");
    for (int i = 0; i < model->net.count; i++) {
        if (!wanted[i]) continue;
        int64_t own = dh__layer_parameters(model->net.layers[i], &trainable);
        write_layer(t, model->net.layers[i], &w[i], profile, width, own);
        total += own;
        all += w[i].flops;
    }
    write_rest(t, model, profile, width);
    dh__text_add(t, "parameters %lld (%lld trainable), forward %s", (long long)total,
                 (long long)trainable, amount(text, sizeof text, all));
}

static dh_status write_summary(dh__text *t, dh_model *model, int batch)
{
    static const char *const levels[] = {"full_mem", "mid_mem", "low_mem"};
    dh__key key = {.mode = DH_PREDICT, .rows = batch};
    dh__stage *stage;
    dh_memory_report memory;
    dh__profile profile = {0};
    char text[32];
    DH_TRY(dh_model_memory(&memory, model, batch));
    int before = dh__enter(model);
    dh_status status = dh__stage_new(&stage, model, &key, DH_FULL_MEM);
    dh__leave(before);
    if (status) return status;
    size_t n = (size_t)model->net.count + 1;
    work *w = dh__calloc(n, sizeof *w);
    bool *wanted = dh__calloc(n, sizeof *wanted);
    status = w && wanted ? DH_OK : DH_ENOMEM;
    for (int o = 0; o < model->output_count && !status; o++) dh__net_want(model->output[o], wanted);
    if (!status) status = dh__profile_take(&profile, model, wanted);
    if (!status) {
        add_work(w, stage);
        write_layers(t, model, w, &profile, wanted);
        dh__text_add(t, "FLOPs for a batch of %d\nmemory: parameters %sB, gradients ", batch,
                     amount(text, sizeof text, (double)memory.parameter_bytes));
        dh__text_add(t, "%sB, ", amount(text, sizeof text, (double)memory.gradient_bytes));
        dh__text_add(t, "optimizer (%s) %sB\nactivations:", dh__optimizer_name(&model->optimizer),
                     amount(text, sizeof text, (double)memory.optimizer_bytes));
        for (int i = 0; i < 3; i++)
            dh__text_add(t, "  %s %sB%s", levels[i],
                         amount(text, sizeof text, (double)memory.activation_bytes[i]),
                         i == model->cs.memory ? " (used)" : "");
    }
    dh__free(profile.rows);
    dh__free(w);
    dh__free(wanted);
    dh__stage_free(stage);
    return status ? status : dh__text_status(t);
}

dh_status dh_summary_text(char **text, dh_model *model, int batch_size)
{
    dh__text t = {0};
    DH_NEED(text, "summary_text", "text");
    DH_TRY(dh__ready(model, false, "summary"));
    DH_REQUIRE(batch_size >= 0, DH_EINVAL, "summary: batch_size is %d, must be at least 0",
               batch_size);
    int batch = batch_size ? batch_size : model->last_rows > 0 ? (int)model->last_rows : 32;
    dh_status status = write_summary(&t, model, batch);
    if (status)
        dh__text_free(&t);
    else
        *text = t.data;
    return status;
}

void dh_text_free(char *text)
{
    dh__free(text);
}

dh_status dh_summary(dh_model *model, int batch_size)
{
    char *text;
    DH_TRY(dh_summary_text(&text, model, batch_size));
    dh__log_lines(text);
    dh_text_free(text);
    return DH_OK;
}
