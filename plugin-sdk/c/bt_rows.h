/* Columns as rows: what validators and monitors are shown. */
#ifndef BT_ROWS_H
#define BT_ROWS_H

#include "bt.h"

/* One event. Times are nanoseconds since the Unix epoch. */
typedef struct {
    uint32_t row;
    int64_t timestamp;
    bt_text id, event_type, source;
    bt_text data;  /* a JSON object */
    bt_text extra; /* other top-level fields, a JSON object */
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
