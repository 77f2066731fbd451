/* The header, natively: what a module says against what would cross to the host.
 *
 * The module under test does to each batch what the function `work` says. */
#include "wasmill.h"
#include "wasmill_json.h"

static wasmill_result (*work)(const wasmill_batch *batch, wasmill_output *out);
static unsigned reads = WASMILL_EVERYTHING;

static void describe(wasmill_description *about) {
    wasmill_describe(about, "sdk", "1.0.0", "For tests.");
    wasmill_required(about, "a", "must be given");
    wasmill_default(about, "b", "has a default", "c");
    wasmill_optional(about, "d", "may be given");
}

static wasmill_result init(const wasmill_config *config, wasmill_plan *plan) {
    if (wasmill_get(config, "refuse")) return wasmill_refuse(plan, "setting `refuse`: %s", wasmill_get(config, "refuse"));
    wasmill_route(plan, "first");
    wasmill_route(plan, "second");
    wasmill_reads(plan, reads);
    return WASMILL_OK;
}

static wasmill_result transform(const wasmill_batch *batch, wasmill_output *out) { return work(batch, out); }

WASMILL_MODULE(describe, init, transform)

#include "wasmill_testing.h"

#define T(text) wasmill_slice(text, sizeof(text) - 1)
#define CHECK wasmill_check
#define SAME(bytes, text) CHECK(wasmill_equal(bytes, text))

static const wasmill_pair HEADERS[] = {{{(const uint8_t *)"h", 1}, {(const uint8_t *)"1", 1}}, {{(const uint8_t *)"n", 1}, {NULL, 0}}};

static const wasmill_record ROWS[] = {
    {.key = {(const uint8_t *)"k0", 2}, .value = {(const uint8_t *)"v0", 2}, .timestamp = -5},
    {.key = {NULL, 0}, .value = {NULL, 0}, .headers = HEADERS, .headers_len = 2, .timestamp = 6},
    {.key = {(const uint8_t *)"", 0}, .value = {(const uint8_t *)"", 0}, .timestamp = 7},
    {.key = {(const uint8_t *)"k3", 2}, .value = {(const uint8_t *)"v3", 2}, .timestamp = 8},
};

static wasmill_done run(wasmill_result (*what)(const wasmill_batch *, wasmill_output *)) {
    work = what;
    return wasmill_run(NULL, 0, ROWS, 4);
}

#define EACH(row) for (wasmill_row row = wasmill_rows(batch); wasmill_next(&row);)

static wasmill_result reads_rows(const wasmill_batch *batch, wasmill_output *out) {
    CHECK(batch->rows == 4 && batch->partition == 0 && wasmill_equal(wasmill_topic(batch), "test"));
    EACH(row) {
        const wasmill_record *want = &ROWS[row.index];
        CHECK(row.key.len == want->key.len && row.value.len == want->value.len);
        CHECK(wasmill_is_null(row.key) == !want->key.data && wasmill_is_null(row.value) == !want->value.data);
        CHECK(!row.value.len || memcmp(row.value.data, want->value.data, row.value.len) == 0);
        CHECK(wasmill_offset(&row) == row.index && wasmill_timestamp(&row) == want->timestamp);
        size_t headers = 0;
        for (wasmill_header header = wasmill_headers(&row); wasmill_next_header(&header); headers++)
            CHECK(wasmill_is_null(header.value) == !want->headers[headers].value.data);
        CHECK(headers == want->headers_len);
        if (row.index == 1) SAME(wasmill_header_value(&row, "h"), "1");
        CHECK(wasmill_is_null(wasmill_header_value(&row, "none")));
    }
    wasmill_keep_all(out, batch);
    return WASMILL_OK;
}

static void rows_are_what_the_batch_holds(void) {
    wasmill_done done = run(reads_rows);
    CHECK(done.result == WASMILL_OK && done.len == 4);
    CHECK(!done.raw->keys.is && !done.raw->values.is && !done.raw->headers.is && !done.raw->timestamps.is);
    CHECK(!done.raw->targets.is && !done.raw->ops.is && !done.raw->versions.is && !done.raw->routes.len);
    wasmill_free(&done);
}

static wasmill_result sees_nothing(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        CHECK(wasmill_is_null(row.key) && wasmill_is_null(row.value) && !wasmill_offset(&row) && !wasmill_timestamp(&row));
        wasmill_header header = wasmill_headers(&row);
        CHECK(!wasmill_next_header(&header));
        if (row.index % 2) wasmill_keep(out, &row);
    }
    return WASMILL_OK;
}

