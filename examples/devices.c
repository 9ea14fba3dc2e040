/* SPDX-License-Identifier: MIT */
/* What this machine has to compute with: drivers and their devices, memory, instruction set and
 * versions; then, op by op, which drivers have it, and why others don't. */
#include <deephealth.h>

#include <stdio.h>
#include <string.h>

#define MOST 16

static void print_device(const char *name)
{
    dh_device_info d;
    if (dh_device_describe(&d, name)) {
        printf("  %s: %s\n", name, dh_error_text());
        return;
    }
    printf("  %s: %s, %d unit%s", d.name, d.hardware, d.units, d.units == 1 ? "" : "s");
    if (d.memory) printf(", %.1f GB", (double)d.memory / 1e9);
    if (d.memory_free) printf(" (%.1f GB free)", (double)d.memory_free / 1e9);
    printf("\n      %s\n", d.software);
}

static void print_driver(const char *driver)
{
    int count;
    printf("%s\n", driver);
    if (dh_driver_devices(&count, driver)) {
        printf("  none: %s\n", dh_error_text());
        return;
    }
    for (int i = 0; i < count; i++) {
        char name[64];
        if (count == 1 && !strcmp(driver, "cpu"))
            snprintf(name, sizeof name, "%s", driver);
        else
            snprintf(name, sizeof name, "%s:%d", driver, i);
        print_device(name);
    }
}

/* How many ops a driver lacks; for one reason, where that is given. */
static int count_lacking(const char *driver, const char *reason)
{
    int lacking = 0;
    for (int op = 0; dh_op_name(op); op++) {
        const char *why = NULL;
        if (!dh_driver_lacks(&why, driver, dh_op_name(op)) && why)
            lacking += !reason || !strcmp(why, reason);
    }
    return lacking;
}

/* The reason at one of its ops, unless an op before that has it too. */
static void print_reason(const char *driver, int first, const char *reason, int ops)
{
    const char *why = NULL;
    for (int op = 0; op < first; op++)
        if (!dh_driver_lacks(&why, driver, dh_op_name(op)) && why && !strcmp(why, reason)) return;
    printf("    %s:", reason);
    if (count_lacking(driver, reason) == ops) {
        printf(" all ops\n");
        return;
    }
    for (int op = first; op < ops; op++)
        if (!dh_driver_lacks(&why, driver, dh_op_name(op)) && why && !strcmp(why, reason))
            printf(" %s", dh_op_name(op));
    printf("\n");
}

static void print_lacking(const char *driver, int ops)
{
    int lacking = count_lacking(driver, NULL);
    printf("  %s has %d of %d ops\n", driver, ops - lacking, ops);
    for (int op = 0; op < ops && lacking; op++) {
        const char *why = NULL;
        if (!dh_driver_lacks(&why, driver, dh_op_name(op)) && why)
            print_reason(driver, op, why, ops);
    }
}

static void print_matrix(const char *const *drivers, int count)
{
    printf("\n%-28s", "op");
    for (int i = 0; i < count; i++) printf("%-8s", drivers[i]);
    printf("\n");
    for (int op = 0; dh_op_name(op); op++) {
        printf("%-28s", dh_op_name(op));
        for (int i = 0; i < count; i++) {
            const char *why = NULL;
            bool known = !dh_driver_lacks(&why, drivers[i], dh_op_name(op));
            printf("%-8s", known && !why ? "yes" : "-");
        }
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    bool all = argc == 2 && !strcmp(argv[1], "--ops");
    if (argc > 1 && !all) {
        bool help = !strcmp(argv[1], "--help");
        fprintf(help ? stdout : stderr,
                "devices [--ops]: what there is to compute with; --ops: and each op's devices\n");
        return !help;
    }
    const char *drivers[MOST];
    int count = 0, ops = 0;
    while (count < MOST && (drivers[count] = dh_driver_name(count))) count++;
    while (dh_op_name(ops)) ops++;
    printf("libdeephealth %s, instruction set %s\n\n", dh_version(), dh_isa());
    for (int i = 0; i < count; i++) {
        print_driver(drivers[i]);
        print_lacking(drivers[i], ops);
    }
    if (all) print_matrix(drivers, count);
    return 0;
}
