/* SPDX-License-Identifier: MIT */
/* Prints docs/ops.md (argument "ops"), docs/layers.md ("layers") or docs/zoo.md ("zoo") from the op
 * table, ops.def, the layer kinds and their field tables, and the list of the zoo. scripts/docs.sh
 * writes the files, a house test compares. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <deephealth/dtype.h>
#include <deephealth/inspection.h>
#include <deephealth/zoo.h>

#include "gen_streaming.h"
#include "layer_defs.h"
#include "ops.h"

typedef struct support {
    const char *cpu, *cuda, *fpga;
} support;

static const support matrix[DH_OP_COUNT] = {
#define DH_OP(ID, name, cpu, cuda, fpga) [DH_OP_##ID] = {#cpu, #cuda, #fpga},
#include "ops.def"
#undef DH_OP
};

static const char *const lacks[] = {
    [DH_OP_COUNT] = NULL,
#define DH_LACKS(ID, reason) [DH_OP_##ID] = reason,
#include "lacks.def"
#undef DH_LACKS
};

/* Headings, each before the op that opens its part of ops.def. */
static const struct {
    int first;
    const char *title, *text;
} parts[] = {
    {DH_OP_NEG, "Elementwise, one input", ""},
    {DH_OP_ADD, "Elementwise, two or three inputs",
     "Shapes broadcast as in NumPy: axes are matched from the last, a length of 1 repeats.\n\n"},
    {DH_OP_SUM, "Reductions", ""},
    {DH_OP_RESHAPE, "Shape", ""},
    {DH_OP_GATHER, "Index", ""},
    {DH_OP_MATMUL, "Matrices", ""},
    {DH_OP_SOFTMAX, "Neural networks", ""},
    {DH_OP_SGD_STEP, "Optimisers",
     "Emitted by `dh_build`; they update parameters and state in place, so that they are no "
     "layers.\n\n"},
};

/* --- attributes --- */

/* Text in a cell of a table: a bar would end it. */
static void cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|') putchar('\\');
        putchar(*text);
    }
}

static void number(double v)
{
    if (isinf(v))
        printf("%sinf", v < 0 ? "-" : "");
    else if (v == floor(v) && fabs(v) < 1e12)
        printf("%.0f", v);
    else
        printf("%.9g", v);
}

static bool required(const dh_field *f)
{
    return !(f->dflt >= f->min && f->dflt <= f->max);
}

static void print_default(const dh_field *f)
{
    char first[64];
    switch (f->kind) {
    case DH_FIELD_BOOL: printf(" = %s", f->dflt != 0 ? "true" : "false"); break;
    case DH_FIELD_INTS:
    case DH_FIELD_INT_ARRAY:
    case DH_FIELD_INT64_ARRAY: printf(" = []"); break;
    case DH_FIELD_CHOICE:
        printf(" = %s", dh__choice_name(first, sizeof first, f->choices, (int)f->dflt));
        break;
    case DH_FIELD_STRING: printf(" = NULL"); break;
    case DH_FIELD_INT:
    case DH_FIELD_INT64:
    case DH_FIELD_FLOAT:
    case DH_FIELD_DOUBLE:
        printf(" = ");
        number(f->dflt);
        break;
    case DH_FIELD_OPAQUE: break;
    }
}

static void print_range(const dh_field *f)
{
    bool real = f->kind == DH_FIELD_FLOAT || f->kind == DH_FIELD_DOUBLE;
    double most = real ? DBL_MAX : 0x1p63;
    bool low = f->min > -most, high = f->max < most;
    if (f->kind == DH_FIELD_CHOICE || (f->kind == DH_FIELD_STRING && f->choices)) {
        printf(", one of ");
        cell(f->choices + (f->choices[0] == '|'));
        return;
    }
    if (f->kind == DH_FIELD_BOOL || f->kind == DH_FIELD_STRING || f->kind == DH_FIELD_OPAQUE)
        return;
    if (low && high) {
        printf(", in [");
        number(f->min);
        printf(", ");
        number(f->max);
        printf("]");
    } else if (low || high) {
        printf(low ? ", at least " : ", at most ");
        number(low ? f->min : f->max);
    }
}

/* "`alpha` = 0.01, in [-1, 1]: slope; `..." of the rows that keep() lets through. */
static void print_fields(const dh_field *f, const char *before, bool (*keep)(const dh_field *field))
{
    for (; f && f->name; f++) {
        if (keep && !keep(f)) continue;
        printf("%s`%s`", before, f->name);
        before = "; ";
        if (required(f))
            printf(" (required)");
        else
            print_default(f);
        print_range(f);
        printf(": ");
        cell(f->help);
    }
}

/* --- ops --- */

static void print_inputs(const dh_op *op)
{
    if (op->in_max < 0)
        printf("%d or more", op->in_min);
    else if (op->in_max == op->in_min)
        printf("%d", op->in_min);
    else
        printf("%d to %d", op->in_min, op->in_max);
}

