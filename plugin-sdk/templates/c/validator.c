/* Refuses commands without an id, or with one that is too long. */
#include "bt_validator.h"

/* Longest id that is accepted, in bytes. */
static double longest = 64;

const bt_plugin bt_this_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "Refuses commands without an id, or with one that is too long",
    .config_schema = "{\"type\":\"object\",\"properties\":{\"longest\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
    .event_types = (const char *const[]){"COMMAND_*", NULL},
    .places = (const char *const[]){"/command_id", NULL},
};

const char *bt_start(bt_text config) {
    bt_json_number(config, "longest", &longest);
    return NULL;
}

void bt_validate_event(const bt_event *event, bt_verdict *verdict) {
    bt_value id = event->values[0];
    if (id.kind != BT_STRING) {
        bt_reject(verdict, event->row, "bad_command", "/data", "the command has no id");
    } else if ((double)id.text.len > longest) {
        bt_reject(verdict, event->row, "too_long", "/data/command_id", "the command's id is too long");
    }
}
