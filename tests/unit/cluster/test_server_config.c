/* What a properties file means to the broker that reads it.  tests/proof holds the reader against
 * Kafka's own classes; these rows are the ones that people met. */
#include "cluster/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static kp_arena *arena(void)
{
    return kp_arena_new("a configuration test", 64u << 20);
}

static const kp_value *list_of(kp_arena *a, const char *json)
{
    const kp_value *v = NULL;
    assert_null(json ? kp_json_read(a, json, strlen(json), &v) : NULL);
    return v;
}

/* "id mode roles ibp dirs": "-" where there is none. */
static const char *told(kp_arena *a, const kp_server_config *c)
{
    return kp_printf(a, "%s %s %s %s %s", c->has_id ? kp_printf(a, "%d", c->node_id) : "-",
                     kp_server_config_mode(c), kp_server_config_roles(c), c->ibp ? c->ibp : "-",
                     kp_json_text(a, c->log_dirs));
}

typedef struct row {
    const char *text, *told;
    const char *problem; /* a part of one; NULL: there is none at all */
    const char *overrides, *meta, *cwd;
    bool stops;
} row;

#define DIRS "log.dirs=/a\n"

static const row rows[] = {
    { "", "- zookeeper broker - [\"/tmp/kafka-logs\"]", .problem = NULL },
    { "broker.id=3   \n" DIRS, "3 zookeeper broker - [\"/a\"]", .problem = NULL },
    { "broker.id=0\n" DIRS, "0 zookeeper broker - [\"/a\"]", .problem = NULL },
    { "broker.id=3\nprocess.roles=\n" DIRS, "3 zookeeper broker - [\"/a\"]", .problem = NULL },
    { "broker.id=3\nprocess.roles=  \n" DIRS, "3 zookeeper broker - [\"/a\"]", .problem = NULL },
    { "node.id=0\nprocess.roles=controller , broker \n" DIRS,
      "0 kraft broker,controller - [\"/a\"]", .problem = NULL },
    { "node.id=4\nprocess.roles=controller\n" DIRS, "4 kraft controller - [\"/a\"]", .problem = NULL },
    { "node.id=4\nprocess.roles=broker,\n" DIRS, "4 kraft broker - [\"/a\"]",
      "\"\", which is no role", .stops = true },
    { "node.id=4\nprocess.roles=broker,broker\n" DIRS, "4 kraft broker - [\"/a\"]", "a role twice",
      .stops = true },
    { "process.roles=broker\n" DIRS, "- kraft broker - [\"/a\"]", "node.id is not set",
      .stops = true },
    { "broker.id=1\n" DIRS "inter.broker.protocol.version = 3.7  \n",
      "1 zookeeper broker 3.7 [\"/a\"]", .problem = NULL },
    { "broker.id=1\n" DIRS "inter.broker.protocol.version=2.8-IV1\n#\n"
      "inter.broker.protocol.version=3.0\n",
      "1 zookeeper broker 3.0 [\"/a\"]", .problem = "set 2 times, in lines 3 (2.8-IV1), 5 (3.0)" },
    { "broker.id=1\n" DIRS "inter.broker.protocol.version=3.4 # pinned\n",
      "1 zookeeper broker 3.4 # pinned [\"/a\"]", "is no version", .stops = true },
    { "broker.id=1\n" DIRS "INTER.BROKER.PROTOCOL.VERSION=3.4\n", "1 zookeeper broker - [\"/a\"]",
      .problem = "Kafka does not read it" },
    { "broker.id=1\n" DIRS "inter.broker.protocol.version=3.4\n",
      "1 zookeeper broker 3.7 [\"/a\"]", "the command line sets inter.broker.protocol.version",
      .overrides = "[\"inter.broker.protocol.version=3.7\"]" },
    { "broker.id=1\n" DIRS, "9 zookeeper broker - [\"/b=c\"]", .problem = NULL,
      .overrides = "[\"broker.id=9\",\"log.dirs=/b=c\"]" },
    /* directories */
    { "broker.id=1\nlog.dirs=/a , /b ,,/c   ,\n", "1 zookeeper broker - [\"/a\",\"/b\",\"/c\"]", .problem = NULL },
    { "broker.id=1\nlog.dir=/z\n", "1 zookeeper broker - [\"/z\"]", .problem = NULL },
    { "broker.id=1\nlog.dirs=\nlog.dir=/z\n", "1 zookeeper broker - []", "there is no log directory",
      .stops = true },
    { "broker.id=1\nlog.dirs=a,/b\n", "1 zookeeper broker - [\"/srv/a\",\"/b\"]", .problem = NULL, .cwd = "/srv" },
    { "broker.id=1\nlog.dirs=C:\\kafka\\data\n", "1 zookeeper broker - [\"C:kafkadata\"]",
      .problem = "below the directory that Kafka is started in" },
    { "broker.id=1\nlog.dirs=\"/a\"\n", "1 zookeeper broker - [\"/srv/\\\"/a\\\"\"]",
      .problem = "the quotes belong to the value", .cwd = "/srv" },
    { "broker.id=1\nlog.dirs=/a # disk a\n", "1 zookeeper broker - [\"/a # disk a\"]",
      .problem = "what follows # belongs to the value" },
    { "broker.id=1\nlog.dirs=/caf\xc3\xa9\n", "1 zookeeper broker - [\"/caf\xc3\x83\xc2\xa9\"]",
      .problem = "ISO 8859-1" },
    { "broker.id=1\nlog.dirs=/caf\\u00e9\n", "1 zookeeper broker - [\"/caf\xc3\xa9\"]", .problem = NULL },
    { "broker.id=1\nlog.dirs=/a\\u\n", "1 zookeeper broker - [\"/au\"]", "four hex digits",
      .stops = true },
    { "\xef\xbb\xbf" "broker.id=1\r\n" DIRS, "- zookeeper broker - [\"/a\"]", .problem = "byte order mark" },
    { "config.providers=file\nbroker.id=3\nlog.dirs=${file:/x:d}\n", "3 zookeeper broker - []",
      .problem = "a config provider gives the value" },
    { "config.providers=file\nbroker.id=3\nlog.dirs=/a/${file:/x:d},/b\n",
      "3 zookeeper broker - []", .problem = "a config provider gives the value" },
    { "broker.id=3\nlog.dirs=/${env:D}\n", "3 zookeeper broker - [\"/${env:D}\"]",
      .problem = "config.providers names no env" },
    { "config.providers=env\nbroker.id=${env:ID}\n" DIRS, "7 zookeeper broker - [\"/a\"]",
      .problem = "a config provider gives the value", .meta = "[7]" },
    { "broker.id=3\n" DIRS "note=costs ${5}\n", "3 zookeeper broker - [\"/a\"]", .problem = NULL },
    /* ids */
    { DIRS, "1001 zookeeper broker - [\"/a\"]", .problem = NULL, .meta = "[1001]" },
    { "broker.id=-1\n" DIRS, "0 zookeeper broker - [\"/a\"]", .problem = NULL, .meta = "[0,0]" },
    { "broker.id=1\n" DIRS, "1 zookeeper broker - [\"/a\"]", "belong to node 2", .meta = "[2]",
      .stops = true },
    { "broker.id=0\n" DIRS, "0 zookeeper broker - [\"/a\"]", "belong to node 2", .meta = "[2]",
      .stops = true },
    { DIRS, "1 zookeeper broker - [\"/a\"]", "different nodes, 1 and 2", .meta = "[1,2]",
      .stops = true },
    { "broker.id=one\n" DIRS, "- zookeeper broker - [\"/a\"]", "is no number", .stops = true },
    { "broker.id=1 # first\n" DIRS, "- zookeeper broker - [\"/a\"]", "is no number", .stops = true },
    { "broker.id=1001\n" DIRS, "1001 zookeeper broker - [\"/a\"]", "above reserved.broker.max.id",
      .stops = true },
    { "broker.id=2\nnode.id=1\nprocess.roles=broker\n" DIRS, "1 kraft broker - [\"/a\"]", "differ",
      .stops = true },
    { "broker.id.generation.enable=false\n" DIRS, "- zookeeper broker - [\"/a\"]",
      "broker.id is not set", .stops = true },
};

