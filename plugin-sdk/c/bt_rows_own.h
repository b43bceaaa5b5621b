/* What the helper's own parts share of rows; not for authors. */
#ifndef BT_ROWS_OWN_H
#define BT_ROWS_OWN_H

#include "bt_own.h"
#include "bt_rows.h"

bt_event bt_event_at(const bridge_telemetry_types_event_batch_t *batch, size_t row);
bt_sample bt_sample_at(const bridge_telemetry_types_sample_batch_t *batch, size_t row);

#endif
