/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <string.h>

#define ALIGN_ELEMENTS 16

dh_status dh__params_new(dh__params **out, dh_device *device)
{
    dh__params *s = dh__calloc(1, sizeof *s);
    if (!s) return DH_ENOMEM;
    if (pthread_mutex_init(&s->derived_lock, NULL)) {
        dh__free(s);
        return DH_ENOMEM;
    }
    atomic_init(&s->references, 1);
    atomic_init(&s->owners, 0);
    atomic_init(&s->readers, 0);
    s->device = device;
    *out = s;
    return DH_OK;
}

void dh__params_retain(dh__params *store)
{
    atomic_fetch_add(&store->references, 1);
}

void dh__params_release(dh__params *store)
{
    if (!store || atomic_fetch_sub(&store->references, 1) != 1) return;
    for (int i = 0; i < store->count; i++) {
        dh__free(store->segments[i]->name);
        dh__free(store->segments[i]);
    }
    dh__free(store->segments);
    dh__storage_release(store->weights);
    dh__storage_release(store->states);
    dh__storage_release(store->grads);
    pthread_mutex_destroy(&store->derived_lock);
    dh__free(store);
}

void dh__params_own(dh__params *store)
{
    atomic_fetch_add(&store->owners, 1);
}

void dh__params_disown(dh__params *store)
{
    if (atomic_fetch_sub(&store->owners, 1) != 1) return;
    dh__storage_release(store->grads);
    store->grads = NULL;
}

int dh__params_find(const dh__params *store, const char *name)
{
    for (int i = 0; i < store->count; i++)
        if (!strcmp(store->segments[i]->name, name)) return i;
    return -1;
}

static dh_status check_same(const dh__segment *have, const dh__segment *want)
{
    char a[DH_SHAPE_TEXT], b[DH_SHAPE_TEXT];
    bool same = have->ndim == want->ndim && have->state == want->state &&
                !memcmp(have->shape, want->shape, sizeof want->shape[0] * (size_t)want->ndim);
    DH_REQUIRE(same, DH_ESHAPE, "parameter \"%s\": is %s in the store, the layer needs %s",
               have->name, dh__shape_text(a, sizeof a, have->ndim, have->shape),
               dh__shape_text(b, sizeof b, want->ndim, want->shape));
    bool same_penalty = have->l1 == want->l1 && have->l2 == want->l2;
    DH_REQUIRE(same_penalty || (want->l1 == 0 && want->l2 == 0), DH_EINVAL,
               "parameter \"%s\": its regularizer is {l1 %g, l2 %g} in the store, the layer wants "
               "{l1 %g, l2 %g}",
               have->name, (double)have->l1, (double)have->l2, (double)want->l1, (double)want->l2);
    return DH_OK;
}

