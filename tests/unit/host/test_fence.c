/* The fence: raising it, refusing, and that every effect compares for equality. */
#include "with_host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define EPOCH "releases/.kplay/clusterA/epoch"

static kp_host_claim claim(int64_t epoch, const char *holder)
{
    return (kp_host_claim) {
        .cluster = "clusterA", .epoch = epoch, .holder = holder, .deadline = place_soon()
    };
}

static void acquire(place *p, kp_host *h, int64_t epoch, const char *holder, answer *r)
{
    kp_host_claim c = claim(epoch, holder);
    kp_host_fence(h, p->a, &c, place_answer, r);
}

static void give_back(place *p, kp_host *h, int64_t epoch, const char *holder, answer *r)
{
    kp_host_claim c = claim(epoch, holder);
    c.who = "ops@desk";
    kp_host_unfence(h, p->a, &c, place_answer, r);
}

static const kp_value *fence_of(place *p, kp_host *h)
{
    return kp_get(place_state(p, h, "clusterA", -1), "fence");
}

static void test_raising(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    static const struct {
        int64_t epoch;
        const char *holder, *over, *refused; /* refused NULL: it succeeds */
        int64_t was;
    } rows[] = {
        { 1, "ops@a run 1", NULL, NULL, 0 },
        { 1, "ops@a run 1", NULL, NULL, 1 },
        { 1, "ops@b run 2", "ops@a run 1", "fenced by ops@a run 1 at 1", 0 },
        { 3, "ops@b run 2", "ops@a run 1", NULL, 1 },
        { 2, "ops@a run 1", "ops@b run 2", "fenced by ops@b run 2 at 3", 0 },
        { 3, "ops@a run 1", "ops@b run 2", "fenced by ops@b run 2 at 3", 0 },
        { 3, "ops@b run 2", NULL, NULL, 3 },
        { 4, "ops@b run 2", NULL, NULL, 3 },            /* over itself */
        { 10, "it's $me", "ops@b run 2", NULL, 4 },     /* a number, not a text: 10 is more than 4 */
        { 9, "ops@b run 2", "it's $me", "fenced by it's $me at 10", 0 },
        { 4000000000000, "ops@b run 2", "it's $me", NULL, 10 },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        answer r = { 0 };
        kp_host_claim c = claim(rows[i].epoch, rows[i].holder);
        c.over = rows[i].over;
        c.who = "ops@bastion1";
        kp_host_fence(h, p->a, &c, place_answer, &r);
        if (rows[i].refused) {
            place_fails(p, &r, KP_REFUSED, rows[i].refused);
            continue;
        }
        const kp_value *v = place_ok(p, &r);
        assert_int_equal(kp_get_int(v, "epoch", -1), rows[i].epoch);
        assert_string_equal(kp_get_text(v, "holder", ""), rows[i].holder);
        assert_int_equal(kp_get_int(v, "was_epoch", -1), rows[i].was);
    }
    const char *file = place_read(p, EPOCH);
    assert_int_equal(place_count(file, "4000000000000 ops@b run 2\n"), 1);
    assert_int_equal(place_count(file, " ops@bastion1\n"), 1);
    const kp_value *fence = fence_of(p, h);
    assert_string_equal(kp_get_text(fence, "by", ""), "ops@bastion1");
    kp_ms since = kp_get_int(fence, "since", 0);
    assert_true(since > kp_wall_now() - 10 * KP_MINUTE && since <= kp_wall_now());
    assert_int_equal(kp_get_int(fence, "epoch", -1), 4000000000000);
    assert_string_equal(kp_get_text(fence, "holder", ""), "ops@b run 2");
    fence = kp_get(place_state(p, h, "another", -1), "fence");
    assert_int_equal(kp_get_int(fence, "epoch", -1), 0);
}

/* Whoever comes does not take a host that a run holds: it is left alone unless the request names
 * that very run, and no number makes up for that. */
static void test_a_held_host_is_taken_only_from_the_run_that_is_named(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    place_fence(p, h, "clusterA", 5, "run-a");
    static const char *const over[] = { NULL, "", "run-c", "run-", "*", "run-?", "-" };
    for (size_t i = 0; i < KP_COUNT(over); i++) {
        answer r = { 0 };
        kp_host_claim c = claim(6 + (int64_t)i, "run-b");
        c.over = over[i];
        kp_host_fence(h, p->a, &c, place_answer, &r);
        place_fails(p, &r, KP_REFUSED, "fenced by run-a at 5");
    }
    assert_int_equal(place_count(place_read(p, EPOCH), "5 run-a\n"), 1);
    answer r = { 0 };
    kp_host_claim c = claim(6, "run-b");
    c.over = "run-a";
    kp_host_fence(h, p->a, &c, place_answer, &r);
    assert_string_equal(kp_get_text(place_ok(p, &r), "was_holder", ""), "run-a");
}

