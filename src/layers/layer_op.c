/* SPDX-License-Identifier: MIT */
/* Any op as a layer, constants, and a layer applied again. */
#include <string.h>

#include "layer_defs.h"

/* --- operation --- */

/* "axes=1, keepdims=true" into the op's struct. Pieces may hold commas inside brackets: "axes=[1,
 * 2]". */
static dh_status read_attr(const dh_op *op, void *attr, const char *text)
{
    char piece[256];
    uint64_t given = 0;
    dh_field_defaults(op->fields, attr);
    while (text && *text) {
        size_t n = 0;
        int depth = 0;
        while (text[n] && (depth || text[n] != ',')) {
            depth += text[n] == '[' || text[n] == '(';
            depth -= text[n] == ']' || text[n] == ')';
            n++;
        }
        DH_REQUIRE(n < sizeof piece, DH_EINVAL, "%s: attr is longer than %zu bytes", op->name,
                   sizeof piece);
        memcpy(piece, text, n);
        piece[n] = 0;
        text += n + (text[n] == ',');
        char *key = piece + strspn(piece, " "), *equals = strchr(key, '=');
        if (!*key) continue;
        DH_REQUIRE(equals, DH_EINVAL, "%s: attr \"%s\" is not name=value", op->name, key);
        *equals = 0;
        for (char *e = equals; e > key && e[-1] == ' ';) *--e = 0;
        DH_TRY(dh_field_set(op->fields, attr, key, equals + 1, op->name));
        given |= 1ull << (dh_field_find(op->fields, key) - op->fields);
    }
    for (const dh_field *f = op->fields; f->name; f++)
        DH_REQUIRE(given >> (f - op->fields) & 1 || !dh_field_required(f), DH_EINVAL,
                   "%s: attr \"%s\" is required", op->name, f->name);
    return DH_OK;
}

static dh_value operation_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    const dh_operation_args *a = args;
    char hint[200];
    int id = dh__op_find(a->op);
    if (id < 0)
        return dh__emit_fail(b->graph,
                             dh_fail(DH_ENAME, "no op \"%s\"%s", a->op,
                                     dh__suggest(hint, sizeof hint, a->op, dh__op_name_at, NULL)));
    const dh_op *op = dh__ops[id];
    int outs = op->out_count ? op->out_count : 1;
    if (op->updates[0] || a->output < 0 || a->output >= outs)
        return dh__emit_fail(b->graph, dh_fail(DH_EINVAL, "%s: output is %d, the op has %d%s",
                                               op->name, a->output, outs,
                                               op->updates[0] ? " and updates its inputs" : ""));
    void *attr = op->attr_size ? dh__calloc(1, op->attr_size) : NULL;
    dh_value out[DH_OP_MAX_OUT];
    dh_status status = op->attr_size && !attr ? DH_ENOMEM : DH_OK;
    if (!status && a->attr && !op->fields)
        status = dh_fail(DH_EINVAL, "%s: attr is \"%s\", the op has none", op->name, a->attr);
    if (!status && op->fields) status = read_attr(op, attr, a->attr);
    if (!status) status = dh_emit(&b->graph->emitter, id, attr, in_count, in, out);
    dh__free(attr);
    return status ? dh__emit_fail(b->graph, status) : out[a->output];
}

static const dh_field operation_fields[] = {
    DH_FIELD(dh_operation_args, op, NULL, 1, 0, 0, "name of the op"),
    DH_FIELD(dh_operation_args, attr, NULL, 0, 0, 0, "attributes as name=value, ..."),
    DH_FIELD(dh_operation_args, output, NULL, 0, 0, 1 << 20, "which output"),
    DH_FIELD(dh_operation_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

const dh__layer_def dh__layer_operation = {.kind = "operation",
                                           .keras = "Lambda",
                                           .args_size = sizeof(dh_operation_args),
                                           .fields = operation_fields,
                                           .in_min = 1,
                                           .in_max = DH_MAX_LAYER_INPUTS,
                                           .emit = operation_emit};

dh_layer *(dh_operation)(const dh_operation_args *args)
{
    dh_operation_args a;
    if (dh__args(&a, sizeof a, args, "operation")) return NULL;
    int n = 0;
    while (n < DH_MAX_LAYER_INPUTS && a.inputs[n]) n++;
    if (n == 0) {
        dh_fail(DH_EINVAL, "operation: inputs begins with NULL");
        return NULL;
    }
    if (!a.op) return dh__net_failed(a.inputs[0]->net, dh_fail(DH_EINVAL, "operation: op is NULL"));
    return dh__layer_new(a.inputs[0]->net, &dh__layer_operation, &a, n, a.inputs);
}

/* --- constant --- */

typedef struct constant_args {
    size_t struct_size;
    double value;
    const char *name;
} constant_args;

static dh_value constant_emit(dh__build *b, const void *args, int in_count, const dh_value *in)
{
    DH_UNUSED(in_count);
    DH_UNUSED(in);
    return dh__graph_scalar(b->graph, DH_F32, ((const constant_args *)args)->value);
}

static const dh_field constant_fields[] = {
    DH_FIELD(constant_args, value, NULL, 0, -3.4e38, 3.4e38, "the number"),
    DH_FIELD(constant_args, name, NULL, 0, 0, 0, "name of the layer"),
    {0}};

const dh__layer_def dh__layer_constant = {.kind = "constant",
                                          .eddl = "ConstOfTensor",
                                          .args_size = sizeof(constant_args),
                                          .fields = constant_fields,
                                          .emit = constant_emit};

dh_layer *dh_constant(dh_layer *x, double value)
{
    if (!x) {
        dh_fail(DH_EINVAL, "constant: x is NULL");
        return NULL;
    }
    constant_args a = {.struct_size = sizeof a, .value = value};
    return dh__layer_new(x->net, &dh__layer_constant, &a, 0, NULL);
}

/* --- again --- */

dh_layer *dh_apply(dh_layer *layer, dh_layer *x)
{
    if (!layer || !x) {
        dh_fail(DH_EINVAL, "apply: %s is NULL", layer ? "x" : "layer");
        return NULL;
    }
    dh__net *net = x->net;
    if (layer->net != net)
        return dh__net_failed(net, dh_fail(DH_EINVAL,
                                           "apply: layer \"%s\" and x \"%s\" belong to "
                                           "different models",
                                           layer->name, x->name));
    if (layer->in_count != 1)
        return dh__net_failed(net, dh_fail(DH_EINVAL, "apply: layer \"%s\" has %d inputs, needs 1",
                                           layer->name, layer->in_count));
    return dh__layer_again(net, layer, NULL, 1, &x);
}
