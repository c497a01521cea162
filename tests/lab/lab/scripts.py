"""The scripts of a Kafka distribution, written by us, because the jars come without them.

Names, arguments and the shape of the resulting command line are Kafka's own: a class path that
lists every jar through the directory the script was called by, so that whoever looks at a process
sees `.../current/bin/../libs/kafka-clients-3.9.1.jar` as on a host installed from the archive.
The names are stable from release to release, the classes behind them moved, tool by tool, from
`kafka.admin` to `org.apache.kafka.tools`: the first candidate that the jars hold is taken, and a
script whose class is gone (zookeeper-shell in 4.x) is not written.
"""
from __future__ import annotations

import zipfile
from pathlib import Path

RUN_CLASS = """#!/bin/sh
# Runs a class of this release: kafka-run-class.sh CLASS ARGUMENT...
base=$(dirname "$0")/..
classpath=
for jar in "$base"/libs/*.jar; do
    classpath=${classpath:+$classpath:}$jar
done
# Small on purpose: a dozen of these share one machine, and each lives for minutes.
: "${KAFKA_HEAP_OPTS:=-Xmx256m -Xms64m}"
: "${KAFKA_JVM_PERFORMANCE_OPTS:=-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto}"
: "${LOG_DIR:=$base/logs}"
: "${KAFKA_LOG4J_OPTS:=%(option)s$base/config/tools-%(logging)s}"
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS \\
    -Dkafka.logs.dir="$LOG_DIR" $KAFKA_LOG4J_OPTS $KAFKA_OPTS -cp "$classpath" "$@"
"""

SERVER = """#!/bin/sh
# %(name)s FILE: runs in the foreground, logs to standard output.
if [ $# -lt 1 ]; then
    echo "usage: $0 FILE.properties [--override KEY=VALUE]..." >&2
    exit 1
fi
here=$(dirname "$0")
KAFKA_LOG4J_OPTS=%(option)s$here/../config/%(logging)s
export KAFKA_LOG4J_OPTS
exec "$here/kafka-run-class.sh" %(extra)s%(main)s "$@"
"""

TOOL = """#!/bin/sh
exec "$(dirname "$0")/kafka-run-class.sh" %(main)s%(first)s "$@"
"""

STOP = """#!/bin/sh
# kafka-server-stop.sh FILE: asks the node that runs this properties file to stop.  Kafka's own
# script of this name asks every node of the machine, which would be every node of every lab.
if [ $# -ne 1 ]; then
    echo "usage: $0 FILE.properties" >&2
    exit 1
fi
found=1
for process in $(grep -lzxF -e "$1" /proc/[0-9]*/cmdline 2>/dev/null); do
    if grep -qzxF kafka.Kafka "$process" 2>/dev/null; then
        pid=${process#/proc/}
        kill -TERM "${pid%%/cmdline}" && found=0
    fi
done
[ $found = 0 ] || echo "No kafka server to stop" >&2
exit $found
"""

SERVERS: dict[str, tuple[str, ...]] = {
    "kafka-server-start.sh": ("kafka.Kafka",),
    "zookeeper-server-start.sh": ("org.apache.zookeeper.server.quorum.QuorumPeerMain",),
}

TOOLS: dict[str, tuple[str, ...]] = {
    "kafka-storage.sh": ("org.apache.kafka.tools.StorageTool", "kafka.tools.StorageTool"),
    "kafka-topics.sh": ("org.apache.kafka.tools.TopicCommand", "kafka.admin.TopicCommand"),
    "kafka-configs.sh": ("org.apache.kafka.tools.ConfigCommand", "kafka.admin.ConfigCommand"),
    "kafka-metadata-quorum.sh": ("org.apache.kafka.tools.MetadataQuorumCommand",
                                 "kafka.admin.MetadataQuorumCommand"),
    "kafka-features.sh": ("org.apache.kafka.tools.FeatureCommand", "kafka.admin.FeatureCommand"),
    "kafka-reassign-partitions.sh": ("org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
                                     "kafka.admin.ReassignPartitionsCommand"),
    "kafka-consumer-groups.sh": ("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
                                 "kafka.admin.ConsumerGroupCommand"),
    "kafka-log-dirs.sh": ("org.apache.kafka.tools.LogDirsCommand", "kafka.admin.LogDirsCommand"),
    "kafka-dump-log.sh": ("org.apache.kafka.tools.DumpLogSegments", "kafka.tools.DumpLogSegments"),
    "zookeeper-shell.sh": ("org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka",),
}

# The layout of a line is that of Kafka's own config/log4j.properties.
LOG4J1 = """log4j.rootLogger=%(level)s, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.target=System.%(stream)s
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%%d] %%p %%m (%%c)%%n
"""

LOG4J2 = """status = warn
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_%(STREAM)s
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%%d] %%p %%m (%%c)%%n
rootLogger.level = %(level)s
rootLogger.appenderRef.out.ref = out
"""


def classes(libs: Path) -> set[str]:
    """The names of all classes in Kafka's and ZooKeeper's own jars."""
    found: set[str] = set()
    for jar in list(libs.glob("kafka*.jar")) + list(libs.glob("zookeeper*.jar")):
        with zipfile.ZipFile(jar) as archive:
            found.update(name[:-len(".class")].replace("/", ".")
                         for name in archive.namelist() if name.endswith(".class"))
    return found


def _place(path: Path, text: str) -> None:
    """Writes a file of its own, never through a hard link to another release directory."""
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755 if path.suffix == ".sh" else 0o644)


def write(release: Path) -> None:
    """Writes bin/ and config/ of the release directory whose libs/ is complete."""
    present = classes(release / "libs")
    log4j2 = any((release / "libs").glob("log4j-core-*.jar"))
    logging = "log4j2.properties" if log4j2 else "log4j.properties"
    # Log4j 2 takes a path, log4j 1 and reload4j a URL.
    words = {"logging": logging,
             "option": "-Dlog4j2.configurationFile=" if log4j2 else "-Dlog4j.configuration=file:"}

    (release / "bin").mkdir(exist_ok=True)
    (release / "config").mkdir(exist_ok=True)
    for name, level, stream in ((logging, "INFO", "out"), ("tools-" + logging, "WARN", "err")):
        pattern = LOG4J2 if log4j2 else LOG4J1
        _place(release / "config" / name,
               pattern % {"level": level, "stream": stream, "STREAM": stream.upper()})

    _place(release / "bin" / "kafka-run-class.sh", RUN_CLASS % words)
    _place(release / "bin" / "kafka-server-stop.sh", STOP)
    for name, candidates in SERVERS.items():
        main = next((c for c in candidates if c in present), None)
        if main:
            # ZooKeeper's admin server would open port 8080 on every address of the machine.
            extra = "-Dzookeeper.admin.enableServer=false " if "zookeeper" in name else ""
            _place(release / "bin" / name,
                   SERVER % {**words, "name": name, "main": main, "extra": extra})
    for name, candidates in TOOLS.items():
        main = next((c for c in candidates if c in present), None)
        if main:
            first = " -server" if name == "zookeeper-shell.sh" else ""
            _place(release / "bin" / name, TOOL % {"main": main, "first": first})
