"""A first hour: only what the README shows, or kplay has printed, is typed; each command leads to the next."""

import os
import re
import signal

from people_tests import Terminal
from place import ROOT, Place

README = (ROOT / "README.md").read_text()


def plain(text: str) -> str:
    """Without colours and what a live line leaves; blanks made one."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text.replace("\r", "\n"))
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "\n", text)
    return re.sub(r"[ \t]+", " ", text)


def block(language: str, has: str) -> str:
    """A block of the README, by a text it has."""
    found = [b for b in re.findall(rf"```{language}\n(.*?)```", README, re.S) if has in b]
    assert len(found) == 1, (has, len(found))
    return found[0]


class Person:
    """Reads the README and the screen, and types nothing else."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.seen = plain(README).replace("build/release/kplay", "kplay")

    def begins(self, command: str, *options: str) -> Terminal:
        """options: some that --help told of, with values of one's own."""
        named = re.sub(r"\b\d{4}-[0-9a-f]{4}\b", "RUN", command)  # a name that was printed stands for RUN
        named = re.sub(r"^kplay help \w+", "kplay help COMMAND", named)
        for words in (command if command in self.seen else named, *(o.split(" ")[0] for o in options)):
            assert re.search(re.escape(words) + r"(?![\w.-])", self.seen), f"nowhere to be read: {words}\n--- last seen ---\n{self.seen[-3000:]}"
        return Terminal(self.place, *command.removeprefix("kplay ").split(), *" ".join(options).split())

    def reads(self, terminal: Terminal, code: int, *texts: str) -> str:
        said = plain(terminal.ends(code))
        self.seen += said
        for text in texts:
            assert text in said, f"missing: {text}\n--- said ---\n{said}"
        return said

    def types(self, command: str, code: int = 0, *texts: str) -> str:
        return self.reads(self.begins(command), code, *texts)


def test_a_first_hour_is_led_by_what_is_printed():
    with Place() as p:
        me = Person(p)
        # The demo, and what it says to try next.
        me.types("kplay run --demo --yes rolling.lua --to 3.9.1", 0, "6 stops", "try next", "kplay status --demo")
        me.types("kplay status --demo", 0, "all 6 answer", "of rolling.lua, done")
        me.types("kplay run --demo validate.lua --release 3.9.1", 0, "done")
        me.types("kplay doc", 0, "stop_broker", "cluster-file")

        # A cluster file of one's own, with a mistake; what mends it is said.
        me.types("kplay status", 2, "kplay.yaml (README, The cluster file)")
        trial = block("yaml", "cluster: trial")
        p.write("kplay.yaml", trial.replace("brokers:", "broker:"))
        me.types("kplay status", 2, "kplay.yaml:4:3: unknown word `broker`; did you mean `brokers`?")
        me.types("kplay doc simulate", 0, "node: 2", "lasts: 30s")
        p.write("kplay.yaml", trial.replace("node: 2, at: 1m, lasts: 30s", "node: 4, at: 15s, lasts: 60s"))
        me.types("kplay status", 0, "all 7 answer")
        me.types("kplay cluster check --to 3.9.1", 0, "well")

        # Rehearsed, then run; a broker dies on the way, and Ctrl-C is pressed while that is waited for.
        me.types("kplay run --dry-run rolling.lua --to 3.9.1", 0, "verdict go")
        me.types("kplay help run", 0, "--pace N")
        t = me.begins("kplay run rolling.lua --to 3.9.1", "--pace 5")
        t.answer("Go on? [y/N] ", "y\n")
        t.wait_for("before stopping controller 3001: broker 4")
        os.kill(t.pid, signal.SIGINT)
        said = me.reads(t, 75, "nothing is under way", "next kplay resume")
        run = re.search(r"\d{4}-[0-9a-f]{4}", said)[0]
        me.types("kplay status", 0, "down or silent: broker 4", f"next kplay resume {run}")
        me.types(f"kplay resume {run}", 0, "answers, all equal", "done", "7 stops (2 in earlier sessions)")
        me.types("kplay runs", 0, run)
        me.types(f"kplay journal show {run}", 0, "close done")

        # A playbook of one's own: the README's, and a spec as `kplay doc spec` shows them.
        p.write("playbooks/mine.lua", block("lua", "Move leadership back"))
        me.types("kplay check playbooks/mine.lua", 3, "stopped: only 0 leaders are elsewhere", "next --least 0")
        t = me.begins("kplay check playbooks/mine.lua", "--least 0")
        me.reads(t, 0, "playbooks/mine.lua is sound")
        me.types("kplay doc spec", 0, "local sim = kplay.simulate {", "spec/NAME_spec.lua")
        p.write("spec/mine_spec.lua", '''local kplay = require "kplay"
it("elects only when there is something to elect", function()
  local sim = kplay.simulate { brokers = 4, topics = { { name = "orders", rf = 3 } } }
  assert.equal("only 0 leaders are elsewhere", sim:run("mine.lua").error.what)
  assert.truthy(sim:run("mine.lua", { least = 0 }).ok)
end)
''')
        me.types("kplay test spec", 0, "1 success / 0 failures / 0 errors")
