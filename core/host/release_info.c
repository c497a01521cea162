/* A staged release, asked what it is: releases that nobody told kplay about are known by this.
 *
 * Its own programs are run, with its own jars and the Java of the node's next start; no connection
 * is made and no file of the node is read.
 *
 *     kafka.server.KafkaConfig                prints its ConfigDef, every public key (gradle's
 *                                             genConfigs does the same; seen from 2.8 to 4.4)
 *     ...internals.log.LogConfig              the same of topics; kafka.log.LogConfig before 3.5
 *     kafka.tools.StorageTool version-mapping the levels of its features, 4.0 and later (KIP-1022)
 *
 * version-mapping has no question for the lowest metadata.version; its complaint about a release
 * that there is not names them all.
 */
#include "host/inner.h"

#include <string.h>

#define LIMIT_DEFAULT (15 * KP_SECOND) /* of one program */
#define PROGRAMS 6                     /* run one after the other at the most */

/* "feature NAME LEVEL" */
static const kp_value *features_of(kp_arena *a, const kp_said *s)
{
    kp_builder b = kp_map_begin(a);
    for (size_t i = 0; i < s->n; i++) {
        const char *blank = kp_streq(s->keys[i], "feature") ? strchr(s->values[i], ' ') : NULL;
        int64_t level;
        if (blank && kp_said_int(blank + 1, &level))
            kp_map_add(&b, kp_strndup(a, s->values[i], (size_t)(blank - s->values[i])),
                       kp_int(a, level));
    }
    return kp_map_end(&b);
}

/* NULL: it told none. */
static const kp_value *all_of(kp_arena *a, const kp_said *s, const char *key)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < s->n; i++)
        if (kp_streq(s->keys[i], key))
            kp_list_add(&list, kp_text(a, kp_printable(a, s->values[i], strlen(s->values[i]))));
    const kp_value *v = kp_list_end(&list);
    return kp_len(v) ? v : NULL;
}

static kp_err *decode(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    const kp_value *features = features_of(a, s);
    const char *why = kp_said_get(s, "why"), *floor = kp_said_get(s, "floor");
    int64_t lowest = 0;
    bool has_lowest = floor && kp_said_int(floor, &lowest);

    *ret_v = kp_map(a, "built", kp_text(a, kp_said_get(s, "built")), "release_dir",
                    kp_text(a, kp_said_get(s, "release_dir")), "metadata_version_min",
                    has_lowest ? kp_int(a, lowest) : NULL, "metadata_version_max",
                    kp_get(features, "metadata.version"), "features",
                    kp_len(features) ? features : NULL, "keys", all_of(a, s, "key"), "topic_keys",
                    all_of(a, s, "topic_key"), "why",
                    why ? kp_text(a, kp_printable(a, why, strlen(why))) : NULL, NULL);
    return NULL;
}

kp_ticket kp_host_release_info(kp_host *h, kp_arena *a, const char *version, kp_ms deadline,
                               kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    kp_version parsed = { 0 };
    if (!kp_version_parse(version, &parsed))
        s.wrong = kp_err_new(KP_INTERNAL, "report it, with the command line", "no such version: %s",
                             version);
    kp_ms limit = deadline == KP_NEVER ? LIMIT_DEFAULT : (deadline - kp_mono_now()) / PROGRAMS;
    kp_script_layout(&s, h);
    kp_script_set(&s, "version", version);
    kp_script_set(&s, "has_mapping", parsed.major >= 4 ? "yes" : "");
    kp_script_set_int(&s, "limit", limit > KP_SECOND ? limit / KP_SECOND : 1);
    kp_script_become(&s, h, KP_AS_FILES);
    kp_script_process(&s, h);
    kp_script_add(&s, kp_sh_proof_functions);
    kp_script_add(&s, kp_sh_release_info);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = deadline, .decode = decode };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