static void reads_what_kafka_means(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = arena();
        const row *r = &rows[i];
        kp_config_source source = { .text = r->text,
                                    .n = strlen(r->text),
                                    .overrides = list_of(a, r->overrides),
                                    .meta_ids = list_of(a, r->meta),
                                    .cwd = r->cwd };
        const kp_server_config *c = kp_server_config_read(a, &source);
        const char *problems = kp_json_text(a, kp_config_problems_value(a, c));
        if (strcmp(told(a, c), r->told) != 0)
            fail_msg("for\n%s\nexpected %s\ngot      %s", r->text, r->told, told(a, c));
        bool found = r->problem == NULL, stops = false;
        for (uint32_t k = 0; k < c->n_problems; k++) {
            assert_true(*c->problem[k].next != '\0');
            found |= r->problem && strstr(c->problem[k].what, r->problem);
            stops |= c->problem[k].stops;
        }
        if (!found || stops != r->stops || (!r->problem && c->n_problems))
            fail_msg("for\n%s\nproblems: %s", r->text, problems);
    }
}

static void generated_ids_and_providers_are_said(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    static const char text[] = "broker.id.generation.enable=true\nmetadata.log.dir=${env:M}\n"
                               "config.providers=env\nlisteners=A://:1 , B://h:2\n"
                               "controller.quorum.voters=0@c:9093\n";
    const kp_server_config *c =
        kp_server_config_read(a, &(kp_config_source) { .text = text, .n = sizeof text - 1 });
    assert_true(c->generated);
    assert_false(c->has_id);
    assert_true(c->dirs_known);
    assert_false(c->metadata_known);
    assert_null(c->metadata_dir);
    assert_string_equal(kp_json_text(a, c->listeners), "[\"A://:1\",\"B://h:2\"]");
    assert_string_equal(kp_json_text(a, c->voters), "[\"0@c:9093\"]");
    assert_string_equal(kp_get_text(c->values, "metadata.log.dir", ""), "${env:M}");
}

