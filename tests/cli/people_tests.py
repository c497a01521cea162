"""A person at the keyboard: what answers a question and what does not, and words from another process."""

import os
import pty
import re
import select
import shlex
import signal

from place import KPLAY, Place, expect

RAISE = '''return {
  api = 1, summary = "raise", effects = { "config.file" }, args = {},
  run = function() step("raise") set_ibp(brokers(), "3.5") end,
}
'''
OLD = 'cluster: irr\nsimulate:\n  mode: zookeeper\n  brokers: 3\n  release: 3.5.2\n  ibp: "3.4"\n  topics: [ { name: orders, partitions: 12, rf: 3, min_isr: 2 } ]\n'
CONFIRM = '''return {
  api = 1, summary = "ask", effects = { "broker.restart" }, args = {},
  run = function() stop_broker(2) confirm("Start it?") start_broker(2) wait_in_sync(2) end,
}
'''


class Terminal:
    """kplay on a terminal of its own, and the person who types there."""

    def __init__(self, place: Place, *words: str) -> None:
        self.said = ""
        if "--demo" in words and words[0] in ("run", "resume") and "--pace" not in words:
            words = (words[0], "--pace", "0", *words[1:])  # nobody watches
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(place.dir)
            os.execve(str(KPLAY), [str(KPLAY), *words], {"TERM": "xterm"} | place.env)

    def read(self) -> bool:
        """Some more of what is said; False when it has ended."""
        if not select.select([self.fd], [], [], 60)[0]:
            raise AssertionError(f"nothing more is said after:\n{self.said}")
        try:
            more = os.read(self.fd, 65536)
        except OSError:
            return False
        self.said += more.decode(errors="replace")
        return bool(more)

    def wait_for(self, text: str) -> None:
        while text not in self.said:
            assert self.read(), f"ended without: {text}\n{self.said}"

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def answer(self, question: str, text: str) -> None:
        """Types when the question is there, and forgets what was said until then."""
        self.wait_for(question)
        self.said = self.said[self.said.index(question) + len(question):]
        self.type(text)

    def ends(self, code: int, *texts: str) -> str:
        while self.read():
            pass
        got = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        assert got == code, f"exit {got}, expected {code}:\n{self.said}"
        for text in texts:
            assert text in self.said, f"missing: {text}\n{self.said}"
        return self.said


def old_cluster(p: Place) -> tuple[str, str, str]:
    p.write("irr.yaml", OLD)
    p.write("raise.lua", RAISE)
    return "-c", "irr.yaml", "./raise.lua"


def commands(said: str) -> list[list[str]]:
    """The commands of the last `next`, as a shell would read them: up to a comma, a bar or a bracket."""
    hint = re.findall(r"^next  (.*(?:\n      .*)*)", said.replace("\r", ""), re.M)[-1]
    found = [one.group(0) for one in re.finditer(r"kplay .*?(?=, |  |\(|;|$)", hint, re.M)]
    assert found, f"no command in: {hint}"
    return [shlex.split(command) for command in found]


def test_what_is_typed_ahead_answers_nothing():
    for typed in ("y\ny\n", "y\nyikes\n", "yesterday I said no\nn\n"):
        with Place() as p:
            t = Terminal(p, "run", *old_cluster(p))
            t.type(typed)
            t.answer("Go on? [y/N] ", "n\n")
            t.ends(3, "not started: the answer was no")


def test_what_is_typed_ahead_answers_no_later_question():
    with Place() as p:
        t = Terminal(p, "run", *old_cluster(p))
        t.answer("Go on? [y/N] ", "y\nirr\ny\n")
        t.answer("type irr to say yes: ", "n\n")
        t.ends(75, "the answer was no: set_ibp")


def test_only_a_whole_word_is_a_yes():
    with Place() as p:
        t = Terminal(p, "run", *old_cluster(p))
        t.answer("Go on? [y/N] ", "yikes\n")
        t.answer('"yikes" is no answer\r\nsim  [y/N] ', "yes, please\n")
        t.ends(3, '"yes, please" is no answer: that is taken as no', "not started: the answer was no")


def test_what_can_not_be_taken_back_needs_the_clusters_name():
    with Place() as p:
        t = Terminal(p, "run", *old_cluster(p))
        t.answer("Go on? [y/N] ", "YES\n")
        t.answer("type irr to say yes: ", "y\n")
        t.answer('"y" is no answer\r\nsim  type irr to say yes: ', "irr\n")
        t.ends(0, "done")


def test_a_signal_is_heard_at_a_question():
    for leave in (lambda t: t.type("\x03"), lambda t: os.kill(t.pid, signal.SIGTERM)):
        with Place() as p:
            t = Terminal(p, "run", *old_cluster(p))
            t.answer("Go on? [y/N] ", "")
            leave(t)
            t.ends(3, "not started: interrupted at the question")
            t = Terminal(p, "run", *old_cluster(p))
            t.answer("Go on? [y/N] ", "y\n")
            t.answer("type irr to say yes: ", "")
            leave(t)
            said = t.ends(75, "interrupted at the question: set_ibp")
            expect(p.run(*commands(said)[0][1:], "--yes"), 0, "approved  run")
            expect(p.run(*commands(said)[1][1:]), 0, "done")


