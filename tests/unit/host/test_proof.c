/* The proof of a file by a staged release.  The Java here is a script that prints what the real
 * one printed; the texts are those of Kafka 2.8.2, 3.9.1 and 4.0.1 with OpenJDK 17, shortened. */
#include "with_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JAR "PK\005\006 the end of a zip"
#define THROWN "Exception in thread \"main\" "
#define CONFIG_FRAMES                                                                              \
    "\tat org.apache.kafka.common.config.ConfigDef.parseType(ConfigDef.java:776)\n"                \
    "\tat kafka.server.KafkaConfig.<init>(KafkaConfig.scala:158)\n"                                \
    "\tat kafka.tools.StorageTool$.main(StorageTool.scala:46)\n"
#define PROVIDER_FRAMES                                                                            \
    "\tat org.apache.kafka.common.config.AbstractConfig.resolveConfigVariables(A.java:544)\n"      \
    CONFIG_FRAMES

static const char formatted[] = "Found log directory:\n  /d\n\n"
                                "Found metadata: {broker.id=1, cluster.id=abc, version=0}\n\n";
static const char found_problem[] =
    "Found log directory:\n  /d\n\nFound metadata: {cluster.id=, version=0}\n\nFound problem:\n"
    "  The kafka configuration file appears to be for a cluster in KRaft mode, but the directories "
    "are formatted for legacy mode.\n\n";
static const char unresolved_dir[] = "Found problem:\n  ${env:X} does not exist\n\n";
static const char bad_value[] =
    THROWN "org.apache.kafka.common.config.ConfigException: Invalid value x for configuration "
           "num.replica.fetchers: Not a number of type INT\n" CONFIG_FRAMES;
static const char unresolved_value[] =
    THROWN "org.apache.kafka.common.config.ConfigException: Invalid value ${env:X} for "
           "configuration log.retention.ms: Not a number of type LONG\n" CONFIG_FRAMES;
static const char requirement[] =
    THROWN "java.lang.IllegalArgumentException: requirement failed: advertised.listeners cannot "
           "use the nonroutable meta-address 0.0.0.0. Use a routable IP address.\n" CONFIG_FRAMES;
static const char malformed[] = THROWN
    "java.lang.IllegalArgumentException: Malformed \\uxxxx encoding.\n"
    "\tat java.base/java.util.Properties.load(Properties.java:411)\n";
static const char provider[] =
    "02:28:46.431 [main] ERROR FileConfigProvider - Could not read properties from file /x\n"
    "java.nio.file.NoSuchFileException: /x\n" THROWN
    "org.apache.kafka.common.config.ConfigException: Could not read properties from file "
    "/x\n" PROVIDER_FRAMES;
static const char foreign_class[] =
    THROWN "org.apache.kafka.common.config.ConfigException: Invalid value com.acme.P for "
           "configuration principal.builder.class: Class com.acme.P could not be "
           "found.\n" CONFIG_FRAMES;
static const char own_class[] =
    THROWN "org.apache.kafka.common.config.ConfigException: Invalid value kafka.acme.P for "
           "configuration principal.builder.class: Class kafka.acme.P could not be "
           "found.\n" CONFIG_FRAMES;
static const char foreign_authorizer[] =
    THROWN "java.lang.ClassNotFoundException: com.acme.Auth\n" CONFIG_FRAMES;
static const char no_main_class[] =
    "Error: Could not find or load main class kafka.tools.StorageTool\n"
    "Caused by: java.lang.ClassNotFoundException: kafka.tools.StorageTool\n";
static const char no_scala[] = "Error: Unable to initialize main class kafka.tools.StorageTool\n"
                               "Caused by: java.lang.NoClassDefFoundError: scala/Function0\n";
static const char no_class[] =
    THROWN "java.lang.NoClassDefFoundError: org/apache/kafka/server/common/MetadataVersion\n"
           "\tat kafka.tools.StorageTool$.parseArguments(StorageTool.scala:203)\n";
static const char foreign_link[] = THROWN "java.lang.NoClassDefFoundError: com/acme/Dep\n"
                                          "\tat com.acme.P.<init>(P.java:1)\n" CONFIG_FRAMES;
