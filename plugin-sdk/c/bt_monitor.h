/* A plugin that watches what was stored and raises signals. */
#ifndef BT_MONITOR_H
#define BT_MONITOR_H

#include "bt_key_value.h"
#include "bt_patterns.h"
#include "bt_query.h"
#include "bt_rows.h"
#include "bt_schemas.h"

typedef struct bt_signals bt_signals;

/* A label of a signal. */
typedef struct {
    const char *name, *value;
} bt_label;

/* A finding. Signals with one key are one alert; `firing` false resolves it. For a key of more than 512 bytes, or with control
 * characters, its beginning with a hash of the whole stands as the alert's. An alert has the first 32 labels, and of these what 8 KiB
 * have room for; a name has at most 512 bytes, and of a longer value these are kept. */
typedef struct {
    bt_text key;
    bool firing;
    bt_severity severity;
    const char *summary;
    double value; /* NaN: none */
    int64_t timestamp;
    const bt_label *labels; /* routes match on them */
    size_t label_count;
} bt_signal;

/* The author's; each may be left out. */
void bt_on_event(const bt_event *event, bt_signals *signals);
void bt_on_sample(const bt_sample *sample, bt_signals *signals);
void bt_tick(int64_t now, bt_signals *signals);

/* Raises a signal; what it points to is copied. */
void bt_raise(bt_signals *signals, const bt_signal *signal);

#endif