def test_approve_repeats_the_question_and_takes_the_reason():
    with Place() as p:
        p.write("sub dir/kplay.yaml", OLD)
        p.write("raise.lua", RAISE)
        said = expect(p.run("run", "-c", "sub dir/kplay.yaml", "--runs", "my runs", "./raise.lua", "--yes"), 75,
                      "nobody is here to answer", "kplay approve -c 'sub dir/kplay.yaml' --runs 'my runs' ")
        approve, resume = commands(said)
        said = expect(p.run(*approve[1:]), 2, "./raise.lua waits for an answer, asked 0 s ago", "is irreversible. Do it?",
                      "means     nothing brings back the state before it", "nobody is here to say yes")
        yes = commands(said)[0]
        assert yes == [*approve, "--yes", "--reason", "TEXT"], yes
        listed = ["runs", "-c", "sub dir/kplay.yaml", "--runs", "my runs"]
        expect(p.run(*listed), 0, " paused ")
        run = approve[-1]
        expect(p.run(*approve[1:-1], "--yes"), 2, "--yes names the run it is for")
        said = expect(p.run(*yes[1:-1], "all brokers run 3.5.2"), 0, "is irreversible. Do it?", f"approved  run {run}; go on with: ")
        assert shlex.split(said.split("go on with: ")[1]) == resume, said
        expect(p.run(*listed), 0, " approved ")
        expect(p.run(*yes[1:]), 3, "does not wait for an answer")
        expect(p.run("journal", "show", *listed[1:], "--json", run), 0, '"reason":"all brokers run 3.5.2"', '"via":"approve"')
        expect(p.run(*resume[1:]), 0, f"{run}   approved ", "done")


def test_approve_asks_the_person_at_its_terminal():
    with Place() as p:
        words = old_cluster(p)
        said = expect(p.run("run", *words, "--yes"), 75)
        approve, resume = commands(said)
        t = Terminal(p, *approve[1:])
        t.type("irr\n")
        t.answer("type irr to say yes: ", "yes\n")
        t.answer("type irr to say yes: ", "no\n")
        t.ends(3, "not approved: the answer was no")
        expect(p.run(*resume[1:]), 75, "nobody is here to answer")
        t = Terminal(p, *approve[1:])
        t.answer("type irr to say yes: ", "irr\n")
        t.ends(0, "approved  run")
        expect(p.run(*resume[1:]), 0, "done")


def test_a_confirm_left_open_is_approved_and_resumed():
    with Place() as p:
        p.write("ask.lua", CONFIRM)
        t = Terminal(p, "run", "--demo", "./ask.lua")
        t.answer("Go on? [y/N] ", "y\n")
        t.answer("Start it? [y/N] ", "\x03")
        said = t.ends(75, "interrupted at the question: Start it?")
        down = re.search(r"down      broker 2: this run stopped it and has not started it; (kplay resume --demo \S+) goes on there", said)
        assert down, said
        approve, resume = commands(said)
        assert resume == shlex.split(down.group(1)), said
        assert p.runs()[0]["state"] == "paused", p.runs()
        expect(p.run(*approve[1:], "--yes"), 0, "Start it?", "approved")
        assert p.runs()[0]["state"] == "approved", p.runs()
        expect(p.run(*resume[1:]), 0, "approved", "done")


def test_a_node_that_failed_is_put_back_by_a_person_who_sees_why():
    with Place() as p:
        p.write("kplay.yaml", 'cluster: sim\nruns: runs\nsimulate:\n  brokers: 3\n  controllers: 3\n  release: 3.7.2\n'
                "  faults: [ { fault: config_breaks_start, node: 1, stop: 1 } ]\n"
                "  topics: [ { name: t, partitions: 6 } ]\n")
        t = Terminal(p, "run", "rolling.lua", "--to", "3.9.1", "--skip", "3001,3002,3003")
        t.answer("Go on? [y/N] ", "y\n")
        t.wait_for("Put this node back on its old release? [y/N] ")
        assert "fatal exception: ConfigException" in t.said, t.said
        t.type("y\n")
        t.said = ""
        said = t.ends(4, "broker 1 is back on 3.7.2", "fatal exception: ConfigException")
        # The run is closed for good: what comes next is a new one.
        assert "kplay resume" not in said, said
        again = commands(said)[-1]
        assert again == ["kplay", "run", "rolling.lua", "--to", "3.9.1", "--skip", "3001,3002,3003"], again
        expect(p.run("runs"), 0, " failed ")
        run = re.search(r"run (\d{4}-[0-9a-f]{4})", said).group(1)
        expect(p.run("journal", "show", "--json", run), 0, '"kind":"failure"', '"by":"')
