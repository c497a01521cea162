/* The block a simulated cluster lives in: memory, and a file that outlives the process.
 *
 * A file holds the block twice.  The cluster is changed in memory; when a change is whole, what
 * differs is written to the copy that is not in force, and one store puts that one in force.  So a
 * file shows the cluster before a change or after it, whenever its process is killed.
 *
 * The file is valid when
 *   1  the first eight bytes are the magic (written last, when everything else is in place),
 *   2  format and header size are this build's,
 *   3  the layout computed from the counts in the header is the one the header gives, and twice its
 *      size, after the head, is the size of the file,
 *   4  every index in it is in range.
 * It is locked while a process uses it.  It needs no sync: it is to survive a kill, not a power
 * cut.
 */
#include "sim/oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "kp-sim\n\2";

/* The first page of a file. */
typedef struct file_head {
    char magic[8];
    uint32_t format, header_size;
    uint64_t changes; /* so far; the copy in force is changes % 2 */
} file_head;

#define PAGE ((size_t)4096)
#define OWN_LIMIT ((size_t)64 << 20)
#define SCRATCH_LIMIT ((size_t)16 << 20)
#define ALIGN 64u
#define POOL_FIRST 64u /* offset 0 stays free: "no block" */
#define POOL_SMALLEST 64u

static void lay_out(kp_sim_header *h, const kp_sim_sizes *s)
{
    uint64_t timers = (uint64_t)s->nodes * KP_SIM_T_PER_NODE + KP_SIM_T_GLOBALS + KP_SIM_MAX_FAULTS;
    const uint64_t bytes[KP_SIM_PARTS] = {
        [KP_SIM_P_NODES] = s->nodes * sizeof(kp_sim_node),
        [KP_SIM_P_TOPICS] = s->topics * sizeof(kp_sim_topic),
        [KP_SIM_P_FIRST_REP] = ((uint64_t)s->parts + 1) * sizeof(uint32_t),
        [KP_SIM_P_REP] = s->reps * sizeof(uint16_t),
        [KP_SIM_P_ISR] = kp_sim_bit_words(s->reps) * sizeof(uint64_t),
        [KP_SIM_P_LEADER] = s->parts * sizeof(uint16_t),
        [KP_SIM_P_MIN] = s->parts * sizeof(uint16_t),
        [KP_SIM_P_FLAGS] = s->parts,
        [KP_SIM_P_EPOCH] = s->parts * sizeof(int32_t),
        [KP_SIM_P_RATE] = s->parts * sizeof(float),
        [KP_SIM_P_BY_FIRST] = ((uint64_t)s->brokers + 1) * sizeof(uint32_t),
        [KP_SIM_P_BY_BROKER] = s->reps * sizeof(uint32_t),
        [KP_SIM_P_OUT] = s->brokers * sizeof(uint32_t),
        [KP_SIM_P_LEADS] = s->brokers * sizeof(uint32_t),
        [KP_SIM_P_BROKERS] = s->brokers * sizeof(uint16_t),
        [KP_SIM_P_DUE] = timers * sizeof(kp_us),
        [KP_SIM_P_FAULTS] = KP_SIM_MAX_FAULTS * sizeof(kp_sim_fault_plan),
        [KP_SIM_P_ACTS] = h->max_acts * sizeof(kp_sim_act),
        [KP_SIM_P_CLAIMS] = 2 * (uint64_t)h->max_claims * sizeof(kp_sim_claim),
        [KP_SIM_P_CONFIGS] = KP_SIM_CONFIGS * sizeof(kp_sim_config),
        [KP_SIM_P_MOVES] = s->moves * sizeof(kp_sim_move),
        [KP_SIM_P_ADDING] = s->moves ? kp_sim_bit_words(s->reps) * sizeof(uint64_t) : 0,
        [KP_SIM_P_REMOVING] = s->moves ? kp_sim_bit_words(s->reps) * sizeof(uint64_t) : 0,
        [KP_SIM_P_BREAKING] = s->breaking * sizeof(kp_sim_breaking),
        [KP_SIM_P_GROUPS] = s->groups * sizeof(kp_sim_group),
        [KP_SIM_P_CLIENTS] = s->clients * sizeof(kp_sim_client),
        [KP_SIM_P_STRINGS] = s->strings,
        [KP_SIM_P_ORACLE] = kp_sim_oracle_bytes(s->nodes),
        [KP_SIM_P_POOL] = s->pool,
    };
    uint64_t at = (sizeof *h + ALIGN - 1) / ALIGN * ALIGN;

    for (int i = 0; i < KP_SIM_PARTS; i++) {
        h->off[i] = at;
        h->bytes[i] = bytes[i];
        at = (at + bytes[i] + ALIGN - 1) / ALIGN * ALIGN;
    }
    h->size = (at + PAGE - 1) / PAGE * PAGE;
}

