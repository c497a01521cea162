/* The permission proof: nothing to say where all is well, one line for each thing that is not, and
 * nothing on the host changed by asking. */
#include "with_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const kp_value *ask(place *p)
{
    answer r = { 0 };
    kp_host_permissions(place_host(p), p->a, place_soon(), place_answer, &r);
    return place_ok(p, &r);
}

static const kp_value *words(place *p, const char *one, const char *two)
{
    kp_builder b = kp_list_begin(p->a);
    kp_list_add(&b, kp_text(p->a, one));
    if (two)
        kp_list_add(&b, kp_text(p->a, two));
    return kp_list_end(&b);
}

/* Demands exactly these problems, as "act: a part of what". */
static void demand(place *p, const char *const *wanted)
{
    const kp_value *list = ask(p);
    size_t n = 0;
    while (wanted[n])
        n++;
    bool same = kp_len(list) == n;
    for (size_t i = 0; i < n && same; i++) {
        const kp_value *v = kp_at(list, i);
        const char *colon = strchr(wanted[i], ':');
        const char *act = kp_strndup(p->a, wanted[i], (size_t)(colon - wanted[i]));
        same = kp_streq(kp_get_text(v, "act", ""), act) &&
               strstr(kp_get_text(v, "what", ""), colon + 2) &&
               strlen(kp_get_text(v, "next", "")) > 5;
    }
    if (!same)
        fail_msg("wanted %zu (%s ...), got %s", n, n ? wanted[0] : "none",
                 kp_json_text(p->a, list));
}

#define DEMAND(...) demand(p, (const char *const[]){ __VA_ARGS__, NULL })

static void good_host(place *p)
{
    place_write(p, "releases/kafka_2.13-3.5.2/libs/kafka-clients-3.5.2.jar", "%s", "");
    assert_int_equal(symlink("releases/kafka_2.13-3.5.2", place_path(p, "current")), 0);
    p->spec.service.start = words(p, "true", "x");
}

static void test_all_is_well(void **state)
{
    place *p = *state;
    good_host(p);
    place_write(p, "data1/meta.properties", "broker.id=1\n");
    int pid = place_broker(p, "3.5.2", p->config);
    const char *look = kp_printf(p->a, "find %s -printf '%%p %%m %%s %%T@ %%l\n' | sort", p->dir);
    const char *before = place_sh(p, place_host(p), look);
    demand(p, (const char *const[]){ NULL });
    assert_string_equal(place_sh(p, place_host(p), look), before);
    assert_true(place_alive(pid));
}

static void test_what_is_missing(void **state)
{
    place *p = *state;
    DEMAND("release: releases is not there", "start: not told how to start");
    good_host(p);
    p->spec.layout.config = place_path(p, "nowhere/server.properties");
    DEMAND("config: server.properties is not there", "config: may not write the directory");
    p->spec.layout.config = p->config;
    unlink(place_path(p, "current"));
    place_write(p, "current/file", "%s", "");
    DEMAND("link: is no symbolic link");
    p->spec.layout.current = place_path(p, "link");
    p->spec.service.stop = words(p, "/no/such/stop", NULL);
    DEMAND("stop: may not run: /no/such/stop");
    p->spec.become_files = "false";
    DEMAND("files: may not run /bin/sh by: false");
}

/* A sudo that allows what a test wrote, by its exact command line. */
static void fake_sudo(place *p)
{
    const char *tool = place_write(p, "bin/sudo",
                                   "#!/bin/sh\n"
                                   "list=no user=root\n"
                                   "while :; do\n"
                                   "    case $1 in\n"
                                   "    -l) list=yes; shift ;;\n"
                                   "    -n) shift ;;\n"
                                   "    -u) user=$2; shift 2 ;;\n"
                                   "    *) break ;;\n"
                                   "    esac\n"
                                   "done\n"
                                   "echo \"$list $user $*\" >>%s/sudo.log\n"
                                   "case $1 in\n"
                                   "/bin/sh) line=\"$user /bin/sh\" ;;\n"
                                   "*) line=\"$user $*\" ;;\n"
                                   "esac\n"
                                   "grep -qxF \"$line\" %s/allowed || {\n"
                                   "    echo 'sudo: a password is required' >&2; exit 1; }\n"
                                   "[ $list = yes ] || exec \"$@\"\n",
                                   p->dir, p->dir);
    assert_int_equal(chmod(tool, 0755), 0);
    const char *systemctl = place_write(p, "bin/systemctl",
                                        "#!/bin/sh\n[ \"$1\" = show ] || exit 77\ncat %s/unit\n",
                                        p->dir);
    assert_int_equal(chmod(systemctl, 0755), 0);
    static char path[4000];
    if (!path[0])
        snprintf(path, sizeof path, "%s", getenv("PATH"));
    setenv("PATH", kp_printf(p->a, "%s:%s", place_path(p, "bin"), path), 1);
    p->spec.become_service = "sudo -n";
    p->spec.become_files = "sudo -n -u kafka";
}

