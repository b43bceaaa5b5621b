/* Refuses commands without an id of bounded length. */
#include "bt_validator.h"

static double longest = 64;
static bool has_forbidden, has_schema;
static bt_pattern forbidden;
static bt_schema schema;

const bt_plugin bt_this_plugin = {
    .name = "command-id",
    .version = "0.1.0",
    .description = "Refuses commands without an id of bounded length",
    .config_schema = "{\"type\":\"object\",\"properties\":{\"longest\":{\"type\":\"integer\",\"default\":64},"
                     "\"forbidden\":{\"type\":\"string\",\"default\":\"\"},"
                     "\"schema\":{\"type\":\"string\",\"default\":\"\"}},"
                     "\"additionalProperties\":false}",
    .event_types = (const char *const[]){"COMMAND_*", NULL},
    .places = (const char *const[]){"/command_id", NULL},
};

const char *bt_start(bt_text config) {
    bt_buffer expression = {0}, schema_json = {0};
    bt_json_number(config, "longest", &longest);
    has_forbidden = bt_json_text(config, "forbidden", &expression) && expression.len > 0;
    has_schema = bt_json_text(config, "schema", &schema_json) && schema_json.len > 0;
    const char *fault = NULL;
    if (has_forbidden) fault = bt_pattern_compile((bt_text){(const char *)expression.ptr, expression.len}, &forbidden);
    if (has_schema && !fault) fault = bt_schema_compile((bt_text){(const char *)schema_json.ptr, schema_json.len}, &schema);
    bt_buffer_free(&expression);
    bt_buffer_free(&schema_json);
    return fault;
}

/* Answers whether it was refused. */
static bool refuse_forbidden(const bt_event *event, bt_text id, bt_verdict *verdict) {
    bool matches;
    bt_findings findings = {0};
    const char *fault = bt_pattern_match(forbidden, id, &matches);
    if (!fault && matches) fault = bt_pattern_find(forbidden, &id, 1, &findings);
    if (fault) {
        bt_reject(verdict, event->row, "bad_command_id", "/data/command_id", fault);
    } else if (findings.count > 0) {
        bt_found last = findings.found[findings.count - 1];
        bt_buffer message = {0};
        bt_add_string(&message, "the command's id may not have ");
        bt_add_json_string(&message, (bt_text){id.ptr + last.start, last.end - last.start});
        bt_add(&message, " in it", sizeof " in it");
        bt_reject(verdict, event->row, "bad_command_id", "/data/command_id", (const char *)message.ptr);
        bt_buffer_free(&message);
    }
    bool refused = fault || findings.count > 0;
    bt_findings_free(&findings);
    return refused;
}

static void refuse_unfit(const bt_event *event, bt_verdict *verdict) {
    bt_schema_faults faults;
    const char *fault = bt_schema_check(schema, &event->row, 1, 1, &faults);
    if (fault) {
        bt_reject(verdict, event->row, "bad_command", "/data", fault);
    } else if (faults.count > 0) {
        bt_buffer path = {0}, message = {0};
        bt_add_string(&path, "/data");
        bt_add_text(&path, faults.faults[0].path);
        bt_add(&path, "", 1);
        bt_add_text(&message, faults.faults[0].message);
        bt_add(&message, "", 1);
        bt_reject(verdict, event->row, "bad_command", (const char *)path.ptr, (const char *)message.ptr);
        bt_buffer_free(&path);
        bt_buffer_free(&message);
    }
    bt_schema_faults_free(&faults);
}

void bt_validate_event(const bt_event *event, bt_verdict *verdict) {
    bt_value id = event->values[0];
    if (id.kind != BT_STRING) {
        bt_reject(verdict, event->row, "bad_command", "/data", "the command has no id");
    } else if ((double)id.text.len > longest) {
        bt_reject(verdict, event->row, "too_long", "/data/command_id", "the command's id is too long");
    } else if (!(has_forbidden && refuse_forbidden(event, id.text, verdict)) && has_schema) {
        refuse_unfit(event, verdict);
    }
}
