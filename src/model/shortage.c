/* SPDX-License-Identifier: MIT */
/* What is said where a step does not fit into its device's memory. */
#include "model_impl.h"

static const char *const levels[] = {"full_mem", "mid_mem", "low_mem"};

/* " , most of it at ..."; nothing where memory lacks for finding out. */
static void tell_where(char *text, size_t size, const dh_model *model, const dh__stage *stage)
{
    size_t bytes;
    int node = dh__plan_peak(stage->plan, &bytes);
    if (node < 0) return;
    const dh__node *n = stage->plan->graph->nodes[node];
    if (n->scope >= 0)
        dh__format(text, size, "; %s \"%s\" needs the most, %zu bytes",
                   model->net.layers[n->scope]->def->kind, model->net.layers[n->scope]->name,
                   bytes);
    else
        dh__format(text, size, "; %s needs the most, %zu bytes", dh__scope_name(model, n), bytes);
}

/* Plans of the higher levels: the first that fits into what is free. */
static void tell_level(char *text, size_t size, dh_model *model, const dh__stage *stage)
{
    dh_device_info info;
    size_t least = 0;
    bool known = !dh_device_describe(&info, stage->plan->arena->device->name) && info.memory_free;
    for (int level = model->cs.memory + 1; level <= DH_LOW_MEM; level++) {
        dh__stage *other;
        dh__key key = stage->key;
        key.early = key.mode == DH_TRAIN && dh__would_update_early(model, (dh__memory)level);
        if (dh__stage_new(&other, model, &key, (dh__memory)level)) break;
        least = other->plan->arena_size;
        dh__stage_free(other);
        if (!known || least > info.memory_free) continue;
        dh__format(text, size, "; memory level \"%s\" would fit with %zu", levels[level], least);
        return;
    }
    if (least)
        dh__format(text, size, "; memory level \"low_mem\" needs %zu: smaller batches may fit",
                   least);
    else
        dh__format(text, size, "; smaller batches may fit");
}

dh_status dh__explain_shortage(dh_status status, const dh_model *model, const dh__stage *stage)
{
    char where[256] = "", level[128] = "";
    dh__error shortage;
    if (status != DH_ENOMEM || stage->plan->arena->device->host) return status;
    dh__error_save(&shortage);
    tell_where(where, sizeof where, model, stage);
    tell_level(level, sizeof level, (dh_model *)(uintptr_t)model,
               stage); /* which it leaves as it is */
    dh__error_restore(&shortage);
    return dh_fail(status, "%s; a step of %lld rows needs %zu bytes%s%s", dh_error_text(),
                   (long long)stage->plan->rows, stage->plan->arena_size, where, level);
}
