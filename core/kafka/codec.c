/* codec.c: one encoder and one decoder that walk any schema at any version.
 *
 * Both keep a `walk`: the version, and the path of field names and list positions down to where
 * they are, so that an error names the very field ("topics[3].partitions[0].isr_nodes").  Nothing
 * recurses deeper than the schema does.
 *
 *   plain versions                          flexible versions (KIP-482)
 *   string  int16 length, -1 is null        unsigned varint length + 1, 0 is null
 *   list    int32 count, -1 is null         unsigned varint count + 1, 0 is null
 *   struct  the fields                      the fields, then the tagged fields: how many, and for
 *                                           each, in ascending order, tag, size and value
 * Integers are big-endian in both.
 */
#include "kafka/codec.h"

#include <string.h>

#define STRING_LIMIT INT16_MAX /* longest string of a plain version */

static const char *const next_wrong =
    "this is a fault of kplay: please report it with this message";
static const char *const next_broken = "check that this address is a Kafka listener; if it is, "
                                       "report this message: kplay and the node "
                                       "disagree about the format";
static const char *const next_old =
    "ask in a way this release of Kafka knows, or upgrade the node first";

/* Where the walk is, and what went wrong there. */
typedef struct walk {
    int version;
    bool flexible;
    size_t depth;
    const char *field[KP_SCHEMA_DEPTH];
    int32_t index[KP_SCHEMA_DEPTH]; /* -1 outside a list */
    const char *wrong;              /* NULL while all is well */
    bool too_old;                   /* wrong because the version cannot carry the field */
} walk;

static bool walk_fail(walk *w, const char *wrong)
{
    if (!w->wrong)
        w->wrong = wrong;
    return false;
}

static bool walk_enter(walk *w, const char *name)
{
    if (w->depth == KP_SCHEMA_DEPTH)
        return walk_fail(w, "structs are nested too deeply");
    w->field[w->depth] = name;
    w->index[w->depth] = -1;
    w->depth++;
    return true;
}

static void walk_leave(walk *w)
{
    if (!w->wrong) /* after an error the path stays, for the message */
        w->depth--;
}

static void walk_path(const walk *w, kp_buf *out)
{
    for (size_t i = 0; i < w->depth; i++) {
        if (i)
            kp_buf_chr(out, '.');
        kp_buf_str(out, w->field[i]);
        if (w->index[i] >= 0)
            kp_buf_fmt(out, "[%" PRId32 "]", w->index[i]);
    }
}

static bool in_version(const walk *w, const kp_field *f)
{
    return w->version >= f->from && (!f->until || w->version <= f->until);
}

static bool null_allowed(const walk *w, const kp_field *f)
{
    return f->nullable && w->version >= f->null_from;
}

/* Bytes of one value in the C struct. */
static size_t value_size(const kp_field *f)
{
    switch (f->type) {
    case KP_WIRE_BOOL:
        return sizeof(bool);
    case KP_WIRE_INT8:
        return sizeof(int8_t);
    case KP_WIRE_INT16:
        return sizeof(int16_t);
    case KP_WIRE_UINT16:
        return sizeof(uint16_t);
    case KP_WIRE_INT32:
        return sizeof(int32_t);
    case KP_WIRE_INT64:
        return sizeof(int64_t);
    case KP_WIRE_UUID:
        return sizeof(kp_uuid);
    case KP_WIRE_STRING:
        return sizeof(const char *);
    case KP_WIRE_STRUCT:
        return f->sub->size;
    }
    return 0;
}

