/* JSON Schemas, by which the host judges the data of events. */
#include "bt_schemas.h"

#include "bt_own.h"

typedef bridge_telemetry_json_schemas_fault_t fault_t;

_Static_assert(sizeof(bt_schema_fault) == sizeof(fault_t) && offsetof(bt_schema_fault, row) == offsetof(fault_t, row) &&
                   offsetof(bt_schema_fault, path) == offsetof(fault_t, path) &&
                   offsetof(bt_schema_fault, keyword) == offsetof(fault_t, keyword) &&
                   offsetof(bt_schema_fault, message) == offsetof(fault_t, message),
               "they are taken one for the other");
_Static_assert(sizeof(bt_text) == sizeof(bt_world_string_t) && offsetof(bt_text, ptr) == offsetof(bt_world_string_t, ptr) &&
                   offsetof(bt_text, len) == offsetof(bt_world_string_t, len),
               "texts are taken for strings");

static const char untold[] = "the host did not judge all events by their schemas";
/* Whether it refused to since that was last asked, and how. */
static bool is_untold;
static uint8_t untold_tag;

const char *bt_schema_compile(bt_text schema_json, bt_schema *schema) {
    bt_world_string_t given = {(uint8_t *)schema_json.ptr, schema_json.len};
    bridge_telemetry_json_schemas_own_schema_t compiled;
    bridge_telemetry_types_plugin_error_t error;
    if (!bridge_telemetry_json_schemas_static_schema_compile(&given, &compiled, &error)) return bt_refused(&error);
    schema->handle = compiled.__handle;
    return NULL;
}

const char *bt_schema_check(bt_schema schema, const uint32_t *rows, size_t count, uint32_t most, bt_schema_faults *faults) {
    bridge_telemetry_json_schemas_borrow_schema_t lent = {schema.handle};
    bt_world_list_u32_t given = {(uint32_t *)rows, count};
    bridge_telemetry_json_schemas_list_fault_t answer;
    bridge_telemetry_types_plugin_error_t error;
    *faults = (bt_schema_faults){0};
    /* The call is to fail, and more would only take what is left of its time. */
    if (is_untold) return untold;
    if (!bridge_telemetry_json_schemas_method_schema_check(lent, &given, most, &answer, &error)) {
        is_untold = true;
        untold_tag = error.tag;
        return bt_refused(&error);
    }
    *faults = (bt_schema_faults){(const bt_schema_fault *)answer.ptr, answer.len};
    return NULL;
}

void bt_schemas_begin(void) { is_untold = false; }

bool bt_schemas_untold(bridge_telemetry_types_plugin_error_t *error) {
    if (!is_untold) return false;
    is_untold = false;
    bt_fault(error, untold_tag, untold);
    return true;
}

void bt_schema_faults_free(bt_schema_faults *faults) {
    bridge_telemetry_json_schemas_list_fault_t taken = {(fault_t *)faults->faults, faults->count};
    bridge_telemetry_json_schemas_list_fault_free(&taken);
    *faults = (bt_schema_faults){0};
}

void bt_schema_drop(bt_schema schema) {
    bridge_telemetry_json_schemas_schema_drop_own((bridge_telemetry_json_schemas_own_schema_t){schema.handle});
}
