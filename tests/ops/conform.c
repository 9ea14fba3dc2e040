/* SPDX-License-Identifier: MIT */
/* conform: every op of ops.def, by the cases of its family, against a naive f64 reference. The laws
 * are in CONTRIBUTING.md; conform --help lists the modes. DEEPHEALTH_ISA chooses the kernels. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conform.h"
#include "deephealth/version.h"
#include "eager_tape.h"

static const family families[] = {
    {"unary", case_unary, ref_unary},
    {"binary", case_binary, ref_binary},
    {"reduce", case_reduce, ref_reduce},
    {"shape", case_shape_ops, ref_shape},
    {"index", case_index, ref_index},
    {"matrix", case_matrix, ref_matrix},
    {"nn", case_nn, ref_nn},
    {"conv", case_conv, ref_conv},
    {"conv", case_conv_depthwise, ref_conv},
    {"pool", case_pool, ref_pool},
    {"resize", case_resize, ref_resize},
    {"optim", case_optim, ref_optim},
};

static const char *const op_ids[] = {
#define DH_OP(ID, name, cpu, cuda, fpga) #name,
#include "ops.def"
#undef DH_OP
};

static struct options {
    const char *op, *family, *mode, *dtype;
    int number; /* -1: all */
    bool list, time, mutants;
} options = {.mode = "all", .number = -1};

bool conform_quiet;
char conform_first_failure[560];
int64_t conform_checks, conform_failures;
int64_t conform_taken[DH_OP_COUNT], conform_refused[DH_OP_COUNT];

bool conform_check(bool cond)
{
    conform_checks++;
    return cond;
}

void conform_fail(const subject *s, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    conform_failures++;
    if (!conform_first_failure[0])
        snprintf(conform_first_failure, sizeof conform_first_failure, "case %d, %s", s->number,
                 text);
    if (conform_quiet) return;
    printf("FAIL conform --op %s", s->c->op);
    if (s->number >= 0) printf(" --case %d", s->number);
    if (s->dtype) printf(" --dtype %s", dh_dtype_name(s->dtype));
    printf(" --mode %s: %s\n", s->mode, text);
}

/* --- which cases --- */

/* Number of a case among those of its op. */
static int number_of(const family *f, const op_case *c)
{
    int number = 0;
    for (const op_case *p = f->cases; p < c; p++) number += !strcmp(p->op, c->op);
    return number;
}

/* Whether the case runs at d: at dtype[0] alone where that is given, else at the op's all. A given
 * condition (bool) leaves the other inputs free. */
static bool runs_at(const op_case *c, const dh_op *op, dh_dtype d)
{
    bool condition =
        c->dtype[0] == DH_BOOL && op->dtypes == DH_MASK(DH_BOOL) && c->in_count > 1 && !c->dtype[1];
    if (options.dtype && strcmp(options.dtype, dh_dtype_name(d))) return false;
    if (condition) return true;
    return c->dtype[0] ? d == c->dtype[0] : (op->dtypes & DH_MASK(d)) != 0;
}

static bool wanted_mode(const char *mode)
{
    return !strcmp(options.mode, mode) || !strcmp(options.mode, "all");
}

/* Cases across block boundaries go through all layouts at a few dtypes only: one of each kind of
 * kernel. Small cases have them all. */
#define AT_FEW(d) \
    ((DH_MASK(DH_F32) | DH_MASK(DH_F64) | DH_MASK(DH_BF16) | DH_MASK(DH_U8)) >> (d)&1u)

static bool is_large(const op_case *c)
{
    int64_t most = 0;
    for (int i = 0; i < c->in_count; i++) {
        int64_t count = 1;
        for (int a = 0; a < c->in[i].ndim; a++) count *= c->in[i].dim[a];
        if (count > most) most = count;
    }
    return most > 10000 && !c->dtype[0];
}

static void forward_modes(const family *f, const op_case *c, int number, const char *only)
{
    static const struct {
        const char *name;
        void (*run)(subject *s);
    } modes[] = {
        {"ref", mode_ref}, {"views", mode_views}, {"inplace", mode_inplace}, {"bits", mode_bits}};
    int id = dh__op_find(c->op);
    for (size_t m = 0; id >= 0 && m < DH_COUNT(modes); m++) {
        if (only ? strcmp(only, modes[m].name) != 0 : !wanted_mode(modes[m].name)) continue;
        for (int d = 1; d < DH_DTYPE_COUNT; d++) {
            subject s;
            if (!runs_at(c, dh__ops[id], (dh_dtype)d)) continue;
            if (modes[m].run == mode_views && is_large(c) && !AT_FEW(d)) continue;
            if (subject_begin(&s, f, c, number, (dh_dtype)d, modes[m].name, DH_DTYPE_DEFAULT,
                              DH_DTYPE_DEFAULT))
                modes[m].run(&s);
            subject_end(&s);
        }
    }
}

