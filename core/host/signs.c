/* What a broker's log tells: the words that say how a start or a stop went.
 *
The wording is Kafka's: InvalidRequestException of a leader that was sent a fetch it has not
 * enabled (a mis-pinned inter.broker.protocol.version), the registration error of a broker whose
 * old session still lives (ClusterControlManager), KafkaServer, KafkaRaftServer, LogManager.
 * `advanced`: only a start that gets on says so: a log loaded or a segment recovered (LogManager,
 * LogLoader), registered, caught up or unfenced (KafkaServer, BrokerLifecycleManager). */
#include "host/inner.h"

const kp_host_sign kp_host_signs[] = {
    { "mis_pinned", "which is not enabled", true, false },
    { "duplicate_registration", "DUPLICATE_BROKER_REGISTRATION|DuplicateBrokerRegistration", true,
      false },
    { "fetch_errors", "Error in response for fetch request", true, false },
    { "started", "Kafka *Server.*started", false, false },
    { "advanced",
      "Completed load of|Recovering unflushed segment|Successfully registered broker|"
      "Registered broker [0-9]+ at path|broker has caught up|broker has been unfenced",
      false, true },
    { "fatal_startup", "Fatal error during .* startup|Exiting Kafka due to fatal exception", true,
      false },
    { "recovering", "no clean shutdown file was found", false, false },
    { "stop_timed_out", "Timed out waiting for the controller to approve controlled shutdown", true,
      false },
    { "disk_failed", "all log dirs .*have failed", true, false },
    { "unregistered", "unable to register with the controller quorum", true, false },
    { NULL, NULL, false, false },
};
