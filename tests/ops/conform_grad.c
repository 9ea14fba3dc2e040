/* SPDX-License-Identifier: MIT */
/* Gradient rules, run on an eager tape, against central differences of the f64 reference. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"
#include "eager_tape.h"

/* Elements of one input that are differenced: all of small ones, a sample of big ones. */
enum { ALL_UP_TO = 128, SAMPLE = 64 };

/* The difference's own error: truncation h^2 f'''/6, with h = 1e-5 and f''' up to 1e4 about 2e-7;
 * rounding 1e-16 |y| / h, about 1e-11 a term. */
static const double difference_rtol = 1e-5, difference_atol = 1e-6;
/* f32 against f64: kernels of a few roundings each, some of them on sums that cancel. */
static const double single_tol = 1e-3;

/* One forward run on a tape and what its backward needs. */
typedef struct trial {
    const subject *s;
    eager_tape tape;
    dh_value in[MAX_OPERANDS], out[DH_OP_MAX_OUT];
    bool wanted[MAX_OPERANDS]; /* inputs that are differentiated */
    bool flows[DH_OP_MAX_OUT]; /* outputs of a floating dtype */
    double *dy[DH_OP_MAX_OUT];
} trial;

typedef struct gradient {
    double *dx[MAX_OPERANDS]; /* NULL where it was not asked for */
} gradient;

/* Whether the op's input 0, of its dtype in the case, may be of dtype d where it is a float. */
static bool offers(const op_case *c, const dh_op *op, dh_dtype d)
{
    bool fixed = c->dtype[0] && !dh_dtype_is_float(c->dtype[0]);
    return fixed || (op->dtypes & DH_MASK(d));
}

bool grad_applies(const op_case *c, const dh_op *op)
{
    bool any = false;
    if (!op->backward || c->forward_only || !offers(c, op, DH_F64)) return false;
    for (int i = 0; i < c->in_count; i++) {
        bool is_float = !c->dtype[i] || dh_dtype_is_float(c->dtype[i]), empty = false;
        for (int a = 0; a < c->in[i].ndim; a++) empty |= c->in[i].dim[a] == 0;
        any |= is_float && !empty && !(op->like >> i & 1u) && !(c->no_grad >> i & 1u);
    }
    return any;
}

static dh_status tensor_of(dh_tensor **out, dh_dtype dtype, const ref_tensor *x,
                           const double *values)
{
    DH_TRY(dh__tensor_new(out, dh__cpu(), dtype, x->ndim, x->shape));
    for (int64_t k = 0; k < x->count; k++)
        dh__store(dtype, (char *)(*out)->view.data + (size_t)k * dh_dtype_size(dtype), values[k]);
    return DH_OK;
}

static dh_status trial_begin(trial *t, const subject *s)
{
    memset(t, 0, sizeof *t);
    t->s = s;
    eager_tape_begin(&t->tape, &conform_step, CONFORM_STREAM);
    t->tape.ran = mutant_apply;
    for (int i = 0; i < s->in_count; i++) {
        dh_tensor *x;
        DH_TRY(tensor_of(&x, s->in_dtype[i], &s->in[i], s->in[i].data));
        t->in[i] = eager_tape_add(&t->tape, x);
        t->wanted[i] = dh_dtype_is_float(s->in_dtype[i]) && !(s->op->like >> i & 1u) &&
                       !(s->c->no_grad >> i & 1u);
    }
    for (int j = 0; j < s->out_count; j++) {
        t->flows[j] = dh_dtype_is_float(s->out[j].dtype);
        t->dy[j] = calloc((size_t)s->want[j].count + 1, sizeof(double));
        fill_cotangent(t->dy[j], s->want[j].count, s->op->name, s->number, j);
    }
    int64_t counted = eager_tape_emitted[s->id]; /* the forward op is not emitted by a rule */
    dh_status status = dh_emit(&t->tape.emitter, s->id, s->attr, s->in_count, t->in, t->out);
    eager_tape_emitted[s->id] = counted;
    return status;
}

static void trial_end(trial *t)
{
    eager_tape_end(&t->tape);
    for (int j = 0; j < DH_OP_MAX_OUT; j++) free(t->dy[j]);
}

static void gradient_free(gradient *g)
{
    for (int i = 0; i < MAX_OPERANDS; i++) free(g->dx[i]);
    memset(g, 0, sizeof *g);
}

