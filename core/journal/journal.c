/* journal: the format of a run's record, and how one record is added.
 *
 * A journal is valid when all of these hold; scan.c checks them by these numbers.
 *
 *  1. It is a sequence of lines.  Every line ends with one newline byte and has no other.
 *  2. A line is at most 65,536 bytes long, newline included; the file at most 64 MiB.
 *  3. A line begins with  {"n":N,"t":"TIME","k":"KIND"  and ends with  ,"h":"LINK"}  and has those
 *     bytes in exactly that spelling, without spaces.
 *  4. LINK is 32 lower-case hex digits: the first 16 bytes of
 *     SHA-256( link before as 16 bytes || the bytes of this line before  ,"h":" ).
 *     The link before line 1 is 16 zero bytes.  The hash is over raw bytes: no canonical form is
 *     needed to check it.
 *  5. N is a decimal number without leading zeros: 1 in line 1, then one more in every line.
 *  6. TIME is UTC as 2026-11-22T05:00:00.012Z.  It may go back: clocks do.
 *  7. KIND is one of the names below.  Line 1 is "open", no other line is.
 *  8. The line is one JSON object whose keys are unique; n, t, k and h appear at the top level only
 *     where condition 3 says.
 *  9. The open record has "fmt":1, the number of this format.
 * 10. A record with the key blob (64 hex digits) has no key K: its K is the JSON text of the file
 *     blobs/<blob>, whose SHA-256 that name is and which was on disk before the record was.  K is
 *     the text of its key blob_of, or r without one.
 *
 * A last line that breaks 1, 3 or 4 is a torn write: it was never acknowledged, so it is saved
 * aside and cut off.  Everything else that breaks a condition is damage, and the run is refused.
 * Damage in the last line is told from a torn write where it can be: when LINK is right, when the
 * line is longer than one record can be, when a whole record stands at its beginning (the newline
 * behind it is gone), and when a line that is whole says another N than the next.
 *
 * What a chain cannot show: whole records cut off the end, and a rewrite by someone who computes
 * it anew.  For that, n and link are printed and may be compared (kp_journal_head).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/inside.h"

#define SCRATCH_LIMIT ((size_t)4 * KP_BLOB_LIMIT) /* a body with a blob, twice, and its texts */
#define LAST_WORDS ((int64_t)1 << 20)    /* of KP_JOURNAL_LIMIT, kept to end the run with */

static const char *const kind_names[KP_KINDS] = {
    [KP_K_OPEN] = "open",     [KP_K_SESSION] = "session", [KP_K_READ] = "read",
    [KP_K_ASK] = "ask",       [KP_K_INTENT] = "intent",   [KP_K_WAIT] = "wait",
    [KP_K_NOTE] = "note",     [KP_K_DONE] = "done",       [KP_K_DOUBT] = "doubt",
    [KP_K_CHANGE] = "change", [KP_K_PAUSE] = "pause",     [KP_K_ERROR] = "error",
    [KP_K_CLOSE] = "close",
};

const char *kp_kind_name(kp_kind k)
{
    return kind_names[k];
}

/* ---- the chain ---- */

static void must(int ok)
{
    if (ok != 1)
        kp_die("SHA-256 is not available: the OpenSSL library of this machine refuses it");
}

void kp_chain_init(kp_chain *c)
{
    memset(c->link, 0, sizeof c->link);
    c->md = EVP_MD_CTX_new();
    must(c->md != NULL);
    must(EVP_DigestInit_ex2(c->md, EVP_sha256(), NULL));
}

void kp_chain_done(kp_chain *c)
{
    EVP_MD_CTX_free(c->md);
    c->md = NULL;
}

void kp_chain_begin(const kp_chain *c)
{
    must(EVP_DigestInit_ex2(c->md, NULL, NULL)); /* the same digest again, without looking it up */
    must(EVP_DigestUpdate(c->md, c->link, sizeof c->link));
}

void kp_chain_feed(const kp_chain *c, const char *p, size_t n)
{
    must(EVP_DigestUpdate(c->md, p, n));
}

