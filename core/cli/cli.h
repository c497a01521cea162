/* cli: the composition root.  It alone names a world (live or sim), finds files and reads the
 * command line.
 *
 * main.c      which command
 * options.c   a command's options: one table prints the help and reads the line
 * hints.c     commands in messages, completed so that they can be pasted
 * files.c     where playbooks, stdlib and team modules are found
 * cluster.c   which cluster: kplay.yaml, -c, KPLAY_CLUSTER, --demo; its world
 * topics.c    what can be written, key by key; modules.c what modules have: for kplay doc
 * took.c      how long a rehearsed run would take, by the journals of earlier ones
 * cmd_*.c     one command each
 */
#ifndef KP_CLI_H
#define KP_CLI_H

#include "engine/engine.h"
#include "report/report.h"
#include "sim/sim.h"
#include "verbs/verbs.h"

/* ---- options.c ---- */
typedef struct kp_option {
    const char *name;  /* "cluster" */
    char letter;       /* 'c' or 0 */
    const char *value; /* "FILE"; NULL: a flag */
    const char *doc;
} kp_option;

typedef struct kp_line { /* a command line, read */
    const kp_value *set; /* option -> text, or true for a flag */
    const kp_value *extra; /* options the table does not know, a playbook's arguments: name -> text,
                            * true for one without a value, or a list of these when repeated */
    const char **word; /* what is no option */
    size_t n_words;
} kp_line;

typedef struct kp_command {
    const char *name;
    const char *usage;        /* "run [options] PLAYBOOK [--ARG VALUE ...]" */
    const char *doc;          /* first line: one sentence; more lines: details */
    const kp_option *options; /* ends with a NULL name */
    bool takes_extra;
    const char *const *actions; /* one of these is the first word; ends with NULL.  NULL: none */
    size_t most_words;          /* the action is one of them; checked unless --help is there */
    int (*main)(kp_arena *a, const kp_line *line);
} kp_command;

extern const kp_command *const kp_commands[]; /* ends with NULL */

kp_err *kp_line_read(kp_arena *a, const kp_command *c, int argc, char **argv,
                     kp_line *ret_line) KP_MUST_USE;
void kp_command_help(kp_arena *a, const kp_command *c, bool json);
const char *const *kp_option_names(kp_arena *a, const kp_command *c); /* ends with NULL */
static inline bool kp_flag(const kp_line *l, const char *name)
{
    return kp_get_bool(l->set, name, false);
}
static inline const char *kp_opt(const kp_line *l, const char *name)
{
    return kp_get_text(l->set, name, NULL);
}

/* Shared option rows. */
#define KP_OPT_CLUSTER                                                                             \
    {                                                                                              \
        "cluster", 'c', "FILE", "the cluster file (default ./kplay.yaml, or KPLAY_CLUSTER)"        \
    }
#define KP_OPT_DEMO                                                                                \
    {                                                                                              \
        "demo", 0, NULL, "use a simulated cluster that comes with kplay"                           \
    }
#define KP_OPT_MODE                                                                                \
    {                                                                                              \
        "mode", 0, "MODE", "of --demo: kraft (default), zookeeper or combined"                     \
    }
#define KP_OPT_JSON                                                                                \
    {                                                                                              \
        "json", 0, NULL, "one JSON object per line"                                                \
    }
#define KP_OPT_HELP                                                                                \
    {                                                                                              \
        "help", 'h', NULL, "this text"                                                             \
    }
#define KP_OPT_RUNS                                                                                \
    {                                                                                              \
        "runs", 0, "DIR", "where runs are kept (default: the cluster file's runs)"                 \
    }

/* ---- files.c ---- */
typedef struct kp_files {
    const char *team;    /* directory of the cluster file, or the working directory */
    const char *shipped; /* where playbooks/ and stdlib/ are */
} kp_files;
kp_err *kp_files_init(kp_arena *a, const char *cluster_file, kp_files *ret_files) KP_MUST_USE;
/* The playbooks in a directory, by name; ends with NULL. */
const char *const *kp_files_in(kp_arena *a, const char *dir);
/* KP_USAGE when there is no such playbook, with the name that may be meant. */
kp_err *kp_files_known(kp_arena *a, const kp_files *f, const char *playbook) KP_MUST_USE;
/* A kp_find_fn over kp_files: a path as given, the team's playbooks/NAME, the shipped
 * playbooks/NAME. */
kp_err *kp_files_find(void *ud, kp_arena *a, kp_find what, const char *name, const char **ret_path,
                      const char **ret_text, size_t *ret_n);

/* ---- cluster.c ---- */
typedef struct kp_open_cluster {
    const kp_inventory *inventory;
    kp_world *world;
    kp_sim *sim; /* NULL: live */
    bool simulated;
    const char *runs;  /* directory of runs */
    const char *image; /* where `sim` is kept as runs leave it; NULL: live */
    const char *description; /* what it is made of */
    bool begins;             /* `sim` goes there when a run has begun */
    kp_files files;
} kp_open_cluster;

