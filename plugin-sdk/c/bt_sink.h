/* A plugin that delivers alerts. */
#ifndef BT_SINK_H
#define BT_SINK_H

#include "bt.h"

/* One state of an alert on its way to one receiver. */
typedef struct {
    bt_text idempotency_key;
    uint32_t attempt;
    bt_text alert_id, monitor, key, summary;
    bool firing; /* false: it is resolved */
    int64_t first_seen;
    bt_text json; /* the whole alert as people see it */
} bt_alert;

typedef enum { BT_DELIVERED, BT_REJECTED, BT_RETRY } bt_outcome_tag;

/* What became of an alert; the reason is copied. */
typedef struct {
    bt_outcome_tag tag;
    const char *reason; /* NULL when it was delivered */
} bt_outcome;

/* The author's. */
bt_outcome bt_deliver(const bt_alert *alert);

/* Posts a body of this type to a granted origin; `${secret:NAME}` in the body is replaced by the host. Answers the HTTP status,
 * or 0 when there is no answer: `fault` says why then. */
uint16_t bt_http_post(const char *url, const char *content_type, bt_text body, const char **fault);

#endif