static void finish(EVP_MD_CTX *md, unsigned char ret_link[KP_LINK_BYTES])
{
    unsigned char all[EVP_MAX_MD_SIZE];
    must(EVP_DigestFinal_ex(md, all, NULL));
    memcpy(ret_link, all, KP_LINK_BYTES);
}

void kp_chain_peek(const kp_chain *c, EVP_MD_CTX *spare, unsigned char ret_link[KP_LINK_BYTES])
{
    must(EVP_MD_CTX_copy_ex(spare, c->md));
    finish(spare, ret_link);
}

void kp_chain_next(const kp_chain *c, const char *p, size_t n,
                   unsigned char ret_link[KP_LINK_BYTES])
{
    kp_chain_begin(c);
    kp_chain_feed(c, p, n);
    finish(c->md, ret_link);
}

void kp_chain_text(const unsigned char link[KP_LINK_BYTES], char ret_text[KP_LINK_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < KP_LINK_BYTES; i++) {
        ret_text[2 * i] = digits[link[i] >> 4];
        ret_text[2 * i + 1] = digits[link[i] & 15];
    }
    ret_text[KP_LINK_TEXT] = '\0';
}

/* ---- the object ---- */

kp_journal *kp_journal_new(kp_arena *a, const kp_disk *d, const char *run, const char *dir)
{
    kp_journal *j = kp_malloc(sizeof *j);
    *j = (kp_journal){ .a = a, .d = d, .run = kp_strdup(a, run), .fd = -1, .lock_fd = -1 };
    j->scratch = kp_arena_new("a journal record", SCRATCH_LIMIT);
    j->line = KP_BUF_INIT(KP_RECORD_LIMIT);
    kp_chain_init(&j->chain);
    kp_chain_text(j->chain.link, j->head);
    if (dir)
        kp_journal_moved(j, dir);
    return j;
}

void kp_journal_moved(kp_journal *j, const char *dir)
{
    j->dir = kp_strdup(j->a, dir);
    j->path = kp_printf(j->a, "%s/journal.jsonl", dir);
}

void kp_journal_free(kp_journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    kp_lock_drop(j->lock_fd);
    kp_chain_done(&j->chain);
    kp_buf_done(&j->line);
    kp_arena_free(j->scratch);
    free(j->rec);
    free(j);
}

const char *kp_journal_run(const kp_journal *j)
{
    return j->run;
}

const char *kp_journal_dir(const kp_journal *j)
{
    return j->dir;
}

int64_t kp_journal_n(const kp_journal *j)
{
    return j->n;
}

const char *kp_journal_head(const kp_journal *j)
{
    return j->head;
}

const kp_record *kp_journal_at(const kp_journal *j, int64_t n)
{
    return n >= 1 && n <= j->readable ? j->rec[n - 1] : NULL;
}

/* A `sources` map replaces the texts it names; `whole`: all that were there. */
static void learn_sources(kp_journal *j, kp_kind kind, const kp_value *body)
{
    const kp_value *more = kp_get(body, "sources");
    if ((kind != KP_K_OPEN && kind != KP_K_CHANGE) || !kp_is(more, KP_MAP))
        return;
    kp_builder b = kp_map_begin(j->a);
    bool whole = kp_get_bool(body, "whole", false);
    for (uint32_t i = 0; !whole && i < kp_len(j->sources); i++)
        kp_map_add(&b, j->sources->keys[i], j->sources->u.items[i]);
    for (uint32_t i = 0; i < more->n; i++)
        kp_map_add(&b, more->keys[i], more->u.items[i]);
    j->sources = kp_value_copy(j->a, kp_map_end(&b));
}

void kp_journal_learn(kp_journal *j, const kp_record *rec)
{
    if (j->readable == j->rec_cap) {
        j->rec_cap = j->rec_cap ? 2 * j->rec_cap : 64; /* bounded by KP_JOURNAL_LIMIT */
        j->rec = kp_realloc(j->rec, (size_t)j->rec_cap * sizeof *j->rec);
    }
    j->rec[j->readable++] = rec;
    learn_sources(j, rec->kind, rec->body);
}

