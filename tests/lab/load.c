// A producer and a consumer that account for every record, so that a test can say of a cluster that
// was worked on meanwhile: nothing that was acknowledged is missing, and no partition refused
// writes for longer than so many milliseconds.
//
//   lab_load produce --bootstrap B --topic T --partitions N --out FILE
//                    [--rate R] [--size S] [--count C]
//   lab_load consume --bootstrap B --topic T --partitions N --out FILE --acked FILE [--group G]
//
// Each record says "PARTITION SEQUENCE"; sequences count from 0 in each partition.  The producer
// writes round robin, R records a second in all, with acks=all and idempotence, until SIGTERM or C
// records; then it waits for what is outstanding.  The consumer reads from the beginning
// throughout; at SIGTERM it takes the list of acknowledged records from the producer's file, which
// must be complete by then, and goes on until it has them all, or until a second SIGTERM: whoever
// sends it knows how patient this machine wants one to be.
//
// What the producer writes, a line as it happens (times are milliseconds since the epoch, with
// three decimals; gaps are between two acknowledgements, of one partition or of `all` together):
//   tick TIME acked COUNT failed COUNT all GAP worst GAP PARTITION
//                                   each 100 ms: the longest gaps that ended in it or last still
//   gap FROM TO PARTITION|all       each gap above the threshold, at its end
//   error TIME TEXT                 what librdkafka says
// and when it ends:
//   longest PARTITION|all FROM TO
//   acked PARTITION FIRST LAST      a run of acknowledged sequence numbers
//   total sent COUNT acked COUNT failed COUNT
// What the consumer writes after SIGTERM, each 100 ms in which it read something, and when it ends:
//   read COUNT
//   missing PARTITION SEQUENCE      the first 100
//   total acked COUNT read COUNT missing COUNT duplicated COUNT redelivered COUNT rebalances COUNT
// A record is duplicated when it is in the log twice, redelivered when one offset was read twice.
//
// Exit status: 0, 1 when records failed, are unaccounted for or are missing, 2 usage.

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PARTITIONS_MAX = 10000,
    RUNS_MAX = 100000,        // runs of acknowledged numbers in a partition: a failure splits one
    SEQUENCE_MAX = 100000000, // records in a partition
    VALUE_MIN = 32,
    VALUE_MAX = 100000,
    TICK_MS = 100,
    GAP_MIN_MS = 50,
    FLUSH_MS = 60000,
    MISSING_SHOWN = 100,
};

typedef struct {
    const char *bootstrap;
    const char *topic;
    const char *out;
    const char *acked;
    const char *group;
    int32_t partitions;
    long rate;
    long size;
    long count;
} options;

static volatile sig_atomic_t stop_asked; // how often

static void on_signal(int number)
{
    (void)number;
    stop_asked++;
}

