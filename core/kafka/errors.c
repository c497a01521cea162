/* errors.c: Kafka's error codes by name, in plain words.
 *
 * Source: org.apache.kafka.common.protocol.Errors up to 4.3.  A code is retriable when its
 * exception is a RetriableException there: Kafka's own clients repeat the request.
 */
#include "kafka/kafka.h"

#define ROW(code_, name_, text_)                                                                   \
    {                                                                                              \
        (code_), false, name_, text_                                                               \
    }
#define AGAIN(code_, name_, text_)                                                                 \
    {                                                                                              \
        (code_), true, name_, text_                                                                \
    }

/* codes[i] is error i. */
static const kp_kafka_code codes[] = {
    ROW(0, "NONE", "no error"),
    ROW(1, "OFFSET_OUT_OF_RANGE", "the offset is not within the log"),
    AGAIN(2, "CORRUPT_MESSAGE", "a message is corrupt"),
    AGAIN(3, "UNKNOWN_TOPIC_OR_PARTITION", "this node does not host that topic or partition"),
    ROW(4, "INVALID_FETCH_SIZE", "the fetch size is not valid"),
    AGAIN(5, "LEADER_NOT_AVAILABLE", "the partition has no leader; an election may be under way"),
    AGAIN(6, "NOT_LEADER_OR_FOLLOWER", "this node is not the leader or a replica that can answer"),
    AGAIN(7, "REQUEST_TIMED_OUT", "the node ran out of time"),
    ROW(8, "BROKER_NOT_AVAILABLE", "the broker is not available"),
    AGAIN(9, "REPLICA_NOT_AVAILABLE", "the replica is not available"),
    ROW(10, "MESSAGE_TOO_LARGE", "a message is larger than the node accepts"),
    ROW(11, "STALE_CONTROLLER_EPOCH", "the controller moved to another node"),
    ROW(12, "OFFSET_METADATA_TOO_LARGE", "the metadata of an offset is too large"),
    AGAIN(13, "NETWORK_EXCEPTION", "the node closed the connection before it answered"),
    AGAIN(14, "COORDINATOR_LOAD_IN_PROGRESS", "the coordinator is still loading"),
    AGAIN(15, "COORDINATOR_NOT_AVAILABLE", "the coordinator is not available"),
    AGAIN(16, "NOT_COORDINATOR", "this node is not the coordinator"),
    ROW(17, "INVALID_TOPIC_EXCEPTION", "the topic name is not valid"),
    ROW(18, "RECORD_LIST_TOO_LARGE", "a batch is larger than a log segment"),
    AGAIN(19, "NOT_ENOUGH_REPLICAS",
          "fewer replicas are in sync than min.insync.replicas asks for"),
    AGAIN(20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
          "written, but to fewer replicas than min.insync.replicas asks for"),
    ROW(21, "INVALID_REQUIRED_ACKS", "the value of acks is not valid"),
    ROW(22, "ILLEGAL_GENERATION", "the generation of the group is not the current one"),
    ROW(23, "INCONSISTENT_GROUP_PROTOCOL", "the member's protocols do not fit those of its group"),
    ROW(24, "INVALID_GROUP_ID", "the group id is not valid"),
    ROW(25, "UNKNOWN_MEMBER_ID", "the coordinator does not know this member"),
    ROW(26, "INVALID_SESSION_TIMEOUT", "the session timeout is outside what the broker allows"),
    ROW(27, "REBALANCE_IN_PROGRESS", "the group is rebalancing"),
    ROW(28, "INVALID_COMMIT_OFFSET_SIZE", "the committed offset data is too large"),
    ROW(29, "TOPIC_AUTHORIZATION_FAILED", "not allowed for this topic"),
    ROW(30, "GROUP_AUTHORIZATION_FAILED", "not allowed for this group"),
    ROW(31, "CLUSTER_AUTHORIZATION_FAILED", "not allowed for this cluster"),
    ROW(32, "INVALID_TIMESTAMP", "the timestamp of a message is out of range"),
    ROW(33, "UNSUPPORTED_SASL_MECHANISM", "the node does not support this SASL mechanism"),
    ROW(34, "ILLEGAL_SASL_STATE", "the request does not fit the state of the SASL exchange"),
    ROW(35, "UNSUPPORTED_VERSION", "the node does not support this version of the request"),
    ROW(36, "TOPIC_ALREADY_EXISTS", "the topic exists already"),
    ROW(37, "INVALID_PARTITIONS", "the number of partitions is not valid"),
    ROW(38, "INVALID_REPLICATION_FACTOR",
        "the replication factor is not valid or larger than the number of brokers"),
    ROW(39, "INVALID_REPLICA_ASSIGNMENT", "the replica assignment is not valid"),
    ROW(40, "INVALID_CONFIG", "the config is not valid"),
    AGAIN(41, "NOT_CONTROLLER", "this node is not the active controller"),
    ROW(42, "INVALID_REQUEST", "the node finds the request malformed; its log says why"),
    ROW(43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "the message format on the node does not support it"),
    ROW(44, "POLICY_VIOLATION", "a policy of the cluster refuses it"),
    ROW(45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "a sequence number is out of order"),
    ROW(46, "DUPLICATE_SEQUENCE_NUMBER", "a sequence number came twice"),
    ROW(47, "INVALID_PRODUCER_EPOCH", "the producer's epoch is old"),
    ROW(48, "INVALID_TXN_STATE", "the transaction is not in a state for this"),
    ROW(49, "INVALID_PRODUCER_ID_MAPPING",
        "the producer id does not belong to the transactional id"),
    ROW(50, "INVALID_TRANSACTION_TIMEOUT",
        "the transaction timeout is larger than the broker allows"),
    AGAIN(51, "CONCURRENT_TRANSACTIONS", "another operation on the transaction is under way"),
    ROW(52, "TRANSACTION_COORDINATOR_FENCED", "the transaction coordinator is not the current one"),
    ROW(53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "not allowed for this transactional id"),
    ROW(54, "SECURITY_DISABLED", "security features are switched off"),
    ROW(55, "OPERATION_NOT_ATTEMPTED", "not tried, because another part of the request failed"),
    AGAIN(56, "KAFKA_STORAGE_ERROR", "the broker's log directory is offline or failing"),
    ROW(57, "LOG_DIR_NOT_FOUND", "the log directory is not in the broker's config"),
    ROW(58, "SASL_AUTHENTICATION_FAILED", "SASL authentication failed"),
    ROW(59, "UNKNOWN_PRODUCER_ID", "the broker knows nothing of this producer any more"),
    ROW(60, "REASSIGNMENT_IN_PROGRESS", "a reassignment of the partition is under way"),
    ROW(61, "DELEGATION_TOKEN_AUTH_DISABLED", "delegation tokens are switched off"),
    ROW(62, "DELEGATION_TOKEN_NOT_FOUND", "the delegation token is not known"),
    ROW(63, "DELEGATION_TOKEN_OWNER_MISMATCH", "the delegation token belongs to somebody else"),
    ROW(64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
        "delegation tokens are not allowed on this channel"),
    ROW(65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "not allowed for this delegation token"),
    ROW(66, "DELEGATION_TOKEN_EXPIRED", "the delegation token has expired"),
    ROW(67, "INVALID_PRINCIPAL_TYPE", "the principal type is not supported"),
    ROW(68, "NON_EMPTY_GROUP", "the group has members"),
    ROW(69, "GROUP_ID_NOT_FOUND", "the group does not exist"),
    AGAIN(70, "FETCH_SESSION_ID_NOT_FOUND", "the fetch session is not known"),
    AGAIN(71, "INVALID_FETCH_SESSION_EPOCH", "the epoch of the fetch session is not valid"),
    AGAIN(72, "LISTENER_NOT_FOUND", "the leader has no listener of that name"),
    ROW(73, "TOPIC_DELETION_DISABLED", "deleting topics is switched off"),
    AGAIN(74, "FENCED_LEADER_EPOCH", "the leader epoch is older than the node's"),
    AGAIN(75, "UNKNOWN_LEADER_EPOCH", "the leader epoch is newer than the node's"),
    ROW(76, "UNSUPPORTED_COMPRESSION_TYPE", "the compression type is not supported"),
    ROW(77, "STALE_BROKER_EPOCH", "the broker's epoch has changed"),
    AGAIN(78, "OFFSET_NOT_AVAILABLE", "the leader's high watermark has not caught up yet"),
    ROW(79, "MEMBER_ID_REQUIRED", "the member needs an id before it can join"),
    AGAIN(80, "PREFERRED_LEADER_NOT_AVAILABLE",
          "the preferred leader is not available or not in sync"),
    ROW(81, "GROUP_MAX_SIZE_REACHED", "the group is full"),
    ROW(82, "FENCED_INSTANCE_ID", "another member has the same group.instance.id"),
    AGAIN(83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", "no replica may become leader"),
    ROW(84, "ELECTION_NOT_NEEDED", "the leader is already the right one"),
    ROW(85, "NO_REASSIGNMENT_IN_PROGRESS", "no reassignment of the partition is under way"),
    ROW(86, "GROUP_SUBSCRIBED_TO_TOPIC", "the group is subscribed to that topic"),
    ROW(87, "INVALID_RECORD", "the broker refused a record"),
    AGAIN(88, "UNSTABLE_OFFSET_COMMIT", "offsets of an open transaction are not settled yet"),
    AGAIN(89, "THROTTLING_QUOTA_EXCEEDED", "a quota was exceeded"),
    ROW(90, "PRODUCER_FENCED", "a newer producer has the same transactional id"),
    ROW(91, "RESOURCE_NOT_FOUND", "the resource does not exist"),
    ROW(92, "DUPLICATE_RESOURCE", "the resource exists already"),
    ROW(93, "UNACCEPTABLE_CREDENTIAL", "the credential does not meet the rules"),
    ROW(94, "INCONSISTENT_VOTER_SET", "the two sides disagree about the voters"),
    ROW(95, "INVALID_UPDATE_VERSION", "the version of the update is not valid"),
    ROW(96, "FEATURE_UPDATE_FAILED", "the features could not be updated"),
    ROW(97, "PRINCIPAL_DESERIALIZATION_FAILURE", "a forwarded principal could not be read"),
    ROW(98, "SNAPSHOT_NOT_FOUND", "the snapshot does not exist"),
    ROW(99, "POSITION_OUT_OF_RANGE", "the position is outside the snapshot"),
    AGAIN(100, "UNKNOWN_TOPIC_ID", "this node does not know that topic id"),
    ROW(101, "DUPLICATE_BROKER_REGISTRATION",
        "a broker with this id is still registered; its old session has not ended"),
    ROW(102, "BROKER_ID_NOT_REGISTERED", "no broker of that id is registered"),
    AGAIN(103, "INCONSISTENT_TOPIC_ID", "the topic id is not that of the log"),
    ROW(104, "INCONSISTENT_CLUSTER_ID", "the node belongs to another cluster"),
    ROW(105, "TRANSACTIONAL_ID_NOT_FOUND", "the transactional id is not known"),
    AGAIN(106, "FETCH_SESSION_TOPIC_ID_ERROR", "the fetch session mixes topic ids and names"),
    ROW(107, "INELIGIBLE_REPLICA", "a new member of the ISR is fenced or shutting down"),
    ROW(108, "NEW_LEADER_ELECTED", "the change of the ISR elected another leader"),
    ROW(109, "OFFSET_MOVED_TO_TIERED_STORAGE", "the offset is in tiered storage"),
    ROW(110, "FENCED_MEMBER_EPOCH", "the member's epoch is not the coordinator's"),
    ROW(111, "UNRELEASED_INSTANCE_ID", "the group.instance.id is still held by another member"),
    ROW(112, "UNSUPPORTED_ASSIGNOR", "the group's members do not support that assignor"),
    ROW(113, "STALE_MEMBER_EPOCH", "the member's epoch is old"),
    ROW(114, "MISMATCHED_ENDPOINT_TYPE", "the question went to the wrong kind of listener"),
    ROW(115, "UNSUPPORTED_ENDPOINT_TYPE", "the node does not know that kind of listener"),
    ROW(116, "UNKNOWN_CONTROLLER_ID", "no controller of that id is registered"),
    ROW(117, "UNKNOWN_SUBSCRIPTION_ID", "the telemetry subscription is not the current one"),
    ROW(118, "TELEMETRY_TOO_LARGE", "the telemetry is larger than allowed"),
    ROW(119, "INVALID_REGISTRATION", "the controller refuses the registration"),
    ROW(120, "TRANSACTION_ABORTABLE", "the transaction must be aborted"),
    ROW(121, "INVALID_RECORD_STATE", "the record is not in a state for this"),
    AGAIN(122, "SHARE_SESSION_NOT_FOUND", "the share session is not known"),
    AGAIN(123, "INVALID_SHARE_SESSION_EPOCH", "the epoch of the share session is not valid"),
    ROW(124, "FENCED_STATE_EPOCH", "the epoch of the share state is old"),
    ROW(125, "INVALID_VOTER_KEY", "the voter's directory id does not fit"),
    ROW(126, "DUPLICATE_VOTER", "the voter is in the quorum already"),
    ROW(127, "VOTER_NOT_FOUND", "the voter is not in the quorum"),
    ROW(128, "INVALID_REGULAR_EXPRESSION", "the regular expression is not valid"),
    ROW(129, "REBOOTSTRAP_REQUIRED", "the client reached another cluster or node than it meant"),
    ROW(130, "STREAMS_INVALID_TOPOLOGY", "the streams topology is not valid"),
    ROW(131, "STREAMS_INVALID_TOPOLOGY_EPOCH", "the epoch of the streams topology is not valid"),
    ROW(132, "STREAMS_TOPOLOGY_FENCED", "the epoch of the streams topology is old"),
    AGAIN(133, "SHARE_SESSION_LIMIT_REACHED", "the node has as many share sessions as it allows"),
};

kp_kafka_code kp_kafka_code_of(int code)
{
    if (code == -1)
        return (kp_kafka_code){ -1, false, "UNKNOWN_SERVER_ERROR",
                                 "the node failed; its log says why" };
    if (code >= 0 && (size_t)code < KP_COUNT(codes))
        return codes[code];
    return (kp_kafka_code){ (int16_t)code, false, "UNKNOWN",
                             "a code that this release does not know" };
}

kp_err *kp_kafka_code_err(int code, const char *message)
{
    kp_kafka_code c = kp_kafka_code_of(code);
    bool denied = code >= 29 && code <= 31;
    const char *next = denied ? "give kplay's principal the ACL it lacks"
                       : c.retriable
                           ? "try again in a moment; if it stays, look into the node's log"
                           : "look into the node's log";
    kp_err *e = message && *message
                    ? kp_err_new(KP_CLUSTER, next, "%s (%d): %s", c.name, code, message)
                    : kp_err_new(KP_CLUSTER, next, "%s (%d): %s", c.name, code, c.text);
    return c.retriable ? kp_err_retriable(e) : e;
}
