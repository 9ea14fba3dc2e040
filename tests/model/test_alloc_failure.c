/* SPDX-License-Identifier: MIT */
/* What happens when any request for memory fails, those of zlib, libyaml, libc and OpenMP too: an
 * error or the right result, and nothing lost. */
#include "interposed.h"

#include <signal.h>
#include <sys/wait.h>

#include <deephealth/tensor_io.h>

#include "team.h"
#include "yaml_tree.h"

#define FEATURES 24

static char dir[] = "/tmp/dh_alloc_XXXXXX";

/* numpy.savez_compressed(a=numpy.arange(15, dtype="f4").reshape(3, 5)) */
static const unsigned char npz[] = {
    80,  75,  3,   4,   20,  0,   0,   0,   8,   0,   0,   0,   33,  0,   157, 223, 74,  170, 109,
    0,   0,   0,   188, 0,   0,   0,   5,   0,   0,   0,   97,  46,  110, 112, 121, 155, 236, 23,
    234, 27,  16,  201, 200, 80,  198, 80,  173, 158, 146, 90,  156, 92,  164, 110, 165, 160, 110,
    147, 102, 162, 174, 163, 160, 158, 150, 95,  84,  82,  148, 152, 23,  159, 95,  148, 146, 10,
    18,  119, 75,  204, 41,  78,  5,   138, 23,  103, 36,  22,  164, 2,   249, 26,  198, 58,  10,
    166, 154, 58,  10,  181, 10,  100, 3,   46,  6,   48,  104, 176, 7,   18,  14,  64,  4,   196,
    13,  64,  188, 0,   136, 15,  0,   241, 3,   32,  102, 112, 100, 96,  16,  0,   98,  5,   32,
    54,  0,   98,  7,   32,  14,  0,   226, 4,   71,  0,   80,  75,  1,   2,   20,  3,   20,  0,
    0,   0,   8,   0,   0,   0,   33,  0,   157, 223, 74,  170, 109, 0,   0,   0,   188, 0,   0,
    0,   5,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   128, 1,   0,   0,   0,   0,
    97,  46,  110, 112, 121, 80,  75,  5,   6,   0,   0,   0,   0,   1,   0,   1,   0,   51,  0,
    0,   0,   144, 0,   0,   0,   0,   0};
/* u8 [7, 4], 0 .. 27, gzipped */
static const unsigned char idx_gz[] = {
    31, 139, 8,  0,  0,   0,  0,  0,  2,   3,  99,  96, 224, 96, 98, 96, 96,  96, 7,  98,
    22, 6,   70, 38, 102, 22, 86, 54, 118, 14, 78,  46, 110, 30, 94, 62, 126, 1,  65, 33,
    97, 17,  81, 49, 113, 9,  73, 41, 105, 0,  228, 0,  215, 4,  40, 0,  0,   0};
static const char yaml[] = "name: \"set\"\nclasses: [cat, 'dog', 3]\nsplit:\n  training: &t\n"
                           "    - 1\n    - {x: 2, y: ~}\n  again: *t\ntext: |\n  two\n  lines\n";

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static double sum_and_free(dh_tensor *t)
{
    dh_tensor *wide;
    double sum = 0;
    if (dh_tensor_cast(&wide, t, DH_F64)) {
        dh_tensor_free(t);
        return NAN;
    }
    for (int64_t i = 0; i < dh_tensor_count(wide); i++) sum += ((double *)dh_tensor_data(wide))[i];
    dh_tensor_free(wide);
    dh_tensor_free(t);
    return sum;
}

static dh_status work_npz(double *result)
{
    dh_npz *file;
    dh_tensor *t = NULL;
    dh_status status = dh_npz_open(&file, path_of("a.npz"));
    if (status) return status;
    status = dh_npz_get(&t, file, "a");
    dh_npz_free(file);
    if (!status && isnan(*result = sum_and_free(t))) status = dh_error_status();
    return status;
}

static dh_status work_idx(double *result)
{
    dh_tensor *t;
    dh_status status = dh_tensor_load_idx(&t, path_of("b.gz"));
    if (!status && isnan(*result = sum_and_free(t))) status = dh_error_status();
    return status;
}

static dh_status work_yaml(double *result)
{
    dh__yaml *root;
    dh_status status = dh__yaml_read(&root, path_of("c.yaml"));
    if (status) return status;
    *result = root->count + dh__yaml_get(root, "classes")->count;
    dh__yaml_free(root);
    return DH_OK;
}

