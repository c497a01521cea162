/* codec: Kafka's wire encoding, driven by tables.
 *
 * A message is a plain C struct (messages.h) and a kp_schema that says, field by field, in which
 * versions of the API it exists and how it is written.  One encoder and one decoder walk any schema
 * at any version: there is no code per API and none per version.
 *
 * Source of the rules: clients/src/main/resources/common/message/README.md of Apache Kafka, KIP-482
 * (flexible versions: compact lengths and tagged fields), KIP-511 (ApiVersions).
 *
 * What a decoder promises about hostile bytes: it reads only what it was given; a count is believed
 * only when that many elements fit into the bytes left; null where the schema allows none, a string
 * with a NUL byte, tags out of order and a tag of the wrong size are errors; unknown tags are
 * skipped; bytes left over at the end are not an error (some servers send them), the caller is
 * told.
 */
#ifndef KP_KAFKA_CODEC_H
#define KP_KAFKA_CODEC_H

#include "base/base.h"
#include "kafka/messages.h"

#define KP_FRAME_LIMIT (100u << 20) /* longest request or answer, bytes */
#define KP_SCHEMA_DEPTH 16          /* deepest nesting of structs in a message */

typedef enum kp_wire_type {
    KP_WIRE_BOOL,   /* bool */
    KP_WIRE_INT8,   /* int8_t */
    KP_WIRE_INT16,  /* int16_t */
    KP_WIRE_UINT16, /* uint16_t */
    KP_WIRE_INT32,  /* int32_t */
    KP_WIRE_INT64,  /* int64_t */
    KP_WIRE_UUID,   /* kp_uuid */
    KP_WIRE_STRING, /* const char *; NULL is null */
    KP_WIRE_STRUCT, /* in lists only */
} kp_wire_type;

typedef struct kp_schema kp_schema;

typedef struct kp_field {
    const char *name;
    size_t offset;        /* in the C struct */
    const kp_schema *sub; /* KP_WIRE_STRUCT: of one element */
    int32_t fallback;     /* value of a number that the version or the tags leave out */
    kp_wire_type type;    /* of one element when `list` */
    int16_t from, until;  /* first and last version with this field; until 0: no last one */
    int16_t null_from;    /* first version that allows null, when `nullable` */
    int16_t tag;          /* when `tagged`: such a field is tagged in every version that has it */
    bool list;            /* struct { const T *v; int32_t n; }, n -1 is null */
    bool nullable;
    bool tagged;
    bool ignorable; /* may be dropped silently when the version cannot carry it */
} kp_field;

struct kp_schema {
    const char *name;       /* of the C struct, without kp_ */
    size_t size;            /* of the C struct */
    const kp_field *fields; /* in wire order; tagged fields by ascending tag */
    size_t n;
};

typedef struct kp_api {
    int16_t key;
    int16_t min, max; /* versions kplay speaks */
    int16_t flexible; /* first flexible version */
    const char *name;
    const kp_schema *request, *response;
} kp_api;

/* Every list in a message has this layout. */
typedef struct kp_wire_list {
    const void *v;
    int32_t n; /* -1 is null */
} kp_wire_list;

/* The API of that key, or NULL when kplay does not speak it. */
const kp_api *kp_api_find(int key);
extern const kp_api kp_apis[];
extern const size_t kp_apis_n;

/* Append a message.  A null in a field that allows none is KP_INTERNAL.  A field that this version
 * cannot carry, is not ignorable and is not at its fallback is KP_CLUSTER: the question would be
 * another one.  On failure `out` may hold part of the message. */
kp_err *kp_wire_encode(kp_buf *out, const kp_schema *s, int version, bool flexible,
                       const void *message) KP_MUST_USE;

/* Read a message that starts at p into arena a; what follows it is counted as left over. */
kp_err *kp_wire_decode(kp_arena *a, const kp_schema *s, int version, bool flexible, const void *p,
                       size_t n, void **ret_message, size_t *ret_left) KP_MUST_USE;

/* A deep copy in arena a. */
void *kp_wire_copy(kp_arena *a, const kp_schema *s, const void *message);

/* Append a whole request: size, header (v1, or v2 when the version is flexible), body.  On failure
 * `out` is as it was. */
kp_err *kp_frame_request(kp_buf *out, const kp_api *api, int version, int32_t correlation,
                         const char *client_id, const void *request) KP_MUST_USE;

/* Read an answer: a frame without its size, to the request with that correlation id.  The header is
 * v0, or v1 when the version is flexible; that of ApiVersions is always v0, and an ApiVersions
 * answer with error 35 has a body of v0 whatever was asked (KIP-511).  Errors are KP_CLUSTER. */
kp_err *kp_frame_response(kp_arena *a, const kp_api *api, int version, int32_t correlation,
                          const void *p, size_t n, const void **ret_response) KP_MUST_USE;

/* The correlation id at the start of an answer; false when it is shorter. */
bool kp_frame_correlation(const void *p, size_t n, int32_t *ret_correlation);

/* The size in front of a frame. */
uint32_t kp_frame_size(const void *p);

#endif