static _Noreturn __attribute__((format(printf, 2, 3))) void die(int status, const char *format, ...)
{
    va_list args;
    fputs("lab_load: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

static void *grow(void *old, size_t count, size_t size)
{
    void *new = reallocarray(old, count, size);
    if (!new)
        die(1, "out of memory");
    return new;
}

// Milliseconds since the epoch: the nodes' counters and the observer are on this clock too.
static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, key, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(1, "%s=%s: %s", key, value, text);
}

static FILE *open_out(const char *path)
{
    FILE *out = fopen(path, "w");
    if (!out)
        die(1, "%s: %s", path, strerror(errno));
    return out;
}

// Closes the file; a test must not read half of one.
static void close_out(FILE *out, const char *path)
{
    if (ferror(out) || fclose(out) != 0)
        die(1, "%s: could not be written", path);
}

// The producer

typedef struct {
    int64_t first, last;
} run;

typedef struct {
    double from, to; // of the longest gap
} span;

typedef struct {
    int64_t next; // sequence number of the next record
    double first; // time of the first record, 0 before
    double last;  // time of the last acknowledgement, 0 before the first
    span longest;
    run *runs;
    size_t run_count;
} lane;

typedef struct {
    FILE *out;
    lane *lanes;
    int32_t partitions;
    double threshold;
    double last; // of any partition
    span longest;
    double tick_all, tick_worst;
    int32_t tick_partition;
    int64_t sent, acked, failed;
} producer;

static double span_length(span s)
{
    return s.to - s.from;
}

// Notes a gap that ended at `to`, and returns its length.
static double note_gap(producer *p, span *longest, double from, double to, int32_t partition)
{
    if (from <= 0)
        return 0;
    if (to - from > span_length(*longest))
        *longest = (span){from, to};
    if (to - from >= p->threshold) {
        if (partition < 0)
            fprintf(p->out, "gap %.3f %.3f all\n", from, to);
        else
            fprintf(p->out, "gap %.3f %.3f %" PRId32 "\n", from, to, partition);
    }
    return to - from;
}

static void note_worst(producer *p, double gap, int32_t partition)
{
    if (gap > p->tick_worst) {
        p->tick_worst = gap;
        p->tick_partition = partition;
    }
}

static void note_acked(producer *p, int32_t partition, int64_t sequence)
{
    lane *l = &p->lanes[partition];
    double now = now_ms();
    double gap = note_gap(p, &l->longest, l->last, now, partition);
    note_worst(p, gap, partition);
    gap = note_gap(p, &p->longest, p->last, now, -1);
    if (gap > p->tick_all)
        p->tick_all = gap;
    l->last = p->last = now;
    p->acked++;

    if (l->run_count && l->runs[l->run_count - 1].last + 1 == sequence) {
        l->runs[l->run_count - 1].last = sequence;
        return;
    }
    if (l->run_count == RUNS_MAX)
        die(1, "partition %" PRId32 " lost acknowledgements %d times", partition, RUNS_MAX);
    l->runs = grow(l->runs, l->run_count + 1, sizeof *l->runs);
    l->runs[l->run_count++] = (run){sequence, sequence};
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    producer *p = opaque;
    int64_t sequence = (int64_t)(intptr_t)message->_private;
    if (!message->err) {
        note_acked(p, message->partition, sequence);
        return;
    }
    p->failed++;
    fprintf(p->out, "error %.3f partition %" PRId32 " sequence %" PRId64 ": %s\n", now_ms(),
            message->partition, sequence, rd_kafka_err2str(message->err));
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    producer *p = opaque;
    fprintf(p->out, "error %.3f %s: %s\n", now_ms(), rd_kafka_err2name(err), reason);
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        char text[256];
        rd_kafka_fatal_error(rk, text, sizeof text);
        fprintf(p->out, "error %.3f fatal: %s\n", now_ms(), text);
        stop_asked = 1;
    }
}

