/* Asking a person: one mechanism for every question a run has.
 *
 * A question is made here and nowhere else: its kind, its text, what is shown with it, what a yes
 * sets going, the phrase that is its yes where a slip of the finger must not be one, and a digest
 * over all of these.  A word is for what was shown and lives for a day: one that was given
 * beforehand (kplay approve, an earlier session) counts while its digest is the question's and
 * nothing was done on it yet.  Every word is on disk before anything is done on it:
 *
 *   ask    {i, fn, a, r = {yes, by, reason, until}, kind, shown, via = "approve" or none}
 *   pause  {i, state, question = a, ask = {kind, fn, text, details, shown}, err}
 *
 * `i` is the call's path for confirm{}; "@start"; "@word:PATH" before what cannot be taken back;
 * "@ask:PATH" for what to do with a node that failed.  Records of older kplays have no `kind` and
 * `shown`: a word in them is for its text and does not age.
 */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *risk;
    bool phrase;
} kinds[] = {
    [KP_ASK_START] = { "start", "", false },
    [KP_ASK_CONFIRM] = { "confirm", "", false },
    [KP_ASK_FAILURE] = { "failure",
                         "yes stops the node, switches it back and starts it; with no it stays as "
                         "it is and the run stops",
                         false },
    [KP_ASK_IRREVERSIBLE] = { "irreversible", "nothing brings back the state before it", true },
};

const char *kp_asked_name(kp_asked kind)
{
    return kinds[kind].name;
}

static kp_question question_of(kp_arena *a, kp_asked kind, const char *text, const char *details,
                               const char *cluster)
{
    kp_question q = { .kind = kind,
                      .text = text,
                      .details = details ? details : "",
                      .risk = kinds[kind].risk,
                      .phrase = kinds[kind].phrase ? cluster : "",
                      .lives = KP_QUESTION_LIVES };
    const char *texts[] = { kinds[kind].name, q.text, q.details, q.risk, q.phrase };
    KP_AUTO_BUF b = KP_BUF_INIT(4u << 20);
    for (size_t i = 0; i < KP_COUNT(texts); i++)
        kp_buf_fmt(&b, "%zu:%s,", strlen(texts[i]), texts[i]);
    q.shown = kp_sha256_hex(a, kp_buf_text(&b), b.n);
    return q;
}

/* ---- words given before ---- */

static bool holds(const kp_record *rec, const kp_question *q, const kp_value *args, kp_ms now)
{
    const kp_value *r = kp_get(rec->body, "r");
    const char *shown = kp_get_text(rec->body, "shown", NULL);
    if (!kp_get_bool(r, "yes", false) || kp_get_int(r, "until", KP_NEVER) < now)
        return false;
    return shown ? kp_streq(shown, q->shown) : kp_value_equal(kp_get(rec->body, "a"), args);
}

bool kp_people_said_yes(kp_run *r, const kp_record *rec, const kp_asking *asking)
{
    kp_question q = question_of(r->call, asking->kind, asking->text, asking->details,
                                r->inv->cluster);
    bool newest = kp_replay_over(r) && !r->replay.shadow; /* nothing was done on it yet */
    return holds(rec, &q, asking->args, newest ? kp_now(r->w) : 0);
}

/* The engine's own questions are looked for by their path; confirm{} is replayed as a call. */
static bool said_before(kp_run *r, const kp_asking *asking, const kp_question *q)
{
    if (kp_streq(r->people.word, kp_printf(r->call, "%s\n%s", asking->path, q->shown)))
        return true;
    for (int64_t i = kp_journal_n(r->j); *asking->path == KP_OWN_MARK && i > 0; i--) {
        const kp_record *rec = kp_journal_at(r->j, i); /* NULL: of this session */
        if (rec && rec->kind == KP_K_ASK && kp_streq(kp_get_text(rec->body, "i", ""), asking->path))
            return holds(rec, q, asking->args, kp_now(r->w));
    }
    return false;
}

/* ---- asking now ---- */

