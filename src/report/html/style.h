/* SPDX-License-Identifier: MIT
 *
 * The style sheet of the HTML report, and the policy that lets the page load that and its script
 * (script.h), and nothing else.
 */
#ifndef PYR_REPORT_HTML_STYLE_H
#define PYR_REPORT_HTML_STYLE_H

extern const char pyr_html_style[];
/* The content of the Content-Security-Policy meta element: names the style sheet and the script by
 * their SHA-256, which tests/report/html_test.c checks. No other script, no images, fonts, frames
 * or connections. */
extern const char pyr_html_policy[];

#endif
