"""The reader of properties held against the originals: java.util.Properties, and KafkaConfig of the
lab's releases, which are fetched when they are not there.

Two kinds of texts, made from a seed: any bytes of a properties file's alphabet, and files that name
what a node is in every spelling.  What Kafka reads, kplay reads; what kplay says Kafka refuses, it
refuses, and what it refuses for another reason is one of OTHER_REASONS.
"""
import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[1] / "lab"))
from lab import releases  # noqa: E402  (the lab fetches Kafka's releases)

PLAIN = "java.util.Properties"
ALPHABET = [b"a", b"b", b"k", b"1", b"=", b":", b" ", b"\t", b"\f", b"\\", b"\\", b"\\", b"#", b"!", b"\r", b"\n",
            b"\n", b"\r\n", b"\\u0041", b"\\u00e9", b"\\ud83d\\ude00", b"\\u12", b"\xe9", b"\xc3\xa9", b"\\\n  "]
BLANKS = ["", "", "", " ", "  ", "\t"]
# What kplay does not judge: the target release's own proof of the file does.
OTHER_REASONS = re.compile(
    r"zookeeper\.connect|controller\.quorum\.(voters|bootstrap)|listener|is not a valid version"
    r"|migration|log\.message\.format|non-KRaft version|Missing required configuration .process\.roles")

VALUES = {
    "node.id": ["1", "1", "0", "-1", "x", "", "01", "+1", "1 # one", "99999999999"],
    "broker.id": ["1", "1", "0", "-1", "-2", "1001", "x", "", "1\\u0031"],
    "process.roles": ["", "broker", "controller", "broker,controller", "controller , broker", "broker,", "broker,broker",
                      "Broker", ","],
    "log.dirs": ["/a", "/a,/b", "/a , /b ,,/c,", "", ",", "/caf\\u00e9", "\"/a\"", "/a # b", "${file:/x:y}", "rel/a"],
    "log.dir": ["/z", "", "/y,/z"],
    "metadata.log.dir": ["/m", "/a", "rel/m"],
    "inter.broker.protocol.version": ["2.8", "2.7-IV2", "2.8.1", "x", "", "2", "2.8 # pinned"],
    "zookeeper.metadata.migration.enable": ["true", "FALSE", "yes", ""],
    "broker.id.generation.enable": ["true", "false"],
    "reserved.broker.max.id": ["2000", "10"],
}
BASE = ["zookeeper.connect=z:2181", "controller.listener.names=C", "listeners=C://:9093,P://:9092",
        "listener.security.protocol.map=C:PLAINTEXT,P:PLAINTEXT", "inter.broker.listener.name=P",
        "controller.quorum.voters=1@c:9093"]


def any_text(rng):
    return b"".join(rng.choice(ALPHABET) for _ in range(rng.randrange(40)))


def a_config(rng):
    """A file, and overrides; values in every spelling, sometimes twice."""
    lines = list(BASE)
    if rng.random() < 0.6:
        lines = [line for line in BASE if line.startswith("zookeeper")]
    words = []
    for key, values in VALUES.items():
        usual = key in ("node.id", "log.dirs", "process.roles")
        for _ in range(rng.choice([0, 1, 1, 1, 2] if usual else [0, 0, 0, 0, 1, 2])):
            value = values[0] if rng.random() < 0.5 else rng.choice(values)
            if rng.random() < 0.1:
                words.append(f"{key}={value}")
            else:
                lines.append(f"{rng.choice(BLANKS)}{key}{rng.choice(BLANKS)}{rng.choice('=:')}"
                             f"{rng.choice(BLANKS)}{value}{rng.choice(BLANKS)}")
    if rng.random() < 0.03:
        words.append("node.id")
    rng.shuffle(lines)
    return rng.choice(["\n", "\r\n"]).join(lines).encode("latin-1"), [w.encode() for w in words]


def cases(rng):
    for file in sorted(HERE.glob("*.properties")):
        yield file.read_bytes(), []
    for _ in range(700):
        yield any_text(rng), []
    for _ in range(700):
        yield a_config(rng)


