/* SPDX-License-Identifier: MIT */
/* From the user's tensors to the inputs of a step. */
#include <math.h>
#include <string.h>

#include "model_impl.h"
#include "source_impl.h"
#include "team.h"

static dh_status check_input(const dh_model *model, int i, const dh_tensor *x, int64_t rows,
                             const char *who)
{
    const dh_layer *layer = model->input[i];
    const dh_view *want = dh__graph_view(model->net.sketch, layer->sketch);
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    DH_REQUIRE(x, DH_EINVAL, "%s: x of input \"%s\" is NULL", who, layer->name);
    bool same = x->view.ndim == want->ndim;
    for (int k = 1; same && k < want->ndim; k++) same = x->view.shape[k] == want->shape[k];
    DH_REQUIRE(same, DH_ESHAPE, "%s: input \"%s\" takes [N%s%s, x is %s", who, layer->name,
               want->ndim > 1 ? ", " : "",
               dh__shape_text(a, sizeof a, want->ndim - 1, want->shape + 1) + 1,
               dh__shape_text(b, sizeof b, x->view.ndim, x->view.shape));
    DH_REQUIRE(x->view.shape[0] == rows, DH_ESHAPE,
               "%s: input \"%s\" has %lld rows, input \"%s\" has %lld", who, layer->name,
               (long long)x->view.shape[0], model->input[0]->name, (long long)rows);
    DH_REQUIRE(x->storage->device->host, DH_EDEVICE,
               "%s: x of input \"%s\" is on \"%s\", must be in host "
               "memory",
               who, layer->name, x->storage->device->name);
    return DH_OK;
}

static dh_status check_target(const dh_model *model, int o, const dh_tensor *y, int64_t rows,
                              const char *who)
{
    const dh_layer *layer = model->output[o];
    bool needed = model->goal[o].name || model->goal[o].fn_result;
    for (int i = 0; i < model->metric_count; i++) needed |= model->metric[i].output == o;
    if (!y && !needed) return DH_OK;
    DH_REQUIRE(y, DH_EINVAL, "%s: y of output \"%s\" is NULL", who, layer->name);
    DH_REQUIRE(y->view.ndim >= 1 && y->view.shape[0] == rows, DH_ESHAPE,
               "%s: y of output \"%s\" has %lld rows, x has %lld", who, layer->name,
               (long long)(y->view.ndim ? y->view.shape[0] : 0), (long long)rows);
    DH_REQUIRE(y->storage->device->host, DH_EDEVICE,
               "%s: y of output \"%s\" is on \"%s\", must be in "
               "host memory",
               who, layer->name, y->storage->device->name);
    return DH_OK;
}

static dh_status class_of(int *out, const dh_view *y, int64_t row, int classes)
{
    double class = dh__class_of(y, row);
    DH_REQUIRE(class >= 0 && class < classes && class == floor(class), DH_EINVAL,
               "class_weight: row %lld is of class %g, class_count is %d", (long long)row, class,
               classes);
    *out = (int)class;
    return DH_OK;
}

static dh_status check_class_weight(const dh__data *data, const dh_model *model, int64_t rows,
                                    const char *who)
{
    const dh_tensor *y = data->y[0];
    int class;
    DH_REQUIRE(y && (model->goal[0].name || model->goal[0].fn_result), DH_EINVAL,
               "%s: class_weight is given, but the first output, \"%s\", has no %s", who,
               model->output[0]->name, y ? "loss" : "y");
    DH_REQUIRE(
        y->view.ndim <= 2 && (y->view.ndim == 1 || y->view.shape[1] > 0), DH_ESHAPE,
        "%s: class_weight is given, y has %d axes and no class a row: needs [%lld] or [%lld, "
        "classes]",
        who, y->view.ndim, (long long)rows, (long long)rows);
    for (int64_t i = 0; i < rows; i++) {
        dh_status status = class_of(&class, &y->view, i, data->class_count);
        if (status) return dh__from(who, status);
    }
    return DH_OK;
}

