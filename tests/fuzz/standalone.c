/* SPDX-License-Identifier: MIT */
/* Replays files through a fuzz target: each argument is a file or a folder of files. A file whose
 * name begins with ok must be taken, one that begins with bad refused with a text of one line; no
 * file may leave memory behind. DH_EMISSING (a build without zlib) is passed over. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static int files, failures;

static uint64_t live_blocks(void)
{
    dh_memory_stats stats;
    dh_get_memory_stats(&stats);
    return stats.live_blocks;
}

/* The bytes lie in a block of their exact size: a read past them is seen by the sanitizer. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    uint8_t *bytes = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long length = ftell(file);
        rewind(file);
        bytes = length < 0 ? NULL : malloc(length ? (size_t)length : 1);
        *size = bytes ? fread(bytes, 1, (size_t)length, file) : 0;
        if (bytes && *size != (size_t)length) {
            free(bytes);
            bytes = NULL;
        }
    }
    (void)fclose(file);
    return bytes;
}

static const char *judge(const char *name, dh_status status, uint64_t leaked)
{
    if (leaked) return "memory was left behind";
    if (status == DH_EMISSING) return NULL;
    if (strncmp(name, "ok", 2) == 0 && status != DH_OK) return "refused";
    if (strncmp(name, "bad", 3) == 0 && status == DH_OK) return "taken";
    if (status != DH_OK && (!dh_error_text()[0] || strchr(dh_error_text(), '\n')))
        return "the error has no text of one line";
    return NULL;
}

static void replay_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t size = 0;
    uint8_t *bytes = read_file(path, &size);
    const char *wrong = bytes ? NULL : "can't be read";
    dh_error_clear();
    if (bytes) {
        uint64_t before = live_blocks();
        dh_status status = fuzz_one(bytes, size);
        wrong = judge(slash ? slash + 1 : path, status, live_blocks() - before);
    }
    free(bytes);
    files++;
    if (wrong) {
        failures++;
        (void)fprintf(stderr, "%s: %s (%s)\n", path, wrong, dh_error_text());
    }
}

static void replay(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        replay_file(path);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char inner[4096];
        if (entry->d_name[0] == '.') continue;
        int n = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (n > 0 && (size_t)n < sizeof inner) replay_file(inner);
    }
    (void)closedir(dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) replay(argv[i]);
    (void)printf("%d files, %d failures\n", files, failures);
    return files > 0 && failures == 0 ? 0 : 1;
}
