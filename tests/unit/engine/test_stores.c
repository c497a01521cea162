/* Killed at every store that a simulated cluster makes in its file during one roll.  A kill inside a
 * change leaves what a kill before it leaves, which is looked at for each store; from what is left
 * there the run is resumed, and nothing was done twice, skipped or made up. */
#include "engine/with_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPEC                                                                                       \
    "{\"brokers\":3,\"controllers\":3,\"topics\":[{\"name\":\"t\",\"partitions\":12,"          \
    "\"rate\":\"2MB/s\"}]}"
#define PAGE 4096
#define CHANGES_AT 16 /* in the file's head: how many; the copy in force is that, modulo 2 */

static kp_err *roll(kp_run *r, const kp_value *args)
{
    (void)args;
    for (int id = 1; id <= 3; id++) {
        char at[16];
        snprintf(at, sizeof at, "[%d]", id);
        TEST_TRY(call(r, "stop_broker", at, NULL));
        TEST_TRY(call(r, "start_broker", at, NULL));
        TEST_TRY(call(r, "wait_in_sync", at, NULL));
    }
    return NULL;
}
static const test_script script = { .part = { [KP_PART_RUN] = roll },
                                    .effects = KP_G_BROKER_RESTART };

static struct {
    bench b;
    char image[300], side[300];
    dev_t dev;
    ino_t ino;
    bool on;
    long stores, changes, resumed, every;
    char *in_force; /* as it was when the change under way began; NULL: none is */
    size_t size;    /* of a copy */
} all;

static void sound(bench *b, int node)
{
    const kp_value *n = kp_sim_host_counts(b->a, b->sim, node);
    assert_int_equal(kp_get_int(n, "stops", -1), 1);
    assert_int_equal(kp_get_int(n, "starts", -1), 1);
}

/* The roll is gone on with by another process, and comes to its end. */
static void go_on(void *ud)
{
    bench b = { 0 };
    char image[320];
    (void)ud;
    all.on = false;
    snprintf(b.runs, sizeof b.runs, "%.250s", all.side);
    snprintf(image, sizeof image, "%s/cluster.sim", all.side);
    bench_reopen(&b, image);
    kp_run_info *info;
    size_t n;
    well(kp_runs_list(b.a, b.runs, &info, &n));
    if (n == 0) { /* nothing of the run was on disk yet */
        assert_int_equal(kp_len(kp_sim_acts(b.a, b.sim)), 0);
        return;
    }
    kp_err *e = bench_resume(&b, info[0].run, NULL);
    if (e && strstr(e->what, "is finished"))
        kp_err_drop(e);
    else
        well(e);
    for (int id = 1; id <= 3; id++)
        sound(&b, id);
    const kp_value *oracle = kp_sim_oracle(b.a, b.sim);
    if (kp_get_int(oracle, "violations", -1) != 0)
        fail_msg("%s", kp_json_text(b.a, oracle));
}

static void copied_aside(void)
{
    char line[1024];
    snprintf(line, sizeof line, "rm -rf '%s' && cp -a '%s' '%s'", all.side, all.b.runs, all.side);
    assert_int_equal(system(line), 0);
}

/* What the file shows while a change is written is what it showed before. */
static void looked_at(void)
{
    FILE *f = fopen(all.image, "r");
    uint64_t changes;
    assert_non_null(f);
    if (!all.in_force) {
        struct stat st;
        assert_int_equal(fstat(fileno(f), &st), 0);
        all.size = ((size_t)st.st_size - PAGE) / 2;
        all.in_force = malloc(2 * all.size);
        assert_non_null(all.in_force);
    }
    assert_int_equal(fseek(f, CHANGES_AT, SEEK_SET), 0);
    assert_int_equal(fread(&changes, sizeof changes, 1, f), 1);
    assert_int_equal(fseek(f, (long)(PAGE + changes % 2 * all.size), SEEK_SET), 0);
    char *is = all.in_force + all.size;
    assert_int_equal(fread(is, all.size, 1, f), 1);
    fclose(f);
}

static void before_a_store(off_t at)
{
    static bool begun;
    all.on = false;
    all.stores++;
    looked_at();
    if (!begun) {
        memcpy(all.in_force, all.in_force + all.size, all.size);
        if (all.changes++ % all.every == 0) {
            copied_aside();
            int status = in_child(go_on, NULL);
            if (status != 0)
                fail_msg("killed before store %ld, in change %ld: see above", all.stores,
                         all.changes);
            all.resumed++;
        }
    } else if (memcmp(all.in_force, all.in_force + all.size, all.size) != 0) {
        fail_msg("store %ld, in change %ld, is seen before the change is whole", all.stores,
                 all.changes);
    }
    begun = at != CHANGES_AT;
    all.on = true;
}

/* In place of the C library's. */
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    struct stat st;
    if (all.on && fstat(fd, &st) == 0 && st.st_dev == all.dev && st.st_ino == all.ino)
        before_a_store(at);
    return syscall(SYS_pwrite64, fd, p, n, at);
}

static void killed_at_every_store(void **state)
{
    struct stat st;
    (void)state;
    /* Each store is looked at; what a change begins with is gone on with each time, or now and
     * then. */
    all.every = getenv("KPLAY_LONG") ? 1 : 12;
    the_script = &script;
    make_runs(&all.b);
    snprintf(all.image, sizeof all.image, "%s/cluster.sim", all.b.runs);
    snprintf(all.side, sizeof all.side, "%s.side", all.b.runs);
    bench_open(&all.b, SPEC, all.image);
    assert_int_equal(stat(all.image, &st), 0);
    all.dev = st.st_dev;
    all.ino = st.st_ino;
    all.on = true;
    well(bench_run(&all.b, NULL));
    all.on = false;
    copied_aside(); /* and after the last one */
    assert_int_equal(in_child(go_on, NULL), 0);
    print_message("%ld stores in %ld changes, %ld of them gone on with\n", all.stores, all.changes,
                  all.resumed);
    assert_true(all.stores > 500 && all.changes > 100 && all.resumed > 20);
    free(all.in_force);
    bench_over(&all.b);
    snprintf(all.b.runs, sizeof all.b.runs, "%.250s", all.side);
    remove_runs(&all.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(killed_at_every_store) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
