/* SPDX-License-Identifier: MIT */
/* The thread team: the only place with OpenMP pragmas. Work is cut by shape, never by thread count,
 * so that the same bits come out of 1 thread or 48. */
#ifndef DH_TEAM_H
#define DH_TEAM_H

#include <stdint.h>

/* Threads that a run started by the calling thread may use: what dh__team_limit set, else
 * OMP_NUM_THREADS, else dh__cpu_count(). 1 inside a run, inside a caller's own OpenMP parallel
 * region and in a forked child whose parent had already used the team. */
int dh__team_size(void);

/* Sets the limit of the calling thread; 0 is the default. Returns the limit it had. May exceed the
 * number of cores. */
int dh__team_limit(int threads);

/* Index of the calling thread inside the current run, 0 outside; less than dh__team_size() of the
 * thread that started the run. For scratch of each thread's own. */
int dh__team_index(void);

/* Calls task(context, i) for each i in [0, count), in any order and on any thread, and returns when
 * all are done. Tasks are handed out one by one when they may differ in cost. */
void dh__team_run(int64_t count, void (*task)(void *context, int64_t i), void *context);

/* The same, at most `places` of them at a time; no two at a time have the same place in [0,
 * places): for scratch of each one's own that was laid out for so many. */
void dh__team_run_placed(int64_t places, int64_t count,
                         void (*task)(void *context, int64_t i, int64_t place), void *context);

/* Calls body(context) once, on the calling thread, with the team standing by: runs inside it cost
 * less, and on a busy machine much less. Not nested: inside another session, or inside a run, body
 * is just called. */
void dh__team_session(void (*body)(void *context), void *context);

/* Cuts [0, count) into ranges of grain (the last one shorter) and runs body on each. One range, or
 * fewer than two threads, runs on the caller without a team. */
void dh__team_ranges(int64_t count, int64_t grain,
                     void (*body)(void *context, int64_t begin, int64_t end), void *context);

#endif
