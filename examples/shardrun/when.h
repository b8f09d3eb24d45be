/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARDRUN_WHEN_H
#define SHARDRUN_WHEN_H

/* Times and spans of time as people write them on a command line. */

#include <stdbool.h>
#include <stdint.h>

/* "90", "90s", "1.5m", "2h", "7d": seconds, minutes, hours, days; above 0. */
bool when_parse_span(const char *text, int64_t *ret_ns);

/*
 * A moment of the wall clock: "2026-11-24T13:05[:30]" or "2026-11-24", local time; "13:05[:30]", today; "@1700000000",
 * seconds since 1970; or a span, so long ago.
 */
bool when_parse(const char *text, int64_t now_ns, int64_t *ret_ns);

/* Local time "2026-11-24 13:05:30". */
void when_text(int64_t time_ns, char ret_text[32]);

#endif
