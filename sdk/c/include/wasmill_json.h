/* wasmill_json.h: reads JSON where it lies, member by member, and takes nothing apart that nobody asks for.
 *
 *     wasmill_bytes level;
 *     if (!wasmill_json_find(row.value, "level", &level)) wasmill_reject(out, &row, "not a JSON object");
 *     else if (wasmill_json_is(level, "debug")) continue;
 *
 *     wasmill_json member = wasmill_json_object(row.value);
 *     while (wasmill_json_next(&member)) ...member.name, member.value: the bytes that stand there...
 *     if (!wasmill_json_ok(&member)) ...it was no JSON object after all...
 *
 * Names and values come as they are written: strings with their quotes and escapes, which wasmill_json_is compares and
 * wasmill_json_text takes out. RFC 8259 to the letter, UTF-8 included; at most 128 levels deep.
 *
 * MIT OR Apache-2.0. */
#ifndef WASMILL_JSON_H
#define WASMILL_JSON_H

#include "wasmill.h"

#define WASMILL__JSON_DEPTH 128

/* A member of an object: walks through it with wasmill_json_next. */
typedef struct {
    wasmill_bytes name, value;
    const uint8_t *at_, *end_;
    enum { WASMILL__JSON_FIRST, WASMILL__JSON_LATER, WASMILL__JSON_DONE, WASMILL__JSON_BAD } state_;
} wasmill_json;

/* The functions that skip answer where the thing ends, or NULL where it is none. */

static inline const uint8_t *wasmill__json_blank(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}

static inline bool wasmill__json_hex(const uint8_t *at, const uint8_t *end, uint32_t *unit) {
    if (end - at < 4) return false;
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return false;
        *unit = *unit * 16 + (uint32_t)digit;
    }
    return true;
}

static inline const uint8_t *wasmill__json_string(const uint8_t *at, const uint8_t *end) {
    if (at >= end || *at != '"') return NULL;
    for (at++; at < end;) {
        uint8_t c = *at;
        if (c == '"') return at + 1;
        if (c < 0x20) return NULL;
        if (c == '\\') {
            if (end - at < 2) return NULL;
            uint32_t unit;
            if (at[1] == 'u') {
                if (!wasmill__json_hex(at + 2, end, &unit)) return NULL;
                at += 6;
            } else {
                if (!at[1] || !strchr("\"\\/bfnrt", at[1])) return NULL;
                at += 2;
            }
        } else if (c < 0x80) {
            at++;
        } else {
            size_t len = wasmill__utf8_next(at, (size_t)(end - at));
            if (!len) return NULL;
            at += len;
        }
    }
    return NULL;
}

static inline const uint8_t *wasmill__json_digits(const uint8_t *at, const uint8_t *end) {
    const uint8_t *begin = at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at == begin ? NULL : at;
}

static inline const uint8_t *wasmill__json_number(const uint8_t *at, const uint8_t *end) {
    if (at < end && *at == '-') at++;
    if (at < end && *at == '0') at++;
    else if (!(at = wasmill__json_digits(at, end))) return NULL;
    if (at < end && *at == '.' && !(at = wasmill__json_digits(at + 1, end))) return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        at = wasmill__json_digits(at, end);
    }
    return at;
}

static inline const uint8_t *wasmill__json_value(const uint8_t *at, const uint8_t *end, int depth);

static inline const uint8_t *wasmill__json_list(const uint8_t *at, const uint8_t *end, int depth) {
    bool object = *at == '{';
    uint8_t close = object ? '}' : ']';
    if (depth >= WASMILL__JSON_DEPTH) return NULL;
    at = wasmill__json_blank(at + 1, end);
    if (at < end && *at == close) return at + 1;
    for (;;) {
        if (object) {
            if (!(at = wasmill__json_string(at, end))) return NULL;
            at = wasmill__json_blank(at, end);
            if (at >= end || *at != ':') return NULL;
            at = wasmill__json_blank(at + 1, end);
        }
        if (!(at = wasmill__json_value(at, end, depth + 1))) return NULL;
        at = wasmill__json_blank(at, end);
        if (at >= end) return NULL;
        if (*at == close) return at + 1;
        if (*at != ',') return NULL;
        at = wasmill__json_blank(at + 1, end);
    }
}

static inline const uint8_t *wasmill__json_value(const uint8_t *at, const uint8_t *end, int depth) {
    if (at >= end) return NULL;
    size_t left = (size_t)(end - at);
    switch (*at) {
    case '{':
    case '[': return wasmill__json_list(at, end, depth);
    case '"': return wasmill__json_string(at, end);
    case 't': return left >= 4 && memcmp(at, "true", 4) == 0 ? at + 4 : NULL;
    case 'f': return left >= 5 && memcmp(at, "false", 5) == 0 ? at + 5 : NULL;
    case 'n': return left >= 4 && memcmp(at, "null", 4) == 0 ? at + 4 : NULL;
    default: return wasmill__json_number(at, end);
    }
}

