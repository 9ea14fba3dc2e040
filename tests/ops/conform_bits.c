/* SPDX-License-Identifier: MIT */
/* Every implementation of the CPU against itself: in place, with any number of threads, with what
 * it packs beforehand, with fewer rows, in bands of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"
#include "team.h"

/* The elements of all outputs, packed. */
static unsigned char *collect(const frame *f, const subject *s, size_t *size)
{
    size_t at = 0;
    *size = 0;
    for (int j = 0; j < s->out_count; j++)
        *size += (size_t)s->want[j].count * dh_dtype_size(s->out[j].dtype);
    unsigned char *bits = malloc(*size ? *size : 1);
    for (int j = 0; j < s->out_count; j++) {
        const dh_view *y = &f->out_view[j];
        size_t bytes = dh_dtype_size(y->dtype);
        walk w = walk_begin(y);
        for (int64_t k = 0; k < s->want[j].count; k++, at += bytes, walk_next(&w))
            memcpy(bits + at, w.at, bytes);
    }
    return bits;
}

/* How a call is made whose bits are compared. */
typedef struct manner {
    int in_place;       /* the input whose memory output 0 takes, or -1 */
    bool channels_last; /* of what is as large as output 0, and of input 0 */
    bool first_packed;  /* but not of input 0 */
    bool kept;          /* with what the implementation packs beforehand */
    int64_t band;       /* rows of the result at a time; 0: all */
} manner;

/* Input 1 is not read any more once it is packed. */
static void spoil_weight(frame *f)
{
    const dh_view *v = &f->call.in[1];
    size_t size = (size_t)dh__view_count(v) * dh_dtype_size(v->dtype);
    memset(v->data, 0xff, size);
    memset(f->in[1].before + ((unsigned char *)v->data - f->in[1].block), 0xff, size);
}

/* Runs with what is packed between sentinels, if anything. */
static bool frame_run_kept(frame *f, const subject *s, const dh_impl *impl, const char *how)
{
    operand packed;
    int64_t size = (int64_t)impl->packed(&f->call);
    if (!size) return frame_run(f, s, impl, -1, how);
    operand_place(&packed, DH_U8, 1, &size, PACKED, NULL);
    impl->pack(&f->call, packed.view.data);
    f->call.packed = packed.view.data;
    spoil_weight(f);
    bool ran = frame_run(f, s, impl, -1, how);
    const char *damage = operand_damage(&packed, true);
    if (!conform_check(!damage)) conform_fail(s, "%s: what is packed: %s", how, damage);
    operand_free(&packed);
    return ran && !damage;
}

/* Can all bands be made, with no more scratch than the whole? */
static bool in_bands(const frame *f, const dh_impl *impl, int64_t rows)
{
    const dh_view *y = &f->call.out[0];
    bool can = y->ndim > 2;
    for (int64_t row = 0; can && row < y->shape[2]; row += rows) {
        dh__rows made = {row, row + rows < y->shape[2] ? row + rows : y->shape[2]}, need;
        dh__part part;
        can = dh__rows_needed(&f->call, made, &need);
        if (!can) break;
        dh__part_of(&part, &f->call, (dh__rows){0, y->shape[0]}, made);
        can = !impl_refusal(impl, &part.call) &&
              (!impl->scratch || impl->scratch(&part.call) <= impl->scratch(&f->call));
    }
    return can;
}

/* NULL where the implementation refuses or a failure was reported. */
static unsigned char *run_for_bits(const subject *s, const dh_impl *impl, manner m, size_t *size,
                                   const char *what)
{
    frame f;
    layout in[MAX_OPERANDS];
    char how[96];
    unsigned char *bits = NULL;
    layouts_set(in, PACKED);
    if (m.channels_last) layouts_channels_last(s, in);
    if (m.first_packed) in[0] = PACKED;
    frame_begin(&f, s, in, m.channels_last ? CHANNELS_LAST : PACKED, m.in_place);
    impl_named(how, sizeof how, impl, what);
    f.band = m.band;
    if (!impl_refusal(impl, &f.call) && (!m.band || in_bands(&f, impl, m.band)) &&
        (m.kept ? frame_run_kept(&f, s, impl, how) : frame_run(&f, s, impl, m.in_place, how)))
        bits = collect(&f, s, size);
    frame_end(&f);
    return bits;
}

static void expect_same(const subject *s, const dh_impl *impl, const unsigned char *want,
                        size_t size, manner m, const char *what)
{
    char how[96];
    size_t got_size, at = 0;
    unsigned char *got = run_for_bits(s, impl, m, &got_size, what);
    if (!got) return;
    while (at < size && got[at] == want[at]) at++;
    if (!conform_check(at == size))
        conform_fail(s, "%s: other bits, first at byte %zu of %zu: 0x%02x, must be 0x%02x",
                     impl_named(how, sizeof how, impl, what), at, size, got[at], want[at]);
    free(got);
}

static bool may_take(const subject *s, int input)
{
    return s->op->inplace >> input & 1u && s->in_dtype[input] == s->out[0].dtype &&
           s->in[input].ndim == s->out[0].ndim &&
           !memcmp(s->in[input].shape, s->out[0].shape, (size_t)s->out[0].ndim * sizeof(int64_t));
}

