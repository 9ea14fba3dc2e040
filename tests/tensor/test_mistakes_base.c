/* SPDX-License-Identifier: MIT */
/* A mistake, or more, in each function of dtype.h, memory.h, log.h, status.h, version.h and sys/.
 */
#include "mistakes.h"

#include <deephealth/log.h>
#include <deephealth/version.h>

static void dtypes(void **state)
{
    (void)state;
    dh_dtype got = DH_I8;
    char name[16];
    EXPECT(DH_EINVAL, "dtype_parse: out is NULL", dh_dtype_parse(NULL, "f32"));
    EXPECT(DH_EINVAL, "dtype_parse: name is NULL", dh_dtype_parse(&got, NULL));
    EXPECT(DH_ENAME, "dtype_parse: \"f23\" is no dtype, did you mean \"f32\", \"f64\" or \"f16\"?",
           dh_dtype_parse(&got, "f23"));
    EXPECT(DH_ENAME, "dtype_parse: \"complex64\" is no dtype; known: " DTYPES,
           dh_dtype_parse(&got, "complex64"));
    EXPECT(DH_ENAME, "dtype_parse: \"\" is no dtype; known: " DTYPES, dh_dtype_parse(&got, ""));
    assert_int_equal(got, DH_I8);
    EXPECT_SILENT(dh_dtype_parse(&got, "uint8"));
    dh_error_clear();
    assert_int_equal(dh_dtype_size((dh_dtype)99), 0);
    assert_int_equal(dh_dtype_size((dh_dtype)-1), 0);
    assert_string_equal(dh_dtype_name((dh_dtype)99), "?");
    assert_false(dh_dtype_is_float((dh_dtype)-5));
    assert_int_equal(dh_dtype_promote(DH_F32, (dh_dtype)99), DH_DTYPE_DEFAULT);
    assert_string_equal(dh_error_text(), "");
    /* the choices of dtype attributes are these names */
    for (int d = 1; d < DH_DTYPE_COUNT; d++)
        assert_string_equal(dh__choice_name(name, sizeof name, DH_DTYPE_CHOICES, d),
                            dh_dtype_name((dh_dtype)d));
    assert_string_equal(dh__choice_name(name, sizeof name, DH_DTYPE_CHOICES, DH_DTYPE_COUNT), "");
    none_wrong();
}

static void *no_memory(size_t size, size_t alignment, void *payload)
{
    (void)size;
    (void)alignment;
    (void)payload;
    return NULL;
}

static void no_free(void *block, void *payload)
{
    (void)block;
    (void)payload;
}

static void memory(void **state)
{
    (void)state;
    const dh_allocator half = {.alloc = no_memory}, other = {.free = no_free};
    const dh_allocator whole = {.alloc = no_memory, .free = no_free};
    EXPECT(DH_EINVAL, "set_allocator: alloc and free must both be given, free is NULL",
           dh_set_allocator(&half));
    EXPECT(DH_EINVAL, "set_allocator: alloc and free must both be given, alloc is NULL",
           dh_set_allocator(&other));
    char text[160];
    (void)snprintf(text, sizeof text,
                   "set_allocator: %d blocks are alive, must be 0: free every object first",
                   (int)live_blocks());
    EXPECT(DH_ESTATE, text, dh_set_allocator(&whole));
    dh_get_memory_stats(NULL);
    dh_alloc_fail_at(1);
    EXPECT(DH_ENOMEM, "alloc: no memory for 56 bytes (0.0 MiB), asked to fail by dh_alloc_fail_at",
           dh_tensor_new(&out, DH_F32, SHAPE(3)));
    dh_alloc_fail_at(0);
    none_wrong();
}

static int lines;

static void count_lines(dh_log_level level, const char *text, void *payload)
{
    (void)level;
    (void)payload;
    lines++;
    assert_null(strchr(text, '\n'));
}

