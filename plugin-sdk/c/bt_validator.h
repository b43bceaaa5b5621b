/* A plugin that refuses or normalises records before they are stored. */
#ifndef BT_VALIDATOR_H
#define BT_VALIDATOR_H

#include "bt_patterns.h"
#include "bt_rows.h"
#include "bt_schemas.h"

typedef struct bt_verdict bt_verdict;

/* The author's; either may be left out. Each row is judged by itself: do nothing for one that is fine. */
void bt_validate_event(const bt_event *event, bt_verdict *verdict);
void bt_validate_sample(const bt_sample *sample, bt_verdict *verdict);

/* Refuses a row, or accepts it with a warning. `path` is a JSON pointer such as /data/command_id. */
void bt_reject(bt_verdict *verdict, uint32_t row, const char *code, const char *path, const char *message);
void bt_warn(bt_verdict *verdict, uint32_t row, const char *code, const char *path, const char *message);
/* Stores an event with this `data`, a JSON object; of several for one event the last counts. Not for samples: the call fails. An event
 * has at most 4 MiB with it and nests at most 100 deep, or is refused with the code rewrite_too_large. */
void bt_replace_data(bt_verdict *verdict, uint32_t row, bt_text data);

#endif