/* Reads a dx off the tape; a message where it has not its input's shape and dtype. */
static const char *read_dx(double **out, const trial *t, int input, dh_value dx)
{
    const ref_tensor *x = &t->s->in[input];
    *out = calloc((size_t)x->count + 1, sizeof(double));
    if (dx == DH_NO_VALUE) return NULL; /* zero */
    if (dx < 0 || dx >= t->tape.count) return "is no value of the tape";
    const dh_view *v = &t->tape.values[dx]->view;
    bool same = v->ndim == x->ndim;
    for (int a = 0; same && a < x->ndim; a++) same = v->shape[a] == x->shape[a];
    if (!same) return "has not the shape of its input";
    if (v->dtype != t->s->in_dtype[input]) return "has not the dtype of its input";
    for (int64_t k = 0; k < x->count; k++) (*out)[k] = view_get(v, k);
    return NULL;
}

/* dx of the inputs in need from the cotangents of the outputs in from (bit masks). */
static dh_status run_backward(trial *t, unsigned from, unsigned need, gradient *out)
{
    const subject *s = t->s;
    dh_view in[MAX_OPERANDS], outs[DH_OP_MAX_OUT];
    dh_value dy[DH_OP_MAX_OUT], dx[MAX_OPERANDS];
    bool needs[MAX_OPERANDS];
    memset(out, 0, sizeof *out);
    for (int i = 0; i < s->in_count; i++) {
        in[i] = t->tape.values[t->in[i]]->view;
        in[i].data = NULL;
        dx[i] = DH_NO_VALUE;
        needs[i] = need >> i & 1u;
    }
    for (int j = 0; j < s->out_count; j++) {
        dh_tensor *d = NULL;
        outs[j] = t->tape.values[t->out[j]]->view;
        outs[j].data = NULL;
        dy[j] = DH_NO_VALUE;
        if (!(from >> j & 1u)) continue;
        DH_TRY(tensor_of(&d, s->out[j].dtype, &s->want[j], t->dy[j]));
        dy[j] = eager_tape_add(&t->tape, d);
    }
    dh_call call = {.op = s->op,
                    .attr = s->attr,
                    .in_count = s->in_count,
                    .out_count = s->out_count,
                    .in = in,
                    .out = outs};
    dh_grad g = {.call = &call,
                 .in = t->in,
                 .out = t->out,
                 .dy = dy,
                 .need = needs,
                 .dx = dx,
                 .to = &t->tape.emitter};
    t->tape.emitter.status = DH_OK;
    DH_TRY(s->op->backward(&g));
    DH_TRY(t->tape.emitter.status);
    for (int i = 0; i < s->in_count; i++) {
        if (!needs[i]) continue;
        const char *wrong = read_dx(&out->dx[i], t, i, dx[i]);
        DH_REQUIRE(!wrong, DH_EINTERNAL, "dx of input %d %s", i, wrong);
    }
    return DH_OK;
}

/* --- the difference --- */

/* d/dx[element] of the sum over dy * y, with x of the given input. */
static double difference(subject *s, const trial *t, unsigned from, int input, int64_t element)
{
    double *x = &s->in[input].data[element], kept = *x;
    double h = 1e-5 * fmax(1, fabs(kept)), sum = 0;
    ref_tensor above[MAX_OPERANDS];
    volatile double high = kept + h, low = kept - h; /* the step as it is after rounding */
    *x = high;
    subject_reference(s);
    memcpy(above, s->want, sizeof above);
    memset(s->want, 0, sizeof s->want);
    *x = low;
    subject_reference(s);
    *x = kept;
    for (int j = 0; j < s->out_count; j++)
        for (int64_t k = 0; (from >> j & 1u) && k < s->want[j].count; k++)
            sum += t->dy[j][k] * (above[j].data[k] - s->want[j].data[k]);
    for (int j = 0; j < MAX_OPERANDS; j++) ref_free(&above[j]);
    return sum / (high - low);
}

static void compare_difference(subject *s, const trial *t, unsigned from, const gradient *g)
{
    for (int i = 0; i < s->in_count; i++) {
        int64_t count = s->in[i].count, worst_at = 0;
        bool all = count <= ALL_UP_TO;
        double worst = 0, worst_want = 0;
        if (!g->dx[i]) continue;
        for (int64_t n = 0; n < (all ? count : SAMPLE); n++) {
            int64_t e = all ? n : fill_pick((uint64_t)n * 977 + (uint64_t)i, count);
            double want = difference(s, t, from, i, e), got = g->dx[i][e];
            bool holds = fabs(got - want) <= difference_atol + difference_rtol * fabs(want);
            if (conform_check(holds)) continue;
            double off = fabs(got - want);
            if (!(off <= worst)) { /* also NaN */
                worst = isnan(off) ? INFINITY : off;
                worst_at = e;
                worst_want = want;
            }
        }
        if (worst > 0)
            conform_fail(s, "dx of input %d [%lld] from outputs 0x%x is %.9g, the difference %.9g",
                         i, (long long)worst_at, from, g->dx[i][worst_at], worst_want);
    }
    subject_reference(s);
}

