/* Posts each alert as JSON. */
#include "bt_sink.h"

#include <string.h>

static char url[1024] = "https://hooks.example.com/alerts";

const bt_plugin bt_this_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "Posts each alert as JSON",
    .config_schema = "{\"type\":\"object\",\"properties\":{\"url\":{\"type\":\"string\",\"maxLength\":1000}},"
                     "\"additionalProperties\":false}",
};

const char *bt_start(bt_text config) {
    bt_text given;
    if (!bt_json_string(config, "url", &given)) return NULL;
    if (given.len >= sizeof url) return "url is too long";
    memcpy(url, given.ptr, given.len);
    url[given.len] = 0;
    return NULL;
}

bt_outcome bt_deliver(const bt_alert *alert) {
    bt_buffer text = {0}, body = {0};
    bt_add_string(&text, alert->firing ? "firing: " : "resolved: ");
    bt_add_text(&text, alert->summary);
    bt_add_string(&body, "{\"text\":");
    bt_add_json_string(&body, (bt_text){(const char *)text.ptr, text.len});
    bt_add_string(&body, "}");
    const char *fault = NULL;
    uint16_t answer = bt_http_post(url, "application/json", (bt_text){(const char *)body.ptr, body.len}, &fault);
    bt_buffer_free(&text);
    bt_buffer_free(&body);
    if (answer == 0) return (bt_outcome){.tag = BT_RETRY, .reason = "no answer"}; /* `fault` says why */
    if (answer >= 500) return (bt_outcome){.tag = BT_RETRY, .reason = "the far side failed"};
    if (answer >= 300) return (bt_outcome){.tag = BT_REJECTED, .reason = "the far side refused it"};
    return (bt_outcome){.tag = BT_DELIVERED};
}
