/* SPDX-License-Identifier: MIT */
/* The eager way of running an op: infer, then a view where the op allows one, else the first
 * implementation of the tensors' device that takes the call. */
#include <string.h>

#include "tensor_impl.h"
#include "team.h"

#define LOCAL_IN 8

/* Everything of one eager call, so that there is one place to clean up. */
typedef struct eager {
    int id;
    const dh_op *op;
    dh_device *device;
    dh_call call;
    dh_view *in;
    dh_tensor **cast; /* inputs in another dtype, owned */
    dh_view local_in[LOCAL_IN], out[DH_OP_MAX_OUT];
    dh_tensor *local_cast[LOCAL_IN];
    const dh_impl *impl;
    dh_step step;
} eager;

static void eager_end(eager *e)
{
    for (int i = 0; e->cast && i < e->call.in_count; i++) dh_tensor_free(e->cast[i]);
    if (e->in != e->local_in) dh__free(e->in);
    if (e->cast != e->local_cast) dh__free(e->cast);
    if (e->call.scratch) e->device->free(e->device, e->call.scratch);
}

static dh_status eager_begin(eager *e, int op, const void *attr, int in_count,
                             const dh_tensor *const *in)
{
    memset(e, 0, sizeof *e);
    e->id = op;
    e->op = dh__ops[op];
    e->in = e->local_in;
    e->cast = e->local_cast;
    for (int i = 0; i < in_count; i++) {
        DH_REQUIRE(in[i], DH_EINVAL, "%s: input %d is NULL", e->op->name, i);
        DH_REQUIRE(in[i]->storage->device == in[0]->storage->device, DH_EDEVICE,
                   "%s: input %d is on \"%s\", input 0 on \"%s\"", e->op->name, i,
                   in[i]->storage->device->name, in[0]->storage->device->name);
    }
    e->device = in_count ? in[0]->storage->device : dh__cpu();
    if (in_count > LOCAL_IN) {
        e->in = dh__calloc((size_t)in_count, sizeof *e->in);
        e->cast = dh__calloc((size_t)in_count, sizeof(dh_tensor *));
        if (!e->in || !e->cast) return DH_ENOMEM;
    }
    e->call = (dh_call){.op = e->op,
                        .attr = attr,
                        .in_count = in_count,
                        .out_count = dh__op_out_count(e->op, in_count),
                        .in = e->in,
                        .out = e->out,
                        .step = &e->step,
                        .device = e->device};
    e->step.update = 1;
    return DH_OK;
}

/* Where promotion leads to a dtype that the op does not take, both given ones are named. */
static dh_status check_common(const dh_op *op, const dh_tensor *const *in, int in_count,
                              dh_dtype common)
{
    char list[DH_DTYPE_LIST_TEXT], a[32], b[32];
    int i = 1;
    if (op->dtypes & DH_MASK(common)) return DH_OK;
    while (i + 1 < in_count && in[i]->view.dtype == in[0]->view.dtype) i++;
    return dh_fail(DH_EDTYPE, "%s: %s is %s, %s is %s, which meet in %s, must be one of %s",
                   op->name, dh__op_input(a, sizeof a, op, 0), dh_dtype_name(in[0]->view.dtype),
                   dh__op_input(b, sizeof b, op, i), dh_dtype_name(in[i]->view.dtype),
                   dh_dtype_name(common), dh__dtype_list(list, sizeof list, op->dtypes));
}

static dh_status promote_inputs(eager *e, const dh_tensor *const *in)
{
    dh_dtype common = e->call.in_count ? in[0]->view.dtype : DH_F32;
    bool same = e->op->flags & DH_OP_SAME_DTYPE;
    for (int i = 1; same && i < e->call.in_count; i++)
        common = dh_dtype_promote(common, in[i]->view.dtype);
    for (int i = 0; i < e->call.in_count; i++) {
        e->in[i] = in[i]->view;
        if (!same || in[i]->view.dtype == common) continue;
        DH_TRY(check_common(e->op, in, e->call.in_count, common));
        dh_cast_attr attr = {.dtype = (int)common};
        DH_TRY(dh__eager(DH_OP_CAST, &attr, 1, &in[i], &e->cast[i]));
        e->in[i] = e->cast[i]->view;
    }
    return dh__op_infer(&e->call);
}

static dh_status choose_and_run(eager *e)
{
    DH_TRY(dh__op_choose(&e->impl, e->device, e->id, &e->call));
    size_t size;
    DH_TRY(dh__op_scratch(&size, e->impl, &e->call));
    if (size) DH_TRY(e->device->alloc(e->device, &e->call.scratch, size));
    DH_TRY(e->impl->run(&e->call));
    return e->device->wait(e->device);
}

