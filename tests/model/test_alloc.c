/* SPDX-License-Identifier: MIT */
/* What a training step allocates (nothing), and what happens when any request of the process fails,
 * those of zlib, libyaml, libc and OpenMP too. Runs itself again with interpose_alloc.so, which
 * lies beside it, in front. */
#include "team.h"
#include "model_test.h"

#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "yaml_tree.h"

#include <deephealth/tensor_io.h>

static void (*mark)(int on);
static void (*fail_at)(unsigned long long n);
static unsigned long long (*count)(void);
static unsigned long long (*refused)(void);
static char dir[] = "/tmp/dh_alloc_XXXXXX";

/* The counter counts, and refuses just the n-th. */
static void the_interposer_works(void **state)
{
    (void)state;
    void *volatile block[6] = {NULL};
    void *aligned = NULL;
    unsigned long long before = refused();
    fail_at(3);
    mark(1);
    block[0] = malloc(10);
    block[1] = calloc(2, 10);
    block[2] = malloc(10);
    block[3] = aligned_alloc(64, 64);
    int error = posix_memalign(&aligned, 64, 10);
    block[4] = realloc(NULL, 10);
    block[5] = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    dh_tensor *t;
    dh_status status = dh_tensor_zeros(&t, {3});
    mark(0);
    assert_true(count() >= 7 + 2); /* a tensor has a header and storage */
    assert_int_equal(refused(), before + 1);
    assert_true(block[0] && block[1] && !block[2] && block[3] && !error && block[4]);
    assert_true(block[5] != MAP_FAILED);
    assert_ok(status);
    munmap(block[5], 4096);
    for (int i = 0; i < 5; i++) free(block[i]);
    free(aligned);
    dh_tensor_free(t);
}

/* --- a step allocates nothing -------------------------------------------------------------------
 */

#define ROWS     70 /* 5 batches of 16, the last of 6 */
#define BATCH    16
#define FEATURES 24

static dh_model *make_net(int threads, const char *memory)
{
    dh_model *net = dh_model_new("net");
    dh_layer *x = dh_dense(dh_input(net, {FEATURES}), 33, .activation = "leaky_relu");
    x = dh_dropout(dh_batch_normalization(x), 0.3f);
    x = dh_relu(dh_dense(x, 40));
    x = dh_layer_normalization(x);
    x = dh_softmax(dh_dense(x, 4));
    assert_ok(dh_build(net, x, .optimizer = dh_adam(0.01f), .loss = "cross_entropy",
                       .metrics = {"categorical_accuracy", "mse"},
                       .device = dh_cs_cpu(.threads = threads, .memory = memory), .seed = 3));
    return net;
}

typedef struct watch {
    unsigned long long requests; /* between the first step of an epoch and its last */
    int steps;
} watch;

static dh_status on_event(const dh_event *e, void *payload)
{
    watch *w = payload;
    if (e->epoch_end) return DH_OK;
    w->steps++;
    if (e->step == 1) mark(1);
    if (e->step == e->steps) {
        mark(0);
        w->requests += count();
    }
    return DH_OK;
}

static void no_log(dh_log_level level, const char *text, void *payload)
{
    (void)level;
    (void)text;
    (void)payload;
}

static void steps_allocate_nothing(void **state)
{
    static const char *const levels[] = {"full_mem", "mid_mem", "low_mem"};
    dh_tensor *x, *y;
    (void)state;
    make_blobs(&x, &y, ROWS, FEATURES, 4, 1);
    dh_set_log(no_log, NULL); /* the progress line is made, and goes nowhere */
    for (int threads = 1; threads <= 2; threads++)
        for (int level = 0; level < 3; level++) {
            watch w = {0, 0};
            dh_model *net = make_net(threads, levels[level]);
            assert_ok(dh_fit(net, x, y, .batch_size = BATCH, .epochs = 3, .callback = on_event,
                             .payload = &w));
            assert_int_equal(w.steps, 3 * 5);
            if (w.requests)
                fail_msg("%llu allocations in the steps after the first, %d threads, %s",
                         w.requests, threads, levels[level]);
            dh_model_free(net);
        }
    dh_set_log(NULL, NULL);
    dh_tensor_free(x);
    dh_tensor_free(y);
}