const kp_value *kp_journal_open_body(const kp_journal *j, const kp_value *body,
                                     const kp_value *sources)
{
    body = kp_map_with(j->a, body, "fmt", kp_int(j->a, KP_JOURNAL_FORMAT));
    body = kp_map_with(j->a, body, "run", kp_text(j->a, j->run));
    return kp_map_with(j->a, body, "sources", sources);
}

kp_journal *kp_journal_memory(kp_arena *a, kp_ms now, const kp_value *open_body,
                              const kp_source *sources, size_t n_sources)
{
    kp_journal *j = kp_journal_new(a, NULL, kp_get_text(open_body, "run", ""), NULL);
    const kp_value *map = NULL;
    kp_err *err = kp_store_sources(a, j, sources, n_sources, &map);
    if (!err)
        err = kp_journal_append(j, KP_K_OPEN, now, kp_journal_open_body(j, open_body, map));
    if (err)
        kp_die("%s", kp_err_text(a, err));
    return j;
}

/* ---- KPLAY_CRASH ---- */

kp_err *kp_journal_crash_hook(kp_journal *j)
{
    const char *text = getenv("KPLAY_CRASH");
    if (!text || !*text)
        return NULL;
    bool after = kp_starts_with(text, "record:"), in = kp_starts_with(text, "torn:");
    const char *digits = strchr(text, ':');
    char *end = NULL;
    long long n = digits ? strtoll(digits + 1, &end, 10) : 0;
    if ((!after && !in) || n < 1 || *end)
        return kp_err_new(KP_USAGE, "unset it, or give record:N or torn:N",
                          "KPLAY_CRASH=%s is not understood", text);
    *(after ? &j->crash_after : &j->crash_in) = n;
    return NULL;
}

void kp_journal_crash(int64_t asked, int64_t n)
{
    if (asked && asked == n)
        kill(getpid(), SIGKILL);
}

void kp_journal_kill_after(kp_journal *j, int64_t n)
{
    j->killed_after = n;
}

bool kp_journal_killed(const kp_journal *j)
{
    return j->killed_after && j->n >= j->killed_after;
}

static kp_err *killed(const kp_journal *j)
{
    kp_err *err = kp_err_new(KP_PAUSED, "", "killed after record %" PRId64, j->n);
    return kp_err_next(err, "kplay resume %s", j->run);
}

/* ---- one line ---- */

/* Puts the line of the next record into j->line; false when it is longer than a line may be. */
static bool make_line(kp_journal *j, kp_kind kind, kp_ms now, const kp_value *body,
                      unsigned char ret_link[KP_LINK_BYTES])
{
    kp_buf *b = &j->line;
    kp_buf_clear(b);
    kp_buf_fmt(b, "{\"n\":%" PRId64 ",\"t\":\"%s\",\"k\":\"%s\"", j->n + 1,
               kp_time_text(j->scratch, now), kind_names[kind]);
    if (kp_len(body) > 0) { /* {members} becomes ,members */
        size_t at = b->n;
        kp_json_write(b, body);
        if (b->overflow)
            return false;
        b->p[at] = ',';
        b->p[--b->n] = '\0';
    }
    char text[KP_LINK_TEXT + 1];
    kp_chain_next(&j->chain, kp_buf_text(b), b->n, ret_link);
    kp_chain_text(ret_link, text);
    kp_buf_fmt(b, ",\"h\":\"%s\"}\n", text);
    return !b->overflow;
}

/* The made line is the newest record. */
static void take_line(kp_journal *j, const unsigned char link[KP_LINK_BYTES])
{
    j->n++;
    j->size += (int64_t)j->line.n;
    memcpy(j->chain.link, link, KP_LINK_BYTES);
    kp_chain_text(link, j->head);
}

/* False: no room; the file may have a part of the line behind its last whole record. */
static bool put_line(kp_journal *j)
{
    if (j->crash_in && j->crash_in == j->n + 1) {
        j->d->write(j->d->ud, j->fd, j->line.p, j->line.n / 2);
        kp_journal_crash(j->crash_in, j->n + 1);
    }
    return kp_disk_put(j->d, j->fd, j->path, j->line.p, j->line.n);
}