/* What an older kplay wrote is one line; its holder counts. */
static void test_the_line_of_an_older_kplay_is_a_holder(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    place_write(p, EPOCH, "7 1124-c21e\n");
    place_write(p, "releases/.kplay/clusterA/lock", "%s", "");
    const kp_value *fence = fence_of(p, h);
    assert_string_equal(kp_json_text(p->a, fence), "{\"epoch\":7,\"holder\":\"1124-c21e\"}");
    answer r = { 0 }, again = { 0 };
    acquire(p, h, 8, "run-b", &r);
    place_fails(p, &r, KP_REFUSED, "fenced by 1124-c21e at 7");
    acquire(p, h, 8, "1124-c21e", &again);
    place_ok(p, &again);
}

static void test_giving_back(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r[8] = { { 0 } };
    give_back(p, h, 1, "run-a", &r[0]); /* nothing there */
    place_fails(p, &r[0], KP_REFUSED, "no kplay has taken this host over");
    place_fence(p, h, "clusterA", 5, "run-a");
    give_back(p, h, 4, "run-a", &r[1]); /* of an older session */
    place_fails(p, &r[1], KP_REFUSED, "fenced by run-a at 5");
    give_back(p, h, 5, "run-b", &r[2]);
    place_fails(p, &r[2], KP_REFUSED, "fenced by run-a at 5");
    give_back(p, h, 5, "run-a", &r[3]);
    place_ok(p, &r[3]);
    give_back(p, h, 5, "run-a", &r[4]); /* again */
    place_ok(p, &r[4]);
    assert_int_equal(place_count(place_read(p, EPOCH), "5 - run-a\n"), 1);

    const kp_value *fence = fence_of(p, h);
    assert_int_equal(kp_get_int(fence, "epoch", 0), 5);
    assert_null(kp_get(fence, "holder"));
    assert_string_equal(kp_get_text(fence, "last", ""), "run-a");
    assert_string_equal(kp_get_text(fence, "by", ""), "ops@desk");

    /* Nobody acts then, not even who held it, and the number is not used again. */
    kp_host_op op = { .id = "1.a~1", .cluster = "clusterA", .epoch = 5, .deadline = place_soon() };
    kp_host_link(h, p->a, &op, "3.9.1", place_answer, &r[5]);
    place_fails(p, &r[5], KP_REFUSED, "nobody holds this host since run-a gave it back at 5");
    acquire(p, h, 5, "run-b", &r[6]);
    place_fails(p, &r[6], KP_REFUSED, "nobody holds this host since run-a gave it back at 5");
    acquire(p, h, 6, "run-b", &r[7]);
    place_ok(p, &r[7]);
}

static void test_wrong_arguments(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    static const struct {
        int64_t epoch;
        const char *holder;
    } rows[] = { { 0, "x" }, { -1, "x" }, { 1, "" }, { 1, NULL }, { 1, "a\nb" }, { 1, " a" }, { 1, "-" },
                 { 1, "- run-a" } };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        answer r = { 0 };
        acquire(p, h, rows[i].epoch, rows[i].holder, &r);
        place_fails(p, &r, KP_INTERNAL, "no such epoch or holder");
    }
    assert_false(place_has(p, "releases/.kplay"));
}

/* Fifty at once with the same number: one of them has it, the others are told who. */
static void test_one_of_many(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r[50] = { { 0 } };
    int won = 0;
    for (int i = 0; i < 50; i++)
        acquire(p, h, 7, kp_printf(p->a, "kplay %d", i), &r[i]);
    for (int i = 0; i < 50; i++) {
        place_wait(p, &r[i]);
        won += r[i].err == NULL;
        if (r[i].err)
            place_fails(p, &r[i], KP_REFUSED, "fenced by kplay");
    }
    assert_int_equal(won, 1);
}

static void test_damaged_file(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    answer r = { 0 }, effect = { 0 };
    place_write(p, "releases/.kplay/clusterA/epoch", "garbage\n");
    acquire(p, h, 5, "me", &r);
    place_fails(p, &r, KP_HOST, "cannot be understood");
    place_write(p, "releases/.kplay/clusterA/lock", "%s", "");
    kp_host_op op = { .id = "1.a~1", .cluster = "clusterA", .epoch = 5, .deadline = place_soon() };
    kp_host_link(h, p->a, &op, "3.9.1", place_answer, &effect);
    place_fails(p, &effect, KP_REFUSED, "fenced");
}

/* Every effect, with a lower, an equal and a higher epoch than the host's: only equal acts. */
static void ask_effect(place *p, kp_host *h, int which, const kp_host_op *op, answer *r)
{
    static const char bytes[] = "new\n";
    kp_host_file f = { .path = place_path(p, "file"), .bytes = bytes, .n = 4 };
    switch (which) {
    case 0:
        kp_host_stop(h, p->a, op, 0, 0, place_answer, r);
        break;
    case 1:
        kp_host_start(h, p->a, op, place_answer, r);
        break;
    case 2:
        kp_host_link(h, p->a, op, "3.9.1", place_answer, r);
        break;
    case 3:
        kp_host_file_write(h, p->a, op, &f, place_answer, r);
        break;
    default:
        kp_host_job(h, p->a, op, "test", kp_printf(p->a, "echo x >>%s", place_path(p, "job")),
                    place_answer, r);
        break;
    }
}

