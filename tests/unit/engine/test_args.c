/* Arguments of verbs: positional, named, defaults, canonical form, and what is said of wrong ones. */
#include "engine/with_script.h"

#include <string.h>

#include "engine/run.h"
#include "verbs/verbs.h"

static kp_node nodes[] = { { .id = 1, .roles = KP_BROKER },
                           { .id = 2, .roles = KP_BROKER },
                           { .id = 3001, .roles = KP_CONTROLLER } };
static const kp_inventory inventory = { .path = "t", .cluster = "t", .n_nodes = 3, .nodes = nodes };

static const kp_value *json(kp_arena *a, const char *text)
{
    const kp_value *v;
    kp_err *e = kp_json_read(a, text, strlen(text), &v);
    assert_null(e);
    return v;
}

static void right_ones_become_canonical(void **state)
{
    static const struct {
        const char *verb, *given, *canonical;
    } rows[] = {
        { "stop_broker", "[2]", "{\"nodes\":2}" },
        { "stop_broker", "[[2,1,2]]", "{\"nodes\":[2,1,2]}" },
        { "stop_broker", "[{\"nodes\":1}]", "{\"nodes\":1}" },
        { "switch_release", "[[1,2],\"3.9.1\"]", "{\"nodes\":[1,2],\"version\":\"3.9.1\"}" },
        { "wait_in_sync", "[1,{\"stall\":\"5m\"}]", "{\"nodes\":1,\"stall\":\"5m\"}" },
        { "partitions", "[{\"under_replicated\":true}]", "{\"under_replicated\":true}" },
        { "partitions", "[]", "{}" },
        { "partitions", "[[]]", "{}" },
        { "set_properties", "[1,{\"a.b\":\"c\"}]", "{\"nodes\":1,\"properties\":{\"a.b\":\"c\"}}" },
        { "start_controller", "[3001]", "{\"nodes\":3001}" },
        { "fail", "[\"x\",{\"next\":\"y\"}]", "{\"next\":\"y\",\"what\":\"x\"}" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .inv = &inventory };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        void *args;
        const kp_value *canonical;
        kp_err *e = kp_args_decode(&r, a, kp_op_named(kp_verbs, rows[i].verb),
                                   json(a, rows[i].given), &args, &canonical);
        if (e)
            print_error("%s %s: %s\n", rows[i].verb, rows[i].given, e->what);
        assert_null(e);
        assert_string_equal(kp_json_text(a, canonical), rows[i].canonical);
    }
}

static void a_list_of_nodes_is_sorted_and_unique(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .inv = &inventory };
    void *args;
    const kp_value *canonical;
    (void)state;
    assert_null(kp_args_decode(&r, a, kp_op_named(kp_verbs, "stop_broker"), json(a, "[[2,1,2]]"),
                               &args, &canonical));
    const kp_nodes *n = args;
    assert_true(n->list);
    assert_int_equal(n->n, 2);
    assert_int_equal(n->id[0], 1);
    assert_int_equal(n->id[1], 2);
}

static void wrong_ones_are_said(void **state)
{
    static const struct {
        const char *verb, *given, *what;
    } rows[] = {
        { "stop_broker", "[]", "argument `nodes` is missing" },
        { "stop_broker", "[\"2\"]", "takes a node's id or a list of ids, got \"2\"" },
        { "stop_broker", "[9]", "there is no broker 9" },
        { "stop_broker", "[4294967297]", "there is no broker 4294967297" }, /* not broker 1 */
        { "stop_broker", "[3001]", "there is no broker 3001" },
        { "stop_broker", "[4294967297]", "there is no broker 4294967297" },
        { "stop_broker", "[[2,4294967297]]", "there is no broker 4294967297" },
        { "broker", "[4294967297]", "there is no node 4294967297" },
        { "stop_controller", "[1]", "there is no controller 1" },
        { "stop_broker", "[1,2]", "takes 1 argument, got 2" },
        { "stop_broker", "[[1,true]]", "takes ids in its list, got a boolean" },
        { "switch_release", "[1,3.9]", "takes a version as text" },
        { "switch_release", "[1,\"new\"]", "takes a version as text" },
        { "wait_in_sync", "[1,{\"stal\":\"5m\"}]", "no argument `stal`; did you mean `stall`?" },
        { "wait_in_sync", "[1,{\"stall\":\"soon\"}]", "takes a duration as text" },
        { "wait_in_sync", "[1,{\"nodes\":2}]", "argument `nodes` is given twice" },
        { "step", "[3]", "takes a text, got 3" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .inv = &inventory };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        void *args;
        const kp_value *canonical;
        kp_err *e = kp_args_decode(&r, a, kp_op_named(kp_verbs, rows[i].verb),
                                   json(a, rows[i].given), &args, &canonical);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_PLAYBOOK);
        if (!strstr(e->what, rows[i].what))
            print_error("%s %s: %s\n", rows[i].verb, rows[i].given, e->what);
        assert_non_null(strstr(e->what, rows[i].what));
        kp_err_drop(e);
    }
}