static void log_and_status(void **state)
{
    (void)state;
    dh_log_level level = dh_get_log_level();
    dh_error_clear();
    dh_set_log_level((dh_log_level)99);
    assert_int_equal(dh_get_log_level(), DH_LOG_DEBUG);
    dh_set_log_level((dh_log_level)-3);
    assert_int_equal(dh_get_log_level(), DH_LOG_OFF);
    dh_set_log_level(DH_LOG_ERROR);
    dh_set_log(count_lines, NULL);
    assert_int_equal(dh_perror(NULL), 1);
    assert_int_equal(dh_perror("no error"), 1);
    dh_set_log(NULL, NULL);
    dh_set_log_level(level);
    assert_int_equal(lines, 2);
    assert_string_equal(dh_status_name((dh_status)77), "unknown status");
    assert_int_equal(dh_error_status(), DH_OK);
    assert_string_equal(dh_error_text(), "");
    assert_non_null(strchr(dh_version(), '.'));
    assert_non_null(dh_isa());
    dh_error_prefix("nothing has failed");
    dh_error_prefix(NULL);
    assert_string_equal(dh_error_text(), "");
    EXPECT(DH_EINTERNAL, "no failure", dh_fail(DH_OK, "no failure"));
    EXPECT(DH_EINVAL, "two lines", dh_fail(DH_EINVAL, "two\nlines"));
    EXPECT(DH_EINVAL, "the text of this error could not be formatted", dh_fail(DH_EINVAL, NULL));
    none_wrong();
}

static void device(void **state)
{
    (void)state;
    dh_device *got = NULL;
    EXPECT(DH_EINVAL, "device_get: out is NULL", dh_device_get(NULL, "cpu"));
    EXPECT(DH_ENAME, "device_get: no device \"cpux\", did you mean \"cpu\"?",
           dh_device_get(&got, "cpux"));
    EXPECT(DH_EMISSING, "device_get: cuda: this version of the library has no CUDA devices yet",
           dh_device_get(&got, "cuda:0"));
    EXPECT(DH_ENAME, "device_get: no device \"\"; known: cpu, cuda, opencl",
           dh_device_get(&got, ""));
    EXPECT(DH_ENAME, "device_get: no device \"cpu:\": behind ':' must be a number",
           dh_device_get(&got, "cpu:"));
    EXPECT(DH_ENAME, "device_get: no device \"cpu:-1\": behind ':' must be a number",
           dh_device_get(&got, "cpu:-1"));
    EXPECT(DH_ENOTFOUND, "device_get: no device \"cpu:1\": there is 1 of cpu",
           dh_device_get(&got, "cpu:1"));
    assert_null(got);
    EXPECT_SILENT(dh_device_get(&got, NULL));
    none_wrong();
}

static dh_status no_devices(int *count)
{
    DH_UNUSED(count);
    return dh_fail(DH_EMISSING, "nothing: there is none");
}

static dh_status no_description(dh_device_info *info, int index)
{
    DH_UNUSED(info);
    DH_UNUSED(index);
    return dh_fail(DH_EDEVICE, "nothing: it is gone");
}

static dh_status no_device(dh_device **got, int index)
{
    DH_UNUSED(got);
    DH_UNUSED(index);
    return dh_fail(DH_EDEVICE, "nothing: it is gone");
}

static const char *no_op(int op)
{
    DH_UNUSED(op);
    return "it has nothing";
}

