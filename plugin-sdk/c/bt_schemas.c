/* JSON Schemas, by which the host judges the data of events. */
#include "bt_schemas.h"

#include <string.h>

#include "bt_own.h"

typedef bridge_telemetry_json_schemas_fault_t fault_t;

_Static_assert(sizeof(bt_schema_fault) == sizeof(fault_t), "they are taken one for the other");

/* What the host said last of what is wrong. */
static char *last_fault;

static const char *fault_of(bridge_telemetry_types_plugin_error_t *error) {
    bt_text said = bt_shown(error->val.other); /* every case has a text in the same place */
    last_fault = bt_allocate(last_fault, said.len + 1);
    memcpy(last_fault, said.ptr, said.len);
    last_fault[said.len] = 0;
    bridge_telemetry_types_plugin_error_free(error);
    return last_fault;
}

const char *bt_schema_compile(bt_text schema_json, bt_schema *schema) {
    bt_world_string_t given = {(uint8_t *)schema_json.ptr, schema_json.len};
    bridge_telemetry_json_schemas_own_schema_t compiled;
    bridge_telemetry_types_plugin_error_t error;
    if (!bridge_telemetry_json_schemas_static_schema_compile(&given, &compiled, &error)) return fault_of(&error);
    schema->handle = compiled.__handle;
    return NULL;
}

const char *bt_schema_check(bt_schema schema, const uint32_t *rows, size_t count, uint32_t most, bt_schema_faults *faults) {
    bridge_telemetry_json_schemas_borrow_schema_t lent = {schema.handle};
    bt_world_list_u32_t given = {(uint32_t *)rows, count};
    bridge_telemetry_json_schemas_list_fault_t answer;
    bridge_telemetry_types_plugin_error_t error;
    *faults = (bt_schema_faults){0};
    if (!bridge_telemetry_json_schemas_method_schema_check(lent, &given, most, &answer, &error)) return fault_of(&error);
    *faults = (bt_schema_faults){(const bt_schema_fault *)answer.ptr, answer.len};
    return NULL;
}

void bt_schema_faults_free(bt_schema_faults *faults) {
    bridge_telemetry_json_schemas_list_fault_t taken = {(fault_t *)faults->faults, faults->count};
    bridge_telemetry_json_schemas_list_fault_free(&taken);
    *faults = (bt_schema_faults){0};
}

void bt_schema_drop(bt_schema schema) {
    bridge_telemetry_json_schemas_schema_drop_own((bridge_telemetry_json_schemas_own_schema_t){schema.handle});
}