static dh_status work_files(double *result)
{
    dh_tensor *t, *u = NULL;
    dh_status status = dh_tensor_arange(&t, 0, 12, 1, DH_F32);
    if (status) return status;
    status = dh_tensor_save_csv(t, path_of("d.csv"));
    if (!status) status = dh_tensor_save_npy(t, path_of("d.npy"));
    if (!status) status = dh_tensor_load_csv(&u, path_of("d.csv"), .ndim = 1);
    dh_tensor_free(t);
    if (status) return status;
    *result = sum_and_free(u);
    status = isnan(*result) ? dh_error_status() : dh_tensor_load_npy(&u, path_of("d.npy"));
    if (status) return status;
    double second = sum_and_free(u);
    if (isnan(second)) return dh_error_status();
    *result += second;
    return DH_OK;
}

/* From nothing to saved and loaded weights and predictions. */
static dh_status train(double *result, int threads, const char *memory)
{
    dh_tensor *x = NULL, *y = NULL, *p = NULL;
    dh_result r;
    dh_model *net = dh_model_new("net");
    if (!net) return dh_error_status();
    dh_layer *h = dh_dense(dh_input(net, {FEATURES}), 300, .activation = "relu");
    h = dh_softmax(dh_dense(dh_batch_normalization(h), 3));
    dh_status status = dh_build(net, h, .optimizer = dh_adam(0.01f), .loss = "cross_entropy",
                                .metrics = {"accuracy"},
                                .device = dh_cs_cpu(.threads = threads, .memory = memory));
    if (!status) status = dh_tensor_random_normal(&x, {40, FEATURES}, .seed = 1);
    if (!status) status = dh_tensor_zeros(&y, {40}, .dtype = DH_I32);
    if (!status) status = dh_fit(net, x, y, .batch_size = 16, .epochs = 2, .quiet = true);
    if (!status) status = dh_evaluate(net, x, y, .result = &r, .quiet = true);
    if (!status) status = dh_save_weights(net, path_of("w.safetensors"));
    if (!status) status = dh_load_weights(net, path_of("w.safetensors"));
    if (!status) status = dh_predict(&p, net, x);
    if (!status) *result = r.loss;
    dh_tensor_free(p);
    dh_tensor_free(x);
    dh_tensor_free(y);
    dh_model_free(net);
    return status;
}

static dh_status work_train(double *result)
{
    int before = dh__team_limit(1); /* for the eager calls too */
    dh_status status = train(result, 1, "full_mem");
    dh__team_limit(before);
    return status;
}

/* Building alone, with plans that compute values again: copies of graphs, many plans. */
static dh_status work_recompute(double *result)
{
    int before = dh__team_limit(1);
    dh_memory_report report = {0};
    dh_model *net = dh_model_new("net");
    dh_layer *h = net ? dh_input(net, {FEATURES}) : NULL;
    for (int i = 0; i < 4; i++) h = dh_relu(dh_dense(h, 30));
    dh_status status = net ? dh_build(net, dh_softmax(h), .loss = "cross_entropy",
                                      .device = dh_cs_cpu(.threads = 1, .memory = "low_mem"))
                           : dh_error_status();
    if (!status) status = dh_model_memory(&report, net, 256);
    *result = (double)report.plan_bytes;
    dh_model_free(net);
    dh__team_limit(before);
    return status;
}

static dh_status work_team(double *result)
{
    return train(result, 3, "full_mem");
}

/* Opens OpenBLAS where it is. */
static dh_status work_inverse(double *result)
{
    dh_tensor *a, *b = NULL;
    dh_status status = dh_tensor_eye(&a, 40, 40, 0, DH_F64);
    if (status) return status;
    status = dh_tensor_inverse(&b, a);
    dh_tensor_free(a);
    if (!status && isnan(*result = sum_and_free(b))) status = dh_error_status();
    return status;
}

enum { CHILD_BEYOND = 20, CHILD_BAD = 21 };

/* One run in a process of its own: with the n-th request refused, then again with none. Exits 0
 * after the first said why or did without, CHILD_BEYOND where there were fewer than n requests. */
