/* Columns as rows: what validators and monitors are shown. */
#ifndef BT_ROWS_H
#define BT_ROWS_H

#include "bt.h"

/* What stands at a place. */
typedef enum { BT_MISSING, BT_NULL, BT_FALSE, BT_TRUE, BT_NUMBER, BT_STRING, BT_ARRAY, BT_OBJECT } bt_kind;

typedef struct {
    bt_kind kind;
    double number; /* 0: it is none */
    bt_text text;  /* a string without quotes and escapes, an array or object as JSON, an integer's digits from 2^53 on */
} bt_value;

/* One event. Times are nanoseconds since the Unix epoch. */
typedef struct {
    uint32_t row;
    int64_t timestamp;
    bt_text id, event_type, source;
    bt_text data;  /* a JSON object */
    bt_text extra; /* other top-level fields, a JSON object */
    const bt_value *values; /* one for each of the plugin's places, found by the host: much faster than bt_json_member */
} bt_event;

/* One sample. */
typedef struct {
    uint32_t row;
    int64_t timestamp;
    double value; /* NaN: it is a text */
    uint32_t series;
    bt_text metric;
    bt_text context; /* a JSON object */
} bt_sample;

#endif