static dh_status check_weights(const dh__data *data, const dh_model *model, int64_t rows,
                               const char *who)
{
    const dh_tensor *w = data->sample_weight;
    char text[DH_SHAPE_TEXT];
    DH_REQUIRE(!w || (w->view.ndim == 1 && w->view.shape[0] == rows), DH_ESHAPE,
               "%s: sample_weight is %s, needs [%lld]", who,
               dh__shape_text(text, sizeof text, w->view.ndim, w->view.shape), (long long)rows);
    if (data->class_weight) DH_TRY(check_class_weight(data, model, rows, who));
    const dh_layer *loss = model->goal[0].fn_result;
    bool scalar = loss && dh__graph_view(model->net.sketch, loss->sketch)->ndim == 0;
    DH_REQUIRE(!scalar || !(w || data->class_weight), DH_ESHAPE,
               "%s: %s is given, but loss_fn gives one number for the batch, must give [N]", who,
               w ? "sample_weight" : "class_weight");
    return DH_OK;
}

void dh__data_take(dh__data *data, const dh_tensor *x, const dh_tensor *y,
                   const dh_tensor *const *xs, const dh_tensor *const *ys)
{
    memset(data, 0, sizeof *data);
    for (int i = 0; i < DH_MAX_IO; i++) {
        data->x[i] = xs[i];
        data->y[i] = ys[i];
    }
    if (x) data->x[0] = x;
    if (y) data->y[0] = y;
}

dh_status dh__data_check(dh__data *data, const dh_model *model, bool with_targets, const char *who)
{
    DH_REQUIRE(data->x[0], DH_EINVAL, "%s: x is NULL", who);
    int64_t rows = data->x[0]->view.ndim ? data->x[0]->view.shape[0] : 0;
    for (int i = 0; i < DH_MAX_IO; i++) {
        if (i < model->input_count)
            DH_TRY(check_input(model, i, data->x[i], rows, who));
        else
            DH_REQUIRE(!data->x[i], DH_EINVAL, "%s: has more than the model's %d inputs", who,
                       model->input_count);
    }
    for (int o = 0; with_targets && o < model->output_count; o++)
        DH_TRY(check_target(model, o, data->y[o], rows, who));
    DH_REQUIRE(rows > 0, DH_ESHAPE, "%s: x has no rows", who);
    DH_TRY(check_weights(data, model, rows, who));
    data->begin = 0;
    data->count = rows;
    return DH_OK;
}

void dh__data_key(dh__key *key, const dh__data *data, const dh_model *model, dh__mode mode,
                  int64_t rows)
{
    memset(key, 0, sizeof *key);
    key->mode = mode;
    key->rows = rows;
    key->freeze = mode != DH_PREDICT ? dh__freeze_key(model) : 0;
    key->sample_weight = mode != DH_PREDICT && data->sample_weight;
    key->class_weight = mode != DH_PREDICT && data->class_weight;
    for (int o = 0; o < model->output_count && mode != DH_PREDICT; o++) {
        if (!data->y[o]) continue;
        key->target[o].dtype = data->y[o]->view.dtype;
        key->target[o].ndim = data->y[o]->view.ndim;
        for (int i = 1; i < data->y[o]->view.ndim; i++)
            key->target[o].shape[i] = data->y[o]->view.shape[i];
    }
}

/* --- copying rows --- */

typedef struct copy {
    const dh_view *from, *to;
    const int64_t *order;
    int64_t begin, row_count; /* elements of a row */
    bool packed;              /* a row of from is one piece */
} copy;

static const char *row_of(const copy *c, int64_t i)
{
    int64_t row = c->order ? c->order[i] : c->begin + i;
    return (const char *)c->from->data +
           row * c->from->stride[0] * (int64_t)dh_dtype_size(c->from->dtype);
}

/* Elements of a row in order, whatever its strides, cast. */
static void copy_row_slowly(const copy *c, const char *from, char *to)
{
    const dh_view *v = c->from;
    size_t in = dh_dtype_size(v->dtype), out = dh_dtype_size(c->to->dtype);
    for (int64_t k = 0; k < c->row_count; k++) {
        int64_t rest = k, offset = 0;
        for (int a = v->ndim - 1; a > 0; a--) {
            offset += rest % v->shape[a] * v->stride[a];
            rest /= v->shape[a];
        }
        dh__store(c->to->dtype, to + (size_t)k * out,
                  dh__load(v->dtype, from + offset * (int64_t)in));
    }
}

