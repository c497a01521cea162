/* Errors as values, for journals and whatever else outlives the process. */
#include "value/value.h"

const kp_value *kp_err_value(kp_arena *a, const kp_err *e)
{
    if (!e)
        return NULL;
    return kp_map(a, "class", kp_text(a, kp_class_name(e->cls)), "where",
                  *e->where ? kp_text(a, e->where) : NULL, "from",
                  *e->from ? kp_text(a, e->from) : NULL, "what", kp_text(a, e->what), "next",
                  kp_text(a, e->next), "detail", *e->detail ? kp_text(a, e->detail) : NULL,
                  "retriable", e->retriable ? kp_bool(true) : NULL, "cause",
                  kp_err_value(a, e->cause), NULL);
}

kp_err *kp_err_from_value(const kp_value *v)
{
    kp_class cls;
    if (!kp_is(v, KP_MAP))
        return NULL;
    if (!kp_class_parse(kp_get_text(v, "class", "internal"), &cls))
        cls = KP_INTERNAL;
    kp_err *e = kp_err_new(cls, kp_get_text(v, "next", "look at the journal"), "%s",
                           kp_get_text(v, "what", "an error"));
    if (kp_get(v, "where"))
        e = kp_err_at(e, "%s", kp_get_text(v, "where", ""));
    if (kp_get(v, "from"))
        e = kp_err_from(e, "%s", kp_get_text(v, "from", ""));
    if (kp_get(v, "detail"))
        e = kp_err_detail(e, "%s", kp_get_text(v, "detail", ""));
    if (kp_get_bool(v, "retriable", false))
        e = kp_err_retriable(e);
    return kp_err_because(e, kp_err_from_value(kp_get(v, "cause")));
}
