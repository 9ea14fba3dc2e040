/* SPDX-License-Identifier: MIT */
/* Chains: nodes that run band by band, so that what lies between them stays in the cache. For a
 * band of rows of the last one's result each makes what the next needs and has not got yet. Of the
 * values between them there are as many rows as a band needs, no more; those that the next band
 * needs too move to the front. Bands change no bit, by dh_impl.by_rows. */
#include <string.h>

#include "base.h"
#include "part.h"
#include "plan.h"
#include "team.h"

#define LENGTH_MAX 3         /* a bottleneck: longer ones were slower */
#define WORK       64        /* FLOP for each byte between, at most */
#define BAND       (1 << 20) /* bytes between the nodes that are near to a thread */

typedef struct link {
    dh__step_call *step;
    char *rows;          /* of its result, where another node follows */
    int64_t row, held;   /* bytes of a row; the first that is there */
    int64_t done, most;  /* rows made so far; that have been there at once */
    dh__rows made, seen; /* in this band: of its result, of its input */
} link;

typedef struct walk {
    const dh__chain *chain;
    int count;
    link links[LENGTH_MAX];
} walk;

typedef dh_status visit(dh__step_call *step, const dh_call *call);

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const dh_view *result(const dh__step_call *step)
{
    return &step->call.out[0];
}

static int64_t row_bytes(const dh_view *v)
{
    int64_t rows = v->shape[0] * v->shape[2];
    return rows ? dh__view_count(v) / rows * (int64_t)dh_dtype_size(v->dtype) : 0;
}

/* What each makes for rows up to `end` of the last one's result; false: windows in the padding. */
static bool demand(walk *w, int64_t end)
{
    dh__rows need = {w->links[w->count - 1].done, end};
    for (int k = w->count - 1; k >= 0; k--) {
        link *l = &w->links[k];
        l->made.begin = need.begin > l->done ? need.begin : l->done;
        l->made.end = need.end > l->made.begin ? need.end : l->made.begin;
        l->seen = (dh__rows){0, 0};
        if (l->made.end > l->made.begin && !dh__rows_needed(&l->step->call, l->made, &l->seen))
            return false;
        need = l->seen;
    }
    return true;
}

/* Keeps the rows from `begin` on, at the front. */
static void hold(link *l, int64_t begin)
{
    if (begin <= l->held) return;
    if (l->rows && begin < l->done)
        memmove(l->rows, l->rows + (begin - l->held) * l->row,
                (size_t)((l->done - begin) * l->row));
    l->held = begin;
}

static dh_status make(walk *w, int k, dh__rows images, visit *each)
{
    link *l = &w->links[k];
    const link *before = k ? l - 1 : NULL, *next = k + 1 < w->count ? l + 1 : NULL;
    dh__part part;
    dh__part_of(&part, &l->step->call, images, l->made);
    if (next) {
        hold(l, next->seen.begin);
        if (l->made.end - l->held > l->most) l->most = l->made.end - l->held;
        if (l->rows) part.call.out[0].data = l->rows + (l->made.begin - l->held) * l->row;
    }
    if (before && before->rows)
        part.views[0].data = before->rows + (l->seen.begin - before->held) * before->row;
    l->done = l->made.end;
    return each(l->step, &part.call);
}

static dh_status make_images(walk *w, dh__rows images, visit *each)
{
    int64_t height = result(w->links[w->count - 1].step)->shape[2];
    for (int k = 0; k < w->count; k++) w->links[k].done = w->links[k].held = 0;
    for (int64_t row = 0; row < height; row += w->chain->rows) {
        DH_REQUIRE(demand(w, lesser(row + w->chain->rows, height)), DH_EUNSUPPORTED,
                   "plan: no bands at this size");
        for (int k = 0; k < w->count; k++) {
            const dh__rows *made = &w->links[k].made;
            if (made->end > made->begin) DH_TRY(make(w, k, images, each));
        }
    }
    return DH_OK;
}

static dh_status make_all(walk *w, visit *each)
{
    int64_t n = result(w->links[0].step)->shape[0], images = w->chain->images;
    for (int64_t i = 0; i < n; i += images)
        DH_TRY(make_images(w, (dh__rows){i, lesser(i + images, n)}, each));
    return DH_OK;
}

static walk walk_of(dh__plan *plan, const dh__chain *chain)
{
    walk w = {.chain = chain, .count = chain->end - chain->begin};
    for (int k = 0; k < w.count; k++) {
        link *l = &w.links[k];
        l->step = &plan->calls[chain->begin + k];
        l->row = row_bytes(result(l->step));
        if (k + 1 < w.count) l->rows = result(l->step)->data;
    }
    return w;
}

/* --- settling --- */

static size_t *band_of(dh__plan *plan, int i)
{
    return &plan->slots[plan->graph->nodes[i]->out[0]].band;
}

static dh_status check(dh__step_call *step, const dh_call *call)
{
    size_t scratch;
    const char *why = step->impl->refuse ? step->impl->refuse(call) : NULL;
    DH_REQUIRE(!why, DH_EUNSUPPORTED, "%s: no bands, since %s", call->op->name, why);
    DH_TRY(dh__op_scratch(&scratch, step->impl, call));
    DH_REQUIRE(scratch <= step->scratch, DH_EUNSUPPORTED,
               "%s: needs %zu bytes of scratch, %zu are planned", call->op->name, scratch,
               step->scratch);
    return DH_OK;
}

