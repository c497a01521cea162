/* value: the one data type that crosses between C and Lua, the journal and the screen.
 *
 * A kp_value is an immutable tree: nil, bool, int64, double, bytes, list, map.  It is owned by the
 * arena it was built in; there are no reference counts and nothing is ever changed once built.
 * A map's keys are bytes without NUL, unique, and kept in ascending byte order, so that equal
 * values print equally.
 */
#ifndef KP_VALUE_H
#define KP_VALUE_H

#include "base/base.h"

typedef enum kp_type { KP_NIL, KP_BOOL, KP_INT, KP_DOUBLE, KP_BYTES, KP_LIST, KP_MAP } kp_type;

typedef struct kp_value kp_value;
struct kp_value {
    kp_type type;
    uint32_t n; /* bytes of a KP_BYTES, items of a KP_LIST, pairs of a KP_MAP */
    union {
        bool b;
        int64_t i;
        double d;
        const char *s;                 /* KP_BYTES, NUL added after n bytes */
        const kp_value *const *items;  /* KP_LIST: n values; KP_MAP: n values, beside keys */
    } u;
    const char *const *keys; /* KP_MAP only: n keys, ascending */
};

#define KP_VALUE_DEPTH 32 /* lists and maps inside each other, in what is read or written */
#define KP_JSON_LIMIT                                                                              \
    (16u << 20) /* longest JSON text read, bytes: the lag of 5,000 groups of 100
                                     partitions is 10 MB */

/* ---- build ---- */
const kp_value *kp_nil(void);
const kp_value *kp_bool(bool b);
const kp_value *kp_int(kp_arena *a, int64_t i);
const kp_value *kp_double(kp_arena *a, double d);
const kp_value *kp_text(kp_arena *a, const char *s); /* copies; NULL gives nil */
const kp_value *kp_bytes(kp_arena *a, const void *p, size_t n);
const kp_value *kp_textf(kp_arena *a, const char *fmt, ...) KP_PRINTF(2, 3);

/* A map from key, value, key, value, ..., NULL.  A NULL or nil value leaves its key out. */
const kp_value *kp_map(kp_arena *a, ...) __attribute__((sentinel));
const kp_value *kp_ints(kp_arena *a, const int *v, size_t n); /* a list of ints */

/* Growing lists and maps.  Added values are not copied and must live as long as the arena; keys are
 * copied.  The finished value does not alias the builder, which may go on. */
typedef struct kp_builder {
    kp_arena *a;
    const kp_value **v;
    const char **k; /* NULL for a list */
    uint32_t n, cap;
} kp_builder;
kp_builder kp_list_begin(kp_arena *a);
void kp_list_add(kp_builder *b, const kp_value *v);
const kp_value *kp_list_end(kp_builder *b);
kp_builder kp_map_begin(kp_arena *a);
/* A later equal key wins; nil removes. */
void kp_map_add(kp_builder *b, const char *key, const kp_value *v);
const kp_value *kp_map_end(kp_builder *b);

/* Deep, into another arena; NULL stays NULL. */
const kp_value *kp_value_copy(kp_arena *a, const kp_value *v);

/* The map with one pair more or replaced; nil removes.  It shares the other pairs with `map`, which
 * may be NULL. */
const kp_value *kp_map_with(kp_arena *a, const kp_value *map, const char *key, const kp_value *v);

/* ---- borrow ---- every getter takes NULL and the wrong type, and then answers the default */
const kp_value *kp_get(const kp_value *map, const char *key); /* NULL when absent */
const kp_value *kp_at(const kp_value *list, size_t i);        /* 0-based; NULL when out of range */
size_t kp_len(const kp_value *list_or_map);                   /* 0 for anything else */
int64_t kp_get_int(const kp_value *map, const char *key, int64_t otherwise);
bool kp_get_bool(const kp_value *map, const char *key, bool otherwise);
const char *kp_get_text(const kp_value *map, const char *key, const char *otherwise);
int64_t kp_as_int(const kp_value *v, int64_t otherwise);
const char *kp_as_text(const kp_value *v, const char *otherwise);
bool kp_is(const kp_value *v, kp_type type);
bool kp_list_has_int(const kp_value *list, int64_t i);
bool kp_list_has_text(const kp_value *list, const char *text);

/* Equal as written: 1 and 1.0 differ, 0.0 and -0.0 differ, nan equals nan; NULL is nil. */
bool kp_value_equal(const kp_value *a, const kp_value *b);

/* "nil", "boolean", "integer", "number", "string", "list", "map" */
const char *kp_type_name(kp_type t);

/* ---- JSON ---- canonical: keys in order, no spaces, shortest doubles, int64 exact.  Equal values
 * have equal texts, and what was written is read back equal.  A double always has a '.' or an
 * exponent, so it stays a double.  What JSON has no word for:
 *     bytes that are not UTF-8        {"$b64":"/w=="}
 *     a double that is not finite     {"$num":"nan"}   "inf"   "-inf"
 *     a key that is not UTF-8         "$b64:/w=="
 *     another key that begins with $  "$$ref" for $ref; a plain "$ref" is read as $ref too
 * The first two count as one level of nesting. */

/* Sets out->overflow when the value is deeper than KP_VALUE_DEPTH or the text passes the limit of
 * the buffer. */
void kp_json_write(kp_buf *out, const kp_value *v);

/* For values known to be small: past KP_JSON_LIMIT or KP_VALUE_DEPTH the process ends. */
char *kp_json_text(kp_arena *a, const kp_value *v);

/* One JSON text and nothing behind it.  Duplicate keys, integers beyond int64 and bytes that are
 * not UTF-8 are errors: KP_CONFIG with "line:col" as `where` (a bad '$' form has no place and is
 * quoted instead).  A null in a map leaves its key out. */
kp_err *kp_json_read(kp_arena *a, const char *p, size_t n, const kp_value **ret_v) KP_MUST_USE;

/* ---- errors: {class, where, what, next, detail, retriable, cause}; NULL stays NULL.  What is no
 * map is none; `certain` is of the moment, and is left out. */
const kp_value *kp_err_value(kp_arena *a, const kp_err *e);
kp_err *kp_err_from_value(const kp_value *v);

/* ---- durations: "250ms" "5s" "10m" "2h" "1d", or joined, largest unit first: "1h30m".  At most
 * 366 days.  Errors are KP_CONFIG without a place; a caller that knows better changes both. */
kp_err *kp_duration_parse(const char *s, kp_ms *ret_d) KP_MUST_USE;

/* ---- versions: Kafka releases "3.9.1", lines "3.9", vendor tails ignored after '-' */
typedef struct kp_version { int major, minor, patch; } kp_version; /* patch -1 when not given */
bool kp_version_parse(const char *s, kp_version *ret_v);
int kp_version_cmp(kp_version a, kp_version b);      /* a missing patch compares as 0 */
int kp_version_line_cmp(kp_version a, kp_version b); /* major and minor only */

#endif