static void print_outputs(const dh_op *op)
{
    int n = 0;
    if (!op->updates[0]) {
        printf("%d", op->out_count ? op->out_count : 1);
    } else if (op->in_max < 0) {
        printf("updates every input");
    } else {
        for (; n < DH_OP_MAX_OUT && op->updates[n] > 0; n++)
            printf("%s%d", n ? ", " : "updates input ", op->updates[n] - 1);
    }
}

static void print_dtypes(uint32_t mask)
{
    static const struct {
        uint32_t mask;
        const char *name;
    } sets[] = {{DH_MASK_ANY, "any"},       {DH_MASK_NUMBER, "number"},
                {DH_MASK_FLOAT, "float"},   {DH_MASK_INTEGER, "integer"},
                {DH_MASK_SIGNED, "signed"}, {DH_MASK_UNSIGNED, "unsigned"},
                {DH_MASK_INDEX, "i32, i64"}};
    const char *comma = "";
    while (mask) {
        size_t i = 0;
        while (i < sizeof sets / sizeof *sets && (mask & sets[i].mask) != sets[i].mask) i++;
        if (i < sizeof sets / sizeof *sets) {
            printf("%s%s", comma, sets[i].name);
            mask &= ~sets[i].mask;
        } else {
            int d = 0;
            while (!(mask & DH_MASK(d))) d++;
            printf("%s%s", comma, dh_dtype_name((dh_dtype)d));
            mask &= ~DH_MASK(d);
        }
        comma = ", ";
    }
}

static const char *mark(const char *column)
{
    return !strcmp(column, "YES") ? "yes" : "no";
}

static void print_op(int id)
{
    const dh_op *op = dh__ops[id];
    printf("| `%s` | ", op->name);
    print_inputs(op);
    printf(" | ");
    print_outputs(op);
    printf(" | ");
    print_dtypes(op->dtypes);
    printf(" | ");
    print_fields(op->fields, "", NULL);
    printf(" | ");
    if (op->backward)
        printf("yes");
    else
        cell(op->no_grad ? op->no_grad : "no");
    printf(" | %s | %s | %s | %s", op->onnx ? op->onnx : "", mark(matrix[id].cpu),
           mark(matrix[id].cuda), mark(matrix[id].fpga));
    if (!strcmp(mark(matrix[id].fpga), "no"))
        printf(": %s", lacks[id] ? lacks[id] : "it has no kernel yet");
    printf(" |\n");
}

static void print_ops(void)
{
    printf("# Ops\n\n"
           "Written by `scripts/docs.sh` from `src/tensor/ops.def` and the op table: change those, "
           "not this page.\n\n"
           "Every op without the word *updates* is a layer: `dh_operation(\"clamp\", {x}, "
           ".attr = \"min=0, max=1\")`;\n`.output` chooses among several outputs. Many are "
           "functions on tensors too (`dh_tensor_clamp`). Names that end in\n`_dx`, `_to` or "
           "`_like` serve gradients: they take the shape of another input.\n\n"
           "- **dtypes** are those of the first input. *float* is f32, f64, f16, bf16; *integer* "
           "is i8 to i64 and u8 to u64;\n  *number* is both; *any* takes bool too. In an "
           "attribute a dtype is its name: `dtype=f32`.\n- **attributes** are written with their "
           "default and range. Lists are `1` or `[1, "
           "2]`.\n"
           "- **gradient** says why there is none, where there is none.\n"
           "- **ONNX** is the operator with the same meaning, where one is.\n"
           "- **cpu, cuda, fpga** tell which devices have it; what can be told of the machine at "
           "hand, `examples/devices`\n  prints. There are no CUDA devices yet.\n");
    for (int id = 0, part = 0; id < DH_OP_COUNT; id++) {
        if (part < (int)(sizeof parts / sizeof *parts) && parts[part].first == id) {
            printf("\n## %s\n\n%s| op | inputs | outputs | dtypes | attributes | gradient | ONNX "
                   "| cpu | cuda | fpga |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- "
                   "| --- |\n",
                   parts[part].title, parts[part].text);
            part++;
        }
        print_op(id);
    }
    printf("\n%d ops.\n", (int)DH_OP_COUNT);
}

/* --- layers --- */

/* What no field table can hold: layers. */
static const char *before_fields(const char *kind)
{
    static const struct {
        const char *kind, *text;
    } words[] = {{"input", "model"},
                 {"operation", "`inputs` (a list, after `op`)"},
                 {"constant", "x (any layer of the model)"},
                 {"concat", "`inputs` (a list)"},
                 {"subtract", "`inputs` (a list of two)"}};
    static const char *const lists[] = {"add",     "multiply", "maximum", "minimum",
                                        "average", "matmul",   "dot"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(kind, words[i].kind)) return words[i].text;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!strcmp(kind, lists[i])) return "`inputs` (a list)";
    return "x";
}

/* Every layer has a name. */
static bool is_argument(const dh_field *field)
{
    return strcmp(field->name, "name") != 0;
}

