/* The contract's aggregation: groups of the author's structs, saved one after another with their lengths. */
#include "bt_aggregator.h"

#include <stdlib.h>
#include <string.h>

#include "bt_own.h"

/* The number of the format in which groups are saved. */
#define FORMAT 1
/* Most groups of one accumulator; the host's limit is the same. */
#define MAX_GROUPS 1000000

typedef exports_bridge_telemetry_aggregation_plugin_error_t fault_t;

struct exports_bridge_telemetry_aggregation_accumulator_t {
    const bt_function *function;
    void *parameters;
    uint8_t *groups;
    size_t count, room;
};

typedef exports_bridge_telemetry_aggregation_accumulator_t accumulator_t;

static void *group_at(accumulator_t *self, size_t number) {
    return self->groups + number * self->function->group_size;
}

static bool open_group(accumulator_t *self, uint32_t number, fault_t *fault) {
    if (number >= MAX_GROUPS) {
        bt_fault(fault, BRIDGE_TELEMETRY_TYPES_PLUGIN_ERROR_UNSUPPORTED, "there are too many groups");
        return false;
    }
    size_t size = self->function->group_size;
    if (number >= self->room) {
        size_t room = self->room * 2 > number ? self->room * 2 : (size_t)number + 1;
        /* Beyond all sizes there are, a product begins at 0 again. */
        if (size && room > SIZE_MAX / size) __builtin_trap();
        self->groups = bt_allocate(self->groups, room * size);
        self->room = room;
    }
    if (number >= self->count) {
        memset(group_at(self, self->count), 0, (number + 1 - self->count) * size);
        self->count = (size_t)number + 1;
    }
    return true;
}

void exports_bridge_telemetry_aggregation_aggregates(exports_bridge_telemetry_aggregation_list_aggregate_t *answer) {
    answer->len = bt_function_count;
    answer->ptr = bt_allocate(NULL, answer->len * sizeof *answer->ptr);
    for (size_t at = 0; at < answer->len; at++) {
        const bt_function *function = &bt_functions[at];
        answer->ptr[at].name = bt_owned_string(function->name);
        answer->ptr[at].description = bt_owned_string(function->description);
        answer->ptr[at].parameters_schema_json = bt_owned_string(function->parameters_schema);
        answer->ptr[at].mergeable = function->mergeable;
        answer->ptr[at].needs_timestamps = function->needs_timestamps;
    }
}

void exports_bridge_telemetry_aggregation_accumulator_destructor(accumulator_t *self) {
    for (size_t number = 0; self->function->close && number < self->count; number++) {
        self->function->close(group_at(self, number));
    }
    free(self->groups);
    free(self->parameters);
    free(self);
}

bool exports_bridge_telemetry_aggregation_static_accumulator_create(
    bt_world_string_t *name, bt_world_string_t *parameters,
    exports_bridge_telemetry_aggregation_own_accumulator_t *answer, fault_t *fault) {
    const bt_function *function = NULL;
    for (size_t at = 0; at < bt_function_count; at++) {
        if (bt_text_is(bt_shown(*name), bt_functions[at].name)) function = &bt_functions[at];
    }
    const char *reason = "there is no such aggregate";
    void *own = NULL;
    if (function) {
        own = bt_allocate(NULL, function->parameters_size);
        memset(own, 0, function->parameters_size);
        reason = function->prepare(own, bt_shown(*parameters));
    }
    bt_world_string_free(name);
    bt_world_string_free(parameters);
    if (reason) {
        free(own);
        bt_fault(fault, BRIDGE_TELEMETRY_TYPES_PLUGIN_ERROR_UNSUPPORTED, reason);
        return false;
    }
    accumulator_t *self = bt_allocate(NULL, sizeof *self);
    *self = (accumulator_t){.function = function, .parameters = own};
    *answer = exports_bridge_telemetry_aggregation_accumulator_new(self);
    return true;
}