/* Do the bands work, and how many bytes of each value between are there at once? */
static dh_status try_bands(dh__plan *plan, const dh__chain *chain, size_t *bytes)
{
    walk w = walk_of(plan, chain);
    for (int k = 0; k < w.count; k++) {
        w.links[k].rows = NULL;
        DH_REQUIRE(w.links[k].step->impl && w.links[k].step->impl->by_rows, DH_EUNSUPPORTED,
                   "%s: no bands at this size", w.links[k].step->call.op->name);
    }
    /* all groups of images are alike but the last, which may be smaller */
    int64_t n = result(w.links[0].step)->shape[0], images = lesser(chain->images, n);
    if (images) DH_TRY(make_images(&w, (dh__rows){0, images}, check));
    if (images && n % images) DH_TRY(make_images(&w, (dh__rows){n - n % images, n}, check));
    for (int k = 0; k + 1 < w.count && images; k++) { /* images lie as far apart as in the whole */
        const link *l = &w.links[k];
        bytes[k] = (size_t)(((images - 1) * result(l->step)->shape[2] + l->most) * l->row);
    }
    return DH_OK;
}

/* --- finding --- */

/* Node i's result lies channels last, and the next one slides over it, and nobody else reads it. */
static bool linked(const dh__plan *plan, int i, const int *readers)
{
    const dh__graph *g = plan->graph;
    const dh__node *n = g->nodes[i], *next = g->nodes[i + 1];
    const dh__step_call *a = &plan->calls[i], *b = &plan->calls[i + 1];
    const dh__val *v = &g->values[n->out[0]];
    return a->call.device->host && a->impl && b->impl && a->impl->by_rows && b->impl->by_rows &&
           n->phase == next->phase && v->home == DH_HOME_ARENA && v->last &&
           readers[n->out[0]] == 1 && next->in[0] == n->out[0];
}

/* Bands of nodes [begin, end) such that what lies between fits where it is near. No chain where all
 * of it is near anyway, and where there is so much to compute that memory keeps up. */
static bool cut(const dh__plan *plan, int begin, int end, dh__chain *chain)
{
    const dh_view *last = result(&plan->calls[end - 1]);
    double between = 0, flops = 0, room = (double)BAND * dh__team_size();
    int64_t n = last->shape[0], height = last->shape[2];
    for (int i = begin; i < end; i++) {
        const dh_view *v = result(&plan->calls[i]);
        if (i + 1 < end) between += (double)row_bytes(v) * (double)(v->shape[0] * v->shape[2]);
        flops += dh__op_flops(&plan->calls[i].call);
    }
    if (between <= (double)dh__cpu_caches()->l3 / 4 || flops > WORK * between) return false;
    double image = between / (double)n;
    int64_t cuts = image > room ? lesser((int64_t)(image / room) + 1, height) : 1;
    int64_t images = image > room ? 1 : (int64_t)(room / image);
    *chain = (dh__chain){begin, end, images, (height + cuts - 1) / cuts};
    return images < n || cuts > 1;
}

dh_status dh__plan_chain(dh__plan *plan, const dh__chain *chain)
{
    size_t bytes[LENGTH_MAX] = {0};
    int64_t height = result(&plan->calls[chain->end - 1])->shape[2];
    DH_REQUIRE(chain->end - chain->begin <= LENGTH_MAX, DH_EUNSUPPORTED,
               "plan: a chain of %d nodes, at most %d are one", chain->end - chain->begin,
               LENGTH_MAX);
    DH_REQUIRE(chain->images == 1 || chain->rows >= height, DH_EUNSUPPORTED,
               "plan: bands of %lld images have %lld of %lld rows, must have all",
               (long long)chain->images, (long long)chain->rows, (long long)height);
    DH_TRY(try_bands(plan, chain, bytes));
    for (int i = chain->begin; i < chain->end; i++) {
        plan->calls[i].chain = *chain;
        if (i + 1 < chain->end) *band_of(plan, i) = bytes[i - chain->begin];
    }
    return DH_OK;
}

dh_status dh__plan_find_chains(dh__plan *plan)
{
    const dh__graph *g = plan->graph;
    int *readers = dh__graph_readers(g);
    if (!readers) return DH_ENOMEM;
    for (int i = 0, end; i < g->node_count; i = end) {
        dh__chain chain;
        end = i + 1;
        while (end < g->node_count && end - i < LENGTH_MAX && linked(plan, end - 1, readers)) end++;
        for (; end > i + 1; end--)
            if (cut(plan, i, end, &chain) && !dh__plan_chain(plan, &chain)) break;
    }
    dh_error_clear(); /* of those that do not work */
    dh__free(readers);
    return DH_OK;
}

dh_status dh__plan_check_chains(dh__plan *plan)
{
    for (int i = 0; i < plan->graph->node_count; i++) {
        const dh__chain *chain = &plan->calls[i].chain;
        size_t bytes[LENGTH_MAX] = {0};
        if (!chain->end || chain->begin != i) continue;
        DH_TRY(try_bands(plan, chain, bytes));
        for (int k = i; k + 1 < chain->end; k++)
            DH_REQUIRE(bytes[k - i] <= *band_of(plan, k), DH_EUNSUPPORTED,
                       "%s: needs %zu bytes, %zu are planned", plan->calls[k].call.op->name,
                       bytes[k - i], *band_of(plan, k));
    }
    return DH_OK;
}

dh_status dh__plan_run_chain(dh__plan *plan, const dh__chain *chain,
                             dh_status (*each)(dh__step_call *step, const dh_call *call))
{
    walk w = walk_of(plan, chain);
    return make_all(&w, each);
}