static off_t copy_at(const kp_sim_header *h, uint64_t which)
{
    return (off_t)(PAGE + which * h->size);
}

static void point(kp_sim *sim)
{
    char *b = (char *)sim->h;
    const uint64_t *off = sim->h->off;

    sim->node = (kp_sim_node *)(void *)(b + off[KP_SIM_P_NODES]);
    sim->topic = (kp_sim_topic *)(void *)(b + off[KP_SIM_P_TOPICS]);
    sim->first_rep = (uint32_t *)(void *)(b + off[KP_SIM_P_FIRST_REP]);
    sim->rep = (uint16_t *)(void *)(b + off[KP_SIM_P_REP]);
    sim->isr = (uint64_t *)(void *)(b + off[KP_SIM_P_ISR]);
    sim->leader = (uint16_t *)(void *)(b + off[KP_SIM_P_LEADER]);
    sim->min_isr = (uint16_t *)(void *)(b + off[KP_SIM_P_MIN]);
    sim->flags = (uint8_t *)(b + off[KP_SIM_P_FLAGS]);
    sim->epoch = (int32_t *)(void *)(b + off[KP_SIM_P_EPOCH]);
    sim->rate = (float *)(void *)(b + off[KP_SIM_P_RATE]);
    sim->by_first = (uint32_t *)(void *)(b + off[KP_SIM_P_BY_FIRST]);
    sim->by_broker = (uint32_t *)(void *)(b + off[KP_SIM_P_BY_BROKER]);
    sim->out = (uint32_t *)(void *)(b + off[KP_SIM_P_OUT]);
    sim->leads = (uint32_t *)(void *)(b + off[KP_SIM_P_LEADS]);
    sim->broker = (uint16_t *)(void *)(b + off[KP_SIM_P_BROKERS]);
    sim->due = (kp_us *)(void *)(b + off[KP_SIM_P_DUE]);
    sim->fault = (kp_sim_fault_plan *)(void *)(b + off[KP_SIM_P_FAULTS]);
    sim->act = (kp_sim_act *)(void *)(b + off[KP_SIM_P_ACTS]);
    sim->claim = (kp_sim_claim *)(void *)(b + off[KP_SIM_P_CLAIMS]);
    sim->config = (kp_sim_config *)(void *)(b + off[KP_SIM_P_CONFIGS]);
    sim->move = (kp_sim_move *)(void *)(b + off[KP_SIM_P_MOVES]);
    sim->adding = (uint64_t *)(void *)(b + off[KP_SIM_P_ADDING]);
    sim->removing = (uint64_t *)(void *)(b + off[KP_SIM_P_REMOVING]);
    sim->breaking = (kp_sim_breaking *)(void *)(b + off[KP_SIM_P_BREAKING]);
    sim->group = (kp_sim_group *)(void *)(b + off[KP_SIM_P_GROUPS]);
    sim->client = (kp_sim_client *)(void *)(b + off[KP_SIM_P_CLIENTS]);
    sim->strings = b + off[KP_SIM_P_STRINGS];
    sim->oracle = (struct kp_sim_oracle_state *)(void *)(b + off[KP_SIM_P_ORACLE]);
    sim->pool = b + off[KP_SIM_P_POOL];
    sim->n_timers = (uint32_t)(sim->h->bytes[KP_SIM_P_DUE] / sizeof(kp_us));
}

static kp_sim *shell(kp_sim_header *h, int fd, const char *kept)
{
    kp_sim *sim = kp_malloc(sizeof *sim);

    *sim = (kp_sim) { .world = { .c = &kp_sim_world_class }, .h = h, .fd = fd, .kept = kept };
    point(sim);
    return sim;
}

static kp_err *file_failed(const char *path, int error)
{
    return kp_err_at(kp_err_new(KP_CONFIG,
                                "choose a place for the simulated cluster that can be written",
                                "cannot keep a simulated cluster there: %s", strerror(error)),
                     "%s", path);
}

static kp_err *in_use(const char *path)
{
    return kp_err_at(kp_err_new(KP_CONFIG, "wait until the other kplay has ended",
                                "another process uses this simulated cluster"),
                     "%s", path);
}

