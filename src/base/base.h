/* SPDX-License-Identifier: MIT */
/* base: what every room stands on: errors, memory, text, log, files, threads, randomness, fields.
 * It knows libc and the operating system; it must not know tensors, graphs or anything above. */
#ifndef DH_BASE_H
#define DH_BASE_H

#include <math.h>

#include <deephealth/log.h>
#include <deephealth/memory.h>
#include <deephealth/status.h>
#include <deephealth/sys/error.h>
#include <deephealth/sys/field.h>

#define DH_UNUSED(x)    ((void)(x))
#define DH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- memory (memory.c): blocks aligned to 64 bytes; on failure NULL, DH_ENOMEM recorded --- */

void *dh__alloc(size_t size);                                  /* size 0 gives a valid block */
void *dh__calloc(size_t count, size_t size);                   /* zeroed; the product is checked */
void *dh__grow(void *block, size_t old_size, size_t new_size); /* keeps block when it fails */
void dh__free(void *block);                                    /* NULL is fine */
/* Zeroed, for what is found or made once in a process: never freed, and so neither counted nor of
 * the allocator that a user may set. */
void *dh__alloc_for_good(size_t size);
/* Gives the system back the whole pages among these bytes, part of a block, whose content is not
 * needed any more; the block stays. */
void dh__discard(void *data, size_t size);
char *dh__strdup(const char *text);

/* a * b in out; false when it overflows. */
bool dh__mul_size(size_t a, size_t b, size_t *out);
bool dh__mul_int64(int64_t a, int64_t b, int64_t *out);

/* --- errors (status.c) --- */

/* The record of the thread's last error, to be put back where a failure has another way out: a call
 * that succeeds changes nothing. */
#define DH_ERROR_TEXT_SIZE 1024
typedef struct dh__error {
    dh_status status;
    char text[DH_ERROR_TEXT_SIZE];
} dh__error;
/* How many failures this thread has recorded: tells whether what failed has said why. */
uint64_t dh__error_count(void);
void dh__error_save(dh__error *out);
void dh__error_restore(const dh__error *saved);

/* How a failure gets the name of the function called, on its way up. Both return status and do
 * nothing where it is DH_OK.
 * dh__from: what failed inside keeps its text, "who: " goes in front, once.
 * dh__named: a function made of another speaks as itself: where the last error's text begins with
 * the word from, it begins with to instead. */
dh_status dh__from(const char *who, dh_status status);
dh_status dh__named(dh_status status, const char *from, const char *to);

/* --- log (log.c) --- */

void dh__log(dh_log_level level, const char *format, ...) DH_PRINTF(2, 3);
/* A text of any length, as DH_LOG_INFO. */
void dh__log_lines(const char *text);
/* True where DH_LOG_PROGRESS text goes to a terminal through the default callback. */
bool dh__log_is_terminal(void);

/* --- text (text.c): a growing string; number text the same in every locale --- */

typedef struct dh__text {
    char *data; /* always ended by '\0' once something was added; may be NULL before */
    size_t length, capacity;
    bool failed; /* an allocation failed; later calls do nothing */
} dh__text;

void dh__text_add(dh__text *text, const char *format, ...) DH_PRINTF(2, 3);
void dh__text_add_bytes(dh__text *text, const void *bytes, size_t size);
dh_status dh__text_status(const dh__text *text); /* DH_ENOMEM if any addition failed */
void dh__text_free(dh__text *text);

/* printf-like output that ignores the locale: the decimal sign is '.'. Returns vsnprintf's result.
 */
int dh__format(char *buffer, size_t size, const char *format, ...) DH_PRINTF(3, 4);

/* Parses a number from text[0..length): all of it must be used, blanks around are allowed.
 * "nan", "inf", "-inf" are numbers for the double form. False on anything else or out of range. */
bool dh__parse_double(const char *text, size_t length, double *out);
bool dh__parse_int64(const char *text, size_t length, int64_t *out);

/* Writes into buffer ", did you mean \"a\" or \"b\"?" for up to three names near to name, or ";
 * known: a, b, c" when none is near. names(i, payload) gives the i-th known name, NULL at the end.
 */
const char *dh__suggest(char *buffer, size_t size, const char *name,
                        const char *(*names)(int i, const void *payload), const void *payload);
/* The same for names in "a|b|c". */
const char *dh__suggest_choices(char *buffer, size_t size, const char *name, const char *choices);
/* Index of name in "a|b|c", -1 if it is not there. */
int dh__choice_index(const char *choices, const char *name);
/* Copies the index-th name of "a|b|c" into buffer and returns buffer. */
const char *dh__choice_name(char *buffer, size_t size, const char *choices, int index);

/* --- argument structs --- */

/* Whether a number was left away: 0, but not DH_ZERO. */
static inline bool dh__absent(double value)
{
    return value == 0 && !signbit(value);
}

/* --- CPU (cpu.c) --- */

typedef enum dh__isa { DH_ISA_PORTABLE = 0, DH_ISA_AVX2 = 1, DH_ISA_AVX512 = 2 } dh__isa;

/* The best path this CPU and its operating system offer (AVX2 means avx2 + fma + f16c, AVX512 means
 * f + bw + dq + vl), lowered by DEEPHEALTH_ISA=portable|avx2|avx512. Asking for more than there is
 * logs a warning once and takes what there is. */
dh__isa dh__cpu_isa(void);
const char *dh__isa_name(dh__isa isa);
const char *dh__cpu_model(void); /* "Intel(R) Xeon(R) ..."; borrowed, static */
typedef struct dh__cpu_cache {
    size_t l1d, l2, l3; /* bytes; L1 and L2 per core. Sane guesses where the system does not tell */
} dh__cpu_cache;
const dh__cpu_cache *dh__cpu_caches(void);
int dh__cpu_count(void); /* cores usable by this process: affinity and cgroup quota honoured */

double dh__now(void); /* seconds, monotonic */

/* --- optional libraries (dynlib.c) --- */

/* Opens the first of the names (ended by NULL) that can be opened, never to be closed again; NULL
 * with DH_EMISSING naming package when none can. */
void *dh__library_open(const char *const *names, const char *package);
void *dh__library_symbol(void *library, const char *name); /* NULL + DH_EMISSING */

/* --- fields (field.c) --- */

/* Have all members of the table the same values? Padding does not matter, nor what lies behind the
 * end of a list; opaque members do not count. */
bool dh__fields_same(const dh_field *table, const void *a, const void *b);

#endif
