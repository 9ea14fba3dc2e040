/* SPDX-License-Identifier: MIT */
/* Time by layer, from what the plans have measured of their calls. */
#include "model_impl.h"

dh_status dh_model_profile(dh_model *model, bool on)
{
    DH_NEED(model, "model_profile", "model");
    model->profile = on;
    if (on) model->peak.asked = false;
    for (dh__stage *s = model->first.stages; s && on; s = s->next) dh__plan_forget(s->plan);
    return DH_OK;
}

void dh__peak_ask(dh__peak *peak, dh_device *device)
{
    dh__error saved;
    if (peak->asked || !device->peak) return;
    peak->asked = true;
    dh__error_save(&saved);
    peak->flops = device->peak(device); /* 0 where memory lacks */
    dh__error_restore(&saved);
}

static void add_calls(dh__profile *p, const dh_model *model, const dh__plan *plan,
                      const bool *listed)
{
    for (int i = 0; i < plan->graph->node_count; i++) {
        const dh__node *n = plan->graph->nodes[i];
        double seconds = plan->calls[i].spent.seconds;
        dh__times *t = n->scope >= 0 && listed[n->scope] ? &p->rows[n->scope]
                       : n->phase == DH_UPDATE           ? &p->rows[model->net.count + 1]
                                                         : &p->rows[model->net.count];
        double *to = n->phase == DH_FORWARD    ? &t->forward
                     : n->phase <= DH_BACKWARD ? &t->backward
                                               : &t->update;
        *to += seconds;
    }
}

static void finish(dh__profile *p, int count)
{
    for (int i = 0; i < count; i++) {
        dh__times *t = &p->rows[i];
        t->forward /= (double)p->steps;
        t->backward /= (double)p->steps;
        t->update /= (double)p->steps;
        p->total.forward += t->forward;
        p->total.backward += t->backward;
        p->total.update += t->update;
    }
}

dh_status dh__profile_take(dh__profile *out, const dh_model *model, const bool *listed)
{
    dh__profile p = {0};
    for (const dh__stage *s = model->first.stages; s; s = s->next)
        p.training |= s->key.mode == DH_TRAIN && s->plan->runs;
    for (const dh__stage *s = model->first.stages; s; s = s->next)
        if ((s->key.mode == DH_TRAIN) == p.training) p.steps += s->plan->runs;
    if (p.steps) {
        int count = model->net.count + 2;
        p.rows = dh__calloc((size_t)count, sizeof *p.rows);
        if (!p.rows) return DH_ENOMEM;
        for (const dh__stage *s = model->first.stages; s; s = s->next)
            if ((s->key.mode == DH_TRAIN) == p.training && s->plan->runs)
                add_calls(&p, model, s->plan, listed);
        finish(&p, count);
    }
    *out = p;
    return DH_OK;
}
