/* SPDX-License-Identifier: MIT */
/* The line of fit: redrawn on a terminal at most ten times a second, one line an epoch elsewhere.
 */
#include "model_impl.h"

void dh__progress_begin(dh__progress *p, int64_t total, int epoch, int epochs, bool quiet)
{
    *p = (dh__progress){.start = dh__now(),
                        .terminal = dh__log_is_terminal(),
                        .quiet = quiet,
                        .total = total,
                        .epoch = epoch,
                        .epochs = epochs};
    p->last = p->start;
}

static size_t add_figures(char *line, size_t size, size_t at, const dh_model *m, const dh_result *r,
                          const char *prefix)
{
    if (at < size) at += (size_t)dh__format(line + at, size - at, "  %sloss %.4f", prefix, r->loss);
    for (int i = 0; i < m->metric_count && at < size; i++)
        at += (size_t)dh__format(line + at, size - at, "  %s%s %.4f", prefix, m->metric[i].name,
                                 r->metrics[i]);
    return at;
}

void dh__progress_step(dh__progress *p, const dh_model *model)
{
    if (p->quiet || !p->terminal || dh_get_log_level() < DH_LOG_PROGRESS) return;
    double now = dh__now();
    if (now - p->last < 0.1) return;
    p->last = now;
    char line[512];
    dh_result r = {0};
    double rate = (double)model->epoch.samples / (now - p->start);
    dh__pass_result(model, &model->epoch, &r);
    size_t at = (size_t)dh__format(line, sizeof line, "epoch %d/%d  %3.0f%%", p->epoch, p->epochs,
                                   100 * (double)model->epoch.samples / (double)p->total);
    at = add_figures(line, sizeof line, at, model, &r, "");
    if (at < sizeof line)
        dh__format(line + at, sizeof line - at, "  %.0f samples/s  ETA %.0f s", rate,
                   (double)(p->total - model->epoch.samples) / rate);
    dh__log(DH_LOG_PROGRESS, "%s", line);
}

void dh__progress_end(dh__progress *p, const dh_model *model, const dh_result *train,
                      const dh_result *validation)
{
    if (p->quiet) return;
    char line[512];
    bool brief = train->seconds < 0.1;
    size_t at =
        (size_t)dh__format(line, sizeof line, "epoch %d/%d  %.1f %s  %.0f samples/s", p->epoch,
                           p->epochs, brief ? 1000 * train->seconds : train->seconds,
                           brief ? "ms" : "s", (double)train->samples / train->seconds);
    at = add_figures(line, sizeof line, at, model, train, "");
    if (validation) add_figures(line, sizeof line, at, model, validation, "val_");
    dh__log(DH_LOG_PROGRESS, "%s", line);
    dh__log(DH_LOG_PROGRESS, "%s", "");
}
