/* What a verb remembers before it acts, as the intent keeps it.
 *
 * A verb has a struct for it and a table of the struct's fields; the record has a map by their
 * names, in which what is absent (NULL) is left out.  So nothing can be read of it that was not
 * remembered, and a record of an older kplay that lacks a field has its zero.
 */
#include "engine/run.h"

const kp_value *kp_pre_value(kp_arena *a, const kp_op *op, const void *pre)
{
    kp_builder b = kp_map_begin(a);
    for (size_t i = 0; i < op->n_keeps; i++) {
        const kp_keep *k = &op->keeps[i];
        const void *field = (const char *)pre + k->offset;
        switch (k->type) {
        case KP_KEEP_INT:
            kp_map_add(&b, k->name, kp_int(a, *(const int64_t *)field));
            break;
        case KP_KEEP_TEXT:
            kp_map_add(&b, k->name, kp_text(a, *(const char *const *)field));
            break;
        case KP_KEEP_VALUE:
            kp_map_add(&b, k->name, *(const kp_value *const *)field);
            break;
        }
    }
    return kp_map_end(&b);
}

void *kp_pre_of(kp_arena *a, const kp_op *op, const kp_value *v)
{
    char *pre = op->n_keeps && v ? kp_alloc(a, op->pre_size) : NULL;
    for (size_t i = 0; pre && i < op->n_keeps; i++) {
        const kp_keep *k = &op->keeps[i];
        void *field = pre + k->offset;
        switch (k->type) {
        case KP_KEEP_INT:
            *(int64_t *)field = kp_get_int(v, k->name, 0);
            break;
        case KP_KEEP_TEXT:
            *(const char **)field = kp_get_text(v, k->name, NULL);
            break;
        case KP_KEEP_VALUE:
            *(const kp_value **)field = kp_get(v, k->name);
            break;
        }
    }
    return pre;
}
