/* What a staged release says of itself.  The Java here is a script that prints what the real one
 * printed; the texts are those of Kafka 2.8.2, 3.9.1, 4.0.1 and 4.4.0 with OpenJDK 17, shortened. */
#include "with_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ANCHOR(of, key)                                                                            \
    "<h4><a id=\"" key "\"></a><a id=\"" of "_" key "\" href=\"#\">" key "</a>\n"
#define KEYS                                                                                       \
    "<ul>\n" ANCHOR("brokerconfigs", "node.id") ANCHOR("brokerconfigs", "log.dirs") "</ul>\n"
#define TOPIC_KEYS "<ul>\n" ANCHOR("topicconfigs", "cleanup.policy") "</ul>\n"
#define NO_CLASS(name)                                                                             \
    "Error: Could not find or load main class " name "\n"                                          \
    "Caused by: java.lang.ClassNotFoundException: " name "\n"
#define MAPPING "metadata.version=33 (4.4-IV2)\nkraft.version=1\nshare.version=2\n"
#define MAPPING_LOWEST "metadata.version=7 (3.3-IV3)\nkraft.version=0\n"
#define NAMES_ALL                                                                                  \
    "Unknown metadata.version 'none'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, 4.4-IV2\n"
#define NAMES_ENDS "Unknown release version 'none'. Supported versions are: 3.3-IV3 to 4.0-IV3\n"

/* A file for each program: what it prints, its first line the exit status. */
typedef struct programs {
    const char *config, *log_new, *log_old, *mapping, *none, *lowest;
} programs;

static void java_says(place *p, const programs *x)
{
    const char *const text[] = {
        x->config, x->log_new, x->log_old, x->mapping, x->none, x->lowest
    };
    static const char *const name[] = {
        "config", "log_new", "log_old", "mapping", "none", "lowest"
    };
    for (size_t i = 0; i < KP_COUNT(name); i++)
        place_write(p, kp_printf(p->a, "says/%s", name[i]), "%s", text[i] ? text[i] : "1\n");
    const char *java = place_write(
        p, "bin/java",
        "#!/bin/sh\n"
        "case \" $* \" in\n"
        "*' kafka.server.KafkaConfig '*) f=config ;;\n"
        "*' org.apache.kafka.storage.internals.log.LogConfig '*) f=log_new ;;\n"
        "*' kafka.log.LogConfig '*) f=log_old ;;\n"
        "*' version-mapping --release-version none '*) f=none ;;\n"
        "*' version-mapping --release-version 3.3-IV3 '*) f=lowest ;;\n"
        "*' kafka.tools.StorageTool version-mapping '*) f=mapping ;;\n"
        "*) exit 3 ;;\n"
        "esac\n"
        "echo $f >>%s/calls\n"
        "tail -n +2 %s/says/$f\n"
        "exit \"$(head -n 1 %s/says/$f)\"\n",
        p->dir, p->dir, p->dir);
    assert_int_equal(chmod(java, 0755), 0);
}

/* The jar's first entry is of 2026-10-06: 0x5d46, little endian, at byte 12. */
static void staged(place *p, const char *version)
{
    place_write(p,
                kp_printf(p->a, "releases/kafka_2.13-%s/libs/kafka_2.13-%s.jar", version, version),
                "%s", "PK\003\004........F]rest");
}

static void its_java_comes_first(place *p)
{
    static char path[4000];
    if (!*path)
        snprintf(path, sizeof path, "%s", getenv("PATH"));
    setenv("PATH", kp_printf(p->a, "%s:%s", place_path(p, "bin"), path), 1);
}

static const kp_value *ask(place *p, const char *version)
{
    answer r = { 0 };
    its_java_comes_first(p);
    place_write(p, "calls", "%s", "");
    kp_host_release_info(place_host(p), p->a, version, place_soon(), place_answer, &r);
    return place_ok(p, &r);
}

static const char *told(place *p, const char *version)
{
    const kp_value *v = ask(p, version), *left = kp_map_with(p->a, v, "release_dir", kp_nil());
    return kp_json_text(p->a, left);
}

