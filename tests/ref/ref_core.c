/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ref.h"

void ref_new(ref_tensor *out, int ndim, const int64_t *shape)
{
    memset(out, 0, sizeof *out);
    out->ndim = ndim;
    out->count = 1;
    for (int i = 0; i < ndim; i++) {
        out->shape[i] = shape[i];
        out->count *= shape[i];
    }
    out->data = calloc(out->count > 0 ? (size_t)out->count : 1, sizeof(double));
    if (out->data) return;
    fprintf(stderr, "ref_new: no memory for %lld elements\n", (long long)out->count);
    exit(2);
}

void ref_free(ref_tensor *tensor)
{
    free(tensor->data);
    memset(tensor, 0, sizeof *tensor);
}

const ref_entry *ref_find(const ref_entry *table, const char *op)
{
    for (; table->op; table++)
        if (!strcmp(table->op, op)) return table;
    return NULL;
}

double ref_act(int act, double alpha, double x)
{
    switch (act) {
    case DH_ACT_RELU: return x < 0 ? 0 : x;
    case DH_ACT_LEAKY_RELU: return x < 0 ? alpha * x : x;
    case DH_ACT_RELU6: return x < 0 ? 0 : x > 6 ? 6 : x;
    default: return x;
    }
}
