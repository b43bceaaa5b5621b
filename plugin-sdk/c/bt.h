/* Bridge Telemetry plugins in C: what every kind has. Take bt_validator.h, bt_aggregator.h, bt_monitor.h or bt_sink.h. */
#ifndef BT_H
#define BT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some UTF-8 text; there is no zero at its end. */
typedef struct {
    const char *ptr;
    size_t len;
} bt_text;

/* Bytes that grow. Begin with {0}. */
typedef struct {
    uint8_t *ptr;
    size_t len, room;
} bt_buffer;

/* How bad an alert is. */
typedef enum { BT_INFO, BT_WARNING, BT_ERROR, BT_CRITICAL } bt_severity;

/* What a plugin says of itself. */
typedef struct {
    const char *name;
    const char *version;
    const char *description;
    const char *config_schema;      /* JSON Schema of the configuration; NULL: it has none */
    uint32_t state_version;         /* the number of the format of what bt_save writes */
    const char *const *event_types; /* what is shown, NULL at the end; a trailing * matches a prefix. NULL: no events; {NULL}: all */
    const char *const *sources;     /* narrows the events further. NULL: any source */
    const char *const *places;      /* within events' data, NULL at the end: JSON pointers such as /command_id; see bt_event */
    const char *const *metrics;     /* NULL: no samples; {NULL}: all */
    uint32_t tick_milliseconds;     /* how often a monitor's bt_tick is called; 0: never */
} bt_plugin;

/* The author's. */
extern const bt_plugin bt_this_plugin;
/* Starts with a configuration, a JSON object that fits the schema. Answers NULL, or what is wrong with it. May be left out. */
const char *bt_start(bt_text config);
/* Writes the state to continue from in another instance; false: there is none. May be left out. */
bool bt_save(bt_buffer *state);
/* Continues from what bt_save wrote. Answers NULL, or why it cannot. May be left out. */
const char *bt_restore(uint32_t version, const uint8_t *bytes, size_t len);

/* A text of a C string. */
bt_text bt_text_of(const char *text);
/* Whether a text is that C string. */
bool bt_text_is(bt_text text, const char *other);

/* The member of a JSON object at its top level, as it stands there; false: there is none. */
bool bt_json_member(bt_text object, const char *name, bt_text *value);
/* A member that is a string: what stands between its quotes, escapes as they are; false: there is none, or it is no string. */
bool bt_json_string(bt_text object, const char *name, bt_text *text);
/* The same without escapes, added to a buffer. */
bool bt_json_text(bt_text object, const char *name, bt_buffer *text);
/* A member that is a number; false: there is none, or it is no number. */
bool bt_json_number(bt_text object, const char *name, double *number);

/* Adds bytes, a C string, a text or a number to a buffer; what is no number, or infinite, is added as null. */
void bt_add(bt_buffer *buffer, const void *bytes, size_t len);
void bt_add_string(bt_buffer *buffer, const char *text);
void bt_add_text(bt_buffer *buffer, bt_text text);
void bt_add_number(bt_buffer *buffer, double number);
/* Adds a text as a JSON string, with its quotes. In a request's body it arrives as it is: ${secret:NAME} in it names no secret. */
void bt_add_json_string(bt_buffer *buffer, bt_text text);
void bt_buffer_free(bt_buffer *buffer);

/* The plugin's own log. */
void bt_log_info(const char *message);
void bt_log_warn(const char *message);
void bt_log_error(const char *message);
/* The plugin's own measurements. */
void bt_counter_add(const char *name, uint64_t delta);
void bt_gauge_set(const char *name, double value);

#endif