static const char old_java[] =
    "Error: LinkageError occurred while loading main class kafka.tools.StorageTool\n"
    "\tjava.lang.UnsupportedClassVersionError: kafka/tools/StorageTool has been compiled by a more "
    "recent version of the Java Runtime (class file version 61.0), this version of the Java "
    "Runtime only recognizes class file versions up to 55.0\n";
static const char on_disk[] =
    THROWN "java.lang.RuntimeException: No readable meta.properties files found.\n"
           "\tat kafka.tools.StorageTool$.infoCommand(StorageTool.scala:300)\n";
static const char no_memory[] = "Error occurred during initialization of VM\n"
                                "Could not reserve enough space for object heap\n";

static const kp_value *the_classes; /* looked for; NULL: none */

static const kp_value *ask(place *p, const char *version)
{
    answer r = { 0 };
    kp_host_proving q = { .version = version, .classes = the_classes, .deadline = place_soon() };
    kp_host_proof(place_host(p), p->a, &q, place_answer, &r);
    return place_ok(p, &r);
}

static void executable(place *p, const char *name, const char *text)
{
    assert_int_equal(chmod(place_write(p, name, "%s", text), 0755), 0);
}

/* A Java in `where`, of a version, that keeps what it was given in calls/. */
static void java_in(place *p, const char *where, const char *version)
{
    executable(p, kp_printf(p->a, "%s/java", where),
               kp_printf(p->a,
                         "#!/bin/sh\n"
                         "printf '%%s\\n' \"$@\" >%s/calls/args\n"
                         "pwd >%s/calls/cwd\n"
                         "env >%s/calls/env\n"
                         "for last; do :; done\n"
                         "cat \"$last\" >%s/calls/file\n"
                         "echo 'openjdk version \"%s\" 2024-07-16' >&2\n"
                         "cat %s/says\n"
                         "exit \"$(cat %s/rc)\"\n",
                         p->dir, p->dir, p->dir, p->dir, version, p->dir, p->dir));
}

static void says(place *p, const char *text)
{
    place_write(p, "says", "%s", text);
    place_write(p, "rc", "%s", "1\n");
}

/* 3.9.1 and 4.0.1 are staged, Java 17 is on the PATH. */
static void good_host(place *p)
{
    static const char *const versions[] = { "3.9.1", "4.0.1" };
    static char path[4000];
    for (size_t i = 0; i < KP_COUNT(versions); i++)
        for (int k = 0; k < 2; k++)
            place_write(p,
                        kp_printf(p->a, "releases/kafka_2.13-%s/libs/%s-%s.jar", versions[i],
                                  k ? "kafka_2.13" : "kafka-clients", versions[i]),
                        "%s", JAR);
    place_write(p, "calls/made", "%s", "");
    java_in(p, "bin", "17.0.12");
    says(p, formatted);
    if (!*path)
        snprintf(path, sizeof path, "%s", getenv("PATH"));
    setenv("PATH", kp_printf(p->a, "%s:%s", place_path(p, "bin"), path), 1);
}

/* Demands an outcome: a kind and a part of the problem; or ran; or else a part of why. */
static void demand(place *p, const char *version, const char *kind, const char *part)
{
    const kp_value *v = ask(p, version);
    bool ran = kp_get_bool(v, "ran", false);
    const char *got = kp_get_text(v, "kind", ran ? "ran" : "unknown");
    const char *words = kp_get_text(v, "problem", kp_get_text(v, "why", ""));
    bool well = kp_streq(kind, "ran");
    if (!kp_streq(got, kind) || !strstr(words, part) || (well && *words))
        fail_msg("wanted %s \"%s\", got %s", kind, part, kp_json_text(p->a, v));
    assert_int_equal(ran, well || kp_streq(kind, "config"));
    assert_int_equal(kp_get(v, "problem") != NULL, !well && !kp_streq(kind, "unknown"));
    assert_null(strchr(words, '\n'));
}

