"""Runs the commands of docs/guide as they stand, with the stock AWS CLI, and
compares what they print with what the pages show.

guide.py [PAGE…] runs the pages named, such as rollout, or all of them. Each
runs in a shell and a folder of its own, behind the commands of README.md, on a
server whose ports are free ones: that is all that is changed. A page ends
when its server has been stopped and its data folder verified.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import crooked
import page

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
START = "README.md"

# PATIENCE is how long devices may take to do what a page shows, and a command
# to end, in seconds.
PATIENCE = 60

# LOG_LINES is how much of a server's log is shown when a page fails.
LOG_LINES = 20

# MUSTER stands for the binary: a server listens on free ports.
MUSTER = """#!/bin/sh
if [ "$1" = serve ]; then
	set -- "$@" --api 127.0.0.1:0 --metrics 127.0.0.1:0 --mqtts 127.0.0.1:0 --https 127.0.0.1:0 --files 127.0.0.1:0 --mqtt-plain 127.0.0.1:0
fi
exec '{}' "$@"
"""


class Wrong(Exception):
    """A step did not do what its page says."""


class Shell:
    """A bash in a folder of its own, as a reader has it: what it sets and
    starts stays until it is closed."""

    def __init__(self, home: pathlib.Path, patience: float):
        self.home = home
        self.patience = patience
        self.ran = 0
        environment = {
            "PATH": f"{home / 'bin'}:{pathlib.Path(os.environ['AWS']).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
        }
        (home / "work").mkdir()
        self.bash = subprocess.Popen(
            ["bash", "--norc", "-e", "-o", "pipefail", "-s"],
            stdin=subprocess.PIPE, cwd=home / "work", env=environment, start_new_session=True, text=True,
        )

    def run(self, step: page.Step) -> None:
        """Runs a step until it has done what the page says, or fails."""
        end = time.monotonic() + self.patience
        while True:
            out = self.source(step)
            # What was started in the background prints in its own time.
            while difference := page.difference(step.shows, out.read_text()):
                if time.monotonic() > end:
                    raise Wrong(difference)
                time.sleep(0.1)
                if step.mode == "again":
                    break
            if not difference:
                return

    def source(self, step: page.Step) -> pathlib.Path:
        """Has the shell do the commands of a step once, and returns the file
        that takes what they print. The shell ends when a command fails, unless
        it must."""
        self.ran += 1
        script, out, done = (self.home / f"{self.ran}.{what}" for what in ("sh", "out", "done"))
        script.write_text(step.commands)
        run = f". '{script}' </dev/null >'{out}' 2>&1"
        if step.mode == "fails":
            run = f"! {run}"
        # Where ! makes a failure of a success, -e does not look.
        self.bash.stdin.write(f"{run}\n[ $? = 0 ]\ntouch '{done}'\n")
        self.bash.stdin.flush()
        end = time.monotonic() + self.patience
        while not done.exists():
            if self.bash.poll() is not None or time.monotonic() > end:
                raise Wrong(f"it {'did not fail' if step.mode == 'fails' else 'failed'}, or did not end; it printed\n{out.read_text()}")
            time.sleep(0.02)
        return out

    def close(self) -> None:
        """Ends the shell and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.bash.pid, signal.SIGKILL)
        self.bash.wait()


def check(file: pathlib.Path, start: pathlib.Path, muster: pathlib.Path, patience: float = PATIENCE) -> int:
    """Runs one page behind the first steps of start, whose last step stops the
    server, and returns how many steps did what they should."""
    begin = page.steps(start)
    plan = [(start, step) for step in begin[:-1]]
    if file != start:
        plan += [(file, step) for step in page.steps(file)]
    plan.append((start, begin[-1]))
    with tempfile.TemporaryDirectory(prefix="muster-guide-") as name:
        home = pathlib.Path(name)
        (home / "bin").mkdir()
        (home / "bin" / "muster").write_text(MUSTER.format(muster))
        (home / "bin" / "muster").chmod(0o755)
        shell = Shell(home, patience)
        try:
            for where, step in plan:
                try:
                    shell.run(step)
                except Wrong as wrong:
                    raise Wrong(f"{where}:{step.line}:\n{step.commands}{wrong}{log(home / 'work')}") from None
        finally:
            shell.close()
        if (home / "work" / "data").exists():
            verify(muster, home / "work")
    return len(plan)


def log(work: pathlib.Path) -> str:
    """Returns the end of what the server of a page logged."""
    file = work / "serve.log"
    lines = file.read_text().splitlines() if file.exists() else []
    return "\nthe end of serve.log:\n" + page.indented(lines[-LOG_LINES:])


def verify(muster: pathlib.Path, work: pathlib.Path) -> None:
    """Checks what the server of a page left behind."""
    if "panic" in (work / "serve.log").read_text():
        raise Wrong("the server's log tells of a panic:\n" + (work / "serve.log").read_text())
    found = subprocess.run([muster, "admin", "verify", work / "data"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise Wrong("the data folder does not verify:\n" + found.stdout + found.stderr)


def main(names: list[str]) -> None:
    muster = pathlib.Path(os.environ.get("MUSTER", ROOT / "bin" / "muster"))
    if not shutil.which(muster):
        raise SystemExit(f"guide: no binary {muster}")
    checks = crooked.refused(check, Wrong, muster)
    pages = [GUIDE / f"{name}.md" for name in names] or sorted(GUIDE.glob("*.md"))
    for file in pages:
        began = time.monotonic()
        try:
            checks += check(file, GUIDE / START, muster)
        except Wrong as wrong:
            raise SystemExit(f"guide: {wrong}") from None
        print(f"guide: {file.name} in {time.monotonic() - began:.0f} s")
    print(f"guide: {checks} checks passed")


if __name__ == "__main__":
    main(sys.argv[1:])
