/* Files: read whole; replaced whole, only if they still are what was read. */
#include "with_host.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER "clusterA"

static kp_host *ready(place *p)
{
    kp_host *h = place_host(p);
    place_fence(p, h, CLUSTER, 1, "me");
    return h;
}

static const kp_value *read_it(place *p, kp_host *h, const char *path)
{
    answer r = { 0 };
    kp_host_file_read(h, p->a, path, place_soon(), place_answer, &r);
    return place_ok(p, &r);
}

static void write_it(place *p, kp_host *h, const char *id, const kp_host_file *f, answer *r)
{
    kp_host_op o = { .id = id, .cluster = CLUSTER, .epoch = 1, .deadline = place_soon() };
    kp_host_file_write(h, p->a, &o, f, place_answer, r);
}

static kp_host_file content(const char *path, const char *bytes, const char *expect)
{
    return (kp_host_file){ .path = path, .bytes = bytes, .n = strlen(bytes), .expect = expect };
}

static const char *names(place *p, kp_host *h, const char *dir)
{
    return place_sh(p, h, kp_printf(p->a, "ls -A %s", place_path(p, dir)));
}

static void test_reading(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    const kp_value *v = read_it(p, h, p->config);
    char *text = place_read(p, "etc/server.properties");
    assert_true(kp_get_bool(v, "found", false));
    assert_string_equal(kp_get_text(v, "bytes", ""), text);
    assert_string_equal(kp_get_text(v, "sha256", ""), kp_sha256_hex(p->a, text, strlen(text)));
    assert_string_equal(kp_get_text(v, "path", ""), p->config);
    assert_true(kp_wall_now() - kp_get_int(v, "modified", 0) < 60 * KP_SECOND);
    assert_int_equal(chmod(p->config, 0604), 0);
    assert_string_equal(kp_get_text(read_it(p, h, p->config), "mode", ""), "604");

    v = read_it(p, h, place_path(p, "etc/absent"));
    assert_false(kp_get_bool(v, "found", true));
    assert_null(kp_get(v, "sha256"));
    v = read_it(p, h, place_path(p, "no/such/dir/file"));
    assert_false(kp_get_bool(v, "found", true));

    /* Bytes of all kinds, and what a script might take for its own. */
    char odd[600];
    for (size_t i = 0; i < sizeof odd; i++)
        odd[i] = (char)i;
    memcpy(odd + 256, "\n\nKPLAY-RC:0:0\n", 15);
    FILE *f = fopen(place_path(p, "odd"), "w");
    assert_int_equal(fwrite(odd, 1, sizeof odd, f), sizeof odd);
    fclose(f);
    v = read_it(p, h, place_path(p, "odd"));
    assert_int_equal(kp_get(v, "bytes")->n, sizeof odd);
    assert_memory_equal(kp_get(v, "bytes")->u.s, odd, sizeof odd);
    place_write(p, "empty", "%s", "");
    v = read_it(p, h, place_path(p, "empty"));
    assert_true(kp_get_bool(v, "found", false));
    assert_int_equal(kp_get(v, "bytes")->n, 0);

    answer dir = { 0 }, big = { 0 };
    kp_host_file_read(h, p->a, p->dir, place_soon(), place_answer, &dir);
    place_fails(p, &dir, KP_HOST, "cannot be read");
    assert_int_equal(truncate(place_path(p, "odd"), KP_HOST_FILE_LIMIT + 1), 0);
    kp_host_file_read(h, p->a, place_path(p, "odd"), place_soon(), place_answer, &big);
    place_fails(p, &big, KP_HOST, "more than are read at once");
}

