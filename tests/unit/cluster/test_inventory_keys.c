/* What kp_inventory_keys tells of the cluster file is what is read: every example is taken at each of
 * its places, and every default that is told means what leaving the key out means. */
#include "cluster/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Where the keys of a level stand, and beside what they can. */
static const struct place {
    const char *level, *before, *beside, *after;
} places[] = {
    { "", "", "", "" },
    { "kafka", "kafka: { ", "", " }" },
    { "kafka.sasl.password", "kafka: { sasl.password: { ", "", " } }" },
    { "kafka.sasl.oauthbearer.client.secret", "kafka: { sasl.oauthbearer.client.secret: { ", "",
      " } }" },
    { "kafka.ssl.key.pem", "kafka: { ssl.key.pem: { ", "", " } }" },
    { "kafka.ssl.key.password", "kafka: { ssl.key.password: { ", "", " } }" },
    { "kafka.ssl.keystore.password", "kafka: { ssl.keystore.password: { ", "", " } }" },
    { "ssh", "ssh: { ", "", " }" },
    { "ssh.become", "ssh: { become: { ", "", " } }" },
    { "service", "service: { ", "", " }" },
    { "layout", "layout: { ", "", " }" },
    { "brokers[]", "brokers: [ { ", "id: 1, host: b1, ", " } ]" },
    { "brokers[].ssh", "brokers: [ { id: 1, host: b1, ssh: { ", "", " } } ]" },
    { "brokers[].service", "brokers: [ { id: 1, host: b1, service: { ", "", " } } ]" },
    { "brokers[].layout", "brokers: [ { id: 1, host: b1, layout: { ", "", " } } ]" },
    { "controllers[]", "controllers: [ { ", "id: 9, host: c1, ", " } ]" },
    { "zookeeper[]", "zookeeper: [ { ", "host: zk1, ", " } ]" },
    { "policy", "policy: { ", "", " }" },
    { "policy.accept[]", "policy: { accept: [ { ", "", " } ] }" },
};

/* Keys that need something else beside them, wherever they stand. */
static const struct {
    const char *level, *key, *beside;
} needs[] = {
    { "service", "start", "manager: command, " },
    { "service", "stop", "manager: command, " },
    { "service", "status", "manager: command, " },
    { "layout", "state", "releases: /opt/kafka, " },
    { "brokers[]", "id", "host: b1, " },
    { "brokers[]", "host", "id: 1, " },
    { "zookeeper[]", "host", "" },
    { "policy.accept[]", "topic", "why: x, " },
    { "policy.accept[]", "partition", "why: x, until: 2030-01-01, " },
    { "policy.accept[]", "until", "why: x, partition: a-1, " },
    { "policy.accept[]", "why", "topic: a, " },
};

static const char *beside(const char *level, const char *key, const struct place *p)
{
    for (size_t i = 0; i < KP_COUNT(needs); i++)
        if (strcmp(needs[i].level, level) == 0 && strcmp(needs[i].key, key) == 0)
            return needs[i].beside;
    return p->beside;
}

/* A file with that key in that place; a NULL value leaves the key out. */
static kp_err *with(kp_arena *a, const char *level, const char *place, const char *key,
                    const char *value, const kp_inventory **ret_inv)
{
    size_t i = 0;

    while (i < KP_COUNT(places) && strcmp(places[i].level, place) != 0)
        i++;
    if (i == KP_COUNT(places))
        fail_msg("%s has no place here", place);
    const struct place *p = &places[i];
    const char *text = kp_printf(a, "%s%s%s%s\n", p->before, beside(level, key, p),
                                 value ? kp_printf(a, "%s: %s", key, value) : "", p->after);
    static const char *const others[][2] = { { "cluster", "demo" },
                                             { "simulate", "{}" },
                                             { "brokers", "[ { id: 100, host: b100 } ]" } };
    for (size_t k = 0; k < KP_COUNT(others); k++)
        if (strncmp(text, others[k][0], strlen(others[k][0])) != 0)
            text = kp_printf(a, "%s%s: %s\n", text, others[k][0], others[k][1]);
    return kp_inventory_parse(a, "kplay.yaml", text, strlen(text), ret_inv);
}

