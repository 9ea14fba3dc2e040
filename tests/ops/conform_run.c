/* SPDX-License-Identifier: MIT */
/* Every implementation of the device under test against the reference, in every layout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

const dh_step conform_step = {
    .seed = 1234, .position = 3, .row = 5, .update = 2, .learning_rate = 0.1f};

/* --- subjects --- */

int subject_updated(const subject *s, int output)
{
    if (s->op->in_max < 0 && s->op->updates[0]) return output; /* updates each of its inputs */
    return output < DH_OP_MAX_OUT ? s->op->updates[output] - 1 : -1;
}

static int count_outputs(const subject *s)
{
    if (s->op->in_max < 0 && s->op->updates[0]) return s->in_count;
    int n = s->op->out_count ? s->op->out_count : 1;
    while (n > 1 && subject_updated(s, n - 1) >= s->in_count) n--;
    return n;
}

const dh_impl *const *subject_impls(const subject *s)
{
    return test_device()->impls(test_device(), s->id);
}

dh_call subject_call(const subject *s, const dh_view *in, dh_view *out)
{
    return (dh_call){.op = s->op,
                     .attr = s->attr,
                     .in_count = s->in_count,
                     .out_count = s->out_count,
                     .in = in,
                     .out = out,
                     .step = &conform_step,
                     .device = test_device(),
                     .stream = CONFORM_STREAM};
}

void view_packed(dh_view *v, dh_dtype dtype, int ndim, const int64_t *shape)
{
    memset(v, 0, sizeof *v);
    v->dtype = dtype;
    v->ndim = ndim;
    for (int i = 0; i < ndim; i++) v->shape[i] = shape[i];
    dh__view_pack(v);
}

static bool infer(subject *s)
{
    dh_view in[MAX_OPERANDS];
    for (int i = 0; i < s->in_count; i++)
        view_packed(&in[i], s->in_dtype[i], s->in[i].ndim, s->in[i].shape);
    memset(s->out, 0, sizeof s->out);
    dh_call call = subject_call(s, in, s->out);
    dh_status status = dh__op_infer(&call);
    if (!conform_check(status == DH_OK)) conform_fail(s, "infer: %s", dh_error_text());
    return status == DH_OK;
}

void subject_reference(subject *s)
{
    ref_call call = {.attr = s->attr,
                     .in_count = s->in_count,
                     .in = s->in,
                     .out = s->want,
                     .step = &conform_step,
                     .stream = CONFORM_STREAM};
    for (int j = 0; j < MAX_OPERANDS; j++) ref_free(&s->want[j]);
    s->ref->run(&call);
}

static bool shapes_agree(const subject *s)
{
    for (int j = 0; j < s->out_count; j++) {
        const ref_tensor *w = &s->want[j];
        const dh_view *y = &s->out[j];
        char got[DH_SHAPE_TEXT], want[DH_SHAPE_TEXT];
        bool same = w->data && w->ndim == y->ndim && dh_dtype_size(y->dtype);
        for (int a = 0; same && a < w->ndim; a++) same = w->shape[a] == y->shape[a];
        if (conform_check(same)) continue;
        conform_fail(s, "infer: output %d is %s %s, the reference's %s", j,
                     dh__shape_text(got, sizeof got, y->ndim, y->shape), dh_dtype_name(y->dtype),
                     w->data ? dh__shape_text(want, sizeof want, w->ndim, w->shape) : "missing");
        return false;
    }
    return true;
}

bool subject_begin(subject *s, const family *f, const op_case *c, int number, dh_dtype dtype,
                   const char *mode, dh_dtype float_dtype, dh_dtype rounded)
{
    memset(s, 0, sizeof *s);
    s->c = c;
    s->number = number;
    s->dtype = dtype;
    s->mode = mode;
    s->loose = 1;
    s->id = dh__op_find(c->op);
    s->ref = ref_find(f->refs, c->op);
    if (!conform_check(s->id >= 0 && s->ref)) {
        conform_fail(s, s->ref ? "no op of this name" : "no reference in its family's table");
        return false;
    }
    s->op = dh__ops[s->id];
    s->in_count = c->in_count;
    s->out_count = count_outputs(s);
    s->attr = c->attr;
    if (!c->attr && s->op->attr_size) {
        s->attr = s->own_attr = calloc(1, s->op->attr_size);
        if (s->op->fields) dh_field_defaults(s->op->fields, s->own_attr);
    }
    for (int i = 0; i < c->in_count; i++) {
        dh_dtype d = c->dtype[i] ? c->dtype[i] : dtype;
        if (float_dtype && dh_dtype_is_float(d)) d = float_dtype;
        s->in_dtype[i] = d;
        fill_input(&s->in[i], c, number, i, rounded && dh_dtype_is_float(d) ? rounded : d);
    }
    if (!infer(s)) return false;
    subject_reference(s);
    return shapes_agree(s);
}

