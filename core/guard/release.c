/* The rows that look at what is to be started: the file and where it lies, Java, what the staged
 * release itself says, and the way back.
 */
#include "guard/guard.h"

#include "cluster/release.h"

static const char *word_of(const kp_facts *f, int id)
{
    return kp_node_word(f->a, f->seen->inv, id);
}

static const char *correct_its_file(const kp_facts *f, int id)
{
    const kp_node *node = kp_inventory_node(f->seen->inv, id);
    return node ? kp_printf(f->a, "correct %s on %s for that release", node->layout.config,
                            node->host)
                : "correct its server.properties for that release";
}

/* A link to the release that the file is inside of is moved by the switch: the node would start
 * with another file, or with none. */
void kp_judge_config_place(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; f->version && i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const char *inside = kp_facts_who(f, one).file_inside;
        if (inside)
            kp_find_add(
                fs, (kp_finding) {
                        .node = kp_somebody(c->nodes[i]),
                        .text = kp_printf(f->a, "%s of %s lies inside the release %s",
                                          one->node->layout.config, word_of(f, c->nodes[i]),
                                          inside),
                        .next = "keep it outside of the releases (/etc/kafka), let the service and "
                                "layout.config name it there" });
    }
}

void kp_judge_config(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_value *problems = kp_get(kp_get(kp_facts_of(f, c->nodes[i])->host.v, "config"),
                                          "problems");
        for (size_t k = 0; k < kp_len(problems); k++) {
            const kp_value *one = kp_at(problems, k);
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(c->nodes[i]),
                                .warns = !kp_get_bool(one, "stops", false),
                                .text = kp_printf(f->a, "server.properties of %s: %s",
                                                  word_of(f, c->nodes[i]),
                                                  kp_get_text(one, "what", "a problem")),
                                .next = kp_get_text(one, "next", "mend the file") });
        }
    }
}

/* ---- Java ---- */

static int java_of(const char *release)
{
    kp_version v;
    return kp_version_parse(release, &v) ? kp_release_java(v) : 0;
}

/* Ahead only: a node that is down shows no Java, and the row `proof` has asked the one it has. */
void kp_judge_java(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    if (!f->version || !f->ahead)
        return;
    kp_facts_need(f, KP_F_PROOF);
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        int needs = java_of(f->version);
        int has = (int)kp_get_int(one->proof.v, "java_major", 0);
        kp_who who = kp_facts_who(f, one);

        if (who.java_seen && has > 0 && has < needs)
            kp_find_add(fs,
                        (kp_finding) {
                            .node = kp_somebody(c->nodes[i]),
                            .text = kp_printf(f->a,
                                              "%s runs on Java %d, release %s takes %d or newer",
                                              word_of(f, c->nodes[i]), has, f->version, needs),
                            .next = "install a newer Java on its host, let the service use it" });
        /* Which Java the service starts is seen by the process that runs; where it is not seen and
         * the release takes a newer one than the running release, it is not known to fit. */
        else if (!who.java_seen && who.pid && needs > java_of(who.jars ? who.jars : ""))
            kp_find_add(fs,
                        (kp_finding) {
                            .node = kp_somebody(c->nodes[i]),
                            .text = kp_printf(f->a,
                                              "which Java %s runs on is not known, and release %s "
                                              "takes %d or newer",
                                              word_of(f, c->nodes[i]), f->version, needs),
                            .next = "look at its host: java -version of the one its service "
                                    "starts; then: --force java --reason TEXT" });
    }
}

/* ---- the release's own word ---- */

/* Asked of it once for a release and a file; kplay's own pin does not change what it says. */
void kp_judge_proof(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; f->version && i < c->n; i++) {
        kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        kp_known *known = kp_known_node(f->seen, c->nodes[i]);
        const char *sha = kp_get_text(one->file.v, "sha256", "");

        if (known && known->proved_sha && kp_streq(known->proved_sha, sha) &&
            kp_streq(known->proved_release, f->version))
            continue;
        kp_facts_need(f, KP_F_PROOF);
        const char *kind = kp_get_text(one->proof.v, "kind", "");
        const char *problem = kp_get_text(one->proof.v, "problem", NULL);
        const char *why = one->proof.v ? kp_get_text(one->proof.v, "why", "") : one->proof.why;
        if (problem && !kp_streq(kind, "missing")) /* that one is the row `staged`'s */
            kp_find_add(fs,
                        (kp_finding) {
                            .node = kp_somebody(c->nodes[i]),
                            .text = kp_printf(f->a, "release %s would not start %s: %s", f->version,
                                              word_of(f, c->nodes[i]), problem),
                            .next = kp_streq(kind, "config") ? correct_its_file(f, c->nodes[i])
                                    : kp_streq(kind, "java") ? "install the Java it takes"
                                                             : "unpack the release again, whole" });
        else if (why && *why)
            kp_find_add(fs, (kp_finding) { .node = kp_somebody(c->nodes[i]),
                                           .warns = true,
                                           .text = kp_printf(f->a,
                                                             "release %s does not say whether it "
                                                             "takes the file of %s: %s",
                                                             f->version, word_of(f, c->nodes[i]),
                                                             why),
                                           .next = "look at the file and the release's notes" });
        if (known && !problem && *sha) {
            known->proved_sha = kp_strdup(f->seen->a, sha);
            known->proved_release = kp_strdup(f->seen->a, f->version);
        }
    }
}

/* ---- the way back ---- */

void kp_judge_way_back(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; f->version && f->ahead && i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        kp_who who = kp_facts_who(f, one);
        const char *from = who.jars ? who.jars : who.linked;
        if (!from || !kp_release_lacks(one->host.v, from))
            continue;
        kp_find_add(fs,
                    (kp_finding) {
                        .node = kp_somebody(c->nodes[i]),
                        .text = kp_printf(f->a,
                                          "%s runs %s, which is not staged on %s as %s: it could "
                                          "not be put back",
                                          word_of(f, c->nodes[i]), from, one->node->host,
                                          one->node->layout.release),
                        .next = "stage the running release beside the new one, as layout.releases "
                                "and layout.release say" });
    }
}