static void test_only_kafkaconfig_counts(void **state)
{
    static const struct {
        const char *text, *kind, *part;
    } rows[] = {
        { formatted, "ran", "" },
        { found_problem, "ran", "" },
        { unresolved_dir, "ran", "" },
        { on_disk, "ran", "" },
        { bad_value, "config", "ConfigException: Invalid value x for configuration num.rep" },
        { requirement, "config", "IllegalArgumentException: requirement failed: advertised.l" },
        { malformed, "config", "IllegalArgumentException: Malformed" },
        { unresolved_value, "config", "${env:X}" },
        { own_class, "config", "kafka.acme.P could not be found" },
        { provider, "unknown", "a config provider may need the service: " },
        { foreign_class, "unknown", "class path of the service is not known: " },
        { foreign_authorizer, "unknown", "class path of the service is not known: " },
        { foreign_link, "unknown", "com/acme/Dep" },
        { no_main_class, "incomplete", "ClassNotFoundException: kafka.tools.StorageTool" },
        { no_scala, "incomplete", "NoClassDefFoundError: scala/Function0" },
        { no_class, "incomplete", "NoClassDefFoundError: org/apache/kafka/server/common/Meta" },
        { no_memory, "unknown", "Could not reserve enough space" },
        { "", "unknown", "openjdk version" },
    };
    place *p = *state;
    good_host(p);
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        says(p, rows[i].text);
        demand(p, "3.9.1", rows[i].kind, rows[i].part);
    }
    says(p, "");
    place_write(p, "rc", "0\n");
    demand(p, "3.9.1", "ran", "");
}

static void test_what_is_told_beside_the_verdict(void **state)
{
    place *p = *state;
    good_host(p);
    const kp_value *v = ask(p, "3.9.1");
    char *text = place_read(p, "etc/server.properties");
    assert_string_equal(kp_get_text(v, "java", ""), "17.0.12");
    assert_int_equal(kp_get_int(v, "java_major", 0), 17);
    assert_string_equal(kp_get_text(v, "java_path", ""), place_path(p, "bin/java"));
    assert_string_equal(kp_get_text(v, "file_sha256", ""),
                        kp_sha256_hex(p->a, text, strlen(text)));
    assert_string_equal(kp_get_text(v, "release_dir", ""),
                        place_path(p, "releases/kafka_2.13-3.9.1"));
    java_in(p, "bin", "1.8.0_402");
    v = ask(p, "3.9.1");
    assert_string_equal(kp_get_text(v, "java", ""), "1.8.0_402");
    assert_int_equal(kp_get_int(v, "java_major", 0), 8);
}

/* The staged jars alone, the file itself, somewhere else; and nothing is left behind. */
static void test_it_changes_nothing(void **state)
{
    place *p = *state;
    good_host(p);
    setenv("JAVA_TOOL_OPTIONS", "-javaagent:/opt/agent.jar", 1);
    const char *look = kp_printf(p->a, "find %s -path %s/calls -prune -o -printf '%%p %%s %%T@\n'",
                                 p->dir, p->dir);
    kp_host *h = place_host(p);
    const char *before = place_sh(p, h, look);
    demand(p, "4.0.1", "ran", "");
    unsetenv("JAVA_TOOL_OPTIONS");
    assert_string_equal(place_sh(p, h, look), before);
    const char *args = place_read(p, "calls/args");
    assert_non_null(strstr(args, kp_printf(p->a, "-cp\n%s/*\n",
                                           place_path(p, "releases/kafka_2.13-4.0.1/libs"))));
    assert_non_null(strstr(args, kp_printf(p->a, "kafka.tools.StorageTool\ninfo\n-c\n%s\n",
                                           p->config)));
    assert_null(strstr(place_read(p, "calls/env"), "JAVA_TOOL_OPTIONS"));
    const char *cwd = place_read(p, "calls/cwd");
    assert_null(strstr(cwd, p->dir));
    assert_int_not_equal(access(kp_strndup(p->a, cwd, strcspn(cwd, "\n")), F_OK), 0);
}