static uint64_t live_blocks(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

/* only: one mode, NULL: those of the options. */
static void run_case(const family *f, const op_case *c, int number, const char *only)
{
    double start = dh__now();
    uint64_t before = live_blocks();
    subject here = {.c = c, .number = number, .mode = only ? only : options.mode};
    forward_modes(f, c, number, only);
    if (only ? !strcmp(only, "grad") : wanted_mode("grad")) mode_grad(f, c, number);
    if (!only && number == 0 && wanted_mode("attr")) mode_attr(f, c);
    if (!only && number == 0 && wanted_mode("alloc")) mode_alloc(f, c);
    if (!conform_check(live_blocks() == before))
        conform_fail(&here, "%lld blocks leak", (long long)(live_blocks() - before));
    if (options.time && !only)
        printf("%10.2f ms  %s --case %d\n", 1e3 * (dh__now() - start), c->op, number);
}

static int run_cases(const char *op, const char *only)
{
    int ran = 0;
    for (size_t i = 0; i < DH_COUNT(families); i++) {
        const family *f = &families[i];
        if (options.family && strcmp(options.family, f->name)) continue;
        for (const op_case *c = f->cases; c->op; c++) {
            int number = number_of(f, c);
            if (op && strcmp(op, c->op)) continue;
            if (options.number >= 0 && options.number != number) continue;
            if (options.list)
                printf("%s %s --case %d\n", f->name, c->op, number);
            else
                run_case(f, c, number, only);
            ran++;
        }
    }
    return ran;
}

void conform_run_op(const char *op, const char *mode)
{
    run_cases(op, mode);
}

/* --- coverage --- */

typedef struct cover {
    int cases, grads;
    bool ref;
} cover;

static void count_cases(cover *found)
{
    for (size_t i = 0; i < DH_COUNT(families); i++) {
        for (const op_case *c = families[i].cases; c->op; c++) {
            int id = dh__op_find(c->op);
            op_case named = *c;
            subject s = {.c = &named, .number = number_of(&families[i], c), .mode = "coverage"};
            if (!conform_check(id >= 0)) {
                conform_fail(&s, "family %s has a case of no op", families[i].name);
                continue;
            }
            found[id].cases++;
            found[id].grads += grad_applies(c, dh__ops[id]);
        }
        for (const ref_entry *r = families[i].refs; r->op; r++) {
            int id = dh__op_find(r->op);
            subject s = {.c = &(op_case){.op = r->op}, .number = -1, .mode = "coverage"};
            if (id >= 0) found[id].ref = true;
            if (!conform_check(id >= 0))
                conform_fail(&s, "family %s has a reference of no op", families[i].name);
        }
    }
}

static bool is_helper(const char *name)
{
    size_t n = strlen(name);
    return (n > 3 && !strcmp(name + n - 3, "_dx")) || (n > 5 && !strcmp(name + n - 5, "_like")) ||
           !strcmp(name, "sum_to");
}

static void check_declaration(const subject *s, const dh_op *op, int id)
{
    const dh_impl *const *impl = subject_impls(s);
    if (!conform_check(op->name && !strcmp(op->name, op_ids[id])))
        conform_fail(s, "its name is \"%s\"", op->name);
    if (!conform_check(op->infer && op->dtypes && op->out_count <= DH_OP_MAX_OUT))
        conform_fail(s, "infer, dtypes or out_count is missing or wrong");
    if (!conform_check(!op->backward != !(op->no_grad && op->no_grad[0])))
        conform_fail(s, "must have either a backward or the reason in no_grad");
    if (!conform_check(impl && *impl)) conform_fail(s, "has no implementation on the CPU");
    if (!conform_check(!op->fields == !op->attr_size))
        conform_fail(s, "attr_size is %zu, the field table is %s", op->attr_size,
                     op->fields ? "there" : "missing");
}

/* Every op has a case and a reference; an op that exists for gradients may have been emitted
 * instead; a gradient rule is tried by at least one case. */
static void mode_coverage(void)
{
    static cover found[DH_OP_COUNT];
    bool need_emissions = false;
    count_cases(found);
    for (int id = 0; id < DH_OP_COUNT; id++)
        need_emissions |= is_helper(op_ids[id]) && !found[id].cases;
    if (need_emissions && !options.op) { /* silently: grad mode reports its own failures */
        int64_t failures = conform_failures;
        conform_quiet = true;
        run_cases(NULL, "grad");
        conform_quiet = false;
        conform_failures = failures;
    }
    for (int id = 0; id < DH_OP_COUNT; id++) {
        const dh_op *op = dh__ops[id];
        subject s = {.c = &(op_case){.op = op_ids[id]},
                     .op = op,
                     .id = id,
                     .number = -1,
                     .mode = "coverage"};
        if (options.op && strcmp(options.op, op_ids[id])) continue;
        bool emitted = is_helper(op_ids[id]) && eager_tape_emitted[id];
        if (!conform_check(found[id].cases || emitted)) conform_fail(&s, "has no case");
        if (!conform_check(found[id].ref || emitted)) conform_fail(&s, "has no reference");
        if (!conform_check(!op->backward || found[id].grads))
            conform_fail(&s, "has a gradient and no case that tries it");
        check_declaration(&s, op, id);
    }
}

/* --- options --- */

static const char usage[] =
    "conform [--op NAME] [--family F] [--case N] [--dtype D] [--mode M] [--list] [--time]\n"
    "conform --mutants\n"
    "  ref       every implementation against the f64 reference, at every dtype\n"
    "  grad      gradient rules against central differences of the reference\n"
    "  views     permuted, strided, reversed, unaligned, repeated operands\n"
    "  inplace   the same bits with the output in an input's memory\n"
    "  bits      the same bits again and with 1 to 4 threads; scratch never grows\n"
    "  attr      attributes, counts and dtypes that must be refused\n"
    "  alloc     every allocation failing in turn\n"
    "  coverage  every op has a case, a reference, and a gradient or the reason why not\n"
    "  all       all of these\n"
    "families: unary binary reduce shape index matrix nn optim\n";

/* The value after an option; NULL with a message where it is missing. */
static const char *value_of(int argc, char **argv, int *i)
{
    if (*i + 1 < argc) return argv[++*i];
    fprintf(stderr, "conform: %s needs a value\n%s", argv[*i], usage);
    return NULL;
}

static bool known_options(void)
{
    static const char modes[] = "ref|grad|views|inplace|bits|attr|alloc|coverage|all";
    dh_dtype d;
    char hint[256];
    if (dh__choice_index(modes, options.mode) < 0) {
        fprintf(stderr, "conform: no mode \"%s\"%s\n", options.mode,
                dh__suggest_choices(hint, sizeof hint, options.mode, modes));
        return false;
    }
    if (options.op && dh__op_find(options.op) < 0) {
        fprintf(stderr, "conform: no op \"%s\"\n", options.op);
        return false;
    }
    if (!options.dtype || !dh_dtype_parse(&d, options.dtype)) return true;
    fprintf(stderr, "conform: %s\n", dh_error_text());
    return false;
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char **text = !strcmp(argv[i], "--op")       ? &options.op
                            : !strcmp(argv[i], "--family") ? &options.family
                            : !strcmp(argv[i], "--mode")   ? &options.mode
                            : !strcmp(argv[i], "--dtype")  ? &options.dtype
                                                           : NULL;
        if (text) {
            if (!(*text = value_of(argc, argv, &i))) return false;
        } else if (!strcmp(argv[i], "--case")) {
            const char *number = value_of(argc, argv, &i);
            if (!number) return false;
            options.number = atoi(number);
        } else if (!strcmp(argv[i], "--list")) {
            options.list = true;
        } else if (!strcmp(argv[i], "--time")) {
            options.time = true;
        } else if (!strcmp(argv[i], "--mutants")) {
            options.mutants = true;
        } else {
            fputs(usage, strcmp(argv[i], "--help") ? stderr : stdout);
            return false;
        }
    }
    return known_options();
}

