/* What stands at the plugin's places in events' `data`, found by the host. */
#include "bt_values_own.h"

#include <stdlib.h>

bool bt_values_read(bt_values *values, bridge_telemetry_types_plugin_error_t *error) {
    const char *const *given = bt_this_plugin.places;
    *values = (bt_values){0};
    if (given == NULL) return true;
    while (given[values->places] != NULL) values->places++;
    bt_world_list_string_t places = {bt_allocate(NULL, values->places * sizeof *places.ptr), values->places};
    for (size_t place = 0; place < places.len; place++) places.ptr[place] = bt_borrowed(given[place]);
    bool read = bridge_telemetry_event_values_read(&places, &values->table, error);
    free(places.ptr);
    if (read) values->row = bt_allocate(NULL, values->places * sizeof *values->row);
    return read;
}

const bt_value *bt_values_of(bt_values *values, size_t row) {
    for (size_t place = 0; place < values->places; place++) {
        size_t at = row * values->places + place;
        values->row[place] = (bt_value){
            .kind = (bt_kind)values->table.kinds.ptr[at],
            .number = values->table.numbers.len > 0 ? values->table.numbers.ptr[at] : 0,
            .text = bt_column(&values->table.texts, at),
        };
    }
    return values->row;
}

void bt_values_free(bt_values *values) {
    if (values->row == NULL) return;
    bridge_telemetry_event_values_value_table_free(&values->table);
    free(values->row);
}
