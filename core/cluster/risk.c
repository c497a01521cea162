/* Risk: the arithmetic before a stop.
 *
 * Only partitions with a replica on the nodes are walked; the counts over the whole cluster follow
 * from those of the view by adding what changes.  A partition with replicas on several of the nodes
 * is judged once, at the first of its replicas that goes.
 *
 * What remains is counted twice.  The ISR that the cluster would show decides the counts; of it,
 * the replicas on live brokers decide what is listed as offline or below min ISR, because an
 * in-sync replica on a broker that is down serves nobody.  A replica that is not in sync is listed
 * too when its partition is under min ISR already: it may be the first to catch up.
 */
#include "cluster/risk.h"

#include <string.h>

enum { SLOTS = 65536 };

/* A set of broker slots. */
typedef struct slot_set {
    uint64_t bits[SLOTS / 64];
} slot_set;

static bool contains(const slot_set *s, uint32_t slot)
{
    return s->bits[slot / 64] >> (slot % 64) & 1;
}

static void list_add(kp_risk_list *l, uint32_t p)
{
    uint32_t kept = l->n < KP_RISK_LIST ? l->n : KP_RISK_LIST;
    l->n++;
    if (kept == KP_RISK_LIST) {
        if (p > l->p[kept - 1])
            return;
        kept--;
    }
    while (kept > 0 && l->p[kept - 1] > p) {
        l->p[kept] = l->p[kept - 1];
        kept--;
    }
    l->p[kept] = p;
}

/* ---- accepted by name ---- */