/* out[0] on the storage of in[0]; false where the op gives no view. */
static bool as_view(eager *e, const dh_tensor *x, dh_tensor **out, dh_status *status)
{
    int64_t offset = 0;
    dh_view *v = &e->out[0];
    if (!e->op->view || e->cast[0] || !e->op->view(&e->call, &offset)) return false;
    v->data = (char *)x->view.data + offset * (int64_t)dh_dtype_size(v->dtype);
    *status = dh__tensor_on(out, x->storage, v);
    return true;
}

static dh_status run_new(eager *e, const dh_tensor *const *in, dh_tensor **out)
{
    dh_tensor *made[DH_OP_MAX_OUT] = {0};
    dh_status status = DH_OK;
    if (e->call.in_count && as_view(e, in[0], out, &status)) return status;
    for (int i = 0; i < e->call.out_count && !status; i++) {
        const dh_view *v = &e->out[i];
        status = dh__tensor_new(&made[i], e->device, v->dtype, v->ndim, v->shape);
        if (!status) e->out[i].data = made[i]->view.data;
    }
    if (!status) status = choose_and_run(e);
    for (int i = 0; i < e->call.out_count; i++) {
        if (status)
            dh_tensor_free(made[i]);
        else
            out[i] = made[i];
    }
    return status;
}

/* Op add speaks as the function tensor_add; one that is made of it renames that again. */
static dh_status as_function(dh_status status, int op)
{
    char who[64];
    if (!status) return DH_OK;
    dh__format(who, sizeof who, "tensor_%s", dh__ops[op]->name);
    return dh__named(dh__named(status, "tensor_new", who), dh__ops[op]->name, who);
}

dh_status dh__eager(int op, const void *attr, int in_count, const dh_tensor *const *in,
                    dh_tensor **out)
{
    eager e;
    DH_REQUIRE(out, DH_EINVAL, "tensor_%s: out is NULL", dh__ops[op]->name);
    dh_status status = eager_begin(&e, op, attr, in_count, in);
    if (!status) status = promote_inputs(&e, in);
    if (!status) status = run_new(&e, in, out);
    eager_end(&e);
    return as_function(status, op);
}

/* Two tensors may lie on one storage, or on the caller's memory both. */
static bool overlaps(const dh_tensor *a, const dh_tensor *b)
{
    if (a->storage == b->storage) return a->storage->data != NULL;
    const char *a0 = a->storage->data, *b0 = b->storage->data;
    if (!a0 || !b0 || !a->storage->device->host || !b->storage->device->host) return false;
    return a0 < b0 + b->storage->size && b0 < a0 + a->storage->size;
}

/* In place is safe where each element is read before it is written; otherwise by way of a copy. */
static bool safe_in_place(const eager *e, const dh_tensor *const *in, const dh_tensor *out)
{
    for (int i = 0; i < e->call.in_count; i++) {
        if (e->cast[i] || !overlaps(in[i], out)) continue;
        bool same = in[i]->view.data == out->view.data &&
                    dh__same_shape(&in[i]->view, &out->view) &&
                    !memcmp(in[i]->view.stride, out->view.stride, sizeof out->view.stride) &&
                    in[i]->view.dtype == out->view.dtype;
        if (!same || !(e->op->inplace >> i & 1u)) return false;
    }
    return true;
}

dh_status dh__eager_into(int op, const void *attr, int in_count, const dh_tensor *const *in,
                         dh_tensor *out)
{
    eager e;
    DH_NEED(out, dh__ops[op]->name, "out");
    dh_status status = eager_begin(&e, op, attr, in_count, in);
    if (!status) status = promote_inputs(&e, in);
    if (!status && !dh__same_shape(&e.out[0], &out->view)) {
        char want[DH_SHAPE_TEXT], got[DH_SHAPE_TEXT];
        status = dh_fail(DH_ESHAPE, "%s: the result is %s, dst is %s", e.op->name,
                         dh__shape_text(want, sizeof want, e.out[0].ndim, e.out[0].shape),
                         dh__shape_text(got, sizeof got, out->view.ndim, out->view.shape));
    }
    /* inverse finds out on the way that a matrix has none */
    bool direct = !status && e.call.out_count == 1 && e.out[0].dtype == out->view.dtype &&
                  !e.op->updates[0] && op != DH_OP_INVERSE && safe_in_place(&e, in, out);
    if (direct) {
        e.out[0] = out->view;
        status = choose_and_run(&e);
    } else if (!status) {
        dh_tensor *made[DH_OP_MAX_OUT] = {0};
        status = run_new(&e, in, made);
        if (!status) status = dh_tensor_assign(out, made[0]);
        for (int i = 0; i < e.call.out_count; i++) dh_tensor_free(made[i]);
    }
    eager_end(&e);
    return status;
}
