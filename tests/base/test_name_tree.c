/* SPDX-License-Identifier: MIT */
#include "base_test.h"

#include "name_tree.h"

enum { COUNT = 20000, LENGTH = 16 };

typedef struct item {
    dh__name name; /* first: the tree gives its address */
    char text[LENGTH];
} item;

/* In an order of its own: 7919 and COUNT have no common factor. */
static item *make_items(void)
{
    item *items = calloc(COUNT, sizeof *items);
    assert_non_null(items);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(items[i].text, LENGTH, "a%d", (int)((int64_t)i * 7919 % COUNT));
        items[i].name.text = items[i].text;
    }
    return items;
}

static void names_are_found(void **state)
{
    (void)state;
    item *items = make_items();
    dh__name_tree tree;
    dh__name_tree_init(&tree);
    assert_null(dh__name_find(&tree, "a1"));
    assert_null(dh__name_find(&tree, ""));
    for (int i = 0; i < COUNT; i++) {
        assert_null(dh__name_find(&tree, items[i].text));
        assert_ptr_equal(dh__name_add(&tree, &items[i].name), &items[i].name);
    }
    for (int i = 0; i < COUNT; i++) {
        item again = {.name.text = again.text};
        memcpy(again.text, items[i].text, LENGTH);
        assert_ptr_equal(dh__name_find(&tree, again.text), &items[i].name);
        assert_ptr_equal(dh__name_add(&tree, &again.name), &items[i].name);
    }
    static const char *const absent[] = {"", "a", "b", "a20000", "a00", "a1 ", "aa", "\xff"};
    for (size_t i = 0; i < DH_COUNT(absent); i++) assert_null(dh__name_find(&tree, absent[i]));
    free(items);
}

/* Names that begin with each other, and bytes with the highest bit. */
static void prefixes_differ(void **state)
{
    (void)state;
    static const char *const texts[] = {"aaaa", "a",    "aaa",  "\xc3\xa4",
                                        "aa",   "\xff", "\x01", "aab"};
    dh__name names[DH_COUNT(texts)] = {{0}};
    dh__name_tree tree;
    dh__name_tree_init(&tree);
    for (size_t i = 0; i < DH_COUNT(texts); i++) {
        names[i].text = texts[i];
        assert_ptr_equal(dh__name_add(&tree, &names[i]), &names[i]);
        for (size_t k = 0; k < DH_COUNT(texts); k++)
            assert_ptr_equal(dh__name_find(&tree, texts[k]), k <= i ? &names[k] : NULL);
    }
}

/* The cost follows the length of the names, not how many there are. */
static void steps_are_bounded(void **state)
{
    (void)state;
    item *items = make_items();
    dh__name_tree tree;
    dh__name_tree_init(&tree);
    for (int i = 0; i < COUNT; i++) {
        uint64_t bits = 8 * strlen(items[i].text) + 2, before = tree.steps;
        (void)dh__name_add(&tree, &items[i].name);
        assert_in_range(tree.steps - before, 1, 2 * bits);
    }
    for (int i = 0; i < COUNT; i++) {
        uint64_t bits = 8 * strlen(items[i].text) + 2, before = tree.steps;
        assert_non_null(dh__name_find(&tree, items[i].text));
        assert_in_range(tree.steps - before, 1, bits);
    }
    assert_in_range(tree.steps, COUNT, (uint64_t)COUNT * 100); /* COUNT * COUNT / 2 by comparing */
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(prefixes_differ),
        cmocka_unit_test(steps_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
