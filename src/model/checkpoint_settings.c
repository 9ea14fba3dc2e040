/* SPDX-License-Identifier: MIT */
/* What a program gives to build and fit that changes the training, as pairs of names and values: a
 * run goes on from a checkpoint only where all of them are the same. */
#include <string.h>

#include "checkpoint.h"

/* --- pairs: a text of names and values, each ended by '\0' --- */

static void add_string(dh__text *t, const char *text)
{
    dh__text_add_bytes(t, text, strlen(text) + 1);
}

static void add(dh__text *t, const char *name, const char *value)
{
    add_string(t, name);
    add_string(t, value);
}

static void add_quoted(dh__text *t, const char *name, const char *value)
{
    add_string(t, name);
    dh__text_add(t, "\"%s\"", value);
    add_string(t, "");
}

/* As few digits as tell it from all others of its type. */
static void add_number(dh__text *t, const char *name, double value, bool single)
{
    char text[40];
    double back;
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        int n = dh__format(text, sizeof text, "%.*g", digits, value + 0.0); /* DH_ZERO is 0 */
        if (!dh__parse_double(text, (size_t)n, &back)) break;               /* nan */
        if (single ? (float)back == (float)value : back == value) break;
    }
    add(t, name, text);
}

static void add_count(dh__text *t, const char *name, int64_t value)
{
    char text[32];
    dh__format(text, sizeof text, "%lld", (long long)value);
    add(t, name, text);
}

static void add_flag(dh__text *t, const char *name, bool value)
{
    add(t, name, value ? "true" : "false");
}

/* --- of build --- */

static void add_optimizer(dh__text *t, const dh_optimizer *o)
{
    char name[64];
    add_quoted(t, "the optimizer", dh__optimizer_name(o));
    for (const dh_field *f = dh__optimizer_fields(o); f->name; f++) {
        float value;
        if (!strcmp(f->name, "learning_rate")) continue; /* what a program may change */
        memcpy(&value, (const char *)o + f->offset, sizeof value);
        dh__format(name, sizeof name, "the optimizer's %s", f->name);
        add_number(t, name, (double)value, true);
    }
    add_flag(t, "the optimizer's nesterov", o->nesterov);
    add_flag(t, "the optimizer's amsgrad", o->amsgrad);
    add_flag(t, "the optimizer's centered", o->centered);
}

static void add_goals(dh__text *t, const dh_model *m)
{
    char name[64];
    dh__text metrics = {.data = NULL};
    add_count(t, "the number of outputs", m->output_count);
    for (int o = 0; o < m->output_count; o++) {
        const dh__goal *goal = &m->goal[o];
        dh__format(name, sizeof name, "the loss of output %d", o);
        add_quoted(t, name, goal->name ? goal->name : goal->fn_result ? "loss_fn" : "none");
        dh__format(name, sizeof name, "loss_weights[%d]", o);
        add_number(t, name, (double)goal->weight, true);
    }
    for (int i = 0; i < m->metric_count; i++)
        dh__text_add(&metrics, "%s%s", i ? "," : "", m->metric[i].name);
    if (metrics.failed) t->failed = true;
    add_quoted(t, "the list of metrics", metrics.data ? metrics.data : "");
    dh__text_free(&metrics);
}

static void add_build(dh__text *t, const dh_model *m)
{
    add_optimizer(t, &m->optimizer);
    add_count(t, "the seed", (int64_t)m->seed);
    add_count(t, "accumulate", m->accumulate);
    add_number(t, "clip_value", (double)m->clip.value, true);
    add_number(t, "clip_norm", (double)m->clip.norm, true);
    add_number(t, "clip_global_norm", (double)m->clip.global_norm, true);
    add_goals(t, m);
}

/* --- of fit --- */

static void add_data(dh__text *t, const dh_fit_args *a, const dh__fit_data *data)
{
    char name[64];
    add_count(t, "the number of rows", data->rows);
    add_count(t, "batch_size", a->source ? 0 : data->train.bound);
    add_count(t, "the number of batches", data->train.source->batches);
    add_flag(t, "no_shuffle", a->no_shuffle);
    add(t, "sample_weight", a->sample_weight ? "given" : "NULL");
    add_count(t, "class_count", a->class_weight ? a->class_count : 0);
    for (int i = 0; a->class_weight && i < a->class_count; i++) {
        dh__format(name, sizeof name, "class_weight[%d]", i);
        add_number(t, name, (double)a->class_weight[i], true);
    }
}

/* What the ready callbacks keep in args and list, by the names of their arguments; what has no name
 * does not change the training. */
typedef struct numbers {
    const char *kind;
    bool watches;
    const char *args[4], *list[2];
    const char *whole; /* all of list */
} numbers;

static const numbers known[] = {
    {.kind = "early_stopping", .watches = true, .args = {"min_delta", "patience"}},
    {.kind = "best_weights", .watches = true, .args = {"min_delta"}},
    {.kind = "lr_step", .args = {"gamma"}, .list = {"epochs"}},
    {.kind = "lr_multi_step", .args = {"gamma"}, .whole = "epochs"},
    {.kind = "lr_exponential", .args = {"gamma"}},
    {.kind = "lr_cosine", .args = {"end"}, .list = {"steps", "skip"}},
    {.kind = "lr_polynomial", .args = {"end", "power"}, .list = {"steps", "skip"}},
    {.kind = "lr_warmup", .args = {"start"}, .list = {"steps"}},
    {.kind = "lr_one_cycle", .args = {"start", "end", "rise"}, .list = {"steps"}},
    {.kind = "lr_plateau",
     .watches = true,
     .args = {"min_delta", "factor", "patience", "min_factor"},
     .list = {"cooldown"}},
    {.kind = "csv_log"},
    {.kind = "jsonl_log"},
    {.kind = "learning_curves"},
    {.kind = "cancel_flag"},
    {.kind = "deadline"},
};

