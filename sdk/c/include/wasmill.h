/* wasmill.h: write modules for Wasmill in C.
 *
 * A module is three functions: who it is, how it starts, and what it does with a batch of Kafka records.
 *
 *     #include "wasmill.h"
 *
 *     static void describe(wasmill_description *about) {
 *         wasmill_describe(about, "errors", "1.0.0", "Keeps the lines that speak of an error.");
 *     }
 *
 *     static wasmill_result init(const wasmill_config *config, wasmill_plan *plan) {
 *         (void)config;
 *         wasmill_route(plan, "errors");
 *         wasmill_reads(plan, WASMILL_VALUES);
 *         return WASMILL_OK;
 *     }
 *
 *     static wasmill_result transform(const wasmill_batch *batch, wasmill_output *out) {
 *         for (wasmill_row row = wasmill_rows(batch); wasmill_next(&row);)
 *             if (wasmill_contains(row.value, "ERROR")) wasmill_keep(out, &row);
 *         return WASMILL_OK;
 *     }
 *
 *     WASMILL_MODULE(describe, init, transform)
 *
 * What becomes of a row
 * - wasmill_keep sends it on: to the first route of the plan, unless wasmill_set_route names another. What is not set
 *   after it (key, value, headers, timestamp) stays the row's own, and is not copied out of the module.
 * - A row that is not kept is dropped on purpose.
 * - wasmill_reject sends it to the pipeline's dead letters, with a reason.
 * - `return wasmill_retry(out, ...)` asks for the whole batch again, later; `return wasmill_fatal(out, ...)` stops the
 *   pipeline.
 * - wasmill_panic, abort, a failed assert: a trap. The host finds the row that causes it, sends it to the dead letters
 *   and goes on with the rest.
 * Rows are to be kept in the order of the batch: acknowledgement and order hang on it. One row may be kept several
 * times. A batch may be given to the module more than once.
 *
 * Memory
 * Rows are read where they lie. What wasmill_alloc and wasmill_format answer lives until the end of the call and needs
 * no free. Allocations of this header never answer NULL: a module that is out of memory traps. (Plain malloc answers
 * NULL, and in wasm nothing traps when one writes there: use wasmill_malloc for what outlives a call.)
 *
 * One file of a module has WASMILL_MODULE; any may include this header. C11 or C++20; natively it compiles as well, for
 * unit tests (wasmill_testing.h).
 *
 * MIT OR Apache-2.0. Contract: wasmill:transform@0.1.0. */
#ifndef WASMILL_H
#define WASMILL_H

#define WASMILL_VERSION "0.1.0"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#error "wasmill.h is C11: compile the file that includes it as C"
#endif

#if defined(__GNUC__) || defined(__clang__)
#define WASMILL__PRINTF(text, first) __attribute__((format(printf, text, first)))
#define WASMILL__NORETURN __attribute__((noreturn, cold))
#define WASMILL__UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#else
#error "wasmill.h needs clang (zig cc, wasi-sdk) or gcc"
#endif

/* ---- Byte strings ---------------------------------------------------------------------------------------------- */

/* Bytes that somebody else owns. `data` is NULL for Kafka's null, which is not the same as empty. */
typedef struct {
    const uint8_t *data;
    size_t len;
} wasmill_bytes;

/* Kafka's null: no key, or a tombstone. */
#define WASMILL_NULL ((wasmill_bytes){NULL, 0})

/* For printf: `"%.*s", WASMILL_ARG(bytes)`. */
#define WASMILL_ARG(bytes) (int)(bytes).len, (const char *)((bytes).data ? (bytes).data : (const uint8_t *)"")

static inline bool wasmill_is_null(wasmill_bytes bytes) { return bytes.data == NULL; }

/* A C string as bytes. */
static inline wasmill_bytes wasmill_text(const char *text) {
    return (wasmill_bytes){(const uint8_t *)text, strlen(text)};
}

/* Bytes from a pointer and a length; never null. */
static inline wasmill_bytes wasmill_slice(const void *data, size_t len) {
    return (wasmill_bytes){data ? (const uint8_t *)data : (const uint8_t *)"", len};
}

/* Whether bytes are this text; null equals nothing. */
static inline bool wasmill_equal(wasmill_bytes bytes, const char *text) {
    size_t len = strlen(text);
    return bytes.data && bytes.len == len && memcmp(bytes.data, text, len) == 0;
}

/* Whether bytes begin with this text. */
static inline bool wasmill_begins(wasmill_bytes bytes, const char *text) {
    size_t len = strlen(text);
    return bytes.data && bytes.len >= len && memcmp(bytes.data, text, len) == 0;
}

/* Whether this text is somewhere in bytes. */
static inline bool wasmill_contains(wasmill_bytes bytes, const char *text) {
    size_t len = strlen(text);
    if (!bytes.data || bytes.len < len) return false;
    if (len == 0) return true;
    const uint8_t *at = bytes.data, *last = bytes.data + (bytes.len - len);
    while ((at = (const uint8_t *)memchr(at, text[0], (size_t)(last - at) + 1))) {
        if (memcmp(at, text, len) == 0) return true;
        if (at++ == last) return false;
    }
    return false;
}

/* Length of the UTF-8 sequence at `at`, at most `left` bytes; 0 where there is none. Table 3-7 of the Unicode standard:
 * no overlong forms, no surrogates, nothing above U+10FFFF. */
static inline size_t wasmill__utf8_next(const uint8_t *at, size_t left) {
    uint8_t first = at[0];
    if (first < 0x80) return 1;
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < len) return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return len;
}

/* Whether bytes are UTF-8 text. Null is not, empty is. */
static inline bool wasmill_is_utf8(wasmill_bytes bytes) {
    if (!bytes.data) return false;
    for (size_t at = 0, len; at < bytes.len; at += len)
        if (!(len = wasmill__utf8_next(bytes.data + at, bytes.len - at))) return false;
    return true;
}

/* ---- Traps and memory ------------------------------------------------------------------------------------------ */

/* Ends the call with a trap, and with words: `wasmill_panic("no table for %s", name)`. The host shows them, with the
 * place and the stack. */
#define wasmill_panic(...) wasmill__panic(__FILE__, __LINE__, __VA_ARGS__)

