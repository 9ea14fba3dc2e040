/* SPDX-License-Identifier: MIT */
/* Files about the epochs so far, written whole each time, so that they are never torn and a resumed
 * run leaves what an unbroken one would. */
#include <math.h>
#include <string.h>

#include "callback_impl.h"
#include "file.h"

/* Writes one named figure; column counts them in the line. */
typedef void (*put_fn)(dh__writer *w, int column, const char *prefix, const char *name, double x);

static void put_name(dh__writer *w, int column, const char *prefix, const char *name, double x)
{
    bool plain = !strpbrk(name, ",\"\r\n");
    DH_UNUSED(x);
    dh__write_text(w, "%s%s%s", column ? "," : "", plain ? "" : "\"", prefix);
    for (const char *at = name; *at; at++) dh__write_text(w, *at == '"' ? "\"\"" : "%c", *at);
    if (!plain) dh__write_text(w, "\"");
}

static void put_csv(dh__writer *w, int column, const char *prefix, const char *name, double x)
{
    DH_UNUSED(prefix);
    DH_UNUSED(name);
    dh__write_text(w, column ? ",%.9g" : "%.9g", x);
}

static void put_json(dh__writer *w, int column, const char *prefix, const char *name, double x)
{
    dh__write_text(w, "%s\"%s", column ? ", " : "{", prefix);
    for (const char *at = name; *at; at++) {
        unsigned char c = (unsigned char)*at;
        dh__write_text(w, c < 32 ? "\\u%04x" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    dh__write_text(w, "\": ");
    dh__write_text(w, isfinite(x) ? "%.9g" : "null", x);
}

static int put_result(dh__writer *w, put_fn put, int column, const dh_model *m, const dh_result *r,
                      const char *prefix)
{
    put(w, column++, prefix, "loss", r->loss);
    for (int o = 0; o < m->output_count && m->output_count > 1; o++) {
        char name[160];
        dh__format(name, sizeof name, "%.120s_loss", m->output[o]->name);
        put(w, column++, prefix, name, r->losses[o]);
    }
    for (int i = 0; i < m->metric_count; i++)
        put(w, column++, prefix, m->metric[i].name, r->metrics[i]);
    return column;
}

static void put_epoch(dh__writer *w, put_fn put, const dh_model *m, const dh_epoch *e,
                      bool validates)
{
    dh_result nothing = {.loss = NAN};
    int column = 0;
    for (int i = 0; i < DH_MAX_IO; i++) nothing.losses[i] = NAN;
    for (int i = 0; i < DH_MAX_METRICS; i++) nothing.metrics[i] = NAN;
    put(w, column++, "", "epoch", e->epoch);
    put(w, column++, "", "seconds", e->train.seconds);
    put(w, column++, "", "learning_rate", e->learning_rate);
    column = put_result(w, put, column, m, &e->train, "");
    if (validates)
        put_result(w, put, column, m, e->has_validation ? &e->validation : &nothing, "val_");
}

static dh_status write_log(const dh_callback *self, const dh_model *m, bool csv)
{
    dh__writer *w;
    bool validates = false;
    for (int i = 0; i < m->history_count; i++) validates |= m->history[i].has_validation;
    DH_TRY(dh__writer_open(&w, self->path));
    for (int i = csv ? -1 : 0; i < m->history_count; i++) {
        const dh_epoch *e = &m->history[i < 0 ? 0 : i];
        put_epoch(w,
                  i < 0 ? put_name
                  : csv ? put_csv
                        : put_json,
                  m, e, csv ? validates : e->has_validation);
        dh__write_text(w, csv ? "\n" : "}\n");
    }
    return dh__writer_commit(w);
}

static dh_status at_epoch_end(dh_callback *self, dh_event *event)
{
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(self->path, DH_EINVAL, "%s: path is NULL", self->kind);
        return DH_OK;
    }
    if (self->args[0] == 2)
        return dh__from(self->kind, dh_model_plot_history(event->model, self->path));
    return dh__from(self->kind, write_log(self, event->model, self->args[0] == 0));
}

static dh_callback make_log(const dh_log_file_args *args, const char *kind, double what)
{
    dh_log_file_args a;
    if (dh__args(&a, sizeof a, args, kind)) return dh__callback_refused(kind);
    return (dh_callback){.call = at_epoch_end,
                         .moments = DH_FIT_BEGIN | DH_EPOCH_END,
                         .kind = kind,
                         .path = a.path,
                         .args = {what}};
}

dh_callback(dh_csv_log)(const dh_log_file_args *args)
{
    return make_log(args, "csv_log", 0);
}

dh_callback(dh_jsonl_log)(const dh_log_file_args *args)
{
    return make_log(args, "jsonl_log", 1);
}

dh_callback(dh_learning_curves)(const dh_log_file_args *args)
{
    return make_log(args, "learning_curves", 2);
}
