/* SPDX-License-Identifier: MIT */
/* Writing to a pipe or socket that nobody reads any more sends the thread a SIGPIPE, which by
 * default ends the process. Around such writes it is blocked, in this thread alone, and taken back
 * where it came, so that what is left is the error EPIPE. */
#include "base_impl.h"

#include <errno.h>

static bool is_pending(void)
{
    sigset_t pending;
    (void)sigemptyset(&pending);
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void dh__sigpipe_hold(dh__sigpipe *held)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    /* one that waits already was blocked and sent by others: it is left to them */
    held->active = !is_pending() && pthread_sigmask(SIG_BLOCK, &set, &held->before) == 0;
}

void dh__sigpipe_release(const dh__sigpipe *held)
{
    if (!held->active) return;
    int saved = errno, taken;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    if (is_pending()) (void)sigwait(&set, &taken);
    (void)pthread_sigmask(SIG_SETMASK, &held->before, NULL);
    errno = saved;
}
