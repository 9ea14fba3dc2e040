/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "yaml_tree.h"

static dh_status parse(dh__yaml **out, const char *text)
{
    return dh__yaml_parse(out, text, strlen(text), "f.yaml");
}

static bool is_missing(void)
{
    dh__yaml *root;
    dh_status status = parse(&root, "a");
    if (status == DH_OK) dh__yaml_free(root);
    if (status == DH_EMISSING) assert_non_null(strstr(dh_error_text(), "libyaml-dev"));
    return status == DH_EMISSING;
}

static const char sample[] = "# a dataset\n"
                             "name: \"set\"\n"
                             "classes: [cat, 'dog', 3]\n"
                             "split:\n"
                             "  training: &t\n"
                             "    - 1\n"
                             "    - {x: 2, y: ~}\n"
                             "  again: *t\n"
                             "text: |\n"
                             "  two\n"
                             "  lines\n"
                             "empty: {}\n";

static void trees_are_read(void **state)
{
    (void)state;
    if (is_missing()) skip();
    dh__yaml *root = NULL;
    assert_int_equal(parse(&root, sample), DH_OK);
    assert_int_equal(root->kind, DH_YAML_MAP);
    assert_int_equal(root->count, 5);
    const dh__yaml *name = dh__yaml_get(root, "name"), *classes = dh__yaml_get(root, "classes");
    assert_string_equal(name->text, "set");
    assert_true(name->quoted && name->line == 2);
    assert_true(classes->kind == DH_YAML_LIST && classes->count == 3);
    assert_true(!classes->items[0]->quoted && classes->items[1]->quoted);
    assert_string_equal(classes->items[2]->text, "3");
    const dh__yaml *training = dh__yaml_get(dh__yaml_get(root, "split"), "training");
    assert_int_equal(training->count, 2);
    assert_ptr_equal(training, dh__yaml_get(dh__yaml_get(root, "split"), "again"));
    assert_string_equal(dh__yaml_get(training->items[1], "x")->text, "2");
    assert_int_equal(training->items[1]->line, 7);
    assert_string_equal(dh__yaml_get(root, "text")->text, "two\nlines\n");
    assert_int_equal(dh__yaml_get(root, "empty")->count, 0);
    assert_null(dh__yaml_get(root, "absent"));
    assert_null(dh__yaml_get(classes, "cat"));
    assert_null(dh__yaml_get(NULL, "x"));
    assert_null(dh__yaml_get(root, NULL));
    dh__yaml_free(root);
    dh__yaml_free(NULL);
    assert_int_equal(parse(&root, "just text"), DH_OK);
    assert_string_equal(root->text, "just text");
    dh__yaml_free(root);
}

static void wrong_yaml_is_refused(void **state)
{
    (void)state;
    if (is_missing()) skip();
    static const struct {
        const char *text, *part;
    } bad[] = {{"a: 1\nb: [1, 2\nc: 3\n", "f.yaml:"},
               {"a: 1\nb: 2\na: 3\n", "f.yaml:3: key \"a\" stands in line 1 already"},
               {"", "holds no YAML document"},
               {"# only words\n", "holds no YAML document"},
               {"a: 1\n---\nb: 2\n", "f.yaml:2: a second document"},
               {"a: *nowhere\n", "f.yaml:1: alias *nowhere has no anchor"},
               {"a: &x [1, *x]\n", "alias *x has no anchor before it"},
               {"? [1, 2]\n: 3\n", "f.yaml:1: a key must be a scalar"},
               {"&k [1]: 2\n", "a key must be a scalar"},
               {"a: \"x\\0y\"\n", "f.yaml:1: a scalar holds a NUL"},
               {"a: \xff\xfe\n", "f.yaml:"},
               {"\ta: 1\n", "f.yaml:1:"},
               {"a: b: c\n", "f.yaml:1:"}};
    dh__yaml *root = NULL;
    uint64_t live = live_blocks();
    for (size_t i = 0; i < DH_COUNT(bad); i++)
        CHECK_FAILS(parse(&root, bad[i].text), DH_EFORMAT, bad[i].part);
    CHECK_FAILS(dh__yaml_parse(NULL, "a", 1, NULL), DH_EINVAL, "yaml: out is NULL");
    CHECK_FAILS(dh__yaml_parse(&root, NULL, 1, "p"), DH_EINVAL, "p: text is NULL");
    CHECK_FAILS(dh__yaml_parse(&root, "a", SIZE_MAX, "p"), DH_EFORMAT, "must be at most");
    CHECK_FAILS(dh__yaml_read(&root, test_path("absent")), DH_ENOTFOUND, "absent");
    CHECK_FAILS(dh__yaml_read(NULL, "x"), DH_EINVAL, "out is NULL");
    CHECK_FAILS(dh__yaml_read(&root, NULL), DH_EINVAL, "path is NULL");
    /* each prefix of a good text is either good or refused */
    for (size_t size = 0; size < sizeof sample - 1; size++) {
        dh__yaml *part = NULL;
        if (dh__yaml_parse(&part, sample, size, "f.yaml") == DH_OK) dh__yaml_free(part);
    }
    assert_null(root);
    assert_int_equal(live_blocks(), live);
}