/* Days since 1970-01-01 of a date YYYY-MM-DD of the proleptic Gregorian calendar. */
static int64_t day_number(const char *date)
{
    int64_t y = (date[0] - '0') * 1000 + (date[1] - '0') * 100 + (date[2] - '0') * 10 + date[3] -
                '0';
    int64_t m = (date[5] - '0') * 10 + date[6] - '0', d = (date[8] - '0') * 10 + date[9] - '0';
    y -= m <= 2; /* the year begins in March, so that the leap day is its last */
    int64_t day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static bool is_over(const kp_value *entry, kp_ms now)
{
    const char *until = kp_get_text(entry, "until", NULL);
    return until && strlen(until) == 10 && now >= (day_number(until) + 1) * 24 * KP_HOUR;
}

/* "payments-7" is partition 7 of payments. */
static bool names_partition(const char *s, const char *topic, uint32_t index)
{
    size_t n = strlen(topic);
    if (strncmp(s, topic, n) != 0 || s[n] != '-' || !s[n + 1])
        return false;
    uint64_t number = 0;
    for (s += n + 1; *s >= '0' && *s <= '9' && number <= UINT32_MAX; s++)
        number = number * 10 + (uint64_t)(*s - '0');
    return !*s && number == index;
}

bool kp_view_accepted(const kp_view *v, uint32_t p, const kp_value *accepted)
{
    if (kp_len(accepted) == 0)
        return false;
    const kp_view_topic *t = kp_view_topic_of(v, p);
    for (size_t i = 0; i < kp_len(accepted); i++) {
        const kp_value *entry = kp_at(accepted, i);
        const char *topic = kp_get_text(entry, "topic", NULL);
        const char *partition = kp_get_text(entry, "partition", NULL);
        bool named = topic ? strcmp(topic, t->name) == 0
                           : partition && names_partition(partition, t->name, p - t->first);
        if (named && !is_over(entry, v->at))
            return true;
    }
    return false;
}

bool kp_view_topic_accepted(const kp_view *v, const char *topic, const kp_value *accepted)
{
    for (size_t i = 0; i < kp_len(accepted); i++)
        if (kp_streq(kp_get_text(kp_at(accepted, i), "topic", NULL), topic) &&
            !is_over(kp_at(accepted, i), v->at))
            return true;
    return false;
}

/* ---- one partition ---- */

/* The replicas of one partition, counted. */
typedef struct tally {
    uint32_t in_sync;
    uint32_t after;     /* in sync, not gone */
    uint32_t remaining; /* in sync, not gone, on a live broker */
    uint32_t first;     /* slot of the first one that goes */
    bool led_by_gone;
} tally;

static tally tally_of(const kp_view *v, uint32_t p, const slot_set *gone)
{
    tally t = { .first = UINT32_MAX };
    const uint16_t *rep = &v->rep[v->first_rep[p]];
    for (uint32_t i = 0, rf = kp_view_rf(v, p); i < rf; i++) {
        bool in_sync = kp_view_in_sync(v, p, i);
        t.in_sync += in_sync;
        if (contains(gone, rep[i])) {
            t.first = t.first == UINT32_MAX ? rep[i] : t.first;
            t.led_by_gone = t.led_by_gone || v->leader[p] == i;
        } else {
            t.after += in_sync;
            t.remaining += in_sync && v->brokers[rep[i]].alive;
        }
    }
    return t;
}

static void add_counts(const kp_view *v, uint32_t p, const tally *t, kp_risk *risk)
{
    uint32_t min = v->min_isr[p];
    risk->replicas++;
    risk->leaders += t->led_by_gone;
    if (t->in_sync == t->after)
        return;
    risk->urp_after += t->in_sync == kp_view_rf(v, p);
    risk->at_min_after += (min > 0 && t->after == min) ? 1u : 0u;
    risk->at_min_after -= (min > 0 && t->in_sync == min) ? 1u : 0u;
}

static void add_lists(const kp_view *v, uint32_t p, const tally *t, const kp_value *accepted,
                      kp_risk *risk)
{
    uint32_t min = v->min_isr[p];
    bool loses_one = t->in_sync > t->after;
    bool offline = loses_one && t->remaining == 0;
    bool below_min = loses_one ? t->remaining < min : t->in_sync < min;
    bool unclean = loses_one && v->flags[p] & KP_PART_UNCLEAN;
    bool unknown = min == 0;
    if (!(offline || below_min || unclean || unknown) || kp_view_accepted(v, p, accepted))
        return;
    if (offline)
        list_add(&risk->offline, p);
    if (offline && kp_view_rf(v, p) == 1)
        list_add(&risk->single, p);
    if (below_min)
        list_add(&risk->below_min, p);
    if (below_min && kp_view_rf(v, p) <= min)
        list_add(&risk->tight, p);
    if (unclean)
        list_add(&risk->unclean, p);
    if (unknown)
        list_add(&risk->unknown_min, p);
}

void kp_risk_of(const kp_view *v, const int *nodes, size_t n, const kp_value *accepted,
                kp_risk *ret_risk)
{
    slot_set gone = { 0 };
    kp_risk risk = { .urp_after = v->counts.urp, .at_min_after = v->counts.at_min_isr };
    for (size_t i = 0; i < n; i++) {
        int slot = kp_view_slot(v, nodes[i]);
        if (slot >= 0)
            gone.bits[slot / 64] |= (uint64_t)1 << (slot % 64);
    }
    for (uint32_t slot = 0; slot < v->n_brokers; slot++) {
        if (!contains(&gone, slot))
            continue;
        for (uint32_t i = v->by_broker_first[slot]; i < v->by_broker_first[slot + 1]; i++) {
            uint32_t p = v->by_broker[i];
            tally t = tally_of(v, p, &gone);
            if (t.first != slot) /* judged at another replica */
                continue;
            add_counts(v, p, &t, &risk);
            add_lists(v, p, &t, accepted, &risk);
        }
    }
    *ret_risk = risk;
}

const kp_value *kp_risk_value(kp_arena *a, const kp_view *v, const kp_risk *risk)
{
    kp_risk_list named = { 0 };
    kp_builder list = kp_list_begin(a);
    const kp_risk_list *offline = &risk->offline, *below = &risk->below_min;
    for (uint32_t i = 0, k = 0; named.n < KP_RISK_LIST;) {
        uint32_t from_offline = i < offline->n && i < KP_RISK_LIST ? offline->p[i] : UINT32_MAX;
        uint32_t from_below = k < below->n && k < KP_RISK_LIST ? below->p[k] : UINT32_MAX;
        uint32_t p = from_offline < from_below ? from_offline : from_below;
        if (p == UINT32_MAX)
            break;
        i += from_offline == p;
        k += from_below == p;
        named.p[named.n++] = p;
    }
    for (uint32_t i = 0; i < named.n; i++)
        kp_list_add(&list, kp_view_partition_value(a, v, named.p[i]));
    return kp_map(a, "offline", kp_int(a, offline->n), "below_min_isr", kp_int(a, below->n),
                  "at_min_isr", kp_int(a, risk->at_min_after), "under_replicated",
                  kp_int(a, risk->urp_after), "unclean", kp_int(a, risk->unclean.n), "leaders",
                  kp_int(a, risk->leaders), "partitions", kp_list_end(&list), NULL);
}