static void test_a_release_that_is_not_whole(void **state)
{
    place *p = *state;
    good_host(p);
    demand(p, "3.8.1", "missing", "there is no release in ");
    unlink(place_path(p, "releases/kafka_2.13-4.0.1/libs/kafka_2.13-4.0.1.jar"));
    demand(p, "4.0.1", "incomplete", "there is no kafka_2.1*.jar in ");
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka-raft-3.9.1.jar", "%s", "PK\003\004 half");
    demand(p, "3.9.1", "incomplete", "kafka-raft-3.9.1.jar in ");
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka-raft-3.9.1.jar", "%s", "");
    demand(p, "3.9.1", "incomplete", "kafka-raft-3.9.1.jar in ");
    unlink(place_path(p, "releases/kafka_2.13-3.9.1/libs/kafka-raft-3.9.1.jar"));
    demand(p, "3.9.1", "ran", "");
    place_write(p, "releases/kafka_2.13-3.7.2/libs/kafka-clients-3.7.2.jar", "%s", "");
    place_write(p, "releases/kafka_2.13-3.7.2/libs/kafka_2.13-3.7.2.jar", "%s", "");
    demand(p, "3.7.2", "unknown", "every jar in ");
    place_write(p, "releases/kafka_2.13-2.7.2/libs/kafka-clients-2.7.2.jar", "%s", JAR);
    place_write(p, "releases/kafka_2.13-2.7.2/libs/kafka_2.13-2.7.2.jar", "%s", JAR);
    demand(p, "2.7.2", "unknown", "release 2.7.2 has no StorageTool");
    unlink(p->config);
    demand(p, "3.9.1", "unknown", "server.properties cannot be read");
}

/* The word that started the process, looked up as its next start will be. */
static void test_the_java_of_the_process(void **state)
{
    place *p = *state;
    good_host(p);
    says(p, old_java);
    demand(p, "4.0.1", "unknown", "which Java the service uses is not known: Unsupp");
    java_in(p, "service", "11.0.22");
    const char *path = kp_strdup(p->a, getenv("PATH"));
    setenv("PATH", kp_printf(p->a, "%s:%s", place_path(p, "service"), path), 1);
    place_broker(p, "3.9.1", p->config);
    setenv("PATH", path, 1);
    const kp_value *v = ask(p, "4.0.1");
    assert_string_equal(kp_get_text(v, "java_path", ""), place_path(p, "service/java"));
    assert_int_equal(kp_get_int(v, "java_major", 0), 11);
    demand(p, "4.0.1", "java", "UnsupportedClassVersionError: kafka/tools/StorageTool has been");
}

/* JAVA_HOME of the unit is what the next start will use. */
static void test_the_java_of_the_unit(void **state)
{
    static const char *const rows[] = {
        "Environment=A=1 JAVA_HOME=%s/jdk \"B=x y\"\n",
        "Environment=JAVA_HOME=/nowhere\nEnvironmentFiles=%s/env (ignore_errors=yes)\n",
    };
    place *p = *state;
    good_host(p);
    java_in(p, "jdk/bin", "21.0.1");
    place_write(p, "env", "# JAVA_HOME=/no\nJAVA_HOME=\"%s/jdk\"\n", p->dir);
    p->spec.service.unit = "kafka";
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_BUF unit = KP_BUF_INIT(4096);
        for (const char *c = rows[i]; *c; c++) {
            bool dir = kp_starts_with(c, "%s");
            kp_buf_add(&unit, dir ? p->dir : c, dir ? strlen(p->dir) : 1);
            c += dir;
        }
        place_write(p, "unit", "%s", kp_buf_text(&unit));
        executable(p, "bin/systemctl",
                   kp_printf(p->a,
                             "#!/bin/sh\ncase $* in *MainPID*) echo MainPID=0 ;;\n"
                             "*) cat %s/unit ;; esac\n",
                             p->dir));
        const kp_value *v = ask(p, "3.9.1");
        assert_string_equal(kp_get_text(v, "java_path", ""), place_path(p, "jdk/bin/java"));
        assert_int_equal(kp_get_int(v, "java_major", 0), 21);
    }
}

/* A process with a class path of its own: what is no release's jar comes after the staged ones, and
 * a class that is missing then is missing for the service too. */
static void test_jars_beside_the_release(void **state)
{
    place *p = *state;
    good_host(p);
    place_write(p, "plugins/acme.jar", "%s", JAR);
    place_write(p, "releases/kafka_2.13-3.5.2/libs/kafka-clients-3.5.2.jar", "%s", JAR);
    place_write(p, "else/libs/kafka_2.13-2.8.2.jar", "%s", JAR); /* a release elsewhere */
    place_write(p, "plugins/kafka-clients-3.0.2.jar", "%s", JAR); /* of the plugin's own */
    place_write(p, "releases/acme/acme.jar", "%s", JAR);          /* beside releases, and none */
    place_broker_with(kp_printf(p->a,
                                "%s/releases/kafka_2.13-3.5.2/bin/../libs/a.jar:"
                                "%s/else/libs/b.jar:%s/plugins/acme.jar:%s/plugins/*:"
                                "%s/releases/acme/*",
                                p->dir, p->dir, p->dir, p->dir, p->dir),
                      p->config, NULL);
    place_write(p, "releases/kafka_2.13-3.5.2/bin/x", "%s", "");
    says(p, foreign_class);
    demand(p, "4.0.1", "config", "com.acme.P could not be found");
    assert_non_null(strstr(place_read(p, "calls/args"),
                           kp_printf(p->a, "-cp\n%s/libs/*:%s/acme.jar:%s/*:%s/*\n",
                                     place_path(p, "releases/kafka_2.13-4.0.1"),
                                     place_path(p, "plugins"), place_path(p, "plugins"),
                                     place_path(p, "releases/acme"))));
}

