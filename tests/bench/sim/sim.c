/* tests/bench/sim: the shipped rolling.lua over 1,000 brokers and 1,000,000 partitions, RF 3.
 *
 * Through everything a rehearsal uses: Lua, the guard, the journal (in memory) and the oracle.  Passes
 * with at most 3 s of CPU and 128 MB of memory, and when the cost grows about as the work does:
 * CPU(1,000 x 1,000,000) / CPU(100 x 100,000) at most 25 (linear would be 10; the cache takes the rest).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define CPU_LIMIT_MS 3000
#define MEMORY_LIMIT_KB (128 * 1024)
#define RATIO_LIMIT 25

typedef struct figures {
    double cpu_ms;
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
    double before = cpu_ms();
    kp_err *e = kp_files_init(a, NULL, &files);
    if (!e)
        e = kp_json_read(a, json, strlen(json), &spec);
    if (!e)
        e = kp_sim_from_spec(a, spec, NULL, &sim);
    if (!e) {
        kp_run_spec run = { .world = kp_sim_world(sim),
                            .simulated = true,
                            .inventory = kp_sim_inventory(a, sim, NULL),
                            .playbook = "rolling.lua",
                            .find = kp_files_find,
                            .find_ud = &files,
                            .who = "bench",
                            .assume_yes = true,
                            .sink = { .event = nothing } };
        e = kp_run_first(a, &run, &report);
        f.violations = kp_get_int(kp_sim_oracle(a, sim), "violations", -1);
        f.stops = (int64_t)kp_len(kp_get(report, "stops"));
        f.records = kp_get_int(report, "records", 0);
        f.requests = kp_get_int(report, "requests", 0);
        kp_sim_close(sim);
    }
    f.cpu_ms = cpu_ms() - before;
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

int main(void)
{
    figures small = measure(100, 1000), large = measure(1000, 10000);

    printf("100 x 100,000      %7.0f ms CPU  %6ld kB  %" PRId64 " stops  %" PRId64
           " records  %" PRId64 " requests\n",
           small.cpu_ms, small.memory_kb, small.stops, small.records, small.requests);
    printf("1,000 x 1,000,000  %7.0f ms CPU  %6ld kB  %" PRId64 " stops  %" PRId64
           " records  %" PRId64 " requests\n",
           large.cpu_ms, large.memory_kb, large.stops, large.records, large.requests);
    printf("ratio %.1f (at most %d)\n", large.cpu_ms / small.cpu_ms, RATIO_LIMIT);
    bool ok = !small.failed && !large.failed && large.cpu_ms <= CPU_LIMIT_MS &&
              large.memory_kb <= MEMORY_LIMIT_KB && large.cpu_ms / small.cpu_ms <= RATIO_LIMIT &&
              large.stops == 1003 && !large.violations;
    puts(ok ? "passed"
            : "FAILED: at most 3000 ms CPU, 131072 kB, 1003 stops, no violation of the oracle");
    return ok ? 0 : 1;
}
