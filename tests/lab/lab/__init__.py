"""A test bed of real Kafka clusters on one machine.

Every node of a cluster has what a host of its own would give it: a loopback address, an OpenSSH
server with its own host key, an unprivileged user's tree of releases, configuration, data and logs,
and a service script.  kplay reaches the nodes as it would reach hosts, and cannot tell that they
share a kernel.

  releases.py   Kafka's jars, fetched once, laid out as release directories
  scripts.py    the bin/ scripts of such a directory
  patience.py   how long to wait on this machine
  process.py    processes known by pid and start time, and how they are ended
  node.py       one node: tree, SSH server, service script
  config.py     the properties files of each mode
  cluster.py    Lab: a cluster from nothing to in sync, and away again
  inventory.py  the kplay.yaml that describes it
  codec.py      bytes of Kafka's protocol, read and written
  wire.py       the few requests of Kafka's protocol that the lab needs
  observer.py   what the cluster did, seen by someone who is not kplay
  load.py       a producer and a consumer that account for every record
  acts.py       what a scenario does to a cluster to see what kplay makes of it
"""
