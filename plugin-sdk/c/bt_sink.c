/* The contract's delivery. */
#include "bt_sink.h"

#include "bt_own.h"

typedef exports_bridge_telemetry_delivery_outcome_t outcome_t;

/* Time for one request; a delivery's own time ends it earlier. */
#define TIMEOUT_MILLISECONDS 10000

static void tell(outcome_t *outcome, bt_outcome found) {
    const char *reason = found.reason ? found.reason : "";
    switch (found.tag) {
    case BT_DELIVERED:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_DELIVERED;
        outcome->val.delivered.is_some = false;
        return;
    case BT_REJECTED:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_REJECTED;
        outcome->val.rejected = bt_owned_string(reason);
        return;
    case BT_RETRY:
        outcome->tag = EXPORTS_BRIDGE_TELEMETRY_DELIVERY_OUTCOME_RETRY;
        outcome->val.retry.after_milliseconds.is_some = false;
        outcome->val.retry.reason = bt_owned_string(reason);
        return;
    }
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
            .first_seen = given->first_seen,
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

uint16_t bt_http_post(const char *url, const char *content_type, bt_text body, const char **fault) {
    bridge_telemetry_outbound_http_header_t header = {bt_borrowed("content-type"), bt_borrowed(content_type)};
    bridge_telemetry_outbound_http_request_t request = {
        .method = bt_borrowed("POST"),
        .url = bt_borrowed(url),
        .headers = {&header, 1},
        .body = {(uint8_t *)body.ptr, body.len},
        .timeout_milliseconds = TIMEOUT_MILLISECONDS,
    };
    bridge_telemetry_outbound_http_response_t response;
    bridge_telemetry_outbound_http_failure_t failure;
    if (!bridge_telemetry_outbound_http_send(&request, &response, &failure)) {
        *fault = fault_of(&failure);
        bridge_telemetry_outbound_http_failure_free(&failure);
        return 0;
    }
    uint16_t status = response.status;
    bridge_telemetry_outbound_http_response_free(&response);
    return status;
}
