/* wasmill_testing.h: try a module natively, without a host: records in, records out.
 *
 *     #include "../src/main.c"
 *     #include "wasmill_testing.h"
 *
 *     int main(void) {
 *         wasmill_record records[] = {{.value = wasmill_text("an ERROR")}, {.value = wasmill_text("fine")}};
 *         wasmill_done done = wasmill_run(NULL, 0, records, 2);
 *         wasmill_check(done.result == WASMILL_OK && done.len == 1);
 *         wasmill_check(wasmill_equal(done.records[0].value, "an ERROR"));
 *         wasmill_free(&done);
 *     }
 *
 * Build it with `-fsanitize=address,undefined` to have memory looked after.
 *
 * MIT OR Apache-2.0. */
#ifndef WASMILL_TESTING_H
#define WASMILL_TESTING_H

#include "wasmill.h"

#ifdef __wasm__
#error "wasmill_testing.h is for native tests"
#endif

#define wasmill_check(condition) ((condition) ? (void)0 : wasmill_panic("check failed: %s", #condition))

/* A header of a record that goes in or came out. */
typedef struct {
    wasmill_bytes name, value;
} wasmill_pair;

/* A record to be given to a module; what is not said is null, 0 or none. */
typedef struct {
    wasmill_bytes key, value;
    const wasmill_pair *headers;
    size_t headers_len;
    int64_t timestamp;
} wasmill_record;

/* A record that came out, with what it kept of its row filled in. */
typedef struct {
    uint32_t row;
    const char *route;
    wasmill_bytes key, value, target; /* the target is null where it is not said */
    wasmill_pair *headers;
    size_t headers_len;
    int64_t timestamp;
    int op; /* a wasmill_op; -1 where no record of the batch says one */
    bool has_version;
    uint64_t version;
} wasmill_sent;

/* What a module answered. It lives until the next call of the module; wasmill_free lets go of it. */
typedef struct {
    wasmill_result result;
    char words[512]; /* of a refusal, a retry or a full stop */
    wasmill_sent *records;
    size_t len;
    struct { uint32_t row; wasmill_bytes reason; } *rejects;
    size_t rejects_len;
    const wasmill__raw_output *raw;
    void *owned[32];
    size_t owned_len;
} wasmill_done;

static inline void *wasmill__own(wasmill_done *done, size_t bytes) {
    void *memory = wasmill_malloc(bytes);
    memset(memory, 0, bytes ? bytes : 1);
    return done->owned[done->owned_len++] = memory;
}

static inline wasmill__bytes_column wasmill__pack(wasmill_done *done, const wasmill_bytes *cells, size_t len) {
    size_t bytes = 0, nulls = 0;
    for (size_t i = 0; i < len; i++) bytes += cells[i].len;
    uint8_t *data = (uint8_t *)wasmill__own(done, bytes);
    uint32_t *ends = (uint32_t *)wasmill__own(done, len * sizeof *ends);
    uint32_t *null = (uint32_t *)wasmill__own(done, len * sizeof *null);
    bytes = 0;
    for (size_t i = 0; i < len; i++) {
        if (cells[i].len) memcpy(data + bytes, cells[i].data, cells[i].len);
        if (!cells[i].data) null[nulls++] = (uint32_t)i;
        ends[i] = (uint32_t)(bytes += cells[i].len);
    }
    return (wasmill__bytes_column){{data, bytes}, {ends, len}, {null, nulls}};
}

