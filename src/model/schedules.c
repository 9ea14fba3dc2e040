/* SPDX-License-Identifier: MIT */
/* Learning-rate schedules: callbacks that multiply the rate of the step to come. All but plateau
 * are functions of epoch and step alone, so that a resumed run goes on as if it had not stopped. */
#include <math.h>

#include "callback_impl.h"

static dh_callback schedule(const char *kind, dh_callback_fn call)
{
    return (dh_callback){
        .kind = kind, .call = call, .moments = DH_FIT_BEGIN | DH_STEP_BEGIN, .light = true};
}

static dh_status multiply(dh_event *event, double factor)
{
    event->learning_rate *= factor;
    return DH_OK;
}

static dh_status check_gamma(const dh_callback *self, double gamma, double most)
{
    DH_REQUIRE(gamma > 0 && gamma <= most, DH_EINVAL, "%s: gamma is %g, must be in (0, %g]",
               self->kind, gamma, most);
    return DH_OK;
}

/* --- by epochs --- */

static dh_status lr_step(dh_callback *self, dh_event *event)
{
    int64_t epochs = self->list[0];
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(epochs >= 1, DH_EINVAL, "lr_step: epochs is %lld, must be at least 1",
                   (long long)epochs);
        return check_gamma(self, self->args[0], 1e6);
    }
    return multiply(event, pow(self->args[0], (double)((event->epoch - 1) / epochs)));
}

dh_callback(dh_lr_step)(const dh_lr_step_args *args)
{
    dh_lr_step_args a;
    if (dh__args(&a, sizeof a, args, "lr_step")) return dh__callback_refused("lr_step");
    dh_callback c = schedule("lr_step", lr_step);
    c.args[0] = dh__absent(a.gamma) ? 0.1 : a.gamma;
    c.list[0] = a.epochs;
    return c;
}

static dh_status lr_multi_step(dh_callback *self, dh_event *event)
{
    int passed = 0;
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(self->list[0] >= 1, DH_EINVAL,
                   "lr_multi_step: epochs[0] is %lld, must be at least 1",
                   (long long)self->list[0]);
        for (int i = 1; i < DH_MAX_RATES && self->list[i]; i++)
            DH_REQUIRE(self->list[i] > self->list[i - 1], DH_EINVAL,
                       "lr_multi_step: epochs[%d] is %lld, must be above epochs[%d], %lld", i,
                       (long long)self->list[i], i - 1, (long long)self->list[i - 1]);
        return check_gamma(self, self->args[0], 1e6);
    }
    while (passed < DH_MAX_RATES && self->list[passed] && self->list[passed] <= event->epoch - 1)
        passed++;
    return multiply(event, pow(self->args[0], passed));
}

dh_callback(dh_lr_multi_step)(const dh_lr_multi_step_args *args)
{
    dh_lr_multi_step_args a;
    if (dh__args(&a, sizeof a, args, "lr_multi_step")) return dh__callback_refused("lr_multi_step");
    dh_callback c = schedule("lr_multi_step", lr_multi_step);
    c.args[0] = dh__absent(a.gamma) ? 0.1 : a.gamma;
    for (int i = 0; i < DH_MAX_RATES; i++) c.list[i] = a.epochs[i];
    return c;
}

static dh_status lr_exponential(dh_callback *self, dh_event *event)
{
    if (event->moment == DH_FIT_BEGIN) return check_gamma(self, self->args[0], 1);
    return multiply(event, pow(self->args[0], event->epoch - 1));
}

dh_callback(dh_lr_exponential)(const dh_lr_exponential_args *args)
{
    dh_lr_exponential_args a;
    if (dh__args(&a, sizeof a, args, "lr_exponential"))
        return dh__callback_refused("lr_exponential");
    dh_callback c = schedule("lr_exponential", lr_exponential);
    c.args[0] = a.gamma;
    return c;
}

/* --- by steps: list 0 is steps, 1 is skip --- */

static int64_t all_steps(const dh_callback *self, const dh_event *event)
{
    return self->list[0] ? self->list[0] : event->steps * event->epochs;
}

