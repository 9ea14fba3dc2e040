/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "file.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const char abc_sum[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static const char *file_url(const char *path)
{
    static char url[1100];
    (void)snprintf(url, sizeof url, "file://%s", path);
    return url;
}

static bool is_missing(void)
{
    dh_status status = dh__download(file_url(test_path("none")), test_path("out"), abc_sum);
    if (status != DH_EMISSING) return false;
    assert_non_null(strstr(dh_error_text(), "libcurl"));
    return true;
}

static void files_arrive(void **state)
{
    (void)state;
    if (is_missing()) skip();
    const char *source = test_path("source"), *target = test_path("target");
    char upper[65];
    dh__bytes bytes;
    write_test_file(source, "abc", 3);
    assert_int_equal(dh__download(file_url(source), target, abc_sum), DH_OK);
    assert_int_equal(dh__file_read(&bytes, target), DH_OK);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "abc", 3);
    dh__bytes_free(&bytes);
    for (int i = 0; i < 65; i++)
        upper[i] = (char)(abc_sum[i] >= 'a' ? abc_sum[i] - 'a' + 'A' : abc_sum[i]);
    CHECK_EACH_ALLOCATION(dh__download(file_url(source), target, upper), (void)0);
    const char *placed = test_path("new/file");
    assert_int_equal(dh__download(file_url(source), placed, abc_sum), DH_OK);
    assert_int_equal(unlink(placed), 0);
    assert_int_equal(rmdir(test_path("new")), 0);
    write_test_file(source, "abd", 3);
    CHECK_FAILS(dh__download(file_url(source), target, abc_sum), DH_EFORMAT, "must be ba7816bf");
    assert_int_equal(dh__file_read(&bytes, target), DH_OK);
    assert_memory_equal(bytes.data, "abc", 3); /* as it was */
    dh__bytes_free(&bytes);
    assert_int_equal(unlink(source), 0);
    assert_int_equal(unlink(target), 0);
}

static void failures_are_reported(void **state)
{
    (void)state;
    const char *target = test_path("target");
    if (!is_missing()) {
        CHECK_FAILS(dh__download(file_url(test_path("absent")), target, abc_sum), DH_ENOTFOUND,
                    "absent");
        CHECK_FAILS(dh__download("gopher://localhost/x", target, abc_sum), DH_EIO, "gopher");
        CHECK_FAILS(dh__download("", target, abc_sum), DH_EIO, "download");
        CHECK_FAILS(dh__download("http://127.0.0.1:1/x", target, abc_sum), DH_EIO, "127.0.0.1");
        CHECK_FAILS(dh__download(file_url(test_path("absent")), test_path("no/place"), abc_sum),
                    DH_ENOTFOUND, "absent");
        assert_false(dh__file_exists(test_path("no"))); /* no bytes, no folder */
    }
    CHECK_FAILS(dh__download(NULL, target, abc_sum), DH_EINVAL, "url is NULL");
    CHECK_FAILS(dh__download("x", NULL, abc_sum), DH_EINVAL, "path is NULL");
    CHECK_FAILS(dh__download("x", target, NULL), DH_EINVAL, "sha256_hex is NULL");
    CHECK_FAILS(dh__download("x", target, "12"), DH_EINVAL, "must be 64 hex digits");
    assert_false(dh__file_exists(target));
}

/* --- over HTTP, from a server of this test's --- */

