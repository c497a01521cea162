/* host: what kplay does on the machines Kafka runs on, over SSH or on this one.
 *
 * Everything is a small POSIX sh script that is sent whole, runs once, and answers in lines.  Two
 * rules make that safe.  An answer is believed only when it ends with a trailer that only our own
 * script can have written and the channel ended in an orderly way; everything else is "unknown",
 * because a lost link, a killed command and a missing exit status look like success to SSH.  And
 * what changes a host is done in one of three shapes: the service manager is asked (it does the
 * work itself), a file or link is replaced by one atomic rename, or a long command runs detached
 * under a claim, so that one op id acts at most once however often it is launched.
 *
 * Who may act is decided on the host: <state>/<cluster id>/epoch names the one run that may, and
 * every effect compares it for equality, under a lock, in the same breath as it acts.
 *
 * Nothing here blocks but the look-up of a host's name and the reading of key files when a host is
 * connected to.  Every function that talks to a host returns at once with a ticket; its answer
 * comes from inside kp_loop_turn.
 */
#ifndef KP_HOST_H
#define KP_HOST_H

#include "base/base.h"
#include "value/value.h"

typedef struct kp_hosts kp_hosts; /* all hosts of a cluster, in one loop */
typedef struct kp_host kp_host;

#define KP_HOST_CHANNELS 4            /* commands at work on one host; more wait their turn */
#define KP_HOST_WAITING 256           /* commands waiting for one host; one more is an error */
#define KP_HOST_OUT_LIMIT (4u << 20)  /* longest answer, bytes; a longer one is an error */
#define KP_HOST_ERR_LIMIT (16u << 10) /* what is kept of a command's stderr, bytes */
#define KP_HOST_SCRIPT_LIMIT (256u << 10) /* longest script, bytes */
#define KP_HOST_FILE_LIMIT (1u << 20)     /* longest file kp_host_file_read brings, bytes */
#define KP_HOST_OP_ID_LIMIT 400           /* longest op id, bytes */

/* ---- who they are ---- */

/* How the node is started and stopped.  A command is a list of words; {current}, {config}, {log}
 * and {id} in it are replaced. */
typedef struct kp_host_service {
    const char *unit;       /* the systemd unit; NULL: by the commands below */
    const kp_value *start;  /* without it (and without a unit) kp_host_start is refused */
    const kp_value *stop;   /* NULL: SIGTERM to exactly the one process */
    const kp_value *status; /* prints the pid, or nothing; NULL: looked up among all processes.
                               A question: it runs with become_files, not become_service */
} kp_host_service;

typedef struct kp_host_layout {
    const char *current;  /* the link that names the release in use */
    const char *releases; /* the directory of unpacked releases */
    const char *release;  /* a release's name in it; NULL: "kafka_2.13-{version}" */
    const char *config;   /* the properties file */
    const char *log;      /* the server log; NULL or "": no evidence is read from it */
    const char *state;    /* kplay's own directory; NULL or "": "<releases>/.kplay" */
} kp_host_layout;

typedef struct kp_host_spec {
    const char *name;           /* in messages; NULL: the address */
    int node_id;
    const char *address;        /* name or address; also what known_hosts is searched for */
    int port;                   /* 0: 22 */
    const char *user;           /* NULL or "": the one who runs kplay */
    const char *identity;       /* private key file, "~/" understood; NULL or "": the agent */
    const char *known_hosts;    /* NULL or "": ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts */
    const char *transport;      /* "ssh" (also NULL), "openssh" (the ssh program), "local" */
    const char *become_service; /* words before systemctl, start and stop; NULL or "": none */
    const char *become_files;   /* words before the shell that reads and writes Kafka's files */
    kp_host_service service;
    kp_host_layout layout;
} kp_host_spec;

kp_hosts *kp_hosts_new(kp_loop *l);
/* Ends all sessions; calls no kp_host_fn; takes NULL.  Not from inside a kp_host_fn. */
void kp_hosts_free(kp_hosts *hs);

/* A host; nothing is contacted yet.  Copies the spec.  KP_CONFIG for one that cannot work.
 * It lives until kp_hosts_free. */
