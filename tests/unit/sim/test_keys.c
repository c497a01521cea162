/* What kp_sim_keys tells of a description is what is read: every example is taken at its place, and
 * every default that is told makes the cluster that leaving the key out makes. */
#include "sim/with_sim.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the keys of a level stand, and beside what they can. */
static const struct place {
    const char *level, *before, *beside, *after;
} places[] = {
    { "simulate", "", "", "" },
    { "simulate.topics[]", "topics: [ { ", "name: t, ", " } ]" },
    { "simulate.clients[]", "clients: [ { ", "", " } ]" },
    { "simulate.breaking", "breaking: { ", "", " }" },
    { "simulate.timing", "timing: { ", "", " }" },
    { "simulate.faults[]", "racks: [ a, b, c ], faults: [ { ", "fault: crash, node: 2, ", " } ]" },
};

/* Keys that need something else beside them. */
static const struct {
    const char *level, *key, *beside;
} needs[] = {
    { "simulate", "ibp", "mode: zookeeper, " },
    { "simulate", "accept", "topics: [ { name: orders } ], " },
    { "simulate.topics[]", "name", "" },
    { "simulate.faults[]", "fault", "node: 2, " },
    { "simulate.faults[]", "node", "fault: crash, " },
    { "simulate.faults[]", "rack", "fault: rack_loss, " },
};

static const struct place *place_of(const char *level)
{
    for (size_t i = 0; i < KP_COUNT(places); i++)
        if (strcmp(places[i].level, level) == 0)
            return &places[i];
    fail_msg("%s has no place here", level);
    return NULL;
}

static const char *beside(const char *level, const char *key)
{
    for (size_t i = 0; i < KP_COUNT(needs); i++)
        if (strcmp(needs[i].level, level) == 0 && strcmp(needs[i].key, key) == 0)
            return needs[i].beside;
    return place_of(level)->beside;
}

/* The cluster of a file with that key at its place; a NULL value leaves the key out. */
static kp_err *with(kp_arena *a, const char *level, const char *key, const char *value,
                    kp_sim **ret_sim)
{
    const struct place *p = place_of(level);
    const char *name = strcmp(key, "RELEASE") == 0 ? "3.9.1" : key;
    const char *pair = value ? kp_printf(a, "%s: %s", name, value) : "";
    const char *text = kp_printf(a, "cluster: c\nsimulate: { %s%s%s%s }\n", p->before,
                                 beside(level, key), pair, p->after);
    const kp_inventory *file;

    KP_TRY(kp_inventory_parse(a, "kplay.yaml", text, strlen(text), &file));
    return kp_sim_from_spec(a, file->simulate, ret_sim);
}

typedef void (*visit)(kp_arena *a, const char *level, const kp_value *key);

static void each_key(visit f)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    const kp_value *levels = kp_sim_keys(a);

    assert_int_equal(kp_len(levels), KP_COUNT(places));
    for (size_t i = 0; i < kp_len(levels); i++) {
        const kp_value *level = kp_at(levels, i), *keys = kp_get(level, "keys");
        assert_string_equal(kp_get_text(level, "level", ""), places[i].level);
        assert_true(*kp_get_text(level, "doc", "") != '\0');
        assert_true(kp_len(keys) > 0);
        for (size_t k = 0; k < kp_len(keys); k++) {
            KP_AUTO_ARENA one = kp_arena_new("one key", 256 << 20);
            f(one, places[i].level, kp_at(keys, k));
        }
    }
}

