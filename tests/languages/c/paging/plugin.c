/* Pages a team for what is critical, and hands everything else on. */
#include "bt_sink.h"

const bt_plugin bt_this_plugin = {
    .name = "paging",
    .version = "0.1.0",
    .description = "Pages a team for what is critical, and hands everything else on",
};

static const char *const elsewhere[] = {"console", NULL};

/* Whether a team can be called so. Alerts are few: the pattern is not kept for the next one. */
static bool is_name(bt_text team) {
    bt_pattern name;
    bool matches = false;
    if (bt_pattern_compile(bt_text_of("^[a-z]{2,16}$"), &name)) return false;
    bt_pattern_match(name, team, &matches);
    bt_pattern_drop(name);
    return matches;
}

bt_outcome bt_deliver(const bt_alert *alert) {
    bt_text team;
    if (alert->severity != BT_CRITICAL || !bt_alert_label(alert, "team", &team) || !is_name(team)) {
        return (bt_outcome){.tag = BT_FORWARD, .receivers = elsewhere};
    }
    bt_buffer body = {0}, answer = {0};
    bt_add_string(&body, "{\"team\":");
    bt_add_json_string(&body, team);
    bt_add_string(&body, ",\"value\":");
    bt_add_number(&body, alert->value);
    bt_add_string(&body, ",\"seen\":");
    bt_add_number(&body, (double)alert->times_seen);
    bt_add_string(&body, "}");
    bt_header headers[] = {
        {"authorization", "Bearer ${secret:PAGING_TOKEN}"},
        {"content-type", "application/json"},
    };
    bt_request request = {
        .method = "PUT",
        .url = "https://paging.example.com/page",
        .headers = headers,
        .header_count = 2,
        .body = {(const char *)body.ptr, body.len},
        .timeout_milliseconds = 2000,
    };
    const char *fault = NULL;
    uint16_t status = bt_http_send(&request, &answer, &fault);
    bt_buffer_free(&body);
    bool is_known = answer.len == 5 && bt_text_is((bt_text){(const char *)answer.ptr, answer.len}, "known");
    bt_buffer_free(&answer);
    if (status == 0) return (bt_outcome){.tag = BT_RETRY, .reason = fault};
    if (status == 503) return (bt_outcome){.tag = BT_RETRY, .reason = "busy", .after_milliseconds = 90000};
    if (status >= 300) return (bt_outcome){.tag = BT_REJECTED, .reason = "refused"};
    return (bt_outcome){.tag = is_known ? BT_DUPLICATE : BT_DELIVERED};
}
