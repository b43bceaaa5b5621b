/* What every kind has: the contract's lifecycle, texts, JSON, buffers, log and counters. */
#include "bt.h"

#include <stdlib.h>
#include <string.h>

#include "bt_own.h"

__attribute__((weak)) const char *bt_start(bt_text config) {
    (void)config;
    return NULL;
}

__attribute__((weak)) bool bt_save(bt_buffer *state) {
    (void)state;
    return false;
}

__attribute__((weak)) const char *bt_restore(uint32_t version, const uint8_t *bytes, size_t len) {
    (void)version, (void)bytes, (void)len;
    return NULL;
}

bt_text bt_text_of(const char *text) { return (bt_text){text, strlen(text)}; }

bool bt_text_is(bt_text text, const char *other) {
    return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

/* Memory is the plugin's limit; without it there is nothing to go on with. */
void *bt_allocate(void *before, size_t bytes) {
    void *memory = realloc(before, bytes ? bytes : 1);
    if (!memory) __builtin_trap();
    return memory;
}

void bt_add(bt_buffer *buffer, const void *bytes, size_t len) {
    if (buffer->room - buffer->len < len) {
        size_t room = buffer->room * 2 > buffer->len + len ? buffer->room * 2 : buffer->len + len;
        buffer->ptr = bt_allocate(buffer->ptr, room);
        buffer->room = room;
    }
    if (len) memcpy(buffer->ptr + buffer->len, bytes, len);
    buffer->len += len;
}

void bt_add_string(bt_buffer *buffer, const char *text) { bt_add(buffer, text, strlen(text)); }

void bt_add_text(bt_buffer *buffer, bt_text text) { bt_add(buffer, text.ptr, text.len); }

/* As people write it, to nine digits behind the point; what is too large for that is told by its power of ten. */
void bt_add_number(bt_buffer *buffer, double number) {
    char digits[48];
    size_t length = 0;
    if (!__builtin_isfinite(number)) return bt_add_string(buffer, "null");
    if (number < 0) {
        bt_add_string(buffer, "-");
        number = -number;
    }
    int power = 0;
    while (number >= 1e15 && power < 400) number /= 10, power++;
    uint64_t whole = (uint64_t)number;
    uint64_t parts = (uint64_t)((number - (double)whole) * 1e9 + 0.5);
    if (parts >= 1000000000) whole++, parts -= 1000000000;
    do digits[length++] = (char)('0' + whole % 10);
    while (whole /= 10);
    while (length) bt_add(buffer, &digits[--length], 1);
    if (parts) {
        bt_add_string(buffer, ".");
        for (uint64_t unit = 100000000; parts; parts %= unit, unit /= 10) {
            char digit = (char)('0' + parts / unit);
            bt_add(buffer, &digit, 1);
        }
    }
    if (power) {
        bt_add_string(buffer, "e");
        bt_add_number(buffer, power);
    }
}

void bt_add_json_string(bt_buffer *buffer, bt_text text) {
    static const char hex[] = "0123456789abcdef";
    bt_add(buffer, "\"", 1);
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.ptr[at];
        /* A text of others names no secret: the host looks for `${` in what is sent. */
        bool opens = byte == '$' && at + 1 < text.len && text.ptr[at + 1] == '{';
        if (byte == '"' || byte == '\\') {
            bt_add(buffer, "\\", 1);
            bt_add(buffer, &byte, 1);
        } else if (byte < 0x20 || opens) {
            char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
            bt_add(buffer, escape, sizeof escape);
        } else {
            bt_add(buffer, &byte, 1);
        }
    }
    bt_add(buffer, "\"", 1);
}

void bt_buffer_free(bt_buffer *buffer) {
    free(buffer->ptr);
    *buffer = (bt_buffer){0};
}

/* Where the JSON value that begins at `at` ends. The host gives only whole and valid JSON. */
static size_t value_end(bt_text json, size_t at) {
    size_t depth = 0;
    bool quoted = false;
    for (; at < json.len; at++) {
        char c = json.ptr[at];
        if (quoted) {
            if (c == '\\') at++;
            else if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return at;
            depth--;
        } else if (c == ',' && depth == 0) {
            return at;
        }
    }
    return at < json.len ? at : json.len;
}

static size_t skip_space(bt_text json, size_t at) {
    while (at < json.len && (json.ptr[at] == ' ' || json.ptr[at] == '\n' || json.ptr[at] == '\t' || json.ptr[at] == '\r')) at++;
    return at;
}