/* All requests of a fit on `rows` rows, on a model that has trained before. */
static unsigned long long requests_of_fit(int64_t rows, int threads, bool quiet)
{
    dh_tensor *x, *y;
    make_blobs(&x, &y, rows, FEATURES, 4, 1);
    dh_model *net = make_net(threads, "full_mem");
    assert_ok(dh_fit(net, x, y, .batch_size = BATCH, .quiet = quiet));
    mark(1);
    dh_status status = dh_fit(net, x, y, .batch_size = BATCH, .quiet = quiet);
    mark(0);
    assert_ok(status);
    dh_model_free(net);
    dh_tensor_free(x);
    dh_tensor_free(y);
    return count();
}

/* Without a callback many steps run in one go; then their number must not show in the count. */
static void longer_fits_allocate_no_more(void **state)
{
    (void)state;
    dh_set_log(no_log, NULL);
    for (int threads = 1; threads <= 2; threads++) {
        unsigned long long few = requests_of_fit(ROWS, threads, false),
                           many = requests_of_fit(4 * BATCH * BATCH + 6, threads, false);
        if (few != many)
            fail_msg("%llu allocations in 5 steps, %llu in 65, %d threads", few, many, threads);
    }
    dh_set_log(NULL, NULL);
}

/* --- any request may fail -----------------------------------------------------------------------
 */

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
static dh_status train(double *result, int threads)
{
    dh_tensor *x = NULL, *y = NULL, *p = NULL;
    dh_result r;
    dh_model *net = dh_model_new("net");
    if (!net) return dh_error_status();
    dh_layer *h = dh_dense(dh_input(net, {FEATURES}), 300, .activation = "relu");
    h = dh_softmax(dh_dense(dh_batch_normalization(h), 3));
    dh_status status = dh_build(net, h, .optimizer = dh_adam(0.01f), .loss = "cross_entropy",
                                .metrics = {"accuracy"}, .device = dh_cs_cpu(.threads = threads));
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
    dh_status status = train(result, 1);
    dh__team_limit(before);
    return status;
}

static dh_status work_team(double *result)
{
    return train(result, 3);
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

static void team_survives_but_for_openmp(void **state)
{
    (void)state;
#if defined(__clang__)
    print_message("LLVM's libomp aborts, crashes or hangs when it gets no memory\n");
    skip();
#endif
    fail_each(work_team, MAY_END);
}

/* --- files, and the interposer ------------------------------------------------------------------
 */

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

/* Runs this program anew behind the interposer. */
static int again(char **argv)
{
    char self[PATH_MAX], preload[PATH_MAX + 32];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || getenv("LD_PRELOAD")) {
        fprintf(stderr, "interpose_alloc.so could not be put in front\n");
        return 1;
    }
    self[n] = 0;
    snprintf(preload, sizeof preload, "%.*s/interpose_alloc.so", (int)(strrchr(self, '/') - self),
             self);
    if (access(preload, R_OK)) {
        fprintf(stderr, "%s is not there: skipped\n", preload);
        return 77;
    }
    setenv("LD_PRELOAD", preload, 1);
    execv(self, argv);
    perror(self);
    return 1;
}

static bool find(void *to, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(to, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* Sanitizers have allocators of their own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define SANITIZED 1
#endif

int main(int argc, char **argv)
{
    (void)argc;
#ifdef SANITIZED
    fprintf(stderr, "this build's allocator is not glibc's: skipped\n");
    return 77;
#endif
    if (!find(&mark, "interpose_mark") || !find(&fail_at, "interpose_fail_at") ||
        !find(&count, "interpose_count") || !find(&refused, "interpose_refused"))
        return again(argv);
    const struct CMUnitTest tests[] = {
        /* first those that fork: a child of a process that had a team has none */
        cmocka_unit_test(npz_survives),
        cmocka_unit_test(idx_survives),
        cmocka_unit_test(yaml_survives),
        cmocka_unit_test(files_survive),
        cmocka_unit_test(inverse_survives_once_openblas_is_open),
        cmocka_unit_test(training_survives),
        cmocka_unit_test(team_survives_but_for_openmp),
        cmocka_unit_test(the_interposer_works),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(longer_fits_allocate_no_more),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
