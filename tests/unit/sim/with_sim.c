/* See with_sim.h. */
#include "sim/with_sim.h"

#include <stdio.h>
#include <string.h>

#define TICK 100

const kp_value *value_of(kp_arena *a, const char *json)
{
    const kp_value *v;
    char *text = kp_strdup(a, json);

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    sound(kp_json_read(a, text, strlen(text), &v));
    return v;
}

void sound(kp_err *e)
{
    if (!e)
        return;
    KP_AUTO_ARENA a = kp_arena_new("error", 1 << 20);
    print_error("%s\n", kp_err_text(a, e));
    kp_err_drop(e);
    fail();
}

cluster cluster_from(kp_sim *sim)
{
    return (
        cluster) { .a = kp_arena_new("test", (size_t)1 << 30), .sim = sim, .w = kp_sim_world(sim) };
}

cluster cluster_in_file(const char *spec, const char *path)
{
    KP_AUTO_ARENA a = kp_arena_new("spec", (size_t)256 << 20);
    kp_sim *sim;

    sound(kp_sim_from_spec(a, value_of(a, spec), &sim));
    if (path)
        sound(kp_sim_keep(sim, path));
    return cluster_from(sim);
}

cluster cluster_of(const char *spec)
{
    return cluster_in_file(spec, NULL);
}

void cluster_close(cluster *c)
{
    sound(kp_sim_audit(c->sim));
    kp_sim_close(c->sim);
    kp_arena_free(c->a);
}

kp_reply *ask(cluster *c, kp_request q)
{
    uint64_t ticket = kp_send(c->w, c->a, &q);
    kp_reply *r = kp_wait(c->w, KP_NEVER);

    assert_non_null(r);
    assert_true(r->ticket == ticket);
    assert_int_equal(r->kind, q.kind);
    return r;
}

const kp_value *told(cluster *c, kp_request q)
{
    kp_reply *r = ask(c, q);

    sound(r->err);
    return r->value;
}

kp_err *refused(cluster *c, kp_request q)
{
    kp_reply *r = ask(c, q);

    assert_non_null(r->err);
    assert_true(*r->err->next != '\0');
    return r->err;
}

const kp_view *view_of(cluster *c, int node)
{
    kp_reply *r = ask(c, (kp_request) { .kind = KP_Q_VIEW, .node = node });

    sound(r->err);
    assert_non_null(r->view);
    return r->view;
}

const kp_value *host_of(cluster *c, int node)
{
    return told(c, (kp_request) { .kind = KP_Q_HOST, .node = node, .host.since = 0 });
}

static const char *next_op(cluster *c)
{
    return kp_printf(c->a, "op-%d", ++c->ops);
}

void stop(cluster *c, int node)
{
    told(c, (kp_request) { .kind = KP_A_STOP, .node = node, .op.id = next_op(c) });
}

void start(cluster *c, int node)
{
    told(c, (kp_request) { .kind = KP_A_START, .node = node, .op.id = next_op(c) });
}

void switch_to(cluster *c, int node, const char *release)
{
    told(c, (kp_request) {
                .kind = KP_A_LINK, .node = node, .op.id = next_op(c), .link.version = release });
}

void edit_file(cluster *c, int node, const char *json_edits)
{
    const kp_value *file = told(c, (kp_request) { .kind = KP_Q_FILE, .node = node });
    const kp_value *bytes = kp_get(file, "bytes");
    char *text;
    size_t n;

    sound(kp_properties_edit(c->a, bytes->u.s, bytes->n, value_of(c->a, json_edits), &text, &n));
    told(c, (kp_request) {
                .kind = KP_A_FILE,
                .node = node,
                .op.id = next_op(c),
                .file = { .bytes = { text, n }, .expect = kp_get_text(file, "sha256", "") } });
}

void fault(cluster *c, const char *json)
{
    sound(kp_sim_fault(c->sim, value_of(c->a, json)));
}

void pass(cluster *c, kp_ms d)
{
    assert_null(kp_wait(c->w, kp_mono(c->w) + d));
}