static void what_is_not_read_is_empty(void) {
    reads = WASMILL_NOTHING;
    wasmill_done done = run(sees_nothing);
    CHECK(done.result == WASMILL_OK && done.len == 2 && done.records[1].row == 3);
    SAME(done.records[1].value, "v3");
    wasmill_free(&done);
    reads = WASMILL_EVERYTHING;
}

static wasmill_result sets_some(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        if (row.index == 0) continue;
        wasmill_set_route(out, row.index == 2);
        if (row.index == 1) wasmill_set_key(out, T("k")), wasmill_set_value(out, T("once")), wasmill_set_value(out, T("v"));
        if (row.index == 2) wasmill_set_value(out, WASMILL_NULL), wasmill_set_op(out, WASMILL_MERGE);
        if (row.index == 3) break;
        wasmill_set_timestamp(out, 100 + row.index);
        wasmill_set_version(out, UINT64_MAX);
        wasmill_set_target(out, T("t"));
        wasmill_add_header(out, T("added"), row.index == 1 ? T("") : WASMILL_NULL);
    }
    return WASMILL_OK;
}

static void what_is_not_set_stays_the_rows_own(void) {
    wasmill_done done = run(sets_some);
    CHECK(done.result == WASMILL_OK && done.len == 4);
    const wasmill_sent *sent = done.records;
    SAME(sent[0].value, "v0"), SAME(sent[1].value, "v"), SAME(sent[3].value, "v3");
    CHECK(wasmill_is_null(sent[2].value));
    SAME(sent[1].key, "k"), SAME(sent[2].key, ""), SAME(sent[3].key, "k3");
    CHECK(!strcmp(sent[0].route, "first") && !strcmp(sent[1].route, "first") && !strcmp(sent[2].route, "second"));
    CHECK(sent[0].timestamp == -5 && sent[1].timestamp == 101 && sent[2].timestamp == 102 && sent[3].timestamp == 8);
    CHECK(sent[0].version == 0 && sent[1].version == UINT64_MAX && sent[3].version == 0);
    CHECK(wasmill_is_null(sent[0].target) && wasmill_is_null(sent[3].target)), SAME(sent[1].target, "t");
    /* Row 1 had no value of its own, but was given one. */
    CHECK(sent[0].op == WASMILL_PUT && sent[1].op == WASMILL_PUT && sent[2].op == WASMILL_MERGE);
    CHECK(sent[0].headers_len == 0 && sent[1].headers_len == 3 && sent[2].headers_len == 1 && sent[3].headers_len == 0);
    SAME(sent[1].headers[0].name, "h"), SAME(sent[1].headers[2].name, "added"), SAME(sent[1].headers[2].value, "");
    CHECK(wasmill_is_null(sent[1].headers[1].value) && wasmill_is_null(sent[2].headers[0].value));
    wasmill_free(&done);
}

static wasmill_result ops_of_nulls(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        if (row.index == 0) wasmill_set_op(out, WASMILL_CREATE);
        if (row.index == 3) wasmill_set_value(out, WASMILL_NULL);
    }
    return WASMILL_OK;
}

static void one_records_op_leaves_the_tombstones_of_others_alone(void) {
    wasmill_done done = run(ops_of_nulls);
    CHECK(done.records[0].op == WASMILL_CREATE && done.records[1].op == WASMILL_DELETE);
    CHECK(done.records[2].op == WASMILL_PUT && done.records[3].op == WASMILL_DELETE);
    wasmill_free(&done);
}

static wasmill_result ops_after_the_last_value(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        if (row.index == 0) wasmill_set_value(out, T("v")), wasmill_set_op(out, WASMILL_CREATE);
    }
    return WASMILL_OK;
}

static void a_tombstone_behind_the_last_value_that_was_set_stays_one(void) {
    wasmill_done done = run(ops_after_the_last_value);
    CHECK(done.records[0].op == WASMILL_CREATE && done.records[1].op == WASMILL_DELETE);
    CHECK(done.records[2].op == WASMILL_PUT && done.records[3].op == WASMILL_PUT);
    wasmill_free(&done);
}