bool bt_json_member(bt_text object, const char *name, bt_text *value) {
    size_t at = skip_space(object, 0);
    if (at >= object.len || object.ptr[at] != '{') return false;
    for (at = skip_space(object, at + 1); at < object.len && object.ptr[at] == '"';) {
        size_t key = at + 1, end = key;
        while (end < object.len && object.ptr[end] != '"') end += object.ptr[end] == '\\' ? 2 : 1;
        size_t start = skip_space(object, end + 1);
        start = skip_space(object, start + 1); /* behind the colon */
        if (start >= object.len) return false;
        size_t behind = value_end(object, start);
        if (bt_text_is((bt_text){object.ptr + key, end - key}, name)) {
            *value = (bt_text){object.ptr + start, behind - start};
            while (value->len && value->ptr[value->len - 1] <= ' ') value->len--;
            return true;
        }
        at = skip_space(object, behind + 1);
    }
    return false;
}

bool bt_json_string(bt_text object, const char *name, bt_text *text) {
    bt_text value;
    if (!bt_json_member(object, name, &value) || value.len < 2 || value.ptr[0] != '"') return false;
    *text = (bt_text){value.ptr + 1, value.len - 2};
    return true;
}

/* The number of the four hexadecimal digits at `at`; -1: they are none. */
static int32_t hexadecimal(bt_text json, size_t at) {
    int32_t number = 0;
    if (json.len < 4 || at > json.len - 4) return -1;
    for (size_t end = at + 4; at < end; at++) {
        char digit = json.ptr[at], letter = (char)(digit | 0x20);
        if (digit >= '0' && digit <= '9') number = number * 16 + (digit - '0');
        else if (letter >= 'a' && letter <= 'f') number = number * 16 + (letter - 'a' + 10);
        else return -1;
    }
    return number;
}

static void add_character(bt_buffer *buffer, uint32_t point) {
    /* The first byte says how many follow; each of those has six bits. */
    static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    size_t more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    uint8_t bytes[4];
    bytes[0] = (uint8_t)(first[more] | point >> 6 * more);
    for (size_t at = 1; at <= more; at++) bytes[at] = (uint8_t)(0x80 | (point >> 6 * (more - at) & 0x3f));
    bt_add(buffer, bytes, more + 1);
}

/* Adds the character whose digits stand at `at`, with those of its second half; answers where they end. */
static size_t add_escaped(bt_buffer *buffer, bt_text json, size_t at) {
    int32_t point = hexadecimal(json, at), low = -1;
    if (point < 0) return at;
    at += 4;
    bool is_first_half = point >= 0xd800 && point < 0xdc00;
    if (is_first_half && at + 2 <= json.len && json.ptr[at] == '\\' && json.ptr[at + 1] == 'u') low = hexadecimal(json, at + 2);
    if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    } else if (point >= 0xd800 && point < 0xe000) {
        point = 0xfffd; /* a half alone is no character */
    }
    add_character(buffer, (uint32_t)point);
    return at;
}

bool bt_json_text(bt_text object, const char *name, bt_buffer *text) {
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    bt_text json;
    if (!bt_json_string(object, name, &json)) return false;
    for (size_t at = 0; at < json.len;) {
        size_t start = at;
        while (at < json.len && json.ptr[at] != '\\') at++;
        bt_add(text, json.ptr + start, at - start);
        if (json.len - at < 2) break;
        char kind = json.ptr[at + 1];
        const char *escape = memchr(escapes, kind, sizeof escapes - 1);
        at += 2;
        if (kind == 'u') at = add_escaped(text, json, at);
        else if (escape) bt_add(text, &meant[escape - escapes], 1);
    }
    return true;
}

bool bt_json_number(bt_text object, const char *name, double *number) {
    bt_text value;
    if (!bt_json_member(object, name, &value) || value.len == 0) return false;
    char first = value.ptr[0];
    if (first != '-' && (first < '0' || first > '9')) return false;
    /* A copy with a zero at its end: a number may have any length, and few are long. */
    char few[64], *end;
    char *text = value.len < sizeof few ? few : bt_allocate(NULL, value.len + 1);
    memcpy(text, value.ptr, value.len);
    text[value.len] = 0;
    double found = strtod(text, &end);
    bool is_number = end == text + value.len;
    if (text != few) free(text);
    if (is_number) *number = found;
    return is_number;
}

bt_world_string_t bt_borrowed(const char *text) { return (bt_world_string_t){(uint8_t *)text, strlen(text)}; }

bt_world_string_t bt_owned(bt_text text) {
    bt_world_string_t copy;
    bt_world_string_dup_n(&copy, text.ptr, text.len);
    return copy;
}

bt_world_string_t bt_owned_string(const char *text) { return bt_owned(bt_text_of(text)); }

bt_text bt_shown(bt_world_string_t text) { return (bt_text){(const char *)text.ptr, text.len}; }

