/* Fires while a queue is longer than its limit, each series by itself. */
#include "bt_monitor.h"

#include <math.h>
#include <string.h>

/* Series that can fire at once, and the longest context of one. */
#define MAX_SERIES 1000
#define MAX_CONTEXT 256

static double limit = 100;
/* The contexts of the series that are too long now. */
static char firing[MAX_SERIES][MAX_CONTEXT];
static size_t firing_count;

const bt_plugin bt_this_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "Fires while a queue is longer than its limit, each series by itself",
    .config_schema = "{\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"number\"}},\"additionalProperties\":false}",
    .metrics = (const char *const[]){"queue_length", NULL},
    .state_version = 1,
};

const char *bt_start(bt_text config) {
    bt_json_number(config, "limit", &limit);
    return NULL;
}

static size_t place_of(bt_text context) {
    size_t at = 0;
    while (at < firing_count && !bt_text_is(context, firing[at])) at++;
    return at;
}

void bt_on_sample(const bt_sample *sample, bt_signals *signals) {
    size_t place = place_of(sample->context);
    bt_signal signal = {.key = sample->context, .severity = BT_WARNING, .timestamp = sample->timestamp, .value = NAN};
    if (sample->value > limit && place == firing_count) {
        if (place == MAX_SERIES || sample->context.len >= MAX_CONTEXT) {
            bt_log_warn("a series is left out: its context is too long, or too many fire already");
            bt_counter_add("series_left_out", 1);
            return;
        }
        memcpy(firing[place], sample->context.ptr, sample->context.len);
        firing[place][sample->context.len] = 0;
        firing_count++;
        bt_buffer summary = {0};
        bt_add_string(&summary, "a queue is longer than ");
        bt_add_number(&summary, limit);
        bt_add(&summary, "", 1);
        signal.firing = true;
        signal.summary = (const char *)summary.ptr;
        signal.value = sample->value;
        bt_raise(signals, &signal);
        bt_buffer_free(&summary);
    } else if (sample->value <= limit && place < firing_count) {
        memmove(firing[place], firing[--firing_count], MAX_CONTEXT);
        signal.summary = "the queue is short again";
        bt_raise(signals, &signal);
    }
}

bool bt_save(bt_buffer *state) {
    bt_add(state, firing, firing_count * MAX_CONTEXT);
    return true;
}

const char *bt_restore(uint32_t version, const uint8_t *bytes, size_t len) {
    if (version != 1 || len % MAX_CONTEXT || len > sizeof firing) return "the state is not of this version";
    memcpy(firing, bytes, len);
    firing_count = len / MAX_CONTEXT;
    return NULL;
}