static void copy_rows(void *context, int64_t first, int64_t last)
{
    const copy *c = context;
    size_t bytes = (size_t)c->row_count * dh_dtype_size(c->to->dtype);
    for (int64_t i = first; i < last; i++) {
        const char *from = row_of(c, i);
        char *to = (char *)c->to->data + (size_t)i * bytes;
        if (c->packed && c->from->dtype == c->to->dtype) {
            memcpy(to, from, bytes);
        } else if (c->packed && c->from->dtype == DH_U8 && c->to->dtype == DH_F32) {
            float *y = (float *)(void *)to;
            for (int64_t k = 0; k < c->row_count; k++) y[k] = (float)((const uint8_t *)from)[k];
        } else {
            copy_row_slowly(c, from, to);
        }
    }
}

static void feed_view(const dh_view *to, const dh_view *from, const int64_t *order, int64_t begin,
                      int64_t rows)
{
    copy c = {.from = from, .to = to, .order = order, .begin = begin, .row_count = 1};
    dh_view row = *from;
    for (int a = 1; a < from->ndim; a++) c.row_count *= from->shape[a];
    if (row.ndim) row.shape[0] = 1;
    c.packed = dh__view_contiguous(&row);
    int64_t grain = 65536 / (c.row_count + 1);
    dh__team_ranges(rows, grain < 1 ? 1 : grain, copy_rows, &c);
}

static dh_status feed_tensor(const dh__plan *plan, dh_value value, const dh_tensor *from,
                             const int64_t *order, int64_t begin, int64_t rows)
{
    dh_view to = dh__plan_feed(plan, value);
    feed_view(&to, &from->view, order, begin, rows);
    return dh__plan_fed(plan, value);
}

static dh_status feed_sample_weights(const dh__plan *plan, dh_value value, const dh_view *v,
                                     const int64_t *order, int64_t begin, int64_t rows)
{
    float *to = dh__plan_feed(plan, value).data;
    int64_t size = (int64_t)dh_dtype_size(v->dtype);
    for (int64_t i = 0; i < rows; i++) {
        int64_t row = order ? order[i] : begin + i;
        to[i] = (float)dh__load(v->dtype, (const char *)v->data + row * v->stride[0] * size);
    }
    return dh__plan_fed(plan, value);
}

static dh_status feed_class_weights(const dh__plan *plan, dh_value value, const dh__data *data,
                                    const int64_t *order, int64_t begin, int64_t rows)
{
    float *to = dh__plan_feed(plan, value).data;
    for (int64_t i = 0; i < rows; i++) {
        int k = 0;
        DH_TRY(class_of(&k, &data->y[0]->view, order ? order[i] : begin + i, data->class_count));
        to[i] = data->class_weight[k];
    }
    return dh__plan_fed(plan, value);
}

dh_status dh__feed(dh__stage *stage, const dh_model *model, const dh__data *data,
                   const int64_t *order, int64_t begin, int64_t rows, bool inputs, bool targets)
{
    dh__plan *plan = stage->plan;
    DH_TRY(dh__explain_shortage(dh__plan_bind(plan), model, stage));
    if (inputs) plan->arena->owner = NULL; /* what a forward left there is no more */
    for (int i = 0; inputs && i < model->input_count; i++)
        DH_TRY(feed_tensor(plan, stage->input[i], data->x[i], order, begin, rows));
    for (int o = 0; targets && o < model->output_count; o++)
        if (stage->target[o] != DH_NO_VALUE)
            DH_TRY(feed_tensor(plan, stage->target[o], data->y[o], order, begin, rows));
    if (targets && stage->sample_weight != DH_NO_VALUE)
        DH_TRY(feed_sample_weights(plan, stage->sample_weight, &data->sample_weight->view, order,
                                   begin, rows));
    if (!targets || stage->class_weight == DH_NO_VALUE) return DH_OK;
    return feed_class_weights(plan, stage->class_weight, data, order, begin, rows);
}