static void send_one(producer *p, rd_kafka_t *rk, const options *o)
{
    int32_t partition = (int32_t)(p->sent % o->partitions);
    lane *l = &p->lanes[partition];
    static char value[VALUE_MAX];
    int used = snprintf(value, sizeof value, "%" PRId32 " %" PRId64 " ", partition, l->next);
    memset(value + used, '.', (size_t)o->size - (size_t)used);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(o->topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_VALUE(value, (size_t)o->size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_OPAQUE((void *)(intptr_t)l->next), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return; // nothing is acknowledged at the moment; the same record again, later
    if (err)
        die(1, "%s-%" PRId32 ": %s", o->topic, partition, rd_kafka_err2str(err));
    if (l->first <= 0)
        l->first = now_ms();
    l->next++;
    p->sent++;
}

static void write_tick(producer *p, double now)
{
    for (int32_t i = 0; i < p->partitions; i++) {
        const lane *l = &p->lanes[i];
        if (l->first > 0)
            note_worst(p, now - (l->last > 0 ? l->last : l->first), i);
    }
    if (p->last > 0 && now - p->last > p->tick_all)
        p->tick_all = now - p->last;
    fprintf(p->out,
            "tick %.3f acked %" PRId64 " failed %" PRId64 " all %.3f worst %.3f %" PRId32 "\n", now,
            p->acked, p->failed, p->tick_all, p->tick_worst, p->tick_partition);
    fflush(p->out);
    p->tick_all = p->tick_worst = 0;
    p->tick_partition = -1;
}

static int produce(const options *o)
{
    producer p = {.out = open_out(o->out), .partitions = o->partitions, .tick_partition = -1};
    p.lanes = calloc((size_t)o->partitions, sizeof *p.lanes);
    if (!p.lanes)
        die(1, "out of memory");
    double usual = 1e3 * (double)o->partitions / (double)o->rate;
    p.threshold = 3 * usual > GAP_MIN_MS ? 3 * usual : GAP_MIN_MS;

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", o->bootstrap);
    set(conf, "client.id", "lab-producer");
    set(conf, "enable.idempotence", "true");
    set(conf, "acks", "all");
    set(conf, "linger.ms", "1");
    // The Java client's default; librdkafka's 10 s would measure its pause after a refused
    // connection to a broker that has been back for seconds.
    set(conf, "reconnect.backoff.max.ms", "1000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, &p);
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk)
        die(1, "%s", text);

    double due = now_ms(), tick = due + TICK_MS;
    while (!stop_asked && (!o->count || p.sent < o->count)) {
        double now = now_ms();
        if (now - due > 1e3)
            due = now; // an outage is not made up for by a burst
        while (due <= now && (!o->count || p.sent < o->count)) {
            send_one(&p, rk, o);
            due += 1e3 / (double)o->rate;
        }
        if (now >= tick) {
            write_tick(&p, now);
            tick = now + TICK_MS;
        }
        rd_kafka_poll(rk, 1);
    }
    rd_kafka_flush(rk, FLUSH_MS);

    fprintf(p.out, "longest all %.3f %.3f\n", p.longest.from, p.longest.to);
    for (int32_t i = 0; i < o->partitions; i++) {
        lane *l = &p.lanes[i];
        fprintf(p.out, "longest %" PRId32 " %.3f %.3f\n", i, l->longest.from, l->longest.to);
        for (size_t k = 0; k < l->run_count; k++)
            fprintf(p.out, "acked %" PRId32 " %" PRId64 " %" PRId64 "\n", i, l->runs[k].first,
                    l->runs[k].last);
        free(l->runs);
    }
    fprintf(p.out, "total sent %" PRId64 " acked %" PRId64 " failed %" PRId64 "\n", p.sent, p.acked,
            p.failed);
    close_out(p.out, o->out);
    free(p.lanes);
    if (p.sent != p.acked)
        _exit(1); // without rd_kafka_destroy: what is still outstanding would be waited for
    rd_kafka_destroy(rk);
    return 0;
}

// The consumer

typedef struct {
    uint8_t *bits; // sequence numbers read
    int64_t size;  // how many there is room for
    int64_t offset;
} shelf;

typedef struct {
    shelf *shelves;
    int32_t partitions;
    int64_t read, duplicated, redelivered;
    int rebalances;
} consumer;

static int shelf_has(const shelf *s, int64_t sequence)
{
    return sequence < s->size && (s->bits[sequence / 8] >> (sequence % 8) & 1);
}

static void shelf_put(shelf *s, int64_t sequence)
{
    if (sequence >= s->size) {
        int64_t size = s->size ? s->size * 2 : 8192;
        while (size <= sequence)
            size *= 2;
        s->bits = grow(s->bits, (size_t)size / 8, 1);
        memset(s->bits + s->size / 8, 0, (size_t)(size - s->size) / 8);
        s->size = size;
    }
    s->bits[sequence / 8] = (uint8_t)(s->bits[sequence / 8] | 1u << (sequence % 8));
}

static void take(consumer *c, const rd_kafka_message_t *message)
{
    char text[64];
    size_t length = message->len < sizeof text - 1 ? message->len : sizeof text - 1;
    memcpy(text, message->payload, length);
    text[length] = '\0';
    int32_t partition;
    int64_t sequence;
    if (sscanf(text, "%" SCNd32 " %" SCNd64, &partition, &sequence) != 2
        || partition != message->partition || partition < 0 || partition >= c->partitions
        || sequence < 0 || sequence >= SEQUENCE_MAX)
        die(1, "partition %" PRId32 " offset %" PRId64 " is no record of lab_load: %.40s",
            message->partition, message->offset, text);
    shelf *s = &c->shelves[partition];
    if (message->offset <= s->offset) {
        c->redelivered++;
        return;
    }
    s->offset = message->offset;
    if (shelf_has(s, sequence)) {
        c->duplicated++;
        return;
    }
    shelf_put(s, sequence);
    c->read++;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    consumer *c = opaque;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        c->rebalances++;
        rd_kafka_assign(rk, list);
    } else {
        rd_kafka_assign(rk, NULL);
    }
}

// Compares with the producer's file.  Returns how many acknowledged records were not read, writes
// the first of them to `out` when it is given, and the number acknowledged to `ret_acked`.
static int64_t count_missing(const consumer *c, const char *path, FILE *out, int64_t *ret_acked)
{
    FILE *in = fopen(path, "r");
    if (!in)
        die(1, "%s: %s", path, strerror(errno));
    char line[512];
    int64_t missing = 0, acked = 0;
    int whole = 0;
    while (fgets(line, sizeof line, in)) {
        int32_t partition;
        int64_t first, last;
        if (!strncmp(line, "total ", 6))
            whole = 1;
        if (sscanf(line, "acked %" SCNd32 " %" SCNd64 " %" SCNd64, &partition, &first, &last) != 3)
            continue;
        if (partition < 0 || partition >= c->partitions)
            die(1, "%s: partition %" PRId32 " of %" PRId32, path, partition, c->partitions);
        acked += last - first + 1;
        for (int64_t i = first; i <= last; i++) {
            if (shelf_has(&c->shelves[partition], i))
                continue;
            if (out && missing < MISSING_SHOWN)
                fprintf(out, "missing %" PRId32 " %" PRId64 "\n", partition, i);
            missing++;
        }
    }
    fclose(in);
    if (!whole)
        die(1, "%s has no last line: the producer has not ended", path);
    *ret_acked = acked;
    return missing;
}

static int consume(const options *o)
{
    consumer c = {.partitions = o->partitions};
    c.shelves = calloc((size_t)o->partitions, sizeof *c.shelves);
    if (!c.shelves)
        die(1, "out of memory");
    for (int32_t i = 0; i < o->partitions; i++)
        c.shelves[i].offset = -1;
    FILE *out = open_out(o->out);

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", o->bootstrap);
    set(conf, "client.id", "lab-consumer");
    set(conf, "group.id", o->group);
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "reconnect.backoff.max.ms", "1000");
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, &c);
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!rk)
        die(1, "%s", text);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, o->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (err)
        die(1, "subscribe: %s", rd_kafka_err2str(err));

    int64_t acked = 0, missing = 0, told = 0;
    double looked = 0;
    for (;;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);
        if (message) {
            if (!message->err)
                take(&c, message);
            rd_kafka_message_destroy(message);
        }
        if (!stop_asked)
            continue;
        double now = now_ms();
        if (now - looked >= TICK_MS) {
            missing = count_missing(&c, o->acked, NULL, &acked);
            looked = now;
            if (!missing || stop_asked > 1)
                break;
            if (c.read > told) {
                told = c.read;
                fprintf(out, "read %" PRId64 "\n", told);
                fflush(out);
            }
        }
    }
    missing = count_missing(&c, o->acked, out, &acked);
    fprintf(out,
            "total acked %" PRId64 " read %" PRId64 " missing %" PRId64 " duplicated %" PRId64
            " redelivered %" PRId64 " rebalances %d\n",
            acked, c.read, missing, c.duplicated, c.redelivered, c.rebalances);
    close_out(out, o->out);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    for (int32_t i = 0; i < o->partitions; i++)
        free(c.shelves[i].bits);
    free(c.shelves);
    return missing ? 1 : 0;
}

