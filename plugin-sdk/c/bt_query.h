/* Read-only aggregate queries over all stored samples: in monitors. */
#ifndef BT_QUERY_H
#define BT_QUERY_H

#include "bt.h"

/* Takes and answers what get_metrics of the host does, as JSON objects, as of the time of the batch or tick: the answer is added to a
 * buffer, and its member status says whether it is one. Answers NULL, or what is wrong; that stays until the next call of the
 * host that fails. */
const char *bt_query_get_metrics(bt_text request_json, bt_buffer *answer);

#endif
