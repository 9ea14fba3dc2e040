/* SPDX-License-Identifier: MIT */
/* A copy on the host of the parameters of a model that computes on another device, for when that
 * disappears: taken when the model comes there, when weights are loaded, at the end of each epoch
 * of fit, and amid an epoch as often as costs no more than a hundredth of the time. */
#include "model_impl.h"

dh_status dh__rescue_keep(dh_model *model)
{
    dh__lifeboat *r = &model->rescue;
    const dh__params *store = model->net.store;
    double begin = dh__now();
    if (store->device->host || !store->weights) {
        dh__rescue_drop(model);
        return DH_OK;
    }
    if (r->kept && !dh__params_alike(r->kept, store)) dh__rescue_drop(model);
    r->sound = false; /* while it is written */
    if (!r->kept) DH_TRY(dh__params_clone(&r->kept, store, dh__cpu()));
    DH_TRY(dh__params_follow(r->kept, store));
    r->sound = true;
    r->steps = model->steps;
    r->when = dh__now();
    r->took = r->when - begin;
    return DH_OK;
}

dh_status dh__rescue_keep_amid(dh_model *model)
{
    const dh__lifeboat *r = &model->rescue;
    if (model->net.store->device->host || dh__now() - r->when < 100 * r->took + 1) return DH_OK;
    DH_TRY(dh__settle(model));
    return dh__rescue_keep(model);
}

void dh__rescue_drop(dh_model *model)
{
    dh__params_release(model->rescue.kept);
    model->rescue = (dh__lifeboat){.kept = NULL};
}

dh_status dh__rescue(dh_model *model, dh_status lost)
{
    const dh__lifeboat *r = &model->rescue;
    dh__params *store = model->net.store;
    if (lost != DH_EDEVICE || !r->sound || !dh__params_alike(r->kept, store)) return lost;
    char why[400];
    dh__format(why, sizeof why, "%s", dh_error_text());
    if (dh__params_replace(store, &model->first.slots, r->kept)) return lost;
    dh_error_clear();
    dh__log(
        DH_LOG_WARNING,
        "model \"%s\" has lost its device: %s. It goes on with the parameters it had after %llu "
        "training step%s, %llu before; its optimizer begins anew",
        model->net.name, why, (unsigned long long)r->steps, r->steps == 1 ? "" : "s",
        (unsigned long long)(model->steps - r->steps));
    dh__rescue_drop(model);
    return DH_OK;
}
