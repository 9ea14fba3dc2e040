/* SPDX-License-Identifier: MIT */
/* How many cores this process may use: its affinity mask and the CPU quotas of its cgroups, version
 * 2 (cpu.max) and version 1 (cpu.cfs_quota_us), of its own group and of each one above. */
#include "base_impl.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

enum { PATH_SIZE = 1024 };

static pthread_once_t count_once = PTHREAD_ONCE_INIT;
static int core_count = 1, quota_count;

#if defined(__linux__)
static int affinity_count(void)
{
    /* the kernel refuses a mask smaller than its own, so this one holds 16384 processors */
    static cpu_set_t sets[16];
    if (sched_getaffinity(0, sizeof sets, sets) != 0) return 0;
    return CPU_COUNT_S(sizeof sets, sets);
}

static bool read_file(char *buffer, size_t size, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) return false;
    size_t got = fread(buffer, 1, size - 1, file);
    (void)fclose(file);
    buffer[got] = '\0';
    return got > 0;
}

static int share(int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0) return 0;
    int64_t count = quota / period + (quota % period != 0);
    return count > 1 << 20 ? 0 : (int)count;
}

/* "200000 100000\n", or "max 100000\n" without a limit. */
static int quota_v2(const char *directory)
{
    char path[PATH_SIZE + 32], text[64];
    int64_t quota, period;
    (void)dh__format(path, sizeof path, "%s/cpu.max", directory);
    if (!read_file(text, sizeof text, path)) return 0;
    size_t first = strcspn(text, " ");
    if (!dh__parse_int64(text, first, &quota)) return 0;
    if (!dh__parse_int64(text + first, strlen(text + first), &period)) return 0;
    return share(quota, period);
}

static int quota_v1(const char *directory)
{
    char path[PATH_SIZE + 32], text[64];
    int64_t quota, period;
    (void)dh__format(path, sizeof path, "%s/cpu.cfs_quota_us", directory);
    if (!read_file(text, sizeof text, path)) return 0;
    if (!dh__parse_int64(text, strlen(text), &quota)) return 0;
    (void)dh__format(path, sizeof path, "%s/cpu.cfs_period_us", directory);
    if (!read_file(text, sizeof text, path)) return 0;
    if (!dh__parse_int64(text, strlen(text), &period)) return 0;
    return share(quota, period);
}

static void take_less(int *least, int count)
{
    if (count > 0 && (*least == 0 || count < *least)) *least = count;
}

/* The group's own directory and each one above it up to the mount point. Inside a container the
 * group may be named from the host's point of view; then the mount point itself is ours. */
static void walk(const char *mount, const char *group, int (*quota)(const char *), int *least)
{
    char directory[PATH_SIZE];
    size_t base = strlen(mount);
    int length = dh__format(directory, sizeof directory, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof directory) directory[base] = '\0';
    for (;;) {
        take_less(least, quota(directory));
        char *slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < base) return;
        *slash = '\0';
    }
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (;;) {
        size_t part = strcspn(list, ",:");
        if (part == length && memcmp(list, word, length) == 0) return true;
        if (list[part] != ',') return false;
        list += part + 1;
    }
}

/* Lines "hierarchy:controllers:group"; version 2 has hierarchy 0 and no controllers. */
static int cgroup_quota(void)
{
    static char text[16384];
    int least = 0;
    if (!read_file(text, sizeof text, "/proc/self/cgroup")) return 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        controllers++;
        group++;
        if (controllers[0] == ':')
            walk("/sys/fs/cgroup", group, quota_v2, &least);
        else if (has_word(controllers, "cpu"))
            walk("/sys/fs/cgroup/cpu", group, quota_v1, &least);
    }
    return least;
}
#else
static int affinity_count(void)
{
    return 0;
}

static int cgroup_quota(void)
{
    return 0;
}
#endif

static void count_cores(void)
{
    int count = affinity_count();
    if (count <= 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        count = online > 0 && online < 1 << 20 ? (int)online : 1;
    }
    quota_count = cgroup_quota();
    core_count = quota_count > 0 && quota_count < count ? quota_count : count;
}

int dh__cpu_count(void)
{
    pthread_once(&count_once, count_cores);
    return core_count;
}

int dh__cpu_quota(void)
{
    pthread_once(&count_once, count_cores);
    return quota_count;
}