static kp_err *stopped(const kp_journal *j)
{
    if (j->lost)
        return kp_err_at(
            kp_err_new(KP_PAUSED,
                       "look at what it has done: kplay cluster check; it cannot be "
                       "resumed, a new run can begin",
                       "the journal of run %s %s: nothing was done after record %" PRId64, j->run,
                       j->lost, j->n),
            "%s", j->path);
    kp_err *err = kp_err_new(KP_PAUSED, "", "the disk is full: record %" PRId64 " was not written, "
                             "nothing was done after it", j->n + 1);
    err = kp_err_next(err, "make room in %s, then: kplay resume %s", j->dir, j->run);
    return kp_err_at(err, "%s", j->path);
}

/* There was no room: back to the last whole record, then a pause record in the room that the
 * reserve held.  A first record gets none: its run does not exist yet. */
static kp_err *stop(kp_journal *j, kp_ms now)
{
    kp_err *err = stopped(j);
    j->stopped = true;
    kp_disk_cut(j->d, j->fd, j->path, j->size);
    if (j->n == 0)
        return err;

    unsigned char link[KP_LINK_BYTES];
    const char *reserve = kp_printf(j->scratch, "%s/reserve", j->dir);
    j->d->unlink(j->d->ud, reserve);
    kp_err_drop(kp_disk_sync_dir(j->d, j->dir)); /* ext4 gives blocks back once that is on disk */
    const kp_value *why = kp_map(j->scratch, "why", kp_text(j->scratch, "the disk is full"), NULL);
    if (!make_line(j, KP_K_PAUSE, now, why, link))
        return err;
    if (put_line(j))
        take_line(j, link);
    else
        kp_disk_cut(j->d, j->fd, j->path, j->size);
    return err;
}

/* ---- append ---- */

/* What is written to a file that nobody can open any more is no record. */
static bool still_there(kp_journal *j)
{
    struct stat st;
    if (fstat(j->fd, &st) != 0 || st.st_nlink == 0)
        j->lost = "was removed while it ran";
    else if (st.st_size != j->size)
        j->lost = "was written by somebody else while it ran";
    return !j->lost;
}

static kp_err *check_record(kp_journal *j, kp_ms now, const kp_value *body)
{
    static const char *const reserved[] = { "n", "t", "k", "h", "blob", "blob_of" };
    if (strlen(kp_time_text(j->scratch, now)) != KP_TIME_TEXT)
        return kp_err_new(KP_INTERNAL, "report this as a bug", "a record's time is no time");
    if (body && body->type != KP_MAP)
        return kp_err_new(KP_INTERNAL, "report this as a bug", "a record's body must be a map");
    for (size_t i = 0; i < KP_COUNT(reserved); i++)
        if (kp_get(body, reserved[i]))
            return kp_err_new(KP_INTERNAL, "report this as a bug",
                              "a record's body must not have the key %s", reserved[i]);
    return NULL;
}

static kp_err *too_long(kp_kind kind)
{
    return kp_err_new(KP_PLAYBOOK, "ask for less at a time: name topics, partitions or nodes",
                      "the answer or arguments of this %s record are too long (%u bytes, results "
                      "%u)", kind_names[kind], KP_RECORD_LIMIT, KP_BLOB_LIMIT);
}

/* The key of a body whose value is the longest, and that value's text. */
static const char *longest(const kp_value *body, kp_buf *ret_text)
{
    const char *key = NULL;
    KP_AUTO_BUF one = KP_BUF_INIT(KP_BLOB_LIMIT);
    for (uint32_t i = 0; i < kp_len(body); i++) {
        kp_buf_clear(&one);
        kp_json_write(&one, body->u.items[i]);
        if (!one.overflow && one.n <= ret_text->n)
            continue;
        key = body->keys[i];
        kp_buf_clear(ret_text);
        kp_buf_add(ret_text, one.p, one.n);
        ret_text->overflow = one.overflow;
        if (one.overflow)
            break;
    }
    return key;
}