static void *map_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        kp_die("out of memory for a simulated cluster of %zu bytes", size);
    return p;
}

/* To be looked at; it is written by pwrite.  NULL: errno says why. */
static const char *map_file(int fd, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* ---- a change is whole ---- */

static void store(const kp_sim *sim, const void *p, size_t n, off_t at)
{
    if (pwrite(sim->fd, p, n, at) != (ssize_t)n)
        kp_die("the file of the simulated cluster cannot be written: %s", strerror(errno));
}

/* How much of a part has ever been written: the rest is as it was made, in both copies. */
static uint64_t used(const kp_sim *sim, int part)
{
    const kp_sim_header *h = sim->h;
    uint64_t n = part == KP_SIM_P_ACTS   ? h->n_acts * sizeof(kp_sim_act)
                 : part == KP_SIM_P_POOL ? h->pool_end
                                         : h->bytes[part];
    return n < h->bytes[part] ? n : h->bytes[part];
}

static void keep(const kp_sim *sim, uint64_t which, uint64_t from, uint64_t n)
{
    const char *is = (const char *)sim->h, *was = sim->kept + copy_at(sim->h, which);

    for (uint64_t at = from / PAGE * PAGE; at < from + n; at += PAGE)
        if (memcmp(is + at, was + at, PAGE) != 0)
            store(sim, is + at, PAGE, copy_at(sim->h, which) + (off_t)at);
}

/* Another process may be changing it. */
static uint64_t changes_of(const char *kept)
{
    return ((const volatile file_head *)(const volatile void *)kept)->changes;
}

void kp_sim_commit(kp_sim *sim)
{
    if (sim->fd < 0)
        return;
    uint64_t next = changes_of(sim->kept) + 1;
    keep(sim, next % 2, 0, sizeof *sim->h);
    for (int i = 0; i < KP_SIM_PARTS; i++)
        keep(sim, next % 2, sim->h->off[i], used(sim, i));
    store(sim, &next, sizeof next, offsetof(file_head, changes));
}

/* ---- made, and put into a file ---- */

kp_sim *kp_sim_block_new(const kp_sim_sizes *sizes)
{
    kp_sim_header head = {
        .n_nodes = sizes->nodes,
        .n_brokers = sizes->brokers,
        .n_topics = sizes->topics,
        .n_parts = sizes->parts,
        .n_reps = sizes->reps,
        .n_moves = sizes->moves,
        .n_breaking = sizes->breaking,
        .n_groups = sizes->groups,
        .n_clients = sizes->clients,
        .max_acts = 8 * sizes->nodes + 4096,
        .max_claims = 8 * sizes->nodes + 4096,
        .pool_end = POOL_FIRST,
    };

    lay_out(&head, sizes);
    void *p = map_memory(head.size);
    memcpy(p, &head, sizeof head);
    kp_sim *sim = shell(p, -1, NULL);
    for (uint32_t t = 0; t < sim->n_timers; t++)
        sim->due[t] = KP_SIM_NEVER;
    return sim;
}

/* Empty and locked. */
static int make_file(const kp_sim *sim, const char *path, const char **ret_kept)
{
    size_t size = (size_t)copy_at(sim->h, 2);
    unlink(path); /* of one that had this number and was killed */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int error = flock(fd, LOCK_EX | LOCK_NB) == 0 ? posix_fallocate(fd, 0, (off_t)size) : errno;
    *ret_kept = error == 0 ? map_file(fd, size) : NULL;
    if (*ret_kept)
        return fd;
    error = error ? error : errno;
    close(fd);
    unlink(path);
    errno = error;
    return -1;
}

kp_err *kp_sim_keep(kp_sim *sim, const char *path)
{
    file_head head = { .format = KP_SIM_FORMAT, .header_size = sizeof *sim->h };
    KP_AUTO_ARENA a = kp_arena_new("simulated cluster's path", 64 << 10);
    const char *made = kp_printf(a, "%s.new.%d", path, (int)getpid()), *kept;
    int old = open(path, O_RDWR | O_CLOEXEC); /* not from under somebody who uses it */
    bool used = old >= 0 && flock(old, LOCK_EX | LOCK_NB) != 0;
    int fd = used ? -1 : make_file(sim, made, &kept), error = errno;

    if (fd >= 0) {
        sim->fd = fd;
        sim->kept = kept;
        store(sim, &head, sizeof head, 0);
        kp_sim_commit(sim);
        store(sim, magic, sizeof magic, 0);
        error = rename(made, path) == 0 ? 0 : errno;
        if (error)
            unlink(made);
    }
    if (old >= 0)
        close(old);
    return used ? in_use(path) : error ? file_failed(path, error) : NULL;
}

/* What lies beside the block: the view's tables, the heap, the lists of what catches up. */
static void furnish(kp_sim *sim)
{
    kp_sim_header *h = sim->h;

    sim->own = kp_arena_new("simulated cluster", OWN_LIMIT);
    sim->scratch = kp_arena_new("simulator's scratch", SCRATCH_LIMIT);
    sim->zeros = KP_NEW_ARRAY(sim->own, h->n_brokers + 1, uint32_t);
    sim->view_broker = KP_NEW_ARRAY(sim->own, h->n_brokers + 1, kp_view_broker);
    sim->can_lead = KP_NEW_ARRAY(sim->own, h->n_brokers + 1, uint8_t);
    for (uint32_t i = 0; i < h->n_brokers; i++)
        kp_sim_node_shown(sim, (int32_t)sim->broker[i]);
    sim->view_topic = KP_NEW_ARRAY(sim->own, h->n_topics + 1, kp_view_topic);
    for (uint32_t i = 0; i < h->n_topics; i++) {
        const kp_sim_topic *t = &sim->topic[i];
        kp_view_topic *v = &sim->view_topic[i];
        *v = (kp_view_topic) { .name = kp_sim_string(sim, t->name),
                               .first = t->first,
                               .n = t->n,
                               .internal = t->internal };
        memcpy(v->id, t->id, sizeof v->id);
    }
    sim->timer_at = KP_NEW_ARRAY(sim->own, sim->n_timers, size_t);
    kp_sim_timers_rebuild(sim);
    sim->flows = KP_NEW_ARRAY(sim->own, h->n_nodes + 1, kp_sim_flows);
    sim->file = KP_NEW_ARRAY(sim->own, h->n_nodes + 1, kp_sim_file);
    sim->frozen = KP_NEW_ARRAY(sim->own, h->n_nodes + 1, kp_sim_frozen *);
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        if (sim->due[kp_sim_timer_of((int32_t)i, KP_SIM_T_CATCH_UP)] != KP_SIM_NEVER)
            kp_sim_catch_up_restore(sim, (int32_t)i);
        if (sim->node[i].troubles & KP_SIM_STALE)
            kp_sim_freeze(sim, (int32_t)i);
        if (sim->node[i].recheck)
            sim->n_recheck++;
    }
}

