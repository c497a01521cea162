/* Which process is the node: the shell functions that find it, read it, and never guess.
 *
 * A Kafka process is one that has kafka.Kafka as a whole word of its command line; the word after
 * it is the properties file (Kafka.scala: server.properties, then --override pairs).  It is the
 * node's when that file is the layout's, by name or by inode.  With systemd it is the unit's main
 * process, or the one Kafka process below it when a wrapper does not exec java.
 *
 * kafka-server-stop.sh finds its victims by a pattern over all of `ps ax`; two brokers on a host,
 * or a command line longer than 4096 bytes, and it stops the wrong ones or none.  So nothing here
 * uses it.
 */
#include "host/inner.h"

void kp_script_process(kp_script *s, const kp_host *h)
{
    const kp_host_service *service = &h->spec.service;
    kp_script_set(s, "unit", service->unit);
    kp_script_set(s, "config", h->spec.layout.config);
    kp_script_set(s, "has_status", kp_len(service->status) ? "yes" : "");
    kp_script_command(s, h, "status_command", "files", service->status);
    kp_script_set(s, "awk_arguments", kp_awk_arguments);
    kp_script_add(s, kp_sh_process);
}