WASMILL__PRINTF(3, 4) WASMILL__NORETURN
static inline void wasmill__panic(const char *file, int line, const char *format, ...) {
    char words[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(words, sizeof words, format, args);
    va_end(args);
    size_t said = len < 0 ? 0 : (size_t)len < sizeof words ? (size_t)len : sizeof words - 1;
    fflush(stdout);
    fprintf(stderr, "%.*s, at %s:%d\n", (int)said, words, file, line);
    fflush(stderr);
#ifdef __wasm__
    __builtin_trap();
#else
    abort();
#endif
}

WASMILL__NORETURN static inline void wasmill__out_of_memory(size_t bytes) {
    wasmill_panic("out of memory: %zu more bytes are not to be had", bytes);
}

/* As realloc, but never NULL: it traps where there is no more memory. */
static inline void *wasmill_realloc(void *memory, size_t bytes) {
    void *more = realloc(memory, bytes ? bytes : 1);
    if (WASMILL__UNLIKELY(!more)) wasmill__out_of_memory(bytes);
    return more;
}

/* As malloc, but never NULL. For what outlives a call. */
static inline void *wasmill_malloc(size_t bytes) { return wasmill_realloc(NULL, bytes); }

/* Memory of one call: taken in chunks, given back as a whole. */
typedef struct wasmill__chunk {
    struct wasmill__chunk *next;
    size_t room;
} wasmill__chunk;

typedef struct {
    wasmill__chunk *chunks; /* the newest first */
    size_t used, taken;
} wasmill__arena;

#define WASMILL__ALIGN ((size_t)16)
#define WASMILL__HEAD ((sizeof(wasmill__chunk) + WASMILL__ALIGN - 1) & ~(WASMILL__ALIGN - 1))

static inline void *wasmill__take(wasmill__arena *arena, size_t bytes) {
    if (WASMILL__UNLIKELY(bytes > SIZE_MAX / 4)) wasmill__out_of_memory(bytes);
    bytes = (bytes + WASMILL__ALIGN - 1) & ~(WASMILL__ALIGN - 1);
    if (WASMILL__UNLIKELY(!arena->chunks || arena->chunks->room - arena->used < bytes)) {
        size_t room = bytes > 16384 ? bytes : 16384;
        if (arena->taken / 2 > room) room = arena->taken / 2;
        wasmill__chunk *chunk = (wasmill__chunk *)wasmill_malloc(WASMILL__HEAD + room);
        *chunk = (wasmill__chunk){arena->chunks, room};
        arena->chunks = chunk;
        arena->used = 0;
        arena->taken += room;
    }
    void *memory = (uint8_t *)arena->chunks + WASMILL__HEAD + arena->used;
    arena->used += bytes;
    return memory;
}

/* Forgets everything that was taken. Several chunks become one, so that a like call takes memory once. */
static inline void wasmill__give_back(wasmill__arena *arena) {
    arena->used = 0;
    if (!arena->chunks || !arena->chunks->next) return;
    size_t taken = arena->taken;
    while (arena->chunks) {
        wasmill__chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    arena->taken = 0;
    wasmill__take(arena, taken);
    arena->used = 0;
}

/* A list that grows, with items of `size` bytes. It keeps its room from call to call. */
typedef struct {
    uint8_t *items;
    size_t len, room;
} wasmill__list;

static inline void *wasmill__extend(wasmill__list *list, size_t size, size_t by) {
    if (WASMILL__UNLIKELY(list->room - list->len < by)) {
        size_t need = list->len + by, room = list->room * 2 > 64 ? list->room * 2 : 64;
        if (room < need) room = need;
        if (need < by || room > UINT32_MAX / size) wasmill__out_of_memory(need);
        list->items = (uint8_t *)wasmill_realloc(list->items, room * size);
        list->room = room;
    }
    void *end = list->items + list->len * size;
    list->len += by;
    return end;
}

static inline void wasmill__push32(wasmill__list *list, uint32_t item) {
    memcpy(wasmill__extend(list, sizeof item, 1), &item, sizeof item);
}

static inline uint32_t wasmill__get32(const wasmill__list *list, size_t index) {
    uint32_t item;
    memcpy(&item, list->items + index * sizeof item, sizeof item);
    return item;
}

/* Takes indexes that are `below` no more off the end of an ascending list. */
static inline void wasmill__drop_from(wasmill__list *list, size_t below) {
    while (list->len && wasmill__get32(list, list->len - 1) >= below) list->len--;
}

static inline bool wasmill__has32(const uint32_t *items, size_t len, uint32_t item) {
    size_t low = 0;
    while (low < len) {
        size_t middle = low + (len - low) / 2;
        if (items[middle] == item) return true;
        if (items[middle] < item) low = middle + 1;
        else len = middle;
    }
    return false;
}

/* ---- The contract's own shapes --------------------------------------------------------------------------------- */
/* wit/transform.wit in the canonical ABI of the component model: on wasm32 these structs are what crosses. */

typedef struct { const char *ptr; size_t len; } wasmill__string;
typedef struct { const uint8_t *ptr; size_t len; } wasmill__list_u8;
typedef struct { const uint16_t *ptr; size_t len; } wasmill__list_u16;
typedef struct { const uint32_t *ptr; size_t len; } wasmill__list_u32;
typedef struct { const uint64_t *ptr; size_t len; } wasmill__list_u64;
typedef struct { const int64_t *ptr; size_t len; } wasmill__list_s64;

typedef struct { wasmill__list_u8 data; wasmill__list_u32 ends, nulls; } wasmill__bytes_column;
typedef struct { wasmill__list_u32 row_ends; wasmill__bytes_column names, values; } wasmill__header_column;
typedef struct { wasmill__list_u8 data; wasmill__list_u32 ends, nulls, kept; } wasmill__edited_column;
typedef struct { uint32_t row; wasmill__string reason; } wasmill__reject;

typedef struct {
    wasmill__list_u32 rows;
    wasmill__list_u16 routes;
    struct { uint8_t is; wasmill__edited_column it; } keys, values;
    struct { uint8_t is; wasmill__header_column it; } headers;
    struct { uint8_t is; wasmill__list_s64 it; } timestamps;
    struct { uint8_t is; wasmill__bytes_column it; } targets;
    struct { uint8_t is; wasmill__list_u8 it; } ops;
    struct { uint8_t is; wasmill__list_u64 it; } versions;
    struct { const wasmill__reject *ptr; size_t len; } rejects;
} wasmill__raw_output;

typedef struct {
    uint8_t is_error;
    union { wasmill__raw_output output; struct { uint8_t is_fatal; wasmill__string reason; } error; } as;
} wasmill__transformed;

typedef struct {
    wasmill__string name, summary;
    struct { uint8_t is; wasmill__string it; } fallback;
    uint8_t required;
} wasmill__setting;

typedef struct {
    wasmill__string name, version, summary;
    struct { const wasmill__setting *ptr; size_t len; } settings;
} wasmill__raw_description;

typedef struct {
    uint8_t is_error;
    union {
        struct { struct { const wasmill__string *ptr; size_t len; } routes; uint8_t reads; } plan;
        wasmill__string refusal;
    } as;
} wasmill__started;

typedef struct { wasmill__string name, value; } wasmill__given;

#ifdef __wasm__
_Static_assert(sizeof(wasmill__raw_output) == 220, "the contract's output");
_Static_assert(sizeof(wasmill__transformed) == 224, "the contract's result of transform");
_Static_assert(sizeof(wasmill__setting) == 32 && sizeof(wasmill__raw_description) == 32, "the contract's description");
_Static_assert(sizeof(wasmill__started) == 16, "the contract's result of init");
#endif

/* ---- Who a module is, and how it starts ------------------------------------------------------------------------ */

/* How a call ended. */
typedef enum {
    WASMILL_OK,
    WASMILL_RETRY,   /* wasmill_retry: the same batch again, later */
    WASMILL_FATAL,   /* wasmill_fatal: stop, a person has to look */
    WASMILL_REFUSED, /* wasmill_refuse: init takes no such settings */
} wasmill_result;

/* A module's description of itself. Texts must outlive the call: literals do. */
typedef struct {
    wasmill__raw_description raw;
    wasmill__list settings;
} wasmill_description;

static inline wasmill__string wasmill__string_of(const char *text) { return (wasmill__string){text, strlen(text)}; }

/* Name and version are what people call the module by; the summary says in a sentence what it does. */
static inline void wasmill_describe(wasmill_description *about, const char *name, const char *version,
                                    const char *summary) {
    about->raw.name = wasmill__string_of(name);
    about->raw.version = wasmill__string_of(version);
    about->raw.summary = wasmill__string_of(summary);
}

static inline void wasmill__add_setting(wasmill_description *about, const char *name, const char *summary,
                                        const char *fallback, bool required) {
    wasmill__setting setting = {wasmill__string_of(name), wasmill__string_of(summary), {0, {"", 0}}, required};
    if (fallback) {
        setting.fallback.is = 1;
        setting.fallback.it = wasmill__string_of(fallback);
    }
    memcpy(wasmill__extend(&about->settings, sizeof setting, 1), &setting, sizeof setting);
}

/* A setting that every pipeline must give. */
static inline void wasmill_required(wasmill_description *about, const char *name, const char *summary) {
    wasmill__add_setting(about, name, summary, NULL, true);
}

/* A setting that may be left out. */
static inline void wasmill_optional(wasmill_description *about, const char *name, const char *summary) {
    wasmill__add_setting(about, name, summary, NULL, false);
}

/* A setting with a default. */
static inline void wasmill_default(wasmill_description *about, const char *name, const char *summary,
                                   const char *fallback) {
    wasmill__add_setting(about, name, summary, fallback, false);
}

/* A setting that a pipeline gives. */
typedef struct {
    const char *name, *value;
} wasmill_given;

/* The settings of a pipeline, as its `module.config` gives them. They live as long as the instance. */
typedef struct {
    const wasmill_given *settings;
    size_t len;
} wasmill_config;

/* A setting, or NULL where it is not given. */
static inline const char *wasmill_get(const wasmill_config *config, const char *name) {
    for (size_t i = 0; i < config->len; i++)
        if (strcmp(config->settings[i].name, name) == 0) return config->settings[i].value;
    return NULL;
}

/* A setting, or this where it is not given. */
static inline const char *wasmill_get_or(const wasmill_config *config, const char *name, const char *otherwise) {
    const char *given = wasmill_get(config, name);
    return given ? given : otherwise;
}

/* The parts of a text between commas, trimmed, without empty ones; NULL at the end. They live as long as the instance. */
static inline char **wasmill_parts(const char *text) {
    size_t most = 2, len = strlen(text);
    for (const char *at = text; *at; at++) most += *at == ',';
    char **parts = (char **)wasmill_malloc(most * sizeof *parts + len + 1);
    char *copy = (char *)(parts + most);
    memcpy(copy, text, len + 1);
    size_t count = 0;
    for (char *next = copy, *end; next; next = end ? end + 1 : NULL) {
        end = strchr(next, ',');
        if (end) *end = 0;
        next += strspn(next, " \t");
        for (size_t last = strlen(next); last && strchr(" \t", next[last - 1]);) next[--last] = 0;
        if (*next) parts[count++] = next;
    }
    parts[count] = NULL;
    return parts;
}

/* Columns that a module reads, to be added up with `|`. One that is not read is not copied in: key and value are then
 * null, offset and timestamp 0, and there are no headers. */
enum {
    WASMILL_NOTHING = 0,
    WASMILL_KEYS = 1,
    WASMILL_VALUES = 2,
    WASMILL_HEADERS = 4,
    WASMILL_OFFSETS = 8,
    WASMILL_TIMESTAMPS = 16,
    WASMILL_EVERYTHING = 31,
};

/* What an instance will use: its routes, and the columns that it reads. Reads everything, until told otherwise. */
typedef struct {
    wasmill__list routes;
    uint8_t reads;
    char refusal[512];
    wasmill__arena life; /* what lives as long as the instance */
} wasmill_plan;

/* Adds a route. They are numbered from 0 in the order that they are added in; the first is where records go that name
 * none. The text is copied. */
static inline void wasmill_route(wasmill_plan *plan, const char *name) {
    size_t len = strlen(name);
    char *copy = (char *)wasmill__take(&plan->life, len + 1);
    memcpy(copy, name, len + 1);
    wasmill__string route = {copy, len};
    memcpy(wasmill__extend(&plan->routes, sizeof route, 1), &route, sizeof route);
}

/* Names the columns that the module reads. */
static inline void wasmill_reads(wasmill_plan *plan, unsigned columns) { plan->reads = (uint8_t)(columns & 31); }

/* `return wasmill_refuse(plan, "setting `x`: ...")`: the release is refused with these words. */
WASMILL__PRINTF(2, 3)
static inline wasmill_result wasmill_refuse(wasmill_plan *plan, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(plan->refusal, sizeof plan->refusal, format, args);
    va_end(args);
    return WASMILL_REFUSED;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------ */

/* Rows of one topic-partition, in offset order. */
typedef struct {
    wasmill__string topic_raw;
    uint32_t partition;
    uint32_t rows; /* 0 to 10,000 */
    uint32_t attempt; /* 0 at the first try, then one more for each retry of this batch */
    wasmill__list_u64 offsets;
    wasmill__list_s64 timestamps;
    wasmill__bytes_column keys, values;
    wasmill__header_column headers;
} wasmill_batch;

#ifdef __wasm__
_Static_assert(sizeof(wasmill_batch) == 140, "the contract's batch");
#endif

/* The topic that the rows come from. */
static inline wasmill_bytes wasmill_topic(const wasmill_batch *batch) {
    return wasmill_slice(batch->topic_raw.ptr, batch->topic_raw.len);
}

/* One record. */
typedef struct {
    const wasmill_batch *batch;
    uint32_t index; /* its number in the batch, from 0 */
    wasmill_bytes key, value;
    uint32_t next_;
    struct { uint32_t begin, null; } key_at_, value_at_;
} wasmill_row;

/* The rows, to be gone through with wasmill_next. */
static inline wasmill_row wasmill_rows(const wasmill_batch *batch) {
    wasmill_row row;
    memset(&row, 0, sizeof row);
    row.batch = batch;
    return row;
}

static inline wasmill_bytes wasmill__at(const wasmill__bytes_column *column, uint32_t index) {
    if (index >= column->ends.len) return WASMILL_NULL;
    uint32_t begin = index ? column->ends.ptr[index - 1] : 0;
    return wasmill_slice(column->data.ptr + begin, column->ends.ptr[index] - begin);
}

/* Makes `row` the next one; false where there is none. */
static inline bool wasmill_next(wasmill_row *row) {
    const wasmill_batch *batch = row->batch;
    uint32_t index = row->next_;
    if (index >= batch->rows) return false;
    row->index = index;
    row->next_ = index + 1;
#define WASMILL__STEP(column, field, at)                                                        \
    if (index < (column).ends.len) {                                                            \
        uint32_t begin = (at).begin, end = (column).ends.ptr[index];                            \
        (at).begin = end;                                                                       \
        if ((at).null < (column).nulls.len && (column).nulls.ptr[(at).null] == index) {         \
            (at).null++;                                                                        \
            (field) = WASMILL_NULL;                                                             \
        } else (field) = wasmill_slice((column).data.ptr + begin, end - begin);                 \
    }
    WASMILL__STEP(batch->keys, row->key, row->key_at_)
    WASMILL__STEP(batch->values, row->value, row->value_at_)
#undef WASMILL__STEP
    return true;
}

/* Offset in the partition. */
static inline uint64_t wasmill_offset(const wasmill_row *row) {
    return row->index < row->batch->offsets.len ? row->batch->offsets.ptr[row->index] : 0;
}

/* Milliseconds since the Unix epoch. */
static inline int64_t wasmill_timestamp(const wasmill_row *row) {
    return row->index < row->batch->timestamps.len ? row->batch->timestamps.ptr[row->index] : 0;
}

/* A header of a row; the name is UTF-8 by convention, not by Kafka's protocol. */
typedef struct {
    wasmill_bytes name, value;
    const wasmill__header_column *column_;
    uint32_t next_, end_;
} wasmill_header;

/* The headers of a row in order, to be gone through with wasmill_next_header; a name may come more than once. */
static inline wasmill_header wasmill_headers(const wasmill_row *row) {
    const wasmill__header_column *column = &row->batch->headers;
    wasmill_header header = {WASMILL_NULL, WASMILL_NULL, column, 0, 0};
    if (row->index < column->row_ends.len) {
        header.next_ = row->index ? column->row_ends.ptr[row->index - 1] : 0;
        header.end_ = column->row_ends.ptr[row->index];
    }
    return header;
}

/* Makes `header` the next one; false where there is none. */
static inline bool wasmill_next_header(wasmill_header *header) {
    if (header->next_ >= header->end_) return false;
    uint32_t index = header->next_++;
    const wasmill__bytes_column *values = &header->column_->values;
    bool null = wasmill__has32(values->nulls.ptr, values->nulls.len, index);
    header->name = wasmill__at(&header->column_->names, index);
    header->value = null ? WASMILL_NULL : wasmill__at(values, index);
    return true;
}

/* Value of the last header of that name, as Kafka's own clients look it up; null where there is none. */
static inline wasmill_bytes wasmill_header_value(const wasmill_row *row, const char *name) {
    wasmill_bytes found = WASMILL_NULL;
    for (wasmill_header header = wasmill_headers(row); wasmill_next_header(&header);)
        if (wasmill_equal(header.name, name)) found = header.value;
    return found;
}

/* ---- What becomes of them -------------------------------------------------------------------------------------- */

/* What a sink is to do with a record. Kafka knows only put and delete (a tombstone). */
typedef enum {
    WASMILL_PUT,    /* write, replacing what is there */
    WASMILL_CREATE, /* write only if nothing is there */
    WASMILL_MERGE,  /* merge into what is there */
    WASMILL_DELETE, /* remove */
} wasmill_op;

/* A column of byte strings of which some records keep their row's own. It has come to be once one has its own. */
typedef struct { wasmill__list data, ends, nulls, kept; } wasmill__edited;

/* A column of numbers: the records that have one, and what they have. */
typedef struct { wasmill__list records, numbers; } wasmill__sparse;

/* The records that come out of a batch, and the rows that are rejected. */
typedef struct {
    const wasmill_batch *batch;
    wasmill__list rows;
    wasmill__edited keys, values, targets;
    wasmill__sparse routes, timestamps, ops, versions;
    struct { bool touched, unread; wasmill__list row_ends, name_data, name_ends, value_data, value_ends, nulls; } headers;
    wasmill__list rejects;
    wasmill__arena arena;
    wasmill__string words;
    char mistake[192];
} wasmill_output;

/* Memory until the end of the call; aligned for anything, never NULL, no free. */
static inline void *wasmill_alloc(wasmill_output *out, size_t bytes) { return wasmill__take(&out->arena, bytes); }

static inline wasmill__string wasmill__vformat(wasmill_output *out, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len < 0) len = 0;
    char *text = (char *)wasmill_alloc(out, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return (wasmill__string){text, (size_t)len};
}

/* As printf, into memory of this call. */
WASMILL__PRINTF(2, 3)
static inline wasmill_bytes wasmill_format(wasmill_output *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    wasmill__string text = wasmill__vformat(out, format, args);
    va_end(args);
    return wasmill_slice(text.ptr, text.len);
}

/* Text that the contract takes: what is not UTF-8 is replaced by U+FFFD. */
static inline wasmill__string wasmill__utf8(wasmill_output *out, wasmill__string text) {
    const uint8_t *bytes = (const uint8_t *)text.ptr;
    if (wasmill_is_utf8(wasmill_slice(bytes, text.len))) return text;
    char *mended = (char *)wasmill_alloc(out, text.len * 3);
    size_t to = 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = wasmill__utf8_next(bytes + at, text.len - at);
        memcpy(mended + to, len ? (const char *)bytes + at : "\xef\xbf\xbd", len ? len : 3);
        to += len ? len : 3;
        at += len ? len : 1;
    }
    return (wasmill__string){mended, to};
}

#define WASMILL__SAY(out)                                                \
    va_list args;                                                        \
    va_start(args, format);                                              \
    wasmill__string words = wasmill__utf8(out, wasmill__vformat(out, format, args)); \
    va_end(args)

/* `return wasmill_retry(out, "...")`: the same batch again after a back-off, within the pipeline's limit of retries. */
WASMILL__PRINTF(2, 3)
static inline wasmill_result wasmill_retry(wasmill_output *out, const char *format, ...) {
    WASMILL__SAY(out);
    out->words = words;
    return WASMILL_RETRY;
}

/* `return wasmill_fatal(out, "...")`: the pipeline stops, a person has to look. */
WASMILL__PRINTF(2, 3)
static inline wasmill_result wasmill_fatal(wasmill_output *out, const char *format, ...) {
    WASMILL__SAY(out);
    out->words = words;
    return WASMILL_FATAL;
}

/* Number of records so far. */
static inline size_t wasmill_len(const wasmill_output *out) { return out->rows.len; }

static inline void wasmill__mistake(wasmill_output *out, const char *format, uint32_t row, uint32_t last) {
    if (!out->mistake[0]) snprintf(out->mistake, sizeof out->mistake, format, row, last);
}

/* Sends a row on. The wasmill_set_ functions are about the record that was kept last. */
static inline void wasmill_keep(wasmill_output *out, const wasmill_row *row) {
    if (out->rows.len) {
        uint32_t last = wasmill__get32(&out->rows, out->rows.len - 1);
        if (WASMILL__UNLIKELY(row->index < last))
            wasmill__mistake(out, "row %u was kept after row %u: keep rows in the order of the batch", row->index, last);
    }
    wasmill__push32(&out->rows, row->index);
}

/* Sends every row on as it is: the cheapest there is. */
static inline void wasmill_keep_all(wasmill_output *out, const wasmill_batch *batch) {
    uint32_t last = out->rows.len ? wasmill__get32(&out->rows, out->rows.len - 1) : 0;
    if (last && batch->rows)
        wasmill__mistake(out, "row %u was kept after row %u: keep rows in the order of the batch", 0, last);
    uint8_t *to = (uint8_t *)wasmill__extend(&out->rows, sizeof(uint32_t), batch->rows);
    for (uint32_t row = 0; row < batch->rows; row++, to += sizeof row) memcpy(to, &row, sizeof row);
}

static inline size_t wasmill__last(const wasmill_output *out, const char *what) {
    if (WASMILL__UNLIKELY(!out->rows.len)) wasmill_panic("%s: no record was kept yet", what);
    return out->rows.len - 1;
}

static inline void wasmill__truncate_edited(wasmill__edited *column, size_t records) {
    if (column->ends.len <= records) return;
    column->ends.len = records;
    column->data.len = records ? wasmill__get32(&column->ends, records - 1) : 0;
    wasmill__drop_from(&column->nulls, records);
    wasmill__drop_from(&column->kept, records);
}

static inline void wasmill__keep_up_to(wasmill__edited *column, size_t records) {
    for (size_t record = column->ends.len; record < records; record++) {
        wasmill__push32(&column->kept, (uint32_t)record);
        wasmill__push32(&column->ends, (uint32_t)column->data.len);
    }
}

/* Makes room for a record's own: those before it that were not set keep their row's, and what it had is forgotten. */
static inline void wasmill__open(wasmill__edited *column, size_t record) {
    if (column->ends.len == record) return;
    wasmill__truncate_edited(column, record);
    wasmill__keep_up_to(column, record);
}

static inline void wasmill__push_bytes(wasmill__list *data, wasmill_bytes bytes) {
    if (bytes.len) memcpy(wasmill__extend(data, 1, bytes.len), bytes.data, bytes.len);
}

static inline void wasmill__set(wasmill__edited *column, size_t record, wasmill_bytes bytes) {
    wasmill__open(column, record);
    if (bytes.data) wasmill__push_bytes(&column->data, bytes);
    else wasmill__push32(&column->nulls, (uint32_t)record);
    wasmill__push32(&column->ends, (uint32_t)column->data.len);
}

/* Sets the key; WASMILL_NULL takes it away. */
static inline void wasmill_set_key(wasmill_output *out, wasmill_bytes key) {
    wasmill__set(&out->keys, wasmill__last(out, "wasmill_set_key"), key);
}

/* Sets the value; WASMILL_NULL makes it a tombstone, and a sink removes what the key names. */
static inline void wasmill_set_value(wasmill_output *out, wasmill_bytes value) {
    wasmill__set(&out->values, wasmill__last(out, "wasmill_set_value"), value);
}

/* Adds bytes to the value that was set; the first ones replace the row's own. */
static inline void wasmill_append_value(wasmill_output *out, wasmill_bytes bytes) {
    size_t record = wasmill__last(out, "wasmill_append_value");
    wasmill__edited *column = &out->values;
    bool begun = column->ends.len == record + 1
                 && !(column->nulls.len && wasmill__get32(&column->nulls, column->nulls.len - 1) == record);
    if (!begun) {
        wasmill__set(column, record, wasmill_slice(bytes.data, bytes.len));
        return;
    }
    wasmill__push_bytes(&column->data, bytes);
    uint32_t end = (uint32_t)column->data.len;
    memcpy(column->ends.items + record * sizeof end, &end, sizeof end);
}

/* Says where inside the sink: topic, index or key. Unsaid: as the sink is configured. */
static inline void wasmill_set_target(wasmill_output *out, wasmill_bytes target) {
    wasmill__set(&out->targets, wasmill__last(out, "wasmill_set_target"), wasmill_slice(target.data, target.len));
}

static inline void wasmill__set_number(wasmill__sparse *column, size_t record, uint64_t number) {
    if (!column->records.len || wasmill__get32(&column->records, column->records.len - 1) != record) {
        wasmill__push32(&column->records, (uint32_t)record);
        wasmill__extend(&column->numbers, sizeof number, 1);
    }
    memcpy(column->numbers.items + (column->numbers.len - 1) * sizeof number, &number, sizeof number);
}

/* Sends it to another route than the first, by its number in the plan. */
static inline void wasmill_set_route(wasmill_output *out, uint16_t route) {
    wasmill__set_number(&out->routes, wasmill__last(out, "wasmill_set_route"), route);
}

/* Sets the timestamp, in milliseconds since the Unix epoch. The plan reads timestamps, or every record's is set. */
static inline void wasmill_set_timestamp(wasmill_output *out, int64_t timestamp) {
    wasmill__set_number(&out->timestamps, wasmill__last(out, "wasmill_set_timestamp"), (uint64_t)timestamp);
}

/* Says what the sink is to do. Unsaid: put, or delete where the value is null. */
static inline void wasmill_set_op(wasmill_output *out, wasmill_op op) {
    wasmill__set_number(&out->ops, wasmill__last(out, "wasmill_set_op"), (uint64_t)op);
}

/* For sinks that keep the newest: a number that grows with each change of the same key. Once one record of a batch has
 * a version, the others have 0. */
static inline void wasmill_set_version(wasmill_output *out, uint64_t version) {
    wasmill__set_number(&out->versions, wasmill__last(out, "wasmill_set_version"), version);
}

static inline void wasmill__push_header(wasmill_output *out, wasmill_bytes name, wasmill_bytes value) {
    wasmill__push_bytes(&out->headers.name_data, name);
    if (value.data) wasmill__push_bytes(&out->headers.value_data, value);
    else wasmill__push32(&out->headers.nulls, (uint32_t)out->headers.value_ends.len);
    wasmill__push32(&out->headers.name_ends, (uint32_t)out->headers.name_data.len);
    wasmill__push32(&out->headers.value_ends, (uint32_t)out->headers.value_data.len);
}

/* The contract knows no kept headers: once a record has its own, those before it take their row's. */
static inline void wasmill__fill_headers(wasmill_output *out, size_t records) {
    while (out->headers.row_ends.len < records) {
        wasmill_row row = {.batch = out->batch, .index = wasmill__get32(&out->rows, out->headers.row_ends.len)};
        out->headers.unread |= !out->batch->headers.row_ends.len;
        for (wasmill_header header = wasmill_headers(&row); wasmill_next_header(&header);)
            wasmill__push_header(out, header.name, header.value);
        wasmill__push32(&out->headers.row_ends, (uint32_t)out->headers.name_ends.len);
    }
}

static inline void wasmill__truncate_headers(wasmill_output *out, size_t records) {
    if (out->headers.row_ends.len <= records) return;
    out->headers.row_ends.len = records;
    size_t left = records ? wasmill__get32(&out->headers.row_ends, records - 1) : 0;
    out->headers.name_ends.len = out->headers.value_ends.len = left;
    out->headers.name_data.len = left ? wasmill__get32(&out->headers.name_ends, left - 1) : 0;
    out->headers.value_data.len = left ? wasmill__get32(&out->headers.value_ends, left - 1) : 0;
    wasmill__drop_from(&out->headers.nulls, left);
}

/* Adds a header after those that the record has. The plan reads headers, or wasmill_no_headers is called on every
 * record. */
static inline void wasmill_add_header(wasmill_output *out, wasmill_bytes name, wasmill_bytes value) {
    size_t record = wasmill__last(out, "wasmill_add_header");
    out->headers.touched = true;
    wasmill__fill_headers(out, record + 1);
    wasmill__push_header(out, name, value);
    uint32_t end = (uint32_t)out->headers.name_ends.len;
    memcpy(out->headers.row_ends.items + record * sizeof end, &end, sizeof end);
}

/* Takes all headers away; wasmill_add_header may add new ones. */
static inline void wasmill_no_headers(wasmill_output *out) {
    size_t record = wasmill__last(out, "wasmill_no_headers");
    out->headers.touched = true;
    wasmill__truncate_headers(out, record);
    wasmill__fill_headers(out, record);
    wasmill__push32(&out->headers.row_ends, (uint32_t)out->headers.name_ends.len);
}

static inline void wasmill__truncate_sparse(wasmill__sparse *column, size_t records) {
    wasmill__drop_from(&column->records, records);
    column->numbers.len = column->records.len;
}

static inline void wasmill__truncate(wasmill_output *out, size_t records) {
    wasmill__edited *edited[] = {&out->keys, &out->values, &out->targets};
    wasmill__sparse *sparse[] = {&out->routes, &out->timestamps, &out->ops, &out->versions};
    for (size_t i = 0; i < 3; i++) wasmill__truncate_edited(edited[i], records);
    for (size_t i = 0; i < 4; i++) wasmill__truncate_sparse(sparse[i], records);
    wasmill__truncate_headers(out, records);
}

/* Sends a row to the pipeline's dead letters. Records that this row was kept for are taken back. */
WASMILL__PRINTF(3, 4)
static inline void wasmill_reject(wasmill_output *out, const wasmill_row *row, const char *format, ...) {
    WASMILL__SAY(out);
    while (out->rows.len && wasmill__get32(&out->rows, out->rows.len - 1) == row->index) out->rows.len--;
    wasmill__truncate(out, out->rows.len);
    wasmill__reject reject = {row->index, words};
    memcpy(wasmill__extend(&out->rejects, sizeof reject, 1), &reject, sizeof reject);
}

/* ---- What the host hears --------------------------------------------------------------------------------------- */

typedef enum { WASMILL_TRACE, WASMILL_DEBUG, WASMILL_INFO, WASMILL_WARN, WASMILL_ERROR } wasmill_level;

#ifdef __wasm__
#define WASMILL__IMPORT(interface, name) \
    __attribute__((import_module("wasmill:transform/" interface "@0.1.0"), import_name(name)))
WASMILL__IMPORT("log", "write") void wasmill__log_write(uint32_t level, const char *text, size_t len);
WASMILL__IMPORT("metrics", "count") void wasmill__metrics_count(const char *name, size_t len, uint64_t by);
WASMILL__IMPORT("metrics", "observe") void wasmill__metrics_observe(const char *name, size_t len, double value);
#endif

/* A log line: shown by `wasmill logs`, with the pipeline and the release; 1 KiB of it. Natively: standard error. */
WASMILL__PRINTF(2, 3) static inline void wasmill_log(wasmill_level level, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    int said = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t len = said < 0 ? 0 : (size_t)said < sizeof line ? (size_t)said : sizeof line - 1;
    /* The contract takes UTF-8 alone; a line that was cut may end within a character. */
    size_t at = 0, next;
    for (; at < len; at += next) {
        next = wasmill__utf8_next((const uint8_t *)line + at, len - at);
        if (next) continue;
        if (said >= (int)sizeof line && len - at < 4) break;
        line[at] = '?';
        next = 1;
    }
#ifdef __wasm__
    wasmill__log_write((uint32_t)level, line, at);
#else
    static const char *const names[] = {"trace", "debug", "info", "warn", "error"};
    fprintf(stderr, "%s: %.*s\n", names[level], (int)at, line);
#endif
}

/* Adds to a counter of the module's own: `[a-z0-9_]{1,64}`, at most 64 names. Natively: nowhere. */
static inline void wasmill_count(const char *name, uint64_t by) {
#ifdef __wasm__
    wasmill__metrics_count(name, strlen(name), by);
#else
    (void)name, (void)by;
#endif
}

/* Notes a value of which the distribution matters. Natively: nowhere. */
static inline void wasmill_observe(const char *name, double value) {
#ifdef __wasm__
    wasmill__metrics_observe(name, strlen(name), value);
#else
    (void)name, (void)value;
#endif
}

/* ---- Between these functions and the contract ------------------------------------------------------------------ */

typedef struct {
    void (*describe)(wasmill_description *about);
    wasmill_result (*init)(const wasmill_config *config, wasmill_plan *plan);
    wasmill_result (*transform)(const wasmill_batch *batch, wasmill_output *out);
    wasmill_description about;
    wasmill_config config;
    wasmill_plan plan;
    wasmill_output out;
    wasmill__started start;
    wasmill__transformed answer;
    bool started;
} wasmill__module;

static inline void wasmill__begin(wasmill_output *out, const wasmill_batch *batch) {
    wasmill__truncate(out, 0);
    out->batch = batch;
    out->rows.len = out->rejects.len = 0;
    out->headers.touched = out->headers.unread = false;
    out->mistake[0] = 0;
    out->words = (wasmill__string){"", 0};
}

/* Of a list that never held anything the pointer is not used, but the contract wants one. */
static const uint64_t wasmill__nothing = 0;

static inline const void *wasmill__items(const wasmill__list *list) {
    return list->items ? (const void *)list->items : (const void *)&wasmill__nothing;
}

#define WASMILL__U8(list) ((wasmill__list_u8){(const uint8_t *)wasmill__items(&(list)), (list).len})
#define WASMILL__U32(list) ((wasmill__list_u32){(const uint32_t *)wasmill__items(&(list)), (list).len})

/* No record has its own; one that had may have been taken back. */
static inline bool wasmill__is_untouched(const wasmill__edited *column) { return column->kept.len == column->ends.len; }

static inline uint8_t wasmill__finish_edited(wasmill__edited *column, size_t records, wasmill__edited_column *to) {
    if (wasmill__is_untouched(column)) return 0;
    wasmill__keep_up_to(column, records);
    *to = (wasmill__edited_column){WASMILL__U8(column->data), WASMILL__U32(column->ends), WASMILL__U32(column->nulls),
                                   WASMILL__U32(column->kept)};
    return 1;
}

/* One number for each record, 0 for those that none was set for. */
static inline uint64_t *wasmill__whole(wasmill_output *out, const wasmill__sparse *column) {
    size_t bytes = out->rows.len * sizeof(uint64_t);
    uint64_t *whole = (uint64_t *)wasmill_alloc(out, bytes);
    memset(whole, 0, bytes);
    for (size_t i = 0; i < column->records.len; i++)
        memcpy(&whole[wasmill__get32(&column->records, i)], column->numbers.items + i * sizeof *whole, sizeof *whole);
    return whole;
}

/* Stable, and quick where rows were rejected in order, as they usually are. The first reason of a row holds. */
static inline void wasmill__sort_rejects(wasmill__list *rejects) {
    wasmill__reject *all = (wasmill__reject *)(void *)rejects->items;
    size_t kept = 0;
    for (size_t i = 0; i < rejects->len; i++) {
        wasmill__reject one = all[i];
        size_t at = kept;
        while (at && all[at - 1].row > one.row) at--;
        if (at && all[at - 1].row == one.row) continue;
        memmove(all + at + 1, all + at, (kept - at) * sizeof one);
        all[at] = one;
        kept++;
    }
    rejects->len = kept;
}

/* What the host does with a record without an op, so that one record's op changes nothing for the others. */
static inline wasmill_op wasmill__usual_op(const wasmill_output *out, uint32_t record) {
    const wasmill__edited *values = &out->values;
    bool own = values->ends.len <= record
               || wasmill__has32((const uint32_t *)wasmill__items(&values->kept), values->kept.len, record);
    const wasmill__list_u32 nulls = own ? out->batch->values.nulls : WASMILL__U32(values->nulls);
    uint32_t index = own ? wasmill__get32(&out->rows, record) : record;
    return wasmill__has32(nulls.ptr, nulls.len, index) ? WASMILL_DELETE : WASMILL_PUT;
}

/* Answers what is wrong, or NULL. */
static inline const char *wasmill__finish(wasmill_output *out, wasmill__raw_output *raw) {
    size_t records = out->rows.len;
    memset(raw, 0, sizeof *raw);
    if (out->mistake[0]) return out->mistake;
    wasmill__sort_rejects(&out->rejects);
    const wasmill__reject *rejects = (const wasmill__reject *)wasmill__items(&out->rejects);
    for (size_t i = 0; i < out->rejects.len; i++)
        if (wasmill__has32((const uint32_t *)wasmill__items(&out->rows), records, rejects[i].row)) {
            wasmill__mistake(out, "row %u was both kept and rejected: it can only be one of them", rejects[i].row, 0);
            return out->mistake;
        }
    if (out->headers.touched) {
        wasmill__fill_headers(out, records);
        if (out->headers.unread)
            return "a record's headers were set, and the headers of others would be lost: the plan does not read "
                   "headers. Add WASMILL_HEADERS to it, or call wasmill_no_headers on every record";
        raw->headers.is = 1;
        raw->headers.it.row_ends = WASMILL__U32(out->headers.row_ends);
        raw->headers.it.names.data = WASMILL__U8(out->headers.name_data);
        raw->headers.it.names.ends = WASMILL__U32(out->headers.name_ends);
        raw->headers.it.names.nulls = (wasmill__list_u32){(const uint32_t *)(const void *)&wasmill__nothing, 0};
        raw->headers.it.values.data = WASMILL__U8(out->headers.value_data);
        raw->headers.it.values.ends = WASMILL__U32(out->headers.value_ends);
        raw->headers.it.values.nulls = WASMILL__U32(out->headers.nulls);
    }
    raw->rows = WASMILL__U32(out->rows);
    raw->routes.ptr = (const uint16_t *)(const void *)&wasmill__nothing;
    raw->rejects.ptr = rejects;
    raw->rejects.len = out->rejects.len;
    raw->keys.is = wasmill__finish_edited(&out->keys, records, &raw->keys.it);
    if (out->ops.records.len) {
        uint8_t *ops = (uint8_t *)wasmill_alloc(out, records);
        for (size_t record = 0, at = 0; record < records; record++) {
            bool set = at < out->ops.records.len && wasmill__get32(&out->ops.records, at) == record;
            ops[record] = set ? out->ops.numbers.items[sizeof(uint64_t) * at++]
                              : (uint8_t)wasmill__usual_op(out, (uint32_t)record);
        }
        raw->ops.is = 1;
        raw->ops.it = (wasmill__list_u8){ops, records};
    }
    raw->values.is = wasmill__finish_edited(&out->values, records, &raw->values.it);
    wasmill__edited_column targets;
    if ((raw->targets.is = wasmill__finish_edited(&out->targets, records, &targets)))
        raw->targets.it = (wasmill__bytes_column){targets.data, targets.ends, targets.kept};
    if (out->routes.records.len) {
        uint64_t *whole = wasmill__whole(out, &out->routes);
        uint16_t *routes = (uint16_t *)wasmill_alloc(out, records * sizeof *routes);
        for (size_t record = 0; record < records; record++) routes[record] = (uint16_t)whole[record];
        raw->routes = (wasmill__list_u16){routes, records};
    }
    if (out->versions.records.len) {
        raw->versions.is = 1;
        raw->versions.it = (wasmill__list_u64){wasmill__whole(out, &out->versions), records};
    }
    if (out->timestamps.records.len) {
        int64_t *whole = (int64_t *)wasmill__whole(out, &out->timestamps);
        for (size_t record = 0, at = 0; record < records; record++) {
            if (at < out->timestamps.records.len && wasmill__get32(&out->timestamps.records, at) == record) {
                at++;
                continue;
            }
            uint32_t row = wasmill__get32(&out->rows, record);
            if (row >= out->batch->timestamps.len)
                return "some records' timestamps were set, and those of others would be lost: the plan does not read "
                       "timestamps. Add WASMILL_TIMESTAMPS to it, or set the timestamp of every record";
            whole[record] = out->batch->timestamps.ptr[row];
        }
        raw->timestamps.is = 1;
        raw->timestamps.it = (wasmill__list_s64){whole, records};
    }
    return NULL;
}

/* A line that is printed is a line of the log at once, and not one of a block that a trap would lose. */
static inline void wasmill__print_lines(void) {
#ifdef __wasm__
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
#endif
}

static inline const wasmill__raw_description *wasmill__describe(wasmill__module *module) {
    wasmill__print_lines();
    module->about.settings.len = 0;
    wasmill_describe(&module->about, "", "", "");
    module->describe(&module->about);
    module->about.raw.settings.ptr = (const wasmill__setting *)wasmill__items(&module->about.settings);
    module->about.raw.settings.len = module->about.settings.len;
    return &module->about.raw;
}

static inline const wasmill__started *wasmill__init(wasmill__module *module, const wasmill__given *given, size_t len) {
    wasmill_plan *plan = &module->plan;
    wasmill__print_lines();
    wasmill__give_back(&plan->life);
    wasmill_given *settings = (wasmill_given *)wasmill__take(&plan->life, len * sizeof *settings);
    for (size_t i = 0; i < len; i++) {
        const wasmill__string both[] = {given[i].name, given[i].value};
        char *copies[2];
        for (size_t one = 0; one < 2; one++) {
            copies[one] = (char *)wasmill__take(&plan->life, both[one].len + 1);
            if (both[one].len) memcpy(copies[one], both[one].ptr, both[one].len);
            copies[one][both[one].len] = 0;
        }
        settings[i] = (wasmill_given){copies[0], copies[1]};
    }
    module->config = (wasmill_config){settings, len};
    plan->routes.len = 0;
    plan->reads = WASMILL_EVERYTHING;
    plan->refusal[0] = 0;
    memset(&module->start, 0, sizeof module->start);
    module->started = module->init(&module->config, plan) == WASMILL_OK;
    if (module->started) {
        module->start.as.plan.routes.ptr = (const wasmill__string *)wasmill__items(&plan->routes);
        module->start.as.plan.routes.len = plan->routes.len;
        module->start.as.plan.reads = plan->reads;
    } else {
        module->start.is_error = 1;
        module->start.as.refusal = wasmill__utf8(&module->out, wasmill__string_of(plan->refusal));
    }
    return &module->start;
}

static inline const wasmill__transformed *wasmill__transform(wasmill__module *module, const wasmill_batch *batch) {
    wasmill__transformed *answer = &module->answer;
    wasmill_output *out = &module->out;
    wasmill__begin(out, batch);
    wasmill_result result = WASMILL_FATAL;
    if (module->started) result = module->transform(batch, out);
    else wasmill_fatal(out, "transform was called before init");
    const char *mistake = result == WASMILL_OK ? wasmill__finish(out, &answer->as.output) : NULL;
    answer->is_error = result != WASMILL_OK || mistake;
    if (answer->is_error) {
        memset(&answer->as, 0, sizeof answer->as);
        answer->as.error.is_fatal = result != WASMILL_RETRY;
        answer->as.error.reason = mistake ? wasmill__string_of(mistake) : out->words;
    }
    fflush(stdout);
    return answer;
}

/* Makes three functions the module of this program; once in a program, after them. */
#ifdef __wasm__
#define WASMILL__EXPORT(name) __attribute__((export_name(name)))
#define WASMILL_MODULE(describe, init, transform)                                                                    \
    static wasmill__module wasmill__self = {.describe = (describe), .init = (init), .transform = (transform)};                         \
    WASMILL__EXPORT("wasmill:transform/meta@0.1.0#describe")                                                         \
    const void *wasmill__export_describe(void) { return wasmill__describe(&wasmill__self); }                         \
    WASMILL__EXPORT("wasmill:transform/meta@0.1.0#init")                                                             \
    const void *wasmill__export_init(const wasmill__given *given, size_t len) {                                      \
        return wasmill__init(&wasmill__self, given, len);                                                            \
    }                                                                                                                \
    WASMILL__EXPORT("wasmill:transform/columns@0.1.0#transform")                                                     \
    const void *wasmill__export_transform(const wasmill_batch *batch) {                                              \
        return wasmill__transform(&wasmill__self, batch);                                                            \
    }                                                                                                                \
    /* What the host laid into this memory for a call, and what the call took, goes when its answer was read. */     \
    WASMILL__EXPORT("cabi_post_wasmill:transform/meta@0.1.0#init")                                                   \
    void wasmill__after_init(const void *answer) { (void)answer, wasmill__give_back(&wasmill__self.out.arena); }     \
    WASMILL__EXPORT("cabi_post_wasmill:transform/columns@0.1.0#transform")                                           \
    void wasmill__after_transform(const void *answer) { (void)answer, wasmill__give_back(&wasmill__self.out.arena); } \
    WASMILL__EXPORT("cabi_realloc") void *wasmill__lay(void *old, size_t old_len, size_t align, size_t len) {        \
        (void)align; /* at most 8, and ours is 16 */                                                                 \
        void *memory = wasmill__take(&wasmill__self.out.arena, len);                                                 \
        if (old_len) memcpy(memory, old, old_len < len ? old_len : len);                                             \
        return memory;                                                                                               \
    }                                                                                                                \
    /* What the adapter for WASI takes once, at the start, it keeps. */                                              \
    WASMILL__EXPORT("cabi_realloc_adapter")                                                                          \
    void *wasmill__lay_adapter(void *old, size_t old_len, size_t align, size_t len) {                                \
        (void)old, (void)old_len, (void)align;                                                                       \
        return wasmill_malloc(len);                                                                                  \
    }
#else
#define WASMILL_MODULE(describe, init, transform) \
    static wasmill__module wasmill__self = {.describe = (describe), .init = (init), .transform = (transform)};
#endif

#endif