static wasmill_result keeps_nulls(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) if (wasmill_is_null(row.value)) wasmill_keep(out, &row);
    return WASMILL_OK;
}

static void every_null_is_one(void) {
    const wasmill_record records[] = {{.timestamp = 0}, {.value = {(const uint8_t *)"", 0}}, {.timestamp = 0}, {.timestamp = 0}};
    work = keeps_nulls;
    wasmill_done done = wasmill_run(NULL, 0, records, 4);
    CHECK(done.len == 3 && done.records[0].row == 0 && done.records[1].row == 2 && done.records[2].row == 3);
    wasmill_free(&done);
}

static wasmill_result thrice(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        wasmill_keep(out, &row);
        wasmill_append_value(out, T("a"));
        wasmill_append_value(out, wasmill_format(out, "%u", row.index));
        wasmill_keep(out, &row);
        wasmill_set_value(out, WASMILL_NULL);
        if (row.index == 3) wasmill_append_value(out, T("after a null"));
    }
    return WASMILL_OK;
}

static void a_row_may_be_kept_several_times(void) {
    wasmill_done done = run(thrice);
    CHECK(done.len == 12);
    SAME(done.records[0].value, "v0"), SAME(done.records[4].value, "a1"), SAME(done.records[10].value, "a3");
    CHECK(wasmill_is_null(done.records[3].value) && wasmill_is_null(done.records[5].value));
    SAME(done.records[11].value, "after a null");
    wasmill_free(&done);
}

static wasmill_result takes_back(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        wasmill_keep(out, &row);
        if (row.index != 2) continue;
        wasmill_set_value(out, T("taken back"));
        wasmill_set_route(out, 1), wasmill_set_op(out, WASMILL_PUT), wasmill_set_version(out, 1), wasmill_set_timestamp(out, 1);
        wasmill_set_target(out, T("t")), wasmill_set_key(out, T("k")), wasmill_no_headers(out);
        wasmill_reject(out, &row, "row %u: %s", row.index, "bad \xff\xe4\xbd utf8 \xe4\xbd\xa0");
        wasmill_reject(out, &row, "the second reason is not kept");
    }
    return WASMILL_OK;
}

static void rejecting_takes_back_what_was_kept(void) {
    wasmill_done done = run(takes_back);
    CHECK(done.result == WASMILL_OK && done.len == 6 && done.records[4].row == 3 && done.rejects_len == 1);
    CHECK(done.rejects[0].row == 2);
    SAME(done.rejects[0].reason, "row 2: bad \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd utf8 \xe4\xbd\xa0");
    /* What was set for records that were taken back leaves no column behind. */
    CHECK(!done.raw->keys.is && !done.raw->values.is && !done.raw->timestamps.is && !done.raw->routes.len);
    CHECK(!done.raw->targets.is && !done.raw->ops.is && !done.raw->versions.is);
    wasmill_free(&done);
}

static wasmill_result rejects_backwards(const wasmill_batch *batch, wasmill_output *out) {
    wasmill_row rows[4];
    size_t len = 0;
    EACH(row) rows[len++] = row;
    for (; len; len--) wasmill_reject(out, &rows[len - 1], "%zu", len - 1);
    wasmill_reject(out, &rows[1], "again");
    return WASMILL_OK;
}

static void rejects_come_in_the_order_of_rows(void) {
    wasmill_done done = run(rejects_backwards);
    CHECK(done.rejects_len == 4 && done.len == 0);
    for (uint32_t i = 0; i < 4; i++) CHECK(done.rejects[i].row == i && done.rejects[i].reason.data[0] == '0' + i);
    wasmill_free(&done);
}

static wasmill_result descends(const wasmill_batch *batch, wasmill_output *out) {
    wasmill_row first = wasmill_rows(batch), second;
    wasmill_next(&first);
    second = first;
    wasmill_next(&second);
    wasmill_keep(out, &second);
    wasmill_keep(out, &first);
    return WASMILL_OK;
}

static wasmill_result both(const wasmill_batch *batch, wasmill_output *out) {
    wasmill_row first = wasmill_rows(batch), second;
    wasmill_next(&first);
    second = first;
    wasmill_next(&second);
    wasmill_keep(out, &first);
    wasmill_keep(out, &second);
    wasmill_reject(out, &first, "no");
    return WASMILL_OK;
}

static wasmill_result one_timestamp(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        if (row.index == 1) wasmill_set_timestamp(out, 1);
    }
    return WASMILL_OK;
}

