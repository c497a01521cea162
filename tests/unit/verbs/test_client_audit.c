/* clients: what is left when brokers' own connections are taken off. */
#include "engine/with_twist.h"

#include <string.h>

#define ROW(name, version, n, shared)                                                              \
    "{\"name\":\"" name "\",\"version\":\"" version "\",\"listener\":\"L\",\"connections\":" #n    \
    ",\"brokers_too\":" #shared "}"
#define SAYS(rows, own)                                                                            \
    "{\"release\":\"3.9.1\",\"connections\":[" rows "],\"deprecated\":[]," own "}"
#define JAVA "apache-kafka-java"

static twist bent[3] = { { KP_Q_CLIENTS, 1, NULL, NULL },
                         { KP_Q_CLIENTS, 2, NULL, NULL },
                         { KP_Q_CLIENTS, 3, NULL, NULL } };
static kp_arena *memory;
static const char *told;

static kp_err *asks(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "clients", "[]", &v));
    KP_AUTO_BUF text = KP_BUF_INIT(64 << 10);
    for (size_t i = 0; i < kp_len(v); i++) {
        const kp_value *all = kp_get(kp_at(v, i), "clients");
        kp_buf_fmt(&text, "%" PRId64 ":", kp_get_int(kp_at(v, i), "node", -1));
        if (kp_get(kp_at(v, i), "problem"))
            kp_buf_fmt(&text, " problem %s", kp_get_text(kp_at(v, i), "problem", ""));
        for (size_t k = 0; k < kp_len(all); k++)
            kp_buf_fmt(&text, " %s/%s %" PRId64 "%s", kp_get_text(kp_at(all, k), "name", ""),
                       kp_get_text(kp_at(all, k), "version", ""),
                       kp_get_int(kp_at(all, k), "connections", -1),
                       kp_get_bool(kp_at(all, k), "maybe_brokers", false) ? "?" : "");
        kp_buf_chr(&text, '\n');
    }
    told = kp_strdup(memory, kp_buf_text(&text));
    return NULL;
}

/* What is told when the three brokers say these; NULL: the host of that one does not answer. */
static void tells(const char *one, const char *two, const char *three, const char *text)
{
    static test_script script;
    bench b = { 0 };
    script.part[KP_PART_RUN] = asks;
    the_script = &script;
    make_runs(&b);
    bench_open(&b, "{\"release\":\"3.9.1\"}", NULL);
    bent[0].json = one;
    bent[1].json = two;
    bent[2].json = three;
    memory = b.a;
    twist_into(&b, bent, 3);
    twist_on(true);
    well(bench_run(&b, NULL));
    assert_string_equal(told, text);
    bench_over(&b);
}

static void fetchers_are_taken_off_where_they_lead(void **state)
{
    (void)state;
    tells(SAYS(ROW("unknown", "unknown", 2, true), "\"unknown_to\":[2,1,3,1]"),
          SAYS(ROW("unknown", "unknown", 3, true), "\"unknown_to\":[1,1,3,1]"),
          SAYS(ROW("unknown", "unknown", 2, true), "\"unknown_to\":[1,1,2,1]"),
          "1:\n2: unknown/unknown 1\n3:\n");
    /* never on a listener that brokers do not use */
    tells(SAYS(ROW("unknown", "unknown", 1, false), "\"unknown_to\":[2,1]"),
          SAYS(ROW("unknown", "unknown", 1, true), "\"unknown_to\":[1,1]"), SAYS("", "\"java\":0"),
          "1: unknown/unknown 1\n2:\n3:\n");
}

/* In sum: markers of one broker lead to whichever. */
static void what_leads_to_any_broker_is_taken_off_once(void **state)
{
    (void)state;
    tells(SAYS(ROW("unknown", "unknown", 1, true), "\"unknown\":2"),
          SAYS(ROW("unknown", "unknown", 2, true), "\"unknown\":0"), SAYS("", "\"unknown\":0"),
          "1:\n2: unknown/unknown 1\n3:\n");
    tells(
        SAYS(ROW(JAVA, "3.9.1", 2, true) "," ROW(JAVA, "3.8.0", 1, true), "\"java\":1"),
        SAYS(ROW(JAVA, "3.9.1", 3, true), "\"java\":1"),
        SAYS(ROW("kplay", "0.1.0", 1, true) "," ROW("librdkafka", "2.3.0", 1, true), "\"java\":2"),
        "1: apache-kafka-java/3.8.0 1\n2: apache-kafka-java/3.9.1 1\n3: librdkafka/2.3.0 1\n");
}

/* Some of what leads to any broker may lead to the one that does not answer, and of that one's own
 * nothing is known: too many unknown are told rather than too few. */
static void a_broker_that_does_not_answer(void **state)
{
    (void)state;
    tells(SAYS(ROW("unknown", "unknown", 3, true), "\"unknown\":2,\"unknown_to\":[2,1,3,1]"),
          SAYS(ROW("unknown", "unknown", 2, true), "\"unknown_to\":[1,1]"),
          "{\"problem\":\"there is no jcmd\"}",
          "1: unknown/unknown 1?\n2: unknown/unknown 1?\n3: problem there is no jcmd\n");
    tells(SAYS("", "\"unknown\":0"), SAYS(ROW(JAVA, "3.9.1", 1, true), "\"java\":1"), NULL,
          "1:\n2: apache-kafka-java/3.9.1 1\n3: problem no answer within 5 s\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetchers_are_taken_off_where_they_lead),
        cmocka_unit_test(what_leads_to_any_broker_is_taken_off_once),
        cmocka_unit_test(a_broker_that_does_not_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