static void limits_hold(void **state)
{
    (void)state;
    if (is_missing()) skip();
    dh__yaml *root = NULL;
    dh__text text = {0};
    /* nine levels of nine aliases each: 9^9 nodes if expanded */
    dh__text_add(&text, "a0: &a0 [1,1,1,1,1,1,1,1,1]\n");
    for (int i = 1; i < 9; i++) {
        dh__text_add(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++) dh__text_add(&text, "%s*a%d", j ? "," : "", i - 1);
        dh__text_add(&text, "]\n");
    }
    CHECK_FAILS(dh__yaml_parse(&root, text.data, text.length, "f"), DH_EFORMAT,
                "more than 4000000");
    dh__text_free(&text);
    for (int i = 0; i < 10000; i++) dh__text_add(&text, "[");
    CHECK_FAILS(dh__yaml_parse(&root, text.data, text.length, "f"), DH_EFORMAT, "deeper than 64");
    dh__text_free(&text);
    for (int i = 0; i < 20000; i++) dh__text_add(&text, "key%d: %d\n", i, i);
    assert_int_equal(dh__yaml_parse(&root, text.data, text.length, "f"), DH_OK);
    assert_int_equal(root->count, 20000);
    assert_string_equal(dh__yaml_get(root, "key19999")->text, "19999");
    dh__yaml_free(root);
    dh__text_free(&text);
}

