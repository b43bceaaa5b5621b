/* Tells where expressions that events bring are found in their texts, and what does not fit their schemas. */
#include "bt_validator.h"

#include <string.h>

/* More of each than a plugin may keep. */
#define PATTERNS 300
#define SCHEMAS 1100

/* The plugin's places, in their order. */
enum { EXPRESSION, ONE, TWO, THREE, MORE, SCHEMA };
#define TEXTS 3

static const char *const text_paths[TEXTS] = {"/data/one", "/data/two", "/data/three"};

const bt_plugin bt_this_plugin = {
    .name = "searching",
    .version = "0.1.0",
    .description = "Tells where expressions that events bring are found in their texts, and what does not fit their schemas",
    .event_types = (const char *const[]){"SEARCH", NULL},
    .places = (const char *const[]){"/expression", "/one", "/two", "/three", "/more", "/schema", NULL},
};

const char *bt_start(bt_text config) {
    (void)config;
    for (int made = 0; made < PATTERNS; made++) {
        bt_pattern pattern;
        const char *fault = bt_pattern_compile(bt_text_of("a"), &pattern);
        if (fault) return fault;
        bt_pattern_drop(pattern);
    }
    for (int made = 0; made < SCHEMAS; made++) {
        bt_schema schema;
        const char *fault = bt_schema_compile(bt_text_of("{}"), &schema);
        if (fault) return fault;
        bt_schema_drop(schema);
    }
    return NULL;
}

/* What stands behind the last "error: ". */
static const char *reason_of(const char *fault) {
    for (const char *next; (next = strstr(fault, "error: ")) != NULL;) fault = next + strlen("error: ");
    return fault;
}

/* Tells what was found in one of the texts. */
static void tell(const bt_event *event, bt_verdict *verdict, const bt_findings *findings, uint32_t number, bt_text text,
                 const char *path) {
    bt_buffer message = {0};
    for (size_t at = 0; at < findings->count; at++) {
        bt_found found = findings->found[at];
        if (found.text != number) continue;
        if (message.len > 0) bt_add_string(&message, ",");
        bt_add(&message, text.ptr + found.start, found.end - found.start);
    }
    if (message.len > 0) {
        bt_add(&message, "", 1);
        bt_reject(verdict, event->row, "found", path, (const char *)message.ptr);
    }
    bt_buffer_free(&message);
    for (size_t at = 0; at < findings->given_up_count; at++) {
        if (findings->given_up[at] != number) continue;
        bt_reject(verdict, event->row, "given_up", path, "the text is too long for the expression");
    }
}

static void search(const bt_event *event, bt_verdict *verdict) {
    bt_pattern pattern;
    const char *fault = bt_pattern_compile(event->values[EXPRESSION].text, &pattern);
    if (fault) {
        bt_reject(verdict, event->row, "wrong_expression", "/data/expression", reason_of(fault));
        return;
    }
    bt_text texts[TEXTS];
    for (size_t at = 0; at < TEXTS; at++) texts[at] = event->values[ONE + at].text;
    bt_buffer longer = {0};
    bt_add_text(&longer, texts[TEXTS - 1]);
    for (double more = event->values[MORE].number; more > 0; more--) bt_add_string(&longer, "a");
    texts[TEXTS - 1] = (bt_text){(const char *)longer.ptr, longer.len};
    bt_findings findings;
    fault = bt_pattern_find(pattern, texts, TEXTS, &findings);
    if (fault) bt_reject(verdict, event->row, "not_searched", "/data", fault);
    for (uint32_t at = 0; at < TEXTS; at++) tell(event, verdict, &findings, at, texts[at], text_paths[at]);
    bt_findings_free(&findings);
    bt_buffer_free(&longer);
    bt_pattern_drop(pattern);
}

static void judge(const bt_event *event, bt_verdict *verdict) {
    bt_schema schema;
    if (bt_schema_compile(event->values[SCHEMA].text, &schema)) {
        bt_reject(verdict, event->row, "wrong_schema", "/data/schema", "the host takes no such schema");
        return;
    }
    bt_schema_faults faults;
    const char *fault = bt_schema_check(schema, &event->row, 1, 16, &faults);
    if (fault) bt_reject(verdict, event->row, "not_judged", "/data", fault);
    for (size_t at = 0; at < faults.count; at++) {
        bt_buffer path = {0}, message = {0};
        bt_add_string(&path, "/data");
        bt_add_text(&path, faults.faults[at].path);
        bt_add(&path, "", 1);
        bt_add_text(&message, faults.faults[at].message);
        bt_add(&message, "", 1);
        bt_reject(verdict, event->row, "unfit", (const char *)path.ptr, (const char *)message.ptr);
        bt_buffer_free(&path);
        bt_buffer_free(&message);
    }
    bt_schema_faults_free(&faults);
    bt_schema_drop(schema);
}

void bt_validate_event(const bt_event *event, bt_verdict *verdict) {
    bt_buffer note = {0};
    search(event, verdict);
    if (event->values[SCHEMA].kind != BT_MISSING) judge(event, verdict);
    if (bt_json_text(event->data, "note", &note)) {
        bt_add(&note, "", 1);
        bt_warn(verdict, event->row, "note", "/data/note", (const char *)note.ptr);
    }
    bt_buffer_free(&note);
}
