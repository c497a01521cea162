/* Scripts: quoting, names of directories, reading lines, words of commands. */
#include "with_host.h"

#include "host/inner.h"

#include <string.h>

static void test_quoting(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    static const char *const words[] = {
        "plain",
        "",
        "two words",
        "it's",
        "''",
        "'",
        "$HOME `id` $(id)",
        "\\",
        "a\\'b",
        "\"",
        "line\nline",
        "trailing\n\n",
        "*?[a]~#;&|<>(){}!",
        "-n",
        "\t\r\x1b[31m",
        "\303\244\303\266\201\210\377",
    };
    KP_AUTO_BUF script = KP_BUF_INIT(1 << 16);
    KP_AUTO_BUF wanted = KP_BUF_INIT(1 << 16);
    for (size_t i = 0; i < KP_COUNT(words); i++) {
        kp_buf_fmt(&script, "printf '%%s\\n' %s\n", kp_host_quote(p->a, words[i]));
        kp_buf_fmt(&wanted, "%s\n", words[i]);
    }
    assert_string_equal(place_sh(p, h, kp_buf_text(&script)), kp_buf_text(&wanted));

    /* Through a variable and a second shell, as the acts do it. */
    KP_AUTO_BUF again = KP_BUF_INIT(1 << 16);
    for (size_t i = 0; i < KP_COUNT(words); i++) {
        kp_script s = KP_SCRIPT_INIT;
        kp_script_set(&s, "v", words[i]);
        kp_buf_fmt(&again, "eval %s\nprintf '%%s\\n' \"$v\"\n",
                   kp_host_quote(p->a, kp_buf_text(&s.text)));
        kp_buf_done(&s.text);
    }
    assert_string_equal(place_sh(p, h, kp_buf_text(&again)), kp_buf_text(&wanted));
}

static void test_prefix_words(void **state)
{
    (void)state;
    KP_AUTO_BUF b = KP_BUF_INIT(1000);
    kp_quote_words(&b, "  sudo -n  -u kafka; ");
    assert_string_equal(kp_buf_text(&b), "'sudo' '-n' '-u' 'kafka;' ");
    kp_buf_clear(&b);
    kp_quote_words(&b, "");
    assert_string_equal(kp_buf_text(&b), "");
}

