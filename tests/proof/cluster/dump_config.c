/* What kplay reads out of properties texts, for tests/proof/properties: one line of hex a text on
 * stdin (the file, then the overrides, a blank between; "-" is an empty one), one line of JSON a
 * text on stdout. */
#include "cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST (1u << 20)

static const kp_value *bytes_of(kp_arena *a, const char *hex)
{
    KP_AUTO_BUF b = KP_BUF_INIT(LONGEST);
    for (; hex[0] && hex[1] && hex[0] != '-'; hex += 2) {
        char pair[3] = { hex[0], hex[1], 0 };
        kp_buf_chr(&b, (char)strtol(pair, NULL, 16));
    }
    return kp_bytes(a, kp_buf_text(&b), b.n);
}

static const kp_value *meaning(kp_arena *a, const kp_server_config *c)
{
    return kp_map(a, "id", c->has_id ? kp_int(a, c->node_id) : NULL, "generated",
                  kp_bool(c->generated), "mode", kp_text(a, kp_server_config_mode(c)), "roles",
                  kp_text(a, kp_server_config_roles(c)), "ibp", kp_text(a, c->ibp), "log_dirs",
                  c->log_dirs, "metadata_dir", kp_text(a, c->metadata_dir), "listeners",
                  c->listeners, "voters", c->voters, "migration", kp_bool(c->migration),
                  "dirs_known", kp_bool(c->dirs_known), "problems", kp_config_problems_value(a, c),
                  "values", c->values, NULL);
}

int main(void)
{
    static char line[2 * LONGEST];
    while (fgets(line, sizeof line, stdin)) {
        KP_AUTO_ARENA a = kp_arena_new("a text", 64u << 20);
        line[strcspn(line, "\n")] = '\0';
        char *rest, *word = strtok_r(line, " ", &rest);
        const kp_value *text = bytes_of(a, word);
        kp_builder overrides = kp_list_begin(a);
        while ((word = strtok_r(NULL, " ", &rest)))
            kp_list_add(&overrides, bytes_of(a, word));
        kp_config_source source = { .text = text->u.s, .n = text->n,
                                    .overrides = kp_list_end(&overrides) };
        puts(kp_json_text(a, meaning(a, kp_server_config_read(a, &source))));
    }
    return 0;
}