static void print_layers(void)
{
    printf("# Layers\n\n"
           "Written by `scripts/docs.sh` from the layers' field tables: change those, not this "
           "page.\n\n"
           "Positional arguments come first, then those below by name: `dh_dense(x, 10, "
           ".no_bias = true)`. An argument that is\nleft out, or zero, has its default; every "
           "layer takes `.name`. Any op of [ops.md](ops.md) is a layer through\n"
           "`dh_operation`. Meaning, formulas and shapes stand in `deephealth/layers.h`, "
           "`layers_image.h` and `layers_more.h`.\nWhat those who come from EDDL look for and do "
           "not find here stands in [from-eddl.md](from-eddl.md).\n\n"
           "| layer | Keras | EDDL | arguments |\n| --- | --- | --- | --- |\n");
    for (const dh__layer_def *const *d = dh__layer_defs; *d; d++) {
        printf("| `dh_%s` | %s | %s | %s", (*d)->kind, (*d)->keras ? (*d)->keras : "",
               (*d)->eddl ? (*d)->eddl : "", before_fields((*d)->kind));
        print_fields((*d)->fields, "; ", is_argument);
        printf(" |\n");
    }
    printf("\n`dh_apply(layer, x)` uses a layer again with the same parameters, "
           "`dh_model_apply(model, {x})` a whole\nmodel (a Model called in Keras).\n");
}

/* --- the zoo --- */

static const char zoo_text[] =
    "# The zoo\n\n"
    "Written by `scripts/docs.sh` from the list in `src/model/zoo.c`: change that, or "
    "`tests/house/gen_ops.c`, not this page.\n\n"
    "Networks of the literature, each a constructor that takes a layer and returns the last one. "
    "Size and channels are those of\nthe input, classes the second argument:\n\n"
    "```c\n"
    "dh_layer *in = dh_input(net, {3, 224, 224});\n"
    "dh_layer *end = dh_zoo_resnet(in, 8, .depth = 50);\n"
    "if (dh_build(net, end, .loss = \"cross_entropy\", .optimizer = dh_sgd(0.01f)))\n"
    "    return dh_perror(\"build\");\n"
    "```\n\n"
    "`dh_zoo_mlp`, `dh_zoo_lenet`, `dh_zoo_mnist_conv`, `dh_zoo_vgg`, `dh_zoo_resnet`, "
    "`dh_zoo_eddl_resnet`, `dh_zoo_mobilenet_v2` and\n`dh_zoo_unet` take `.depth`, `.width` and "
    "the "
    "like, as `deephealth/zoo.h` says of each. `dh_zoo_make(x, 8, .net = \"vgg16_bn\")`\nmakes any "
    "of them by the name it has below; `dh_zoo_find` and `dh_zoo_at` give its row.\n\n"
    "- Weights begin at random; none come with the library. Layers have stable names by parts: "
    "`stem`, `stage2.block1.conv1`,\n  `down3.conv2`; behind them `.bn` and `.relu`; `classes` is "
    "the "
    "last layer with weights. So `dh_load_weights(net, path,\n  .only = \"stem*,stage?.*\")` takes "
    "what a net learnt before, but for its classes. `.name` stands before all of them.\n"
    "- The end is a softmax, or a sigmoid of a U-Net with one class; `.activation` is another, "
    "`\"linear\"` none.\n"
    "- Parameters, strides, padding and batch normalisation of VGG, ResNet and MobileNetV2 are "
    "torchvision's. `_bn`: with batch\n  normalisation. `_cifar` is `.small_images`: for about 32 "
    "x "
    "32. `_eddl`: as EDDL's examples of CIFAR-10 have it, where that\n  differs.\n\n"
    "| name | input | classes | parameters that are trained | multiply-adds, millions | paper |\n"
    "| --- | --- | --: | --: | --: | --- |\n";

static void print_zoo(void)
{
    const dh_zoo_entry *e;
    fputs(zoo_text, stdout);
    for (int i = 0; (e = dh_zoo_at(i)); i++) {
        dh_work_report work = {0};
        dh_model *net = dh_model_new(e->name);
        dh_layer *x = dh_input(net, {e->input[0], e->input[1], e->input[2]});
        dh_zoo_make(x, e->classes, .net = e->name);
        if (dh_model_work(&work, net)) dh_perror(e->name);
        printf("| `%s` | %lld", e->name, (long long)e->input[0]);
        for (int k = 1; e->input[k]; k++) printf(" x %lld", (long long)e->input[k]);
        printf(" | %d | %lld | %.1f | %s |\n", e->classes, (long long)work.trainable,
               work.flops / 2e6, e->paper);
        dh_model_free(net);
    }
    printf("\nParameters and multiply-adds (of convolutions and dense layers, a forward of one "
           "sample) are counted by\n`dh_model_work`, at the input and the classes of the row.\n");
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "ops"))
        print_ops();
    else if (argc == 2 && !strcmp(argv[1], "layers"))
        print_layers();
    else if (argc == 2 && !strcmp(argv[1], "zoo"))
        print_zoo();
    else if (argc == 2 && !strcmp(argv[1], "streaming"))
        print_streaming();
    else
        return fprintf(stderr, "usage: %s ops|layers|zoo|streaming\n", argv[0]), 2;
    return ferror(stdout) ? 1 : 0;
}