kp_err *kp_host_new(kp_hosts *hs, const kp_host_spec *spec, kp_host **ret_host) KP_MUST_USE;
const char *kp_host_name(const kp_host *h);

/* ---- asking ---- */

/* The answer: exactly one of `err` and `v` is set.  Called once per ticket, never from inside the
 * call that made it.  `err` passes to the receiver; `v` lives in the arena that was given, which
 * must live until the answer or kp_host_cancel.  Classes of error:
 *   KP_HOST     not reachable, not let in, not allowed, or an answer that is not to be believed.
 *               Marked retriable where trying again can help.  "unknown: ..." means that the
 *               command may have run whole, in part or not at all: look before asking again.
 *   KP_REFUSED  the host looked, under its lock, and did not act: fenced by another kplay, or the
 *               world is not as the caller believed.
 *   KP_INTERNAL an argument that no caller may give. */
typedef void (*kp_host_fn)(void *ud, kp_err *err, const kp_value *v);
typedef uint64_t kp_ticket; /* never 0 */

/* Forget it: its function is not called any more.  What the host does goes on.  A ticket that has
 * answered is ignored. */
void kp_host_cancel(kp_hosts *hs, kp_ticket t);

typedef enum kp_host_as {
    KP_AS_LOGIN, /* the SSH user */
    KP_AS_FILES, /* by become_files */
} kp_host_as;

/* Run a script by sh; it is sent whole before any of it runs.  Its stdin is `input`, which must
 * stay as it is until the answer.  Never a pty.  Answer: {rc, out, err}; any rc is an answer, not
 * an error.  A deadline is monotonic time, here and everywhere below. */
typedef struct kp_host_command {
    const char *script;
    const void *input;
    size_t input_n;
    kp_host_as as;
    kp_ms deadline;
} kp_host_command;
kp_ticket kp_host_exec(kp_host *h, kp_arena *a, const kp_host_command *c, kp_host_fn fn, void *ud);

/* A word that sh takes literally, whatever is in it. */
char *kp_host_quote(kp_arena *a, const char *word);

/* Everything about a node that can be seen on its host, in one round trip; the first time, and when
 * its log directories have become others, in two.  What does not exist or cannot be read is
 * absent.  Answer:
 *   boot_id               the host's boot
 *   pid, start_time       0: no process.  The three name one process for ever; start_time is in
 *                         jiffies since boot (/proc/PID/stat, 22)
 *   pids                  only when several processes run this file
 *   process               {config, node_id, cluster_id, roles, mode, overrides (map; a secret's
 *                         value is not in it), problems, cwd, java, listening, releases} of
 *                         the RUNNING process: the file on its command line and what that file
 *                         (with the command line's --override) means, as cluster/server_config.h
 *                         has it.  roles: "broker", "controller" or "broker,controller"; mode:
 *                         "zookeeper" or "kraft".  listening: TCP ports.  releases: of the main
 *                         jars, in the class path's order
 *   config                {node_id, cluster_id, roles, mode, problems, path_inside_release}
 *                         of the layout's file
 *   config_sha256         of the layout's file
 *   log_dirs              [{path, kind = "log"|"metadata", found, cluster_id, node_id, clean,
 *                         free}] of the process's file, else of the layout's.  clean:
 *                         .kafka_cleanshutdown is there (LogManager writes it; it is gone while
 *                         the process runs)
 *   log_paths             the paths of the "log" ones
 *   dirs_by               "file"; "open locks": a config provider gives log.dirs, and the process
 *                         holds a .lock in each; "question": as they were given
 *   dirs, clean_dirs      how many "log" ones there are, and how many of them are clean
 *   free                  bytes, of the "log" dir that has least
 *   running_release, running_release_by = "open files"|"class path"
 *                         from the jars of the running process, whatever the link says by now;
 *                         of two in one class path the first, which is what Java runs
 *   link, link_release    where layout.current points; the release by the jars found there
 *   releases              [staged versions]: named by the pattern, with libs/kafka-clients-*.jar
 *   releases_partial      {version = what its libs lack}: named by the pattern, not whole
 *   releases_other        [{name, version}]: other directories beside them with a release in libs
 *   service               {manager, state, ...}; systemd: sub, main_pid, invocation_id, restarts,
 *                         result, stop_timeout (ms, -1: none), send_sigkill, restart, kill_mode,
 *                         loaded; by command: rc and said of the status command
 *   agents                only when asked for: names of configuration agents among the processes
 *   fence                 {epoch, holder, last, by, since}; epoch 0: never raised.  holder: the run
 *                         that may act; absent when nobody may, then last is the run that gave the
 *                         host back.  by: who raised it or gave it back; since: when, by the
 *                         host's clock (UTC, ms); absent when not known
 *   log_size, log_turned (the log is shorter than log_since: it was rotated)
 *   script                true: what runs is a shell, the start script and not yet the JVM
 *   signs                 {errors = [lines], NAME = true...} from log_since on: the last 20
 *                         lines with ERROR, FATAL, Exception or a sign of trouble, and which of
 *                         kp_host_signs were seen (a sign that is `placed`: where in the log its
 *                         newest line ends, bytes); absent without log_since */
