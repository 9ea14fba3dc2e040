/* SPDX-License-Identifier: MIT */
/* What an op refuses: attributes out of range, wrong counts and dtypes; and what it does when
 * memory ends. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

/* A dtype that the case may be run at: f32 where it can be. */
static dh_dtype some_dtype(const op_case *c, const dh_op *op)
{
    if (c->dtype[0] && c->dtype[0] != DH_BOOL) return c->dtype[0];
    if (c->dtype[0] || op->dtypes & DH_MASK(DH_F32)) return DH_F32;
    dh_dtype d = DH_F64;
    while (d < DH_BOOL && !(op->dtypes & DH_MASK(d))) d = (dh_dtype)(d + 1);
    return d;
}

static dh_status try_infer(const subject *s, const void *attr, int in_count, const dh_dtype *dtypes)
{
    dh_view in[MAX_OPERANDS + 1] = {0}, out[MAX_OPERANDS + 1] = {0};
    for (int i = 0; i < in_count; i++) {
        int from = i < s->in_count ? i : s->in_count - 1;
        in[i].dtype = dtypes[from];
        in[i].ndim = s->in[from].ndim;
        memcpy(in[i].shape, s->in[from].shape, sizeof in[i].shape);
        dh__view_pack(&in[i]);
    }
    dh_call call = {.op = s->op,
                    .attr = attr,
                    .in_count = in_count,
                    .out_count = s->out_count,
                    .in = in,
                    .out = out};
    dh_error_clear();
    return dh__op_infer(&call);
}

/* The call must be refused with a text that names the op and, where given, the field. */
static void must_refuse(const subject *s, dh_status status, const char *field, const char *what)
{
    const char *text = dh_error_text();
    bool named = strstr(text, s->op->name) && (!field || strstr(text, field));
    if (!conform_check(status != DH_OK))
        conform_fail(s, "%s%s%s: taken", field ? field : "", field ? " " : "", what);
    else if (!conform_check(named))
        conform_fail(s, "%s%s%s: the message names not both: \"%s\"", field ? field : "",
                     field ? " " : "", what, text);
}

/* A value beyond one end of the range into the member; false where the type has none. */
static bool store_beyond(const dh_field *f, void *attr, bool above)
{
    double end = above ? f->max : f->min;
    double v = above ? end + fmax(1, fabs(end) * 1e-3) : end - fmax(1, fabs(end) * 1e-3);
    char *at = (char *)attr + f->offset;
    bool wide = !isfinite(end) || !isfinite(v);
    switch (f->kind) {
    case DH_FIELD_CHOICE: v = above ? 1000 : -1; /* fall through */
    case DH_FIELD_INT:
        if (wide || fabs(v) > 2147483647.0) return false;
        *(int *)(void *)at = (int)v;
        return true;
    case DH_FIELD_INT64:
        if (wide || fabs(v) > 9.2e18) return false;
        *(int64_t *)(void *)at = (int64_t)v;
        return true;
    case DH_FIELD_INTS:
        if (wide || fabs(v) > 9.2e18) return false;
        ((dh_ints *)(void *)at)->count = 1;
        ((dh_ints *)(void *)at)->v[0] = (int64_t)v;
        return true;
    case DH_FIELD_FLOAT:
        if (wide || fabs(v) > (double)FLT_MAX) return false;
        *(float *)(void *)at = (float)v;
        return true;
    case DH_FIELD_DOUBLE:
        if (wide) return false;
        *(double *)(void *)at = v;
        return true;
    default: return false;
    }
}

static void check_fields(const subject *s)
{
    const dh_op *op = s->op;
    char *attr = calloc(1, op->attr_size + 1), what[64];
    dh_field_defaults(op->fields, attr);
    dh_error_clear();
    if (dh_field_check(op->fields, attr, op->name)) { /* then a field is required: it is named */
        bool named = false;
        for (const dh_field *f = op->fields; f->name; f++)
            named |= !(f->dflt >= f->min && f->dflt <= f->max) && strstr(dh_error_text(), f->name);
        if (!conform_check(named)) conform_fail(s, "defaults are refused: %s", dh_error_text());
    }
    for (const dh_field *f = op->fields; f->name; f++) {
        bool inside = f->offset + f->size <= op->attr_size;
        if (!conform_check(inside)) conform_fail(s, "field %s lies outside its struct", f->name);
        for (int above = 0; inside && above <= 1; above++) {
            memcpy(attr, s->attr, op->attr_size);
            if (!store_beyond(f, attr, above)) continue;
            snprintf(what, sizeof what, "%s its range", above ? "above" : "below");
            must_refuse(s, try_infer(s, attr, s->in_count, s->in_dtype), f->name, what);
        }
        if (!inside || f->kind != DH_FIELD_DOUBLE) continue;
        memcpy(attr, s->attr, op->attr_size);
        *(double *)(void *)(attr + f->offset) = NAN;
        must_refuse(s, try_infer(s, attr, s->in_count, s->in_dtype), f->name, "NaN");
    }
    must_refuse(s, try_infer(s, NULL, s->in_count, s->in_dtype), NULL, "attributes NULL");
    free(attr);
}

