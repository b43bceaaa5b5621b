/* Columns as rows. */
#include "bt_rows_own.h"

bt_event bt_event_at(const bridge_telemetry_types_event_batch_t *batch, size_t row) {
    return (bt_event){
        .row = (uint32_t)row,
        .timestamp = batch->timestamps.ptr[row],
        .id = bt_column(&batch->fields, 5 * row),
        .event_type = bt_column(&batch->fields, 5 * row + 1),
        .source = bt_column(&batch->fields, 5 * row + 2),
        .data = bt_column(&batch->fields, 5 * row + 3),
        .extra = bt_column(&batch->fields, 5 * row + 4),
    };
}

bt_sample bt_sample_at(const bridge_telemetry_types_sample_batch_t *batch, size_t row) {
    uint32_t series = batch->series_indices.ptr[row];
    return (bt_sample){
        .row = (uint32_t)row,
        .timestamp = batch->timestamps.ptr[row],
        .value = batch->values.ptr[row],
        .series = series,
        .metric = bt_column(&batch->series, 2 * series),
        .context = bt_column(&batch->series, 2 * series + 1),
    };
}