static inline wasmill_batch wasmill__batch_of(wasmill_done *done, unsigned reads, const wasmill_record *records,
                                              size_t len) {
    wasmill_batch batch;
    memset(&batch, 0, sizeof batch);
    batch.topic_raw = wasmill__string_of("test");
    batch.rows = (uint32_t)len;
    size_t headers = 0;
    for (size_t i = 0; i < len; i++) headers += records[i].headers_len;
    size_t most = headers > len ? headers : len;
    wasmill_bytes *cells = (wasmill_bytes *)wasmill_malloc(most * sizeof *cells);
    if (reads & WASMILL_KEYS) {
        for (size_t i = 0; i < len; i++) cells[i] = records[i].key;
        batch.keys = wasmill__pack(done, cells, len);
    }
    if (reads & WASMILL_VALUES) {
        for (size_t i = 0; i < len; i++) cells[i] = records[i].value;
        batch.values = wasmill__pack(done, cells, len);
    }
    if (reads & WASMILL_HEADERS) {
        uint32_t *row_ends = (uint32_t *)wasmill__own(done, len * sizeof *row_ends);
        size_t at = 0;
        for (size_t i = 0; i < len; i++) {
            for (size_t header = 0; header < records[i].headers_len; header++) cells[at++] = records[i].headers[header].name;
            row_ends[i] = (uint32_t)at;
        }
        batch.headers.names = wasmill__pack(done, cells, at);
        at = 0;
        for (size_t i = 0; i < len; i++)
            for (size_t header = 0; header < records[i].headers_len; header++) cells[at++] = records[i].headers[header].value;
        batch.headers.values = wasmill__pack(done, cells, at);
        batch.headers.row_ends = (wasmill__list_u32){row_ends, len};
    }
    if (reads & WASMILL_OFFSETS) {
        uint64_t *offsets = (uint64_t *)wasmill__own(done, len * sizeof *offsets);
        for (size_t i = 0; i < len; i++) offsets[i] = i;
        batch.offsets = (wasmill__list_u64){offsets, len};
    }
    if (reads & WASMILL_TIMESTAMPS) {
        int64_t *timestamps = (int64_t *)wasmill__own(done, len * sizeof *timestamps);
        for (size_t i = 0; i < len; i++) timestamps[i] = records[i].timestamp;
        batch.timestamps = (wasmill__list_s64){timestamps, len};
    }
    free(cells);
    return batch;
}

static inline wasmill_bytes wasmill__cell(wasmill__list_u8 data, wasmill__list_u32 ends, wasmill__list_u32 nulls,
                                          size_t index) {
    if (wasmill__has32(nulls.ptr, nulls.len, (uint32_t)index)) return WASMILL_NULL;
    uint32_t begin = index ? ends.ptr[index - 1] : 0;
    return wasmill_slice(data.ptr + begin, ends.ptr[index] - begin);
}

static inline wasmill_bytes wasmill__own_or(uint8_t is, const wasmill__edited_column *column, size_t index,
                                            wasmill_bytes own) {
    if (!is || wasmill__has32(column->kept.ptr, column->kept.len, (uint32_t)index)) return own;
    return wasmill__cell(column->data, column->ends, column->nulls, index);
}

static inline void wasmill__read_back(wasmill_done *done, const wasmill__started *started,
                                      const wasmill_record *records) {
    const wasmill__raw_output *raw = done->raw;
    done->len = raw->rows.len;
    done->records = (wasmill_sent *)wasmill__own(done, done->len * sizeof *done->records);
    size_t headers = raw->headers.is ? raw->headers.it.names.ends.len : 0;
    for (size_t i = 0; i < done->len && !raw->headers.is; i++) headers += records[raw->rows.ptr[i]].headers_len;
    wasmill_pair *pairs = (wasmill_pair *)wasmill__own(done, headers * sizeof *pairs);
    for (size_t i = 0; i < done->len; i++) {
        const wasmill_record *own = &records[raw->rows.ptr[i]];
        wasmill_sent *sent = &done->records[i];
        sent->row = raw->rows.ptr[i];
        sent->route = started->as.plan.routes.ptr[raw->routes.len ? raw->routes.ptr[i] : 0].ptr;
        sent->key = wasmill__own_or(raw->keys.is, &raw->keys.it, i, own->key);
        sent->value = wasmill__own_or(raw->values.is, &raw->values.it, i, own->value);
        if (raw->targets.is)
            sent->target = wasmill__cell(raw->targets.it.data, raw->targets.it.ends, raw->targets.it.nulls, i);
        sent->timestamp = raw->timestamps.is ? raw->timestamps.it.ptr[i] : own->timestamp;
        sent->op = raw->ops.is ? raw->ops.it.ptr[i] : -1;
        sent->has_version = raw->versions.is;
        sent->version = raw->versions.is ? raw->versions.it.ptr[i] : 0;
        sent->headers = pairs;
        if (raw->headers.is) {
            const wasmill__header_column *column = &raw->headers.it;
            for (uint32_t at = i ? column->row_ends.ptr[i - 1] : 0; at < column->row_ends.ptr[i]; at++)
                *pairs++ = (wasmill_pair){
                    wasmill__cell(column->names.data, column->names.ends, column->names.nulls, at),
                    wasmill__cell(column->values.data, column->values.ends, column->values.nulls, at)};
        } else {
            for (size_t at = 0; at < own->headers_len; at++) *pairs++ = own->headers[at];
        }
        sent->headers_len = (size_t)(pairs - sent->headers);
    }
    done->rejects_len = raw->rejects.len;
    *(void **)&done->rejects = wasmill__own(done, raw->rejects.len * sizeof *done->rejects);
    for (size_t i = 0; i < raw->rejects.len; i++) {
        done->rejects[i].row = raw->rejects.ptr[i].row;
        done->rejects[i].reason = wasmill_slice(raw->rejects.ptr[i].reason.ptr, raw->rejects.ptr[i].reason.len);
    }
}