/* Each anchor is found again, the later of two of one name, however many there are. */
static void many_anchors_are_found(void **state)
{
    (void)state;
    if (is_missing()) skip();
    enum { COUNT = 100000 };
    dh__yaml *root = NULL;
    dh__text text = {0};
    for (int i = 0; i < COUNT; i++) dh__text_add(&text, "- &a%d %d\n", i, i);
    dh__text_add(&text, "- &a7 again\n");
    for (int i = 0; i < COUNT; i++) dh__text_add(&text, "- *a%d\n", i);
    assert_int_equal(dh__text_status(&text), DH_OK);
    assert_int_equal(dh__yaml_parse(&root, text.data, text.length, "f"), DH_OK);
    assert_int_equal(root->count, 2 * COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(root->items[COUNT + 1 + i], root->items[i == 7 ? COUNT : i]);
    dh__yaml_free(root);
    dh__text_free(&text);
}

typedef struct options {
    int size;
    float rate;
    bool flag;
    const char *name;
    dh_ints shape;
    int mode;
} options;

static const dh_field table[] = {DH_FIELD(options, size, NULL, 1, 1, 100, "size"),
                                 DH_FIELD(options, rate, NULL, 0, 0, 1, "rate"),
                                 DH_FIELD(options, flag, NULL, 0, 0, 1, "flag"),
                                 DH_FIELD(options, name, NULL, 0, 0, 0, "name"),
                                 DH_FIELD(options, shape, NULL, 0, 1, 99, "shape"),
                                 DH_FIELD_NAMED(options, mode, NULL, "slow|fast", "mode"),
                                 {0}};

static void fields_are_filled(void **state)
{
    (void)state;
    if (is_missing()) skip();
    dh__yaml *root = NULL;
    options o;
    memset(&o, 0, sizeof o);
    dh_field_defaults(table, &o);
    assert_int_equal(parse(&root, "size: 5\nrate: 0.25\nflag: yes\nname: '12'\nshape: [3, 4]\n"
                                  "mode: fast\n"),
                     DH_OK);
    assert_int_equal(dh__yaml_fields(root, table, &o, "f.yaml"), DH_OK);
    assert_true(o.size == 5 && o.rate == 0.25f && o.flag && o.mode == 1);
    assert_string_equal(o.name, "12");
    assert_true(o.shape.count == 2 && o.shape.v[1] == 4);
    options before;
    memcpy(&before, &o, sizeof o);
    CHECK_EACH_ALLOCATION(dh__yaml_fields(root, table, &o, "f.yaml"), (void)0);
    dh__yaml_free(root);
    static const struct {
        const char *text, *part;
        dh_status status;
    } bad[] = {
        {"size: 6\nszie: 5\n", "f.yaml:2: unknown argument \"szie\", did you mean \"size\"",
         DH_ENAME},
        {"rate: 0.5\nsize: 500\n", "f.yaml:2: size is 500, must be in [1, 100]", DH_EINVAL},
        {"size: '5'\n", "f.yaml:1: size is the text \"5\", must stand without quotes", DH_EINVAL},
        {"size: [1]\n", "size is a list, must be a single value", DH_EINVAL},
        {"shape: {a: 1}\n", "shape is a map", DH_EINVAL},
        {"shape: [1, [2]]\n", "shape[1] must be an integer", DH_EINVAL},
        {"shape: [1, x]\n", "must be integers", DH_EINVAL},
        {"shape: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n", "at most 16", DH_EINVAL},
        {"other: [1]\n", "unknown argument \"other\"", DH_ENAME},
        {"[1, 2]\n", "f.yaml:1: is a list, must be a map", DH_EFORMAT}};
    for (size_t i = 0; i < DH_COUNT(bad); i++) {
        assert_int_equal(parse(&root, bad[i].text), DH_OK);
        CHECK_FAILS(dh__yaml_fields(root, table, &o, "f.yaml"), bad[i].status, bad[i].part);
        assert_memory_equal(&o, &before, sizeof o);
        dh__yaml_free(root);
    }
    assert_int_equal(parse(&root, "size: ~\nrate:\nname: null\n"), DH_OK);
    assert_int_equal(dh__yaml_fields(root, table, &o, NULL), DH_OK);
    assert_memory_equal(&o, &before, sizeof o);
    CHECK_FAILS(dh__yaml_fields(NULL, table, &o, "f"), DH_EINVAL, "map is NULL");
    CHECK_FAILS(dh__yaml_fields(root, NULL, &o, "f"), DH_EINVAL, "table is NULL");
    CHECK_FAILS(dh__yaml_fields(root, table, NULL, "f"), DH_EINVAL, "data is NULL");
    dh__yaml_free(root);
}

static void failing_allocations(void **state)
{
    (void)state;
    if (is_missing()) skip();
    dh__yaml *root = NULL;
    const char *path = test_path("f.yaml");
    write_test_file(path, sample, sizeof sample - 1);
    CHECK_EACH_ALLOCATION(dh__yaml_read(&root, path), dh__yaml_free(root));
    assert_int_equal(unlink(path), 0);
    dh__text text = {0};
    for (int i = 0; i < 3000; i++) dh__text_add(&text, "k%d: &a%d [%d]\n", i, i, i);
    CHECK_EACH_ALLOCATION(dh__yaml_parse(&root, text.data, text.length, "f"), dh__yaml_free(root));
    dh__text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_read),    cmocka_unit_test(wrong_yaml_is_refused),
        cmocka_unit_test(limits_hold),       cmocka_unit_test(many_anchors_are_found),
        cmocka_unit_test(fields_are_filled), cmocka_unit_test(failing_allocations)};
    return cmocka_run_group_tests(tests, make_test_dir, remove_test_dir);
}