/* ---- a playbook's own arguments ---- */

static const kp_script_arg declared[] = {
    { .name = "settle", .type = "duration", .doc = "d" },
    { .name = "skip", .type = "node[]", .doc = "d" },
    { .name = "to", .type = "version", .doc = "the release", .required = true },
};
static const kp_header header = { .name = "rolling.lua", .n_args = 3, .args = declared };

static void playbook_arguments_come_from_the_line_then_the_file_then_the_default(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_inventory inv = inventory;
    const kp_value *args, *origin;
    (void)state;
    inv.playbooks = json(a, "{\"rolling\":{\"settle\":\"45m\",\"to\":\"3.8.1\"}}");
    inv.where = json(a, "{\"playbooks.rolling.settle\":\"kplay.yaml:31:20\"}");
    assert_null(kp_run_args(
        a, &header, &inv,
        &(kp_given_args) { .value = json(a, "{\"to\":\"3.9.1\",\"skip\":\"1, 3001\"}") }, &args,
        &origin));
    assert_string_equal(kp_json_text(a, args),
                        "{\"settle\":\"45m\",\"skip\":[1,3001],\"to\":\"3.9.1\"}");
    assert_string_equal(kp_get_text(origin, "settle", ""), "kplay.yaml:31:20");
    assert_string_equal(kp_get_text(origin, "to", ""), "--to");
}

static void wrong_playbook_arguments_are_said_with_their_place(void **state)
{
    static const struct {
        const char *given, *what;
        kp_class cls;
    } rows[] = {
        { "{}", "rolling.lua needs --to: the release", KP_USAGE },
        { "{\"to\":\"x\"}", "to takes a release like 3.9.1, got \"x\"", KP_USAGE },
        { "{\"to\":\"3.9.1\",\"setle\":\"1m\"}", "no argument `setle`; did you mean `settle`?",
          KP_USAGE },
        { "{\"to\":\"3.9.1\",\"skip\":\"7\"}", "skip takes the id of a node in the cluster file",
          KP_USAGE },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    const kp_value *args, *origin;
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_err *e = kp_run_args(a, &header, &inventory,
                                &(kp_given_args) { .value = json(a, rows[i].given) }, &args,
                                &origin);
        assert_non_null(e);
        assert_int_equal(e->cls, rows[i].cls);
        assert_non_null(strstr(e->what, rows[i].what));
        kp_err_drop(e);
    }
}

/* ---- every verb is whole ---- */

static void every_verb_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; kp_verbs[i]; i++) {
        const kp_op *op = kp_verbs[i];
        assert_true(op->since >= 1 && op->since <= KP_API);
        assert_true(op->rev >= 1);
        assert_non_null(op->doc);
        assert_non_null(op->result);
        assert_non_null(op->example);
        assert_ptr_equal(kp_op_named(kp_verbs, op->name), op);
        bool acts = op->cls == KP_OP_WANT || op->cls == KP_OP_ONCE;
        assert_true(acts == (op->grant != KP_G_NONE));
        if (acts) {
            assert_true(op->ask && op->probe && op->landing > 0);
        }
        if (op->cls == KP_OP_WAIT)
            assert_true(op->probe && !op->ask);
        if (op->cls == KP_OP_READ || op->cls == KP_OP_FLOW)
            assert_non_null(op->read);
        for (size_t k = 0; k < op->n_args; k++)
            assert_true(op->args[k].offset < op->args_size && op->args[k].doc);
    }
}

static void errors_cross_the_journal_whole(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    kp_err *e = kp_err_new(KP_FAILED, "do this", "it failed");
    e = kp_err_retriable(kp_err_detail(kp_err_at(e, "broker 2"), "  line\n"));
    e = kp_err_because(e, kp_err_new(KP_HOST, "n", "the cause"));
    kp_err *back = kp_err_from_value(kp_err_value(a, e));
    assert_string_equal(kp_err_text(a, e), kp_err_text(a, back));
    assert_true(back->retriable);
    assert_null(kp_err_from_value(NULL));
    kp_err_drop(e);
    kp_err_drop(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_become_canonical),
        cmocka_unit_test(a_list_of_nodes_is_sorted_and_unique),
        cmocka_unit_test(wrong_ones_are_said),
        cmocka_unit_test(playbook_arguments_come_from_the_line_then_the_file_then_the_default),
        cmocka_unit_test(wrong_playbook_arguments_are_said_with_their_place),
        cmocka_unit_test(every_verb_says_what_it_is),
        cmocka_unit_test(errors_cross_the_journal_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