static int64_t padded(int64_t count)
{
    return (count + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
}

/* count and offset of a new segment at the end of its arena. */
static dh_status lay_out(dh__params *store, dh__segment *s)
{
    int64_t *used = &store->used[s->state];
    s->count = 1;
    for (int i = 0; i < s->ndim; i++)
        DH_REQUIRE(s->shape[i] > 0 && dh__mul_int64(s->count, s->shape[i], &s->count) &&
                       s->count < INT64_MAX / 64 - *used,
                   DH_EOVERFLOW, "parameter \"%s\": axis %d of length %lld does not fit", s->name,
                   i, (long long)s->shape[i]);
    s->offset = *used;
    *used += padded(s->count);
    return DH_OK;
}

dh_status dh__params_declare(dh__params *store, int *out, const dh__segment *like, const char *name)
{
    int found = dh__params_find(store, name);
    if (found >= 0) {
        *out = found;
        return check_same(store->segments[found], like);
    }
    size_t old = (size_t)store->count * sizeof(dh__segment *);
    dh__segment **grown = dh__grow(store->segments, old, old + sizeof(dh__segment *));
    if (!grown) return DH_ENOMEM;
    store->segments = grown;
    dh__segment *s = dh__calloc(1, sizeof *s);
    if (!s) return DH_ENOMEM;
    *s = *like;
    s->name = dh__strdup(name);
    dh_status status = s->name ? lay_out(store, s) : DH_ENOMEM;
    if (status) {
        dh__free(s->name);
        dh__free(s);
        return status;
    }
    *out = store->count;
    store->segments[store->count++] = s;
    return DH_OK;
}

/* Replaces an arena by a larger zeroed one that begins with the old contents. */
static dh_status enlarge(dh__params *store, dh__storage **arena, int64_t old, int64_t now)
{
    dh__storage *bigger;
    size_t bytes = (size_t)now * sizeof(float);
    dh_device *device = store->device;
    DH_TRY(dh__storage_new(&bigger, device, bytes ? bytes : sizeof(float)));
    dh_status status = device->zero(device, bigger->data, bytes);
    if (*arena && !status)
        status = device->copy(device, bigger->data, (*arena)->data, (size_t)old * sizeof(float));
    if (status) {
        dh__storage_release(bigger);
        return status;
    }
    dh__storage_release(*arena);
    *arena = bigger;
    store->layout++;
    return DH_OK;
}

/* A tensor on an arena that is left behind would show what no model reads any more. */
static dh_status check_released(const dh__params *store)
{
    const dh__storage *arenas[] = {store->weights, store->states, store->grads};
    for (size_t i = 0; i < DH_COUNT(arenas); i++)
        DH_REQUIRE(
            !arenas[i] || atomic_load(&arenas[i]->references) == 1, DH_ESTATE,
            "tensors%s on the %s of the store are held, whose memory must move; free them first",
            i < 2 ? " or sessions" : "", i < 2 ? "parameters" : "gradients");
    return DH_OK;
}

/* Numbers are drawn on the CPU, the same for every device. */
static dh_status draw(dh__params *store, dh__segment *s, uint64_t seed)
{
    dh_device *device = store->device;
    float *data = (float *)(s->state ? store->states : store->weights)->data + s->offset;
    if (!s->init) return DH_OK;
    if (device->host) return s->init(s, data, seed);
    float *drawn = dh__calloc((size_t)s->count, sizeof *drawn);
    if (!drawn) return DH_ENOMEM;
    dh_status status = s->init(s, drawn, seed);
    if (!status) status = device->copy_in(device, data, drawn, (size_t)s->count * sizeof *drawn);
    dh__free(drawn);
    return status;
}

dh_status dh__params_allocate(dh__params *store, uint64_t seed)
{
    int64_t old[2] = {store->allocated[0], store->allocated[1]};
    if (store->used[0] != old[0] || store->used[1] != old[1]) DH_TRY(check_released(store));
    for (int k = 0; k < 2; k++) {
        dh__storage **arena = k ? &store->states : &store->weights;
        if (*arena && store->used[k] == old[k]) continue;
        DH_TRY(enlarge(store, arena, old[k], store->used[k]));
        if (k == 0 && store->grads) DH_TRY(enlarge(store, &store->grads, old[0], store->used[0]));
    }
    for (int i = 0; i < store->count; i++)
        if (store->segments[i]->offset >= old[store->segments[i]->state])
            DH_TRY(draw(store, store->segments[i], seed));
    /* only now, so that what failed is done again by the next call */
    for (int k = 0; k < 2; k++) store->allocated[k] = store->used[k];
    store->seed = seed;
    store->generation++;
    return DH_OK;
}

dh_status dh__params_train(dh__params *store)
{
    return store->grads ? DH_OK : enlarge(store, &store->grads, 0, store->allocated[0]);
}

/* --- moving --- */

dh_status dh__storage_copy(dh__storage *to, const dh__storage *from)
{
    dh_device *device = to->device;
    size_t size = from->size;
    if (from->device == device) return device->copy(device, to->data, from->data, size);
    if (from->device->host) return device->copy_in(device, to->data, from->data, size);
    if (device->host) return from->device->copy_out(from->device, to->data, from->data, size);
    void *host = dh__alloc(size);
    if (!host) return DH_ENOMEM;
    dh_status status = from->device->copy_out(from->device, host, from->data, size);
    if (!status) status = device->copy_in(device, to->data, host, size);
    dh__free(host);
    return status;
}

/* A storage of the same bytes on another device; NULL stays NULL. */
static dh_status duplicate(dh__storage **out, const dh__storage *from, dh_device *device)
{
    *out = NULL;
    if (!from) return DH_OK;
    DH_TRY(dh__storage_new(out, device, from->size));
    return dh__storage_copy(*out, from);
}

dh_status dh__params_move(dh__params *store, dh__slots *slots, dh_device *device)
{
    dh__storage **arenas[3 + DH_STORE_SLOTS] = {&store->weights, &store->states, &store->grads};
    dh__storage *made[3 + DH_STORE_SLOTS] = {0};
    dh_status status = check_released(store);
    for (int k = 0; k < DH_STORE_SLOTS; k++) arenas[3 + k] = &slots->arena[k];
    for (size_t i = 0; i < DH_COUNT(arenas) && !status; i++)
        status = duplicate(&made[i], *arenas[i], device);
    for (size_t i = 0; i < DH_COUNT(arenas); i++) {
        dh__storage_release(status ? made[i] : *arenas[i]);
        if (!status) *arenas[i] = made[i];
    }
    if (status) return status;
    store->device = device;
    store->layout++;
    store->generation++;
    return DH_OK;
}

/* --- clones --- */

dh_status dh__params_clone(dh__params **out, const dh__params *from, dh_device *device)
{
    dh__params *s;
    int index;
    DH_TRY(dh__params_new(&s, device));
    dh_status status = DH_OK;
    for (int i = 0; i < from->count && !status; i++) {
        status = dh__params_declare(s, &index, from->segments[i], from->segments[i]->name);
        if (!status) s->segments[index]->reads = 0;
        if (!status) s->segments[index]->given_up = false;
    }
    for (int k = 0; k < 2 && !status; k++)
        status = enlarge(s, k ? &s->states : &s->weights, 0, from->allocated[k]);
    if (status) {
        dh__params_release(s);
        return status;
    }
    for (int k = 0; k < 2; k++) s->allocated[k] = from->allocated[k];
    *out = s;
    return DH_OK;
}

bool dh__params_alike(const dh__params *clone, const dh__params *of)
{
    return clone && clone->count == of->count &&
           !memcmp(clone->allocated, of->allocated, sizeof of->allocated);
}

void dh__params_follow_rates(dh__params *clone, const dh__params *of)
{
    for (int i = 0; i < of->count; i++) clone->segments[i]->lr_scale = of->segments[i]->lr_scale;
}

dh_status dh__params_follow(dh__params *clone, const dh__params *of)
{
    dh__params_follow_rates(clone, of);
    DH_TRY(dh__storage_copy(clone->weights, of->weights));
    DH_TRY(dh__storage_copy(clone->states, of->states));
    clone->generation++;
    return DH_OK;
}

dh_status dh__params_replace(dh__params *store, dh__slots *slots, dh__params *clone)
{
    DH_TRY(check_released(store));
    dh__storage *weights = store->weights, *states = store->states;
    store->weights = clone->weights;
    store->states = clone->states;
    clone->weights = weights;
    clone->states = states;
    dh__storage_release(store->grads);
    store->grads = NULL;
    store->gradients_of = NULL;
    dh__slots_clear(slots);
    store->device = clone->device;
    store->layout++;
    store->generation++;
    return DH_OK;
}

/* --- slots --- */

static bool has_slots(const dh__slots *slots, int segment)
{
    return segment < slots->count && slots->at[segment] >= 0;
}

/* In the order of the segments, which is that of the weights' arena; at may be NULL. */
static int64_t lay_out_slots(int64_t *at, const dh__slots *slots, const dh__params *store,
                             const bool *wanted)
{
    int64_t used = 0;
    for (int i = 0; i < store->count; i++) {
        bool has = wanted[i] || has_slots(slots, i);
        if (at) at[i] = has ? used : -1;
        if (has) used += padded(store->segments[i]->count);
    }
    return used;
}

int64_t dh__slots_elements(const dh__slots *slots, const dh__params *store, const bool *wanted)
{
    return lay_out_slots(NULL, slots, store, wanted);
}

/* A zeroed arena, with what the segments had in the old one. */
static dh_status move_slots(dh__storage **out, const dh__slots *slots, const dh__params *store,
                            int slot, const int64_t *at, int64_t elements)
{
    dh_device *device = store->device;
    DH_TRY(dh__storage_new(out, device, (size_t)elements * sizeof(float)));
    DH_TRY(device->zero(device, (*out)->data, (*out)->size));
    for (int i = 0; i < slots->count; i++) {
        if (slots->at[i] < 0) continue;
        const float *from = slots->arena[slot]->data;
        DH_TRY(device->copy(device, (float *)(*out)->data + at[i], from + slots->at[i],
                            (size_t)store->segments[i]->count * sizeof(float)));
    }
    return DH_OK;
}

dh_status dh__slots_reserve(dh__slots *slots, dh__params *store, int count, const bool *wanted)
{
    dh__slots made = {.count = store->count};
    bool missing = false;
    for (int i = 0; i < store->count; i++) missing |= wanted[i] && !has_slots(slots, i);
    if (!missing || !count) return DH_OK;
    made.at = dh__calloc((size_t)store->count, sizeof *made.at);
    if (!made.at) return DH_ENOMEM;
    int64_t elements = lay_out_slots(made.at, slots, store, wanted);
    dh_status status = DH_OK;
    for (int k = 0; k < count && k < DH_STORE_SLOTS && !status; k++)
        status = move_slots(&made.arena[k], slots, store, k, made.at, elements);
    if (status) {
        dh__slots_clear(&made);
        return status;
    }
    dh__slots_clear(slots);
    *slots = made;
    store->layout++;
    return DH_OK;
}

void dh__slots_clear(dh__slots *slots)
{
    for (int i = 0; i < DH_STORE_SLOTS; i++) dh__storage_release(slots->arena[i]);
    dh__free(slots->at);
    memset(slots, 0, sizeof *slots);
}

void *dh__slots_address(const dh__slots *slots, const dh__params *store, int slot, int64_t offset)
{
    if (!slots || !slots->arena[slot]) return NULL;
    for (int i = 0; i < slots->count; i++)
        if (slots->at[i] >= 0 && store->segments[i]->offset == offset)
            return (float *)slots->arena[slot]->data + slots->at[i];
    return NULL;
}

void *dh__params_address(const dh__params *store, dh__home home, int64_t offset)
{
    const dh__storage *arena = home == DH_HOME_WEIGHT  ? store->weights
                               : home == DH_HOME_STATE ? store->states
                               : home == DH_HOME_GRAD  ? store->grads
                                                       : NULL;
    /* what was declared since has no memory yet */
    if (!arena || offset >= store->allocated[home == DH_HOME_STATE]) return NULL;
    return (char *)arena->data + offset * (int64_t)sizeof(float);
}

dh_status dh__params_tensor(dh_tensor **out, const dh__params *store, int segment, dh__home home)
{
    const dh__segment *s = store->segments[segment];
    if (home == DH_HOME_WEIGHT && s->state) home = DH_HOME_STATE;
    dh__storage *arena = home == DH_HOME_GRAD ? store->grads
                         : s->state           ? store->states
                                              : store->weights;
    DH_REQUIRE(arena && s->offset < store->allocated[s->state] &&
                   !(s->state && home == DH_HOME_GRAD),
               DH_ESTATE, "parameter \"%s\" has no %s", s->name,
               home == DH_HOME_GRAD ? "gradient yet" : "values; build the model first");
    dh_view view = {.dtype = DH_F32, .ndim = s->ndim};
    memcpy(view.shape, s->shape, sizeof view.shape);
    dh__view_pack(&view);
    view.data = dh__params_address(store, home, s->offset);
    return dh__tensor_on(out, arena, &view);
}

dh_status dh__params_on_host(dh_tensor **out, const dh__params *store, int segment, dh__home home)
{
    dh_tensor *t;
    DH_TRY(dh__params_tensor(&t, store, segment, home));
    if (store->device->host) {
        *out = t;
        return DH_OK;
    }
    dh_status status = dh_tensor_to_device(out, t, "cpu");
    dh_tensor_free(t);
    return status;
}
