/* The plugin's own durable key-value space, with a quota: in monitors and sinks. What a monitor writes becomes durable with its next
 * checkpoint, together with its state and its signals. */
#ifndef BT_KEY_VALUE_H
#define BT_KEY_VALUE_H

#include "bt.h"

/* Each of these answers NULL, or what is wrong; that stays until the next call of the host that fails. */

/* Adds the value of a key, the plugin's own latest writes included, to a buffer; `found` false: there is none. */
const char *bt_key_value_get(bt_text key, bt_buffer *value, bool *found);
/* Sets the value of a key. */
const char *bt_key_value_put(bt_text key, const void *bytes, size_t len);
/* Removes a key; it need not exist. */
const char *bt_key_value_delete(bt_text key);

#endif
