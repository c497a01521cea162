/* server.properties: the java.util.Properties format as brokers read it, and edits that keep the
 * file a person's: comments, order, blank lines and the spelling of untouched lines stay byte for
 * byte. Sources: java.util.Properties.load (separators '=', ':' or blank; '\' continues and
 * escapes; the LAST of equal keys wins, which is why a duplicate is reported).
 */
#ifndef KP_CLUSTER_PROPERTIES_H
#define KP_CLUSTER_PROPERTIES_H

#include "value/value.h"

#define KP_PROPERTIES_LIMIT (1u << 20)

/* All keys with their values, as text; the last of equal keys wins.  Bytes beyond ASCII are the
 * ISO 8859-1 characters that Java takes them for, in UTF-8. */
const kp_value *kp_properties_parse(kp_arena *a, const char *text, size_t n);

/* One by one, in the file's order, equal keys too.  What a key means to a broker is for
 * server_config.h. */
typedef struct kp_property {
    const char *key;
    const kp_value *value; /* text */
    size_t line;     /* of the file, where it begins; 1 is the first */
    bool bad_escape; /* a \u without four hex digits: Java refuses the whole file */
    bool high_bytes; /* written with bytes beyond ASCII */
} kp_property;
kp_property *kp_properties_lines(kp_arena *a, const char *text, size_t n, size_t *ret_n);

/* How many times `key` is set. */
uint32_t kp_properties_count(const char *text, size_t n, const char *key);

/* The file with every key of `edits` (map of text; a nil or absent value cannot be given: use
 * kp_bool(false) to remove a key) set or removed: a set key keeps its line's place, a new one goes
 * to the end, on a line of its own. An edit that changes nothing gives equal bytes.  Fails
 * (KP_CONFIG) when an edited key is set twice in the file, and for a key or value that is not
 * UTF-8. */
kp_err *kp_properties_edit(kp_arena *a, const char *text, size_t n, const kp_value *edits,
                           char **ret_text, size_t *ret_n) KP_MUST_USE;

#endif
