/* SPDX-License-Identifier: MIT */
/* What the processor offers: instruction sets, caches, name, clock. */
#include "base.h"

#include <deephealth/version.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

static pthread_once_t cpu_once = PTHREAD_ONCE_INIT;
static dh__isa isa_offered, isa_used;
static char isa_asked[32];
static atomic_bool isa_warning_pending;
static char model[64];
static dh__cpu_cache caches;

#if defined(__x86_64__) || defined(__i386__)
/* Which registers the operating system saves at a switch (XCR0). */
static uint32_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static dh__isa detect_isa(void)
{
    const uint32_t fma_osxsave_avx_f16c = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29;
    const uint32_t avx2 = 1u << 5;
    const uint32_t avx512_f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    const uint32_t xmm_ymm = 0x06, opmask_zmm = 0xe0;
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return DH_ISA_PORTABLE;
    if ((ecx & fma_osxsave_avx_f16c) != fma_osxsave_avx_f16c) return DH_ISA_PORTABLE;
    uint32_t saved = saved_registers();
    if ((saved & xmm_ymm) != xmm_ymm) return DH_ISA_PORTABLE;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return DH_ISA_PORTABLE;
    if (!(ebx & avx2)) return DH_ISA_PORTABLE;
    if ((ebx & avx512_f_dq_bw_vl) != avx512_f_dq_bw_vl) return DH_ISA_AVX2;
    return (saved & opmask_zmm) == opmask_zmm ? DH_ISA_AVX512 : DH_ISA_AVX2;
}

static bool detect_model(void)
{
    uint32_t words[12];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t *w = words + 4 * i;
        if (!__get_cpuid(0x80000002u + i, w, w + 1, w + 2, w + 3)) return false;
    }
    char text[sizeof words + 1];
    memcpy(text, words, sizeof words);
    text[sizeof words] = '\0';
    size_t begin = strspn(text, " "), end = strlen(text);
    while (end > begin && text[end - 1] == ' ') end--;
    if (end == begin) return false;
    memcpy(model, text + begin, end - begin);
    model[end - begin] = '\0';
    return true;
}
#else
static dh__isa detect_isa(void)
{
    return DH_ISA_PORTABLE;
}

static bool detect_model(void)
{
    return false;
}
#endif

const char *dh__isa_name(dh__isa isa)
{
    switch (isa) {
    case DH_ISA_PORTABLE: return "portable";
    case DH_ISA_AVX2: return "avx2";
    case DH_ISA_AVX512: return "avx512";
    }
    return "unknown";
}

static void choose_isa(void)
{
    isa_offered = isa_used = detect_isa();
    const char *asked = getenv("DEEPHEALTH_ISA");
    if (!asked || !asked[0]) return;
    for (int isa = DH_ISA_PORTABLE; isa <= (int)isa_offered; isa++) {
        if (strcasecmp(asked, dh__isa_name((dh__isa)isa)) == 0) {
            isa_used = (dh__isa)isa;
            return;
        }
    }
    (void)dh__format(isa_asked, sizeof isa_asked, "%s", asked);
    atomic_store(&isa_warning_pending, true);
}

/* --- caches --- */

static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (!file) return false;
    bool ok = fgets(line, size, file) != NULL;
    (void)fclose(file);
    return ok;
}

/* "48K", "2048K", "32M" as Linux writes them. */
static size_t parse_size(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    int64_t value;
    if (!dh__parse_int64(text, digits, &value) || value > (1 << 24)) return 0;
    size_t size = (size_t)value;
    if (text[digits] == 'K') size <<= 10;
    if (text[digits] == 'M') size <<= 20;
    return size;
}

static void read_sysfs_caches(void)
{
    for (int i = 0; i < 8; i++) {
        char path[96], level[16], type[32], size[32];
        static const char base[] = "/sys/devices/system/cpu/cpu0/cache/index";
        (void)dh__format(path, sizeof path, "%s%d/level", base, i);
        if (!read_line(path, level, sizeof level)) return;
        (void)dh__format(path, sizeof path, "%s%d/type", base, i);
        if (!read_line(path, type, sizeof type) || type[0] == 'I') continue;
        (void)dh__format(path, sizeof path, "%s%d/size", base, i);
        if (!read_line(path, size, sizeof size)) continue;
        size_t bytes = parse_size(size);
        if (level[0] == '1') caches.l1d = bytes;
        if (level[0] == '2') caches.l2 = bytes;
        if (level[0] == '3') caches.l3 = bytes;
    }
}

static size_t ask_system(int name)
{
    long size = name < 0 ? -1 : sysconf(name);
    return size > 0 ? (size_t)size : 0;
}

/* Virtual machines tell nothing or nonsense at times. */
static void limit(size_t *size, size_t least, size_t most, size_t guess)
{
    if (*size < least || *size > most) *size = guess;
}

static void detect_caches(void)
{
    read_sysfs_caches();
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    if (!caches.l1d) caches.l1d = ask_system(_SC_LEVEL1_DCACHE_SIZE);
    if (!caches.l2) caches.l2 = ask_system(_SC_LEVEL2_CACHE_SIZE);
    if (!caches.l3) caches.l3 = ask_system(_SC_LEVEL3_CACHE_SIZE);
#else
    if (!caches.l1d) caches.l1d = ask_system(-1);
#endif
    const size_t kib = 1024, mib = 1024 * kib;
    limit(&caches.l1d, 8 * kib, 1 * mib, 32 * kib);
    limit(&caches.l2, 128 * kib, 64 * mib, 512 * kib);
    limit(&caches.l3, 512 * kib, 4096 * mib, 8 * mib);
}

static void detect(void)
{
    choose_isa();
    detect_caches();
    if (detect_model()) return;
    struct utsname system;
    bool known = uname(&system) == 0;
    (void)dh__format(model, sizeof model, "%.60s", known ? system.machine : "unknown processor");
}

dh__isa dh__cpu_isa(void)
{
    pthread_once(&cpu_once, detect);
    if (atomic_load_explicit(&isa_warning_pending, memory_order_relaxed) &&
        atomic_exchange(&isa_warning_pending, false))
        dh__log(DH_LOG_WARNING,
                "DEEPHEALTH_ISA is \"%s\", must be portable, avx2 or avx512 and offered by the CPU "
                "(%s, which offers %s); %s is used",
                isa_asked, model, dh__isa_name(isa_offered), dh__isa_name(isa_used));
    return isa_used;
}

const char *dh_isa(void)
{
    return dh__isa_name(dh__cpu_isa());
}

const char *dh__cpu_model(void)
{
    pthread_once(&cpu_once, detect);
    return model;
}

const dh__cpu_cache *dh__cpu_caches(void)
{
    pthread_once(&cpu_once, detect);
    return &caches;
}

double dh__now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