bool exports_bridge_telemetry_aggregation_method_accumulator_update(
    accumulator_t *self, bt_world_list_u32_t *groups, bt_world_list_u32_t *lengths,
    exports_bridge_telemetry_aggregation_list_timestamp_t *timestamps, bt_world_list_f64_t *values, fault_t *fault) {
    size_t start = 0;
    bool fine = true;
    for (size_t run = 0; fine && run < groups->len && run < lengths->len; run++) {
        size_t length = lengths->ptr[run];
        if (length > values->len - start) length = values->len - start;
        fine = open_group(self, groups->ptr[run], fault);
        if (fine) {
            const int64_t *times = timestamps->len == values->len ? timestamps->ptr + start : NULL;
            self->function->update(self->parameters, group_at(self, groups->ptr[run]), times, values->ptr + start, length);
        }
        start += length;
    }
    bt_world_list_u32_free(groups);
    bt_world_list_u32_free(lengths);
    if (timestamps->len) free(timestamps->ptr);
    bt_world_list_f64_free(values);
    return fine;
}

bool exports_bridge_telemetry_aggregation_method_accumulator_merge(accumulator_t *self,
                                                                   exports_bridge_telemetry_aggregation_state_t *saved,
                                                                   bt_world_list_u32_t *group_map, fault_t *fault) {
    const uint8_t *at = saved->bytes.ptr, *end = at + saved->bytes.len;
    bool fine = saved->version == FORMAT, opened = true;
    for (size_t number = 0; fine && number < group_map->len; number++) {
        uint32_t length;
        fine = (size_t)(end - at) >= sizeof length;
        if (!fine) break;
        memcpy(&length, at, sizeof length);
        at += sizeof length;
        fine = (size_t)(end - at) >= length && (opened = open_group(self, group_map->ptr[number], fault));
        if (fine) {
            fine = self->function->merge(self->parameters, group_at(self, group_map->ptr[number]), at, length);
            at += length;
        }
    }
    bridge_telemetry_types_state_free(saved);
    bt_world_list_u32_free(group_map);
    if (!fine && opened) {
        bt_fault(fault, BRIDGE_TELEMETRY_TYPES_PLUGIN_ERROR_UNSUPPORTED, "the state cannot be read");
    }
    return fine;
}

bool exports_bridge_telemetry_aggregation_method_accumulator_save(accumulator_t *self,
                                                                  exports_bridge_telemetry_aggregation_state_t *answer,
                                                                  fault_t *fault) {
    (void)fault;
    bt_buffer whole = {0}, one = {0};
    for (size_t number = 0; number < self->count; number++) {
        one.len = 0;
        self->function->save(self->parameters, group_at(self, number), &one);
        uint32_t length = (uint32_t)one.len;
        bt_add(&whole, &length, sizeof length);
        bt_add(&whole, one.ptr, one.len);
    }
    bt_buffer_free(&one);
    answer->version = FORMAT;
    answer->bytes = (bt_world_list_u8_t){whole.ptr, whole.len};
    return true;
}

bool exports_bridge_telemetry_aggregation_method_accumulator_evaluate(
    accumulator_t *self, exports_bridge_telemetry_aggregation_list_value_t *answer, fault_t *fault) {
    (void)fault;
    answer->len = self->count;
    answer->ptr = bt_allocate(NULL, self->count * sizeof *answer->ptr);
    for (size_t number = 0; number < self->count; number++) {
        double value;
        if (self->function->evaluate(self->parameters, group_at(self, number), &value)) {
            answer->ptr[number].tag = EXPORTS_BRIDGE_TELEMETRY_AGGREGATION_VALUE_NUMBER;
            answer->ptr[number].val.number = value;
        } else {
            answer->ptr[number].tag = EXPORTS_BRIDGE_TELEMETRY_AGGREGATION_VALUE_NONE;
        }
    }
    return true;
}
