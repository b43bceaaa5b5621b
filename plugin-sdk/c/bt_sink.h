/* A plugin that delivers alerts. */
#ifndef BT_SINK_H
#define BT_SINK_H

#include "bt_key_value.h"
#include "bt_patterns.h"

/* One state of an alert on its way to one receiver. Times are nanoseconds since 1970. */
typedef struct {
    bt_text idempotency_key;
    uint32_t attempt;
    bt_text alert_id, monitor, key, summary;
    bool firing; /* false: it is resolved */
    bt_severity severity;
    double value; /* NaN: none */
    int64_t first_seen, last_seen;
    int64_t resolved_at; /* 0 while it fires */
    uint64_t times_seen;
    bt_text json; /* the whole alert as people see it; in a request's body it names no secret: ${ is written \u0024{ in it */
    const void *labels;
} bt_alert;

/* The value of a label; false: there is none of this name. */
bool bt_alert_label(const bt_alert *alert, const char *name, bt_text *value);

typedef enum { BT_DELIVERED, BT_DUPLICATE, BT_REJECTED, BT_RETRY, BT_FORWARD } bt_outcome_tag;

/* What became of an alert; what it points to is copied. */
typedef struct {
    bt_outcome_tag tag;
    const char *reason;            /* why it was rejected or is to be tried again; or the far side's reference; NULL: none */
    uint32_t after_milliseconds;   /* the shortest wait before it is tried again; 0: the host's back-off decides */
    const char *const *receivers;  /* who gets it instead, NULL at the end */
} bt_outcome;

/* The author's. */
bt_outcome bt_deliver(const bt_alert *alert);

/* A header line. */
typedef struct {
    const char *name, *value;
} bt_header;

/* A request to a granted origin. `${secret:NAME}` in a header's value and in the body is replaced by the host, whoever wrote it: what
 * others wrote, such as an alert's texts, is added to JSON with bt_add_json_string, and then names none. */
typedef struct {
    const char *method, *url;
    const bt_header *headers;
    size_t header_count;
    bt_text body;
    uint32_t timeout_milliseconds; /* 0: ten seconds; a delivery's own time ends it earlier */
} bt_request;

/* Sends a request; answers the HTTP status, or 0 when there is no answer: `fault` says why then. What came back is added to
 * `answer` unless that is NULL. */
uint16_t bt_http_send(const bt_request *request, bt_buffer *answer, const char **fault);
/* Posts a body of this type. */
uint16_t bt_http_post(const char *url, const char *content_type, bt_text body, const char **fault);

#endif
