/* Queries, answered by the host. */
#include "bt_query.h"

#include "bt_own.h"

const char *bt_query_get_metrics(bt_text request_json, bt_buffer *answer) {
    bt_world_string_t given = {(uint8_t *)request_json.ptr, request_json.len}, found;
    bridge_telemetry_types_plugin_error_t error;
    if (!bridge_telemetry_query_get_metrics(&given, &found, &error)) return bt_refused(&error);
    bt_add_text(answer, bt_shown(found));
    bt_world_string_free(&found);
    return NULL;
}
