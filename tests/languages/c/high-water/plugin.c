/* Tells of each new highest level of a tank, out of how many: the highest is kept in the key-value space, and a text forgets it. */
#include "bt_monitor.h"

#include <math.h>
#include <stdlib.h>

const bt_plugin bt_this_plugin = {
    .name = "high-water",
    .version = "0.1.0",
    .description = "Tells of each new highest level of a tank, out of how many",
    .metrics = (const char *const[]){"level", NULL},
};

/* How many levels there are. */
static const char *count_levels(double *count) {
    bt_buffer answer = {0};
    const char *fault = bt_query_get_metrics(bt_text_of("{\"metric_names\":[\"level\"],\"aggregation\":\"COUNT\"}"), &answer);
    bt_text found = {(const char *)answer.ptr, answer.len};
    if (!fault && !(bt_json_member(found, "metrics", &found) && bt_json_member(found, "level", &found) &&
                    bt_json_number(found, "value", count))) {
        fault = "there is no count";
    }
    bt_buffer_free(&answer);
    return fault;
}

/* Answers what is wrong; `is_new` says whether the level is above all before, which it then takes the place of. */
static const char *compare(bt_text key, double level, bool *is_new) {
    bt_buffer kept = {0};
    bool found = false;
    *is_new = false;
    if (isnan(level)) return bt_key_value_delete(key);
    const char *fault = bt_key_value_get(key, &kept, &found);
    if (!fault) {
        bt_add(&kept, "", 1);
        *is_new = !found || level > strtod((const char *)kept.ptr, NULL);
    }
    if (*is_new) {
        kept.len = 0;
        bt_add_number(&kept, level);
        fault = bt_key_value_put(key, kept.ptr, kept.len);
    }
    bt_buffer_free(&kept);
    return fault;
}

void bt_on_sample(const bt_sample *sample, bt_signals *signals) {
    bt_buffer key = {0}, summary = {0};
    bool is_new;
    double count = 0;
    bt_add_string(&key, "high:");
    bt_add_text(&key, sample->context);
    const char *fault = compare((bt_text){(const char *)key.ptr, key.len}, sample->value, &is_new);
    if (!fault && is_new) fault = count_levels(&count);
    bt_signal signal = {.firing = true, .severity = BT_WARNING, .timestamp = sample->timestamp, .value = NAN};
    if (fault) {
        signal.key = bt_text_of("fault");
        signal.summary = fault;
        bt_raise(signals, &signal);
    } else if (is_new) {
        bt_add_string(&summary, "the highest of ");
        bt_add_number(&summary, count);
        bt_add(&summary, "", 1);
        signal.key = sample->context;
        signal.summary = (const char *)summary.ptr;
        signal.value = sample->value;
        bt_raise(signals, &signal);
    }
    bt_buffer_free(&key);
    bt_buffer_free(&summary);
}
