/* The contract's validation. */
#include "bt_validator.h"

#include "bt_values_own.h"

typedef exports_bridge_telemetry_validation_issue_t issue_t;
typedef exports_bridge_telemetry_validation_event_rewrite_t rewrite_t;

struct bt_verdict {
    bt_buffer issues, rewrites;
};

__attribute__((weak)) void bt_validate_event(const bt_event *event, bt_verdict *verdict) { (void)event, (void)verdict; }
__attribute__((weak)) void bt_validate_sample(const bt_sample *sample, bt_verdict *verdict) { (void)sample, (void)verdict; }

static void object(bt_verdict *verdict, uint32_t row, bool reject, const char *code, const char *path, const char *message) {
    issue_t issue = {row, reject, bt_owned_string(code), bt_owned_string(path), bt_owned_string(message)};
    bt_add(&verdict->issues, &issue, sizeof issue);
}

void bt_reject(bt_verdict *verdict, uint32_t row, const char *code, const char *path, const char *message) {
    object(verdict, row, true, code, path, message);
}

void bt_warn(bt_verdict *verdict, uint32_t row, const char *code, const char *path, const char *message) {
    object(verdict, row, false, code, path, message);
}

void bt_replace_data(bt_verdict *verdict, uint32_t row, bt_text data) {
    rewrite_t rewrite = {.row = row, .data_json = {true, bt_owned(data)}};
    bt_add(&verdict->rewrites, &rewrite, sizeof rewrite);
}

void exports_bridge_telemetry_validation_subscribe(exports_bridge_telemetry_validation_subscription_t *subscription) {
    bt_subscribe(subscription);
}

bool exports_bridge_telemetry_validation_validate_events(exports_bridge_telemetry_validation_event_batch_t *batch,
                                                         exports_bridge_telemetry_validation_event_verdict_t *answer,
                                                         exports_bridge_telemetry_validation_plugin_error_t *error) {
    bt_values values;
    if (!bt_values_read(&values, error)) {
        bridge_telemetry_types_event_batch_free(batch);
        return false;
    }
    bt_verdict verdict = {0};
    for (size_t row = 0; row < batch->timestamps.len; row++) {
        bt_event event = bt_event_at(batch, row);
        event.values = bt_values_of(&values, row);
        bt_validate_event(&event, &verdict);
    }
    bt_values_free(&values);
    bridge_telemetry_types_event_batch_free(batch);
    answer->issues.ptr = (issue_t *)verdict.issues.ptr;
    answer->issues.len = verdict.issues.len / sizeof(issue_t);
    answer->rewrites.ptr = (rewrite_t *)verdict.rewrites.ptr;
    answer->rewrites.len = verdict.rewrites.len / sizeof(rewrite_t);
    return true;
}

bool exports_bridge_telemetry_validation_validate_samples(exports_bridge_telemetry_validation_sample_batch_t *batch,
                                                          exports_bridge_telemetry_validation_sample_verdict_t *answer,
                                                          exports_bridge_telemetry_validation_plugin_error_t *error) {
    (void)error;
    bt_verdict verdict = {0};
    for (size_t row = 0; row < batch->timestamps.len; row++) {
        bt_sample sample = bt_sample_at(batch, row);
        bt_validate_sample(&sample, &verdict);
    }
    bridge_telemetry_types_sample_batch_free(batch);
    bt_buffer_free(&verdict.rewrites);
    answer->issues.ptr = (issue_t *)verdict.issues.ptr;
    answer->issues.len = verdict.issues.len / sizeof(issue_t);
    answer->rewrites.ptr = NULL;
    answer->rewrites.len = 0;
    return true;
}