static kp_answer put(kp_run *r, const kp_question *q, const char **ret_by)
{
    *ret_by = "";
    if (r->spec->assume_yes && q->kind == KP_ASK_FAILURE)
        return KP_ANSWER_NOBODY;
    if (r->spec->assume_yes) {
        *ret_by = q->kind == KP_ASK_START ? "" : "assumed";
        if (q->kind != KP_ASK_START)
            kp_list_add(q->kind == KP_ASK_IRREVERSIBLE ? &r->tally.irreversible : &r->tally.assumed,
                        kp_text(r->a, q->text));
        return KP_ANSWER_YES;
    }
    if (!r->spec->sink.ask)
        return KP_ANSWER_NOBODY;
    kp_answer answer = r->spec->sink.ask(r->spec->sink.ud, q, ret_by);
    if (answer == KP_ANSWER_LEFT)
        r->signals.seen = kp_interrupts(r->w);
    return answer;
}

static kp_err *write_down(kp_run *r, const kp_asking *asking, const kp_question *q, bool yes,
                          const char *by)
{
    kp_arena *a = r->call;
    bool ages = q->kind != KP_ASK_START; /* that one is done on at once */
    const kp_value *answer = kp_map(a, "yes", kp_bool(yes), "by", kp_text(a, by), "until",
                                    ages && yes ? kp_int(a, kp_now(r->w) + q->lives) : NULL, NULL);
    return kp_record_add(r, KP_K_ASK,
                         kp_map(a, "i", kp_text(a, asking->path), "fn", kp_text(a, asking->fn), "a",
                                asking->args, "r", answer, "kind", kp_text(a, kinds[q->kind].name),
                                "shown", kp_text(a, q->shown), NULL));
}

static kp_err *not_started(kp_answer answer)
{
    if (answer == KP_ANSWER_NOBODY)
        return kp_err_new(KP_USAGE, "say --yes to start without a person at the terminal",
                          "nobody is here to say yes");
    return kp_err_new(KP_REFUSED, "run it again when you are ready", "not started: %s",
                      answer == KP_ANSWER_LEFT ? "interrupted at the question"
                                               : "the answer was no");
}

/* The run ends here until somebody says yes: at the terminal of a later session, or by kplay
 * approve. */
static kp_err *pause_for(kp_run *r, const kp_asking *asking, const kp_question *q, kp_answer answer)
{
    static const char *const why[] = { [KP_ANSWER_NOBODY] = "nobody is here to answer",
                                       [KP_ANSWER_NO] = "the answer was no",
                                       [KP_ANSWER_LEFT] = "interrupted at the question" };
    kp_arena *a = r->a;

    r->people.question = kp_value_copy(a, asking->args);
    r->people.ask = kp_map(a, "kind", kp_text(a, kinds[q->kind].name), "fn", kp_text(a, asking->fn),
                           "text", kp_text(a, q->text), "details", kp_text(a, q->details), "shown",
                           kp_text(a, q->shown), NULL);
    snprintf(r->last_path, sizeof r->last_path, "%s", asking->path);
    kp_err *e = kp_err_new(KP_PAUSED, "-", "%s: %s", why[answer], q->text);
    return kp_run_end(r, kp_err_next(e, "kplay approve %s, then: kplay resume %s", r->id, r->id));
}

kp_err *kp_people_ask(kp_run *r, const kp_asking *asking, bool *ret_yes)
{
    const char *by;
    kp_question q = question_of(r->call, asking->kind, asking->text, asking->details,
                                r->inv->cluster);

    *ret_yes = said_before(r, asking, &q);
    if (*ret_yes)
        return NULL;
    kp_answer answer = put(r, &q, &by);
    *ret_yes = answer == KP_ANSWER_YES;
    if (*ret_yes)
        r->people.word = kp_printf(r->a, "%s\n%s", asking->path, q.shown);
    if (*ret_yes || (answer == KP_ANSWER_NO && q.kind == KP_ASK_FAILURE))
        return write_down(r, asking, &q, *ret_yes, by);
    if (answer == KP_ANSWER_NOBODY && q.kind == KP_ASK_FAILURE)
        return NULL;
    return q.kind == KP_ASK_START ? not_started(answer) : pause_for(r, asking, &q, answer);
}

/* ---- a word from another process ---- */

