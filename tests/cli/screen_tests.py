"""What a person sees: the live line within the terminal's width, colours where they are wanted, plain lines elsewhere."""

import fcntl
import re
import struct
import termios

from people_tests import Terminal
from place import Place, expect

LIVE = re.compile(r"> ")
# Slow enough for the live line to be drawn a few times: questions while nothing happens.
SLOW = '''return {
  api = 1, summary = "slow", effects = { "broker.restart" }, args = {},
  check = function() for i = 1, 40 do partitions{} end end,
  run = function()
    for i, id in ipairs(brokers()) do
      step("broker " .. id, { at = i, of = 3 })
      stop_broker(id) start_broker(id) wait_in_sync(id)
    end
    step("soak") sleep("15m")
  end,
}
'''


class Screen:
    """A terminal of so many columns: what stands on it, and whether anything had to wrap."""

    def __init__(self, columns: int) -> None:
        self.columns, self.rows, self.column = columns, [""], 0
        self.wrapped: list[str] = []

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            control = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])").match(text, at)
            if control:
                if control.group(2) == "K":
                    self.rows[-1] = self.rows[-1][:self.column]
                else:
                    assert control.group(2) == "m", control.group(0)
                at = control.end()
                continue
            char = text[at]
            at += 1
            if char == "\r":
                self.column = 0
            elif char == "\n":
                self.rows.append("")
                self.column = 0
            else:
                assert char.isprintable(), repr(char)
                if self.column == self.columns:
                    self.wrapped.append(self.rows[-1])
                    self.rows.append("")
                    self.column = 0
                row = self.rows[-1].ljust(self.column)
                self.rows[-1] = row[:self.column] + char + row[self.column + 1:]
                self.column += 1


def resize(t: Terminal, columns: int) -> None:
    fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def slow_run(p: Place, columns: int, *words: str, **env: str) -> str:
    p.write("slow.lua", SLOW)
    p.env |= env
    t = Terminal(p, "run", "--demo", "./slow.lua", *words)
    resize(t, columns)
    t.wait_for("[y/N] ")
    t.type("y\n")
    return t.ends(0)


def test_the_live_line_fits_every_terminal():
    for columns in (40, 60, 80, 100, 150, 250):
        with Place() as p:
            screen = Screen(columns)
            screen.feed(slow_run(p, columns))
            assert not [row for row in screen.wrapped if LIVE.match(row)], (columns, screen.wrapped)
            assert not [row for row in screen.rows if LIVE.match(row)], (columns, screen.rows)
            assert any("done" in row for row in screen.rows)


def test_the_live_line_follows_a_resize():
    with Place() as p:
        p.write("slow.lua", SLOW)
        t = Terminal(p, "run", "--demo", "./slow.lua")
        resize(t, 150)
        t.wait_for("[y/N] ")
        wide = Screen(150)
        wide.feed(t.said)
        t.said = ""
        resize(t, 60)
        t.type("y\n")
        narrow = Screen(60)
        narrow.feed(t.ends(0))
        assert not [row for row in narrow.wrapped if LIVE.match(row)], narrow.wrapped


def test_it_says_what_it_does_before_it_acts_and_how_far_it_is():
    with Place() as p:
        said = slow_run(p, 250)
        assert "> sim  looking at the cluster ..." in said and "> sim  checking ..." in said, said
        assert re.search(r"> sim  broker 1  .*; node 1 of 3", said), said
        assert re.search(r"  soak +15 min   waited", said), said


def test_colour_where_it_is_wanted():
    with Place() as p:
        assert "\x1b[32m" in slow_run(p, 100)
    with Place() as p:
        assert "\x1b[3" not in slow_run(p, 100, NO_COLOR="1")
    with Place() as p:
        assert "\x1b[32m" in slow_run(p, 100, NO_COLOR="")


def test_a_dumb_terminal_gets_plain_lines():
    with Place() as p:
        p.write("slow.lua", SLOW)
        p.env["TERM"] = "dumb"
        t = Terminal(p, "run", "--demo", "./slow.lua", "--yes")
        said = t.ends(0)
        assert "\x1b" not in said and "> sim" not in said, said


def test_a_log_has_the_time_on_every_line():
    with Place() as p:
        said = expect(p.run("run", "--demo", "rolling.lua", "--yes"), 0)
        assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  sim  ", line) for line in said.splitlines()), said
        assert "\x1b" not in said


def test_what_holds_a_run_is_said_when_it_changes():
    with Place() as p:
        p.write("held.yaml", "cluster: held\nruns: runs\nsimulate:\n  brokers: 3\n  controllers: 3\n  release: 3.7.2\n"
                "  topics: [ { name: orders, partitions: 12, rf: 3, min_isr: 2 } ]\n"
                "  faults: [ { fault: crash, node: 3, at: 10s, lasts: 2m } ]\n")
        p.write("held.lua", '''return { api = 1, summary = "held", effects = { "broker.restart" }, args = {},
  run = function() for _, id in ipairs{ 1, 2 } do stop_broker(id) start_broker(id) wait_in_sync(id) sleep("5s") end end }
''')
        out = p.run("run", "-c", "held.yaml", "./held.lua", "--yes", "--json")
        held = [line for line in out.stdout.splitlines() if '"event":"held"' in line]
        texts = [re.search(r'"text":"([^"]*)"', line).group(1) for line in held]
        assert held and all(a != b for a, b in zip(texts, texts[1:])) and len(held) < 20, (out.returncode, len(held), texts[:5], out.stdout[-2000:])


def test_the_demo_on_a_terminal_takes_its_time_and_says_what_to_try_next():
    with Place() as p:
        t = Terminal(p, "run", "--demo", "--pace", "5", "rolling.lua", "--yes", "--only", "2")
        said = t.ends(0, "try next")
        assert said.count("> sim  broker 2") > 2, said
        run = p.runs()[0]["run"]
        assert f"kplay journal show --demo {run} " in said and "kplay status --demo " in said, said
        for words in re.findall(r"^  kplay (.*?)  ", said.replace("\r", ""), re.M):
            expect(p.run(*words.split()), 3 if "validate" in words else 0)  # only one node was restarted
        expect(p.run("run", "--demo", "--pace", "x", "rolling.lua"), 2, "--pace takes a number of seconds")
