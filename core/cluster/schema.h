/* schema: one level of the cluster file as a table.
 *
 * A level (`ssh`, `layout`, one broker ...) is a list of fields: key, kind, default, an example,
 * and one line that says what it is.  Reading a level checks every key of a map against the table
 * and stores the values in the level's struct; keys that are absent leave the struct as it was,
 * which is how a node's own settings override those of all nodes.  Room-internal.
 */
#ifndef KP_CLUSTER_SCHEMA_H
#define KP_CLUSTER_SCHEMA_H

#include "value/value.h"

typedef enum kp_field_kind {
    /* stored as const char * */
    KP_FIELD_TEXT,    /* one line, may be "" */
    KP_FIELD_NAME,    /* letters, digits, . _ - : also used as a directory name */
    KP_FIELD_WORD,    /* no blanks, no '-' in front: safe as an argument of a command */
    KP_FIELD_HOST,    /* host name or IP address */
    KP_FIELD_ADDRESS, /* host:port */
    KP_FIELD_LOCAL,   /* a path on this machine: ~/ is the home directory, relative to the cluster
                         file's directory */
    KP_FIELD_REMOTE,  /* an absolute path on the node's host; slashes at its end are dropped */
    KP_FIELD_RELEASE, /* a directory name with {version} in it */
    KP_FIELD_CHOICE,  /* one of `choices` */
    KP_FIELD_TOPIC,   /* a topic's whole name */
    KP_FIELD_PART,    /* TOPIC-INDEX */
    KP_FIELD_DATE,    /* YYYY-MM-DD */
    /* stored as int */
    KP_FIELD_PORT,
    KP_FIELD_ID,
    KP_FIELD_PERCENT,
    /* stored as const kp_value * */
    KP_FIELD_ARGV, /* a list of texts, not empty */
    KP_FIELD_LIST,
    KP_FIELD_MAP,
    /* told of, and read by client.c, which keeps the map as it is */
    KP_FIELD_ADDRESSES, /* host:port, separated by commas */
    KP_FIELD_SECRET,    /* where the secret is */
} kp_field_kind;

typedef struct kp_level kp_level;

typedef struct kp_field {
    const char *name;
    kp_field_kind kind;
    size_t offset;              /* in the level's struct */
    const char *otherwise;      /* default as it would stand in the file; NULL none */
    const char *const *choices; /* KP_FIELD_CHOICE: ended by NULL */
    const char *doc;            /* what it is: "the port sshd listens on" */
    const char *example;        /* a value as it would stand in the file */
    const char *computed;       /* a default that depends on something, in words */
    const char *const *choice_docs; /* what each of `choices` means, in their order */
    const kp_level *below;          /* of a map, or of each map of a list */
} kp_field;

struct kp_level {
    const kp_field *fields;
    size_t n;
};

/* A cluster file that is being read. */
typedef struct kp_reading {
    kp_arena *a;
    const char *file;
    const kp_value *where; /* as kp_inventory.where */
} kp_reading;

/* Where the value at `path` stands; the nearest thing around it when it is absent. */
const char *kp_reading_where(const kp_reading *in, const char *path);

/* A KP_CONFIG error about the value at `path`. */
kp_err *kp_reading_error(const kp_reading *in, const char *path, const char *next, const char *fmt,
                         ...) KP_PRINTF(4, 5);

/* "path.key", or "key" at the top. */
const char *kp_reading_path(const kp_reading *in, const char *path, const char *key);

/* Store the defaults of a level.  Texts without one become "". */
void kp_level_defaults(const kp_reading *in, const kp_level *level, void *into);

/* Check `map` (NULL: nothing to do) and store what it gives.  On failure `into` may be half filled.
 */
kp_err *kp_level_read(const kp_reading *in, const kp_level *level, const char *path,
                      const kp_value *map, void *into) KP_MUST_USE;

/* What the levels from `top` downwards take, as kp_inventory_keys tells it. */
const kp_value *kp_level_keys(kp_arena *a, const kp_level *top, const char *doc);

/* "host:port" or "[v6]:port": a host name or address, and a port from 1 to 65535. */
bool kp_address_is_valid(const char *s, size_t n);

/* A local path as KP_FIELD_LOCAL reads it; NULL when it cannot be found out (~user, or ~ without
 * HOME). */
const char *kp_local_path(const kp_reading *in, const char *path);

#endif