void kp_sim_block_ready(kp_sim *sim)
{
    furnish(sim);
}

/* Each replica is in its broker's row, in the order of the partitions. */
static bool by_broker_fits(const kp_sim *sim)
{
    const kp_sim_header *h = sim->h;
    uint32_t *next = kp_malloc((h->n_brokers + 1) * sizeof *next);
    bool fits = sim->by_first[0] == 0;

    memcpy(next, sim->by_first, h->n_brokers * sizeof *next);
    for (uint32_t p = 0; fits && p < h->n_parts; p++)
        for (uint32_t i = sim->first_rep[p]; fits && i < sim->first_rep[p + 1]; i++) {
            uint32_t b = sim->rep[i], at = next[b]++;
            fits = at < sim->by_first[b + 1] && sim->by_broker[at] == p;
        }
    free(next);
    return fits;
}

/* Condition 4. */
static bool in_range(const kp_sim *sim)
{
    const kp_sim_header *h = sim->h;
    uint64_t strings = h->bytes[KP_SIM_P_STRINGS], pool = h->bytes[KP_SIM_P_POOL];

    if (strings == 0 || sim->strings[strings - 1] != '\0' || sim->first_rep[0] != 0 ||
        sim->first_rep[h->n_parts] != h->n_reps || sim->by_first[h->n_brokers] != h->n_reps ||
        h->leader >= (int32_t)h->n_nodes || h->n_faults > KP_SIM_MAX_FAULTS ||
        h->n_acts > h->max_acts || h->n_claims > h->max_claims ||
        h->n_releases > KP_SIM_MAX_RELEASES || h->n_open > KP_SIM_OPEN_ACTS)
        return false;
    for (uint32_t i = 0; i < h->n_releases; i++)
        if (!memchr(h->release[i], '\0', sizeof h->release[i]))
            return false;
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        const kp_sim_node *n = &sim->node[i];
        const kp_sim_text *t = n->text_now < 2 ? kp_sim_node_text(n) : NULL;
        if (!t || (uint64_t)t->off + t->n >= pool ||
            (uint64_t)n->started.off + n->started.n >= pool || n->link >= h->n_releases ||
            n->running >= h->n_releases || (n->slot != KP_SIM_NO_SLOT && n->slot >= h->n_brokers) ||
            n->host >= strings || n->rack >= strings || n->config >= strings ||
            n->current >= strings || n->releases_dir >= strings || n->log_dir >= strings)
            return false;
    }
    for (uint32_t i = 0; i < h->n_brokers; i++)
        if (sim->broker[i] >= h->n_nodes || sim->by_first[i] > sim->by_first[i + 1])
            return false;
    for (uint32_t i = 0; i < h->n_topics; i++)
        if (sim->topic[i].name >= strings ||
            (uint64_t)sim->topic[i].first + sim->topic[i].n > h->n_parts)
            return false;
    for (uint32_t p = 0; p < h->n_parts; p++) {
        if (sim->first_rep[p + 1] < sim->first_rep[p] || sim->first_rep[p + 1] > h->n_reps ||
            (sim->leader[p] >= kp_sim_rf(sim, p) && sim->leader[p] != KP_VIEW_NO_LEADER))
            return false;
    }
    for (uint32_t i = 0; i < h->n_moves; i++)
        if (sim->move[i].p >= h->n_parts)
            return false;
    for (uint32_t i = 0; i < h->n_reps; i++)
        if (sim->rep[i] >= h->n_brokers)
            return false;
    return by_broker_fits(sim);
}

