/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "net/url.h"

#include <string.h>

static void urls_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *text, *host, *path, *authority;
        unsigned port;
        bool tls;
    } cases[] = {
        {"http://localhost:8000/v1", "localhost", "/v1", "localhost:8000", 8000, false},
        {"http://h", "h", "", "h", 80, false},
        {"https://api.example.org/v1/", "api.example.org", "/v1", "api.example.org", 443, true},
        {"HTTP://[::1]:8080/a/b", "::1", "/a/b", "[::1]:8080", 8080, false},
        {"https://[fe80::1]", "fe80::1", "", "[fe80::1]", 443, true},
        {"http://127.0.0.1:80", "127.0.0.1", "", "127.0.0.1", 80, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_url url;
        struct pyr_err err;
        char authority[300];
        assert_ok(err, pyr_url_parse(cases[i].text, &url, &err));
        pyr_url_authority(&url, authority, sizeof authority);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.path, cases[i].path);
        assert_string_equal(authority, cases[i].authority);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.tls, cases[i].tls);
    }
    struct pyr_url url;
    struct pyr_err err;
    assert_ok(err, pyr_url_parse("unix:/run/s.sock:/v1", &url, &err));
    assert_true(url.unix_socket);
    assert_string_equal(url.socket_path, "/run/s.sock");
    assert_string_equal(url.path, "/v1");
    assert_ok(err, pyr_url_parse("unix:/run/s.sock", &url, &err));
    assert_string_equal(url.path, "");
}

static void what_is_no_target_is_refused_without_showing_secrets(void **state) {
    (void)state;
    static const char *const bad[] = {
        "ftp://h",       "http://",       "http://:80",    "http://h:0",  "http://h:99999",
        "http://h:8x",   "http://h/?a=1", "http://h/#x",   "http://[::1", "http://[::1]8",
        "unix:relative", "http://h/a b",  "http://h/\x01", "h:80",        ""};
    struct pyr_url url;
    struct pyr_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (pyr_url_parse(bad[i], &url, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, PYR_E_USAGE);
    }
    assert_false(pyr_url_parse("https://user:hunter2@h/v1", &url, &err));
    assert_null(strstr(err.text, "hunter2"));
}

static void loopback_is_known(void **state) {
    (void)state;
    static const char *const loopback[] = {"localhost", "LOCALHOST", "a.localhost",
                                           "127.0.0.1", "127.8.9.1", "::1"};
    static const char *const others[] = {"localhost.example.org", "128.0.0.1", "::2", "h",
                                         "127.example.org"};
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++)
        assert_true(pyr_host_is_loopback(loopback[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(pyr_host_is_loopback(others[i]));
}

static const char
    *values[6]; /* http_proxy, https_proxy, all_proxy, no_proxy, HTTP_PROXY, HTTPS_PROXY */

static char *environment(const char *name) {
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy",
                                        "no_proxy",   "HTTP_PROXY",  "HTTPS_PROXY"};
    for (int i = 0; i < 6; i++)
        if (strcmp(names[i], name) == 0)
            return (char *)values[i];
    return NULL;
}

static bool proxied(const char *text, struct pyr_url *proxy) {
    struct pyr_url url;
    struct pyr_err err;
    assert_ok(err, pyr_url_parse(text, &url, &err));
    return pyr_url_proxy(&url, environment, proxy, &err);
}

static void proxies_come_from_the_environment_but_never_before_loopback(void **state) {
    (void)state;
    struct pyr_url proxy;
    memset(values, 0, sizeof values);
    assert_false(proxied("http://example.org", &proxy));
    values[4] = "http://evil:1"; /* HTTP_PROXY: a CGI client's header */
    assert_false(proxied("http://example.org", &proxy));
    values[0] = "http://p:3128";
    assert_true(proxied("http://example.org", &proxy));
    assert_string_equal(proxy.host, "p");
    assert_int_equal(proxy.port, 3128);
    assert_false(proxied("https://example.org", &proxy));
    values[5] = "q:8080";
    assert_true(proxied("https://example.org", &proxy));
    assert_string_equal(proxy.host, "q");
    assert_false(proxied("http://127.0.0.1:8000", &proxy));
    assert_false(proxied("http://[::1]:8000", &proxy));
    assert_false(proxied("unix:/s", &proxy));
    values[3] = "other, .example.org";
    assert_false(proxied("http://example.org", &proxy));
    assert_false(proxied("http://a.example.org", &proxy));
    assert_true(proxied("http://notexample.org", &proxy));
    static const struct {
        const char *list, *url;
        bool proxied;
    } lists[] = {
        {"10.0.0.0/8", "http://10.9.8.7:80", false}, {"10.0.0.0/8", "http://11.0.0.1", true},
        {"10.9.8.0/23", "http://10.9.9.7", false},   {"10.9.8.0/23", "http://10.9.10.7", true},
        {"0.0.0.0/0", "http://1.2.3.4", false},      {"10.0.0.0/33", "http://10.0.0.1", true},
        {"fd00::/8", "http://[fd12::1]:80", false},  {"fd00::/8", "http://[fe00::1]", true},
        {"10.0.0.0/8", "http://example.org", true},  {"h:8000", "http://h:8000", false},
        {"h:8000", "http://h:8001", true},           {"[fd00::1]:80", "http://[fd00::1]", false},
        {"[fd00::1]:81", "http://[fd00::1]", true},  {"fd00::1", "http://[fd00::1]:9", false},
        {"/,:,.,[", "http://example.org", true},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        values[3] = lists[i].list;
        if (proxied(lists[i].url, &proxy) != lists[i].proxied)
            fail_msg("%s with no_proxy=%s", lists[i].url, lists[i].list);
    }
    values[3] = "*";
    assert_false(proxied("http://notexample.org", &proxy));
}

static void a_proxy_may_have_a_password_that_is_never_shown(void **state) {
    (void)state;
    struct pyr_url proxy, url;
    struct pyr_err err = {0};
    memset(values, 0, sizeof values);
    values[0] = "http://me:p%40ss%3a%zz@p:3128/";
    assert_true(proxied("http://example.org", &proxy));
    assert_string_equal(proxy.host, "p");
    assert_string_equal(proxy.user, "me:p@ss:%zz");
    values[0] = "me:secret@p:99999";
    assert_ok(err, pyr_url_parse("http://example.org", &url, &err));
    assert_false(pyr_url_proxy(&url, environment, &proxy, &err));
    assert_non_null(strstr(err.text, "proxy from the environment"));
    assert_null(strstr(err.text, "secret"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(what_is_no_target_is_refused_without_showing_secrets),
        cmocka_unit_test(loopback_is_known),
        cmocka_unit_test(a_proxy_may_have_a_password_that_is_never_shown),
        cmocka_unit_test(proxies_come_from_the_environment_but_never_before_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
