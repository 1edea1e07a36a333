/* SPDX-License-Identifier: MIT
 *
 * The script of the HTML pages, which adds to what can be read without it: the values of a chart
 * under the pointer or the arrow keys, series on and off, a part of the time, tables sorted by a
 * column, repeated tries folded away. It asks for nothing, and a browser without scripts loses
 * nothing else. pyr_html_policy names it by its SHA-256.
 */
#ifndef PYR_REPORT_HTML_SCRIPT_H
#define PYR_REPORT_HTML_SCRIPT_H

extern const char pyr_html_script[];

#endif