static bool same_layout(const kp_sim_header *h, uint64_t size)
{
    kp_sim_header again = { .max_acts = h->max_acts, .max_claims = h->max_claims };
    const kp_sim_sizes sizes = {
        .nodes = h->n_nodes,
        .brokers = h->n_brokers,
        .topics = h->n_topics,
        .parts = h->n_parts,
        .reps = h->n_reps,
        .moves = h->n_moves,
        .breaking = h->n_breaking,
        .groups = h->n_groups,
        .clients = h->n_clients,
        .strings = h->bytes[KP_SIM_P_STRINGS],
        .pool = h->bytes[KP_SIM_P_POOL],
    };

    if (h->n_nodes > KP_SIM_MAX_NODES || h->n_brokers > h->n_nodes ||
        h->n_topics > KP_SIM_MAX_TOPICS || h->n_parts > KP_SIM_MAX_PARTITIONS ||
        h->n_reps > (uint64_t)h->n_parts * h->n_brokers || h->n_reps > KP_SIM_MAX_REPLICAS ||
        h->max_acts > 1u << 24 || h->max_claims > 1u << 24 || sizes.strings > size ||
        sizes.pool > size)
        return false;
    lay_out(&again, &sizes);
    return again.size == h->size && h->size == size &&
           memcmp(again.off, h->off, sizeof h->off) == 0 &&
           memcmp(again.bytes, h->bytes, sizeof h->bytes) == 0;
}

/* From here on it is in memory only. */
static void let_go(kp_sim *sim)
{
    if (sim->kept)
        munmap((void *)(uintptr_t)sim->kept, (size_t)copy_at(sim->h, 2));
    if (sim->fd >= 0)
        close(sim->fd);
    sim->kept = NULL;
    sim->fd = -1;
}

/* The copy in force, in memory of its own; NULL: the file is none of ours.  Another process may
 * have written over what was being read: then it is read again. */
static kp_sim *load(int fd, const char *kept, uint64_t file_size)
{
    const file_head *head = (const void *)kept;
    uint64_t size = (file_size - PAGE) / 2, changes;

    if (memcmp(head->magic, magic, sizeof magic) != 0 || head->format != KP_SIM_FORMAT ||
        head->header_size != sizeof(kp_sim_header) || size < sizeof(kp_sim_header) ||
        file_size != PAGE + 2 * size)
        return NULL;
    kp_sim_header *h = map_memory(size);
    do {
        changes = changes_of(kept);
        memcpy(h, kept + PAGE + changes % 2 * size, size);
    } while (changes_of(kept) != changes);
    if (same_layout(h, size)) {
        kp_sim *sim = shell(h, fd, kept);
        if (in_range(sim))
            return sim;
        free(sim);
    }
    munmap(h, size);
    return NULL;
}