/* What for.  Only who goes on uses the file of a simulated cluster; whoever looks has a copy of it
 * in memory, and so has a run that begins, until it is known to begin (kp_cluster_taken). */
typedef enum kp_purpose {
    KP_TO_FIND,  /* where runs and playbooks are: no world */
    KP_TO_LOOK,  /* to ask */
    KP_TO_BEGIN, /* a run: on the simulated cluster as runs left it, or a fresh one */
    KP_TO_GO_ON, /* with a run: the simulated cluster must be there */
} kp_purpose;

/* The cluster a command is about.  Nothing is contacted and nothing on disk is changed, but that
 * the runs' directory is made.  No cluster anywhere is an error that names --demo. */
kp_err *kp_cluster_open(kp_arena *a, const kp_line *line, kp_purpose what_for,
                        kp_open_cluster *ret_c) KP_MUST_USE;
/* The cluster file: named on the line, by KPLAY_CLUSTER, or kplay.yaml in the working directory;
 * NULL: none. */
const char *kp_cluster_file(const kp_line *line);
/* A fresh one of the file's `simulate:`; its errors are at the file's lines. */
kp_err *kp_cluster_described(kp_arena *a, const kp_inventory *inv, kp_sim **ret_sim) KP_MUST_USE;
/* The run on it has begun: its simulated cluster takes the place of the one that was there. */
kp_err *kp_cluster_taken(void *cluster) KP_MUST_USE;
/* The next run finds a fresh simulated cluster.  KP_REFUSED while a run on it is unfinished. */
kp_err *kp_cluster_reset(kp_arena *a, const kp_open_cluster *c) KP_MUST_USE;
void kp_cluster_close(kp_open_cluster *c);

/* A simulated copy of a live cluster, for --dry-run. */
kp_err *kp_cluster_rehearsal(kp_arena *a, const kp_open_cluster *live,
                             kp_sim **ret_sim) KP_MUST_USE;
/* What the copy cannot show (Java, half a release, topics that answer with errors): the rows that
 * the rehearsed run would meet, judged on the live cluster itself.  KP_SAFETY when one refuses;
 * else those that warn are told, and are among the warnings of the rehearsal's report. */
kp_err *kp_cluster_judge(kp_arena *a, const kp_open_cluster *live, const kp_run_spec *rehearsed,
                         kp_sim *copy, const kp_value **io_report) KP_MUST_USE;

char *kp_whoami(kp_arena *a); /* "ops@bastion1" */

/* ---- took.c ---- */
typedef struct kp_took kp_took;
/* How long things took in the newest finished runs there; what cannot be read is passed over. */
kp_took *kp_took_before(kp_arena *a, const kp_inventory *inv, const char *runs, bool simulated);
/* Hears the rehearsal's run, and tells `to`. */
kp_sink kp_took_sink(kp_took *t, kp_sink to);
/* Of the run that was heard; rehearsed: how long it took on the copy. */
kp_estimate kp_took_estimate(kp_took *t, kp_ms rehearsed);

/* ---- hints.c: nothing that names a command is shown without going through it ---- */
void kp_hint_line(kp_arena *a, const kp_line *line, int argc, char **argv); /* argv[0]: kplay */
void kp_hint_run(const char *run, bool resumable); /* the run that this process is about */
/* ... and what its journal began with: how to run its playbook again, when it is closed. */
void kp_hint_again(kp_arena *a, const kp_value *open);
char *kp_hint(kp_arena *a, const char *text);
/* The same, after a run's summary or report has said which run it is (kp_screen_spec.hint). */
char *kp_hint_of(kp_arena *a, const kp_value *about, const char *text);

/* Prints the error, its next step completed, and gives its exit code; takes the error over. */
int kp_cli_fail(kp_err *e, bool json);

/* ---- topics.c: "playbook", "cluster-file", "simulate" ...; NULL: there is no such topic ---- */
char *kp_topic_text(kp_arena *a, const char *name);
const kp_value *kp_topic_levels(kp_arena *a, const char *name);
const char *const *kp_topic_names(void); /* ends with NULL */

/* ---- modules.c: what a shipped module ("gate") or a team's ("team.night") says of itself ---- */
/* {module, file, doc, functions = [{function, doc, params = [{name, type, doc}], returns}]}; NULL:
 * there is no such module. */
kp_err *kp_module_read(kp_arena *a, const kp_files *f, const char *name,
                       const kp_value **ret_module) KP_MUST_USE;
char *kp_module_text(kp_arena *a, const kp_value *module);

/* ---- the commands ---- */
extern const kp_command kp_cmd_run, kp_cmd_resume, kp_cmd_approve, kp_cmd_settle, kp_cmd_check,
    kp_cmd_test, kp_cmd_cluster, kp_cmd_playbooks, kp_cmd_doc, kp_cmd_journal, kp_cmd_runs,
    kp_cmd_status, kp_cmd_path;

/* cmd_test.c hands the specs to the script host through this. */
int kp_cli_main(int argc, char **argv);

#endif