kp_err *kp_paused_run(kp_arena *a, const char *runs, const char *run, kp_journal **ret_j)
{
    KP_TRY(kp_journal_open(a, &kp_disk_real, runs, run, ret_j));
    const kp_record *last = kp_journal_at(*ret_j, kp_journal_n(*ret_j));
    if (last->kind != KP_K_CLOSE)
        return NULL;
    kp_journal_free(*ret_j);
    return kp_err_new(KP_REFUSED, "kplay runs lists the others", "run %s is finished", run);
}

/* What the pause record asks, as it was shown.  One of an older kplay says it by its path. */
static kp_err *read_pause(kp_arena *a, const kp_journal *j, const char *run,
                          kp_waiting *ret_waiting)
{
    const kp_value *open = kp_journal_at(j, 1)->body;
    const kp_record *last = kp_journal_at(j, kp_journal_n(j));
    const kp_value *args = kp_get(last->body, "question"), *ask = kp_get(last->body, "ask");
    kp_asked kind = kp_starts_with(kp_get_text(last->body, "i", ""), KP_ASK_OF_WORD)
                        ? KP_ASK_IRREVERSIBLE
                        : KP_ASK_CONFIRM;
    if (last->kind != KP_K_PAUSE || !args)
        return kp_err_new(KP_REFUSED, "kplay journal show RUN tells why it stopped",
                          "run %s does not wait for an answer", run);
    for (size_t i = 0; i < KP_COUNT(kinds); i++)
        if (kp_streq(kp_get_text(ask, "kind", ""), kinds[i].name))
            kind = (kp_asked)i;
    const char *text = kp_get_text(ask, "text", kp_get_text(args, "text", "")),
               *details = kp_get_text(ask, "details", ""),
               *cluster = kp_get_text(open, "cluster", "");
    *ret_waiting = (kp_waiting) { .playbook = kp_strdup(a, kp_get_text(open, "playbook", "")),
                                  .asked = last->t,
                                  .question = question_of(a, kind, kp_strdup(a, text),
                                                          kp_strdup(a, details),
                                                          kp_strdup(a, cluster)) };
    return NULL;
}

kp_err *kp_run_waiting(kp_arena *a, const char *runs, const char *run, kp_waiting *ret_waiting)
{
    kp_journal *j;
    KP_TRY(kp_paused_run(a, runs, run, &j));
    kp_err *e = read_pause(a, j, run, ret_waiting);
    kp_journal_free(j);
    return e;
}

static kp_err *still_the_same(kp_arena *a, const kp_waiting *waits, const kp_word *word)
{
    if (!kp_streq(waits->question.shown, word->shown))
        return kp_err_new(KP_REFUSED, "kplay approve RUN shows what it asks now",
                          "the run waits with another question than the one that was shown");
    if (word->now - waits->asked > waits->question.lives)
        return kp_err_new(KP_REFUSED, "kplay resume RUN asks anew, with the cluster as it is",
                          "the question is %s old: a yes to it is taken for %s",
                          kp_duration_text(a, word->now - waits->asked, false),
                          kp_duration_text(a, waits->question.lives, false));
    return NULL;
}

kp_err *kp_run_approve(kp_arena *a, const char *runs, const char *run, const kp_word *word)
{
    kp_journal *j;
    kp_waiting waits;

    KP_TRY(kp_paused_run(a, runs, run, &j));
    kp_err *e = read_pause(a, j, run, &waits);
    if (!e)
        e = still_the_same(a, &waits, word);
    if (!e) {
        const kp_value *pause = kp_journal_at(j, kp_journal_n(j))->body;
        const kp_question *q = &waits.question;
        const char *fn = kp_get_text(kp_get(pause, "ask"), "fn", "confirm");
        const kp_value *answer = kp_map(a, "yes", kp_bool(true), "by", kp_text(a, word->who),
                                        "reason", kp_text(a, word->reason), "until",
                                        kp_int(a, word->now + q->lives), NULL);
        e = kp_journal_append(j, KP_K_ASK, word->now,
                              kp_map(a, "i", kp_get(pause, "i"), "fn", kp_text(a, fn), "a",
                                     kp_get(pause, "question"), "r", answer, "kind",
                                     kp_text(a, kinds[q->kind].name), "shown", kp_text(a, q->shown),
                                     "via", kp_text(a, "approve"), NULL));
    }
    kp_journal_free(j);
    return e;
}
