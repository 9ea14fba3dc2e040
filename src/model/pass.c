/* SPDX-License-Identifier: MIT */
/* Running steps and adding up what they report. */
#include <math.h>
#include <string.h>

#include "model_impl.h"
#include "team.h"

int dh__enter(const dh_model *model)
{
    return dh__team_limit(model->cs.threads);
}

void dh__leave(int before)
{
    dh__team_limit(before);
}

int dh_model_threads(const dh_model *model)
{
    if (!model) return 0;
    int before = dh__enter(model), threads = dh__team_size();
    dh__leave(before);
    return threads;
}

dh_status dh__ready(const dh_model *model, bool needs_loss, const char *who)
{
    DH_NEED(model, who, "model");
    DH_REQUIRE(model->built, DH_ESTATE, "%s: model \"%s\" is not built; call dh_build first", who,
               model->net.name);
    bool loss = false;
    for (int o = 0; o < model->output_count; o++)
        loss |= model->goal[o].name || model->goal[o].fn_result;
    DH_REQUIRE(loss || !needs_loss, DH_ESTATE, "%s: model \"%s\" was built without a loss", who,
               model->net.name);
    return DH_OK;
}

void dh__pass_begin(dh_model *model, dh__pass *pass)
{
    pass->loss = 0;
    pass->samples = 0;
    memset(pass->losses, 0, sizeof pass->losses);
    for (int i = 0; i < model->metric_count; i++)
        for (int k = 0; k < pass->count[i]; k++) pass->sums[i][k] = 0;
    model->last = pass;
}

void dh__pass_clear(dh__pass *pass)
{
    for (int i = 0; i < DH_MAX_METRICS; i++) dh__free(pass->sums[i]);
    memset(pass, 0, sizeof *pass);
}

/* A loss, times rows. */
static dh_status add_loss(double *sum, const dh__stage *stage, dh_value value)
{
    double loss;
    if (value == DH_NO_VALUE) return DH_OK;
    DH_TRY(dh__plan_numbers(&loss, stage->plan, value, 1));
    *sum += (double)stage->plan->rows * loss;
    return DH_OK;
}

/* Room for a metric's sums, and for those of a batch behind them, is made when its first batch
 * shows how many there are. */
static dh_status add_metric(dh__pass *pass, int i, const dh__stage *stage)
{
    int n = (int)dh__view_count(dh__plan_view(stage->plan, stage->metric[i]));
    if (pass->count[i] != n) {
        double *sums = dh__calloc(2 * (size_t)n, sizeof *sums);
        if (!sums) return DH_ENOMEM;
        dh__free(pass->sums[i]);
        pass->sums[i] = sums;
        pass->count[i] = n;
    }
    double *sums = pass->sums[i], *batch = sums + n;
    DH_TRY(dh__plan_numbers(batch, stage->plan, stage->metric[i], n));
    for (int k = 0; k < n; k++) sums[k] += batch[k];
    return DH_OK;
}

dh_status dh__pass_add(dh_model *model, dh__pass *pass, const dh__stage *stage)
{
    DH_TRY(add_loss(&pass->loss, stage, stage->loss));
    for (int o = 0; o < model->output_count; o++)
        DH_TRY(add_loss(&pass->losses[o], stage, stage->losses[o]));
    for (int i = 0; i < model->metric_count; i++)
        if (stage->metric[i] != DH_NO_VALUE) DH_TRY(add_metric(pass, i, stage));
    pass->samples += stage->plan->rows;
    return DH_OK;
}

void dh__pass_result(const dh_model *model, const dh__pass *pass, dh_result *out)
{
    double seconds = out->seconds, n = pass->samples > 0 ? (double)pass->samples : NAN;
    memset(out, 0, sizeof *out);
    out->seconds = seconds;
    out->samples = pass->samples;
    out->loss = pass->loss / n;
    out->loss_count = model->output_count;
    for (int o = 0; o < model->output_count; o++) out->losses[o] = pass->losses[o] / n;
    out->metric_count = model->metric_count;
    for (int i = 0; i < model->metric_count; i++) {
        const dh__metric *m = &model->metric[i].metric;
        out->metrics[i] = pass->count[i] ? m->finish(pass->sums[i], pass->count[i], n) : NAN;
    }
}

/* --- NaN --- */

static bool finite_input(dh_status *status, const dh__stage *stage, dh_value value)
{
    bool finite = true;
    if (!*status)
        *status = dh__plan_finite(&finite, stage->plan, dh__plan_view(stage->plan, value));
    return finite;
}

static dh_status explain_loss(dh_model *model, dh__stage *stage, double loss)
{
    const char *op;
    int scope;
    dh_status status = DH_OK;
    for (int i = 0; i < model->input_count; i++)
        DH_REQUIRE(finite_input(&status, stage, stage->input[i]), DH_ENUMERIC,
                   "the loss is %g: x of input \"%s\" holds a NaN or infinity in this batch", loss,
                   model->input[i]->name);
    for (int o = 0; o < model->output_count; o++)
        if (stage->target[o] != DH_NO_VALUE)
            DH_REQUIRE(finite_input(&status, stage, stage->target[o]), DH_ENUMERIC,
                       "the loss is %g: y of output \"%s\" holds a NaN or infinity in this batch",
                       loss, model->output[o]->name);
    if (stage->sample_weight != DH_NO_VALUE)
        DH_REQUIRE(finite_input(&status, stage, stage->sample_weight), DH_ENUMERIC,
                   "the loss is %g: sample_weight holds a NaN or infinity in this batch", loss);
    DH_TRY(status);
    DH_TRY(dh__plan_find_nan(stage->plan, &scope, &op));
    if (scope < 0)
        return dh_fail(DH_ENUMERIC, "the loss is %g, though every layer's output is finite", loss);
    const dh_layer *layer = model->net.layers[scope];
    return dh_fail(DH_ENUMERIC,
                   "the loss is %g: %s \"%s\" is the first layer whose output holds a "
                   "NaN or infinity (op %s)",
                   loss, layer->def->kind, layer->name, op);
}

dh_status dh__check_loss(dh_model *model, dh__stage *stage)
{
    if (stage->loss == DH_NO_VALUE) return DH_OK;
    double loss;
    DH_TRY(dh__plan_numbers(&loss, stage->plan, stage->loss, 1));
    return isfinite(loss) ? DH_OK : explain_loss(model, stage, loss);
}
