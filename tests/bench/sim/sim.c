/* tests/bench/sim: the shipped rolling.lua over 1,000 brokers and 1,000,000 partitions, RF 3.
 *
 * Through everything a rehearsal uses: Lua, the guard, the journal (in memory) and the oracle.  How
 * fast the machine is does not matter: the roll's CPU is compared, in the same process, with the
 * bare memory work of it on the same arrays - for every broker once reading what would remain
 * without it, once taking it out of its ISRs and once putting it back, counting all the while.
 * That is done before the roll and after it, for about as long as the roll takes, so that what else
 * the machine does weighs on both.  Passes when the roll costs at most so many times the bare work
 * as stands in `sizes` (about twice what was measured, on a quiet machine and on a busy one), and at
 * most 128 MB of memory.  A roll that grows faster than its work fails at the larger size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define MEMORY_LIMIT_KB (128 * 1024)

typedef struct figures {
    double cpu_ms, bare_ms; /* of the roll; of all passes of the bare work */
    int64_t passes;
    long memory_kb;
    int64_t stops, records, requests;
    int64_t violations;
    int failed;
} figures;

static void nothing(void *ud, const kp_event *e)
{
    (void)ud;
    (void)e;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- the bare memory work ---- */

typedef struct counts {
    uint64_t offline, urp;
} counts;

static void look(const kp_view *v, uint32_t b, counts *c)
{
    for (uint32_t i = v->by_broker_first[b]; i < v->by_broker_first[b + 1]; i++) {
        uint32_t p = v->by_broker[i];
        uint32_t left = kp_view_isr_size(v, p) - kp_view_in_sync(v, p, kp_view_replica_on(v, p, b));
        c->offline += left == 0;
    }
}

static void change(const kp_view *v, uint64_t *isr, uint16_t *leader, uint32_t b, bool in,
                   counts *c)
{
    for (uint32_t i = v->by_broker_first[b]; i < v->by_broker_first[b + 1]; i++) {
        uint32_t p = v->by_broker[i], k = kp_view_replica_on(v, p, b), at = v->first_rep[p] + k;
        uint64_t bit = (uint64_t)1 << (at % 64);
        isr[at / 64] = in ? isr[at / 64] | bit : isr[at / 64] & ~bit;
        uint64_t bits = kp_view_isr_bits(v, p, 0);
        if (!in && leader[p] == k)
            leader[p] = bits ? (uint16_t)__builtin_ctzll(bits) : KP_VIEW_NO_LEADER;
        c->urp += kp_view_isr_size(v, p) < kp_view_rf(v, p);
    }
}

/* CPU of one pass over every broker, on arrays of its own; 0 when it did not find what is there. */
static double bare_pass(kp_arena *a, const kp_view *from)
{
    uint64_t replicas = from->first_rep[from->n_parts];
    size_t isr_size = (replicas / 64 + 2) * sizeof(uint64_t);
    uint64_t *isr = kp_memdup(a, from->isr, isr_size);
    uint16_t *leader = kp_memdup(a, from->leader, from->n_parts * sizeof *leader);
    kp_view v = *from;
    counts c = { 0 };

    v.isr = isr;
    v.leader = leader;
    double before = cpu_ms();
    for (uint32_t b = 0; b < v.n_brokers; b++) {
        look(&v, b, &c);
        change(&v, isr, leader, b, false, &c);
        change(&v, isr, leader, b, true, &c);
    }
    double took = cpu_ms() - before;
    bool same = memcmp(isr, from->isr, replicas / 64 * sizeof *isr) == 0;
    return c.offline == 0 && c.urp == replicas && same ? took : 0;
}

/* Adds passes until they have cost `enough`. */
static void bare(kp_sim *sim, double enough, figures *f)
{
    kp_request q = { .kind = KP_Q_VIEW, .node = 1 };
    kp_reply reply;
    kp_arena *a = kp_arena_new("bare work", (size_t)1 << 30);

    for (double spent = 0, took = 1; spent < enough && took > 0; spent += took) {
        kp_arena_reset(a);
        kp_world_ask_all(kp_sim_world(sim), a, &q, 1, &reply);
        took = reply.err ? 0 : bare_pass(a, reply.view);
        kp_err_drop(reply.err);
        f->bare_ms += took;
        f->passes += took > 0;
    }
    kp_arena_free(a);
}

/* ---- the roll ---- */

static figures roll(int brokers, int topics)
{
    figures f = { 0 };
    kp_arena *a = kp_arena_new("bench", (size_t)1 << 30);
    kp_files files;
    kp_sim *sim;
    const kp_value *spec, *report = NULL;
    char *json = kp_printf(
        a,
        "{\"brokers\":%d,\"controllers\":3,\"release\":\"3.7.2\","
        "\"topics\":[{\"name\":\"t\",\"count\":%d,\"partitions\":100,\"rf\":3}]}",
        brokers, topics);
    kp_err *e = kp_files_init(a, NULL, &files);
    double begun = cpu_ms();
    if (!e)
        e = kp_json_read(a, json, strlen(json), &spec);
    if (!e)
        e = kp_sim_from_spec(a, spec, &sim);
    if (!e) {
        kp_run_spec run = { .verbs = kp_verbs,
                            .world = kp_sim_world(sim),
                            .simulated = true,
                            .inventory = kp_sim_inventory(a, sim, NULL),
                            .playbook = "rolling.lua",
                            .find = kp_files_find,
                            .find_ud = &files,
                            .who = "bench",
                            .assume_yes = true,
                            .sink = { .event = nothing } };
        double made = cpu_ms() - begun;
        bare(sim, made, &f); /* before the roll only making the cluster has cost anything */
        begun = cpu_ms() - made;
        e = kp_run_first(a, &run, &report);
        f.cpu_ms = cpu_ms() - begun;
        bare(sim, f.cpu_ms / 2, &f);
        f.violations = kp_get_int(kp_sim_oracle(a, sim), "violations", -1);
        f.stops = (int64_t)kp_len(kp_get(report, "stops"));
        f.records = kp_get_int(report, "records", 0);
        f.requests = kp_get_int(report, "requests", 0);
        kp_sim_close(sim);
    }
    if (e) {
        fprintf(stderr, "%s\n", kp_err_text(a, e));
        f.failed = 1;
        kp_err_drop(e);
    }
    kp_arena_free(a);
    return f;
}

/* In a process of its own, so that its peak memory is its own. */
static figures measure(int brokers, int topics)
{
    int fd[2];
    figures f = { .failed = 1 };
    struct rusage usage;
    int status;

    if (pipe(fd) != 0)
        return f;
    pid_t pid = fork();
    if (pid == 0) {
        figures mine = roll(brokers, topics);
        ssize_t n = write(fd[1], &mine, sizeof mine);
        _exit(n == (ssize_t)sizeof mine ? 0 : 1);
    }
    close(fd[1]);
    ssize_t n = read(fd[0], &f, sizeof f);
    close(fd[0]);
    if (n != (ssize_t)sizeof f)
        f.failed = 1;
    wait4(pid, &status, 0, &usage);
    f.memory_kb = usage.ru_maxrss;
    return f;
}

static const struct size {
    const char *name;
    int brokers, topics; /* of 100 partitions */
    int64_t stops;
    int ratio; /* at most */
} sizes[] = {
    { "100 x 100,000", 100, 1000, 103, 150 }, /* 59 to 86 measured */
    { "1,000 x 1,000,000", 1000, 10000, 1003, 90 }, /* 35 to 46 */
};

static bool good(const struct size *size)
{
    figures f = measure(size->brokers, size->topics);
    double once = f.passes > 0 ? f.bare_ms / (double)f.passes : 0;
    double ratio = once > 0 ? f.cpu_ms / once : 0;

    printf("%-18s %7.0f ms CPU, bare %5.1f ms: ratio %.1f (at most %d)  %6ld kB  %" PRId64
           " stops  %" PRId64 " records  %" PRId64 " requests\n",
           size->name, f.cpu_ms, once, ratio, size->ratio, f.memory_kb, f.stops, f.records,
           f.requests);
    return !f.failed && ratio > 0 && ratio <= size->ratio && f.memory_kb <= MEMORY_LIMIT_KB &&
           f.stops == size->stops && !f.violations;
}

int main(void)
{
    bool ok = true;

    for (size_t i = 0; i < KP_COUNT(sizes); i++)
        ok = good(&sizes[i]) && ok;
    puts(ok ? "passed" : "FAILED: the ratio, 131072 kB, every node stopped once, no violation");
    return ok ? 0 : 1;
}