static void test_path_names(void **state)
{
    place *p = *state;
    static const struct {
        const char *text, *name;
    } rows[] = {
        { "7f3a.broker-2.1~1", "7f3a.broker-2.1~1" },
        { "7f3a.roll/3.1~1", "7f3a.roll%2F3.1~1" },
        { "../x", "%2E.%2Fx" },
        { ".", "%2E" },
        { "a b", "a%20b" },
        { "a%2F", "a%252F" },
        { "\303\244", "%C3%A4" },
        { "MkU3OEVBNTcwNTJENDM2Qg", "MkU3OEVBNTcwNTJENDM2Qg" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(kp_path_name(p->a, rows[i].text), rows[i].name);
    char one[400], two[400];
    memset(one, 'x', sizeof one - 1);
    one[399] = '\0';
    memcpy(two, one, sizeof two);
    two[398] = 'y';
    const char *a = kp_path_name(p->a, one), *b = kp_path_name(p->a, two);
    assert_true(strlen(a) <= 200 && strlen(b) <= 200);
    assert_string_not_equal(a, b);
}

static void test_ints(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t i;
    } rows[] = {
        { "0", true, 0 },
        { "12", true, 12 },
        { "922337203685477579", true, 922337203685477579 },
        { "9223372036854775807", false, 0 },
        { "99999999999999999999", false, 0 },
        { "", false, 0 },
        { "-1", false, 0 },
        { "1 ", false, 0 },
        { "0x1", false, 0 },
        { NULL, false, 0 },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        int64_t n = 77;
        assert_int_equal(kp_said_int(rows[i].text, &n), rows[i].ok);
        assert_int_equal(n, rows[i].ok ? rows[i].i : 77);
    }
}

static kp_err *decode_rest(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    *ret_v = kp_map(a, "n", kp_int(a, (int64_t)s->n), "a", kp_text(a, kp_said_get(s, "a")), "empty",
                    kp_text(a, kp_said_get(s, "empty")), "rest", kp_bytes(a, s->rest, s->rest_n),
                    NULL);
    return NULL;
}

static void test_lines_then_bytes(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    kp_script s = KP_SCRIPT_INIT;
    kp_script_run run = { .deadline = place_soon(), .decode = decode_rest };
    answer r = { 0 };
    kp_script_add(&s, "say a 'b  c '; say empty ''; echo bare; echo; printf 'x\\n\\ny'");
    kp_script_go(h, p->a, &s, &run, place_answer, &r);
    const kp_value *v = place_ok(p, &r);
    assert_int_equal(kp_get_int(v, "n", 0), 3);
    assert_string_equal(kp_get_text(v, "a", ""), "b  c ");
    assert_string_equal(kp_get_text(v, "empty", "-"), "");
    assert_string_equal(kp_get_text(v, "rest", ""), "x\n\ny");
}

static void test_failures_in_words(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    static const struct {
        const char *script;
        kp_class cls;
        const char *part;
        bool retriable;
    } rows[] = {
        { "refuse 'it is not so'", KP_REFUSED, "refused: it is not so", false },
        { "fail 'no room'", KP_HOST, "no room", false },
        { "echo why >&2; fail 'no room'", KP_HOST, "no room: why", false },
        { "say fenced '7 ops@bastion1 run 7f3a'; exit 97", KP_REFUSED,
          "fenced by ops@bastion1 run 7f3a at 7", false },
        { "say fenced '0 nobody'; exit 97", KP_REFUSED, "no kplay has taken this host", false },
        { "exit 98", KP_HOST, "another act on this host holds its lock", true },
        { "exit 3", KP_HOST, "a script ended with exit code 3", false },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_script s = KP_SCRIPT_INIT;
        kp_script_run run = { .deadline = place_soon(), .decode = kp_decode_texts };
        answer r = { 0 };
        kp_script_add(&s, rows[i].script);
        kp_script_go(h, p->a, &s, &run, place_answer, &r);
        place_wait(p, &r);
        assert_non_null(r.err);
        assert_int_equal(r.err->retriable, rows[i].retriable);
        assert_string_equal(r.err->where, "broker 1");
        place_fails(p, &r, rows[i].cls, rows[i].part);
    }
}

static void test_wrong_arguments(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    static const struct {
        const char *id, *cluster;
    } rows[] = {
        { "", "c" }, { "a b", "c" }, { "a\nb", "c" }, { NULL, "c" }, { "a", "" }, { "a", NULL },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_host_op op = { .id = rows[i].id, .cluster = rows[i].cluster, .epoch = 1 };
        op.deadline = place_soon();
        answer r = { 0 };
        kp_host_link(h, p->a, &op, "3.9.1", place_answer, &r);
        assert_int_equal(r.calls, 0);
        place_fails(p, &r, KP_INTERNAL, "report it");
    }
    answer version = { 0 }, cancelled = { 0 };
    kp_host_op op = { .id = "a", .cluster = "c", .epoch = 1, .deadline = place_soon() };
    kp_host_link(h, p->a, &op, "../../etc", place_answer, &version);
    place_fails(p, &version, KP_INTERNAL, "no such version");
    op.id = "";
    kp_host_cancel(p->hs, kp_host_link(h, p->a, &op, "3.9.1", place_answer, &cancelled));
    place_turn_for(p, 20);
    assert_int_equal(cancelled.calls, 0);
}

static void test_sudoers(void **state)
{
    place *p = *state;
    p->spec.user = "ops";
    assert_string_equal(kp_host_sudoers(p->a, place_host(p)), "");
    p->spec.become_service = "sudo -n";
    p->spec.become_files = "/usr/bin/sudo -n -u kafka";
    p->spec.service.unit = "kafka";
    assert_string_equal(kp_host_sudoers(p->a, place_host(p)),
                        "ops ALL=(root) NOPASSWD: /usr/bin/systemctl stop --no-block kafka, "
                        "/usr/bin/systemctl start --no-block kafka\n"
                        "ops ALL=(kafka) NOPASSWD: /bin/sh\n");
    p->spec.service.unit = NULL;
    p->spec.become_files = "doas -u kafka";
    kp_builder start = kp_list_begin(p->a);
    kp_list_add(&start, kp_text(p->a, "/etc/init.d/kafka"));
    kp_list_add(&start, kp_text(p->a, "start=a:b"));
    p->spec.service.start = kp_list_end(&start);
    assert_string_equal(kp_host_sudoers(p->a, place_host(p)),
                        "ops ALL=(root) NOPASSWD: /etc/init.d/kafka start\\=a\\:b, "
                        "/usr/bin/kill -TERM [0-9]*\n");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_quoting),          TEST(test_prefix_words),      TEST(test_path_names),
        TEST(test_ints),             TEST(test_lines_then_bytes),  TEST(test_failures_in_words),
        TEST(test_wrong_arguments),  TEST(test_sudoers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
