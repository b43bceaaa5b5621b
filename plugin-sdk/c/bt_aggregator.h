/* A plugin that adds aggregate functions to queries. */
#ifndef BT_AGGREGATOR_H
#define BT_AGGREGATOR_H

#include "bt.h"

/* One aggregate function. Its parameters and its groups are structs of the author's; both begin as zeros. */
typedef struct {
    const char *name;
    const char *description;
    const char *parameters_schema; /* JSON Schema of the parameters */
    bool mergeable;
    bool needs_timestamps;
    size_t parameters_size;
    size_t group_size;
    /* Reads the parameters of a query, a JSON object. Answers NULL, or what is wrong with them. */
    const char *(*prepare)(void *parameters, bt_text json);
    /* Adds samples; `timestamps` is NULL unless needed. */
    void (*update)(const void *parameters, void *group, const int64_t *timestamps, const double *values, size_t count);
    /* Writes a group. */
    void (*save)(const void *parameters, const void *group, bt_buffer *out);
    /* Adds a group that was written; false: it cannot be read. */
    bool (*merge)(const void *parameters, void *group, const uint8_t *bytes, size_t len);
    /* The value of a group; false: there is none. */
    bool (*evaluate)(const void *parameters, const void *group, double *value);
    /* Frees what a group holds; NULL: it holds nothing. */
    void (*close)(void *group);
} bt_function;

/* The author's: the functions, and how many there are. */
extern const bt_function bt_functions[];
extern const size_t bt_function_count;

#endif
