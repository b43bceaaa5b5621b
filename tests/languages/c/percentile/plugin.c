/* Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch. */
#include "bt_aggregator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values of one bucket are within 1 % of its middle: bucket k of a sign holds GAMMA^(k-1) < |value| <= GAMMA^k. */
#define GAMMA (1.01 / 0.99)
/* No double has a k beyond this. */
#define MAX_K 100000

/* The counts of neighbouring buckets of one sign, beginning with the one of `first`. */
typedef struct {
    int32_t first;
    uint32_t length;
    uint64_t *counts;
} buckets;

typedef struct {
    buckets negative, positive;
    uint64_t zeros;
} sketch;

typedef struct {
    double q, log_gamma;
} percentile;

const bt_plugin bt_this_plugin = {
    .name = "percentile",
    .version = "0.1.0",
    .description = "Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch",
};

static const char *prepare(void *parameters, bt_text json) {
    percentile *self = parameters;
    self->q = 0.99;
    self->log_gamma = log(GAMMA);
    bt_json_number(json, "q", &self->q);
    return self->q >= 0 && self->q <= 1 ? NULL : "q must lie between 0 and 1; for the 99th percentile write q=0.99";
}

static void count(buckets *side, int32_t k, uint64_t more) {
    int32_t first = side->length == 0 || k < side->first ? k : side->first;
    int32_t end = side->length == 0 ? k : side->first + (int32_t)side->length;
    uint32_t length = (uint32_t)((k >= end ? k + 1 : end) - first);
    if (length > side->length) {
        uint64_t *counts = calloc(length, sizeof *counts);
        if (!counts) __builtin_trap();
        if (side->length) memcpy(counts + (side->first - first), side->counts, side->length * sizeof *counts);
        free(side->counts);
        *side = (buckets){first, length, counts};
    }
    side->counts[k - side->first] += more;
}

static void update(const void *parameters, void *group, const int64_t *timestamps, const double *values, size_t length) {
    const percentile *self = parameters;
    sketch *into = group;
    (void)timestamps;
    for (size_t at = 0; at < length; at++) {
        if (values[at] == 0) {
            into->zeros++;
        } else {
            count(values[at] > 0 ? &into->positive : &into->negative, (int32_t)ceil(log(fabs(values[at])) / self->log_gamma), 1);
        }
    }
}

static void save(const void *parameters, const void *group, bt_buffer *out) {
    const sketch *from = group;
    (void)parameters;
    bt_add(out, &from->zeros, sizeof from->zeros);
    for (int sign = 0; sign < 2; sign++) {
        const buckets *side = sign ? &from->positive : &from->negative;
        bt_add(out, &side->first, sizeof side->first);
        bt_add(out, &side->length, sizeof side->length);
        bt_add(out, side->counts, side->length * sizeof *side->counts);
    }
}

static bool take(const uint8_t **bytes, size_t *len, void *into, size_t size) {
    if (*len < size) return false;
    memcpy(into, *bytes, size);
    *bytes += size, *len -= size;
    return true;
}

static bool merge(const void *parameters, void *group, const uint8_t *bytes, size_t len) {
    sketch *into = group;
    uint64_t number;
    (void)parameters;
    if (!take(&bytes, &len, &number, sizeof number)) return false;
    into->zeros += number;
    for (int sign = 0; sign < 2; sign++) {
        buckets *side = sign ? &into->positive : &into->negative;
        int32_t first;
        uint32_t length;
        if (!take(&bytes, &len, &first, sizeof first) || !take(&bytes, &len, &length, sizeof length)) return false;
        if (first < -MAX_K || first > MAX_K || length > 2 * MAX_K) return false;
        for (uint32_t at = 0; at < length; at++) {
            if (!take(&bytes, &len, &number, sizeof number)) return false;
            if (number) count(side, first + (int32_t)at, number);
        }
    }
    return true;
}

static bool evaluate(const void *parameters, const void *group, double *value) {
    const percentile *self = parameters;
    const sketch *from = group;
    const buckets *low = &from->negative, *high = &from->positive;
    uint64_t total = from->zeros, seen = 0;
    for (uint32_t at = 0; at < low->length; at++) total += low->counts[at];
    for (uint32_t at = 0; at < high->length; at++) total += high->counts[at];
    double rank = self->q * ((double)total - 1);
    for (uint32_t at = low->length; at-- > 0;) {
        seen += low->counts[at];
        if (low->counts[at] && (double)seen > rank) {
            *value = -2 * exp(self->log_gamma * (low->first + (double)at)) / (GAMMA + 1);
            return true;
        }
    }
    seen += from->zeros;
    *value = 0;
    if (from->zeros && (double)seen > rank) return true;
    for (uint32_t at = 0; at < high->length; at++) {
        seen += high->counts[at];
        if (high->counts[at] && (double)seen > rank) {
            *value = 2 * exp(self->log_gamma * (high->first + (double)at)) / (GAMMA + 1);
            return true;
        }
    }
    return false;
}

static void close(void *group) {
    sketch *ended = group;
    free(ended->negative.counts);
    free(ended->positive.counts);
}

const bt_function bt_functions[] = {{
    .name = "percentile",
    .description = "Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch",
    .parameters_schema = "{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"number\",\"default\":0.99}},"
                         "\"additionalProperties\":false}",
    .mergeable = true,
    .parameters_size = sizeof(percentile),
    .group_size = sizeof(sketch),
    .prepare = prepare,
    .update = update,
    .save = save,
    .merge = merge,
    .evaluate = evaluate,
    .close = close,
}};
const size_t bt_function_count = 1;