static void write_log(bridge_telemetry_log_level_t level, const char *message) {
    bt_world_string_t text = bt_borrowed(message), none = bt_borrowed("");
    bridge_telemetry_log_write(level, &text, &none);
}

void bt_log_info(const char *message) { write_log(BRIDGE_TELEMETRY_LOG_LEVEL_INFO, message); }
void bt_log_warn(const char *message) { write_log(BRIDGE_TELEMETRY_LOG_LEVEL_WARN, message); }
void bt_log_error(const char *message) { write_log(BRIDGE_TELEMETRY_LOG_LEVEL_ERROR, message); }

void bt_counter_add(const char *name, uint64_t delta) {
    bt_world_string_t text = bt_borrowed(name);
    bridge_telemetry_counters_add(&text, delta);
}

void bt_gauge_set(const char *name, double value) {
    bt_world_string_t text = bt_borrowed(name);
    bridge_telemetry_counters_set(&text, value);
}

const char *bt_refused(bridge_telemetry_types_plugin_error_t *error) {
    static char *last;
    bt_text said = bt_shown(error->val.other); /* every case has a text in the same place */
    last = bt_allocate(last, said.len + 1);
    memcpy(last, said.ptr, said.len);
    last[said.len] = 0;
    bridge_telemetry_types_plugin_error_free(error);
    return last;
}

void bt_fault(bridge_telemetry_types_plugin_error_t *error, uint8_t tag, const char *message) {
    error->tag = tag;
    error->val.other = bt_owned_string(message);
}

void exports_bridge_telemetry_lifecycle_describe(exports_bridge_telemetry_lifecycle_info_t *info) {
    const char *schema = bt_this_plugin.config_schema;
    info->name = bt_owned_string(bt_this_plugin.name);
    info->version = bt_owned_string(bt_this_plugin.version);
    info->description = bt_owned_string(bt_this_plugin.description);
    info->config_schema_json = bt_owned_string(schema ? schema : "{\"type\":\"object\",\"additionalProperties\":false}");
    info->attributes_json = bt_owned_string("{}");
}

bool exports_bridge_telemetry_lifecycle_init(bt_world_string_t *config,
                                             exports_bridge_telemetry_lifecycle_state_t *restored,
                                             exports_bridge_telemetry_lifecycle_plugin_error_t *error) {
    const char *fault = bt_start(bt_shown(*config));
    uint8_t tag = BRIDGE_TELEMETRY_TYPES_PLUGIN_ERROR_INVALID_CONFIG;
    if (!fault && restored) {
        fault = bt_restore(restored->version, restored->bytes.ptr, restored->bytes.len);
        tag = BRIDGE_TELEMETRY_TYPES_PLUGIN_ERROR_UNSUPPORTED;
    }
    bt_world_string_free(config);
    if (restored) bridge_telemetry_types_state_free(restored);
    if (fault) bt_fault(error, tag, fault);
    return !fault;
}

bool exports_bridge_telemetry_lifecycle_snapshot(exports_bridge_telemetry_lifecycle_option_state_t *state,
                                                 exports_bridge_telemetry_lifecycle_plugin_error_t *error) {
    (void)error;
    bt_buffer buffer = {0};
    state->is_some = bt_save(&buffer);
    state->val.version = bt_this_plugin.state_version;
    state->val.bytes = (bt_world_list_u8_t){buffer.ptr, buffer.len};
    if (!state->is_some) bt_buffer_free(&buffer);
    return true;
}

static bt_world_option_list_string_t patterns(const char *const *given) {
    bt_world_option_list_string_t found = {.is_some = given != NULL};
    if (!given) return found;
    while (given[found.val.len]) found.val.len++;
    found.val.ptr = bt_allocate(NULL, found.val.len * sizeof *found.val.ptr);
    for (size_t at = 0; at < found.val.len; at++) found.val.ptr[at] = bt_owned_string(given[at]);
    return found;
}

void bt_subscribe(bridge_telemetry_types_subscription_t *subscription) {
    subscription->event_types = patterns(bt_this_plugin.event_types);
    subscription->sources = patterns(bt_this_plugin.sources);
    subscription->metrics = patterns(bt_this_plugin.metrics);
    subscription->tick_milliseconds.is_some = bt_this_plugin.tick_milliseconds > 0;
    subscription->tick_milliseconds.val = bt_this_plugin.tick_milliseconds;
}

bt_text bt_column(const bridge_telemetry_types_text_column_t *column, size_t index) {
    uint32_t start = index ? column->ends.ptr[index - 1] : 0;
    return (bt_text){(const char *)column->bytes.ptr + start, column->ends.ptr[index] - start};
}

/* The bindings ask for an object file that names the contract's types; a component's frame has them already. */
void __component_type_object_force_link_bt_world(void);
void __component_type_object_force_link_bt_world(void) {}