static const numbers *find_kind(const dh_callback *c)
{
    for (size_t i = 0; i < DH_COUNT(known); i++)
        if (!strcmp(known[i].kind, dh__callback_kind(c))) return &known[i];
    return NULL;
}

static const char *name_of(char *text, size_t size, const dh_callback *c, const char *argument)
{
    dh__format(text, size, "%s's %s", dh__callback_kind(c), argument);
    return text;
}

static void add_list(dh__text *t, const char *name, const dh_callback *c)
{
    int count = DH_MAX_RATES;
    while (count && !c->list[count - 1]) count--;
    add_string(t, name);
    dh__text_add(t, "{");
    for (int i = 0; i < count; i++) dh__text_add(t, "%s%lld", i ? ", " : "", (long long)c->list[i]);
    add_string(t, "}");
}

static void add_callback(dh__text *t, const dh_callback *c, const dh_model *m)
{
    char name[200], args[16];
    const numbers *n = find_kind(c);
    if (!n) { /* a user's */
        for (size_t i = 0; i < DH_COUNT(c->args); i++) {
            dh__format(args, sizeof args, "args[%zu]", i);
            add_number(t, name_of(name, sizeof name, c, args), c->args[i], false);
        }
        add_list(t, name_of(name, sizeof name, c, "list"), c);
        return;
    }
    if (n->watches) {
        add_string(t, name_of(name, sizeof name, c, "figure"));
        dh__watch_text(t, c, m);
        add_string(t, "");
    }
    for (size_t i = 0; i < DH_COUNT(n->args) && n->args[i]; i++)
        add_number(t, name_of(name, sizeof name, c, n->args[i]), c->args[i], false);
    for (size_t i = 0; i < DH_COUNT(n->list) && n->list[i]; i++)
        add_count(t, name_of(name, sizeof name, c, n->list[i]), c->list[i]);
    if (n->whole) add_list(t, name_of(name, sizeof name, c, n->whole), c);
}

static void add_callbacks(dh__text *t, const dh_callback *list, const dh_model *m)
{
    add_string(t, "the list of callbacks");
    dh__text_add(t, "\"");
    for (int i = 0, n = 0; i < DH_MAX_CALLBACKS; i++)
        if (list[i].call) dh__text_add(t, "%s%s", n++ ? "," : "", dh__callback_kind(&list[i]));
    add_string(t, "\"");
    for (int i = 0; i < DH_MAX_CALLBACKS; i++)
        if (list[i].call) add_callback(t, &list[i], m);
}

dh_status dh__checkpoint_settings(dh__text *out, const dh_fit_args *a, const dh__fit_data *data)
{
    add_build(out, a->model);
    add_data(out, a, data);
    add_callbacks(out, a->callbacks, a->model);
    return dh__text_status(out);
}

/* --- of layers --- */

/* dense "first": {units=6} of input1. What was given as its default is left away. */
static dh_status add_layer(dh__text *t, const dh_layer *layer)
{
    size_t size = dh_field_print(layer->def->fields, layer->args, NULL, 0) + 1;
    char *args = dh__alloc(size);
    if (!args) return DH_ENOMEM;
    dh_field_print(layer->def->fields, layer->args, args, size);
    dh__text_add(t, "%s \"%s\"", layer->def->kind, layer->name);
    add_string(t, "");
    dh__text_add(t, "{%s}", args);
    for (int i = 0; i < layer->in_count; i++)
        dh__text_add(t, "%s%s", i ? ", " : " of ", layer->in[i]->name);
    add_string(t, "");
    dh__free(args);
    return DH_OK;
}

dh_status dh__checkpoint_layers(dh__text *out, const dh_model *model)
{
    for (int i = 0; i < model->net.count; i++) DH_TRY(add_layer(out, model->net.layers[i]));
    return dh__text_status(out);
}

/* --- are they the same --- */

/* The next string of a text; NULL behind its end. */
static const char *next(const char **at, const char *end)
{
    if (*at >= end) return NULL;
    const char *text = *at;
    *at += strlen(text) + 1;
    return text;
}

dh_status dh__checkpoint_same(const char *there, size_t size, const dh__text *here)
{
    const char *a = there, *a_end = there + size, *b = here->data, *b_end = b + here->length;
    DH_REQUIRE(!size || !there[size - 1], DH_EFORMAT, "its settings are cut short");
    for (;;) {
        const char *name = next(&a, a_end), *own_name = next(&b, b_end);
        if (!name && !own_name) return DH_OK;
        DH_REQUIRE(name && own_name, DH_ESTATE, "%s is in the %s alone", name ? name : own_name,
                   name ? "checkpoint" : "program");
        DH_REQUIRE(!strcmp(name, own_name), DH_ESTATE,
                   "%s stands in the checkpoint where %s stands here", name, own_name);
        const char *value = next(&a, a_end), *own = next(&b, b_end);
        DH_REQUIRE(value && own, DH_EFORMAT, "%s has no value in the checkpoint", name);
        DH_REQUIRE(!strcmp(value, own), DH_ESTATE, "%s is %s in the checkpoint, %s here", name,
                   value, own);
    }
}
