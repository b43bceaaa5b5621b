/* Takes each alert once while it fires, and says at its end what it was told. */
#include "bt_sink.h"

const bt_plugin bt_this_plugin = {
    .name = "once",
    .version = "0.1.0",
    .description = "Takes each alert once while it fires, and says at its end what it was told",
};

/* What was told of the alert, with a zero at its end; it outlives the answer that points to it. */
static bt_buffer told;

static const char *look_up(bt_text key, bool *found) {
    told.len = 0;
    const char *fault = bt_key_value_get(key, &told, found);
    bt_add(&told, "", 1);
    return fault;
}

bt_outcome bt_deliver(const bt_alert *alert) {
    bt_buffer name = {0};
    bt_add_string(&name, "told:");
    bt_add_text(&name, alert->key);
    bt_text key = {(const char *)name.ptr, name.len};
    bool found;
    const char *fault = look_up(key, &found);
    bt_outcome outcome = {.tag = BT_DELIVERED};
    if (!fault && alert->firing && found) {
        outcome.tag = BT_DUPLICATE;
    } else if (!fault && alert->firing) {
        fault = bt_key_value_put(key, alert->summary.ptr, alert->summary.len);
    } else if (!fault && found) {
        fault = bt_key_value_delete(key);
        outcome.reason = (const char *)told.ptr;
    } else if (!fault) {
        fault = "nobody was told";
    }
    bt_buffer_free(&name);
    return fault ? (bt_outcome){.tag = BT_REJECTED, .reason = fault} : outcome;
}
