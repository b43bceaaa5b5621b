/* What the helper's own parts share; not for authors. */
#ifndef BT_OWN_H
#define BT_OWN_H

#include "bt.h"
#include "bt_world.h"

void *bt_allocate(void *before, size_t bytes);
bt_world_string_t bt_borrowed(const char *text);
bt_world_string_t bt_owned(bt_text text);
bt_world_string_t bt_owned_string(const char *text);
bt_text bt_shown(bt_world_string_t text);
/* What the host said that is wrong, until it says so again; the error is freed. */
const char *bt_refused(bridge_telemetry_types_plugin_error_t *error);
void bt_fault(bridge_telemetry_types_plugin_error_t *error, uint8_t tag, const char *message);
void bt_subscribe(bridge_telemetry_types_subscription_t *subscription);
/* A call with events begins: what was refused in other calls is not about them. */
void bt_schemas_begin(void);
/* Whether the host refused to judge events by a schema, mostly for lack of time: then the call fails, whatever the author made of that. */
bool bt_schemas_untold(bridge_telemetry_types_plugin_error_t *error);
/* String `index` of a column; the host gives whole columns. */
bt_text bt_column(const bridge_telemetry_types_text_column_t *column, size_t index);

#endif