static void test_overrides_are_proved_with_the_file(void **state)
{
    place *p = *state;
    good_host(p);
    place_broker_with("/x.jar", p->config, "log.dir.x=a\\b=c");
    demand(p, "3.9.1", "ran", "");
    const char *file = place_read(p, "calls/file");
    assert_true(kp_starts_with(file, place_read(p, "etc/server.properties")));
    assert_true(kp_ends_with(file, "\n\nlog.dir.x=a\\\\b=c\n"));
    assert_null(strstr(place_read(p, "calls/args"), p->config));
    /* A value that only a provider could resolve is no verdict. */
    place_write(p, "etc/server.properties", "broker.id=1\nconfig.providers=env\n");
    says(p, unresolved_value);
    demand(p, "3.9.1", "unknown", "a value is not resolved outside of the service: ");
}

static void test_a_version_is_one_word_of_a_path(void **state)
{
    place *p = *state;
    answer r = { 0 };
    kp_host_proving q = { .version = "../../x", .deadline = place_soon() };
    kp_host_proof(place_host(p), p->a, &q, place_answer, &r);
    place_fails(p, &r, KP_INTERNAL, "no such version");
}

/* A Java that hangs is ended on the host, before nobody listens any more. */
static void test_a_java_that_hangs(void **state)
{
    place *p = *state;
    good_host(p);
    executable(p, "bin/java",
               kp_printf(p->a, "#!/bin/sh\necho $$ >%s/calls/pid\nexec sleep 60\n", p->dir));
    answer r = { 0 };
    kp_host_proving q = { .version = "3.9.1", .deadline = kp_mono_now() + 6 * KP_SECOND };
    kp_host_proof(place_host(p), p->a, &q, place_answer, &r);
    const kp_value *v = place_ok(p, &r);
    assert_string_equal(kp_get_text(v, "why", ""), "it was not ready in time");
    assert_false(place_alive(atoi(place_read(p, "calls/pid"))));
}

/* ---- classes that the file names ---- */

/* A jar as a zip's directory has its names: behind the bytes of a number. */
static void jar_with(place *p, const char *name, const char *entry)
{
    FILE *f = fopen(place_write(p, name, "%s", ""), "w");
    assert_non_null(f);
    fwrite("PK\001\002\n\0\0\0", 1, 8, f);
    fwrite(entry, 1, strlen(entry), f);
    fwrite("\0\0PK\005\006 end", 1, 10, f);
    assert_int_equal(fclose(f), 0);
}

/* "NAME NAME ..." of what is missing; those of `wanted` are looked for, a class path of its own
 * behind '@'. */
static const char *missing(place *p, const char *wanted, bool *ret_known)
{
    kp_builder list = kp_list_begin(p->a);
    KP_AUTO_BUF names = KP_BUF_INIT(4096);
    for (const char *w = wanted; *w;) {
        size_t n = strcspn(w, " ");
        char *name = kp_strndup(p->a, w, n), *at = strchr(name, '@');
        if (at)
            *at = '\0';
        kp_list_add(&list, kp_map(p->a, "class", kp_text(p->a, name), "path",
                                  at ? kp_text(p->a, at + 1) : NULL, NULL));
        w += n + (w[n] == ' ');
    }
    the_classes = kp_list_end(&list);
    const kp_value *v = ask(p, "4.0.1");
    the_classes = NULL;
    const kp_value *all = kp_get(v, "classes_missing");
    assert_true(kp_is(all, KP_LIST));
    for (size_t i = 0; i < kp_len(all); i++)
        kp_buf_fmt(&names, "%s%s", i ? " " : "", kp_as_text(kp_at(all, i), "?"));
    *ret_known = kp_get_bool(v, "class_path_known", false);
    return kp_strdup(p->a, kp_buf_text(&names));
}