static inline void wasmill__say(wasmill_done *done, wasmill__string words) {
    snprintf(done->words, sizeof done->words, "%.*s", (int)words.len, words.ptr);
}

/* What wasmill__start answered last: the plan that batches are made and read by. */
static const wasmill__started *wasmill__running;

static inline wasmill_done wasmill__start(wasmill__module *module, const wasmill_given *settings, size_t len) {
    wasmill_done done;
    memset(&done, 0, sizeof done);
    wasmill__given *given = (wasmill__given *)wasmill__own(&done, len * sizeof *given);
    for (size_t i = 0; i < len; i++)
        given[i] = (wasmill__given){wasmill__string_of(settings[i].name), wasmill__string_of(settings[i].value)};
    wasmill__describe(module);
    wasmill__running = wasmill__init(module, given, len);
    if (wasmill__running->is_error) {
        done.result = WASMILL_REFUSED;
        wasmill__say(&done, wasmill__running->as.refusal);
    }
    return done;
}

static inline wasmill_done wasmill__give(wasmill__module *module, const wasmill_record *records, size_t len,
                                         uint32_t attempt) {
    wasmill_done done;
    memset(&done, 0, sizeof done);
    wasmill__give_back(&module->out.arena);
    wasmill_batch *batch = (wasmill_batch *)wasmill__own(&done, sizeof *batch);
    *batch = wasmill__batch_of(&done, wasmill__running->as.plan.reads, records, len);
    batch->attempt = attempt;
    const wasmill__transformed *answer = wasmill__transform(module, batch);
    if (answer->is_error) {
        done.result = answer->as.error.is_fatal ? WASMILL_FATAL : WASMILL_RETRY;
        wasmill__say(&done, answer->as.error.reason);
        return done;
    }
    done.raw = &answer->as.output;
    wasmill__read_back(&done, wasmill__running, records);
    return done;
}

static inline void wasmill_free(wasmill_done *done) {
    while (done->owned_len) free(done->owned[--done->owned_len]);
    done->len = done->rejects_len = 0;
}

/* Starts the module with settings and gives it one batch, of topic `test`, partition 0, offsets from 0. Columns that
 * its plan does not read are empty, as they are in the host. */
#define wasmill_run(settings, settings_len, records, records_len) \
    wasmill__run(&wasmill__self, settings, settings_len, records, records_len)

static inline wasmill_done wasmill__run(wasmill__module *module, const wasmill_given *settings, size_t settings_len,
                                        const wasmill_record *records, size_t records_len) {
    wasmill_done started = wasmill__start(module, settings, settings_len);
    if (started.result != WASMILL_OK) return started;
    wasmill_free(&started);
    return wasmill__give(module, records, records_len, 0);
}

/* Gives the module that was started last another batch, of this attempt; it keeps its state. */
#define wasmill_run_again(records, len, attempt) wasmill__give(&wasmill__self, records, len, attempt)

#endif
