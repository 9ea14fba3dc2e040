/* SPDX-License-Identifier: MIT */
/* The one way out for text: a callback, whose default writes to stderr. */
#include "base_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LINE_SIZE = 2048 };

static void default_log(dh_log_level level, const char *text, void *payload);

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static atomic_int current_level = DH_LOG_INFO;
static char wrong_level[64]; /* what DEEPHEALTH_LOG said when it named no level */
static atomic_bool wrong_level_pending;

static pthread_mutex_t callback_mutex = PTHREAD_MUTEX_INITIALIZER;
static dh_log_fn callback = default_log;
static void *callback_payload;

static pthread_mutex_t stderr_mutex = PTHREAD_MUTEX_INITIALIZER;
static char progress_line[LINE_SIZE]; /* what stands on the terminal's last line; "" if nothing */

static void read_environment(void)
{
    static const char *const names[] = {"off", "error", "warning", "progress", "info", "debug"};
    const char *wanted = getenv("DEEPHEALTH_LOG");
    if (!wanted || !wanted[0]) return;
    for (size_t i = 0; i < DH_COUNT(names); i++) {
        if (strcasecmp(wanted, names[i]) == 0) {
            atomic_store(&current_level, (int)i);
            return;
        }
    }
    (void)dh__format(wrong_level, sizeof wrong_level, "%s", wanted);
    atomic_store(&wrong_level_pending, true);
}

void dh_set_log(dh_log_fn fn, void *payload)
{
    pthread_mutex_lock(&callback_mutex);
    callback = fn ? fn : default_log;
    callback_payload = fn ? payload : NULL;
    pthread_mutex_unlock(&callback_mutex);
}

void dh_set_log_level(dh_log_level level)
{
    pthread_once(&start_once, read_environment);
    int wanted = (int)level;
    if (wanted < DH_LOG_OFF) wanted = DH_LOG_OFF;
    if (wanted > DH_LOG_DEBUG) wanted = DH_LOG_DEBUG;
    atomic_store(&current_level, wanted);
}

dh_log_level dh_get_log_level(void)
{
    pthread_once(&start_once, read_environment);
    return (dh_log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool dh__log_is_terminal(void)
{
    pthread_mutex_lock(&callback_mutex);
    bool ours = callback == default_log;
    pthread_mutex_unlock(&callback_mutex);
    int saved = errno;
    bool terminal = ours && isatty(STDERR_FILENO) == 1;
    errno = saved;
    return terminal;
}

/* One write per message, so that lines of several processes do not mix. */
static void put(const char *a, const char *b, const char *c, const char *d)
{
    char line[2 * LINE_SIZE + 64];
    int length = dh__format(line, sizeof line, "%s%s%s%s", a, b, c, d);
    if (length <= 0) return;
    size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    dh__sigpipe held; /* a reader of the log that goes away ends no training */
    dh__sigpipe_hold(&held);
    (void)fwrite(line, 1, size, stderr);
    (void)fflush(stderr);
    dh__sigpipe_release(&held);
}

static void put_progress(const char *text, bool terminal)
{
    if (!terminal) {
        if (text[0]) put(text, "\n", "", "");
        return;
    }
    if (text[0])
        put("\r", text, "\033[K", "");
    else if (progress_line[0])
        put("\n", "", "", "");
    (void)dh__format(progress_line, sizeof progress_line, "%s", text);
}

static void default_log(dh_log_level level, const char *text, void *payload)
{
    static const char *const labels[] = {"", "error: ", "warning: ", "", "", "debug: "};
    DH_UNUSED(payload);
    bool terminal = isatty(STDERR_FILENO) == 1;
    pthread_mutex_lock(&stderr_mutex);
    if (level == DH_LOG_PROGRESS) {
        put_progress(text, terminal);
    } else {
        /* a message takes the progress line's place, and that is drawn again below it */
        bool redraw = terminal && progress_line[0] != '\0';
        if (redraw) put("\r\033[K", "", "", "");
        put(labels[level], text, "\n", redraw ? progress_line : "");
    }
    pthread_mutex_unlock(&stderr_mutex);
}

/* Called without a lock held: a callback may set another callback. */
static void send(dh_log_level level, const char *text)
{
    pthread_mutex_lock(&callback_mutex);
    dh_log_fn fn = callback;
    void *payload = callback_payload;
    pthread_mutex_unlock(&callback_mutex);
    fn(level, text, payload);
}

static void warn_of_environment(void)
{
    if (!atomic_load_explicit(&wrong_level_pending, memory_order_relaxed)) return;
    if (!atomic_exchange(&wrong_level_pending, false)) return;
    char text[192];
    (void)dh__format(text, sizeof text,
                     "DEEPHEALTH_LOG is \"%s\", must be off, error, warning, progress, info or "
                     "debug; info is used",
                     wrong_level);
    send(DH_LOG_WARNING, text);
}

void dh__log(dh_log_level level, const char *format, ...)
{
    if (level > dh_get_log_level() || level <= DH_LOG_OFF || !format) return;
    int saved = errno;
    char text[LINE_SIZE];
    va_list args;
    va_start(args, format);
    int needed = dh__vformat(text, sizeof text, format, args);
    va_end(args);
    if (needed < 0) text[0] = '\0';
    if (needed >= LINE_SIZE) memcpy(text + LINE_SIZE - 4, "...", 4);
    warn_of_environment();

    /* the callback is promised one line at a time */
    char *line = text;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        send(level, line);
    }
    if (*line || line == text) send(level, line);
    errno = saved;
}

void dh__log_lines(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        dh__log(DH_LOG_INFO, "%.*s", (int)length, text);
        text += length + (text[length] == '\n');
    }
}