// The command line

static long number(const char *name, const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || end == text || value < low || value > high)
        die(2, "--%s %s: not a number between %ld and %ld", name, text, low, high);
    return value;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"bootstrap", required_argument, NULL, 'b'}, {"topic", required_argument, NULL, 't'},
        {"partitions", required_argument, NULL, 'p'}, {"rate", required_argument, NULL, 'r'},
        {"out", required_argument, NULL, 'o'}, {"acked", required_argument, NULL, 'a'},
        {"group", required_argument, NULL, 'g'}, {"size", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0},
    };
    options o = {.group = "lab", .size = 100, .rate = 200};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'b': o.bootstrap = optarg; break;
        case 't': o.topic = optarg; break;
        case 'p': o.partitions = (int32_t)number("partitions", optarg, 1, PARTITIONS_MAX); break;
        case 'r': o.rate = number("rate", optarg, 1, 1000000); break;
        case 'o': o.out = optarg; break;
        case 'a': o.acked = optarg; break;
        case 'g': o.group = optarg; break;
        case 's': o.size = number("size", optarg, VALUE_MIN, VALUE_MAX); break;
        case 'c': o.count = number("count", optarg, 1, SEQUENCE_MAX); break;
        default: return 2;
        }
    }
    const char *what = optind + 1 == argc ? argv[optind] : "";
    int producing = !strcmp(what, "produce");
    if ((!producing && strcmp(what, "consume") != 0) || !o.bootstrap || !o.topic || !o.out
        || !o.partitions || (!producing && !o.acked))
        die(2, "usage: lab_load produce|consume --bootstrap B --topic T --partitions N --out F");

    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    return producing ? produce(&o) : consume(&o);
}
