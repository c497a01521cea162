/* with_wire.c: see the header. */
#include "with_wire.h"

#include <stdlib.h>
#include <string.h>

static uint32_t roll(wire_dice *d, uint32_t below)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (uint32_t)(d->state >> 32) % below;
}

static bool carries(const kp_field *f, int version)
{
    return version >= f->from && (!f->until || version <= f->until);
}

static size_t step(const kp_field *f)
{
    static const size_t sizes[] = {
        [KP_WIRE_BOOL] = sizeof(bool),     [KP_WIRE_INT8] = sizeof(int8_t),
        [KP_WIRE_INT16] = sizeof(int16_t), [KP_WIRE_UINT16] = sizeof(uint16_t),
        [KP_WIRE_INT32] = sizeof(int32_t), [KP_WIRE_INT64] = sizeof(int64_t),
        [KP_WIRE_UUID] = sizeof(kp_uuid),  [KP_WIRE_STRING] = sizeof(const char *),
    };
    return f->type == KP_WIRE_STRUCT ? f->sub->size : sizes[f->type];
}

static const char *random_string(kp_arena *a, wire_dice *d)
{
    uint32_t n = roll(d, 8) ? roll(d, 12) : roll(d, 400);
    char *s = kp_alloc(a, n + 1);
    for (uint32_t i = 0; i < n; i++)
        s[i] = (char)(1 + roll(d, 255));
    return s;
}

static void random_struct(kp_arena *a, wire_dice *d, const kp_schema *s, int version, char *base);

static void random_value(kp_arena *a, wire_dice *d, const kp_field *f, int version, char *p,
                         bool nullable)
{
    if (f->type == KP_WIRE_STRUCT) {
        random_struct(a, d, f->sub, version, p);
    } else if (f->type == KP_WIRE_STRING) {
        const char *s = nullable && !roll(d, 3) ? NULL : random_string(a, d);
        memcpy(p, &s, sizeof(s));
    } else if (f->type == KP_WIRE_BOOL) {
        *p = (char)roll(d, 2);
    } else {
        uint32_t kind = roll(d, 4); /* 0, -1 or anything */
        for (size_t i = 0; i < step(f); i++)
            p[i] = (char)(kind == 0 ? 0 : kind == 1 ? 0xff : roll(d, 256));
    }
}

/* What a field has when the version leaves it out. */
static void fallback(const kp_field *f, char *p)
{
    const char *empty = "";
    int64_t v = f->fallback;
    memset(p, 0, f->list ? sizeof(kp_wire_list) : step(f));
    if (f->list)
        return;
    if (f->type == KP_WIRE_STRING && !f->nullable)
        memcpy(p, &empty, sizeof(empty));
    else if (f->type != KP_WIRE_STRING && f->type != KP_WIRE_UUID)
        memcpy(p, &v, step(f)); /* little-endian: the low bytes come first */
}

static void random_struct(kp_arena *a, wire_dice *d, const kp_schema *s, int version, char *base)
{
    for (size_t i = 0; i < s->n; i++) {
        const kp_field *f = &s->fields[i];
        char *p = base + f->offset;
        bool nullable = f->nullable && version >= f->null_from;
        if (!carries(f, version)) {
            fallback(f, p);
        } else if (!f->list) {
            random_value(a, d, f, version, p, nullable);
        } else {
            uint32_t n = roll(d, 4);
            kp_wire_list l = { NULL, nullable && !roll(d, 3) ? KP_NULL_LIST : (int32_t)n };
            char *v = l.n > 0 ? kp_alloc_array(a, n, step(f)) : NULL;
            l.v = v;
            for (int32_t k = 0; k < l.n; k++)
                random_value(a, d, f, version, v + (size_t)k * step(f), false);
            memcpy(p, &l, sizeof(l));
        }
    }
}

void *wire_random(kp_arena *a, wire_dice *d, const kp_schema *s, int version)
{
    void *message = kp_alloc(a, s->size);
    random_struct(a, d, s, version, message);
    return message;
}

static bool value_equal(const kp_field *f, const char *x, const char *y)
{
    const char *s, *t;
    if (f->type == KP_WIRE_STRUCT)
        return wire_equal(f->sub, x, y);
    if (f->type != KP_WIRE_STRING)
        return memcmp(x, y, step(f)) == 0;
    memcpy(&s, x, sizeof(s));
    memcpy(&t, y, sizeof(t));
    return kp_streq(s, t);
}

bool wire_equal(const kp_schema *s, const void *x, const void *y)
{
    for (size_t i = 0; i < s->n; i++) {
        const kp_field *f = &s->fields[i];
        const char *p = (const char *)x + f->offset, *q = (const char *)y + f->offset;
        if (!f->list) {
            if (!value_equal(f, p, q))
                return false;
            continue;
        }
        kp_wire_list l, m;
        memcpy(&l, p, sizeof(l));
        memcpy(&m, q, sizeof(m));
        if (l.n != m.n)
            return false;
        for (int32_t k = 0; k < l.n; k++)
            if (!value_equal(f, (const char *)l.v + (size_t)k * step(f),
                             (const char *)m.v + (size_t)k * step(f)))
                return false;
    }
    return true;
}

void wire_hex(kp_buf *out, const char *hex)
{
    for (const char *p = hex; *p;) {
        if (*p == ' ') {
            p++;
        } else if (*p == '\'') {
            const char *end = strchr(p + 1, '\'');
            kp_buf_add(out, p + 1, (size_t)(end - p - 1));
            p = end + 1;
        } else {
            kp_buf_chr(out, (char)strtoul((char[]){ p[0], p[1], 0 }, NULL, 16));
            p += 2;
        }
    }
}
