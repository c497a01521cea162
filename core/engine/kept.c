/* Kept: unfinished runs in memory, by their journals, for a process that goes on with them itself.
 *
 * A journal in memory belongs to its run; when that ends unfinished it stays here, and is to be
 * gone on with as one that was opened from a directory.
 */
#include "engine/run.h"

#include <string.h>

static void add(kp_kept *k, kp_journal *j)
{
    if (k->n == k->cap) {
        k->cap = k->cap ? 2 * k->cap : 4;
        kp_journal **more = KP_NEW_ARRAY(k->a, k->cap, kp_journal *);
        if (k->n)
            memcpy(more, k->unfinished, k->n * sizeof(kp_journal *));
        k->unfinished = more;
    }
    k->unfinished[k->n++] = j;
}

void kp_kept_drop(kp_kept *k, size_t i)
{
    kp_journal_free(k->unfinished[i]);
    k->n--;
    memmove(&k->unfinished[i], &k->unfinished[i + 1], (k->n - i) * sizeof(kp_journal *));
}

static void may_die(kp_kept *k, kp_journal *j)
{
    k->killed = false;
    kp_journal_kill_after(j, k->kill_after);
}

void kp_kept_began(kp_run *r)
{
    kp_kept *k = r->spec->kept;
    if (!k)
        return;
    k->begun++;
    may_die(k, r->j);
}

void kp_kept_put(kp_run *r)
{
    kp_kept *k = r->spec->kept;
    if (!k || !r->j) {
        kp_journal_free(r->j);
        return;
    }
    k->killed = kp_journal_killed(r->j);
    kp_journal_kill_after(r->j, 0);
    if (kp_journal_at(r->j, kp_journal_n(r->j))->kind == KP_K_CLOSE)
        kp_journal_free(r->j);
    else
        add(k, r->j);
}

kp_journal *kp_kept_take(kp_kept *k)
{
    if (k->n == 0)
        return NULL;
    kp_journal *j = k->unfinished[--k->n];
    may_die(k, j);
    return j;
}

const char *kp_kept_acted(const kp_kept *k)
{
    for (size_t i = k->n; i-- > 0;)
        if (kp_replay_acted(k->unfinished[i]))
            return kp_journal_run(k->unfinished[i]);
    return NULL;
}

void kp_kept_done(kp_kept *k)
{
    while (k->n > 0)
        kp_kept_drop(k, k->n - 1);
}