void subject_end(subject *s)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        ref_free(&s->in[i]);
        ref_free(&s->want[i]);
    }
    free(s->own_attr);
}

/* --- one run --- */

void frame_begin(frame *f, const subject *s, const layout *in, layout out, int in_place)
{
    memset(f, 0, sizeof *f);
    for (int i = 0; i < s->in_count; i++) {
        bool values = !(i < 32 && s->op->like >> i & 1u);
        operand_place(&f->in[i], s->in_dtype[i], s->in[i].ndim, s->in[i].shape, in[i],
                      values ? s->in[i].data : NULL);
        f->in_view[i] = f->in[i].view;
    }
    for (int j = 0; j < s->out_count; j++) {
        int from = j == 0 && in_place >= 0 ? in_place : subject_updated(s, j);
        if (from < 0)
            operand_place(&f->out[j], s->out[j].dtype, s->out[j].ndim, s->out[j].shape, out, NULL);
        f->out_view[j] = from < 0 ? f->out[j].view : f->in[from].view;
    }
    f->call = subject_call(s, f->in_view, f->out_view);
}

void frame_end(frame *f)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        operand_free(&f->in[i]);
        operand_free(&f->out[i]);
    }
}

const char *impl_refusal(const dh_impl *impl, const dh_call *call)
{
    return impl->refuse ? impl->refuse(call) : NULL;
}

static const char *frame_damage(const frame *f, const subject *s, int in_place, int *which)
{
    const char *damage = NULL;
    for (*which = 0; *which < s->in_count; ++*which) {
        bool written = *which == in_place;
        for (int j = 0; j < s->out_count; j++) written |= subject_updated(s, j) == *which;
        damage = operand_damage(&f->in[*which], written);
        if (damage) return damage;
    }
    for (int j = 0; j < s->out_count; j++)
        if (f->out[j].size && (damage = operand_damage(&f->out[j], true))) {
            *which = -1 - j;
            return damage;
        }
    return NULL;
}

static dh_status run_bands(const frame *f, const dh_impl *impl)
{
    const dh_view *y = &f->call.out[0];
    dh_status status = DH_OK;
    for (int64_t n = 0; n < y->shape[0]; n++)
        for (int64_t row = 0; row < y->shape[2] && !status; row += f->band) {
            int64_t end = row + f->band < y->shape[2] ? row + f->band : y->shape[2];
            dh__part part;
            dh__part_of(&part, &f->call, (dh__rows){n, n + 1}, (dh__rows){row, end});
            status = test_run(impl, &part.call, 0);
        }
    return status;
}

bool frame_run(frame *f, const subject *s, const dh_impl *impl, int in_place, const char *how)
{
    operand scratch = {0};
    int64_t size = impl->scratch ? (int64_t)impl->scratch(&f->call) : 0;
    int which;
    if (size) operand_place(&scratch, DH_U8, 1, &size, PACKED, NULL);
    f->call.scratch = size ? scratch.view.data : NULL;
    dh_status status = f->band ? run_bands(f, impl) : test_run(impl, &f->call, OPERAND_GUARD);
    mutant_apply(&f->call);
    const char *damage = size ? operand_damage(&scratch, true) : NULL;
    operand_free(&scratch);
    if (!conform_check(status == DH_OK)) conform_fail(s, "%s: run: %s", how, dh_error_text());
    if (!conform_check(!damage)) conform_fail(s, "%s: scratch: %s", how, damage);
    const char *hurt = frame_damage(f, s, in_place, &which);
    if (!conform_check(!hurt))
        conform_fail(s, "%s: %s %d: %s", how, which < 0 ? "output" : "input",
                     which < 0 ? -1 - which : which, hurt);
    return !status && !damage && !hurt;
}

static void compare_all(const subject *s, const frame *f, const dh_impl *impl, const char *how)
{
    for (int j = 0; j < s->out_count; j++)
        if (!compare_output(s, j, &f->out_view[j], impl, how)) return;
}

const char *impl_named(char *buffer, size_t size, const dh_impl *impl, const char *what)
{
    snprintf(buffer, size, "impl \"%s\"%s%s", impl->name, what[0] ? ", " : "", what);
    return buffer;
}

/* --- ref, views --- */

