/* SPDX-License-Identifier: MIT */
/* The command line. */
#include "common.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void usage(const char *name, const example_option *options, int count)
{
    printf("usage: %s [options]\n", name);
    for (int i = 0; i < count; i++) {
        const example_option *p = &options[i];
        if (p->lacks) continue;
        int width = printf("  %s %s", p->name, p->value);
        printf("%*s%s", width < 26 ? 26 - width : 1, "", p->help);
        if (p->text && *p->text) printf("; default %s", *p->text);
        if (p->number && *p->number) printf("; default %d", *p->number);
        if (p->seed) printf("; default %llu", *p->seed);
        printf("\n");
    }
}

static bool read_number(const char *name, const example_option *p, const char *text, long long *out)
{
    long long least = p->number ? p->least : 0, most = p->number ? 1000000000 : LLONG_MAX;
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*text && !*end && !errno && *out >= least && *out <= most) return true;
    fprintf(stderr, "%s: %s is \"%s\", must be a whole number in [%lld, %lld]\n", name, p->name,
            text, least, most);
    return false;
}

/* value is NULL where the command line ends. */
static bool take(const char *name, const example_option *p, const char *value)
{
    long long n;
    if (p->flag) return *p->flag = true;
    if (!value) {
        fprintf(stderr, "%s: option %s lacks its value\n", name, p->name);
        return false;
    }
    if (p->text) {
        *p->text = value;
        return true;
    }
    if (!read_number(name, p, value, &n)) return false;
    if (p->number)
        *p->number = (int)n;
    else
        *p->seed = (unsigned long long)n;
    return true;
}

bool example_parse_list(const char *program, const example_option *list, int count, int argc,
                        char **argv, int *exit_code)
{
    *exit_code = 2;
    for (int i = 1; i < argc; i++) {
        const example_option *p = NULL;
        if (!strcmp(argv[i], "--help")) {
            usage(program, list, count);
            *exit_code = 0;
            return false;
        }
        for (int k = 0; k < count; k++)
            if (!list[k].lacks && !strcmp(argv[i], list[k].name)) p = &list[k];
        if (!p) {
            fprintf(stderr, "%s: there is no option \"%s\"; --help lists them\n", program, argv[i]);
            return false;
        }
        if (!take(program, p, argv[i + 1])) return false; /* argv ends with NULL */
        i += !p->flag;
    }
    return true;
}

/* With the folders above it; what is in the way of those shows at the last one. */
static bool make_folder(const char *name, const char *path)
{
    char part[PATH_MAX];
    struct stat found;
    size_t length = strlen(path);
    for (size_t i = 1; i < length && i < sizeof part; i++) {
        if (path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        (void)mkdir(part, 0777);
    }
    bool there = mkdir(path, 0777) == 0 || errno == EEXIST;
    if (there && stat(path, &found) == 0) {
        if (!S_ISDIR(found.st_mode))
            errno = ENOTDIR;
        else if (access(path, W_OK | X_OK) == 0)
            return true;
    }
    fprintf(stderr, "%s: --checkpoint %s: %s\n", name, path, strerror(errno));
    return false;
}

/* What can't work is said before anything else is done. */
static bool check_checkpoint(const example_options *o)
{
    if (o->checkpoint) return make_folder(o->name, o->checkpoint);
    if (!o->resume && !o->checkpoint_steps) return true;
    fprintf(stderr, "%s: %s needs --checkpoint DIR\n", o->name,
            o->resume ? "--resume" : "--checkpoint-steps");
    return false;
}

bool example_parse(example_options *o, int argc, char **argv, int *exit_code)
{
    const example_option all[] = {
        {"--data", "DIR", "files of the data set (default: in $DEEPHEALTH_DATA)", .text = &o->data},
        {"--samples", "N", "only the first N samples of each part; 0: all", .number = &o->samples},
        {"--epochs", "N", "passes over the data", .number = &o->epochs, .least = 1,
         .lacks = !o->epochs},
        {"--batch-size", "N", "samples a step", .number = &o->batch_size, .least = 1},
        {"--seed", "N", "of weights, shuffling, dropout", .seed = &o->seed},
        {"--threads", "N", "0: all cores", .number = &o->threads},
        {"--device", "NAME", "where it computes", .text = &o->device},
        {"--memory", "LEVEL", "full_mem, mid_mem or low_mem", .text = &o->memory},
        {"--replicas", "N", "that share each batch", .number = &o->replicas},
        {"--fallback", "NAME", "cpu: it runs what the device lacks", .text = &o->fallback},
        {"--service", "FILE", "all that in YAML, instead of these options", .text = &o->service},
        {"--json", "FILE", "report of the run", .text = &o->json},
        {"--save", "FILE", "trained weights, safetensors", .text = &o->save},
        {"--weights", "FILE", "weights to begin with, safetensors", .text = &o->weights,
         .lacks = !o->weights},
        {"--picture", "FILE", "what came out, PNG", .text = &o->picture, .lacks = !o->picture},
        {"--curve", "FILE", "learning curve, PNG", .text = &o->curve, .lacks = !o->fits},
        {"--checkpoint", "DIR", "where the run is kept", .text = &o->checkpoint, .lacks = !o->fits},
        {"--checkpoint-steps", "N", "a checkpoint each N steps, too, not only each epoch",
         .number = &o->checkpoint_steps, .lacks = !o->fits},
        {"--resume", "", "goes on from the last checkpoint", .flag = &o->resume, .lacks = !o->fits},
        {"--quiet", "", "no progress", .flag = &o->quiet},
    };
    *exit_code = 2;
    if (!example_parse_list(o->name, all, sizeof all / sizeof *all, argc, argv, exit_code) ||
        !check_checkpoint(o))
        return false;
    if (o->service && dh_cs_load(&o->loaded, o->service)) {
        dh_perror(o->name);
        return false;
    }
    return true;
}

dh_cs example_device(const example_options *o)
{
    if (o->service) return o->loaded;
    dh_cs cs = dh_cs_cpu(.threads = o->threads, .memory = o->memory, .replicas = o->replicas);
    cs.device = o->device;
    cs.fallback = o->fallback;
    return cs;
}

dh_model *example_built(dh_model *model, dh_status status)
{
    if (!status) return model;
    dh_perror("build");
    dh_model_free(model);
    return NULL;
}
