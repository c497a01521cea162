/* What the files of this room share; nobody else includes it.
 *
 * Three layers.  A script (script.c and the files of the acts) is text with variables and lines
 * for an answer.  A command (exec.c) is one run of a script: it waits its turn, is wrapped in
 * markers, judged and delivered.  A transport (ssh.c, spawn.c) moves its bytes and knows nothing
 * else; the table of transports is in host.c.
 */
#ifndef KP_HOST_INNER_H
#define KP_HOST_INNER_H

#include "host/host.h"

/* ---- hosts (host.c) ---- */

typedef struct kp_exec kp_exec;
typedef struct kp_transport kp_transport;

struct kp_hosts {
    kp_loop *l;
    kp_arena *a; /* the hosts and their specs */
    kp_host *first;
    kp_exec *finished, **finished_end; /* judged, to be delivered by `deliver` */
    kp_timer *deliver;
    kp_ticket last;
    bool delivering;
};

/* A properties file that was read whole, kept so that it is not sent again. */
typedef struct kp_known_file {
    char sha256[65];
    kp_buf bytes;
} kp_known_file;

struct kp_host {
    kp_host *next;
    kp_hosts *hs;
    kp_host_spec spec; /* every text set; "" where the caller gave none */
    char *release_before, *release_after; /* layout.release around {version} */
    const kp_transport *transport;
    void *link;         /* the transport's own */
    kp_exec *waiting;   /* in order of asking */
    size_t n_waiting, n_running, slots;
    kp_exec *running;
    kp_timer *turn;     /* set while something waits that could run */
    kp_known_file known[2]; /* the process's file and the layout's, in most cases one */
    size_t next_known;
    kp_buf dirs; /* lines "KIND PATH": the log directories the last look should see */
    bool looked;
};

/* ---- commands (exec.c) ---- */

enum { NONCE_BYTES = 16 };

struct kp_exec {
    kp_exec *next;
    kp_host *h;
    kp_ticket ticket;
    kp_arena *a;
    kp_host_fn fn; /* NULL: cancelled */
    void *ud;
    char nonce[NONCE_BYTES * 2 + 1];
    char *line;     /* for the login shell */
    kp_buf head;    /* what is sent first: the script */
    const char *input; /* and then */
    size_t input_n;
    size_t sent;
    kp_buf out, err;
    kp_timer *timer;
    bool may_have_run; /* set by the transport before it hands the line over */
    bool again;        /* has been given back once */
    void *at;          /* the transport's own */
    kp_err *failure;   /* the verdict: this, or ... */
    const kp_value *answer; /* ... this */
};

/* Bytes to send next; 0: all sent. */
size_t kp_exec_pending(const kp_exec *x, const char **ret_p);
void kp_exec_heard(kp_exec *x, int stream, const char *p, size_t n); /* stream 1 or 2 */

/* How a command ended.  Each takes it away from the transport. */
void kp_exec_ended(kp_exec *x, int status, const char *signal); /* an orderly end; signal or NULL */
void kp_exec_lost(kp_exec *x, kp_err *why);   /* no orderly end; takes `why` over */
void kp_exec_failed(kp_exec *x, kp_err *e);   /* it certainly did not run; takes `e` over */
void kp_exec_again(kp_exec *x);               /* likewise, and it may be started once more */

/* A command that is over before it began; takes `e` over. */
kp_ticket kp_exec_wrong(kp_host *h, kp_arena *a, kp_err *e, kp_host_fn fn, void *ud);

/* Gives a command that was just asked for the ticket of the one it follows. */
void kp_exec_rename(kp_host *h, kp_ticket from, kp_ticket to);

void kp_exec_drop_all(kp_hosts *hs);

struct kp_transport {
    const char *name;
    void (*start)(kp_exec *x);   /* may end it at once */
    void (*abandon)(kp_exec *x); /* nobody wants the answer any more; x is gone afterwards */
    void (*close)(kp_host *h);   /* nothing is running */
};
extern const kp_transport kp_transport_ssh, kp_transport_openssh, kp_transport_local;

/* A path with a leading "~/" resolved. */
char *kp_host_home(kp_arena *a, const char *path);

/* The words of a prefix ("sudo -n -u kafka"), each quoted and followed by a blank. */
void kp_quote(kp_buf *b, const char *word);
void kp_quote_words(kp_buf *b, const char *words);

/* ---- scripts (script.c) ---- */

