/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_MARKUP_H
#define SHARDRUN_MARKUP_H

/*
 * Text inside HTML and SVG, and figures as people read them. Whatever came from a workflow, a host or a command goes
 * through markup_escape, so that it shows as it is and means nothing.
 */

#include <stdint.h>

#include "need.h"

/* Appends a text for use between tags and in quoted attributes. What XML cannot hold becomes a question mark. */
void markup_escape(struct text *text, const char *string);
/* The same, of at most `characters`: of a longer text the end is shown, which is where names differ. */
void markup_escape_cut(struct text *text, const char *string, int characters);

void markup_count(struct text *text, int64_t count);      /* 1234567 as "1,234,567" */
void markup_seconds(struct text *text, double seconds);   /* "0.42 s", "1:15 min", "2:03 h" */
void markup_bytes(struct text *text, int64_t bytes);      /* "1.5 GiB" */
void markup_coordinate(struct text *text, double number); /* at most one digit after the point */

#endif