static void drivers(void **state)
{
    (void)state;
    int count = 7;
    const char *why = NULL;
    dh_device_info info = {.units = 7};
    dh_device *got = NULL;
    static const dh_driver nothing = {"nothing", no_devices, no_description, no_device, no_op};
    dh_driver half = {.name = "half", .count = no_devices, .describe = no_description};
    EXPECT(DH_EINVAL, "driver_add: driver is NULL", dh_driver_add(NULL));
    EXPECT(DH_EINVAL, "driver_add: name is NULL", dh_driver_add(&(dh_driver){.name = NULL}));
    EXPECT(DH_EINVAL, "driver_add: name is \"a:b\", must be neither empty nor hold ':'",
           dh_driver_add(&(dh_driver){.name = "a:b"}));
    EXPECT(DH_EINVAL, "driver_add: driver \"half\" lacks open", dh_driver_add(&half));
    half.open = no_device;
    EXPECT(DH_EINVAL, "driver_add: driver \"half\" lacks lacks", dh_driver_add(&half));
    EXPECT_SILENT(dh_driver_add(&nothing));
    EXPECT(DH_EINVAL, "driver_add: there is a driver \"nothing\" already", dh_driver_add(&nothing));
    EXPECT(DH_EMISSING, "device_get: nothing: there is none", dh_device_get(&got, "nothing"));
    EXPECT(DH_EINVAL, "driver_devices: out is NULL", dh_driver_devices(NULL, "cpu"));
    EXPECT(DH_EINVAL, "driver_devices: driver is NULL", dh_driver_devices(&count, NULL));
    EXPECT(DH_ENAME, "driver_devices: no driver \"cpuu\", did you mean \"cpu\"?",
           dh_driver_devices(&count, "cpuu"));
    EXPECT(DH_EMISSING, "driver_devices: nothing: there is none",
           dh_driver_devices(&count, "nothing"));
    EXPECT(DH_EINVAL, "device_describe: out is NULL", dh_device_describe(NULL, "cpu"));
    EXPECT(DH_ENOTFOUND, "device_describe: no device \"cpu:3\": there is 1 of cpu",
           dh_device_describe(&info, "cpu:3"));
    EXPECT(DH_EINVAL, "driver_lacks: why is NULL", dh_driver_lacks(NULL, "cpu", "conv"));
    EXPECT(DH_EINVAL, "driver_lacks: op is NULL", dh_driver_lacks(&why, "cpu", NULL));
    EXPECT(DH_ENAME, "driver_lacks: no op \"conb\", did you mean \"conv\", \"cos\" or \"cosh\"?",
           dh_driver_lacks(&why, "cpu", "conb"));
    assert_int_equal(count, 7);
    assert_int_equal(info.units, 7);
    assert_null(why);
    assert_null(got);
    EXPECT_SILENT(dh_driver_lacks(&why, "nothing", "conv"));
    assert_string_equal(why, "it has nothing");
    EXPECT_SILENT(dh_driver_lacks(&why, "cpu", "conv"));
    assert_null(why);
    EXPECT_SILENT(dh_driver_devices(&count, "cpu"));
    assert_int_equal(count, 1);
    EXPECT_SILENT(dh_device_describe(&info, NULL));
    assert_string_equal(info.name, "cpu");
    assert_true(info.units > 0 && info.memory > 0 && *info.hardware && *info.software);
    assert_null(dh_driver_name(-1));
    assert_null(dh_driver_name(1000));
    assert_string_equal(dh_driver_name(0), "cpu");
    assert_null(dh_op_name(-1));
    assert_null(dh_op_name(100000));
    assert_string_equal(dh_op_name(0), "neg");
    none_wrong();
}

typedef struct sample {
    int units, mode, dtype;
    int64_t count;
    float rate;
    bool bias;
    const char *name;
    dh_ints axes;
} sample;

static const dh_field fields[] = {DH_FIELD(sample, units, NULL, 0, 1, 4096, "required"),
                                  DH_FIELD_NAMED(sample, mode, NULL, "valid|same", "a choice"),
                                  DH_FIELD_DTYPE(sample, dtype, DH_F32, "a dtype"),
                                  DH_FIELD(sample, count, NULL, 1, 0, 1e19, "no upper bound"),
                                  DH_FIELD(sample, rate, NULL, 0.5, 0, 1, "a rate"),
                                  DH_FIELD(sample, bias, NULL, 0, 0, 1, "a truth value"),
                                  DH_FIELD(sample, name, NULL, 0, 0, 0, "a text"),
                                  DH_FIELD(sample, axes, NULL, 0, -8, 7, "a list"),
                                  {0}};