/* Where the op says that output 0 is a view of input 0, it must show what the reference has. */
static void check_view(const subject *s, const layout *in)
{
    frame f;
    int64_t offset = 0;
    if (!s->op->view || s->out_count != 1) return;
    frame_begin(&f, s, in, PACKED, -1);
    dh_view y = s->out[0];
    f.call.out = &y;
    if (s->op->view(&f.call, &offset)) {
        const operand *x = &f.in[0];
        size_t bytes = dh_dtype_size(y.dtype);
        char how[48];
        snprintf(how, sizeof how, "view, x %s", layout_names[in[0]]);
        y.data = (char *)x->view.data + offset * (int64_t)bytes;
        bool inside = y.dtype == x->view.dtype;
        walk w = walk_begin(&y);
        for (int64_t k = 0, n = dh__view_count(&y); inside && k < n; k++, walk_next(&w))
            inside = w.at >= x->block && w.at + bytes <= x->block + x->size;
        if (!conform_check(inside))
            conform_fail(s, "%s: it leaves its input's memory, offset %lld", how,
                         (long long)offset);
        else
            compare_output(s, 0, &y, NULL, how);
    }
    frame_end(&f);
}

static void run_layouts(const subject *s, const layout *in, layout out, const char *what)
{
    char how[96];
    bool taken = false;
    for (const dh_impl *const *impl = subject_impls(s); impl && *impl; impl++) {
        frame f;
        frame_begin(&f, s, in, out, -1);
        const char *why = impl_refusal(*impl, &f.call);
        impl_named(how, sizeof how, *impl, what);
        taken = taken || !why;
        if (!why && frame_run(&f, s, *impl, -1, how)) compare_all(s, &f, *impl, how);
        if (!impl[1] && test_device()->host && !conform_check(!why))
            conform_fail(s, "%s: the last implementation refuses: %s", how, why);
        frame_end(&f);
    }
    if (taken)
        conform_taken[s->id]++;
    else
        conform_refused[s->id]++;
    check_view(s, in);
}

void layouts_set(layout *in, layout how)
{
    for (int i = 0; i < MAX_OPERANDS; i++) in[i] = how;
}

void mode_ref(subject *s)
{
    layout in[MAX_OPERANDS];
    layouts_set(in, PACKED);
    run_layouts(s, in, PACKED, "");
}

/* Inputs whose rows along axis 0 are one in memory. Amplified rounding, as of a variance that is
 * now 0, is not what this looks for. */
static void run_repeated(subject *s)
{
    layout in[MAX_OPERANDS];
    bool any = false;
    for (int i = 0; i < s->in_count; i++) {
        ref_tensor *x = &s->in[i];
        bool fits = x->ndim > 0 && x->shape[0] > 1 && x->count && s->c->fill[i] != FILL_DIAGONAL;
        for (int j = 0; j < s->out_count; j++) fits &= subject_updated(s, j) != i;
        in[i] = fits ? REPEATED : PACKED;
        if (!fits) continue;
        any = true;
        int64_t row = x->count / x->shape[0];
        for (int64_t k = row; k < x->count; k++) x->data[k] = x->data[k % row];
    }
    if (!any) return;
    subject_reference(s);
    s->loose = 100;
    run_layouts(s, in, PACKED, "inputs repeated");
}

void layouts_channels_last(const subject *s, layout *in)
{
    for (int i = 0; i < s->in_count; i++) {
        const ref_tensor *x = &s->in[i], *y = &s->want[0];
        bool alike = x->ndim == y->ndim && x->count == y->count;
        for (int a = 0; alike && a < x->ndim; a++) alike = x->shape[a] == y->shape[a];
        if (i == 0 || alike) in[i] = CHANNELS_LAST;
    }
}

/* Images with their channels last: what is read, what is written, both. */
static void run_channels_last(const subject *s)
{
    layout in[MAX_OPERANDS];
    layouts_set(in, PACKED);
    run_layouts(s, in, CHANNELS_LAST, "outputs channels last");
    layouts_channels_last(s, in);
    run_layouts(s, in, PACKED, "inputs channels last");
    run_layouts(s, in, CHANNELS_LAST, "inputs and outputs channels last");
}

void mode_views(subject *s)
{
    layout in[MAX_OPERANDS];
    char what[48];
    for (int how = REVERSED; how <= BROADCAST; how++) {
        layouts_set(in, (layout)how);
        snprintf(what, sizeof what, "inputs %s", layout_names[how]);
        run_layouts(s, in, PACKED, what);
    }
    layouts_set(in, PACKED);
    for (int how = REVERSED; how <= OFFSET; how++) {
        snprintf(what, sizeof what, "outputs %s", layout_names[how]);
        run_layouts(s, in, (layout)how, what);
    }
    for (int i = 0; i < MAX_OPERANDS; i++) in[i] = (layout)(1 + i % OFFSET);
    run_layouts(s, in, STEP_2, "inputs mixed, outputs step 2");
    run_channels_last(s);
    run_repeated(s);
}