static void test_every_effect_compares(void **state)
{
    place *p = *state;
    kp_builder start = kp_list_begin(p->a);
    kp_list_add(&start, kp_text(p->a, "touch"));
    kp_list_add(&start, kp_text(p->a, place_path(p, "started")));
    p->spec.service.start = kp_list_end(&start);
    kp_host *h = place_host(p);
    place_write(p, "releases/kafka_2.13-3.9.1/libs/kafka-clients-3.9.1.jar", "%s", "");
    for (int which = 0; which < 5; which++) {
        kp_host_op op = { .id = kp_printf(p->a, "none.%d~1", which), .cluster = "clusterB" };
        op.deadline = place_soon();
        answer r = { 0 };
        ask_effect(p, h, which, &op, &r); /* never acquired, even with epoch 0 */
        place_fails(p, &r, KP_REFUSED, "no kplay has taken this host over");
    }
    place_fence(p, h, "clusterA", 5, "the holder");
    static const int64_t epochs[] = { 4, 6, 0, 50 };
    for (int which = 0; which < 5; which++)
        for (size_t i = 0; i < KP_COUNT(epochs); i++) {
            kp_host_op op = {
                .id = kp_printf(p->a, "bad.%d.%zu~1", which, i),
                .cluster = "clusterA",
                .epoch = epochs[i],
                .deadline = place_soon(),
            };
            answer r = { 0 };
            ask_effect(p, h, which, &op, &r);
            place_fails(p, &r, KP_REFUSED, "fenced by the holder at 5");
        }
    assert_false(place_has(p, "started"));
    assert_false(place_has(p, "current"));
    assert_false(place_has(p, "file"));
    assert_false(place_has(p, "job"));
    assert_string_equal(place_read(p, "releases/.kplay/clusterA/acts.log"), "");
    const char *list = kp_printf(p->a, "ls %s/releases/.kplay/clusterA/op", p->dir);
    assert_string_equal(place_sh(p, h, list), "");
    for (int which = 0; which < 5; which++) {
        kp_host_op op = { .id = kp_printf(p->a, "good.%d~1", which), .cluster = "clusterA" };
        op.epoch = 5;
        op.deadline = place_soon();
        answer r = { 0 };
        ask_effect(p, h, which, &op, &r);
        place_ok(p, &r);
    }
    for (int i = 0; i < 200 && !(place_has(p, "started") && *place_read(p, "job")); i++)
        place_turn_for(p, 10);
    assert_true(place_has(p, "started"));
    assert_true(place_has(p, "current"));
    assert_string_equal(place_read(p, "file"), "new\n");
    assert_string_equal(place_read(p, "job"), "x\n");
    const char *acts = place_read(p, "releases/.kplay/clusterA/acts.log");
    assert_int_equal(place_count(acts, "\n"), 4); /* there was nothing to stop */
    assert_int_equal(place_count(acts, "Z good.1~1 start command\n"), 1);
    assert_int_equal(place_count(acts, "Z good.2~1 link 3.9.1\n"), 1);
    assert_int_equal(place_count(acts, kp_printf(p->a, "Z good.3~1 file %s/file\n", p->dir)), 1);
    assert_int_equal(place_count(acts, "Z good.4~1 job test\n"), 1);
}

/* What an effect starts must not hold the lock. */
static void test_lock_is_free_afterwards(void **state)
{
    place *p = *state;
    kp_host *h = place_host(p);
    place_fence(p, h, "clusterA", 1, "me");
    kp_host_op op = { .id = "1.long~1", .cluster = "clusterA", .epoch = 1 };
    op.deadline = place_soon();
    answer r = { 0 };
    kp_host_job(h, p->a, &op, "long",
                kp_printf(p->a, "ls -l /proc/self/fd >%s/fds; sleep 1", p->dir), place_answer, &r);
    place_ok(p, &r);
    for (int i = 0; i < 200 && !place_count(place_read(p, "fds"), " 0 -> "); i++)
        place_turn_for(p, 10);
    int fd = open(place_path(p, "releases/.kplay/clusterA/lock"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    const char *fds = place_read(p, "fds");
    assert_int_equal(place_count(fds, "/lock"), 0);
    assert_int_equal(place_count(fds, " 0 -> /dev/null"), 1);
    assert_int_equal(place_count(fds, "pipe:"), 0);
    assert_int_equal(place_count(fds, "socket:"), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_raising),
        TEST(test_a_held_host_is_taken_only_from_the_run_that_is_named),
        TEST(test_the_line_of_an_older_kplay_is_a_holder),
        TEST(test_giving_back),
        TEST(test_wrong_arguments),
        TEST(test_one_of_many),
        TEST(test_damaged_file),
        TEST(test_every_effect_compares),
        TEST(test_lock_is_free_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