static void secrets_are_in_no_problem(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    static const char text[] = "ssl.key.password=hunter2\nssl.key.password=hunter3\n"
                               "some.key=hunter2\nsome.key=hunter4\n";
    const kp_server_config *c =
        kp_server_config_read(a, &(kp_config_source) { .text = text, .n = sizeof text - 1 });
    assert_int_equal(c->n_problems, 2);
    assert_null(strstr(kp_json_text(a, kp_config_problems_value(a, c)), "hunter"));
    static const char *const hidden[] = { "listener.name.x.sasl.jaas.config", "ssl.keystore.key",
                                          "ssl.key.password", "delegation.token.master.key",
                                          "config.providers.vault.param.token",
                                          "config.providers.vault.param.TokenFile", "s3.access.key",
                                          "acme.Credentials", "password.encoder.secret" };
    static const char *const shown[] = { "log.dirs", "delegation.token.max.lifetime.ms",
                                         "inter.broker.protocol.version", "key.converter",
                                         "sasl.oauthbearer.token.endpoint.url" };
    for (size_t i = 0; i < KP_COUNT(hidden); i++)
        assert_true(kp_config_key_is_secret(hidden[i]));
    for (size_t i = 0; i < KP_COUNT(shown); i++)
        assert_false(kp_config_key_is_secret(shown[i]));
}

static void many_problems_are_counted(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    KP_AUTO_BUF text = KP_BUF_INIT(4u << 20);
    for (int i = 0; i < 100000; i++)
        kp_buf_fmt(&text, "k%d=1\n", i % 50000);
    const kp_server_config *c = kp_server_config_read(
        a, &(kp_config_source) { .text = kp_buf_text(&text), .n = text.n });
    assert_int_equal(c->n_problems, KP_CONFIG_PROBLEMS);
    assert_string_equal(c->problem[KP_CONFIG_PROBLEMS - 1].what, "and 49961 more problems");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_kafka_means),
        cmocka_unit_test(generated_ids_and_providers_are_said),
        cmocka_unit_test(secrets_are_in_no_problem),
        cmocka_unit_test(many_problems_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
