/* See with_script.h. */
#include "engine/with_script.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const test_script *the_script;

struct kp_script {
    kp_header header;
    kp_source source;
};

static kp_err *host_load(kp_arena *a, const char *name, const kp_op *const *verbs, kp_find_fn find,
                         void *ud, kp_script **ret_s)
{
    (void)verbs;
    const char *path, *text;
    size_t n;
    KP_TRY(find(ud, a, KP_FIND_PLAYBOOK, name, &path, &text, &n));
    kp_script *s = KP_NEW(a, kp_script);
    s->header = (kp_header) { .name = name,
                              .api = 1,
                              .summary = "a test",
                              .comment = "",
                              .effects = the_script->effects,
                              .n_args = the_script->n_args,
                              .args = the_script->args };
    for (size_t i = 0; i < KP_COUNT(s->header.has); i++)
        s->header.has[i] = the_script->part[i] != NULL;
    s->source =
        (kp_source) { .name = name, .text = text ? text : "one", .n = strlen(text ? text : "one") };
    *ret_s = s;
    return NULL;
}
static const kp_header *host_header(kp_script *s)
{
    return &s->header;
}
static size_t host_sources(kp_script *s, const kp_source **ret_sources)
{
    *ret_sources = &s->source;
    return 1;
}
static kp_err *host_call(kp_script *s, kp_run *r, kp_part part, const kp_value *args)
{
    (void)s;
    return the_script->part[part](r, args);
}
static void host_free(kp_script *s)
{
    (void)s;
}

const kp_script_host kp_script_host_table = { .load = host_load,
                                              .header = host_header,
                                              .sources = host_sources,
                                              .call = host_call,
                                              .free = host_free,
                                              .release = "C",
                                              .rev = 1 };

static kp_err *find(void *ud, kp_arena *a, kp_find what, const char *name, const char **ret_path,
                    const char **ret_text, size_t *ret_n)
{
    (void)ud;
    (void)a;
    (void)what;
    *ret_path = name;
    *ret_text = the_script->text ? the_script->text : "one";
    *ret_n = strlen(*ret_text);
    return NULL;
}

kp_err *call(kp_run *r, const char *verb, const char *json_args, const kp_value **ret_v)
{
    const kp_value *given, *ignored;
    KP_AUTO_ARENA a = kp_arena_new("call", 1 << 20);
    kp_err *e = kp_json_read(a, json_args, strlen(json_args), &given);
    assert_null(e);
    const kp_op *op = kp_op_named(kp_verbs, verb);
    assert_non_null(op);
    return kp_run_call(r, op, given, "test.lua:1", ret_v ? ret_v : &ignored);
}

static void on_event(void *ud, const kp_event *e)
{
    bench *b = ud;
    if (e->kind == KP_E_PROGRESS || e->kind == KP_E_PHASE || e->kind == KP_E_CLOSED ||
        e->kind == KP_E_OPENED || e->kind == KP_E_RESUMED)
        return;
    kp_buf_fmt(&b->said, "%s %s %d %s%s%s\n", kp_event_name(e->kind), e->verb ? e->verb : "-",
               e->node.is ? e->node.id : 0, e->text ? e->text : "", e->err ? "!" : "",
               e->replayed ? "*" : "");
}

static kp_answer on_ask(void *ud, const kp_question *q, const char **ret_by)
{
    (void)q;
    *ret_by = "tester";
    return ((bench *)ud)->answer;
}

static void wire(bench *b)
{
    b->spec = (kp_run_spec) { .verbs = kp_verbs,
                              .world = kp_sim_world(b->sim),
                              .simulated = true,
                              .inventory = kp_sim_inventory(b->a, b->sim, NULL),
                              .runs = *b->runs ? b->runs : NULL,
                              .playbook = "test.lua",
                              .find = find,
                              .who = "tester@here",
                              .sink = { .event = on_event, .ask = on_ask, .ud = b } };
    b->answer = KP_ANSWER_YES;
}

void bench_open(bench *b, const char *json_spec, const char *image)
{
    const kp_value *spec;
    b->a = kp_arena_new("bench", (size_t)1 << 30);
    b->said = KP_BUF_INIT(4 << 20);
    kp_err *e = kp_json_read(b->a, json_spec, strlen(json_spec), &spec);
    assert_null(e);
    e = kp_sim_from_spec(b->a, spec, &b->sim);
    if (!e && image)
        e = kp_sim_keep(b->sim, image);
    if (e)
        print_error("%s\n", e->what);
    assert_null(e);
    wire(b);
}

void bench_reopen(bench *b, const char *image)
{
    b->a = kp_arena_new("bench", (size_t)1 << 30);
    b->said = KP_BUF_INIT(4 << 20);
    kp_err *e = kp_sim_open_file(image, &b->sim);
    if (e)
        print_error("%s\n", e->what);
    assert_null(e);
    wire(b);
}

void bench_close(bench *b)
{
    kp_sim_close(b->sim);
    kp_buf_done(&b->said);
    kp_arena_free(b->a);
    b->sim = NULL;
    b->a = NULL;
}

kp_err *bench_run(bench *b, const kp_value **ret_report)
{
    return kp_run_first(b->a, &b->spec, ret_report);
}
kp_err *bench_resume(bench *b, const char *run, const kp_value **ret_report)
{
    kp_journal *j;
    KP_TRY(kp_journal_open(b->a, &kp_disk_real, b->runs, run, &j));
    return kp_run_resume(b->a, &b->spec, j, ret_report);
}

kp_err *bench_approve(bench *b, const char *run, const char *who)
{
    kp_waiting waits;
    KP_TRY(kp_run_waiting(b->a, b->runs, run, &waits));
    return kp_run_approve(
        b->a, b->runs, run,
        &(kp_word) { .who = who, .shown = waits.question.shown, .now = kp_now(b->spec.world) });
}

char *bench_only_run(bench *b)
{
    kp_run_info *info;
    size_t n;
    kp_err *e = kp_runs_list(b->a, b->runs, &info, &n);
    assert_null(e);
    assert_int_equal(n, 1);
    return kp_strdup(b->a, info[0].run);
}

void make_runs(bench *b)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(b->runs, sizeof b->runs, "%s/kplay-engine-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->runs));
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    if (!d) {
        unlink(path);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        char below[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        remove_tree(below);
    }
    closedir(d);
    rmdir(path);
}

void remove_runs(bench *b)
{
    remove_tree(b->runs);
    b->runs[0] = 0;
}

void bench_over(bench *b)
{
    bench_close(b);
    remove_runs(b);
}

void well(kp_err *e)
{
    if (e)
        print_error("%s\n%s\n", e->what, e->detail);
    assert_null(e);
}

void fails(kp_err *e, kp_class cls, const char *says)
{
    if (!e || e->cls != cls || !strstr(e->what, says))
        print_error("%s: %s, not: %s\n", e ? kp_class_name(e->cls) : "-", e ? e->what : "no error",
                    says);
    assert_non_null(e);
    assert_int_equal(e->cls, cls);
    assert_non_null(strstr(e->what, says));
    kp_err_drop(e);
}

int in_child(void (*fn)(void *), void *ud)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        fn(ud);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}
