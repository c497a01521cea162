/* See with_brokers.h. */
#include "facts/with_brokers.h"

#include <string.h>

brokers_world the_brokers;

static const look *look_of(int id)
{
    const look *l = the_brokers.look[id];
    size_t i = 0;
    while (i + 1 < 3 && (l[i + 1].in_sync || l[i + 1].silent) && l[i + 1].from <= the_brokers.now)
        i++;
    return &l[i];
}

static const kp_view *view_of(kp_arena *a, int id, bool with_config)
{
    static const int32_t ids[] = { 1, 2, 3 };
    static const kp_view_broker brokers[] = { { .id = 1, .alive = true, .host = "b1" },
                                              { .id = 2, .alive = true, .host = "b2" },
                                              { .id = 3, .alive = false, .host = "" } };
    const look *l = look_of(id);
    kp_view_partition_in parts[PARTS + 1];
    uint32_t n = l->parts ? (uint32_t)l->parts : PARTS;
    assert_true(n <= PARTS + 1);
    for (uint32_t p = 0; p < n; p++)
        parts[p] = (kp_view_partition_in) { .index = (int32_t)p,
                                            .leader = 1,
                                            .leader_epoch = l->epoch,
                                            .n_replicas = 3,
                                            .n_isr = (uint32_t)l->in_sync,
                                            .replicas = ids,
                                            .isr = ids,
                                            .min_isr = with_config ? l->min_isr : 0,
                                            .unclean = with_config && l->unclean };
    kp_view_topic_in topics[2] = {
        { .name = "orders", .id = { 1 }, .n = n, .parts = parts },
        { .name = "payments", .id = { 2, l->again }, .n = n, .parts = parts }
    };
    kp_view_in in = { .node = id,
                      .at = the_brokers.now,
                      .whole = true,
                      .cluster_id = "c",
                      .n_brokers = 3,
                      .brokers = brokers,
                      .n_topics = l->topics ? (uint32_t)l->topics : 1,
                      .topics = topics };
    const kp_view *v;
    assert_null(kp_view_build(a, &in, &v));
    return v;
}

static uint64_t on_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    (void)w;
    assert_int_equal(q->kind, KP_Q_VIEW);
    assert_in_range(q->node, 1, 3);
    assert_true(the_brokers.n_open < KP_COUNT(the_brokers.open) &&
                the_brokers.n_asked < KP_COUNT(the_brokers.asked));
    the_brokers.asked[the_brokers.n_asked++] = q->node;
    the_brokers.open[the_brokers.n_open].reply = (kp_reply) { .ticket = ++the_brokers.tickets,
                                                              .node = q->node };
    the_brokers.open[the_brokers.n_open].a = a;
    the_brokers.open[the_brokers.n_open].with_config = q->view.with_config;
    the_brokers.open[the_brokers.n_open++].at = the_brokers.now +
                                                (look_of(q->node)->silent ? q->within : ANSWER_MS);
    return the_brokers.tickets;
}
static kp_reply *on_wait(kp_world *w, kp_ms until)
{
    size_t first = 0;
    (void)w;
    for (size_t i = 1; i < the_brokers.n_open; i++)
        if (the_brokers.open[i].at < the_brokers.open[first].at)
            first = i;
    if (the_brokers.n_open == 0 || the_brokers.open[first].at > until) {
        the_brokers.now = until;
        return NULL;
    }
    the_brokers.now = the_brokers.open[first].at > the_brokers.now ? the_brokers.open[first].at
                                                                   : the_brokers.now;
    the_brokers.last = the_brokers.open[first].reply;
    if (look_of(the_brokers.last.node)->silent)
        the_brokers.last.err = kp_err_new(KP_CLUSTER, "look at it",
                                          "broker %d: no answer within 5 s", the_brokers.last.node);
    else
        the_brokers.last.view = view_of(the_brokers.open[first].a, the_brokers.last.node,
                                        the_brokers.open[first].with_config);
    the_brokers.open[first] = the_brokers.open[--the_brokers.n_open];
    return &the_brokers.last;
}
static void on_cancel(kp_world *w, uint64_t ticket)
{
    (void)w;
    (void)ticket;
    fail_msg("every question is answered");
}
static kp_ms on_now(kp_world *w)
{
    (void)w;
    return the_brokers.now;
}
static int on_interrupts(kp_world *w)
{
    (void)w;
    return the_brokers.interrupted_at && the_brokers.now >= the_brokers.interrupted_at ? 2 : 0;
}

static const kp_world_class answering = { .name = "sim",
                                          .send = on_send,
                                          .wait = on_wait,
                                          .cancel = on_cancel,
                                          .now = on_now,
                                          .mono = on_now,
                                          .interrupts = on_interrupts };

void brokers_begin(void)
{
    memset(&the_brokers, 0, sizeof the_brokers);
    the_brokers.w.c = &answering;
    the_brokers.now = 1000;
    for (int id = 1; id <= 3; id++)
        the_brokers.look[id][0] = (look) { .in_sync = 3, .epoch = 5, .min_isr = 2 };
}
