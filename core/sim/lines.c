/* Lines of a simulated server.log, in Kafka's words.
 *
 * Sources: KafkaServer, BrokerServer, KafkaRaftServer, ReplicaFetcherThread, LogManager,
 * KafkaConfig and ClusterControlManager, as seen in the logs of real clusters.
 */
#include "sim/oracle.h"

bool kp_sim_line_is_error(uint32_t line)
{
    return line != KP_SIM_LINE_STARTED && line != KP_SIM_LINE_STOPPED &&
           line != KP_SIM_LINE_RECOVERY;
}

static const char *breaking_key(const kp_sim *sim, int32_t arg)
{
    if (arg == -1)
        return "kplay.sim.breaks_start";
    if (arg >= 0 && (uint32_t)arg < sim->h->n_breaking)
        return kp_sim_string(sim, sim->breaking[arg].key);
    return "server.properties";
}

/* How it comes up and goes down. */
static const char *life_line(kp_arena *a, kp_sim_line line, int id, bool zookeeper)
{
    switch (line) {
    case KP_SIM_LINE_STARTED:
        return zookeeper
                   ? kp_printf(a, "INFO [KafkaServer id=%d] started (kafka.server.KafkaServer)", id)
                   : kp_printf(a, "INFO [KafkaRaftServer nodeId=%d] Kafka Server started", id);
    case KP_SIM_LINE_STOPPED:
        return kp_printf(a, "INFO [%s id=%d] shut down completed",
                         zookeeper ? "KafkaServer" : "BrokerServer", id);
    case KP_SIM_LINE_UNCLEAN:
        return zookeeper
                   ? "WARN Proceeding to do an unclean shutdown as all the controlled shutdown "
                     "attempts failed"
                   : "ERROR Timed out waiting for the controller to approve controlled shutdown";
    default:
        return "INFO Attempting recovery for all logs since no clean shutdown file was found";
    }
}

/* What the others refuse it. */
static const char *refused_line(kp_arena *a, kp_sim_line line, int id)
{
    switch (line) {
    case KP_SIM_LINE_DUPLICATE:
        return kp_printf(a,
                         "ERROR [BrokerLifecycleManager id=%d] Unable to register the broker: "
                         "DUPLICATE_BROKER_REGISTRATION",
                         id);
    case KP_SIM_LINE_EXISTS:
        return kp_printf(a,
                         "ERROR Error while creating ephemeral at /brokers/ids/%d, node already "
                         "exists and owner "
                         "does not match current session: KeeperException$NodeExistsException",
                         id);
    default:
        return kp_printf(a,
                         "WARN [ReplicaFetcher replicaId=%d] Error in response for fetch request: "
                         "Received request "
                         "api key FETCH with a version which is not enabled",
                         id);
    }
}

/* What is wrong in its server.properties. */
static const char *file_line(kp_arena *a, const kp_sim *sim, const kp_sim_node *n,
                             const kp_sim_sign *sign)
{
    switch ((kp_sim_line)sign->line) {
    case KP_SIM_LINE_ROLES:
        return "ERROR Exiting Kafka due to fatal exception: ConfigException: Missing required "
               "configuration "
               "\"process.roles\" which has no default value.";
    case KP_SIM_LINE_NODE_ID:
        return "ERROR Exiting Kafka due to fatal exception: the node id of server.properties does "
               "not match the one "
               "stored in meta.properties";
    case KP_SIM_LINE_IBP:
        return kp_printf(
            a,
            "ERROR Exiting Kafka due to fatal exception: Invalid value for configuration "
            "inter.broker.protocol.version: not a version that %s knows",
            sim->h->release[n->running]);
    default:
        return kp_printf(a,
                         "ERROR Exiting Kafka due to fatal exception: ConfigException: Invalid "
                         "configuration: %s",
                         breaking_key(sim, sign->arg));
    }
}

/* Why its release cannot run here. */
static const char *release_line(kp_arena *a, const kp_sim *sim, const kp_sim_node *n,
                                const kp_sim_sign *sign)
{
    const kp_sim_release_facts *f = kp_sim_facts_at(sim, n->running);

    if (sign->line == KP_SIM_LINE_OPTION)
        return "Unrecognized VM option 'UseConcMarkSweepGC'";
    if (sign->line == KP_SIM_LINE_CLASS)
        return "ERROR Exiting Kafka due to fatal exception: java.lang.ClassNotFoundException: "
               "a class of the package kplay.sim.missing";
    if (sign->line == KP_SIM_LINE_JAVA)
        return kp_printf(a,
                         "Error: LinkageError occurred while loading main class kafka.Kafka: "
                         "java.lang.UnsupportedClassVersionError: kafka/Kafka has been compiled by "
                         "a more recent version of the Java Runtime (class file version %d.0), "
                         "this version of the Java Runtime only recognizes class file versions up "
                         "to %u.0",
                         sign->arg + 44, kp_sim_java(n) + 44);
    return kp_printf(a,
                     "ERROR Fatal error during startup: UNSUPPORTED_VERSION: the finalized "
                     "metadata.version %d "
                     "is not supported by this node, which supports %d to %d",
                     sim->h->metadata_version, f->metadata_min, f->metadata_max);
}

const char *kp_sim_line_text(kp_arena *a, const kp_sim *sim, const kp_sim_node *n,
                             const kp_sim_sign *sign)
{
    kp_sim_line line = (kp_sim_line)sign->line;

    switch (line) {
    case KP_SIM_LINE_STARTED:
    case KP_SIM_LINE_STOPPED:
    case KP_SIM_LINE_UNCLEAN:
    case KP_SIM_LINE_RECOVERY:
        return life_line(a, line, n->id, sim->h->mode == KP_SIM_ZOOKEEPER);
    case KP_SIM_LINE_DUPLICATE:
    case KP_SIM_LINE_EXISTS:
    case KP_SIM_LINE_FETCH:
        return refused_line(a, line, n->id);
    case KP_SIM_LINE_ROLES:
    case KP_SIM_LINE_NODE_ID:
    case KP_SIM_LINE_IBP:
    case KP_SIM_LINE_CONFIG:
        return file_line(a, sim, n, sign);
    case KP_SIM_LINE_METADATA_OLD:
    case KP_SIM_LINE_METADATA_NEW:
    case KP_SIM_LINE_JAVA:
    case KP_SIM_LINE_OPTION:
    case KP_SIM_LINE_CLASS:
        return release_line(a, sim, n, sign);
    }
    return "";
}