static void test_classes_are_looked_for(void **state)
{
    place *p = *state;
    bool known;
    good_host(p);
    assert_null(kp_get(ask(p, "4.0.1"), "classes_missing")); /* nobody asked */
    jar_with(p, "releases/kafka_2.13-4.0.1/libs/kafka-a.jar", "org/apache/A.class");
    jar_with(p, "releases/kafka_2.13-4.0.1/libs/kafka-m.jar",
             "META-INF/versions/11/org/apache/M$N.class");
    jar_with(p, "releases/kafka_2.13-3.9.1/libs/old.jar", "com/acme/OnlyOld.class");
    jar_with(p, "plugins/acme.jar", "com/acme/P.class");
    jar_with(p, "remote/tier.jar", "com/acme/Tier.class");
    place_write(p, "classes/com/acme/D.class", "%s", "");
    assert_string_equal(missing(p, "org.apache.A org.apache.M$N com.acme.P", &known), "com.acme.P");
    assert_false(known); /* no process */
    int pid = place_broker_with(kp_printf(p->a,
                                          "%s/releases/kafka_2.13-3.9.1/libs/old.jar:"
                                          "%s/plugins/*:%s/classes",
                                          p->dir, p->dir, p->dir),
                                p->config, NULL);
    assert_string_equal(missing(p, "org.apache.A com.acme.P com.acme.D", &known), "");
    assert_true(known);
    /* Neither the end of another's name nor the jar of the release that is left. */
    assert_string_equal(missing(p, "apache.A A com.acme.Px acme.D com.acme.OnlyOld", &known),
                        "apache.A A com.acme.Px acme.D com.acme.OnlyOld");
    assert_true(known);
    const char *own = kp_printf(p->a, "com.acme.Tier com.acme.Tier@%s/remote/*", p->dir);
    assert_string_equal(missing(p, own, &known), "com.acme.Tier");
    place_gone(p, (kill(pid, SIGKILL), waitpid(pid, NULL, 0), pid));
    place_broker_with("libs/acme.jar:/x.jar", p->config, NULL); /* below nobody knows what */
    assert_string_equal(missing(p, "com.acme.P", &known), "com.acme.P");
    assert_false(known);
}

static void test_more_classes_than_are_looked_for(void **state)
{
    place *p = *state;
    answer r = { 0 };
    kp_builder list = kp_list_begin(p->a);
    for (int i = 0; i < 9000; i++)
        kp_list_add(&list, kp_map(p->a, "class", kp_textf(p->a, "com.acme.A%d", i), NULL));
    kp_host_proving q = { .version = "4.0.1",
                          .classes = kp_list_end(&list),
                          .deadline = place_soon() };
    kp_host_proof(place_host(p), p->a, &q, place_answer, &r);
    place_fails(p, &r, KP_CONFIG, "9000 classes are more than are looked for");
}

/* ---- the options of its JVM ---- */

/* A Java that refuses what it does not know, as a real one does, and keeps what it was given. */
static void picky_java(place *p, const char *refuses)
{
    executable(p, "bin/java",
               kp_printf(p->a,
                         "#!/bin/sh\nfor word; do case $word in\n"
                         "%s) echo 'OpenJDK warning: old'\n"
                         "    echo \"Unrecognized VM option '${word#-XX:[+]}'\"\n"
                         "    echo 'Error: Could not create the Java Virtual Machine.'; exit 1 ;;\n"
                         "-XX:Odd) echo 'no memory'; exit 1 ;;\n"
                         "esac; done\n"
                         "printf '%%s ' \"$@\" >>%s/calls/tried\n"
                         "echo 'openjdk version \"25\"'; cat %s/says\n",
                         refuses, p->dir, p->dir));
}

static const kp_value *tried(place *p, const char *const *options)
{
    int pid = place_broker_jvm(options, p->config);
    place_write(p, "calls/tried", "%s", "");
    const kp_value *v = ask(p, "4.0.1");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return v;
}

static const char *first(const kp_value *v)
{
    return kp_as_text(kp_at(kp_get(v, "jvm_refused"), 0), "none");
}

