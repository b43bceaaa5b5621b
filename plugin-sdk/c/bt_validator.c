/* The contract's validation. */
#include "bt_validator.h"

#include "bt_values_own.h"

typedef exports_bridge_telemetry_validation_issue_t issue_t;
typedef exports_bridge_telemetry_validation_event_rewrite_t rewrite_t;

struct bt_verdict {
    bt_buffer issues, rewrites;
    uint32_t last_row; /* the greatest that is rewritten */
    bool is_of_samples, is_misused;
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

/* The rewrite of a row; NULL: there is none yet. Rows come in order, so that it is the last one or none. */
static rewrite_t *rewrite_of(bt_verdict *verdict, uint32_t row) {
    rewrite_t *all = (rewrite_t *)verdict->rewrites.ptr;
    size_t at = row > verdict->last_row ? 0 : verdict->rewrites.len / sizeof *all;
    while (at-- > 0) {
        if (all[at].row == row) return &all[at];
    }
    return NULL;
}

void bt_replace_data(bt_verdict *verdict, uint32_t row, bt_text data) {
    if (verdict->is_of_samples) {
        verdict->is_misused = true;
        return;
    }
    rewrite_t *before = rewrite_of(verdict, row);
    if (before) {
        bt_world_string_free(&before->data_json.val);
        before->data_json.val = bt_owned(data);
        return;
    }
    rewrite_t rewrite = {.row = row, .data_json = {true, bt_owned(data)}};
    bt_add(&verdict->rewrites, &rewrite, sizeof rewrite);
    if (row > verdict->last_row) verdict->last_row = row;
}

void exports_bridge_telemetry_validation_subscribe(exports_bridge_telemetry_validation_subscription_t *subscription) {
    bt_subscribe(subscription);
}

bool exports_bridge_telemetry_validation_validate_events(exports_bridge_telemetry_validation_event_batch_t *batch,
                                                         exports_bridge_telemetry_validation_event_verdict_t *answer,
                                                         exports_bridge_telemetry_validation_plugin_error_t *error) {
    bt_values values;
    bt_schemas_begin();
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
    if (bt_schemas_untold(error)) {
        exports_bridge_telemetry_validation_event_verdict_free(answer);
        return false;
    }
    return true;
}

bool exports_bridge_telemetry_validation_validate_samples(exports_bridge_telemetry_validation_sample_batch_t *batch,
                                                          exports_bridge_telemetry_validation_sample_verdict_t *answer,
                                                          exports_bridge_telemetry_validation_plugin_error_t *error) {
    bt_verdict verdict = {.is_of_samples = true};
    for (size_t row = 0; row < batch->timestamps.len; row++) {
        bt_sample sample = bt_sample_at(batch, row);
        bt_validate_sample(&sample, &verdict);
    }
    bridge_telemetry_types_sample_batch_free(batch);
    answer->issues.ptr = (issue_t *)verdict.issues.ptr;
    answer->issues.len = verdict.issues.len / sizeof(issue_t);
    if (verdict.is_misused) {
        exports_bridge_telemetry_validation_list_issue_free(&answer->issues);
        bt_fault(error, BRIDGE_TELEMETRY_TYPES_PLUGIN_ERROR_OTHER, "bt_replace_data is for events: a sample has no data");
        return false;
    }
    answer->rewrites.ptr = NULL;
    answer->rewrites.len = 0;
    return true;
}
