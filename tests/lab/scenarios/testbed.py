"""The test bed as somebody meets it who tries kplay on a laptop."""
from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from .base import Context, scenario

UP = Path(__file__).resolve().parents[1] / "up"


@scenario(cluster="kraft-3.7.2", order=1)
def the_test_bed_says_how_far_it_is_and_ends_with_ctrl_c(ctx: Context) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)  # the lab's user passes through
        child = subprocess.Popen([str(UP), "kraft", "--release", "3.7.2"], env={**os.environ, "TMPDIR": place},
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 # a background job is begun with Ctrl-C ignored
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        assert child.stdout
        said = []
        for line in child.stdout:
            said.append(line)
            if line.startswith("6 of 6"):
                break
        child.send_signal(signal.SIGINT)
        _, err = child.communicate()
        assert child.returncode == 130 and "interrupted" in err and "Traceback" not in err, (child.returncode, err)
        assert [line[:6] for line in said if line[:1].isdigit()] == [f"{n} of 6" for n in range(1, 7)], said
        assert not list(Path(place).iterdir()), "its directory stays"
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert place.encode() not in command.read_bytes(), f"{command} still runs"
            except (FileNotFoundError, ProcessLookupError):
                continue
        ctx.say(f"{len(said)} lines until it waited for its brokers; ended by Ctrl-C, and nothing left")