def classpath(every):
    """The lab's newest 3.x, which knows both modes; or all of its releases with the rules of today (since 3.3)."""
    wanted = [v for v in releases.ALL if releases.number(v) >= (3, 3)]
    newest = [v for v in wanted if v.startswith("3.")][-1:]
    return [(path.name, f"{path}/libs/*") for path in map(releases.fetch, wanted if every else newest)]


def run(command, text):
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def same_text(java):
    """Java keeps half of a character; UTF-8 cannot."""
    return re.sub("[\ud800-\udfff]", "\ufffd", java)


def differs(ours, theirs):
    """One difference in words, or None."""
    stops = [p["what"] for p in ours["problems"] if p["stops"]]
    if "unreadable" in theirs:
        return None if any("\\u" in what for what in stops) else f"Java does not read it: {theirs['unreadable']}"
    values = {same_text(k): same_text(v) for k, v in theirs["values"].items()}
    # No broker looks at the empty key, which Java also makes of a lone backslash.
    if {k: v for k, v in values.items() if k} != {k: v for k, v in ours["values"].items() if k}:
        return f"values: {ours['values']} is {values}"
    if "refused" in theirs:
        known = stops or OTHER_REASONS.search(theirs["refused"])
        return None if known else f"Kafka refuses it: {theirs['refused']}"
    if "id" not in theirs:
        return None
    if stops:
        return f"Kafka takes it: {stops}"
    roles = [r for r in ours["roles"].split(",") if r and ours["mode"] == "kraft"]
    told = [re.sub(r"Role.*$", "", r).lower() for r in theirs["roles"]]
    mine = {"roles": sorted(roles), "id": ours.get("id", -1), "log_dirs": ours["log_dirs"],
            "metadata_dir": ours.get("metadata_dir", ours["log_dirs"][0])}
    kafka = {"roles": sorted(told), "id": theirs["id"], "log_dirs": theirs["log_dirs"],
             "metadata_dir": theirs["metadata_dir"]}
    if "ibp" in ours and "ibp" in theirs:
        mine["ibp"], kafka["ibp"] = ours["ibp"], theirs["ibp"]
    if "migration" in theirs:
        mine["migration"], kafka["migration"] = ours["migration"], theirs["migration"]
    return None if mine == kafka else f"{mine} is {kafka}"


# Keys that 4.x does not know any more, so that it takes whatever they say.
GONE_IN_4 = ("zookeeper.metadata.migration.enable",)


def as_of_4(ours):
    """What kplay says of a file for a 4.x binary, or None: one of ZooKeeper mode is never started on it (the guard's
    row needs-kraft)."""
    if ours["mode"] == "zookeeper":
        return None
    return {**{k: v for k, v in ours.items() if k != "migration"},
            "problems": [p for p in ours["problems"] if p["key"] not in GONE_IN_4]}


def compare(name, texts, ours, theirs):
    faults = 0
    for (text, words), mine, original in zip(texts, ours, theirs):
        if "-4." in name:
            mine = as_of_4(mine)
        said = mine and differs(mine, original)
        if said and faults < 5:
            print(f"{name}: {text!r} {words!r}\n  {said}")
        faults += said is not None
    taken = sum("id" in one for one in theirs)
    if name != PLAIN and not taken:
        sys.exit(f"{name} took none of the configurations: nothing was compared")
    print(f"{name}: {len(theirs)} texts, {taken} of them good configurations, {faults} read differently")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", required=True, help="the build's proof_dump_config")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--long", action="store_true", help="every release in the lab's cache")
    args = parser.parse_args()
    texts = list(cases(random.Random(args.seed)))
    lines = "".join(" ".join(w.hex() or "-" for w in [text, *words]) + "\n" for text, words in texts)
    ours = run([args.dump], lines)
    faults = 0
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["javac", "-d", place, HERE / "Original.java"], check=True)
        java = ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        plain = [(i, t) for i, t in enumerate(texts) if not t[1]]
        theirs = run([*java, "-cp", place, "Original"],
                     "".join(line + "\n" for line, (_, words) in zip(lines.splitlines(), texts) if not words))
        faults += compare(PLAIN, [t for _, t in plain], [ours[i] for i, _ in plain], theirs)
        for name, path in classpath(args.long):
            theirs = run([*java, "-cp", f"{path}:{place}", "Original"], lines)
            faults += compare(name, texts, ours, theirs)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
