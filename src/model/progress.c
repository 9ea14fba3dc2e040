/* SPDX-License-Identifier: MIT */
/* The line of fit: redrawn on a terminal at most ten times a second, one line an epoch elsewhere.
 */
#include "model_impl.h"

void dh__progress_begin(dh__progress *p, const dh_event *event, bool quiet)
{
    *p = (dh__progress){.start = dh__now(),
                        .terminal = dh__log_is_terminal(),
                        .quiet = quiet,
                        .steps = event->steps,
                        .epoch = event->epoch,
                        .epochs = event->epochs};
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

/* The share of the time that went by until batches came, where it is worth a word. */
static size_t add_waiting(char *line, size_t size, size_t at, double waited, double seconds)
{
    if (at >= size || !(waited > 0.005 * seconds)) return at;
    return at + (size_t)dh__format(line + at, size - at, "  waited %.0f%% for data",
                                   100 * waited / seconds);
}

void dh__progress_step(dh__progress *p, const dh_model *model, int64_t step, double waited)
{
    if (p->quiet || !p->terminal || dh_get_log_level() < DH_LOG_PROGRESS) return;
    double now = dh__now(), seconds = now - p->start;
    if (now - p->last < 0.1) return;
    p->last = now;
    char line[512];
    dh_result r = {0};
    dh__pass_result(model, &model->epoch, &r);
    size_t at = (size_t)dh__format(line, sizeof line, "epoch %d/%d", p->epoch, p->epochs);
    at += (size_t)(p->steps
                       ? dh__format(line + at, sizeof line - at, "  %3.0f%%",
                                    100 * (double)step / (double)p->steps)
                       : dh__format(line + at, sizeof line - at, "  step %lld", (long long)step));
    at = add_figures(line, sizeof line, at, model, &r, "");
    if (at < sizeof line)
        at += (size_t)dh__format(line + at, sizeof line - at, "  %.0f samples/s",
                                 (double)model->epoch.samples / seconds);
    at = add_waiting(line, sizeof line, at, waited, seconds);
    if (at < sizeof line && p->steps)
        dh__format(line + at, sizeof line - at, "  ETA %.0f s",
                   (double)(p->steps - step) * seconds / (double)step);
    dh__log(DH_LOG_PROGRESS, "%s", line);
}

void dh__progress_end(dh__progress *p, const dh_model *model, const dh_epoch *e, double waited)
{
    if (p->quiet) return;
    char line[512];
    const dh_result *train = &e->train;
    bool brief = train->seconds < 0.1;
    size_t at =
        (size_t)dh__format(line, sizeof line, "epoch %d/%d  %.1f %s  %.0f samples/s", p->epoch,
                           p->epochs, brief ? 1000 * train->seconds : train->seconds,
                           brief ? "ms" : "s", (double)train->samples / train->seconds);
    at = add_waiting(line, sizeof line, at, waited, train->seconds);
    at = add_figures(line, sizeof line, at, model, train, "");
    if (e->has_validation) add_figures(line, sizeof line, at, model, &e->validation, "val_");
    dh__log(DH_LOG_PROGRESS, "%s", line);
    dh__log(DH_LOG_PROGRESS, "%s", "");
}
