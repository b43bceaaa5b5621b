/* The plugin's own key-value space, kept by the host. */
#include "bt_key_value.h"

#include "bt_own.h"

const char *bt_key_value_get(bt_text key, bt_buffer *value, bool *found) {
    bt_world_string_t given = {(uint8_t *)key.ptr, key.len};
    bt_world_option_list_u8_t answer;
    bridge_telemetry_types_plugin_error_t error;
    *found = false;
    if (!bridge_telemetry_key_value_get(&given, &answer, &error)) return bt_refused(&error);
    *found = answer.is_some;
    if (answer.is_some) bt_add(value, answer.val.ptr, answer.val.len);
    bt_world_option_list_u8_free(&answer);
    return NULL;
}

const char *bt_key_value_put(bt_text key, const void *bytes, size_t len) {
    bt_world_string_t given = {(uint8_t *)key.ptr, key.len};
    bt_world_list_u8_t value = {(uint8_t *)bytes, len};
    bridge_telemetry_types_plugin_error_t error;
    return bridge_telemetry_key_value_put(&given, &value, &error) ? NULL : bt_refused(&error);
}

const char *bt_key_value_delete(bt_text key) {
    bt_world_string_t given = {(uint8_t *)key.ptr, key.len};
    bridge_telemetry_types_plugin_error_t error;
    return bridge_telemetry_key_value_delete(&given, &error) ? NULL : bt_refused(&error);
}