static void test_replacing(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    assert_int_equal(chmod(p->config, 0600), 0);
    char *old = place_read(p, "etc/server.properties");
    const char *sum = kp_get_text(read_it(p, h, p->config), "sha256", "");
    answer r[4] = { { 0 } };

    kp_host_file f = content(p->config, "broker.id=1\n# new\n", sum);
    write_it(p, h, "1.f/1~1", &f, &r[0]);
    const kp_value *v = place_ok(p, &r[0]);
    assert_string_equal(kp_get_text(v, "did", ""), "done");
    assert_string_equal(kp_get_text(v, "path", ""), p->config);
    const char *backup = kp_printf(p->a, "%s.kplay-1.f%%2F1~1", p->config);
    assert_string_equal(kp_get_text(v, "backup", ""), backup);
    assert_string_equal(place_read(p, "etc/server.properties"), "broker.id=1\n# new\n");
    struct stat st;
    assert_int_equal(stat(p->config, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(kp_get_text(read_it(p, h, backup), "bytes", ""), old);
    assert_int_equal(stat(backup, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    /* The same again is done already, though `expect` is of the old one. */
    write_it(p, h, "1.f/1~1", &f, &r[1]);
    assert_string_equal(kp_get_text(place_ok(p, &r[1]), "did", ""), "already");
    /* And a later write under the same id keeps the first backup. */
    const char *now = kp_get_text(read_it(p, h, p->config), "sha256", "");
    f = content(p->config, "third\n", now);
    write_it(p, h, "1.f/1~1", &f, &r[2]);
    assert_string_equal(kp_get_text(place_ok(p, &r[2]), "did", ""), "done");
    assert_string_equal(kp_get_text(read_it(p, h, backup), "bytes", ""), old);
    const char *acts = place_read(p, "releases/.kplay/" CLUSTER "/acts.log");
    assert_int_equal(place_count(acts, "\n"), 2);
    assert_int_equal(place_count(acts, kp_printf(p->a, "Z 1.f/1~1 file %s\n", p->config)), 2);
    assert_string_equal(names(p, h, "etc"),
                        "server.properties\nserver.properties.kplay-1.f%2F1~1\n");
}

static void test_changed_meanwhile(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    const char *sum = kp_get_text(read_it(p, h, p->config), "sha256", "");
    place_write(p, "etc/server.properties", "puppet was here\n");
    answer r = { 0 }, absent = { 0 }, there = { 0 };
    kp_host_file f = content(p->config, "ours\n", sum);
    write_it(p, h, "1.f~1", &f, &r);
    place_fails(p, &r, KP_REFUSED, "is not the file that was read");
    unlink(p->config);
    write_it(p, h, "1.f~2", &f, &absent);
    place_fails(p, &absent, KP_REFUSED, "is not the file that was read");
    place_write(p, "etc/server.properties", "%s", "");
    f.expect = NULL; /* empty is not absent */
    write_it(p, h, "1.f~3", &f, &there);
    place_fails(p, &there, KP_REFUSED, "is not the file that was read");
    assert_string_equal(place_read(p, "releases/.kplay/" CLUSTER "/acts.log"), "");
    assert_string_equal(names(p, h, "etc"), "server.properties\n");
    assert_string_equal(place_read(p, "etc/server.properties"), "");
}

static void test_new_file(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    const char *path = place_path(p, "etc/it's new.properties");
    kp_host_file f = content(path, "x\n", NULL);
    answer r = { 0 }, nowhere = { 0 };
    write_it(p, h, "1.n~1", &f, &r);
    const kp_value *v = place_ok(p, &r);
    assert_string_equal(kp_get_text(v, "did", ""), "done");
    assert_null(kp_get(v, "backup"));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    f.path = place_path(p, "no/such/dir/file");
    write_it(p, h, "1.n~2", &f, &nowhere);
    place_fails(p, &nowhere, KP_HOST, "is not there");
}

static void test_link_is_followed(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    const char *link = place_path(p, "server.properties");
    assert_int_equal(symlink("etc/server.properties", link), 0);
    const kp_value *v = read_it(p, h, link);
    assert_string_equal(kp_get_text(v, "path", ""), p->config);
    kp_host_file f = content(link, "through the link\n", kp_get_text(v, "sha256", ""));
    answer r = { 0 };
    write_it(p, h, "1.f~1", &f, &r);
    assert_string_equal(kp_get_text(place_ok(p, &r), "path", ""), p->config);
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_string_equal(place_read(p, "etc/server.properties"), "through the link\n");
}

/* Given up at any moment: the old bytes or the new ones, whole, and no litter in the end. */
static void test_cut_anywhere(void **state)
{
    place *p = *state;
    kp_host *h = ready(p);
    enum { N = 300000 };
    char *bytes[2] = { kp_alloc(p->a, N), kp_alloc(p->a, N) };
    memset(bytes[0], 'a', N);
    memset(bytes[1], 'b', N);
    const char *path = place_path(p, "etc/big");
    const char *sums[2] = { kp_sha256_hex(p->a, bytes[0], N), kp_sha256_hex(p->a, bytes[1], N) };
    kp_host_file f = { .path = path, .bytes = bytes[0], .n = N };
    answer first = { 0 };
    write_it(p, h, "1.c~0", &f, &first);
    place_ok(p, &first);
    int now = 0;
    for (int i = 1; i <= 20; i++) {
        f = (kp_host_file){ .path = path, .bytes = bytes[!now], .n = N, .expect = sums[now] };
        answer r = { 0 };
        kp_host_op o = { .id = kp_printf(p->a, "1.c~%d", i), .cluster = CLUSTER, .epoch = 1 };
        o.deadline = place_soon();
        kp_ticket t = kp_host_file_write(h, p->a, &o, &f, place_answer, &r);
        place_turn_for(p, i * 3);
        kp_host_cancel(p->hs, t);
        for (int k = 0; k < 100; k++) /* until it has settled */
            if (!strstr(names(p, h, "etc"), ".big"))
                break;
        const char *sum = kp_get_text(read_it(p, h, path), "sha256", "");
        assert_true(kp_streq(sum, sums[0]) || kp_streq(sum, sums[1]));
        now = kp_streq(sum, sums[1]);
    }
    assert_null(strstr(names(p, h, "etc"), ".big"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reading),          TEST(test_replacing), TEST(test_changed_meanwhile),
        TEST(test_new_file),         TEST(test_link_is_followed),
        TEST(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
