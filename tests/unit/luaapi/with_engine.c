/* The engine the script host's tests run against; see with_engine.h. */
#include "luaapi/with_engine.h"

#include <string.h>

enum { LEFT_WORK = 20 * 1000 * 1000, LEFT_STEPS = 5 * 1000 * 1000 };

#define VERB(name_, cls_)                                                                          \
    {                                                                                              \
        .name = name_, .since = 1, .rev = 1, .cls = cls_                                           \
    }

static const kp_op op_say = { .name = "say", .cls = KP_OP_FLOW, .unrecorded = true };
static const kp_op op_nearly = { .name = "nearly", .cls = KP_OP_FLOW, .unrecorded = true };
static const kp_op op_echo = VERB("echo", KP_OP_READ);
static const kp_op op_given = VERB("given", KP_OP_READ);
static const kp_op op_number = VERB("number", KP_OP_READ);
static const kp_op op_boom = VERB("boom", KP_OP_READ);
static const kp_op op_over = VERB("over", KP_OP_READ);
static const kp_op op_act = VERB("act", KP_OP_WANT);
static const kp_op op_wait = VERB("wait_until", KP_OP_SCRIPT);
static const kp_op op_play = VERB("play", KP_OP_SCRIPT);

static const kp_op *const verbs[] = { &op_say,    &op_nearly, &op_echo, &op_given,
                                      &op_number, &op_boom,   &op_over, &op_act,
                                      &op_wait,   &op_play,   NULL };

static const char *const grants[] = { "broker.restart", "controller.restart", NULL };

const char *const *kp_grant_names(void)
{
    return grants;
}

const char *kp_grant_name(kp_grant one)
{
    return one == KP_G_BROKER_RESTART       ? grants[0]
           : one == KP_G_CONTROLLER_RESTART ? grants[1]
                                            : NULL;
}

bool kp_grant_parse(const char *name, kp_grant *ret_one)
{
    for (int i = 0; grants[i]; i++)
        if (kp_streq(grants[i], name)) {
            *ret_one = (kp_grant)(1 << i);
            return true;
        }
    return false;
}

/* ---- calls ---- */

/* boom{class =, what =, next =, where =, detail =, retriable =} */
static kp_err *boom(const kp_value *given)
{
    kp_class cls = KP_FAILED;

    kp_class_parse(kp_get_text(given, "class", "failed"), &cls);
    kp_err *e = kp_err_new(cls, kp_get_text(given, "next", "look"), "%s",
                           kp_get_text(given, "what", "boom"));
    if (kp_get_text(given, "where", NULL))
        e = kp_err_at(e, "%s", kp_get_text(given, "where", ""));
    if (kp_get_text(given, "detail", NULL))
        e = kp_err_detail(e, "%s", kp_get_text(given, "detail", ""));
    return kp_get_bool(given, "retriable", false) ? kp_err_retriable(e) : e;
}

static kp_err *copy(const kp_err *e)
{
    return kp_err_new(e->cls, e->next, "%s", e->what);
}

kp_err *kp_run_call(kp_run *r, const kp_op *op, const kp_value *given, const char *at,
                    const kp_value **ret_v)
{
    if (r->over)
        return copy(r->over);
    kp_buf_fmt(&r->calls, "%s at %s\n", op->name, at);
    kp_arena_reset(r->call);
    *ret_v = kp_nil();
    if (op == &op_say) {
        const kp_value *v = kp_at(given, 0);
        if (kp_is(v, KP_BYTES))
            kp_buf_add(&r->said, v->u.s, v->n);
        else
            kp_json_write(&r->said, v ? v : kp_nil());
        kp_buf_chr(&r->said, '\n');
    } else if (op == &op_nearly) {
        r->s->work = KL_WORK_LIMIT - LEFT_WORK;
        r->s->match_steps = KL_MATCH_LIMIT - LEFT_STEPS;
    } else if (op == &op_echo && kp_len(given) > 0) {
        *ret_v = kp_value_copy(r->call, kp_at(given, 0));
    } else if (op == &op_given) {
        *ret_v = kp_text(r->call, kp_json_text(r->call, given));
    } else if (op == &op_number) {
        *ret_v = kp_int(r->call, r->number++);
    } else if (op == &op_boom) {
        return boom(kp_at(given, 0));
    } else if (op == &op_over) {
        r->over = kp_err_new(KP_PAUSED, "kplay resume", "paused by a person");
        return copy(r->over);
    } else if (op == &op_act && r->part[r->depth] != KP_PART_RUN) {
        return kp_err_new(KP_PLAYBOOK, "move it", "act in part %d", (int)r->part[r->depth]);
    } else if (op == &op_act && !(r->granted[r->depth] & KP_G_BROKER_RESTART)) {
        return kp_err_new(KP_PLAYBOOK, "declare it", "act needs the effect \"broker.restart\"");
    }
    return NULL;
}

