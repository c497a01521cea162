/* What a run writes down and tells: which errors end a run, the first one that does, and Ctrl-C. */
#include "engine/with_script.h"

#include <errno.h>
#include <string.h>

#include "engine/run.h"

static int signals;

static kp_ms on_clock(kp_world *w)
{
    (void)w;
    return 1764000000000;
}
static int on_interrupts(kp_world *w)
{
    (void)w;
    return signals;
}
static const kp_world_class clock_only = {
    .name = "sim", .now = on_clock, .mono = on_clock, .interrupts = on_interrupts
};
static kp_world world = { .c = &clock_only };
static kp_seen nothing_seen;

/* ---- errors ---- */

static void playbooks_may_catch_what_a_node_or_a_step_did(void **state)
{
    static const struct {
        kp_class cls;
        bool ends;
    } rows[] = {
        { KP_SAFETY, true },   { KP_REFUSED, true }, { KP_PAUSED, true },    { KP_DETACHED, true },
        { KP_INTERNAL, true }, { KP_FAILED, false }, { KP_CLUSTER, false },  { KP_HOST, false },
        { KP_USAGE, false },   { KP_CONFIG, false }, { KP_PLAYBOOK, false },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_err *e = kp_err_new(rows[i].cls, "n", "w");
        assert_int_equal(kp_err_ends_run(e), rows[i].ends);
        kp_err_drop(e);
    }
}

static void the_first_error_that_ends_a_run_stays(void **state)
{
    kp_run r = { .w = &world, .seen = &nothing_seen, .seed = 7 };
    void *ud;
    (void)state;
    assert_false(kp_run_is_over(&r));
    kp_err *first = kp_run_end(&r, kp_err_new(KP_SAFETY, "n", "first"));
    kp_err *second = kp_run_end(&r, kp_err_new(KP_FAILED, "n", "second"));
    assert_string_equal(first->what, "first"); /* both are raised as they are */
    assert_string_equal(second->what, "second");
    kp_err_drop(first);
    kp_err_drop(second);
    assert_true(kp_run_is_over(&r));
    assert_string_equal(kp_run_over(&r)->what, "first");
    assert_int_equal(kp_run_seed(&r), 7);

    assert_non_null(kp_run_find(&r, &ud));
    assert_ptr_equal(ud, &r);
    kp_err_drop(r.over);
}

/* ---- records ---- */

static int full_after;
static int64_t write_until_full(void *ud, int fd, const void *p, size_t n)
{
    if (full_after-- > 0)
        return kp_disk_real.write(ud, fd, p, n);
    errno = ENOSPC;
    return -1;
}

static void a_record_that_finds_no_room_ends_the_run(void **state)
{
    bench b = { 0 };
    kp_disk disk = kp_disk_real;
    kp_run r = { .w = &world, .seen = &nothing_seen };
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 24);
    make_runs(&b);
    disk.write = write_until_full;
    full_after = 1 << 20;
    assert_null(kp_journal_create(a, &disk, b.runs, "r-1", 1, kp_map(a, NULL), NULL, 0, &r.j));
    assert_null(kp_record_add(&r, KP_K_NOTE, kp_map(a, "i", kp_text(a, "1"), NULL)));
    assert_false(kp_run_is_over(&r));
    full_after = 0;
    kp_err *e = kp_record_add(&r, KP_K_NOTE, kp_map(a, "i", kp_text(a, "2"), NULL));
    assert_non_null(e);
    assert_int_equal(e->cls, KP_PAUSED);
    assert_string_equal(kp_run_over(&r)->what, e->what);
    kp_err_drop(e);
    kp_err_drop(r.over);
    kp_journal_free(r.j);
    remove_runs(&b);
}

/* ---- events ---- */

static kp_event heard;
static void on_event(void *ud, const kp_event *e)
{
    (void)ud;
    heard = *e;
}

static void an_event_has_the_worlds_time_and_the_open_step(void **state)
{
    kp_run_spec spec = { .sink = { .event = on_event } }, deaf = { 0 };
    kp_run r = { .w = &world, .seen = &nothing_seen, .spec = &spec, .depth = 1 };
    (void)state;
    r.scope[0].step = "outer";
    r.scope[1].step = "broker 2";
    kp_tell(&r, (kp_event) { .kind = KP_E_NOTE, .text = "t" });
    assert_true(heard.t == 1764000000000);
    assert_string_equal(heard.step, "broker 2");
    assert_string_equal(heard.text, "t");
    kp_tell(&r, (kp_event) { .kind = KP_E_NOTE, .step = "its own" });
    assert_string_equal(heard.step, "its own");
    r.depth = -1;
    kp_tell(&r, (kp_event) { .kind = KP_E_NOTE });
    assert_string_equal(heard.step, "");
    r.spec = &deaf;
    kp_tell(&r, (kp_event) { .kind = KP_E_WARN });
    assert_int_equal(heard.kind, KP_E_NOTE);
}

/* ---- Ctrl-C between actions ---- */

static void each_ctrl_c_pauses_once(void **state)
{
    kp_run r = { .w = &world, .seen = &nothing_seen };
    (void)state;
    signals = 0;
    assert_null(kp_check_interrupt(&r));
    signals = 1;
    kp_err *e = kp_check_interrupt(&r);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_PAUSED);
    assert_true(kp_run_is_over(&r));
    kp_err_drop(e);
    assert_null(kp_check_interrupt(&r));
    kp_err_drop(r.over);
}

static void ctrl_c_waits_for_the_end_of_a_step_that_holds(void **state)
{
    kp_run r = { .w = &world, .seen = &nothing_seen };
    (void)state;
    signals = 1;
    r.scope[0].hold = true;
    assert_null(kp_check_interrupt(&r));
    assert_false(kp_run_is_over(&r));
    r.scope[0].hold = false;
    kp_err *e = kp_check_interrupt(&r);
    assert_non_null(e);
    kp_err_drop(e);
    kp_err_drop(r.over);
}

static void a_shadow_replay_hears_no_ctrl_c(void **state)
{
    kp_run r = { .w = &world, .seen = &nothing_seen, .replay.shadow = true };
    (void)state;
    signals = 1;
    assert_null(kp_check_interrupt(&r));
    assert_false(kp_run_is_over(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(playbooks_may_catch_what_a_node_or_a_step_did),
        cmocka_unit_test(the_first_error_that_ends_a_run_stays),
        cmocka_unit_test(a_record_that_finds_no_room_ends_the_run),
        cmocka_unit_test(an_event_has_the_worlds_time_and_the_open_step),
        cmocka_unit_test(each_ctrl_c_pauses_once),
        cmocka_unit_test(ctrl_c_waits_for_the_end_of_a_step_that_holds),
        cmocka_unit_test(a_shadow_replay_hears_no_ctrl_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
