/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_REPORT_VIEW_H
#define SHARDRUN_REPORT_VIEW_H

/*
 * The parts of a report's page. Each appends one section, and nothing when there is nothing to show. Pictures have a
 * bounded number of marks: of a large run they show shares of time instead of single attempts.
 */

#include "report_data.h"

enum { VIEW_WIDTH = 1200, VIEW_LABELS = 140 };

void report_put_page(struct text *text, const struct report *report);

void report_put_style(struct text *text);
void report_put_head(struct text *text, const struct report *report);
void report_put_gantt(struct text *text, const struct report *report);
void report_put_charts(struct text *text, const struct report *report);
void report_put_path(struct text *text, const struct report *report);
void report_put_failures(struct text *text, const struct report *report);
void report_put_hosts(struct text *text, const struct report *report);
void report_put_kinds(struct text *text, const struct report *report);
void report_put_slowest(struct text *text, const struct report *report);

/* Pieces that several sections share. */
void view_open(struct text *text, const char *title, const char *note); /* a section; note may be NULL */
void view_close(struct text *text);
/* A time axis below and across a picture, from 0 to `seconds`, between x0 and x1. */
void view_axis(struct text *text, double seconds, double x0, double x1, double top, double bottom);
/* What an attempt was, in words, for a tooltip. */
void view_attempt_title(struct text *text, const struct report *report, const struct report_attempt *attempt);
void view_offset(struct text *text, const struct report *report, int64_t time_ns); /* time since the run began */
void view_kind_name(struct text *text, const struct report *report, int kind);     /* with a square of its colour */
void view_share_bar(struct text *text, double share, const char *class);           /* a bar in a table cell, 0..1 */

/* Shares of time: for each colour and each of `bins` slices of the run, how many attempts ran at a time. */
double *view_bins(const struct report *report, int32_t host, int bins); /* host -1: all */

#endif
