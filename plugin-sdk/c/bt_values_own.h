/* What the helper's own parts share of values; not for authors. */
#ifndef BT_VALUES_OWN_H
#define BT_VALUES_OWN_H

#include "bt_rows_own.h"

/* What was found in a batch's events at the plugin's places. */
typedef struct {
    bridge_telemetry_event_values_value_table_t table;
    size_t places;
    bt_value *row;
} bt_values;

/* Asks the host; nothing where the plugin has no places. False: it failed. */
bool bt_values_read(bt_values *values, bridge_telemetry_types_plugin_error_t *error);
/* What was found in an event, until the next one is asked for. */
const bt_value *bt_values_of(bt_values *values, size_t row);
void bt_values_free(bt_values *values);

#endif