static const struct answer {
    const char *path, *text;
} answers[] = {
    {"/whole", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"},
    {"/open", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"},
    {"/other", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabd"},
    {"/short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nabc"},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: /whole\r\nContent-Length: 0\r\n"
               "Connection: close\r\n\r\n"},
    {"/round", "HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n"
               "Connection: close\r\n\r\n"},
    {"/file", "HTTP/1.1 302 Found\r\nLocation: file:///dev/null\r\nContent-Length: 0\r\n"
              "Connection: close\r\n\r\n"},
    {"/broken", "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"},
    {"/silent", ""},
    {"/", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
};

static void serve(int listener)
{
    for (;;) {
        char request[1024] = "";
        int client = accept(listener, NULL, NULL);
        if (client < 0) _exit(1);
        if (read(client, request, sizeof request - 1) < 0) _exit(1);
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
            if (strncmp(request + 4, answers[i].path, strlen(answers[i].path))) continue;
            if (write(client, answers[i].text, strlen(answers[i].text)) < 0) _exit(1);
            break;
        }
        close(client);
    }
}

static const char *web_url(int port, const char *path)
{
    static char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    return url;
}

static void http_works(void **state)
{
    (void)state;
    if (is_missing()) skip();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 8))
        skip(); /* a sandbox without a network */
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    int port = ntohs(at.sin_port);
    pid_t server = fork();
    assert_true(server >= 0);
    if (server == 0) serve(listener);
    close(listener);
    setenv("no_proxy", "127.0.0.1", 1);
    const char *target = test_path("target");
    static const char *const good[] = {"/whole", "/open", "/moved"};
    for (int i = 0; i < 3; i++) {
        dh__bytes bytes;
        assert_int_equal(dh__download(web_url(port, good[i]), target, abc_sum), DH_OK);
        assert_int_equal(dh__file_read(&bytes, target), DH_OK);
        assert_int_equal(bytes.size, 3);
        assert_memory_equal(bytes.data, "abc", 3);
        dh__bytes_free(&bytes);
        assert_int_equal(unlink(target), 0);
    }
    CHECK_FAILS(dh__download(web_url(port, "/other"), target, abc_sum), DH_EFORMAT,
                "must be ba7816");
    CHECK_FAILS(dh__download(web_url(port, "/short"), target, abc_sum), DH_EIO, "/short");
    CHECK_FAILS(dh__download(web_url(port, "/round"), target, abc_sum), DH_EIO, "/round");
    CHECK_FAILS(dh__download(web_url(port, "/file"), target, abc_sum), DH_EIO, "/file");
    CHECK_FAILS(dh__download(web_url(port, "/broken"), target, abc_sum), DH_EIO, "500");
    CHECK_FAILS(dh__download(web_url(port, "/silent"), target, abc_sum), DH_EIO, "/silent");
    CHECK_FAILS(dh__download(web_url(port, "/none"), target, abc_sum), DH_ENOTFOUND, "404");
    assert_false(dh__file_exists(target));
    kill(server, SIGKILL);
    assert_int_equal(waitpid(server, NULL, 0), server);
}

static void libraries_are_opened(void **state)
{
    (void)state;
    static const char *const absent[] = {"libno-such-thing.so.9", NULL};
    static const char *const libc[] = {"libno-such-thing.so.9", "libc.so.6", NULL};
    static const char *const none[] = {NULL};
    dh_error_clear();
    assert_null(dh__library_open(absent, "libthing9"));
    assert_int_equal(dh_error_status(), DH_EMISSING);
    assert_non_null(strstr(dh_error_text(), "install package libthing9"));
    assert_null(dh__library_open(none, "x"));
    assert_null(dh__library_open(NULL, NULL));
    assert_int_equal(dh_error_status(), DH_EINVAL);
    void *library = dh__library_open(libc, "libc6");
    if (!library) skip();
    assert_non_null(dh__library_symbol(library, "strlen"));
    assert_null(dh__library_symbol(library, "no_such_symbol_here"));
    assert_int_equal(dh_error_status(), DH_EMISSING);
    assert_null(dh__library_symbol(library, NULL));
    assert_null(dh__library_symbol(NULL, "strlen"));
    assert_int_equal(dh_error_status(), DH_EINVAL);
}

int main(void)
{
    dh_set_log_level(DH_LOG_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_arrive), cmocka_unit_test(failures_are_reported),
        cmocka_unit_test(http_works), cmocka_unit_test(libraries_are_opened)};
    return cmocka_run_group_tests(tests, make_test_dir, remove_test_dir);
}
