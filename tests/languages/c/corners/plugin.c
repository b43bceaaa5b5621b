/* What authors meet seldom: numbers of any length, results that no number is, texts that name a secret, data that is replaced twice, and
 * what is not for samples. */
#include "bt_validator.h"

static const char *const everything[] = {NULL};

const bt_plugin bt_this_plugin = {
    .name = "corners",
    .version = "0.1.0",
    .description = "Meets what authors meet seldom",
    .event_types = everything,
    .metrics = everything,
};

/* A quarter, with more digits than anyone needs. */
static const char quarter_json[] =
    "{\"quarter\":0.25000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000}";

static void add_member(bt_buffer *json, const char *name, double number) {
    bt_add_json_string(json, bt_text_of(name));
    bt_add_string(json, ":");
    bt_add_number(json, number);
    bt_add_string(json, ",");
}

void bt_validate_event(const bt_event *event, bt_verdict *verdict) {
    double largest = 0, quarter = 0, none = 7;
    bt_buffer text = {0};
    bt_add_json_string(&text, bt_text_of("${secret:A} and $${ are no secrets"));
    bt_text written = {(const char *)text.ptr, text.len};
    bt_json_number(event->data, "largest", &largest);
    bt_json_number(bt_text_of(quarter_json), "quarter", &quarter);
    bt_json_number(event->data, "text", &none);
    bt_buffer data = {0};
    bt_add_string(&data, "{");
    add_member(&data, "beyond", largest * 10);
    add_member(&data, "below", largest * -10);
    add_member(&data, "quarter", quarter);
    add_member(&data, "none", none);
    /* Read as JSON it is the same with and without escapes. */
    add_member(&data, "escaped", bt_text_is(written, "\"\\u0024{secret:A} and $\\u0024{ are no secrets\""));
    bt_add_string(&data, "\"text\":");
    bt_add_text(&data, written);
    bt_add_string(&data, "}");
    bt_replace_data(verdict, event->row, bt_text_of("{\"replaced\":\"once more\"}"));
    bt_replace_data(verdict, event->row, (bt_text){(const char *)data.ptr, data.len});
    bt_buffer_free(&data);
    bt_buffer_free(&text);
}

void bt_validate_sample(const bt_sample *sample, bt_verdict *verdict) {
    bt_warn(verdict, sample->row, "seen", "", "it was seen");
    if (bt_text_is(sample->metric, "misused")) bt_replace_data(verdict, sample->row, bt_text_of("{}"));
}