typedef void (*visit)(kp_arena *a, const char *level, const char *place, const kp_value *key);

static size_t n_places;

static void each_key_of(const kp_value *level, const char *place, visit f)
{
    const kp_value *keys = kp_get(level, "keys");

    n_places++;
    assert_true(kp_len(keys) > 0);
    for (size_t k = 0; k < kp_len(keys); k++) {
        KP_AUTO_ARENA a = kp_arena_new("one key", 64 << 20);
        f(a, kp_get_text(level, "level", NULL), place, kp_at(keys, k));
    }
}

static void each_key(visit f)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    const kp_value *levels = kp_inventory_keys(a);

    n_places = 0;
    for (size_t i = 0; i < kp_len(levels); i++) {
        const kp_value *level = kp_at(levels, i), *also = kp_get(level, "also");
        assert_true(*kp_get_text(level, "doc", "") != '\0');
        each_key_of(level, kp_get_text(level, "level", NULL), f);
        for (size_t k = 0; k < kp_len(also); k++) {
            const char *place = kp_as_text(kp_at(also, k), "");
            each_key_of(level, place, f);
            assert_non_null(strstr(kp_get_text(level, "doc", ""), place));
        }
    }
    assert_int_equal(n_places, KP_COUNT(places));
}

static void is_told_whole(kp_arena *a, const char *level, const char *place, const kp_value *key)
{
    static const char *const all[] = { "key", "type", "doc", "example" };
    const kp_value *words = kp_get(key, "words");

    (void)a;
    (void)place;
    for (size_t i = 0; i < KP_COUNT(all); i++)
        if (*kp_get_text(key, all[i], "") == '\0')
            fail_msg("%s.%s has no %s", level, kp_get_text(key, "key", ""), all[i]);
    for (size_t i = 0; i < kp_len(words); i++)
        if (*kp_get_text(kp_at(words, i), "doc", "") == '\0')
            fail_msg("%s has no doc", kp_get_text(kp_at(words, i), "word", ""));
}

static void every_key_is_told_whole(void **state)
{
    (void)state;
    each_key(is_told_whole);
}

static void is_taken(kp_arena *a, const char *level, const char *place, const char *key,
                     const char *value)
{
    const kp_inventory *inv;
    kp_err *e = with(a, level, place, key, value, &inv);

    if (e)
        fail_msg("%s.%s: %s", place, key, kp_err_text(a, e));
}

static void takes_its_example_and_words(kp_arena *a, const char *level, const char *place,
                                        const kp_value *key)
{
    const kp_value *words = kp_get(key, "words");
    const char *name = kp_get_text(key, "key", "");

    is_taken(a, level, place, name, kp_get_text(key, "example", ""));
    for (size_t i = 0; i < kp_len(words); i++)
        is_taken(a, level, place, name, kp_get_text(kp_at(words, i), "word", ""));
}

static void every_example_and_word_is_taken(void **state)
{
    (void)state;
    each_key(takes_its_example_and_words);
}

/* All that a file says. */
static const char *whole(kp_arena *a, const kp_inventory *inv)
{
    const char *s = kp_printf(a, "%d %d %d %s", inv->guard, inv->on_failure, inv->free_space,
                              inv->runs);

    for (uint32_t i = 0; i < inv->n_nodes; i++) {
        const kp_node *n = &inv->nodes[i];
        s = kp_printf(a, "%s %s %s %d %d %s", s, n->ssh.transport, n->ssh.known_hosts, n->ssh.port,
                      n->service.systemd, n->layout.release);
        s = kp_printf(a, "%s %s %s", s, n->layout.state, kp_inventory_digest(a, inv));
    }
    for (uint32_t i = 0; i < inv->n_zookeepers; i++)
        s = kp_printf(a, "%s %s", s, inv->zookeepers[i].connect);
    return s;
}

