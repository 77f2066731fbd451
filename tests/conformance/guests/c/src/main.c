/* The conformance guest in C. tests/conformance/README.md says what each `do` does. */
#include "wasmill.h"

static const char *what;
static const wasmill_config *settings;
static char **routes;
static unsigned long times;
static unsigned long long seen; /* rows seen by this instance */

static void describe(wasmill_description *about) {
    wasmill_describe(about, MODULE, "1.0.0", "Does what the conformance suite asks for.");
    wasmill_required(about, "do", "what to do with each row");
    wasmill_default(about, "routes", "the routes, between commas", "out");
    wasmill_optional(about, "times", "a number that some need");
    wasmill_optional(about, "note", "not used");
}

typedef void act(const wasmill_row *row, wasmill_output *out);

static bool is_bad(wasmill_bytes value) { return wasmill_begins(value, "bad"); }

static void even(const wasmill_row *row, wasmill_output *out) {
    if (row->index % 2 == 0) wasmill_keep(out, row);
}

static void none(const wasmill_row *row, wasmill_output *out) { (void)row, (void)out; }

static void copy(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_set_key(out, row->key);
    wasmill_set_value(out, row->value);
    wasmill_set_timestamp(out, wasmill_timestamp(row));
    wasmill_no_headers(out);
    for (wasmill_header header = wasmill_headers(row); wasmill_next_header(&header);)
        wasmill_add_header(out, header.name, header.value);
}

static void thrice(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_keep(out, row);
    wasmill_set_value(out, row->key);
    wasmill_keep(out, row);
    wasmill_set_value(out, wasmill_text(""));
}

static void tombstone(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_set_value(out, WASMILL_NULL);
}

static void swap(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_set_key(out, row->value);
    wasmill_set_value(out, row->key);
}

/* C has no type for text: bytes that are UTF-8 are. */
static void text(const wasmill_row *row, wasmill_output *out) {
    if (!wasmill_is_null(row->value) && !wasmill_is_utf8(row->value)) {
        wasmill_reject(out, row, "not UTF-8");
        return;
    }
    wasmill_keep(out, row);
    if (wasmill_is_null(row->value)) return;
    wasmill_append_value(out, row->value);
    wasmill_append_value(out, wasmill_text("!"));
}

static void length(const wasmill_row *row, wasmill_output *out) {
    const wasmill_bytes both[] = {row->key, row->value};
    wasmill_keep(out, row);
    for (int i = 0; i < 2; i++) {
        wasmill_append_value(out, wasmill_text(i ? ":" : ""));
        wasmill_append_value(out, both[i].data ? wasmill_format(out, "%zu", both[i].len) : wasmill_text("-"));
    }
}

static void info(const wasmill_row *row, wasmill_output *out) {
    const wasmill_batch *batch = row->batch;
    wasmill_keep(out, row);
    wasmill_set_value(out, wasmill_format(out, "%.*s/%u/%llu/%lld/%u/%u", WASMILL_ARG(wasmill_topic(batch)),
                                          batch->partition, (unsigned long long)wasmill_offset(row),
                                          (long long)wasmill_timestamp(row), batch->attempt, batch->rows));
}

static void headers(const wasmill_row *row, wasmill_output *out) {
    wasmill_header all[64];
    size_t len = 0;
    for (wasmill_header header = wasmill_headers(row); wasmill_next_header(&header);) {
        if (len == 64) wasmill_panic("more than 64 headers in row %u", row->index);
        all[len++] = header;
    }
    wasmill_keep(out, row);
    wasmill_no_headers(out);
    while (len--) wasmill_add_header(out, all[len].name, all[len].value);
    wasmill_add_header(out, wasmill_text("added"), wasmill_text("1"));
    wasmill_add_header(out, wasmill_text("none"), WASMILL_NULL);
}

static void route(const wasmill_row *row, wasmill_output *out) {
    for (uint16_t number = 0; routes[number]; number++) {
        if (!wasmill_equal(row->value, routes[number])) continue;
        wasmill_keep(out, row);
        wasmill_set_route(out, number);
        return;
    }
}

static void target(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    if (!wasmill_is_null(row->key)) wasmill_set_target(out, row->key);
}

static void op(const wasmill_row *row, wasmill_output *out) {
    static const wasmill_op ops[] = {WASMILL_PUT, WASMILL_CREATE, WASMILL_MERGE, WASMILL_DELETE};
    wasmill_keep(out, row);
    wasmill_set_op(out, ops[row->index % 4]);
}

static void version(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_set_version(out, wasmill_offset(row) * 10 + 1);
}

static void reject(const wasmill_row *row, wasmill_output *out) {
    if (is_bad(row->value)) wasmill_reject(out, row, "row %u: %.*s", row->index, WASMILL_ARG(row->value));
    else wasmill_keep(out, row);
}

static void throw(const wasmill_row *row, wasmill_output *out) {
    if (wasmill_equal(row->value, "boom")) wasmill_panic("boom at row %u", row->index);
    wasmill_keep(out, row);
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const wasmill_given *)left)->name, ((const wasmill_given *)right)->name);
}

