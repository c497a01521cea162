/* Any bytes as a server.properties: an edit changes the keys it names and nothing else.
 *
 * The input is two edits, each ended by a NUL (KEY=VALUE sets, KEY removes), and the file.
 */
#include "cluster/cluster.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_utf8(const char *s)
{
    size_t size;
    for (; *s; s += size)
        if ((size = kp_utf8_len(s, strlen(s))) == 0)
            return false;
    return true;
}

/* Takes one edit off the front of the input. */
static const kp_value *take_edit(kp_arena *a, const kp_value *edits, const char **p, size_t *n)
{
    const char *end = memchr(*p, '\0', *n);
    if (!end)
        return edits;
    const char *is = memchr(*p, '=', (size_t)(end - *p));
    const char *key = kp_strndup(a, *p, (size_t)((is ? is : end) - *p));
    const kp_value *v = is ? kp_text(a, is + 1) : kp_bool(false);
    *n -= (size_t)(end + 1 - *p);
    *p = end + 1;
    return kp_map_with(a, edits, key, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("a fuzzed file", 512u << 20);
    const char *p = kp_memdup(a, data, n);
    const kp_value *edits = take_edit(a, kp_map(a, NULL), &p, &n);
    edits = take_edit(a, edits, &p, &n);
    const kp_value *before = kp_properties_parse(a, p, n), *expected = before;
    const kp_server_config *c = kp_server_config_read(a, &(kp_config_source) { .text = p, .n = n });
    check(c->n_problems <= KP_CONFIG_PROBLEMS && kp_value_equal(c->values, before));
    char *text, *twice;
    size_t text_n, twice_n;
    bool is_refused = false;
    for (uint32_t i = 0; i < kp_len(edits); i++) {
        const kp_value *v = edits->u.items[i];
        expected = kp_map_with(a, expected, edits->keys[i], kp_is(v, KP_BYTES) ? v : NULL);
        is_refused |= kp_properties_count(p, n, edits->keys[i]) > 1 || !is_utf8(edits->keys[i]) ||
                      (kp_is(v, KP_BYTES) && !is_utf8(v->u.s));
    }
    kp_err *e = kp_properties_edit(a, p, n, edits, &text, &text_n);
    check((e != NULL) == is_refused);
    if (e) {
        check(e->cls == KP_CONFIG && *e->what && *e->next);
        kp_err_drop(e);
        return 0;
    }
    check(kp_value_equal(kp_properties_parse(a, text, text_n), expected));
    check(!kp_value_equal(before, expected) || (text_n == n && memcmp(text, p, n) == 0));
    check(kp_properties_edit(a, text, text_n, edits, &twice, &twice_n) == NULL);
    check(twice_n == text_n && memcmp(twice, text, text_n) == 0);
    return 0;
}
