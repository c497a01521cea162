/* The scan for names nobody declared: it finds a misspelt verb wherever it hides, and is silent
 * about everything that is right, the shipped playbooks and modules first of all.
 */
#include "luaapi/with_engine.h"

#include <dirent.h>
#include <string.h>

static const char *const known[] = { "say",    "stop_broker", "urp",   "step",  "ipairs", "pairs",
                                     "string", "table",       "pcall", "error", NULL };

static kp_err *scan(const char *text, const char *const *names)
{
    const kl_file file = { .path = "t.lua", .chunk = "@t.lua", .text = text, .n = strlen(text) };
    return kl_scan(&file, names);
}

static void silent_about_what_is_right(void **state)
{
    static const char *const rows[] = {
        "",
        "local x = 1 say(x)",
        "local a, b <const>, c <close> = 1, 2 say(a, b, c)",
        "local function f(x, y, ...) return x + y + select_ end local select_ = 1",
        "for i = 1, 3 do say(i) end for k, v in pairs({}) do say(k, v) end",
        "local M = {} function M.a.b:c(n) return self, n end return M",
        "say({ stop_brokr = 1, ['x'] = 2, other = { deep = 3 }; last = 4 })",
        "local t = {} t.stop_brokr = 1 t.a.b = t.c:d(t.e) say(t.f.g)",
        "-- stop_brokr()\n--[[ stop_brokr() ]] --[==[ stop_brokr() ]] ]==]\nsay('x')",
        "say('stop_brokr()', \"stop_brokr()\", [[stop_brokr()]], [=[ ]] stop_brokr ]=])",
        "say('it\\'s', \"a \\\" b\", 'a\\\\')",
        "say('a\\z\n   stop_brokr', 'b\\\n c')",
        "goto done do say(1) end ::done::",
        "while urp() > 0 do if urp() == 1 then break else say(0x1p-3, 3., .5, 1e+5) end end",
        "repeat local x = urp() until x == 0",
        "return { run = function(args) say(args) end, check = function() end }",
        "local t = { f = function() local y y = 1 end, g = 2 }",
        "say(#{ 1, 2 } .. 'a' .. 'b', 7 // 2, 1 << 2, 2 >> 1, 1 ~= 2, a_ and 1) local a_",
        "local _ENV = { mine = 1 } mine = 2",
        "say(_ENV.anything)",
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(error_line(*state, scan(rows[i], known)), "");
}

static void finds_what_is_not(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        { "stop_brokr(1)", "t.lua:1:1: unknown verb `stop_brokr`; did you mean `stop_broker`?" },
        { "\n  stop_brokr { 1 }",
          "t.lua:2:3: unknown verb `stop_brokr`; did you mean `stop_broker`?" },
        { "step 'x' stepp 'y'", "t.lua:1:10: unknown verb `stepp`; did you mean `step`?" },
        { "say(urpp)", "t.lua:1:5: unknown name `urpp`; did you mean `urp`?" },
        { "qqqqqq = 1", "t.lua:1:1: unknown name `qqqqqq`" },
        { "local t = { f = function() qqqqqq = 1 end }", "t.lua:1:28: unknown name `qqqqqq`" },
        { "local t = { qqqqqq }", "t.lua:1:13: unknown name `qqqqqq`" },
        { "local t = { [qqqqqq] = 1 }", "t.lua:1:14: unknown name `qqqqqq`" },
        { "local t = { a = qqqqqq }", "t.lua:1:17: unknown name `qqqqqq`" },
        { "say(('x'):rep(qqqqqq))", "t.lua:1:15: unknown name `qqqqqq`" },
        { "function qqqqqq() end", "t.lua:1:10: unknown verb `qqqqqq`" },
        { "qqqqqq.x = 1", "t.lua:1:1: unknown name `qqqqqq`" },
        { "say(1 .. qqqqqq)", "t.lua:1:10: unknown name `qqqqqq`" },
        { "say([[\n]], qqqqqq)", "t.lua:2:5: unknown name `qqqqqq`" },
        { "say('a\\z\n  b', qqqqqq)", "t.lua:2:7: unknown name `qqqqqq`" },
        { "setmetatable({}, {})", "t.lua:1:1: unknown verb `setmetatable`" },
        { "print('x')", "t.lua:1:1: unknown verb `print`" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char *got = error_line(*state, scan(rows[i].text, known));
        /* a suggestion for a made-up name is no promise */
        char *mean = strstr(rows[i].expected, "did you") ? NULL : strstr(got, "; did you");
        if (mean)
            *mean = '\0';
        assert_string_equal(got, rows[i].expected);
    }
}

/* As the screen shows it. */
static void a_caret_points_at_it(void **state)
{
    (void)state;
    kp_err *e = scan("local id = 1\n\n      stop_brokr(id)\n", known);
    assert_string_equal(e->detail, "  3 |       stop_brokr(id)\n    |       ^^^^^^^^^^\n");
    kp_err_drop(e);
    e = scan("say('\xc3\xa4\xc3\xb6') stop_brokr(1)", known); /* two characters, four bytes */
    assert_string_equal(
        e->detail, "  1 | say('\xc3\xa4\xc3\xb6') stop_brokr(1)\n    |           ^^^^^^^^^^\n");
    kp_err_drop(e);
}

/* Whatever bytes a file has, the tokens lie inside it, one behind the other. */
static void any_bytes_are_read(void **state)
{
    static const char *const parts[] = {
        "a", "\"", "'", "[[", "]]", "[=[", "--",  "--[[",     "\n",    "\\",   "0x", "1e",
        "{", "}",  "(", ")",  "=",  "::",  "end", "function", "local", "\xff", "\t", "..."
    };
    uint32_t x = 1;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        char text[64];
        size_t n = 0, end = 0;
        KP_AUTO_ARENA a = kp_arena_new("round", (size_t)1 << 20);
        for (int k = round % 9; k >= 0; k--) {
            x = x * 1664525 + 1013904223;
            const char *part = parts[(x >> 16) % KP_COUNT(parts)];
            memcpy(text + n, part, strlen(part));
            n += strlen(part);
        }
        text[n] = '\0';
        char *exact = kp_memdup(a, text, n ? n : 1);
        kl_token *t;
        size_t count = kl_tokens(a, exact, n, &t);
        for (size_t i = 0; i < count; i++) {
            assert_true(t[i].at >= end && t[i].n > 0 && t[i].at + t[i].n <= n);
            end = t[i].at + t[i].n;
        }
        kp_err_drop(scan(text, known));
    }
}