static kp_err *open_file(const char *path, bool to_change, kp_sim **ret_sim)
{
    struct stat st;
    int fd = open(path, (to_change ? O_RDWR : O_RDONLY) | O_CLOEXEC);

    if (fd < 0)
        return file_failed(path, errno);
    if (to_change && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return in_use(path);
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        st.st_size = 0;
    const char *kept = st.st_size > (off_t)PAGE ? map_file(fd, (size_t)st.st_size) : NULL;
    kp_sim *sim = kept ? load(fd, kept, (uint64_t)st.st_size) : NULL;
    if (sim) {
        furnish(sim);
        if (!to_change)
            let_go(sim);
        kp_err *e = kp_sim_audit(sim);
        if (e)
            kp_sim_close(sim);
        else
            *ret_sim = sim;
        return e ? kp_err_at(e, "%s", path) : NULL;
    }
    if (kept)
        munmap((void *)(uintptr_t)kept, (size_t)st.st_size);
    close(fd);
    return kp_err_at(kp_err_new(KP_CONFIG, "remove the file; the next run makes a new one",
                                "not a simulated cluster of this kplay"),
                     "%s", path);
}

kp_err *kp_sim_open_file(const char *path, kp_sim **ret_sim)
{
    return open_file(path, true, ret_sim);
}

kp_err *kp_sim_look(const char *path, kp_sim **ret_sim)
{
    return open_file(path, false, ret_sim);
}

kp_sim *kp_sim_copy(const kp_sim *sim)
{
    kp_sim_header *h = map_memory(sim->h->size);

    memcpy(h, sim->h, sim->h->size);
    kp_sim *copy = shell(h, -1, NULL);
    furnish(copy);
    for (uint32_t i = 0; i < h->n_nodes; i++)
        if (sim->frozen[i])
            kp_sim_freeze_as(copy, (int32_t)i, sim->frozen[i]);
    return copy;
}

void kp_sim_close(kp_sim *sim)
{
    if (!sim)
        return;
    kp_sim_calls_drop(sim);
    kp_heap_done(&sim->timers);
    if (sim->own)
        for (uint32_t i = 0; i < sim->h->n_nodes; i++) {
            kp_sim_thaw(sim, (int32_t)i);
            free(sim->flows[i].e);
        }
    kp_loop_free(sim->loop);
    kp_arena_free(sim->own);
    kp_arena_free(sim->scratch);
    let_go(sim);
    munmap(sim->h, sim->h->size);
    free(sim);
}

/* ---- texts: blocks of 64 bytes and their doublings, freed ones chained through their first
 * word ---- */

static uint32_t class_of(size_t n)
{
    uint32_t c = 0;

    while (((size_t)POOL_SMALLEST << c) < n)
        c++;
    return c;
}

size_t kp_sim_pool_need(size_t n)
{
    return (size_t)POOL_SMALLEST << class_of(n + 1);
}

static uint32_t pool_take(kp_sim *sim, uint32_t c)
{
    kp_sim_header *h = sim->h;
    uint32_t size = POOL_SMALLEST << c, off = h->pool_free[c];

    if (off != 0) {
        memcpy(&h->pool_free[c], sim->pool + off, sizeof(uint32_t));
        return off;
    }
    if (h->pool_end + (uint64_t)size > h->bytes[KP_SIM_P_POOL])
        return 0;
    off = h->pool_end;
    h->pool_end += size;
    return off;
}

static void pool_give(kp_sim *sim, const kp_sim_text *t)
{
    if (t->off == 0)
        return;
    memcpy(sim->pool + t->off, &sim->h->pool_free[t->size_class], sizeof(uint32_t));
    sim->h->pool_free[t->size_class] = t->off;
}

void kp_sim_text_started(kp_sim *sim, kp_sim_node *node)
{
    pool_give(sim, &node->started);
    node->started = (kp_sim_text) { 0 };
}

bool kp_sim_text_set(kp_sim *sim, kp_sim_node *node, const void *p, size_t n)
{
    kp_sim_text old = *kp_sim_node_text(node);
    uint32_t c = class_of(n + 1);
    uint32_t off = c < KP_SIM_POOL_CLASSES ? pool_take(sim, c) : 0;

    if (off == 0)
        return false;
    memcpy(sim->pool + off, p, n);
    sim->pool[off + n] = '\0';
    node->text[!node->text_now] = (kp_sim_text) { .off = off, .n = (uint32_t)n, .size_class = c };
    node->text_now = !node->text_now;
    node->text_gen++;
    if (kp_sim_has_process(node) && node->started.off == 0)
        node->started = old;
    else
        pool_give(sim, &old);
    return true;
}