static wasmill_result one_header(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        if (row.index == 1) wasmill_add_header(out, T("a"), T("b"));
    }
    return WASMILL_OK;
}

static wasmill_result again(const wasmill_batch *batch, wasmill_output *out) {
    return wasmill_retry(out, "again %u", batch->attempt);
}

static wasmill_result stops(const wasmill_batch *batch, wasmill_output *out) {
    wasmill_keep_all(out, batch);
    return wasmill_fatal(out, "stop: %s", "now");
}

static void fails(wasmill_result (*what)(const wasmill_batch *, wasmill_output *), wasmill_result result, const char *words) {
    wasmill_done done = run(what);
    if (done.result != result || !strstr(done.words, words))
        wasmill_panic("result %d, words %s; expected %d, %s", done.result, done.words, result, words);
    wasmill_free(&done);
}

static void mistakes_are_said_with_their_rows(void) {
    fails(descends, WASMILL_FATAL, "row 0 was kept after row 1");
    fails(both, WASMILL_FATAL, "row 0 was both kept and rejected");
    fails(again, WASMILL_RETRY, "again 0");
    fails(stops, WASMILL_FATAL, "stop: now");
    reads = WASMILL_VALUES;
    fails(one_timestamp, WASMILL_FATAL, "Add WASMILL_TIMESTAMPS");
    fails(one_header, WASMILL_FATAL, "Add WASMILL_HEADERS");
    reads = WASMILL_EVERYTHING;
    wasmill_given refuse = {"refuse", "no"};
    wasmill_done done = wasmill_run(&refuse, 1, ROWS, 0);
    CHECK(done.result == WASMILL_REFUSED && !strcmp(done.words, "setting `refuse`: no"));
    wasmill_free(&done);
}

static wasmill_result large(const wasmill_batch *batch, wasmill_output *out) {
    EACH(row) {
        wasmill_keep(out, &row);
        for (int i = 0; i < 1000; i++) {
            uint8_t *memory = (uint8_t *)wasmill_alloc(out, 1000);
            memset(memory, i, 1000);
            CHECK((uintptr_t)memory % 16 == 0);
            wasmill_append_value(out, wasmill_slice(memory, 1000));
        }
    }
    return WASMILL_OK;
}

static void memory_of_a_call_is_used_again(void) {
    for (int i = 0; i < 5; i++) {
        wasmill_done done = run(large);
        CHECK(done.len == 4 && done.records[3].value.len == 1000 * 1000 && done.records[3].value.data[999999] == (999 & 255));
        wasmill_free(&done);
    }
    wasmill__give_back(&wasmill__self.out.arena);
    CHECK(wasmill__self.out.arena.chunks && !wasmill__self.out.arena.chunks->next);
    CHECK(wasmill__self.out.arena.taken < (16 << 20));
}

static void a_description_has_its_settings(void) {
    const wasmill__raw_description *about = wasmill__describe(&wasmill__self);
    about = wasmill__describe(&wasmill__self);
    CHECK(about->settings.len == 3 && !strncmp(about->name.ptr, "sdk", 3) && about->version.len == 5);
    CHECK(about->settings.ptr[0].required && !about->settings.ptr[0].fallback.is);
    CHECK(about->settings.ptr[1].fallback.is && about->settings.ptr[1].fallback.it.len == 1 && !about->settings.ptr[1].required);
}

static void bytes_are_compared(void) {
    CHECK(wasmill_contains(T("abc"), "") && wasmill_contains(T("abc"), "bc") && wasmill_contains(T("aab"), "ab"));
    CHECK(!wasmill_contains(T("abc"), "abcd") && !wasmill_contains(T("abc"), "cb") && !wasmill_contains(WASMILL_NULL, ""));
    CHECK(wasmill_begins(T("abc"), "ab") && !wasmill_begins(T("abc"), "b") && !wasmill_equal(WASMILL_NULL, ""));
    CHECK(wasmill_is_utf8(T("")) && wasmill_is_utf8(T("\xf0\x9f\x98\x80\xe4\xbd\xa0\xc3\xa9\x7f")) && !wasmill_is_utf8(WASMILL_NULL));
    const char *bad[] = {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!wasmill_is_utf8(wasmill_text(bad[i])));
}