static dh_dtype outside(uint32_t mask)
{
    for (int d = 1; d < DH_DTYPE_COUNT; d++)
        if (!(mask & DH_MASK(d))) return (dh_dtype)d;
    return DH_DTYPE_DEFAULT;
}

static void check_inputs(const subject *s)
{
    const dh_op *op = s->op;
    dh_dtype dtypes[MAX_OPERANDS];
    memcpy(dtypes, s->in_dtype, sizeof dtypes);
    if (op->in_min > 0)
        must_refuse(s, try_infer(s, s->attr, op->in_min - 1, dtypes), NULL, "an input too few");
    if (op->in_max >= 0 && op->in_max <= MAX_OPERANDS)
        must_refuse(s, try_infer(s, s->attr, op->in_max + 1, dtypes), NULL, "an input too many");
    if (outside(op->dtypes)) {
        for (int i = 0; i < s->in_count; i++) dtypes[i] = outside(op->dtypes);
        must_refuse(s, try_infer(s, s->attr, s->in_count, dtypes), NULL, "a dtype not its own");
        memcpy(dtypes, s->in_dtype, sizeof dtypes);
    }
    if (!(op->flags & DH_OP_SAME_DTYPE) || s->in_count < 2) return;
    dtypes[1] = dtypes[0] == DH_F64 ? DH_F32 : DH_F64;
    must_refuse(s, try_infer(s, s->attr, s->in_count, dtypes), NULL, "two dtypes");
}

void mode_attr(const family *f, const op_case *c)
{
    subject s;
    int id = dh__op_find(c->op);
    dh_dtype d = id < 0 ? DH_F32 : some_dtype(c, dh__ops[id]);
    if (subject_begin(&s, f, c, 0, d, "attr", DH_DTYPE_DEFAULT, DH_DTYPE_DEFAULT)) {
        if (s.op->fields) check_fields(&s);
        check_inputs(&s);
    }
    subject_end(&s);
}

/* --- memory --- */

static uint64_t live_blocks(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

static bool make_inputs(const subject *s, dh_tensor **in)
{
    for (int i = 0; i < s->in_count; i++) {
        const ref_tensor *x = &s->in[i];
        if (dh__tensor_new(&in[i], dh__cpu(), s->in_dtype[i], x->ndim, x->shape)) return false;
        for (int64_t k = 0; k < x->count; k++)
            dh__store(s->in_dtype[i],
                      (char *)in[i]->view.data + (size_t)k * dh_dtype_size(s->in_dtype[i]),
                      x->data[k]);
    }
    return true;
}

/* True when the call succeeded, and so no allocation is left to fail. */
static bool fail_nth(const subject *s, dh_tensor *const *in, uint64_t nth)
{
    dh_tensor *out[DH_OP_MAX_OUT] = {0};
    uint64_t before = live_blocks();
    dh_alloc_fail_at(nth);
    dh_status status = dh__eager(s->id, s->attr, s->in_count, (const dh_tensor *const *)in, out);
    dh_alloc_fail_at(0);
    char how[48];
    snprintf(how, sizeof how, "allocation %llu failing", (unsigned long long)nth);
    if (status == DH_OK) {
        /* random ops draw from the eager API's own position, not from the reference's */
        for (int j = 0; j < s->out_count; j++)
            if (conform_check(out[j]) && !(s->op->flags & DH_OP_RANDOM))
                compare_output(s, j, &out[j]->view, NULL, "eager");
        for (int j = 0; j < s->out_count; j++) dh_tensor_free(out[j]);
    } else if (!conform_check(status == DH_ENOMEM)) {
        conform_fail(s, "%s: %s: %s", how, dh_status_name(status), dh_error_text());
    }
    uint64_t after = live_blocks();
    if (!conform_check(after == before))
        conform_fail(s, "%s: %lld blocks leak", how, (long long)(after - before));
    for (int j = 0; status && j < s->out_count; j++)
        if (!conform_check(!out[j])) conform_fail(s, "%s: output %d was touched", how, j);
    return status != DH_ENOMEM;
}

/* Ops that update are left out: the eager API gives new tensors, and has no buffers to update. */
void mode_alloc(const family *f, const op_case *c)
{
    subject s;
    dh_tensor *in[MAX_OPERANDS] = {0};
    int id = dh__op_find(c->op);
    if (id >= 0 && dh__ops[id]->updates[0]) return;
    dh_dtype d = id < 0 ? DH_F32 : some_dtype(c, dh__ops[id]);
    if (subject_begin(&s, f, c, 0, d, "alloc", DH_DTYPE_DEFAULT, DH_DTYPE_DEFAULT)) {
        bool done = !make_inputs(&s, in);
        for (uint64_t nth = 1; !done && nth < 1000; nth++) done = fail_nth(&s, in, nth);
        if (!conform_check(done)) conform_fail(&s, "still fails after 1000 allocations");
    }
    for (int i = 0; i < MAX_OPERANDS; i++) dh_tensor_free(in[i]);
    subject_end(&s);
}
