"""A broker of which only its registration is left: it is found, and forgotten when it is told so."""
from __future__ import annotations

import copy
import re

from lab import acts, inventory
from lab.config import Spec, Topic
from lab.node import Node

from .base import Context, clusters, expect, scenario, told
from .refusals import refuses, runs_of, untouched

clusters["kraft-4.0.1"] = Spec("kraft", "4.0.1", brokers=4, controllers=1, first_id=0,
                               topics=(Topic("orders", 8, 3, 1),))


def registered(ctx: Context) -> str:
    """As Kafka's own tool has it."""
    first = ctx.lab.brokers()[0]
    done = first.tool("kafka-run-class.sh", "org.apache.kafka.tools.ClusterTool", "list-endpoints",
                      "--bootstrap-server", f"{first.host}:9092", "--include-fenced-brokers")
    assert done.returncode == 0, done.stdout
    return done.stdout


def file_without(ctx: Context, node: Node) -> str:
    """A cluster file that does not name that node."""
    lab = copy.copy(ctx.lab)
    lab.nodes = [n for n in lab.nodes if n is not node]
    path = ctx.lab.dir / "without.yaml"
    path.write_text(inventory.text(lab))
    return str(path)


@scenario(cluster="kraft-4.0.1", order=10, long=True)
def a_ghost_is_found_and_forgotten(ctx: Context) -> None:
    lab = ctx.lab
    gone = lab.brokers()[3]
    file = ("-c", file_without(ctx, gone))
    forget = ("run", *file, "--yes", "--runs", runs_of(ctx, "ghosts"), "unregister.lua", "--id")

    refuses(ctx, 3, (f"broker {gone.id} at {gone.host}:9092 is alive",), *forget, str(gone.id))
    refuses(ctx, 3, ("broker 0 is in the cluster file",), *forget, "0")
    acts.stop_and_wait(lab, gone)
    try:
        words = (f"broker {gone.id} ({gone.host}:9092) is registered, is down and is not in the "
                 "cluster file")
        check = ctx.kplay("cluster", "check", *file)
        assert words in check.stdout, told(check)
        with untouched(ctx):
            expect(ctx.kplay("run", *file, "--dry-run", "unregister.lua", "--id", str(gone.id)), 0)
        before = registered(ctx)
        done = ctx.kplay(*forget, str(gone.id), want=0)
        ctx.say(done.stdout.strip().splitlines()[-1])
        after = registered(ctx)
        assert gone.host in before and gone.host not in after, f"{before}\n---\n{after}"
        expect(ctx.kplay(*forget, str(gone.id)), 0, f"broker {gone.id} was not registered")
        assert words not in ctx.kplay("cluster", "check", *file).stdout
    finally:
        gone.start()
        lab.wait_in_sync()
    assert gone.host in registered(ctx), "started again, it is registered again"


@scenario(cluster="kraft-3.7.2", order=12, long=True)
def a_controller_that_is_gone_is_a_ghost(ctx: Context) -> None:
    """It is registered (metadata.version 3.7-IV4), in no cluster file, and has not followed the leader for a minute."""
    lab = ctx.lab
    status = lab.brokers()[0].tool("kafka-metadata-quorum.sh", "--bootstrap-server", lab.bootstrap(), "describe", "--status")
    leader = int(re.search(r"LeaderId:\s+(\d+)", status.stdout).group(1))
    gone = next(n for n in lab.controllers() if n.id != leader)
    file = ("-c", file_without(ctx, gone))
    words = f"controller {gone.id} ({gone.host}:"
    assert words not in ctx.kplay("cluster", "check", *file).stdout, "it still follows"
    acts.stop_and_wait(lab, gone)
    try:
        lab.wait(lambda: words in ctx.kplay("cluster", "check", *file).stdout, "the ghost to be found")
        expect(ctx.kplay("run", *file, "validate.lua"), 3, words, "is registered, does not follow the quorum")
    finally:
        gone.start()
        lab.wait_in_sync()
    lab.wait(lambda: words not in ctx.kplay("cluster", "check", *file).stdout, "it to follow again")