/* The body with its longest value named instead of contained, and that value's text. */
static kp_err *to_blob(kp_journal *j, kp_kind kind, const kp_value *body, kp_buf *ret_text,
                       const char **ret_sha, const kp_value **ret_body)
{
    const char *key = kind == KP_K_OPEN ? NULL : longest(body, ret_text);
    if (!key || ret_text->overflow)
        return too_long(kind);
    *ret_sha = kp_sha256_hex(j->scratch, ret_text->p, ret_text->n);
    kp_builder b = kp_map_begin(j->scratch);
    for (uint32_t i = 0; i < body->n; i++)
        if (!kp_streq(body->keys[i], key))
            kp_map_add(&b, body->keys[i], body->u.items[i]);
    kp_map_add(&b, "blob", kp_text(j->scratch, *ret_sha));
    if (!kp_streq(key, "r"))
        kp_map_add(&b, "blob_of", kp_text(j->scratch, key));
    *ret_body = kp_map_end(&b);
    return NULL;
}

static kp_err *put_blob(kp_journal *j, const char *sha, const kp_buf *text)
{
    KP_TRY(kp_store_put(j, KP_BLOBS, sha, text->p, text->n));
    return kp_disk_sync_dir(j->d, kp_printf(j->scratch, "%s/" KP_BLOBS, j->dir));
}

/* Whether this record would begin something that could then not be ended. */
static bool beyond_limit(const kp_journal *j, kp_kind kind)
{
    bool ends = kind == KP_K_SESSION || kind == KP_K_DONE || kind == KP_K_DOUBT ||
                kind == KP_K_PAUSE || kind == KP_K_ERROR || kind == KP_K_CLOSE;
    int64_t limit = (int64_t)KP_JOURNAL_LIMIT - (ends ? 0 : LAST_WORDS);
    return j->size + (int64_t)j->line.n > limit;
}

kp_err *kp_journal_append(kp_journal *j, kp_kind kind, kp_ms now, const kp_value *body)
{
    if (j->stopped)
        return stopped(j);
    if (kp_journal_killed(j))
        return killed(j);
    if (j->d && j->fd < 0)
        return kp_err_new(KP_INTERNAL, "report this", "run %s is only looked at: nothing is added",
                          j->run);
    kp_arena_reset(j->scratch);
    KP_TRY(check_record(j, now, body));
    unsigned char link[KP_LINK_BYTES];
    const char *sha = NULL;
    KP_AUTO_BUF text = KP_BUF_INIT(KP_BLOB_LIMIT);
    if (!make_line(j, kind, now, body, link)) {
        const kp_value *shorter = NULL;
        KP_TRY(to_blob(j, kind, body, &text, &sha, &shorter));
        if (!make_line(j, kind, now, shorter, link))
            return too_long(kind);
    }
    if (beyond_limit(j, kind))
        return kp_err_new(KP_PLAYBOOK, "use wait_until instead of asking in a loop; go on in a new "
                          "run", "the journal of this run is full (%u bytes)", KP_JOURNAL_LIMIT);
    if (j->d && !still_there(j)) {
        j->stopped = true;
        return stopped(j);
    }
    if (j->d) {
        kp_err *err = sha ? put_blob(j, sha, &text) : NULL;
        if (err && err->cls != KP_PAUSED)
            return err;
        if (err || !put_line(j))
            return kp_err_because(stop(j, now), err);
    }
    take_line(j, link);
    if (!j->d || j->n == 1) {
        kp_record *rec = KP_NEW(j->a, kp_record);
        *rec = (kp_record){ j->n, now, kind, kp_map(j->a, NULL) };
        if (body)
            rec->body = kp_value_copy(j->a, body);
        kp_journal_learn(j, rec);
    } else {
        learn_sources(j, kind, body);
    }
    if (j->n > 1)
        kp_journal_crash(j->crash_after, j->n);
    return kp_journal_killed(j) ? killed(j) : NULL;
}