static void is_told_whole(kp_arena *a, const char *level, const kp_value *key)
{
    static const char *const all[] = { "key", "type", "doc", "example" };
    const kp_value *words = kp_get(key, "words");

    (void)a;
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

static void takes_its_example(kp_arena *a, const char *level, const kp_value *key)
{
    kp_sim *sim = NULL;
    kp_err *e = with(a, level, kp_get_text(key, "key", ""), kp_get_text(key, "example", ""), &sim);

    if (e)
        fail_msg("%s", kp_err_text(a, e));
    kp_sim_close(sim);
}

static void every_example_is_taken(void **state)
{
    (void)state;
    each_key(takes_its_example);
}

/* The doc of a fault says what it needs. */
static void strikes_whom_it_says(kp_arena *a, const char *word, const char *doc)
{
    const struct {
        const char *whom;
        bool taken;
    } rows[] = {
        { "", strstr(doc, "Needs neither") != NULL },
        { ",'node':3001", !strstr(doc, "a broker") && !strstr(doc, "Needs a rack") },
        { ",'node':2", !strstr(doc, "Needs a rack") },
        { ",'rack':'a'", strstr(doc, "Needs a rack") != NULL },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        cluster c = cluster_of("{'racks':['a','b','c']}");
        const char *json = kp_printf(a, "{'fault':'%s','at':'1h'%s}", word, rows[i].whom);
        kp_err *e = kp_sim_fault(c.sim, value_of(a, json));
        if (!e != rows[i].taken)
            fail_msg("%s: %s", json, e ? e->what : "taken");
        kp_err_drop(e);
        cluster_close(&c);
    }
}

static void takes_its_words(kp_arena *a, const char *level, const kp_value *key)
{
    const kp_value *words = kp_get(key, "words");
    bool list = strcmp(kp_get_text(key, "type", ""), "a list of texts") == 0;

    for (size_t i = 0; i < kp_len(words); i++) {
        const char *word = kp_get_text(kp_at(words, i), "word", ""),
                   *doc = kp_get_text(kp_at(words, i), "doc", "");
        const char *value = kp_printf(a, list ? "[ %s ]" : "%s", word);
        if (strstr(doc, "Needs a rack"))
            value = kp_printf(a, "%s, rack: a", word);
        kp_sim *sim = NULL;
        kp_err *e = with(a, level, kp_get_text(key, "key", ""), value, &sim);
        if (e)
            fail_msg("%s", kp_err_text(a, e));
        kp_sim_close(sim);
        if (strcmp(level, "simulate.faults[]") == 0)
            strikes_whom_it_says(a, word, doc);
    }
}

static void every_word_is_taken(void **state)
{
    (void)state;
    each_key(takes_its_words);
}

/* All that makes a cluster, as it is kept. */
static const kp_value *kept(kp_arena *a, kp_sim *sim)
{
    char path[] = "/tmp/kplay-keys-XXXXXX", *bytes;
    size_t n;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    sound(kp_sim_keep(sim, path));
    kp_sim_close(sim);
    sound(kp_file_read(a, path, 128 << 20, &bytes, &n));
    unlink(path);
    return kp_bytes(a, bytes, n);
}

/* What a host answers of its Java. */
static const kp_value *proof(kp_arena *a, kp_sim *sim)
{
    cluster c = cluster_from(sim);
    const kp_value *v = told(
        &c, (kp_request) { .kind = KP_Q_PROOF, .node = 1, .proof.version = "3.7.2" });

    v = kp_value_copy(a, v);
    cluster_close(&c);
    return v;
}

static size_t n_defaults;

/* A default in words has a blank. */
static void means_its_default(kp_arena *a, const char *level, const kp_value *key)
{
    const char *name = kp_get_text(key, "key", ""), *value = kp_get_text(key, "default", NULL);
    kp_sim *said = NULL, *left_out = NULL, *other = NULL;

    if (!value || strchr(value, ' '))
        return;
    n_defaults++;
    sound(with(a, level, name, value, &said));
    sound(with(a, level, name, NULL, &left_out));
    sound(with(a, level, name, kp_get_text(key, "example", ""), &other));
    /* Which Java is not said is kept as such. */
    const kp_value *(*seen)(kp_arena *, kp_sim *) = strcmp(name, "java") == 0 ? proof : kept;
    const kp_value *of = seen(a, left_out);
    if (!kp_value_equal(seen(a, said), of))
        fail_msg("%s.%s: %s is not its default", level, name, value);
    if (kp_value_equal(seen(a, other), of))
        fail_msg("%s.%s: the example is the default", level, name);
}

static void every_default_is_what_leaving_it_out_means(void **state)
{
    (void)state;
    n_defaults = 0;
    each_key(means_its_default);
    assert_int_equal(n_defaults, 18);
}

static void a_key_is_told_in_words(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    const kp_value *levels = kp_sim_keys(a);

    (void)state;
    assert_string_equal(kp_json_text(a, kp_at(kp_get(kp_at(levels, 4), "keys"), 0)),
                        "{\"default\":\"3s\",\"doc\":\"how long a node takes to start when it has "
                        "no replicas\",\"example\":\"5s\",\"key\":\"boot\",\"type\":\"a duration, "
                        "like 250ms, 30s or 10m\"}");
    const kp_value *keys = kp_get(kp_at(levels, 0), "keys");
    assert_string_equal(kp_get_text(kp_at(keys, 0), "type", ""),
                        "one of zookeeper, kraft, combined");
    assert_string_equal(kp_get_text(kp_at(keys, 1), "type", ""), "a whole number from 1 to 4032");
    assert_string_equal(kp_get_text(kp_at(keys, kp_len(keys) - 1), "type", ""),
                        "a whole number, 0 or more");
}

static void a_key_in_no_table_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(places); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 256 << 20);
        kp_sim *sim = NULL;
        if (strcmp(places[i].level, "simulate.breaking") == 0)
            continue; /* of any release */
        kp_err *e = with(a, places[i].level, "xyzzyx", "1", &sim);
        assert_non_null(e);
        assert_string_equal(e->what, "unknown word `xyzzyx`");
        kp_err_drop(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_told_whole),
        cmocka_unit_test(every_example_is_taken),
        cmocka_unit_test(every_word_is_taken),
        cmocka_unit_test(every_default_is_what_leaving_it_out_means),
        cmocka_unit_test(a_key_is_told_in_words),
        cmocka_unit_test(a_key_in_no_table_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