static void field_tables(void **state)
{
    (void)state;
    sample s = {0};
    char text[96] = "x";
    dh_field_defaults(fields, &s);
    EXPECT(DH_EINVAL, "dense: table is NULL", dh_field_check(NULL, &s, "dense"));
    EXPECT(DH_EINVAL, "dense: data is NULL", dh_field_check(fields, NULL, "dense"));
    EXPECT(DH_EINVAL, "dense: units is 0, must be in [1, 4096]",
           dh_field_check(fields, &s, "dense"));
    EXPECT(DH_EINVAL, "field_check: units is 0, must be in [1, 4096]",
           dh_field_check(fields, &s, NULL));
    EXPECT(DH_EINVAL, "dense: table is NULL", dh_field_set(NULL, &s, "units", "3", "dense"));
    EXPECT(DH_EINVAL, "dense: data is NULL", dh_field_set(fields, NULL, "units", "3", "dense"));
    EXPECT(DH_EINVAL, "dense: name is NULL", dh_field_set(fields, &s, NULL, "3", "dense"));
    EXPECT(DH_EINVAL, "dense: value is NULL", dh_field_set(fields, &s, "units", NULL, "dense"));
    EXPECT(DH_ENAME, "dense: unknown argument \"unit\", did you mean \"units\"?",
           dh_field_set(fields, &s, "unit", "3", "dense"));
    EXPECT(DH_EINVAL, "dense: units is \"three\", must be an integer",
           dh_field_set(fields, &s, "units", "three", "dense"));
    EXPECT(DH_EINVAL, "field_set: units is 0, must be in [1, 4096]",
           dh_field_set(fields, &s, "units", "0", NULL));
    EXPECT(DH_EINVAL, "dense: count is -1, must be at least 0",
           dh_field_set(fields, &s, "count", "-1", "dense"));
    EXPECT(DH_ENAME, "dense: mode is \"smae\", which names no choice, did you mean \"same\"?",
           dh_field_set(fields, &s, "mode", "smae", "dense"));
    EXPECT(
        DH_ENAME,
        "cast: dtype is \"f23\", which names no choice, did you mean \"f32\", \"f64\" or \"f16\"?",
        dh_field_set(fields, &s, "dtype", "f23", "cast"));
    EXPECT(DH_ENAME, "cast: dtype is \"1\", which names no choice; known: " DTYPES,
           dh_field_set(fields, &s, "dtype", "1", "cast"));
    EXPECT(DH_ENAME, "cast: dtype is \"\", which names no choice; known: " DTYPES,
           dh_field_set(fields, &s, "dtype", "", "cast"));
    EXPECT(DH_EINVAL, "dense: rate is 1.5, must be in [0, 1]",
           dh_field_set(fields, &s, "rate", "1.5", "dense"));
    EXPECT(DH_EINVAL, "dense: rate is nan, must be in [0, 1]",
           dh_field_set(fields, &s, "rate", "nan", "dense"));
    EXPECT(DH_EINVAL, "dense: bias is \"maybe\", must be true or false",
           dh_field_set(fields, &s, "bias", "maybe", "dense"));
    EXPECT(DH_EINVAL, "dense: axes is \"[1, x]\", must be integers",
           dh_field_set(fields, &s, "axes", "[1, x]", "dense"));
    EXPECT(DH_EINVAL, "dense: axes[1] is 8, must be in [-8, 7]",
           dh_field_set(fields, &s, "axes", "[1, 8]", "dense"));
    EXPECT_SILENT(dh_field_set(fields, &s, "units", "3", "dense"));
    s.dtype = 0;
    EXPECT(DH_EINVAL, "cast: dtype is 0, which names no choice; known: " DTYPES,
           dh_field_check(fields, &s, "cast"));
    s.dtype = 99;
    EXPECT(DH_EINVAL, "cast: dtype is 99, which names no choice; known: " DTYPES,
           dh_field_check(fields, &s, "cast"));
    EXPECT_SILENT(dh_field_set(fields, &s, "dtype", "bf16", "cast"));
    assert_int_equal(s.dtype, DH_BF16);
    dh_error_clear();
    assert_int_equal(dh_field_print(fields, &s, text, sizeof text), 19);
    assert_string_equal(text, "units=3, dtype=bf16");
    assert_int_equal(dh_field_print(NULL, &s, text, sizeof text), 0);
    assert_int_equal(dh_field_print(fields, NULL, text, sizeof text), 0);
    assert_null(dh_field_find(NULL, "units"));
    assert_null(dh_field_find(fields, NULL));
    assert_null(dh_field_find(fields, "unit"));
    assert_false(dh_field_required(NULL));
    assert_true(dh_field_required(fields));
    dh_field_defaults(NULL, &s);
    dh_field_defaults(fields, NULL);
    dh_field_fill(NULL, &s);
    dh_field_fill(fields, NULL);
    assert_string_equal(dh_error_text(), "");
    none_wrong();
}

