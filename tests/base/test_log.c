/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

static char last_text[4096];
static dh_log_level last_level;
static atomic_int calls;

static void take(dh_log_level level, const char *text, void *payload)
{
    assert_ptr_equal(payload, last_text);
    (void)snprintf(last_text, sizeof last_text, "%s", text);
    last_level = level;
    atomic_fetch_add(&calls, 1);
}

static void levels_filter(void **state)
{
    (void)state;
    assert_int_equal(dh_get_log_level(), DH_LOG_INFO);
    dh_set_log(take, last_text);
    errno = EDOM;
    dh__log(DH_LOG_INFO, "%s is %.2f", "loss", 0.25);
    assert_int_equal(errno, EDOM);
    assert_string_equal(last_text, "loss is 0.25");
    assert_int_equal(last_level, DH_LOG_INFO);
    int before = atomic_load(&calls);
    dh__log(DH_LOG_DEBUG, "dropped");
    dh__log(DH_LOG_OFF, "dropped");
    assert_int_equal(atomic_load(&calls), before);
    dh_set_log_level(DH_LOG_OFF);
    dh__log(DH_LOG_ERROR, "dropped");
    assert_int_equal(atomic_load(&calls), before);
    dh_set_log_level((dh_log_level)99);
    assert_int_equal(dh_get_log_level(), DH_LOG_DEBUG);
    dh_set_log_level((dh_log_level)-5);
    assert_int_equal(dh_get_log_level(), DH_LOG_OFF);
    dh_set_log_level(DH_LOG_INFO);
    assert_false(dh__log_is_terminal());
    dh_set_log(NULL, NULL);
}

static void lines_are_split_and_cut(void **state)
{
    (void)state;
    dh_set_log(take, last_text);
    int before = atomic_load(&calls);
    dh__log(DH_LOG_INFO, "a\nbb\nccc\n");
    assert_int_equal(atomic_load(&calls), before + 3);
    assert_string_equal(last_text, "ccc");
    dh__log(DH_LOG_PROGRESS, "%s", "");
    assert_int_equal(atomic_load(&calls), before + 4);
    assert_string_equal(last_text, "");
    char big[6000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    dh__log(DH_LOG_INFO, "%s", big);
    assert_int_equal(strlen(last_text), 2047);
    assert_string_equal(last_text + 2044, "...");
    dh_set_log(NULL, NULL);
}

static void reset_inside(dh_log_level level, const char *text, void *payload)
{
    (void)level, (void)text, (void)payload;
    dh_set_log(NULL, NULL);
    atomic_fetch_add(&calls, 1);
}

static void callback_may_set_the_callback(void **state)
{
    (void)state;
    int before = atomic_load(&calls);
    dh_set_log(reset_inside, NULL);
    dh__log(DH_LOG_INFO, "x");
    assert_int_equal(atomic_load(&calls), before + 1);
}

static void count_only(dh_log_level level, const char *text, void *payload)
{
    (void)level;
    if (strcmp(text, "message") == 0) atomic_fetch_add((atomic_int *)payload, 1);
}

static void *send_many(void *payload)
{
    for (int i = 0; i < 1000; i++) dh__log(DH_LOG_INFO, "message");
    return payload;
}

static void threads_log_at_once(void **state)
{
    (void)state;
    atomic_int count = 0;
    pthread_t threads[4];
    dh_set_log(count_only, &count);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, NULL), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    dh_set_log(NULL, NULL);
    assert_int_equal(atomic_load(&count), 4000);
}

/* What a fresh process with this DEEPHEALTH_LOG writes to fd 2, a file or a terminal. */
static void run_child(const char *self, const char *level, int out)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(out, STDERR_FILENO) < 0) _exit(9);
        if (level)
            (void)setenv("DEEPHEALTH_LOG", level, 1);
        else
            (void)unsetenv("DEEPHEALTH_LOG");
        (void)execl(self, self, "child", (char *)NULL);
        _exit(8);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const char *self_path;

static void check_child(const char *level, const char *want)
{
    char got[1024];
    FILE *file = tmpfile();
    assert_non_null(file);
    run_child(self_path, level, fileno(file));
    rewind(file);
    size_t size = fread(got, 1, sizeof got - 1, file);
    got[size] = '\0';
    (void)fclose(file);
    assert_string_equal(got, want);
}

static void default_callback_writes_lines(void **state)
{
    (void)state;
    check_child(NULL, "step 1\nerror: e\nwarning: w\ni\nstep 2\n");
    check_child("error", "error: e\n");
    check_child("WARNING", "error: e\nwarning: w\n");
    check_child("debug", "step 1\nerror: e\nwarning: w\ni\ndebug: d\nstep 2\n");
    check_child("off", "");
    check_child("loud",
                "warning: DEEPHEALTH_LOG is \"loud\", must be off, error, warning, progress, "
                "info or debug; info is used\nstep 1\nerror: e\nwarning: w\ni\nstep 2\n");
}

static void terminal_redraws(void **state)
{
    (void)state;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
        print_message("no pseudo terminal can be had\n");
        skip();
    }
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(other >= 0);
    run_child(self_path, "warning", other);
    run_child(self_path, "progress", other);
    char got[1024];
    size_t size = 0;
    struct pollfd ready = {.fd = terminal, .events = POLLIN};
    got[0] = '\0';
    /* a terminal hands its text out in pieces */
    while (!strstr(got, "\rstep 2\033[K\r\n") && poll(&ready, 1, 2000) == 1) {
        ssize_t n = read(terminal, got + size, sizeof got - 1 - size);
        assert_true(n > 0);
        size += (size_t)n;
        got[size] = '\0';
    }
    assert_non_null(strstr(got, "\rstep 1\033[K\r\033[Kerror: e\r\nstep 1"));
    assert_non_null(strstr(got, "\rstep 2\033[K\r\n"));
    (void)close(other);
    (void)close(terminal);
}

static int child_main(void)
{
    dh__log(DH_LOG_PROGRESS, "step %d", 1);
    dh__log(DH_LOG_ERROR, "e");
    dh__log(DH_LOG_WARNING, "w");
    dh__log(DH_LOG_INFO, "i");
    dh__log(DH_LOG_DEBUG, "d");
    dh__log(DH_LOG_PROGRESS, "step %d", 2);
    dh__log(DH_LOG_PROGRESS, "%s", "");
    return 0;
}

/* Whoever read the log has gone: the process goes on. */
static void a_closed_pipe_ends_nothing(void **state)
{
    (void)state;
    int ends[2], kept = dup(STDERR_FILENO);
    void (*handler)(int) = signal(SIGPIPE, SIG_DFL);
    sigset_t pending;
    assert_true(kept >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    dh__log(DH_LOG_WARNING, "nobody reads this");
    dh__log(DH_LOG_PROGRESS, "nor this");
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_int_equal(close(kept), 0);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    (void)signal(SIGPIPE, handler);
}

int main(int argc, char **argv)
{
    if (argc > 1) return child_main();
    self_path = argv[0];
    (void)unsetenv("DEEPHEALTH_LOG");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_filter),
        cmocka_unit_test(lines_are_split_and_cut),
        cmocka_unit_test(callback_may_set_the_callback),
        cmocka_unit_test(threads_log_at_once),
        cmocka_unit_test(default_callback_writes_lines),
        cmocka_unit_test(terminal_redraws),
        cmocka_unit_test(a_closed_pipe_ends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
