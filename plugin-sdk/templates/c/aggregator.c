/* Adds `{{function}}(factor=1)` to queries: the distance from the least to the greatest sample. */
#include "bt_aggregator.h"

#include <string.h>

/* The running state of one group of samples; it begins as zeros. */
typedef struct {
    bool any;
    double least, greatest;
} spread;

typedef struct {
    double factor;
} parameters;

const bt_plugin bt_this_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "Distance from the least to the greatest sample, times factor (default 1)",
};

static const char *prepare(void *self, bt_text json) {
    parameters *given = self;
    given->factor = 1;
    bt_json_number(json, "factor", &given->factor);
    return NULL;
}

static void update(const void *self, void *group, const int64_t *timestamps, const double *values, size_t count) {
    spread *into = group;
    (void)self, (void)timestamps;
    for (size_t at = 0; at < count; at++) {
        if (!into->any || values[at] < into->least) into->least = values[at];
        if (!into->any || values[at] > into->greatest) into->greatest = values[at];
        into->any = true;
    }
}

static void save(const void *self, const void *group, bt_buffer *out) {
    (void)self;
    bt_add(out, group, sizeof(spread));
}

static bool merge(const void *self, void *group, const uint8_t *bytes, size_t len) {
    spread other;
    if (len != sizeof other) return false;
    memcpy(&other, bytes, len);
    double both[2] = {other.least, other.greatest};
    if (other.any) update(self, group, NULL, both, 2);
    return true;
}

static bool evaluate(const void *self, const void *group, double *value) {
    const spread *from = group;
    *value = (from->greatest - from->least) * ((const parameters *)self)->factor;
    return from->any;
}

const bt_function bt_functions[] = {{
    .name = "{{function}}",
    .description = "Distance from the least to the greatest sample, times factor (default 1)",
    .parameters_schema = "{\"type\":\"object\",\"properties\":{\"factor\":{\"type\":\"number\"}},\"additionalProperties\":false}",
    .mergeable = true,
    .parameters_size = sizeof(parameters),
    .group_size = sizeof(spread),
    .prepare = prepare,
    .update = update,
    .save = save,
    .merge = merge,
    .evaluate = evaluate,
}};
const size_t bt_function_count = 1;