/* At most ten evaluations; an error that may go away counts as false. */
kp_err *kp_run_wait_until(kp_run *r, const kp_value *options, kp_predicate fn, void *ud,
                          const char *at, const kp_value **ret_v)
{
    kp_buf_fmt(&r->calls, "wait_until at %s\n", at);
    for (int i = 0; i < 10; i++) {
        bool so = false;
        const char *say = NULL;
        kp_err *e = fn(ud, &so, &say);
        if (e && !e->retriable)
            return e;
        kp_err_drop(e);
        if (say)
            kp_buf_fmt(&r->said, "waits: %s\n", say);
        if (so) {
            *ret_v = kp_bool(true);
            return NULL;
        }
    }
    return kp_err_new(KP_FAILED, "wait longer", "not within %s",
                      kp_get_text(options, "limit", "ten looks"));
}

kp_err *kp_run_enter(kp_run *r, const kp_header *h, const kp_value *given,
                     const kp_value **ret_args)
{
    if (h->effects & ~r->granted[r->depth])
        return kp_err_new(KP_PLAYBOOK, "declare it", "%s may do more than its caller", h->name);
    if (r->depth + 1 == (int)KP_COUNT(r->granted))
        return kp_err_new(KP_PLAYBOOK, "play less", "too many playbooks inside each other");
    r->granted[++r->depth] = h->effects;
    r->part[r->depth] = r->part[r->depth - 1];
    *ret_args = kp_value_copy(r->a, given);
    return NULL;
}

kp_part kp_run_part_now(const kp_run *r)
{
    return r->part[r->depth];
}

void kp_run_part_begins(kp_run *r, kp_part part)
{
    r->part[r->depth] = part;
}

void kp_run_leave(kp_run *r)
{
    r->depth--;
}

uint64_t kp_run_seed(const kp_run *r)
{
    return r->seed;
}

bool kp_run_is_over(const kp_run *r)
{
    return r->over != NULL;
}

const kp_err *kp_run_over(const kp_run *r)
{
    return r->over;
}

static kp_err *find(void *ud, kp_arena *a, kp_find what, const char *name, const char **ret_path,
                    const char **ret_text, size_t *ret_n)
{
    const kp_run *r = ud;

    *ret_text = NULL;
    for (const test_file *f = r->files; f->name; f++)
        if (f->what == what && kp_streq(f->name, name)) {
            *ret_path = what == KP_FIND_PLAYBOOK
                            ? name
                            : kp_printf(a, "%s/%s.lua", what == KP_FIND_STDLIB ? "stdlib" : "team",
                                        name);
            *ret_text = f->text;
            *ret_n = strlen(f->text);
            break;
        }
    return NULL;
}

kp_find_fn kp_run_find(kp_run *r, void **ret_ud)
{
    *ret_ud = r;
    return find;
}

/* ---- the stage ---- */

void stage_open(stage *t, const test_file *files)
{
    *t = (stage) { .a = kp_arena_new("stage", (size_t)1 << 30) };
    t->r = (kp_run) { .a = t->a,
                      .call = kp_arena_new("call", (size_t)64 << 20),
                      .files = files,
                      .said = KP_BUF_INIT((size_t)16 << 20),
                      .calls = KP_BUF_INIT((size_t)64 << 20),
                      .seed = 42 };
}

void stage_close(stage *t)
{
    kp_script_host_table.free(t->r.s);
    kp_err_drop(t->r.over);
    kp_buf_done(&t->r.said);
    kp_buf_done(&t->r.calls);
    kp_arena_free(t->r.call);
    kp_arena_free(t->a);
}

kp_err *stage_load(stage *t, const char *name)
{
    KP_TRY(kp_script_host_table.load(t->a, name, verbs, find, &t->r, &t->r.s));
    t->r.granted[0] = kp_script_host_table.header(t->r.s)->effects;
    return NULL;
}

kp_err *stage_call(stage *t, kp_part part)
{
    t->r.part[0] = part;
    return kp_script_host_table.call(t->r.s, &t->r, part, kp_map(t->a, NULL));
}

char *wrap(kp_arena *a, const char *body)
{
    return kp_printf(a,
                     "local function run(args) %s\nend\nreturn { api = 1, summary = \"t\", "
                     "effects = { \"broker.restart\" }, run = run }\n",
                     body);
}

int stage_arena(void **state)
{
    *state = kp_arena_new("test", (size_t)256 << 20);
    return 0;
}

int stage_arena_done(void **state)
{
    kp_arena_free(*state);
    return 0;
}

char *error_line(kp_arena *a, kp_err *e)
{
    if (!e)
        return kp_strdup(a, "");
    char *text = kp_printf(a, "%s%s%s", e->where, *e->where ? ": " : "", e->what);
    kp_err_drop(e);
    return text;
}

char *outcome_of(kp_arena *a, const test_file *files)
{
    stage t;

    stage_open(&t, files);
    kp_err *e = stage_load(&t, "t.lua");
    if (!e)
        e = stage_call(&t, KP_PART_RUN);
    char *said = kp_strdup(a, kp_buf_text(&t.r.said));
    for (char *p = said; *p; p++)
        if (*p == '\n')
            *p = e || p[1] ? '|' : '\0';
    char *text = kp_printf(a, "%s%s", said, error_line(a, e));
    stage_close(&t);
    return text;
}

char *outcome(kp_arena *a, const char *body)
{
    const test_file files[] = { { KP_FIND_PLAYBOOK, "t.lua", wrap(a, body) }, { 0 } };
    return outcome_of(a, files);
}