/* Numbers travel through memcpy: the tables know the C type only by its size. */
static int64_t int_load(kp_wire_type type, const void *p)
{
    switch (type) {
    case KP_WIRE_BOOL: {
        bool v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    case KP_WIRE_INT8: {
        int8_t v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    case KP_WIRE_INT16: {
        int16_t v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    case KP_WIRE_UINT16: {
        uint16_t v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    case KP_WIRE_INT32: {
        int32_t v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    case KP_WIRE_INT64: {
        int64_t v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    case KP_WIRE_UUID:
    case KP_WIRE_STRING:
    case KP_WIRE_STRUCT:
        break;
    }
    return 0;
}

static void int_store(kp_wire_type type, void *p, int64_t v)
{
    switch (type) {
    case KP_WIRE_BOOL:
        memcpy(p, &(bool){ v != 0 }, sizeof(bool));
        break;
    case KP_WIRE_INT8:
        memcpy(p, &(int8_t){ (int8_t)v }, sizeof(int8_t));
        break;
    case KP_WIRE_INT16:
        memcpy(p, &(int16_t){ (int16_t)v }, sizeof(int16_t));
        break;
    case KP_WIRE_UINT16:
        memcpy(p, &(uint16_t){ (uint16_t)v }, sizeof(uint16_t));
        break;
    case KP_WIRE_INT32:
        memcpy(p, &(int32_t){ (int32_t)v }, sizeof(int32_t));
        break;
    case KP_WIRE_INT64:
        memcpy(p, &v, sizeof(v));
        break;
    case KP_WIRE_UUID:
    case KP_WIRE_STRING:
    case KP_WIRE_STRUCT:
        break;
    }
}

static const char *string_load(const void *p)
{
    const char *s;
    memcpy(&s, p, sizeof(s));
    return s;
}

static kp_wire_list list_load(const void *p)
{
    kp_wire_list l;
    memcpy(&l, p, sizeof(l));
    return l;
}

/* Bytes of an integer on the wire; 0 for what is not one. */
static size_t int_width(kp_wire_type type)
{
    switch (type) {
    case KP_WIRE_BOOL:
    case KP_WIRE_INT8:
        return 1;
    case KP_WIRE_INT16:
    case KP_WIRE_UINT16:
        return 2;
    case KP_WIRE_INT32:
        return 4;
    case KP_WIRE_INT64:
        return 8;
    case KP_WIRE_UUID:
    case KP_WIRE_STRING:
    case KP_WIRE_STRUCT:
        break;
    }
    return 0;
}

static bool is_fallback(const kp_field *f, const void *p)
{
    static const kp_uuid zero;
    if (f->list)
        return list_load(p).n == 0;
    if (f->type == KP_WIRE_STRING) {
        const char *s = string_load(p);
        return !s || (!f->nullable && !*s);
    }
    if (f->type == KP_WIRE_UUID)
        return memcmp(p, &zero, sizeof(zero)) == 0;
    return int_load(f->type, p) == f->fallback;
}

/* ---- encoding ---- */

static void put_int(kp_buf *out, int64_t v, size_t width)
{
    unsigned char b[8];
    for (size_t i = 0; i < width; i++)
        b[i] = (unsigned char)((uint64_t)v >> (8 * (width - 1 - i)));
    kp_buf_add(out, b, width);
}

static void put_varint(kp_buf *out, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        kp_buf_chr(out, (char)(v | 0x80));
    kp_buf_chr(out, (char)v);
}

static void put_length(walk *w, kp_buf *out, int64_t n, size_t plain_width)
{
    if (w->flexible)
        put_varint(out, (uint32_t)(n + 1));
    else
        put_int(out, n, plain_width);
}

static bool put_string(walk *w, kp_buf *out, const char *s, bool nullable)
{
    if (!s) {
        if (!nullable)
            return walk_fail(w, "null where none is allowed");
        put_length(w, out, -1, 2);
        return true;
    }
    size_t n = strlen(s);
    if (n > (w->flexible ? KP_FRAME_LIMIT : STRING_LIMIT))
        return walk_fail(w, "the text is too long for this version");
    put_length(w, out, (int64_t)n, 2);
    kp_buf_add(out, s, n);
    return true;
}

static bool put_struct(walk *w, kp_buf *out, const kp_schema *s, const char *base);

static bool put_one(walk *w, kp_buf *out, const kp_field *f, const void *p, bool nullable)
{
    switch (f->type) {
    case KP_WIRE_STRUCT:
        return put_struct(w, out, f->sub, p);
    case KP_WIRE_STRING:
        return put_string(w, out, string_load(p), nullable);
    case KP_WIRE_UUID:
        kp_buf_add(out, p, sizeof(kp_uuid));
        return true;
    default:
        put_int(out, int_load(f->type, p), int_width(f->type));
        return true;
    }
}

static bool put_field(walk *w, kp_buf *out, const kp_field *f, const void *p)
{
    if (!f->list)
        return put_one(w, out, f, p, null_allowed(w, f));
    kp_wire_list l = list_load(p);
    if (l.n < 0) {
        if (!null_allowed(w, f))
            return walk_fail(w, "null where none is allowed");
        put_length(w, out, -1, 4);
        return true;
    }
    put_length(w, out, l.n, 4);
    size_t step = value_size(f);
    const char *v = l.v;
    for (int32_t i = 0; i < l.n; i++, v += step) {
        w->index[w->depth - 1] = i;
        if (!put_one(w, out, f, v, false))
            return false;
    }
    return true;
}

static bool put_tags(walk *w, kp_buf *out, const kp_schema *s, const char *base)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const kp_field *f = &s->fields[i];
        if (f->tagged && in_version(w, f) && !is_fallback(f, base + f->offset))
            n++;
    }
    put_varint(out, n);
    for (size_t i = 0; n && i < s->n; i++) {
        const kp_field *f = &s->fields[i];
        if (!f->tagged || !in_version(w, f) || is_fallback(f, base + f->offset))
            continue;
        KP_AUTO_BUF value = KP_BUF_INIT(KP_FRAME_LIMIT);
        if (!walk_enter(w, f->name) || !put_field(w, &value, f, base + f->offset))
            return false;
        walk_leave(w);
        put_varint(out, (uint32_t)f->tag);
        put_varint(out, (uint32_t)value.n);
        kp_buf_add(out, value.p, value.n);
    }
    return true;
}

static bool put_struct(walk *w, kp_buf *out, const kp_schema *s, const char *base)
{
    for (size_t i = 0; i < s->n; i++) {
        const kp_field *f = &s->fields[i];
        if (!walk_enter(w, f->name))
            return false;
        if (!in_version(w, f)) {
            if (!f->ignorable && !is_fallback(f, base + f->offset)) {
                w->too_old = true;
                return walk_fail(w, "this version cannot carry it");
            }
        } else if (!f->tagged && !put_field(w, out, f, base + f->offset)) {
            return false;
        }
        walk_leave(w);
    }
    return !w->flexible || put_tags(w, out, s, base);
}

kp_err *kp_wire_encode(kp_buf *out, const kp_schema *s, int version, bool flexible,
                       const void *message)
{
    walk w = { .version = version, .flexible = flexible };
    put_struct(&w, out, s, message);
    if (!w.wrong && out->overflow)
        w.wrong = "the message is too long";
    if (!w.wrong)
        return NULL;
    KP_AUTO_BUF path = KP_BUF_INIT(1024);
    walk_path(&w, &path);
    return kp_err_new(w.too_old ? KP_CLUSTER : KP_INTERNAL, w.too_old ? next_old : next_wrong,
                      "cannot write %s v%d: %s: %s", s->name, version, kp_buf_text(&path), w.wrong);
}

/* ---- decoding ---- */

typedef struct reader {
    walk w;
    kp_arena *a;
    const unsigned char *p, *end;
} reader;

static size_t left(const reader *r)
{
    return (size_t)(r->end - r->p);
}

static bool get_int(reader *r, kp_wire_type type, int64_t *ret_v)
{
    size_t width = int_width(type);
    if (left(r) < width)
        return walk_fail(&r->w, "the message ends too early");
    uint64_t v = *r->p & 0x80 ? UINT64_MAX : 0; /* storing cuts an unsigned value to its width */
    for (size_t i = 0; i < width; i++)
        v = v << 8 | *r->p++;
    *ret_v = (int64_t)v;
    return true;
}

static bool get_varint(reader *r, uint32_t *ret_v)
{
    uint32_t v = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (r->p == r->end)
            return walk_fail(&r->w, "the message ends too early");
        uint32_t b = *r->p++;
        if (shift == 28 && b > 0x0f)
            break;
        v |= (b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *ret_v = v;
            return true;
        }
    }
    return walk_fail(&r->w, "a variable-length number is too long");
}

/* A length or a count; -1 is null. */
static bool get_length(reader *r, kp_wire_type plain, int64_t *ret_n)
{
    if (!r->w.flexible)
        return get_int(r, plain, ret_n);
    uint32_t n;
    if (!get_varint(r, &n))
        return false;
    *ret_n = (int64_t)n - 1;
    return true;
}

static bool get_string(reader *r, bool nullable, void *p)
{
    int64_t n;
    if (!get_length(r, KP_WIRE_INT16, &n))
        return false;
    const char *s = NULL;
    if (n < 0) {
        if (n < -1)
            return walk_fail(&r->w, "a negative length");
        if (!nullable)
            return walk_fail(&r->w, "null where none is allowed");
    } else {
        if ((uint64_t)n > left(r))
            return walk_fail(&r->w, "a text is longer than the bytes left");
        if (memchr(r->p, 0, (size_t)n))
            return walk_fail(&r->w, "a text holds a NUL byte");
        s = kp_strndup(r->a, (const char *)r->p, (size_t)n);
        r->p += n;
    }
    memcpy(p, &s, sizeof(s));
    return true;
}

/* The fewest bytes that one value of this field, or one element of its list, takes on the wire. */
static size_t least_size(const walk *w, const kp_field *f)
{
    if (f->type == KP_WIRE_STRING)
        return w->flexible ? 1 : 2;
    if (f->type == KP_WIRE_UUID)
        return sizeof(kp_uuid);
    if (f->type != KP_WIRE_STRUCT)
        return int_width(f->type);
    size_t n = w->flexible ? 1 : 0;
    for (size_t i = 0; i < f->sub->n; i++) {
        const kp_field *g = &f->sub->fields[i];
        if (in_version(w, g) && !g->tagged)
            n += !g->list ? least_size(w, g) : w->flexible ? 1 : 4;
    }
    return n;
}

static bool get_struct(reader *r, const kp_schema *s, char *base);

static bool get_one(reader *r, const kp_field *f, void *p, bool nullable)
{
    int64_t v;
    switch (f->type) {
    case KP_WIRE_STRUCT:
        return get_struct(r, f->sub, p);
    case KP_WIRE_STRING:
        return get_string(r, nullable, p);
    case KP_WIRE_UUID:
        if (left(r) < sizeof(kp_uuid))
            return walk_fail(&r->w, "the message ends too early");
        memcpy(p, r->p, sizeof(kp_uuid));
        r->p += sizeof(kp_uuid);
        return true;
    default:
        if (!get_int(r, f->type, &v))
            return false;
        int_store(f->type, p, v);
        return true;
    }
}

static bool get_field(reader *r, const kp_field *f, void *p)
{
    if (!f->list)
        return get_one(r, f, p, null_allowed(&r->w, f));
    int64_t n;
    if (!get_length(r, KP_WIRE_INT32, &n))
        return false;
    kp_wire_list l = { NULL, KP_NULL_LIST };
    if (n < 0) {
        if (n < -1)
            return walk_fail(&r->w, "a negative count");
        if (!null_allowed(&r->w, f))
            return walk_fail(&r->w, "null where none is allowed");
    } else {
        size_t least = least_size(&r->w, f);
        if (n > INT32_MAX || (uint64_t)n * (least ? least : 1) > left(r))
            return walk_fail(&r->w, "a count is larger than the bytes left");
        size_t step = value_size(f);
        char *v = n ? kp_alloc_array(r->a, (size_t)n, step) : NULL;
        l = (kp_wire_list){ v, (int32_t)n };
        for (int32_t i = 0; i < l.n; i++, v += step) {
            r->w.index[r->w.depth - 1] = i;
            if (!get_one(r, f, v, false))
                return false;
        }
    }
    memcpy(p, &l, sizeof(l));
    return true;
}

static bool get_tags(reader *r, const kp_schema *s, char *base)
{
    uint32_t n;
    if (!get_varint(r, &n))
        return false;
    int64_t last = -1;
    for (; n; n--) {
        uint32_t tag, size;
        if (!get_varint(r, &tag) || !get_varint(r, &size))
            return false;
        if (tag <= last)
            return walk_fail(&r->w, "tags are out of order");
        last = tag;
        if (size > left(r))
            return walk_fail(&r->w, "a tagged field is longer than the bytes left");
        const unsigned char *after = r->p + size, *end = r->end;
        for (size_t i = 0; i < s->n; i++) {
            const kp_field *f = &s->fields[i];
            if (!f->tagged || (uint32_t)f->tag != tag || !in_version(&r->w, f))
                continue;
            r->end = after;
            if (!walk_enter(&r->w, f->name) || !get_field(r, f, base + f->offset))
                return false;
            if (r->p != after)
                return walk_fail(&r->w, "a tagged field is shorter than its size");
            walk_leave(&r->w);
            r->end = end;
        }
        r->p = after;
    }
    return true;
}

static void set_fallback(const kp_field *f, char *p)
{
    static const char *const empty = "";
    if (f->list)
        return; /* zeroed: an empty list */
    if (f->type == KP_WIRE_STRING && !f->nullable)
        memcpy(p, &empty, sizeof(empty));
    else
        int_store(f->type, p, f->fallback);
}

/* `base` is zeroed memory. */
static bool get_struct(reader *r, const kp_schema *s, char *base)
{
    for (size_t i = 0; i < s->n; i++) {
        const kp_field *f = &s->fields[i];
        if (f->tagged || !in_version(&r->w, f)) {
            set_fallback(f, base + f->offset);
            continue;
        }
        if (!walk_enter(&r->w, f->name) || !get_field(r, f, base + f->offset))
            return false;
        walk_leave(&r->w);
    }
    return !r->w.flexible || get_tags(r, s, base);
}

kp_err *kp_wire_decode(kp_arena *a, const kp_schema *s, int version, bool flexible, const void *p,
                       size_t n, void **ret_message, size_t *ret_left)
{
    reader r = {
        .w = { .version = version, .flexible = flexible },
        .a = a,
        .p = p,
        .end = (const unsigned char *)p + n,
    };
    void *message = kp_alloc(a, s->size);
    if (!get_struct(&r, s, message)) {
        KP_AUTO_BUF path = KP_BUF_INIT(1024);
        walk_path(&r.w, &path);
        return kp_err_new(KP_CLUSTER, next_broken, "cannot read %s v%d: %s%s%s", s->name, version,
                          kp_buf_text(&path), path.n ? ": " : "", r.w.wrong);
    }
    *ret_message = message;
    *ret_left = left(&r);
    return NULL;
}

/* ---- copying ---- */

static void copy_struct(kp_arena *a, const kp_schema *s, char *to, const char *from);

static void copy_one(kp_arena *a, const kp_field *f, char *to, const char *from)
{
    if (f->type == KP_WIRE_STRUCT) {
        copy_struct(a, f->sub, to, from);
    } else if (f->type == KP_WIRE_STRING) {
        const char *s = kp_strdup(a, string_load(from));
        memcpy(to, &s, sizeof(s));
    } else {
        memcpy(to, from, value_size(f));
    }
}

static void copy_struct(kp_arena *a, const kp_schema *s, char *to, const char *from)
{
    for (size_t i = 0; i < s->n; i++) {
        const kp_field *f = &s->fields[i];
        if (!f->list) {
            copy_one(a, f, to + f->offset, from + f->offset);
            continue;
        }
        kp_wire_list l = list_load(from + f->offset);
        size_t step = value_size(f);
        const char *v = l.v;
        char *w = l.n > 0 ? kp_alloc_array(a, (size_t)l.n, step) : NULL;
        kp_wire_list copy = { w, l.n };
        for (int32_t k = 0; k < l.n; k++, v += step, w += step)
            copy_one(a, f, w, v);
        memcpy(to + f->offset, &copy, sizeof(copy));
    }
}

void *kp_wire_copy(kp_arena *a, const kp_schema *s, const void *message)
{
    void *copy = kp_alloc(a, s->size);
    copy_struct(a, s, copy, message);
    return copy;
}

/* ---- frames ---- */

kp_err *kp_frame_request(kp_buf *out, const kp_api *api, int version, int32_t correlation,
                         const char *client_id, const void *request)
{
    KP_AUTO_BUF frame = KP_BUF_INIT(KP_FRAME_LIMIT);
    bool flexible = version >= api->flexible;
    size_t n = strlen(client_id);
    if (n > STRING_LIMIT)
        n = STRING_LIMIT;
    put_int(&frame, api->key, 2);
    put_int(&frame, version, 2);
    put_int(&frame, correlation, 4);
    put_int(&frame, (int64_t)n, 2); /* never compact: any broker must be able to read this header */
    kp_buf_add(&frame, client_id, n);
    if (flexible)
        put_varint(&frame, 0);
    KP_TRY(kp_wire_encode(&frame, api->request, version, flexible, request));
    put_int(out, (int64_t)frame.n, 4);
    kp_buf_add(out, frame.p, frame.n);
    return NULL;
}

bool kp_frame_correlation(const void *p, size_t n, int32_t *ret_correlation)
{
    if (n < 4)
        return false;
    *ret_correlation = (int32_t)kp_frame_size(p);
    return true;
}

uint32_t kp_frame_size(const void *p)
{
    const unsigned char *b = p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

kp_err *kp_frame_response(kp_arena *a, const kp_api *api, int version, int32_t correlation,
                          const void *p, size_t n, const void **ret_response)
{
    int32_t got;
    if (!kp_frame_correlation(p, n, &got))
        return kp_err_new(KP_CLUSTER, next_broken,
                          "cannot read the answer to %s v%d: it is shorter than its header",
                          api->name, version);
    if (got != correlation)
        return kp_err_new(KP_CLUSTER, next_broken,
                          "the answer to %s v%d has correlation id %" PRId32 ", not %" PRId32,
                          api->name, version, got, correlation);
    const unsigned char *body = (const unsigned char *)p + 4, *end = (const unsigned char *)p + n;
    if (api->key == KP_API_VERSIONS) {
        if (end - body >= 2 && body[0] == 0 && body[1] == 35)
            version = 0;
    } else if (version >= api->flexible) {
        static const kp_schema tags_only = { "the header", 1, NULL, 0 };
        void *nothing;
        size_t rest;
        KP_TRY(kp_wire_decode(a, &tags_only, version, true, body, (size_t)(end - body), &nothing,
                              &rest));
        body = end - rest;
    }
    void *response;
    size_t rest;
    KP_TRY(kp_wire_decode(a, api->response, version, version >= api->flexible, body,
                          (size_t)(end - body), &response, &rest));
    if (rest)
        kp_log(KP_LOG_DEBUG, "%s v%d: %zu bytes left over at the end of the answer", api->name,
               version, rest);
    *ret_response = response;
    return NULL;
}