typedef struct kp_host_question {
    const char *cluster; /* cluster id, for the fence; NULL: not asked */
    int64_t log_since;   /* byte offset in the log; -1: no lines, only its size */
    const kp_value *dirs; /* log dirs (list of text) to look at; NULL: those of process or file */
    bool agents;          /* look for them among all processes of the host */
    kp_ms deadline;
} kp_host_question;
kp_ticket kp_host_state(kp_host *h, kp_arena *a, const kp_host_question *q, kp_host_fn fn,
                        void *ud);

/* Lines of the server log that mean one certain thing. */
typedef struct kp_host_sign {
    const char *name;
    const char *pattern; /* an extended regular expression without backslashes */
    bool trouble;        /* its lines are among signs.errors */
    bool placed;         /* told by where its newest line ends, not by true */
} kp_host_sign;
extern const kp_host_sign kp_host_signs[]; /* ends with a NULL name */

/* What a staged release says of the layout's file, by its own StorageTool, with the Java of the
 * node's next start; whether that Java takes the options of the process that runs; and which
 * classes neither that release nor the rest of the process's class path has.  Nothing is changed.
 * A few seconds of one CPU.  Answer: that of KP_Q_PROOF in world.h. */
typedef struct kp_host_proving {
    const char *version;
    const kp_value *classes; /* list of {class, path}; NULL: none */
    kp_ms deadline;
} kp_host_proving;
kp_ticket kp_host_proof(kp_host *h, kp_arena *a, const kp_host_proving *q, kp_host_fn fn, void *ud);

/* What a staged release says of itself, by its own programs; nothing is changed.  Several seconds
 * of one CPU.  Answer: {built, release_dir, metadata_version_min, metadata_version_max, features,
 * keys, topic_keys, why}: those of KP_Q_RELEASE in world.h. */
kp_ticket kp_host_release_info(kp_host *h, kp_arena *a, const char *version, kp_ms deadline,
                               kp_host_fn fn, void *ud);

/* Who is connected to the broker that runs on this host, by its own metrics.  Answer: {problem}, or
 * {release, connections, deprecated, unknown_to, unknown, java}: those of KP_Q_CLIENTS in world.h.
 * Asked as the user of Kafka's files, who must be the process's; a process that would die of the
 * call (java -Xrs) is not called.  It leaves the process with its local management agent started: a
 * port that takes connections from this host alone, from who knows an address that only that user
 * can read.  Nothing ends that agent but the end of the process. */
kp_ticket kp_host_clients(kp_host *h, kp_arena *a, kp_ms deadline, kp_host_fn fn, void *ud);

/* A file.  Answer: {path (links resolved), found, sha256, bytes, mode ("640"), modified (ms)}. */
kp_ticket kp_host_file_read(kp_host *h, kp_arena *a, const char *path, kp_ms deadline,
                            kp_host_fn fn, void *ud);

/* ---- acting ---- */

/* Raise the epoch of <state>/<cluster>: from then on no lower one, and no equal one of another
 * holder, acts on this host.  A host that a run holds is taken by that run and by who names it in
 * `over`; one that nobody holds, by anybody.  Again with the same epoch and holder is success.
 * Answer: {epoch, holder, was_epoch, was_holder}.  KP_REFUSED "fenced by HOLDER at EPOCH"
 * otherwise. */