static dh_status emit_nothing(dh_emitter *to, int op, const void *attr, int in_count,
                              const dh_value *in, dh_value *y)
{
    (void)to, (void)op, (void)attr, (void)in_count, (void)in;
    y[0] = 7;
    return DH_OK;
}

/* A fresh emitter for each: the first failure sticks. */
#define TO (&(dh_emitter){.emit = emit_nothing})

static dh_status failed(dh_value value)
{
    assert_int_equal(value, DH_NO_VALUE);
    return dh_error_status();
}

static void emitting(void **state)
{
    (void)state;
    dh_value in[2] = {0, 1}, hole[2] = {0, DH_NO_VALUE}, y[DH_OP_MAX_OUT] = {5};
    dh_emitter to = {.emit = emit_nothing}, mute = {0};
    EXPECT(DH_EINVAL, "emit: to is NULL", dh_emit(NULL, DH_OP_ADD, NULL, 2, in, y));
    char text[64];
    snprintf(text, sizeof text, "emit: op is -1, must be in [0, %d]", DH_OP_COUNT - 1);
    EXPECT(DH_EINVAL, text, dh_emit(TO, -1, NULL, 2, in, y));
    EXPECT(DH_EINVAL, "emit: op add: in_count is -1, must be at least 0",
           dh_emit(TO, DH_OP_ADD, NULL, -1, in, y));
    EXPECT(DH_EINVAL, "emit: op add: in is NULL, in_count is 2",
           dh_emit(TO, DH_OP_ADD, NULL, 2, NULL, y));
    EXPECT(DH_EINVAL, "emit: op add: out is NULL", dh_emit(TO, DH_OP_ADD, NULL, 2, in, NULL));
    EXPECT(DH_EINVAL, "emit: op add: to has no emit, it is NULL",
           dh_emit(&mute, DH_OP_ADD, NULL, 2, in, y));
    EXPECT(DH_EINTERNAL, "emit: op add: in[1] is no value",
           dh_emit(TO, DH_OP_ADD, NULL, 2, hole, y));
    EXPECT(DH_EINVAL, "emit: to is NULL", failed(dh_emit1(NULL, DH_OP_NEG, NULL, 0)));
    EXPECT(DH_EINTERNAL, "emit: op neg: in[0] is no value",
           failed(dh_emit1(TO, DH_OP_NEG, NULL, DH_NO_VALUE)));
    EXPECT(DH_EINVAL, "emit: to is NULL", failed(dh_emit2(NULL, DH_OP_ADD, NULL, 0, 1)));
    EXPECT(DH_EINTERNAL, "emit: op add: in[1] is no value",
           failed(dh_emit2(TO, DH_OP_ADD, NULL, 0, DH_NO_VALUE)));
    EXPECT(DH_EINVAL, "emit: to is NULL", failed(dh_emit3(NULL, DH_OP_WHERE, NULL, 0, 1, 2)));
    EXPECT(DH_EINTERNAL, "emit: op where: in[0] is no value",
           failed(dh_emit3(TO, DH_OP_WHERE, NULL, DH_NO_VALUE, 1, 2)));
    assert_int_equal(y[0], 5);
    assert_int_equal(dh_emit2(&to, DH_OP_ADD, NULL, 0, 1), 7);
    none_wrong();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes),  cmocka_unit_test(memory),  cmocka_unit_test(log_and_status),
        cmocka_unit_test(device),  cmocka_unit_test(drivers), cmocka_unit_test(field_tables),
        cmocka_unit_test(emitting)};
    return cmocka_run_group_tests(tests, make_parts, free_parts);
}