/* tol 0: the same bits. */
static void compare_gradients(const subject *s, const gradient *got, const gradient *want,
                              double tol, const char *what)
{
    for (int i = 0; i < s->in_count; i++) {
        int64_t wrong = -1;
        if (!got->dx[i] || !want->dx[i]) continue;
        for (int64_t k = 0; wrong < 0 && k < s->in[i].count; k++) {
            double a = got->dx[i][k], b = want->dx[i][k];
            bool same = tol > 0 ? fabs(a - b) <= tol * (1 + fabs(b)) : !memcmp(&a, &b, sizeof a);
            if (!same) wrong = k;
        }
        if (!conform_check(wrong < 0))
            conform_fail(s, "%s: dx of input %d [%lld] is %.9g, must be %.9g", what, i,
                         (long long)wrong, got->dx[i][wrong], want->dx[i][wrong]);
    }
}

/* --- the mode --- */

static unsigned mask_of(const bool *flags, int count)
{
    unsigned mask = 0;
    for (int i = 0; i < count; i++) mask |= (unsigned)flags[i] << i;
    return mask;
}

/* A rule is a function of its arguments: again, and for one input at a time, it gives the same. */
static void check_pure(const subject *s, trial *t, unsigned from, unsigned need,
                       const gradient *first)
{
    for (int i = -1; i < s->in_count; i++) {
        gradient again;
        if (i >= 0 && (!(need >> i & 1u) || need == 1u << i)) continue;
        dh_status status = run_backward(t, from, i < 0 ? need : 1u << i, &again);
        if (conform_check(status == DH_OK))
            compare_gradients(s, &again, first, 0,
                              i < 0 ? "backward a second time" : "backward for this input alone");
        else
            conform_fail(s, "backward again: %s", dh_error_text());
        gradient_free(&again);
    }
}

/* Rules may offer output 0 alone and say so. */
static bool only_first_output(const trial *t, unsigned from, dh_status status)
{
    return status == DH_EUNSUPPORTED && from != 1 && t->flows[0];
}

static void check_single(const family *f, const op_case *c, int number, unsigned from,
                         unsigned need, const gradient *want)
{
    subject s;
    trial t;
    gradient got = {{0}};
    bool ready = subject_begin(&s, f, c, number, DH_F32, "grad", DH_F32, DH_F32);
    dh_status status = ready ? trial_begin(&t, &s) : DH_OK;
    if (ready && !status) status = run_backward(&t, from, need, &got);
    if (!conform_check(status == DH_OK)) conform_fail(&s, "backward in f32: %s", dh_error_text());
    if (ready && !status) compare_gradients(&s, &got, want, single_tol, "f32 against f64");
    gradient_free(&got);
    if (ready) trial_end(&t);
    subject_end(&s);
}

static void check_outputs(const family *f, subject *s, trial *t, unsigned from, unsigned need)
{
    gradient g;
    dh_status status = run_backward(t, from, need, &g);
    if (status && only_first_output(t, from, status)) {
        gradient_free(&g);
        return;
    }
    if (!conform_check(status == DH_OK)) {
        conform_fail(s, "backward from outputs 0x%x: %s", from, dh_error_text());
    } else {
        compare_difference(s, t, from, &g);
        check_pure(s, t, from, need, &g);
        if (offers(s->c, s->op, DH_F32)) check_single(f, s->c, s->number, from, need, &g);
    }
    gradient_free(&g);
}

void mode_grad(const family *f, const op_case *c, int number)
{
    subject s;
    trial t;
    int id = dh__op_find(c->op);
    if (id < 0 || !grad_applies(c, dh__ops[id]) || test_device()->driver->lacks(id)) return;
    if (subject_begin(&s, f, c, number, DH_F64, "grad", DH_F64, DH_F32)) {
        dh_status status = trial_begin(&t, &s);
        unsigned all = mask_of(t.flows, s.out_count), need = mask_of(t.wanted, s.in_count);
        if (!conform_check(status == DH_OK)) conform_fail(&s, "forward: %s", dh_error_text());
        if (!status && all) check_outputs(f, &s, &t, all, need);
        for (int j = 0; !status && j < s.out_count; j++)
            if ((all >> j & 1u) && all != 1u << j) check_outputs(f, &s, &t, 1u << j, need);
        trial_end(&t);
    }
    subject_end(&s);
}