/* A device may refuse a call, for the CPU takes each; but not all of an op that it has. */
static void check_refusals(void)
{
    int64_t taken = 0, refused = 0;
    if (test_device()->host) return;
    for (int id = 0; id < DH_OP_COUNT; id++) {
        op_case named = {.op = dh__ops[id]->name};
        subject s = {.c = &named, .number = -1, .mode = options.mode};
        taken += conform_taken[id];
        refused += conform_refused[id];
        if (conform_refused[id] && !conform_taken[id] && !test_device()->driver->lacks(id))
            conform_fail(&s, "%s takes none of %lld calls", test_device()->name,
                         (long long)conform_refused[id]);
    }
    if (taken + refused)
        printf("%s took %lld calls, %lld went to nobody\n", test_device()->name, (long long)taken,
               (long long)refused);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!parse(argc, argv)) return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
    const char *isa = getenv("DEEPHEALTH_ISA");
    if (isa && isa[0] && strcasecmp(isa, dh_isa())) {
        printf("skipped: DEEPHEALTH_ISA is \"%s\", which this CPU has not\n", isa);
        return 77;
    }
    if (options.mutants) {
        mutants_run();
    } else {
        bool cases = strcmp(options.mode, "coverage") != 0;
        int ran = cases || options.list ? run_cases(options.op, NULL) : 1;
        if (!ran) {
            fprintf(stderr, "conform: no case is called so; conform --list shows them\n");
            return 2;
        }
        if (options.list) return 0;
        if (wanted_mode("coverage") && !options.family && options.number < 0) mode_coverage();
    }
    check_refusals();
    printf("%lld checks, %lld failed\n", (long long)conform_checks, (long long)conform_failures);
    return conform_failures ? 1 : 0;
}
