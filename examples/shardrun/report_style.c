/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a report looks: one style sheet, for light and dark screens and for paper.
 */
#include "report_view.h"

static const char colours_light[] =
    ":root{color-scheme:light "
    "dark;--page:#f6f7f9;--card:#fff;--ink:#1f2328;--dim:#59636e;--line:#d9dee3;--rail:#edeff2;"
    "--bad:#d1242f;--badsoft:#fbd9db;--good:#1a7f37;--goodsoft:#dafbe1;--accent:#2a78d6}\n";
static const char colours_dark[] =
    "@media (prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--ink:#e6edf3;--dim:#9198a1;--line:#30363d;"
    "--rail:#21262d;--bad:#ff6a69;--badsoft:#4c1d20;--good:#3fb950;--goodsoft:#12361f;--accent:#3987e5}}\n";
static const char page[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:28px 24px 60px;max-width:1280px;background:var(--page);color:var(--ink);"
    "font:14px/1.45 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}\n"
    "h1{font-size:26px;margin:0 0 2px;overflow-wrap:anywhere}h2{font-size:16px;margin:0 0 12px}\n"
    "h2 small{font-weight:400;color:var(--dim);margin-left:10px;font-size:13px}\n"
    "header p,.note{color:var(--dim);margin:0 0 14px}header b{color:var(--ink)}\n"
    ".state{font-size:14px;font-weight:600;padding:3px 12px;border-radius:20px;vertical-align:4px;margin-left:8px;"
    "background:var(--rail);color:var(--dim)}\n"
    ".state.done{background:var(--goodsoft);color:var(--good)}.state.failed{background:var(--badsoft);color:var(--bad)}"
    "\n"
    "section,.tile{background:var(--card);border:1px solid var(--line);border-radius:10px}\n"
    "section{padding:16px 18px;margin-top:16px}section>svg{display:block;width:100%}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px}\n"
    ".tile{padding:12px 14px}.tile span,.tile small{display:block;color:var(--dim);font-size:12px}\n"
    ".tile b{display:block;font-size:24px;line-height:1.3;font-weight:600}.tile i,.tile em{font-style:normal}\n"
    ".tile i{color:var(--dim);font-weight:400;font-size:17px}\n"
    ".bad{color:var(--bad)}.dim{color:var(--dim)}\n"
    "@media print{body{padding:0}section{break-inside:avoid}}\n";
static const char pictures[] =
    "svg text{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}\n"
    "svg .small,svg .tick{font-size:11px;fill:var(--dim)}svg .tick{text-anchor:middle}svg .end{text-anchor:end}\n"
    "svg .bad{fill:var(--bad)}.grid{stroke:var(--line);stroke-width:1;fill:none}.lane,.rail{fill:var(--rail)}\n"
    ".b{stroke:none}.b:hover{stroke:var(--ink);stroke-width:1.5}.open{opacity:.45}\n"
    ".fail{fill:url(#hatch);stroke:var(--bad);stroke-width:1}.bad-fill{fill:var(--bad)}.wait{fill:var(--line)}\n"
    "#hatch rect{fill:var(--badsoft)}#hatch path{stroke:var(--bad);stroke-width:2}\n"
    ".done{fill:var(--accent);fill-opacity:.75}.bad-line{fill:none;stroke:var(--bad);stroke-width:2}.meter{fill:"
    "var(--accent)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 10px;font-size:13px}\n"
    ".sw{width:11px;height:11px;margin-right:6px;vertical-align:-1px}\n"
    ".pair{display:grid;grid-template-columns:1fr 1fr;gap:20px}figure{margin:0}figcaption{color:var(--dim);font-size:"
    "13px;margin-bottom:4px}figcaption b{font-weight:600}\n"
    "@media (max-width:800px){.pair{grid-template-columns:1fr}}\n";
static const char tables[] =
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th{text-align:left;font-weight:500;color:var(--dim);font-size:12px;border-bottom:1px solid var(--line);padding:"
    "4px 10px 6px 0;white-space:nowrap}\n"
    "td{padding:5px 10px 5px 0;border-bottom:1px solid var(--rail);vertical-align:top;overflow-wrap:anywhere}\n"
    "tr:last-child td{border-bottom:0}tr:hover td{background:var(--page)}\n"
    ".w{white-space:nowrap}.n{text-align:right;white-space:nowrap}td.n{padding-right:18px}th.n{padding-right:18px}\n"
    "td.bar{min-width:170px;white-space:nowrap}td.bar svg{width:110px;height:9px;margin-right:8px}td.bar.wide "
    "svg{width:"
    "220px}td.bar span{color:var(--dim);font-size:12px}\n"
    "details{margin-top:12px}summary{cursor:pointer;color:var(--dim);margin-bottom:8px}\n"
    "footer{color:var(--dim);font-size:12px;margin-top:18px}\n";

void report_put_style(struct text *text)
{
    text_puts(text, colours_light);
    text_puts(text, colours_dark);
    text_puts(text, page);
    text_puts(text, pictures);
    text_puts(text, tables);
    palette_style(text);
}