static void child(dh_status (*work)(double *result), unsigned long long n, double want)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    dh_memory_stats before, after;
    double got = want;
    /* cmocka's handlers would go on with the tests in this process */
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_DFL);
    dh_get_memory_stats(&before);
    dh_error_clear();
    fail_at(n);
    mark(1);
    dh_status status = work(&got);
    mark(0);
    dh_get_memory_stats(&after);
    if (!refused()) _exit(status ? CHILD_BAD : CHILD_BEYOND);
    const char *why = NULL;
    if (status &&
        (!dh_error_text()[0] || strchr(dh_error_text(), '\n') || dh_error_status() != status))
        why = "a status without its line of text";
    else if (!status && got != want)
        why = "another result";
    else if (status && after.live_blocks != before.live_blocks)
        why = "a leak";
    else if (work(&got) || got != want)
        why = "no success afterwards";
    if (why) {
        fprintf(stderr,
                "request %llu refused: %s; status %s, \"%s\", result %.9g of %.9g, %lld blocks\n",
                n, why, dh_status_name(status), dh_error_text(), got, want,
                (long long)(after.live_blocks - before.live_blocks));
        _exit(CHILD_BAD);
    }
    _exit(0);
}

/* The result of an undisturbed run, found in a process of its own: this one stays as it began, so
 * that what is made once a process is made in every child. */
static bool undisturbed(dh_status (*work)(double *result), double *result)
{
    int pipe_ends[2], status;
    struct {
        dh_status status;
        double result;
    } r = {DH_EINTERNAL, 0};
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        r.status = work(&r.result);
        _exit(write(pipe_ends[1], &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
    }
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], &r, sizeof r), sizeof r);
    close(pipe_ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (r.status == DH_EMISSING) return false; /* built without that library */
    assert_int_equal(r.status, DH_OK);
    *result = r.result;
    return true;
}

/* WARM: the work is done once before. MAY_END: libgomp exits with 1 when it gets no memory for a
 * thread; see docs/errors.md. */

enum { WARM = 1, MAY_END = 2 };
static void fail_each(dh_status (*work)(double *result), int how)
{
    double want = 0;
    unsigned long long n = 1;
    int ended = 0;
    if (!undisturbed(work, &want)) skip();
    for (;; n++) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            if ((how & MAY_END) && !freopen("/dev/null", "w", stderr)) _exit(CHILD_BAD);
            double first;
            if ((how & WARM) && work(&first)) _exit(CHILD_BAD);
            child(work, n, want);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_BEYOND) break;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        if ((how & MAY_END) && WIFEXITED(status) && WEXITSTATUS(status) == 1 && ++ended <= 8)
            continue;
        if (WIFSIGNALED(status)) fail_msg("request %llu refused: signal %d", n, WTERMSIG(status));
        fail_msg("request %llu refused: exit code %d", n, WEXITSTATUS(status));
    }
    print_message("%llu requests, each refused in its turn; %d ended the process\n", n - 1, ended);
    assert_true(n > 2);
}

static void npz_survives(void **state)
{
    (void)state;
    fail_each(work_npz, 0);
}

static void idx_survives(void **state)
{
    (void)state;
    fail_each(work_idx, 0);
}

static void yaml_survives(void **state)
{
    (void)state;
    fail_each(work_yaml, 0);
}

static void files_survive(void **state)
{
    (void)state;
    fail_each(work_files, 0);
}

static void inverse_survives_once_openblas_is_open(void **state)
{
    (void)state;
    fail_each(work_inverse, WARM);
}

static void training_survives(void **state)
{
    (void)state;
    fail_each(work_train, 0);
}

static void recomputing_survives(void **state)
{
    (void)state;
    fail_each(work_recompute, 0);
}

static void team_survives_but_for_openmp(void **state)
{
    (void)state;
#if defined(__clang__)
    print_message("LLVM's libomp aborts, crashes or hangs when it gets no memory\n");
    skip();
#endif
    fail_each(work_team, MAY_END);
}

/* --- files --- */

static void put(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(path_of(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(dir)) return -1;
    put("a.npz", npz, sizeof npz);
    put("b.gz", idx_gz, sizeof idx_gz);
    put("c.yaml", yaml, sizeof yaml - 1);
    return 0;
}

static int remove_files(void **state)
{
    static const char *const names[] = {"a.npz", "b.gz", "c.yaml",       "d.csv",
                                        "d.npy", "",     "w.safetensors"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (*names[i]) unlink(path_of(names[i]));
    return rmdir(dir);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npz_survives),
        cmocka_unit_test(idx_survives),
        cmocka_unit_test(yaml_survives),
        cmocka_unit_test(files_survive),
        cmocka_unit_test(inverse_survives_once_openblas_is_open),
        cmocka_unit_test(training_survives),
        cmocka_unit_test(recomputing_survives),
        cmocka_unit_test(team_survives_but_for_openmp),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}

int main(int argc, char **argv)
{
    (void)argc;
    return run_interposed(argv, run_all);
}