/* The names of the verbs are taken from the list of them, as the real engine is not linked here. */
static void the_shipped_files_are_sound(void **state)
{
    static const char *const base[] = { "assert", "error",    "ipairs",   "math",   "next",
                                        "pairs",  "pcall",    "require",  "select", "string",
                                        "table",  "tonumber", "tostring", "type",   "utf8" };
    static const char *const folders[] = { "playbooks", "stdlib" };
    const char *names[400];
    size_t n = 0, files = 0;

    for (size_t i = 0; i < KP_COUNT(base); i++)
        names[n++] = base[i];
    char *ops;
    assert_null(
        kp_file_read(*state, KPLAY_SOURCE_DIR "/core/verbs/verbs.c", (size_t)1 << 20, &ops, NULL));
    for (char *p = ops; (p = strstr(p, "&kp_op_")) != NULL && n + 1 < KP_COUNT(names);) {
        p += strlen("&kp_op_");
        names[n++] = kp_strndup(*state, p, strcspn(p, ","));
    }
    names[n] = NULL;
    assert_true(n > KP_COUNT(base) + 20);

    for (size_t i = 0; i < KP_COUNT(folders); i++) {
        DIR *d = opendir(kp_printf(*state, KPLAY_SOURCE_DIR "/%s", folders[i]));
        assert_non_null(d);
        for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
            char *text;
            if (!kp_ends_with(entry->d_name, ".lua"))
                continue;
            assert_null(kp_file_read(
                *state, kp_printf(*state, KPLAY_SOURCE_DIR "/%s/%s", folders[i], entry->d_name),
                KP_SCRIPT_LIMIT, &text, NULL));
            assert_string_equal(error_line(*state, scan(text, names)), "");
            files++;
        }
        closedir(d);
    }
    assert_true(files >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(silent_about_what_is_right),  STAGE_TEST(finds_what_is_not),
        STAGE_TEST(a_caret_points_at_it),        STAGE_TEST(any_bytes_are_read),
        STAGE_TEST(the_shipped_files_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
