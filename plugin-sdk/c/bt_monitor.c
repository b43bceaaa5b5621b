/* The contract's monitoring. */
#include "bt_monitor.h"

#include "bt_values_own.h"

typedef exports_bridge_telemetry_monitoring_signal_t signal_t;

struct bt_signals {
    bt_buffer found;
};

__attribute__((weak)) void bt_on_event(const bt_event *event, bt_signals *signals) { (void)event, (void)signals; }
__attribute__((weak)) void bt_on_sample(const bt_sample *sample, bt_signals *signals) { (void)sample, (void)signals; }
__attribute__((weak)) void bt_tick(int64_t now, bt_signals *signals) { (void)now, (void)signals; }

static exports_bridge_telemetry_monitoring_list_label_t labels_of(const bt_signal *given) {
    exports_bridge_telemetry_monitoring_list_label_t labels = {NULL, given->label_count};
    if (labels.len == 0) return labels;
    labels.ptr = bt_allocate(NULL, labels.len * sizeof *labels.ptr);
    for (size_t at = 0; at < labels.len; at++) {
        labels.ptr[at].name = bt_owned_string(given->labels[at].name);
        labels.ptr[at].value = bt_owned_string(given->labels[at].value);
    }
    return labels;
}

void bt_raise(bt_signals *signals, const bt_signal *given) {
    signal_t signal = {
        .key = bt_owned(given->key),
        .firing = given->firing,
        .severity = (uint8_t)given->severity,
        .summary = bt_owned_string(given->summary),
        .value = {given->value == given->value, given->value},
        .timestamp = given->timestamp,
        .labels = labels_of(given),
    };
    bt_add(&signals->found, &signal, sizeof signal);
}

static bool answered(bt_signals *signals, exports_bridge_telemetry_monitoring_list_signal_t *answer) {
    answer->ptr = (signal_t *)signals->found.ptr;
    answer->len = signals->found.len / sizeof(signal_t);
    return true;
}

void exports_bridge_telemetry_monitoring_subscribe(exports_bridge_telemetry_monitoring_subscription_t *subscription) {
    bt_subscribe(subscription);
}

bool exports_bridge_telemetry_monitoring_on_events(exports_bridge_telemetry_monitoring_event_batch_t *batch,
                                                   exports_bridge_telemetry_monitoring_list_signal_t *answer,
                                                   exports_bridge_telemetry_monitoring_plugin_error_t *error) {
    bt_values values;
    bt_schemas_begin();
    if (!bt_values_read(&values, error)) {
        bridge_telemetry_types_event_batch_free(batch);
        return false;
    }
    bt_signals signals = {0};
    for (size_t row = 0; row < batch->timestamps.len; row++) {
        bt_event event = bt_event_at(batch, row);
        event.values = bt_values_of(&values, row);
        bt_on_event(&event, &signals);
    }
    bt_values_free(&values);
    bridge_telemetry_types_event_batch_free(batch);
    answered(&signals, answer);
    if (bt_schemas_untold(error)) {
        exports_bridge_telemetry_monitoring_list_signal_free(answer);
        return false;
    }
    return true;
}

bool exports_bridge_telemetry_monitoring_on_samples(exports_bridge_telemetry_monitoring_sample_batch_t *batch,
                                                    exports_bridge_telemetry_monitoring_list_signal_t *answer,
                                                    exports_bridge_telemetry_monitoring_plugin_error_t *error) {
    (void)error;
    bt_signals signals = {0};
    for (size_t row = 0; row < batch->timestamps.len; row++) {
        bt_sample sample = bt_sample_at(batch, row);
        bt_on_sample(&sample, &signals);
    }
    bridge_telemetry_types_sample_batch_free(batch);
    return answered(&signals, answer);
}

bool exports_bridge_telemetry_monitoring_tick(exports_bridge_telemetry_monitoring_timestamp_t now,
                                              exports_bridge_telemetry_monitoring_list_signal_t *answer,
                                              exports_bridge_telemetry_monitoring_plugin_error_t *error) {
    (void)error;
    bt_signals signals = {0};
    bt_tick(now, &signals);
    return answered(&signals, answer);
}