static void texts_are_cut_at_commas(void) {
    char **parts = wasmill_parts(" a, b c ,,d\t,");
    CHECK(!strcmp(parts[0], "a") && !strcmp(parts[1], "b c") && !strcmp(parts[2], "d") && !parts[3]);
    free(parts);
    parts = wasmill_parts("");
    CHECK(!parts[0]);
    free(parts);
}

/* Each text lies at the end of memory of its own, so that a read behind it is seen. */
static bool is_object(const char *text, size_t len) {
    uint8_t *copy = (uint8_t *)wasmill_malloc(len);
    memcpy(copy, text, len);
    wasmill_bytes value;
    bool is = wasmill_json_find((wasmill_bytes){copy, len}, "x", &value);
    free(copy);
    return is;
}

static void json_is_read_to_the_letter(void) {
    const char *good[] = {"{}", " {\n} ", "{\"a\":1}", "{\"a\":-0.5e+3,\"b\":[1,[],{}],\"c\":{\"d\":null}}", "{\"\\u00e9\\n\":true,\"\":false}",
                          "{\"a\":0,\"b\":1E9,\"c\":\"\xf0\x9f\x98\x80\"}"};
    const char *bad[] = {"", "1", "[]", "null", "\"a\"", "{", "{}}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "{\"a\":01}",
                         "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":1e}", "{\"a\":-}", "{\"a\":tru}", "{\"a\":nul}", "{\"a\":\"\n\"}",
                         "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u12", "{\"a\":\"\\", "{\"a\":\"\xff\"}", "{\"a\":[1 2]}",
                         "{\"a\":[1,]}", "{\"a\":{\"b\"}}", "{\"a\":1 \"b\":2}", "{} x", "{\"a\":\"b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(is_object(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_object(bad[i], strlen(bad[i]))) wasmill_panic("taken for an object: %s", bad[i]);
    CHECK(!is_object("{\"a\":\"\\\0\"}", 9));
    /* Every beginning of a good text is a bad one. */
    const char *text = good[3];
    for (size_t len = 0; len < strlen(text); len++) CHECK(!is_object(text, len));
    char deep[600];
    for (int depth = 100; depth <= 200; depth += 100) {
        memset(deep, '[', sizeof deep);
        memcpy(deep, "{\"a\":", 5);
        memset(deep + 5 + depth, ']', (size_t)depth);
        deep[5 + 2 * depth] = '}';
        CHECK(is_object(deep, 6 + 2 * (size_t)depth) == (depth < WASMILL__JSON_DEPTH));
    }
}

static void json_strings_mean_what_they_say(void) {
    wasmill_bytes value;
    CHECK(wasmill_json_find(T("{\"k\":\"a\",\"\\u006b\":\"\\u00e9\\\"\\ud83d\\ude00\\n\",\"n\":{\"k\":1}}"), "k", &value));
    CHECK(wasmill_json_is(value, "\xc3\xa9\"\xf0\x9f\x98\x80\n") && !wasmill_json_is(value, "\xc3\xa9\"") && !wasmill_json_is(value, ""));
    wasmill_bytes text = wasmill_json_text(&wasmill__self.out, value);
    SAME(text, "\xc3\xa9\"\xf0\x9f\x98\x80\n");
    SAME(wasmill_json_text(&wasmill__self.out, T("\"\\ud83d!\"")), "\xef\xbf\xbd!");
    CHECK(wasmill_is_null(wasmill_json_text(&wasmill__self.out, T("12"))) && !wasmill_json_is(T("12"), "12"));
    CHECK(wasmill_json_find(T("{\"n\":{\"k\":1}}"), "k", &value) && wasmill_is_null(value));
}

int main(void) {
    rows_are_what_the_batch_holds();
    what_is_not_read_is_empty();
    what_is_not_set_stays_the_rows_own();
    one_records_op_leaves_the_tombstones_of_others_alone();
    a_tombstone_behind_the_last_value_that_was_set_stays_one();
    every_null_is_one();
    a_row_may_be_kept_several_times();
    rejecting_takes_back_what_was_kept();
    rejects_come_in_the_order_of_rows();
    mistakes_are_said_with_their_rows();
    memory_of_a_call_is_used_again();
    a_description_has_its_settings();
    bytes_are_compared();
    texts_are_cut_at_commas();
    json_is_read_to_the_letter();
    json_strings_mean_what_they_say();
    puts("ok");
    return 0;
}
