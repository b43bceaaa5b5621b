/* JSON Schemas, by which the host judges the data of events: in validators and monitors. Drafts 4, 6, 7, 2019-09 and 2020-12. */
#ifndef BT_SCHEMAS_H
#define BT_SCHEMAS_H

#include "bt.h"

/* One schema. It takes a part of the plugin's memory until it is dropped; what every call judges by, bt_start compiles. */
typedef struct {
    int32_t handle;
} bt_schema;

/* One thing that is wrong with the data of one event. */
typedef struct {
    uint32_t row;    /* the event's */
    bt_text path;    /* where, a JSON pointer from the top of data; empty for the whole */
    bt_text keyword; /* what of the schema it does not fit, such as required; limit where judging it takes too much */
    bt_text message; /* what is wrong, for a person; it never repeats a value */
} bt_schema_fault;

/* What is wrong with many events; to be given back with bt_schema_faults_free. */
typedef struct {
    const bt_schema_fault *faults; /* in order of the rows that were asked for */
    size_t count;
} bt_schema_faults;

/* Each of these answers NULL, or what is wrong; that stays until the next call of the host that fails. */

/* Compiles a schema, such as bt_text_of("{\"required\":[\"id\"]}"). It refers to what stands in it, and to nothing else. */
const char *bt_schema_compile(bt_text schema_json, bt_schema *schema);
/* Judges the data of the events in these rows of the batch that the plugin is called with; at most `most` faults of each. When that is
 * refused, mostly since slow ones took the time of the call, the call fails: a validator's verdict, or a monitor's signals, are forgotten. */
const char *bt_schema_check(bt_schema schema, const uint32_t *rows, size_t count, uint32_t most, bt_schema_faults *faults);

void bt_schema_faults_free(bt_schema_faults *faults);
void bt_schema_drop(bt_schema schema);

#endif