static void check_in_place(const subject *s, const dh_impl *impl, manner m, const char *where)
{
    size_t size;
    unsigned char *bits = run_for_bits(s, impl, m, &size, where);
    for (int i = 0; bits && i < s->in_count && i < 32; i++) {
        char what[64];
        snprintf(what, sizeof what, "output 0 in place of input %d%s", i, where);
        m.in_place = i;
        if (may_take(s, i)) expect_same(s, impl, bits, size, m, what);
    }
    free(bits);
}

void mode_inplace(subject *s)
{
    bool any = false;
    for (int i = 0; i < s->in_count && i < 32; i++) any |= may_take(s, i);
    if (s->op->updates[0] || !any) return;
    for (const dh_impl *const *impl = subject_impls(s); impl && *impl; impl++) {
        manner m = {.in_place = -1};
        check_in_place(s, *impl, m, "");
        if (!(*impl)->channels_last) continue;
        m.channels_last = true;
        check_in_place(s, *impl, m, ", channels last");
        m.first_packed = true;
        check_in_place(s, *impl, m, ", results last");
    }
}

/* Strides as if axis 0 came after `place` other axes in memory; below 0: channels last. */
static void pack_turned(dh_view *v, int place)
{
    int64_t step = 1;
    if (place < 0) {
        if (v->ndim > 2) dh__view_pack_last(v);
        return;
    }
    if (place >= v->ndim) place = v->ndim - 1;
    for (int i = v->ndim - 1; i >= 0; i--) { /* i: place in memory, from the innermost */
        int axis = i == place ? 0 : i < place ? i + 1 : i;
        v->stride[axis] = step;
        step *= v->shape[axis] > 1 ? v->shape[axis] : 1;
    }
}

/* With axis 0 shorter in every input that has its length, no more scratch may be asked for. */
static void check_shrink(const subject *s, const dh_impl *impl, int place)
{
    int64_t bound = s->in_count && s->in[0].ndim ? s->in[0].shape[0] : 0;
    size_t most = 0;
    const int64_t lengths[] = {bound, bound - 1, bound / 2, 7, 1, 0};
    for (size_t t = 0; t < DH_COUNT(lengths); t++) {
        dh_view in[MAX_OPERANDS], out[MAX_OPERANDS] = {0};
        if (lengths[t] < 0 || lengths[t] > bound) continue;
        for (int i = 0; i < s->in_count; i++) {
            view_packed(&in[i], s->in_dtype[i], s->in[i].ndim, s->in[i].shape);
            if (in[i].ndim && in[i].shape[0] == bound) in[i].shape[0] = lengths[t];
            if (place >= 0 || i == 0) pack_turned(&in[i], place);
        }
        dh_call call = subject_call(s, in, out);
        bool taken = dh__op_infer(&call) == DH_OK;
        for (int j = 0; j < s->out_count && place < 0; j++) pack_turned(&out[j], place);
        taken = taken && !impl_refusal(impl, &call);
        if (!taken && t == 0) return;
        if (!taken) continue;
        size_t size = impl->scratch(&call);
        if (t == 0) most = size;
        if (!conform_check(size <= most))
            conform_fail(s,
                         "impl \"%s\": axis 0 of %lld asks for %zu bytes of scratch, %lld for %zu",
                         impl->name, (long long)lengths[t], size, (long long)bound, most);
    }
}

/* Again, with what is packed beforehand, and with each number of threads. */
static void check_bits(const subject *s, const dh_impl *impl, manner m)
{
    size_t size;
    int before = dh__team_limit(0);
    const char *lies = m.channels_last ? "channels last, " : "";
    char what[64];
    dh__team_limit(before);
    unsigned char *bits = run_for_bits(s, impl, m, &size, lies);
    if (!bits) return;
    snprintf(what, sizeof what, "%sa second time", lies);
    expect_same(s, impl, bits, size, m, what);
    for (int threads = 1; threads <= 4; threads++) {
        snprintf(what, sizeof what, "%s%d threads", lies, threads);
        dh__team_limit(threads);
        expect_same(s, impl, bits, size, m, what);
        dh__team_limit(before);
    }
    m.kept = impl->packed;
    snprintf(what, sizeof what, "%spacked beforehand", lies);
    if (m.kept) expect_same(s, impl, bits, size, m, what);
    for (m.band = 1; impl->by_rows && m.band <= 4; m.band += 3) {
        m.kept = impl->packed && m.band > 1;
        snprintf(what, sizeof what, "%sbands of %d", lies, (int)m.band);
        expect_same(s, impl, bits, size, m, what);
    }
    free(bits);
}

void mode_bits(subject *s)
{
    for (const dh_impl *const *impl = subject_impls(s); impl && *impl; impl++) {
        check_bits(s, *impl, (manner){.in_place = -1});
        if ((*impl)->channels_last && s->in[0].ndim > 2)
            check_bits(s, *impl, (manner){.in_place = -1, .channels_last = true});
        for (int place = (*impl)->channels_last ? -1 : 0; (*impl)->scratch && place < s->in[0].ndim;
             place++)
            check_shrink(s, *impl, place);
    }
}