/* The default with what its placeholders stand for here. */
static const char *filled_in(kp_arena *a, const char *value)
{
    static const char *const words[][2] = { { "RELEASES", "/opt/kafka" },
                                            { "HOST", "zk1" },
                                            { "CLUSTER", "demo" } };

    for (size_t i = 0; i < KP_COUNT(words); i++) {
        const char *at = strstr(value, words[i][0]);
        if (at)
            value = kp_printf(a, "%.*s%s%s", (int)(at - value), value, words[i][1],
                              at + strlen(words[i][0]));
    }
    return kp_printf(a, "\"%s\"", value);
}

static size_t n_defaults;

static void means_its_default(kp_arena *a, const char *level, const char *place,
                              const kp_value *key)
{
    const char *name = kp_get_text(key, "key", ""), *value = kp_get_text(key, "default", NULL);
    const kp_inventory *said, *left_out, *other;

    /* The section `kafka` is kept as it stands: its defaults are those of who uses it. */
    if (!value || strcmp(level, "kafka") == 0)
        return;
    n_defaults++;
    assert_null(with(a, level, place, name, filled_in(a, value), &said));
    assert_null(with(a, level, place, name, NULL, &left_out));
    if (strcmp(whole(a, said), whole(a, left_out)) != 0)
        fail_msg("%s.%s: %s is not its default", place, name, value);
    assert_null(with(a, level, place, name, kp_get_text(key, "example", ""), &other));
    if (strcmp(whole(a, other), whole(a, left_out)) == 0)
        fail_msg("%s.%s: the example is the default", place, name);
}

static void every_default_is_what_leaving_it_out_means(void **state)
{
    (void)state;
    setenv("HOME", "/home/ops", 1);
    unsetenv("XDG_STATE_HOME");
    n_defaults = 0;
    each_key(means_its_default);
    assert_int_equal(n_defaults, 2 * (3 + 1 + 2) + 1 + 3 + 1);
}

static void a_key_in_no_table_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(places); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 64 << 20);
        const kp_inventory *inv = NULL;
        kp_err *e = with(a, places[i].level, places[i].level, "Xyzzyx", "1", &inv);
        if (!e || strncmp(e->what, "unknown key `Xyzzyx`", 20) != 0)
            fail_msg("%s: %s", places[i].level, e ? e->what : "taken");
        assert_null(inv);
        kp_err_drop(e);
    }
}

static void a_key_is_told_in_words(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    const kp_value *levels = kp_inventory_keys(a), *top = kp_at(levels, 0);

    (void)state;
    assert_string_equal(kp_get_text(top, "level", NULL), "");
    assert_int_equal(kp_len(levels), 11);
    const kp_value *brokers = kp_at(kp_get(top, "keys"), 5);
    assert_string_equal(kp_get_text(brokers, "key", ""), "brokers");
    assert_string_equal(kp_get_text(brokers, "type", ""), "a list of maps");
    const kp_value *ssh = kp_at(levels, 3);
    assert_string_equal(kp_get_text(ssh, "level", ""), "ssh");
    assert_string_equal(kp_get_text(ssh, "doc", ""),
                        "how the hosts are reached; the same keys stand in brokers[].ssh");
    assert_string_equal(
        kp_json_text(a, kp_at(kp_get(ssh, "keys"), 2)),
        "{\"default\":\"22\",\"doc\":\"the port sshd listens on\",\"example\":\"2222\","
        "\"key\":\"port\",\"type\":\"a number from 1 to 65535\"}");
    const kp_value *transport = kp_at(kp_get(ssh, "keys"), 0);
    assert_string_equal(kp_get_text(transport, "type", ""), "ssh, openssh or local");
    assert_int_equal(kp_len(kp_get(transport, "words")), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_told_whole),
        cmocka_unit_test(every_example_and_word_is_taken),
        cmocka_unit_test(every_default_is_what_leaving_it_out_means),
        cmocka_unit_test(a_key_in_no_table_is_refused),
        cmocka_unit_test(a_key_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
