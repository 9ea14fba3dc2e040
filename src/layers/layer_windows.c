/* SPDX-License-Identifier: MIT */
#include "layer_windows.h"

#include <string.h>

#define PADDINGS "valid|same|causal"

dh_ints dh__ints(int count, const int64_t *numbers)
{
    dh_ints list = {.count = count};
    for (int i = 0; i < count; i++) list.v[i] = numbers[i];
    return list;
}

dh_status dh__check_spatial(const dh_view *x, int ndim)
{
    char text[DH_SHAPE_TEXT];
    static const char *const wanted[] = {"1 to 3 spatial axes", "1 spatial axis", "2 spatial axes",
                                         "3 spatial axes"};
    bool fits = ndim ? x->ndim == ndim + 2 : x->ndim >= 3 && x->ndim <= 5;
    DH_REQUIRE(fits, DH_ESHAPE, "x is %s, needs [N, C, ...] with %s",
               dh__shape_text(text, sizeof text, x->ndim, x->shape), wanted[ndim]);
    return DH_OK;
}

/* Three numbers, of which those left away are as the first; all of them: dflt. */
static dh_status read_list(int64_t *out, int ndim, const int *list, const int64_t *dflt,
                           const char *name)
{
    bool any = false;
    for (int i = 0; list && i < 3; i++) any |= list[i] != 0;
    for (int i = 0; i < ndim; i++) out[i] = any ? (list[i] ? list[i] : list[0]) : dflt[i];
    for (int i = 0; i < ndim; i++)
        DH_REQUIRE(out[i] > 0, DH_EINVAL, "%s[%d] is %lld, must be at least 1", name, i,
                   (long long)out[i]);
    for (int i = ndim; any && i < 3; i++)
        DH_REQUIRE(!list[i], DH_EINVAL, "%s[%d] is %d, x has %d spatial axes", name, i, list[i],
                   ndim);
    return DH_OK;
}

static dh_status read_pads(dh__layer_windows *w, const dh__window_args *args)
{
    bool any = false;
    char hint[96];
    for (int i = 0; i < 6; i++) {
        any |= args->pads[i] != 0;
        DH_REQUIRE(args->pads[i] >= 0, DH_EINVAL, "pads[%d] is %d, must be at least 0", i,
                   args->pads[i]);
        DH_REQUIRE(i < 2 * w->ndim || !args->pads[i], DH_EINVAL,
                   "pads[%d] is %d, x has %d spatial axes", i, args->pads[i], w->ndim);
    }
    DH_REQUIRE(!args->padding || dh__choice_index(PADDINGS, args->padding) >= 0, DH_ENAME,
               "no padding \"%s\"%s", args->padding,
               dh__suggest_choices(hint, sizeof hint, args->padding, PADDINGS));
    DH_REQUIRE(!any || !args->padding, DH_EINVAL, "both padding \"%s\" and pads are given",
               args->padding);
    w->pads = (dh_ints){.count = 2 * w->ndim};
    for (int i = 0; i < 2 * w->ndim; i++) w->pads.v[i] = args->pads[i];
    return DH_OK;
}

dh_status dh__windows_read(dh__layer_windows *w, const dh_view *x, int ndim,
                           const dh__window_args *args)
{
    static const int64_t ones[3] = {1, 1, 1};
    int64_t size[3] = {args->size_default, args->size_default, args->size_default};
    DH_TRY(dh__check_spatial(x, ndim));
    memset(w, 0, sizeof *w);
    w->ndim = x->ndim - 2;
    for (int i = 0; i < w->ndim; i++) w->in[i] = x->shape[2 + i];
    DH_TRY(
        read_list(w->size, w->ndim, args->size, size, args->size_default ? "pool_size" : "kernel"));
    DH_TRY(read_list(w->stride, w->ndim, args->strides, args->stride_default ? ones : w->size,
                     "strides"));
    DH_TRY(read_list(w->dilation, w->ndim, args->dilations, ones, "dilations"));
    return read_pads(w, args);
}

dh_status dh__windows_pad(dh__layer_windows *w, const dh__window_args *args, bool transposed,
                          dh_ints *output_padding)
{
    if (!args->padding || !strcmp(args->padding, "valid")) return DH_OK;
    bool causal = !strcmp(args->padding, "causal");
    DH_REQUIRE(!causal || (w->ndim == 1 && args->stride_default && !transposed), DH_EINVAL,
               "padding \"causal\" is of convolutions with 1 spatial axis that are not transposed");
    for (int i = 0; i < w->ndim; i++) {
        int64_t extent, in = w->in[i], stride = w->stride[i], steps;
        bool fits = dh__mul_int64(w->size[i] - 1, w->dilation[i], &extent) && extent < INT32_MAX &&
                    dh__mul_int64((in + stride - 1) / stride - 1, stride, &steps);
        DH_REQUIRE(fits, DH_EOVERFLOW, "a window of %lld (dilation %lld) is too large",
                   (long long)w->size[i], (long long)w->dilation[i]);
        int64_t total = transposed ? extent + 1 - stride : steps + extent + 1 - in;
        if (total < 0 && transposed) {
            output_padding->count = w->ndim;
            output_padding->v[i] = -total;
        }
        if (total < 0) total = 0;
        if (causal) total = extent;
        w->pads.v[i] = causal ? total : total / 2;
        w->pads.v[w->ndim + i] = total - w->pads.v[i];
    }
    return DH_OK;
}