/* The members of an object, to be gone through with wasmill_json_next. */
static inline wasmill_json wasmill_json_object(wasmill_bytes text) {
    wasmill_json member = {WASMILL_NULL, WASMILL_NULL, text.data, text.data, WASMILL__JSON_BAD};
    if (!text.data) return member;
    member.end_ += text.len;
    member.at_ = wasmill__json_blank(member.at_, member.end_);
    if (member.at_ < member.end_ && *member.at_ == '{') {
        member.at_++;
        member.state_ = WASMILL__JSON_FIRST;
    }
    return member;
}

/* Makes `member` the next one; false where there is none, or where the text is no JSON: see wasmill_json_ok. */
static inline bool wasmill_json_next(wasmill_json *member) {
    if (member->state_ > WASMILL__JSON_LATER) return false;
    const uint8_t *end = member->end_, *at = wasmill__json_blank(member->at_, end);
    bool later = member->state_ == WASMILL__JSON_LATER;
    member->state_ = WASMILL__JSON_BAD;
    if (at < end && *at == '}') {
        if (wasmill__json_blank(at + 1, end) == end) member->state_ = WASMILL__JSON_DONE;
        return false;
    }
    if (later) {
        if (at >= end || *at != ',') return false;
        at = wasmill__json_blank(at + 1, end);
    }
    const uint8_t *name = at;
    if (!(at = wasmill__json_string(at, end))) return false;
    member->name = wasmill_slice(name, (size_t)(at - name));
    at = wasmill__json_blank(at, end);
    if (at >= end || *at != ':') return false;
    const uint8_t *value = at = wasmill__json_blank(at + 1, end);
    if (!(at = wasmill__json_value(at, end, 1))) return false;
    member->value = wasmill_slice(value, (size_t)(at - value));
    member->at_ = at;
    member->state_ = WASMILL__JSON_LATER;
    return true;
}

/* After the last member: whether the text was one well-formed object, to its end. */
static inline bool wasmill_json_ok(const wasmill_json *member) { return member->state_ == WASMILL__JSON_DONE; }

/* Takes one character out of a string, from `*at` on, which is moved; at most 4 bytes of UTF-8. Half of a surrogate
 * pair alone becomes U+FFFD. */
static inline size_t wasmill__json_char(const uint8_t **at, const uint8_t *end, uint8_t to[4]) {
    static const char codes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const uint8_t *from = *at;
    if (*from != '\\') {
        size_t len = wasmill__utf8_next(from, (size_t)(end - from));
        memcpy(to, from, len);
        *at += len;
        return len;
    }
    if (from[1] != 'u') {
        to[0] = (uint8_t)means[strchr(codes, from[1]) - codes];
        *at += 2;
        return 1;
    }
    uint32_t code = 0, low = 0;
    wasmill__json_hex(from + 2, end, &code);
    *at += 6;
    if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u'
        && wasmill__json_hex(*at + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *at += 6;
    } else if (code >= 0xd800 && code < 0xe000) {
        code = 0xfffd;
    }
    if (code < 0x80) return to[0] = (uint8_t)code, 1;
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; code >>= 6) to[i] = (uint8_t)(0x80 | (code & 0x3f));
    to[0] = (uint8_t)((0xf00 >> len) | code);
    return len;
}

/* Whether a name or value is a string and means this text, however it is escaped. */
static inline bool wasmill_json_is(wasmill_bytes string, const char *text) {
    size_t len = strlen(text);
    if (!string.data || string.len < 2 || string.data[0] != '"') return false;
    const uint8_t *at = string.data + 1, *end = string.data + string.len - 1;
    if (!memchr(at, '\\', (size_t)(end - at))) return (size_t)(end - at) == len && memcmp(at, text, len) == 0;
    size_t done = 0;
    for (uint8_t one[4]; at < end;) {
        size_t bytes = wasmill__json_char(&at, end, one);
        if (len - done < bytes || memcmp(text + done, one, bytes) != 0) return false;
        done += bytes;
    }
    return done == len;
}

/* What a string means, in memory of this call; null where the value is no string. */
static inline wasmill_bytes wasmill_json_text(wasmill_output *out, wasmill_bytes string) {
    if (!string.data || string.len < 2 || string.data[0] != '"') return WASMILL_NULL;
    const uint8_t *at = string.data + 1, *end = string.data + string.len - 1;
    /* An escape is never shorter than what it stands for. */
    uint8_t *text = (uint8_t *)wasmill_alloc(out, string.len + 4);
    size_t len = 0;
    for (uint8_t one[4]; at < end;) {
        size_t bytes = wasmill__json_char(&at, end, one);
        memcpy(text + len, one, bytes);
        len += bytes;
    }
    return wasmill_slice(text, len);
}

/* The value of a member, null where there is none; of several, the last. False where the text is no JSON object. */
static inline bool wasmill_json_find(wasmill_bytes object, const char *name, wasmill_bytes *value) {
    *value = WASMILL_NULL;
    wasmill_json member = wasmill_json_object(object);
    while (wasmill_json_next(&member))
        if (wasmill_json_is(member.name, name)) *value = member.value;
    return wasmill_json_ok(&member);
}

#endif