static dh_status check_steps(dh_callback *self, const dh_event *event)
{
    DH_REQUIRE(self->list[0] >= 0, DH_EINVAL, "%s: steps is %lld, must be at least 1", self->kind,
               (long long)self->list[0]);
    DH_REQUIRE(self->list[0] || event->steps <= INT64_MAX / event->epochs, DH_EINVAL,
               "%s: steps is 0, and %d epochs of %lld steps are too many", self->kind,
               event->epochs, (long long)event->steps);
    int64_t steps = all_steps(self, event);
    DH_REQUIRE(steps > 0, DH_EINVAL,
               "%s: steps is 0, and the source does not tell how many an epoch has", self->kind);
    DH_REQUIRE(self->list[1] >= 0 && self->list[1] < steps, DH_EINVAL,
               "%s: skip is %lld, must be at least 0 and less than the %lld steps", self->kind,
               (long long)self->list[1], (long long)steps);
    self->list[0] = steps; /* other epochs of a resumed run would bend the schedule */
    return DH_OK;
}

/* Where between the skipped steps and the last one the step lies, in [0, 1]. */
static double progress_of(const dh_callback *self, const dh_event *event)
{
    double at = (double)(event->total_step - 1 - self->list[1]);
    double t = at / (double)(all_steps(self, event) - self->list[1]);
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

static dh_status check_end(const dh_callback *self, double end)
{
    DH_REQUIRE(end >= 0 && end <= 1, DH_EINVAL, "%s: end is %g, must be in [0, 1]", self->kind,
               end);
    return DH_OK;
}

static double half_cosine(double from, double to, double t)
{
    return to + (from - to) * (1 + cos(3.14159265358979323846 * t)) / 2;
}

static dh_status lr_cosine(dh_callback *self, dh_event *event)
{
    if (event->moment == DH_FIT_BEGIN) {
        DH_TRY(check_end(self, self->args[0]));
        return check_steps(self, event);
    }
    return multiply(event, half_cosine(1, self->args[0], progress_of(self, event)));
}

dh_callback(dh_lr_cosine)(const dh_lr_cosine_args *args)
{
    dh_lr_cosine_args a;
    if (dh__args(&a, sizeof a, args, "lr_cosine")) return dh__callback_refused("lr_cosine");
    dh_callback c = schedule("lr_cosine", lr_cosine);
    c.args[0] = a.end;
    c.list[0] = a.steps;
    c.list[1] = a.skip;
    return c;
}

static dh_status lr_polynomial(dh_callback *self, dh_event *event)
{
    double end = self->args[0], power = self->args[1];
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(power > 0, DH_EINVAL, "lr_polynomial: power is %g, must be above 0", power);
        DH_TRY(check_end(self, end));
        return check_steps(self, event);
    }
    return multiply(event, end + (1 - end) * pow(1 - progress_of(self, event), power));
}

dh_callback(dh_lr_polynomial)(const dh_lr_polynomial_args *args)
{
    dh_lr_polynomial_args a;
    if (dh__args(&a, sizeof a, args, "lr_polynomial")) return dh__callback_refused("lr_polynomial");
    dh_callback c = schedule("lr_polynomial", lr_polynomial);
    c.args[0] = a.end;
    c.args[1] = dh__absent(a.power) ? 1 : a.power;
    c.list[0] = a.steps;
    c.list[1] = a.skip;
    return c;
}

static dh_status lr_warmup(dh_callback *self, dh_event *event)
{
    double start = self->args[0];
    int64_t steps = self->list[0];
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(steps >= 1, DH_EINVAL, "lr_warmup: steps is %lld, must be at least 1",
                   (long long)steps);
        DH_REQUIRE(start >= 0 && start <= 1, DH_EINVAL, "lr_warmup: start is %g, must be in [0, 1]",
                   start);
        return DH_OK;
    }
    if (event->total_step >= steps) return DH_OK;
    return multiply(event, start + (1 - start) * (double)event->total_step / (double)steps);
}

dh_callback(dh_lr_warmup)(const dh_lr_warmup_args *args)
{
    dh_lr_warmup_args a;
    if (dh__args(&a, sizeof a, args, "lr_warmup")) return dh__callback_refused("lr_warmup");
    dh_callback c = schedule("lr_warmup", lr_warmup);
    c.args[0] = a.start;
    c.list[0] = a.steps;
    return c;
}