static void config(const wasmill_row *row, wasmill_output *out) {
    if (row->index) return;
    wasmill_given *sorted = wasmill_alloc(out, settings->len * sizeof *sorted);
    memcpy(sorted, settings->settings, settings->len * sizeof *sorted);
    qsort(sorted, settings->len, sizeof *sorted, by_name);
    wasmill_keep(out, row);
    for (size_t i = 0; i < settings->len; i++)
        wasmill_append_value(out, wasmill_format(out, "%s%s=%s", i ? ";" : "", sorted[i].name, sorted[i].value));
}

static void count(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_set_value(out, wasmill_format(out, "%llu", seen));
}

static void grow(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_set_value(out, wasmill_text(""));
    for (unsigned long i = 0; i < times; i++) wasmill_append_value(out, row->value);
}

static void speak(const wasmill_row *row, wasmill_output *out) {
    wasmill_log(WASMILL_INFO, "%.*s", WASMILL_ARG(row->value));
    puts("value");
    wasmill_count("seen", 1);
    wasmill_observe("bytes", (double)row->value.len);
    wasmill_keep(out, row);
}

static void spin(const wasmill_row *row, wasmill_output *out) {
    (void)row, (void)out;
    for (volatile unsigned turns = 0;; turns = turns + 1) {}
}

static void allocate(const wasmill_row *row, wasmill_output *out) {
    (void)row;
    for (;;) memset(wasmill_alloc(out, 1 << 20), 1, 1 << 20);
}

static int deeper(volatile int depth) {
    volatile int frame[64];
    frame[(unsigned)depth % 64] = depth;
    return depth < 0 ? 0 : deeper(depth + 1) + frame[(unsigned)depth % 64];
}

static void recurse(const wasmill_row *row, wasmill_output *out) {
    wasmill_keep(out, row);
    wasmill_set_value(out, wasmill_format(out, "%d", deeper(1)));
}

static void flood(const wasmill_row *row, wasmill_output *out) {
    (void)row, (void)out;
    for (;;) puts("and on, and on, and on");
}

static void keep(const wasmill_row *row, wasmill_output *out) { wasmill_keep(out, row); }

static const struct {
    const char *name;
    unsigned reads;
    act *act;
} ACTS[] = {
    {"keep", WASMILL_NOTHING, keep},
    {"copy", WASMILL_EVERYTHING, copy},
    {"even", WASMILL_NOTHING, even},
    {"none", WASMILL_NOTHING, none},
    {"thrice", WASMILL_KEYS, thrice},
    {"tombstone", WASMILL_NOTHING, tombstone},
    {"swap", WASMILL_KEYS | WASMILL_VALUES, swap},
    {"text", WASMILL_VALUES, text},
    {"length", WASMILL_KEYS | WASMILL_VALUES, length},
    {"info", WASMILL_OFFSETS | WASMILL_TIMESTAMPS, info},
    {"headers", WASMILL_HEADERS, headers},
    {"route", WASMILL_VALUES, route},
    {"target", WASMILL_KEYS, target},
    {"op", WASMILL_NOTHING, op},
    {"version", WASMILL_OFFSETS, version},
    {"reject", WASMILL_VALUES, reject},
    {"retry", WASMILL_NOTHING, keep},
    {"fatal", WASMILL_VALUES, keep},
    {"throw", WASMILL_VALUES, throw},
    {"config", WASMILL_NOTHING, config},
    {"count", WASMILL_NOTHING, count},
    {"grow", WASMILL_VALUES, grow},
    {"log", WASMILL_VALUES, speak},
    {"spin", WASMILL_NOTHING, spin},
    {"allocate", WASMILL_NOTHING, allocate},
    {"recurse", WASMILL_NOTHING, recurse},
    {"flood", WASMILL_NOTHING, flood},
};

static act *chosen;

static wasmill_result init(const wasmill_config *given, wasmill_plan *plan) {
    settings = given;
    what = wasmill_get(given, "do");
    if (!what) return wasmill_refuse(plan, "setting `do` is required");
    for (size_t i = 0; i < sizeof ACTS / sizeof *ACTS; i++) {
        if (strcmp(what, ACTS[i].name) != 0) continue;
        chosen = ACTS[i].act;
        wasmill_reads(plan, ACTS[i].reads);
    }
    if (!chosen) return wasmill_refuse(plan, "do: unknown: %s", what);
    times = strtoul(wasmill_get_or(given, "times", "0"), NULL, 10);
    routes = wasmill_parts(wasmill_get_or(given, "routes", "out"));
    for (char **name = routes; *name; name++) wasmill_route(plan, *name);
    return WASMILL_OK;
}

static wasmill_result transform(const wasmill_batch *batch, wasmill_output *out) {
    if (chosen == keep) {
        if (strcmp(what, "retry") == 0 && batch->attempt < times) return wasmill_retry(out, "again %u", batch->attempt);
        if (strcmp(what, "fatal") == 0) {
            wasmill_row first = wasmill_rows(batch);
            wasmill_next(&first);
            return wasmill_fatal(out, "stop: %.*s", WASMILL_ARG(first.value));
        }
        wasmill_keep_all(out, batch);
        return WASMILL_OK;
    }
    for (wasmill_row row = wasmill_rows(batch); wasmill_next(&row);) {
        seen++;
        chosen(&row, out);
    }
    return WASMILL_OK;
}

WASMILL_MODULE(describe, init, transform)
