/* The release switch: the link, and nothing but the link. */
#include "with_host.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER "clusterA"

static kp_ticket ask(place *p, kp_host *h, const char *id, const char *version, answer *r)
{
    kp_host_op o = { .id = id, .cluster = CLUSTER, .epoch = 1, .deadline = place_soon() };
    return kp_host_link(h, p->a, &o, version, place_answer, r);
}

static const char *target(place *p)
{
    char text[4096];
    ssize_t n = readlink(place_path(p, "current"), text, sizeof text);
    return n < 0 ? "" : kp_strndup(p->a, text, (size_t)n);
}

static kp_host *ready(place *p)
{
    static const char *const versions[] = { "3.5.2", "3.9.1" };
    for (size_t i = 0; i < 2; i++)
        place_write(p, kp_printf(p->a, "releases/kafka_2.13-%s/libs/kafka-clients-%s.jar",
                                 versions[i], versions[i]),
                    "%s", "");
    mkdir(place_path(p, "releases/kafka_2.13-4.0.0"), 0755); /* half unpacked */
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    return h;
}

static void test_switching(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    answer r[6] = { { 0 } };
    const char *old = place_path(p, "releases/kafka_2.13-3.5.2");
    const char *new = place_path(p, "releases/kafka_2.13-3.9.1");

    ask(p, h, "1.l~1", "3.5.2", &r[0]); /* there was none */
    assert_string_equal(kp_get_text(place_ok(p, &r[0]), "did", ""), "done");
    assert_string_equal(target(p), old);
    ask(p, h, "1.l~2", "3.9.1", &r[1]);
    const kp_value *v = place_ok(p, &r[1]);
    assert_string_equal(kp_get_text(v, "did", ""), "done");
    assert_string_equal(kp_get_text(v, "was", ""), old);
    assert_string_equal(target(p), new);
    ask(p, h, "1.l~2", "3.9.1", &r[2]);
    v = place_ok(p, &r[2]);
    assert_string_equal(kp_get_text(v, "did", ""), "already");
    assert_string_equal(kp_get_text(v, "was", ""), new);

    ask(p, h, "1.l~3", "4.0.0", &r[3]);
    place_fails(p, &r[3], KP_REFUSED, "the release is not staged");
    ask(p, h, "1.l~4", "4.1.0", &r[4]);
    place_fails(p, &r[4], KP_REFUSED, "the release is not staged");
    assert_string_equal(target(p), new);

    /* A relative link, by hand: the same release is the same. */
    unlink(place_path(p, "current"));
    assert_int_equal(symlink("releases/kafka_2.13-3.9.1", place_path(p, "current")), 0);
    ask(p, h, "1.l~5", "3.9.1", &r[5]);
    assert_string_equal(kp_get_text(place_ok(p, &r[5]), "did", ""), "already");

    const char *acts = place_read(p, "releases/.kplay/" CLUSTER "/acts.log");
    assert_int_equal(place_count(acts, "\n"), 2);
    assert_int_equal(place_count(acts, "Z 1.l~1 link 3.5.2\n"), 1);
    assert_int_equal(place_count(acts, "Z 1.l~2 link 3.9.1\n"), 1);
    assert_string_equal(place_sh(p, h, kp_printf(p->a, "ls -A %s", p->dir)),
                        "current\netc\nreleases\n");
}

static void test_a_directory_in_its_place(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    place_write(p, "current/bin/kafka", "%s", "");
    answer r = { 0 };
    ask(p, h, "1.l~1", "3.9.1", &r);
    place_fails(p, &r, KP_REFUSED, "is no symbolic link");
    assert_true(place_has(p, "current/bin/kafka"));
}

static void test_a_link_to_nowhere_and_leftovers(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    assert_int_equal(symlink("/nowhere", place_path(p, "current")), 0);
    /* What an attempt that was cut left behind. */
    assert_int_equal(symlink("/nowhere", place_path(p, "current.kplay-1.l~1")), 0);
    answer r = { 0 };
    ask(p, h, "1.l~1", "3.9.1", &r);
    const kp_value *v = place_ok(p, &r);
    assert_string_equal(kp_get_text(v, "was", ""), "/nowhere");
    assert_string_equal(target(p), place_path(p, "releases/kafka_2.13-3.9.1"));
    assert_int_equal(access(place_path(p, "current.kplay-1.l~1"), F_OK), -1);
}

/* At no moment is there no link: something looks all the time while it goes to and fro. */
static void test_never_without_a_link(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    answer first = { 0 }, looker = { 0 };
    ask(p, h, "1.l~0", "3.5.2", &first);
    place_ok(p, &first);
    kp_host_command c = {
        .script = kp_printf(p->a, "cd %s; n=0; while [ ! -e stop ]; do n=$((n+1)); "
                                  "[ -d current/libs ] || echo gap; done; "
                                  "[ $n -gt 100 ] || echo few",
                            p->dir),
        .deadline = place_soon(),
    };
    kp_host_exec(h, p->a, &c, place_answer, &looker);
    for (int i = 1; i <= 20; i++) {
        answer r = { 0 };
        ask(p, h, kp_printf(p->a, "1.l~%d", i), i % 2 ? "3.9.1" : "3.5.2", &r);
        assert_string_equal(kp_get_text(place_ok(p, &r), "did", ""), "done");
    }
    place_write(p, "stop", "%s", "");
    assert_string_equal(kp_get_text(place_ok(p, &looker), "out", "-"), "");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_switching),
        TEST(test_a_directory_in_its_place),
        TEST(test_a_link_to_nowhere_and_leftovers),
        TEST(test_never_without_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