static void test_options_are_tried_by_the_next_java(void **state)
{
    static const char *const sound[] = { "-Xmx4g",
                                         "-XX:+UseG1GC",
                                         "-XX:MaxGCPauseMillis=20",
                                         "--add-opens",
                                         "java.base/java.lang=ALL-UNNAMED",
                                         "-Xlog:gc:file=/var/log/gc.log",
                                         "-javaagent:/opt/jmx.jar=7071",
                                         "-Dcom.sun.management.jmxremote.port=9999",
                                         "-XX:HeapDumpPath=/var/dumps",
                                         "-XX:InitialHeapSize=4g",
                                         "-XX:+AlwaysPreTouch",
                                         "-XX:OnOutOfMemoryError=kill -9 %p",
                                         "-cp",
                                         "/x.jar",
                                         NULL };
    static const char *const two[] = { "-XX:+UseConcMarkSweepGC", "-XX:+AggressiveOpts",
                                       "-XX:+UseG1GC", NULL };
    /* Java 8 as kafka-run-class.sh starts it, and gives a newer one other words. */
    static const char *const script[] = { "-XX:+UseG1GC",
                                          "-Xloggc:/l/gc.log",
                                          "-verbose:gc",
                                          "-XX:+PrintGCDetails",
                                          "-XX:+PrintGCDateStamps",
                                          "-XX:+PrintGCTimeStamps",
                                          "-XX:+UseGCLogFileRotation",
                                          "-XX:NumberOfGCLogFiles=10",
                                          "-XX:GCLogFileSize=100M",
                                          NULL };
    static const char *const own[] = { "-XX:+PrintGCDateStamps", NULL };
    static const char *const odd[] = { "-XX:Odd", NULL };
    place *p = *state;
    good_host(p);
    picky_java(p, "-XX:+UseConcMarkSweepGC|-XX:+AggressiveOpts|-XX:+PrintGCDateStamps");
    const kp_value *v = tried(p, sound);
    assert_true(kp_get_bool(v, "jvm_tried", false));
    assert_int_equal(kp_len(kp_get(v, "jvm_refused")), 0);
    assert_true(kp_starts_with(place_read(p, "calls/tried"),
                               "-XX:+UseG1GC -XX:MaxGCPauseMillis=20 --add-opens "
                               "java.base/java.lang=ALL-UNNAMED -Xmx256m -XX:-UsePerfData "
                               "-version "));
    v = tried(p, two);
    assert_int_equal(kp_len(kp_get(v, "jvm_refused")), 2); /* it names the first one alone */
    assert_string_equal(first(v), "Unrecognized VM option 'UseConcMarkSweepGC'");
    assert_int_equal(kp_len(kp_get(tried(p, script), "jvm_refused")), 0);
    assert_string_equal(first(tried(p, own)), "Unrecognized VM option 'PrintGCDateStamps'");
    v = tried(p, odd);
    assert_string_equal(kp_get_text(v, "jvm_why", ""), "no memory");
    assert_string_equal(first(v), "none");
    assert_false(kp_get_bool(ask(p, "4.0.1"), "jvm_tried", true)); /* no process */
}

static void test_the_log4j_configuration_is_told(void **state)
{
    static const char *const options[] = { "-Dlog4j.configuration=file:/first",
                                           "-Dlog4j.configuration=file:/etc/log4j.properties",
                                           NULL };
    place *p = *state;
    good_host(p);
    assert_string_equal(kp_get_text(tried(p, options), "log4j", ""), "file:/etc/log4j.properties");
    assert_null(kp_get(ask(p, "4.0.1"), "log4j"));
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(test_only_kafkaconfig_counts),
        PLACED(test_what_is_told_beside_the_verdict),
        PLACED(test_it_changes_nothing),
        PLACED(test_a_release_that_is_not_whole),
        PLACED(test_the_java_of_the_process),
        PLACED(test_the_java_of_the_unit),
        PLACED(test_jars_beside_the_release),
        PLACED(test_overrides_are_proved_with_the_file),
        PLACED(test_classes_are_looked_for),
        PLACED(test_more_classes_than_are_looked_for),
        PLACED(test_options_are_tried_by_the_next_java),
        PLACED(test_the_log4j_configuration_is_told),
        PLACED(test_a_version_is_one_word_of_a_path),
        PLACED(test_a_java_that_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