kp_ms until_off(cluster *c, int node, kp_ms limit)
{
    kp_ms from = kp_mono(c->w);

    while (kp_get_int(host_of(c, node), "pid", -1) != 0) {
        if (kp_mono(c->w) - from > limit)
            return -1;
        pass(c, TICK);
    }
    return kp_mono(c->w) - from;
}

static int other_than(cluster *c, int node)
{
    const kp_view *v = view_of(c, KP_ANY_NODE);

    for (uint32_t i = 0; i < v->n_brokers; i++)
        if (v->brokers[i].alive && v->brokers[i].id != node)
            return v->brokers[i].id;
    return node;
}

kp_ms until_listed(cluster *c, int node, bool listed, kp_ms limit)
{
    kp_ms from = kp_mono(c->w);

    for (;;) {
        kp_reply *r = ask(c, (kp_request) { .kind = KP_Q_VIEW, .node = other_than(c, node) });
        if (!r->err && r->view->n_brokers > 0 &&
            r->view->brokers[kp_view_slot(r->view, node)].alive == listed)
            return kp_mono(c->w) - from;
        kp_err_drop(r->err);
        if (kp_mono(c->w) - from > limit)
            return -1;
        pass(c, TICK);
    }
}

kp_ms until_in_sync(cluster *c, int node, kp_ms limit)
{
    kp_ms from = kp_mono(c->w);

    for (;;) {
        const kp_view *v = view_of(c, other_than(c, node));
        int slot = kp_view_slot(v, node);
        if (v->n_parts > 0 && v->brokers[slot].alive && v->out_of_sync[slot] == 0)
            return kp_mono(c->w) - from;
        if (kp_mono(c->w) - from > limit)
            return -1;
        pass(c, TICK);
    }
}

kp_ms until_caught_up(cluster *c, int controller, kp_ms limit)
{
    kp_ms from = kp_mono(c->w);

    for (;;) {
        /* The quorum keeps a stopped voter's last figures: it must answer itself, too. */
        kp_reply *itself = ask(c, (kp_request) { .kind = KP_Q_NODE, .node = controller });
        kp_reply *r = ask(c, (kp_request) { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE });
        const kp_value *voters = r->err || itself->err ? NULL : kp_get(r->value, "voters");
        kp_err_drop(itself->err);
        for (size_t i = 0; i < kp_len(voters); i++)
            if (kp_get_int(kp_at(voters, i), "id", 0) == controller &&
                kp_get_int(kp_at(voters, i), "caught_up_ms", -1) >= 0 &&
                kp_get_int(kp_at(voters, i), "caught_up_ms", -1) < 1000 &&
                kp_get_int(r->value, "leader", -1) >= 0)
                return kp_mono(c->w) - from;
        kp_err_drop(r->err);
        if (kp_mono(c->w) - from > limit)
            return -1;
        pass(c, TICK);
    }
}

static void look_at_two(cluster *c)
{
    const kp_view *v = view_of(c, KP_ANY_NODE);
    uint32_t n = v->n_brokers, seen = 0;

    for (uint32_t i = 0; i < n && seen < 2; i++)
        if (v->brokers[i].alive) {
            view_of(c, v->brokers[i].id);
            seen++;
        }
}

void restart(cluster *c, int node)
{
    stop(c, node);
    assert_true(until_off(c, node, 5 * KP_MINUTE) >= 0);
    start(c, node);
    if (node >= 3001) {
        assert_true(until_caught_up(c, node, KP_MINUTE) >= 0);
        return;
    }
    assert_true(until_in_sync(c, node, KP_HOUR) >= 0);
    look_at_two(c);
}

int64_t violations(cluster *c, const char *rule)
{
    return kp_get_int(kp_sim_oracle(c->a, c->sim), rule, -1);
}

bool log_says(cluster *c, int node, const char *text)
{
    const kp_value *errors = kp_get(kp_get(host_of(c, node), "signs"), "errors");

    for (size_t i = 0; i < kp_len(errors); i++)
        if (strstr(kp_as_text(kp_at(errors, i), ""), text))
            return true;
    return false;
}
