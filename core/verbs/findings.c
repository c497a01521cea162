/* findings: the guard's rows as a question, before anything is touched. */
#include "verbs/inner.h"

#include "guard/guard.h"

typedef struct findings_args {
    kp_nodes nodes;
    const char *to;
    const kp_value *rows;
} findings_args;
static const kp_arg findings_arg[] = {
    KP_ARG(findings_args, nodes, "nodes", "nil",
           "a node's id, or a list of ids: those that are to be taken, each alone; all when left "
           "out"),
    KP_ARG(findings_args, to, "version", "nil",
           "the release that is to come; left out, they are only restarted"),
    KP_ARG_AS(findings_args, rows, "list", "string[]", "nil",
              "names of rows (kplay doc guard); all when left out"),
};

static kp_err *findings_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const findings_args *x = args;

    for (size_t i = 0; i < kp_len(x->rows); i++)
        if (!kp_guard_row_named(kp_as_text(kp_at(x->rows, i), "")))
            return kp_err_new(KP_PLAYBOOK, "kplay doc guard lists them",
                              "findings: the guard has no row \"%s\"",
                              kp_as_text(kp_at(x->rows, i), "?"));
    return kp_guard_list(s->r, s->a, x->nodes.id ? &x->nodes : NULL, x->to, x->rows, ret_v);
}

static const kp_answer_field finding_answer[] = {
    { "row", "string", "the guard's row (kplay doc guard)" },
    { "node", "integer?", "whom it is about; nil: the cluster" },
    { "who", "string?", "\"broker 2\"" },
    { "text", "string", "what is found, one line" },
    { "detail", "string?", "the evidence, lines" },
    { "next", "string", "what to do about it" },
    { "severity", "\"refuse\"|\"warn\"", "would the guard say no?" },
    { "hard", "boolean?", "no --force covers it" },
    { "covered", "string?", "the reason of the --force that covers it" },
};
const kp_op kp_op_findings = {
    .name = "findings",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "What the guard's rows find, for every node before the first one is touched.\n"
           "Each row that can refuse a node's stop, switch, start or way back is judged as if that "
           "node\n"
           "were the only one taken.  severity \"refuse\": the guard would say no; \"warn\": to be "
           "known.\n"
           "covered: the reason of the --force that covers it.  What policy.accept names is left "
           "out.",
    .result = "kplay.finding[]",
    KP_ANSWERS(finding_answer),
    .example = "#findings{ to = \"3.9.1\" }",
    KP_TAKES(findings_arg, findings_args),
    .read = findings_read,
};