/* args: start, end, rise */
static dh_status lr_one_cycle(dh_callback *self, dh_event *event)
{
    double start = self->args[0], end = self->args[1], rise = self->args[2];
    if (event->moment == DH_FIT_BEGIN) {
        DH_REQUIRE(start >= 0 && start <= 1, DH_EINVAL,
                   "lr_one_cycle: start is %g, must be in [0, 1]", start);
        DH_REQUIRE(rise >= 0 && rise <= 1, DH_EINVAL, "lr_one_cycle: rise is %g, must be in [0, 1]",
                   rise);
        DH_TRY(check_end(self, end));
        return check_steps(self, event);
    }
    double t = progress_of(self, event);
    return multiply(event, t < rise ? half_cosine(start, 1, t / rise)
                                    : half_cosine(1, end, rise < 1 ? (t - rise) / (1 - rise) : 0));
}

dh_callback(dh_lr_one_cycle)(const dh_lr_one_cycle_args *args)
{
    dh_lr_one_cycle_args a;
    if (dh__args(&a, sizeof a, args, "lr_one_cycle")) return dh__callback_refused("lr_one_cycle");
    dh_callback c = schedule("lr_one_cycle", lr_one_cycle);
    c.args[0] = dh__absent(a.start) ? 1.0 / 25 : a.start;
    c.args[1] = dh__absent(a.end) ? 1.0 / 250000 : a.end;
    c.args[2] = dh__absent(a.rise) ? 0.3 : a.rise;
    c.list[0] = a.steps;
    return c;
}

/* --- plateau: args 1 to 3 are factor, patience, min_factor, list 0 cooldown; state 2 is what the
 * rate is multiplied by, 3 the epochs of the cooldown that are left, 4 the wait at the last decay
 * --- */

static dh_status check_plateau(dh_callback *self, const dh_event *event)
{
    DH_REQUIRE(self->args[1] > 0 && self->args[1] < 1, DH_EINVAL,
               "lr_plateau: factor is %g, must be in (0, 1)", self->args[1]);
    DH_REQUIRE(self->args[2] >= 0, DH_EINVAL, "lr_plateau: patience is %g, must be at least 0",
               self->args[2]);
    DH_REQUIRE(self->args[3] >= 0 && self->args[3] <= 1, DH_EINVAL,
               "lr_plateau: min_factor is %g, must be in [0, 1]", self->args[3]);
    DH_REQUIRE(self->list[0] >= 0, DH_EINVAL, "lr_plateau: cooldown is %lld, must be at least 0",
               (long long)self->list[0]);
    self->state[2] = 1;
    return dh__watch_begin(self, event, self->payload);
}

static dh_status lr_plateau(dh_callback *self, dh_event *event)
{
    double *factor = &self->state[2], *cooling = &self->state[3], *since = &self->state[4];
    if (event->moment == DH_FIT_BEGIN) return check_plateau(self, event);
    if (event->moment == DH_STEP_BEGIN) return multiply(event, *factor);
    if (dh__watch(self, event)) *since = 0;
    if (*cooling > 0) {
        --*cooling;
        *since = dh__watch_waited(self);
    }
    if (dh__watch_waited(self) - *since <= self->args[2]) return DH_OK;
    *factor = fmax(*factor * self->args[1], self->args[3]);
    *cooling = (double)self->list[0];
    *since = dh__watch_waited(self);
    return DH_OK;
}

dh_callback(dh_lr_plateau)(const dh_lr_plateau_args *args)
{
    dh_lr_plateau_args a;
    if (dh__args(&a, sizeof a, args, "lr_plateau")) return dh__callback_refused("lr_plateau");
    dh_callback c = schedule("lr_plateau", lr_plateau);
    c.moments |= DH_EPOCH_END;
    c.payload = (void *)(uintptr_t)a.mode;
    c.monitor = a.monitor;
    c.args[0] = dh__absent(a.min_delta) ? 1e-4 : a.min_delta;
    c.args[1] = dh__absent(a.factor) ? 0.1 : a.factor;
    c.args[2] = dh__absent(a.patience) ? 10 : a.patience;
    c.args[3] = a.min_factor;
    c.list[0] = a.cooldown;
    return c;
}
