/* The contract's delivery. */
#include "bt_sink.h"

#include <math.h>
#include <stdlib.h>

#include "bt_own.h"

typedef exports_bridge_telemetry_delivery_outcome_t outcome_t;

/* Time for one request that says none. */
#define TIMEOUT_MILLISECONDS 10000

static bt_world_list_string_t receivers_of(const char *const *names) {
    bt_world_list_string_t receivers = {NULL, 0};
    while (names && names[receivers.len]) receivers.len++;
    if (receivers.len == 0) return receivers;
    receivers.ptr = bt_allocate(NULL, receivers.len * sizeof *receivers.ptr);
    for (size_t at = 0; at < receivers.len; at++) receivers.ptr[at] = bt_owned_string(names[at]);
    return receivers;
}

static void tell(outcome_t *outcome, bt_outcome found) {
    const char *reason = found.reason ? found.reason : "";
    switch (found.tag) {
    case BT_DELIVERED:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_DELIVERED;
        outcome->val.delivered.is_some = found.reason != NULL;
        if (found.reason) outcome->val.delivered.val = bt_owned_string(reason);
        return;
    case BT_DUPLICATE:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_DUPLICATE;
        return;
    case BT_REJECTED:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_REJECTED;
        outcome->val.rejected = bt_owned_string(reason);
        return;
    case BT_RETRY:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_RETRY;
        outcome->val.retry.after_milliseconds.is_some = found.after_milliseconds > 0;
        outcome->val.retry.after_milliseconds.val = found.after_milliseconds;
        outcome->val.retry.reason = bt_owned_string(reason);
        return;
    case BT_FORWARD:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_FORWARD;
        outcome->val.forward = receivers_of(found.receivers);
        return;
    }
}

bool bt_alert_label(const bt_alert *alert, const char *name, bt_text *value) {
    const exports_bridge_telemetry_delivery_list_label_t *labels = alert->labels;
    for (size_t at = 0; at < labels->len; at++) {
        if (!bt_text_is(bt_shown(labels->ptr[at].name), name)) continue;
        *value = bt_shown(labels->ptr[at].value);
        return true;
    }
    return false;
}

bool exports_bridge_telemetry_delivery_deliver(exports_bridge_telemetry_delivery_list_alert_t *alerts,
                                               uint32_t deadline_milliseconds,
                                               exports_bridge_telemetry_delivery_list_outcome_t *answer,
                                               exports_bridge_telemetry_delivery_plugin_error_t *error) {
    (void)error, (void)deadline_milliseconds;
    answer->len = alerts->len;
    answer->ptr = bt_allocate(NULL, alerts->len * sizeof *answer->ptr);
    for (size_t at = 0; at < alerts->len; at++) {
        exports_bridge_telemetry_delivery_alert_t *given = &alerts->ptr[at];
        bt_alert alert = {
            .idempotency_key = bt_shown(given->idempotency_key),
            .attempt = given->attempt,
            .alert_id = bt_shown(given->alert_id),
            .monitor = bt_shown(given->monitor),
            .key = bt_shown(given->key),
            .summary = bt_shown(given->summary),
            .firing = given->firing,
            .severity = (bt_severity)given->severity,
            .value = given->value.is_some ? given->value.val : NAN,
            .first_seen = given->first_seen,
            .last_seen = given->last_seen,
            .resolved_at = given->resolved_at.is_some ? given->resolved_at.val : 0,
            .times_seen = given->times_seen,
            .labels = &given->labels,
            .json = bt_shown(given->alert_json),
        };
        tell(&answer->ptr[at], bt_deliver(&alert));
    }
    exports_bridge_telemetry_delivery_list_alert_free(alerts);
    return true;
}

static const char *fault_of(const bridge_telemetry_outbound_http_failure_t *failure) {
    switch (failure->tag) {
    case BRIDGE_TELEMETRY_OUTBOUND_HTTP_FAILURE_DENIED:
        return "it is not granted";
    case BRIDGE_TELEMETRY_OUTBOUND_HTTP_FAILURE_TIMEOUT:
        return "no answer in time";
    case BRIDGE_TELEMETRY_OUTBOUND_HTTP_FAILURE_CONNECTION:
        return "no connection";
    case BRIDGE_TELEMETRY_OUTBOUND_HTTP_FAILURE_TOO_LARGE:
        return "the request or its answer is too large";
    default:
        return "the request cannot be sent";
    }
}

uint16_t bt_http_send(const bt_request *given, bt_buffer *answer, const char **fault) {
    bridge_telemetry_outbound_http_header_t *headers = NULL;
    if (given->header_count > 0) headers = bt_allocate(NULL, given->header_count * sizeof *headers);
    for (size_t at = 0; at < given->header_count; at++) {
        headers[at].name = bt_borrowed(given->headers[at].name);
        headers[at].value = bt_borrowed(given->headers[at].value);
    }
    bridge_telemetry_outbound_http_request_t request = {
        .method = bt_borrowed(given->method),
        .url = bt_borrowed(given->url),
        .headers = {headers, given->header_count},
        .body = {(uint8_t *)given->body.ptr, given->body.len},
        .timeout_milliseconds = given->timeout_milliseconds ? given->timeout_milliseconds : TIMEOUT_MILLISECONDS,
    };
    bridge_telemetry_outbound_http_response_t response;
    bridge_telemetry_outbound_http_failure_t failure;
    bool answered = bridge_telemetry_outbound_http_send(&request, &response, &failure);
    free(headers);
    if (!answered) {
        *fault = fault_of(&failure);
        bridge_telemetry_outbound_http_failure_free(&failure);
        return 0;
    }
    uint16_t status = response.status;
    if (answer) bt_add(answer, response.body.ptr, response.body.len);
    bridge_telemetry_outbound_http_response_free(&response);
    return status;
}

uint16_t bt_http_post(const char *url, const char *content_type, bt_text body, const char **fault) {
    bt_header header = {"content-type", content_type};
    bt_request request = {.method = "POST", .url = url, .headers = &header, .header_count = 1, .body = body};
    return bt_http_send(&request, NULL, fault);
}
