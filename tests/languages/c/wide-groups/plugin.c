/* A sum in groups so wide that half a million of them are 2^32 bytes. */
#include "bt_aggregator.h"

typedef struct {
    double sum;
    char room[8192 - sizeof(double)];
} wide;

const bt_plugin bt_this_plugin = {
    .name = "wide-groups",
    .version = "0.1.0",
    .description = "A sum in groups of 8 KiB",
};

static const char *prepare(void *parameters, bt_text json) {
    (void)parameters, (void)json;
    return NULL;
}

static void update(const void *parameters, void *group, const int64_t *timestamps, const double *values, size_t length) {
    wide *into = group;
    (void)parameters, (void)timestamps;
    for (size_t at = 0; at < length; at++) into->sum += values[at];
}

static void save(const void *parameters, const void *group, bt_buffer *out) {
    const wide *from = group;
    (void)parameters;
    bt_add(out, &from->sum, sizeof from->sum);
}

static bool merge(const void *parameters, void *group, const uint8_t *bytes, size_t len) {
    wide *into = group;
    double sum;
    (void)parameters;
    if (len != sizeof sum) return false;
    __builtin_memcpy(&sum, bytes, sizeof sum);
    into->sum += sum;
    return true;
}

static bool evaluate(const void *parameters, const void *group, double *value) {
    (void)parameters;
    *value = ((const wide *)group)->sum;
    return true;
}

const bt_function bt_functions[] = {{
    .name = "wide_sum",
    .description = "A sum in groups of 8 KiB",
    .parameters_schema = "{\"type\":\"object\",\"additionalProperties\":false}",
    .mergeable = true,
    .parameters_size = 1,
    .group_size = sizeof(wide),
    .prepare = prepare,
    .update = update,
    .save = save,
    .merge = merge,
    .evaluate = evaluate,
}};
const size_t bt_function_count = 1;
