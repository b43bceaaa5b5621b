/* Regular expressions, searched by the host: in validators, monitors and sinks. The syntax is that of Rust's crate regex. */
#ifndef BT_PATTERNS_H
#define BT_PATTERNS_H

#include "bt.h"

/* One expression. It takes a part of the plugin's memory until it is dropped; what every call searches for, bt_start compiles. */
typedef struct {
    int32_t handle;
} bt_pattern;

/* One place where it was found: bytes start..end of a text. */
typedef struct {
    uint32_t text; /* which of the texts, from 0 */
    uint32_t start, end;
} bt_found;

/* What was found in many texts; to be given back with bt_findings_free. */
typedef struct {
    const bt_found *found; /* in order of the texts, and within each from left to right */
    size_t count;
    const uint32_t *given_up; /* the texts that are too long for this expression: they may have it in them or not */
    size_t given_up_count;
} bt_findings;

/* Each of these answers NULL, or what is wrong; that stays until the next call of the host that fails. */

/* Compiles an expression, such as bt_text_of("[0-9]+"). */
const char *bt_pattern_compile(bt_text expression, bt_pattern *pattern);
/* Whether the text has it anywhere. */
const char *bt_pattern_match(bt_pattern pattern, bt_text text, bool *matches);
/* Finds all places in all texts: faster than to search each for itself. */
const char *bt_pattern_find(bt_pattern pattern, const bt_text *texts, size_t count, bt_findings *findings);

void bt_findings_free(bt_findings *findings);
void bt_pattern_drop(bt_pattern pattern);

#endif