typedef struct kp_host_claim {
    const char *cluster;
    int64_t epoch;      /* 1 and up */
    const char *holder; /* a run: one line, printable, at most 200 bytes, not beginning with "-" */
    const char *over;   /* the run it may be taken from; NULL: none */
    const char *who;    /* one line, for people; NULL: not known */
    kp_ms deadline;
} kp_host_claim;
kp_ticket kp_host_fence(kp_host *h, kp_arena *a, const kp_host_claim *c, kp_host_fn fn, void *ud);

/* Give the host back: the epoch stays, and nobody holds it, so the next run may raise it.  Only
 * while `holder` holds it at exactly `epoch` (KP_REFUSED "fenced by ..." otherwise); again is
 * success.  Answer: {epoch, holder, was_epoch, was_holder}; holder "- HOLDER". */
kp_ticket kp_host_unfence(kp_host *h, kp_arena *a, const kp_host_claim *c, kp_host_fn fn, void *ud);

/* What every effect carries.  An id is printable and without blanks. */
typedef struct kp_host_op {
    const char *id;
    const char *cluster;
    int64_t epoch; /* it acts only while the host's epoch equals this one */
    kp_ms deadline;
} kp_host_op;

/* Each answers {did}: "asked" or "done", "already" when it was so before, "attached" when this op
 * id had been launched earlier; and leaves a line `<utc> <op id> <act> ...` in
 * <state>/<cluster>/acts.log just before it acts. */

/* Ask for an orderly stop; never SIGKILL.  pid and start_time are of the process that was looked
 * at: when it is gone and another one runs, the answer is KP_REFUSED.  pid 0: whatever runs. */
kp_ticket kp_host_stop(kp_host *h, kp_arena *a, const kp_host_op *op, int64_t pid,
                       int64_t start_time, kp_host_fn fn, void *ud);
kp_ticket kp_host_start(kp_host *h, kp_arena *a, const kp_host_op *op, kp_host_fn fn, void *ud);

/* Point layout.current at a staged release.  Adds {was}: where it pointed. */
kp_ticket kp_host_link(kp_host *h, kp_arena *a, const kp_host_op *op, const char *version,
                       kp_host_fn fn, void *ud);

/* Replace a whole file, only if its present bytes have the sha256 `expect` (NULL: only if there is
 * no file).  Links are followed; mode and, where allowed, owner are kept; a new file has mode 640.
 * The old one stays as <path>.kplay-<op id>.  Adds {path, sha256, backup}.  The bytes must stay as
 * they are until the answer; they travel before the lock is taken and are checked on arrival. */
typedef struct kp_host_file {
    const char *path;
    const void *bytes;
    size_t n;
    const char *expect;
} kp_host_file;
kp_ticket kp_host_file_write(kp_host *h, kp_arena *a, const kp_host_op *op, const kp_host_file *f,
                             kp_host_fn fn, void *ud);

/* A long command, detached, by become_files, in <state>/<cluster>/op/<op id>/{who,out,rc}.
 * Launching an id again attaches.  The claim is made by the command's own process: where there is
 * a claim, it has started.  `label` is one word for acts.log. */
kp_ticket kp_host_job(kp_host *h, kp_arena *a, const kp_host_op *op, const char *label,
                      const char *script, kp_host_fn fn, void *ud);

/* Answer: {state, rc, output, output_size}.  state: "none" never started; "running"; "done", with
 * rc; "stale": the host was rebooted or the command is gone without an rc, so what it did is
 * unknown and only the effect can tell.  output: what it wrote from byte `since` on, at most 64
 * KiB.  Starts and stops by command are asked after in the same way. */
kp_ticket kp_host_job_poll(kp_host *h, kp_arena *a, const kp_host_op *op, int64_t since,
                           kp_host_fn fn, void *ud);

/* ---- being allowed ---- */

/* Prove, without changing anything, that every act above would be allowed.  Answer: a list of
 * {act, what, next}, empty when all is well. */
kp_ticket kp_host_permissions(kp_host *h, kp_arena *a, kp_ms deadline, kp_host_fn fn, void *ud);

/* The sudoers lines this host needs for its become words; "" when they do not use sudo. */
char *kp_host_sudoers(kp_arena *a, const kp_host *h);

#endif