static void test_sudo(void **state)
{
    place *p = *state;
    good_host(p);
    fake_sudo(p);
    p->spec.service.unit = "kafka";
    place_write(p, "unit", "LoadState=loaded\n");
    place_write(p, "allowed", "kafka /bin/sh\nroot systemctl stop --no-block kafka\n"
                              "root systemctl start --no-block kafka\n");
    demand(p, (const char *const[]){ NULL });
    place_write(p, "allowed", "kafka /bin/sh\nroot systemctl stop --no-block kafka\n");
    DEMAND("start: may not systemctl start --no-block kafka");
    place_write(p, "allowed", "root systemctl stop --no-block kafka\n"
                              "root systemctl start --no-block kafka\n");
    DEMAND("files: may not run /bin/sh by: sudo -n -u kafka");
    place_write(p, "allowed", "kafka /bin/sh\nroot systemctl stop --no-block kafka\n"
                              "root systemctl start --no-block kafka\n");
    place_write(p, "unit", "LoadState=not-found\n");
    DEMAND("service: there is no unit kafka");
    /* Asked about, never run. */
    assert_int_equal(place_count(place_read(p, "sudo.log"), "no root"), 0);
    assert_true(place_count(place_read(p, "sudo.log"), "yes root systemctl stop") > 0);
}

static void test_sudo_and_commands(void **state)
{
    place *p = *state;
    good_host(p);
    fake_sudo(p);
    place_write(p, "allowed", "kafka /bin/sh\nroot true x\nroot kill -TERM 1\n");
    demand(p, (const char *const[]){ NULL });
    place_write(p, "allowed", "kafka /bin/sh\n");
    DEMAND("start: may not run: true x", "stop: may not run: kill -TERM 1");
}

/* What sudo would be asked for is what the sudoers lines allow, and what the acts really run. */
static void test_acts_need_no_more_than_the_proof(void **state)
{
    place *p = *state;
    good_host(p);
    fake_sudo(p);
    p->spec.service.unit = "kafka";
    place_write(p, "unit", "LoadState=loaded\nActiveState=inactive\nMainPID=0\n");
    place_write(p, "allowed", "kafka /bin/sh\nroot systemctl stop --no-block kafka\n"
                              "root systemctl start --no-block kafka\n");
    kp_host *h = place_host(p);
    place_fence(p, h, "clusterA", 1, "me");
    kp_host_op op = { .id = "1.s~1", .cluster = "clusterA", .epoch = 1, .deadline = place_soon() };
    answer r = { 0 };
    kp_host_start(h, p->a, &op, place_answer, &r);
    /* The fake systemctl takes no orders; that it was reached is what counts. */
    place_fails(p, &r, KP_HOST, "systemctl start kafka");
    assert_int_equal(place_count(place_read(p, "sudo.log"), "no root systemctl start --no-block "
                                                            "kafka\n"), 1);
    op.id = "1.l~1";
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka-clients-3.9.1.jar", "%s", "");
    answer link = { 0 };
    kp_host_link(h, p->a, &op, "3.9.1", place_answer, &link);
    place_ok(p, &link);
    place_state(p, h, "clusterA", 0);
    assert_int_equal(place_count(place_read(p, "releases/.kplay/clusterA/acts.log"), "\n"), 2);
}

/* Another user, who may neither read nor write.  Only root can become one. */
static void test_another_user(void **state)
{
    place *p = *state;
    if (geteuid() != 0) {
        print_message("skipped: only root can become another user\n");
        skip();
    }
    good_host(p);
    chmod(p->dir, 0755);
    place_write(p, "data1/meta.properties", "broker.id=1\n");
    chmod(place_path(p, "data1"), 0700);
    place_write(p, "log/server.log", "x\n");
    chmod(place_path(p, "log/server.log"), 0600);
    int pid = place_broker(p, "3.5.2", p->config);
    p->spec.become_files = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    DEMAND("config: belongs to root", "state: may not look into the log directory",
           "config: may not write the directory of the properties file",
           "release: may not write the directory of releases",
           "link: may not write the directory of layout.current",
           "state: may not write kplay's own directory", "log: may not read",
           "stop: may not signal process");
    assert_true(place_alive(pid));
    chmod(p->config, 0600);
    const kp_value *list = ask(p);
    assert_non_null(strstr(kp_get_text(kp_at(list, 0), "what", ""), "may not read"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_well),
        TEST(test_what_is_missing),
        TEST(test_sudo),
        TEST(test_sudo_and_commands),
        TEST(test_acts_need_no_more_than_the_proof),
        TEST(test_another_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
