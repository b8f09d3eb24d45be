/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report's page, put together, and its file. It loads nothing and runs no script, and says so to the browser.
 */
#include <shard/version.h>

#include "files.h"
#include "markup.h"
#include "report_view.h"

void report_put_page(struct text *text, const struct report *report)
{
    text_puts(text, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                    "'unsafe-inline'\">\n<title>");
    markup_escape(text, report->image->name);
    text_puts(text, "</title>\n<style>\n");
    report_put_style(text);
    text_puts(text, "</style>\n</head>\n<body>\n"
                    "<svg width=\"0\" height=\"0\" style=\"position:absolute\"><defs><pattern id=\"hatch\" width=\"6\" "
                    "height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect width=\"6\" "
                    "height=\"6\"/><path d=\"M1 0V6\"/></pattern></defs></svg>\n");
    report_put_head(text, report);
    report_put_gantt(text, report);
    report_put_failures(text, report);
    report_put_charts(text, report);
    report_put_hosts(text, report);
    report_put_kinds(text, report);
    report_put_path(text, report);
    report_put_slowest(text, report);
    text_printf(text, "<footer>shardrun %s</footer>\n</body>\n</html>\n", SHARD_VERSION_STRING);
}

int report_write(const struct shard_run_image *image, const struct host_list *hosts, const char *path,
                 char **ret_problem)
{
    struct report report;
    struct text text = {0};
    report_read(image, hosts, &report);
    report_put_page(&text, &report);
    int status = file_write(path, text.bytes, text.length, ret_problem);
    text_clear(&text);
    report_clear(&report);
    return status < 0 ? -1 : 0;
}