static void test_each_of_its_programs_is_asked(void **state)
{
    place *p = *state;
    staged(p, "4.4.0");
    java_says(p, &(programs) { .config = "0\n" KEYS,
                               .log_new = "0\n" TOPIC_KEYS,
                               .mapping = "0\nmain ERROR Reconfiguration failed\n" MAPPING,
                               .none = "1\n" NAMES_ALL,
                               .lowest = "0\n" MAPPING_LOWEST });
    assert_string_equal(told(p, "4.4.0"),
                        "{\"built\":\"2026-10-06\",\"features\":{\"kraft.version\":1,"
                        "\"metadata.version\":33,\"share.version\":2},"
                        "\"keys\":[\"node.id\",\"log.dirs\"],\"metadata_version_max\":33,"
                        "\"metadata_version_min\":7,\"topic_keys\":[\"cleanup.policy\"]}");
    assert_string_equal(place_read(p, "calls"), "config\nlog_new\nmapping\nnone\nlowest\n");
    java_says(p, &(programs) { .config = "0\n" KEYS,
                               .log_new = "0\n" TOPIC_KEYS,
                               .mapping = "0\n" MAPPING,
                               .none = "1\n" NAMES_ENDS,
                               .lowest = "0\n" MAPPING_LOWEST });
    assert_int_equal(kp_get_int(ask(p, "4.4.0"), "metadata_version_min", -1), 7);
}

/* There features are not told, and nothing is missing for it. */
static void test_before_4_0_only_keys_are_asked_for(void **state)
{
    place *p = *state;
    staged(p, "2.8.2");
    java_says(p, &(programs) { .config = "0\n" KEYS,
                               .log_new = "1\n" NO_CLASS("org...LogConfig"),
                               .log_old = "0\n" TOPIC_KEYS });
    assert_string_equal(told(p, "2.8.2"), "{\"built\":\"2026-10-06\",\"keys\":[\"node.id\","
                                          "\"log.dirs\"],\"topic_keys\":[\"cleanup.policy\"]}");
    assert_string_equal(place_read(p, "calls"), "config\nlog_new\nlog_old\n");
}

static void test_what_is_not_told_has_a_reason(void **state)
{
    place *p = *state;
    staged(p, "4.4.0");
    java_says(p, &(programs) { .config = "1\n" NO_CLASS("kafka.server.KafkaConfig"),
                               .log_new = "0\n" TOPIC_KEYS,
                               .mapping = "0\n" MAPPING,
                               .none = "1\n" });
    const kp_value *v = ask(p, "4.4.0");
    assert_null(kp_get(v, "keys"));
    assert_null(kp_get(v, "metadata_version_min"));
    assert_string_equal(kp_get_text(v, "why", ""),
                        "it does not tell its configuration keys: Caused by: "
                        "java.lang.ClassNotFoundException: kafka.server.KafkaConfig");
    /* A list of nothing is no list. */
    java_says(p, &(programs) { .config = "0\n<ul></ul>\n", .log_new = "0\n" TOPIC_KEYS });
    v = ask(p, "4.4.0");
    assert_null(kp_get(v, "keys"));
    assert_null(kp_get(v, "features"));
    assert_string_equal(
        kp_get_text(ask(p, "4.3.0"), "why", ""),
        kp_printf(p->a, "there is no release in %s", place_path(p, "releases/kafka_2.13-4.3.0")));
    place_write(p, "releases/kafka_2.13-4.3.0/libs/other.jar", "PK");
    assert_non_null(strstr(kp_get_text(ask(p, "4.3.0"), "why", ""), "there is no kafka_2.1*.jar"));
}

static void test_a_java_that_hangs(void **state)
{
    place *p = *state;
    staged(p, "3.9.1");
    const char *java = place_write(p, "bin/java", "#!/bin/sh\nexec sleep 60\n");
    assert_int_equal(chmod(java, 0755), 0);
    answer r = { 0 };
    its_java_comes_first(p);
    kp_host_release_info(place_host(p), p->a, "3.9.1", kp_mono_now() + 12 * KP_SECOND, place_answer,
                         &r);
    assert_string_equal(kp_get_text(place_ok(p, &r), "why", ""),
                        "it does not tell its configuration keys: it said nothing in time");
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(test_each_of_its_programs_is_asked),
        PLACED(test_before_4_0_only_keys_are_asked_for),
        PLACED(test_what_is_not_told_has_a_reason),
        PLACED(test_a_java_that_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
