/* The classes that a properties file names. */
#include "cluster/server_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* "KEY CLASS" or "KEY CLASS@PATH", a line each. */
static void names(const char *file, const char *wanted)
{
    KP_AUTO_ARENA a = kp_arena_new("plugins", 1 << 20);
    KP_AUTO_BUF text = KP_BUF_INIT(4096);
    kp_config_source from = { .text = file, .n = strlen(file) };
    const kp_value *all = kp_server_config_classes(a, kp_server_config_read(a, &from));

    for (size_t i = 0; i < kp_len(all); i++) {
        const kp_value *one = kp_at(all, i);
        const char *path = kp_get_text(one, "path", NULL);
        kp_buf_fmt(&text, "%s %s%s%s\n", kp_get_text(one, "key", ""), kp_get_text(one, "class", ""),
                   path ? "@" : "", path ? path : "");
    }
    assert_string_equal(kp_buf_text(&text), wanted);
}

static void keys_of_one_class(void **state)
{
    (void)state;
    names("authorizer.class.name= com.acme.A \nnum.io.threads=8\nprincipal.builder.class=\n",
          "authorizer.class.name com.acme.A\n");
    names("listener.name.in.principal.builder.class=com.acme.P\n"
          "listener.name.in.oauthbearer.sasl.login.callback.handler.class=com.acme.H\n"
          "listener.name.principal.builder.classic=com.acme.No\n"
          "xprincipal.builder.class=com.acme.No\n",
          "listener.name.in.oauthbearer.sasl.login.callback.handler.class com.acme.H\n"
          "listener.name.in.principal.builder.class com.acme.P\n");
    names("authorizer.class.name=${env:A}\n", "authorizer.class.name ${env:A}\n");
}

static void keys_of_several(void **state)
{
    (void)state;
    names("metric.reporters=com.acme.A , com.acme.B,\n",
          "metric.reporters com.acme.A\nmetric.reporters com.acme.B\n");
    names("group.consumer.assignors=uniform,range,com.acme.C\n",
          "group.consumer.assignors com.acme.C\n"); /* short names are Kafka's own */
    names("security.providers=javax.x.Y,com.acme.S\n", "security.providers com.acme.S\n");
}

static void only_what_is_in_use(void **state)
{
    static const char tiered[] = "remote.log.storage.manager.class.name=com.acme.T\n"
                                 "remote.log.storage.manager.class.path=/tier/*\n";
    (void)state;
    names(tiered, "");
    names("remote.log.storage.system.enable=true\n"
          "remote.log.storage.manager.class.name=com.acme.T\n"
          "remote.log.storage.manager.class.path=/tier/*\n",
          "remote.log.storage.manager.class.name com.acme.T@/tier/*\n");
    names("config.providers=vault, env\nconfig.providers.vault.class=com.acme.V\n"
          "config.providers.old.class=com.acme.O\n",
          "config.providers.vault.class com.acme.V\n");
}

static void names_of_classes(void **state)
{
    static const struct {
        const char *name;
        bool is;
    } rows[] = {
        { "A", true },         { "com.acme.A", true },    { "com.acme.A$B_1", true },
        { "", false },         { ".A", false },           { "A.", false },
        { "com..A", false },   { "com/acme/A", false },   { "com.acme.A;rm", false },
        { "${env:A}", false }, { "com.acme.A B", false },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        if (kp_is_class_name(rows[i].name) != rows[i].is)
            fail_msg("%s", rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_one_class),
        cmocka_unit_test(keys_of_several),
        cmocka_unit_test(only_what_is_in_use),
        cmocka_unit_test(names_of_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
