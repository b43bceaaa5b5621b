/* Regular expressions, searched by the host. */
#include "bt_patterns.h"

#include <stdlib.h>

#include "bt_own.h"

typedef bridge_telemetry_patterns_found_t found_t;

_Static_assert(sizeof(bt_found) == sizeof(found_t) && offsetof(bt_found, text) == offsetof(found_t, text) &&
                   offsetof(bt_found, start) == offsetof(found_t, start) && offsetof(bt_found, end) == offsetof(found_t, end),
               "they are taken one for the other");

static bt_world_string_t lent_text(bt_text text) { return (bt_world_string_t){(uint8_t *)text.ptr, text.len}; }

static bridge_telemetry_patterns_borrow_pattern_t lent(bt_pattern pattern) {
    return (bridge_telemetry_patterns_borrow_pattern_t){pattern.handle};
}

const char *bt_pattern_compile(bt_text expression, bt_pattern *pattern) {
    bt_world_string_t given = lent_text(expression);
    bridge_telemetry_patterns_own_pattern_t compiled;
    bridge_telemetry_types_plugin_error_t error;
    if (!bridge_telemetry_patterns_static_pattern_compile(&given, &compiled, &error)) return bt_refused(&error);
    pattern->handle = compiled.__handle;
    return NULL;
}

const char *bt_pattern_match(bt_pattern pattern, bt_text text, bool *matches) {
    bt_world_string_t given = lent_text(text);
    bridge_telemetry_types_plugin_error_t error;
    *matches = false;
    if (!bridge_telemetry_patterns_method_pattern_is_match(lent(pattern), &given, matches, &error)) return bt_refused(&error);
    return NULL;
}

const char *bt_pattern_find(bt_pattern pattern, const bt_text *texts, size_t count, bt_findings *findings) {
    bt_buffer bytes = {0}, ends = {0};
    for (size_t at = 0; at < count; at++) {
        bt_add_text(&bytes, texts[at]);
        uint32_t end = (uint32_t)bytes.len;
        bt_add(&ends, &end, sizeof end);
    }
    bridge_telemetry_types_text_column_t column = {{bytes.ptr, bytes.len}, {(uint32_t *)ends.ptr, count}};
    bridge_telemetry_patterns_findings_t answer;
    bridge_telemetry_types_plugin_error_t error;
    bool searched = bridge_telemetry_patterns_method_pattern_find(lent(pattern), &column, &answer, &error);
    bt_buffer_free(&bytes);
    bt_buffer_free(&ends);
    *findings = (bt_findings){0};
    if (!searched) return bt_refused(&error);
    *findings = (bt_findings){
        .found = (const bt_found *)answer.found.ptr,
        .count = answer.found.len,
        .given_up = answer.given_up.ptr,
        .given_up_count = answer.given_up.len,
    };
    return NULL;
}

void bt_findings_free(bt_findings *findings) {
    /* An empty list has no memory of its own. */
    if (findings->count) free((void *)findings->found);
    if (findings->given_up_count) free((void *)findings->given_up);
    *findings = (bt_findings){0};
}

void bt_pattern_drop(bt_pattern pattern) {
    bridge_telemetry_patterns_pattern_drop_own((bridge_telemetry_patterns_own_pattern_t){pattern.handle});
}