/* A script under construction: text first, then run it.  What it says are lines `key value`; after
 * an empty line come bytes.  Exit codes every script of this room uses: */
enum {
    SCRIPT_FAILED = 95,  /* an act was tried and did not work: "failed WORDS" */
    SCRIPT_REFUSED = 96, /* "refused WORDS" */
    SCRIPT_FENCED = 97,  /* "fenced EPOCH HOLDER", as the file of the fence has it */
    SCRIPT_BUSY = 98,    /* the lock could not be had */
};

typedef struct kp_said {
    size_t n;
    const char **keys, **values;
    const char *rest; /* the bytes after the empty line */
    size_t rest_n;
    const char *err; /* stderr */
} kp_said;

const char *kp_said_get(const kp_said *s, const char *key); /* the first; NULL when absent */
bool kp_said_int(const char *text, int64_t *ret_i);         /* a whole decimal number */

typedef kp_err *(*kp_decode)(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v);

typedef struct kp_script {
    kp_buf text;
    kp_err *wrong; /* the first argument that could not be taken */
} kp_script;

#define KP_SCRIPT_INIT { .text = KP_BUF_INIT(KP_HOST_SCRIPT_LIMIT) }

void kp_script_set(kp_script *s, const char *name, const char *value); /* NULL sets "" */
void kp_script_set_int(kp_script *s, const char *name, int64_t value);
void kp_script_add(kp_script *s, const char *text);

/* The functions files() and service(): how a command is run as each of them by a script that runs
 * as `as`. */
void kp_script_become(kp_script *s, const kp_host *h, kp_host_as as);

/* A function NAME() that runs a command by RUNNER ("files" or "service"), {names} replaced; without
 * a command it does nothing. */
void kp_script_command(kp_script *s, const kp_host *h, const char *name, const char *runner,
                       const kp_value *argv);

/* kp_sh_process and what it needs: unit, config, has_status and status_command(). */
void kp_script_process(kp_script *s, const kp_host *h);

/* The variables of the layout and those of one cluster's directory and one op. */
void kp_script_layout(kp_script *s, const kp_host *h);
void kp_script_cluster(kp_script *s, const kp_host *h, const char *cluster);
void kp_script_op(kp_script *s, const kp_host *h, const kp_host_op *op);

typedef struct kp_script_run {
    kp_host_as as;
    kp_ms deadline;
    const void *input;
    size_t input_n;
    kp_decode decode;
} kp_script_run;

/* Runs and releases the script.  Its exit codes above become errors; 0 is decoded. */
kp_ticket kp_script_go(kp_host *h, kp_arena *a, kp_script *s, const kp_script_run *run,
                       kp_host_fn fn, void *ud);

/* Every pair as text, "epoch" and the like as they stand: enough for most acts. */
kp_err *kp_decode_texts(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v);

/* A name that is safe as one path component, the same for the same text, different for others. */
char *kp_path_name(kp_arena *a, const char *text);

/* The files of sh/, embedded (embed.sh): NAME.sh is kp_sh_NAME. */
extern const char kp_sh_basics[], kp_sh_lock[], kp_sh_fence[], kp_sh_fence_raise[],
    kp_sh_fence_give_back[], kp_sh_file_read[], kp_sh_file_write[], kp_sh_claim[],
    kp_sh_job_detached[], kp_sh_job_launch[], kp_sh_job_poll[], kp_sh_link[],
    kp_sh_look_functions[], kp_sh_look[], kp_sh_permissions[], kp_sh_permissions_files[],
    kp_sh_permissions_login[], kp_sh_permissions_unit[], kp_sh_permissions_run[], kp_sh_clients[],
    kp_sh_process[], kp_sh_proof_functions[], kp_sh_proof[], kp_sh_release_info[],
    kp_sh_stop_unit[], kp_sh_start_unit[], kp_sh_stop_check[], kp_sh_stop_signal[],
    kp_sh_start_check[];
extern const char kp_awk_arguments[], kp_awk_open_files[], kp_awk_options[], kp_awk_signs[];

/* Appends a detached command under a claim, and its launch (job.c). */
typedef struct kp_launch {
    const char *label; /* for acts.log */
    const char *check; /* run under the lock just before the claim; may end it by `exit` */
    const char *run;   /* the command */
} kp_launch;
void kp_script_launch(kp_script *s, const kp_host *h, const kp_host_op *op, kp_host_as as,
                      const kp_launch *launch);

#endif
