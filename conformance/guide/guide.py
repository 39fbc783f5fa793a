"""Runs the commands of docs/guide as they stand, with the stock AWS CLI, and
compares what they print with what the pages show.

guide.py [PAGE…] runs the pages named, such as rollout, or all of them, a few at
a time. Each runs in a shell and a folder of its own, after the commands of
README.md. Port numbers become those of free ports, in the page and where a
server would take its defaults: that is all that is changed. A page ends when
its server has been stopped and each data folder that it leaves verified.
"""

import concurrent.futures
import contextlib
import functools
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import crooked
import page
from page import Wrong

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
START = "README.md"

# PATIENCE is how long devices may take to do what a page shows, and a command
# to end, in seconds.
PATIENCE = 60

# LOG_LINES is how much of a server's log is shown when a page fails.
LOG_LINES = 20

# TOGETHER is how many pages run at a time.
TOGETHER = 2

# LISTENERS are the listeners that a server opens by default, and where.
LISTENERS = {"api": "8080", "metrics": "9464", "mqtts": "8883", "https": "8443", "files": "8444"}

# OTHER_PORTS are those that pages ask for.
OTHER_PORTS = ("1883", "9443")

# MUSTER stands for the binary. What a page gives comes later and counts.
MUSTER = """#!/bin/sh
if [ "$1" = serve ]; then
	shift
	set -- serve {} "$@"
fi
exec '{}' "$@"
"""


@contextlib.contextmanager
def free_ports(count: int):
    """Yields ports that the system gives to nobody else while they are held.

    Each has a socket that is bound and does not listen. SO_REUSEADDR is set only
    then, so the port was free; and a server may listen on it, now and after a
    restart, since servers set SO_REUSEADDR, too.
    """
    with contextlib.ExitStack() as held:
        ports = []
        for _ in range(count):
            holder = held.enter_context(socket.socket())
            holder.bind(("", 0))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ports.append(str(holder.getsockname()[1]))
        yield ports


# SERVERS are the servers of its reader's that a page may need: the variable with the address, and what starts one.
SERVERS = {"DATABASE": "./internal/postgres/serve", "BUS": "./internal/nats/serve"}


@contextlib.contextmanager
def servers(file: pathlib.Path):
    """Yields the variables that a page needs which has servers of its reader's."""
    with contextlib.ExitStack() as running:
        text = file.read_text()
        yield {variable: running.enter_context(server(program)) for variable, program in SERVERS.items() if variable in text}


@contextlib.contextmanager
def server(program: str):
    """Yields the address of a server, which ends with the context."""
    serve = subprocess.Popen(
        ["go", "run", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )
    try:
        url = serve.stdout.readline().strip()
        if not url:
            raise Wrong(f"{program} did not start a server")
        yield url
    finally:
        serve.stdin.close()  # which ends it
        serve.wait()


def lacks(file: pathlib.Path) -> str:
    """Returns what the machine may lack, and lacks, of the servers that a page needs; "" for nothing."""
    text, required = file.read_text(), os.environ.get("MUSTER_REQUIRE", "").split(",")
    if "DATABASE" in text and "postgres" not in required and not has_postgres():
        return "PostgreSQL"
    if "BUS" in text and "nats" not in required and not has_nats():
        return "a NATS server"
    return ""


def has_postgres() -> bool:
    installed = shutil.which("postgres") or any(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return bool(installed and shutil.which("psql"))


@functools.cache
def has_nats() -> bool:
    """Reports whether the machine can build the server, which is one of the tools of this module."""
    tool = ["go", "tool", "-modfile=tools/go.mod", "-n", "nats-server"]
    return subprocess.run(tool, cwd=ROOT, capture_output=True, check=False).returncode == 0


class Shell:
    """A bash in a folder of its own, as a reader has it: what it sets and
    starts stays until it is closed."""

    def __init__(self, home: pathlib.Path, patience: float, variables: dict[str, str]):
        self.home = home
        self.patience = patience
        self.ran = 0
        environment = {
            "PATH": f"{home / 'bin'}:{pathlib.Path(os.environ['AWS']).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            **variables,
        }
        (home / "work").mkdir()
        self.bash = subprocess.Popen(
            ["bash", "--norc", "-e", "-o", "pipefail", "-s"],
            stdin=subprocess.PIPE, cwd=home / "work", env=environment, start_new_session=True, text=True,
        )

    def run(self, step: page.Step) -> None:
        """Runs a step until it has done what the page says, or fails."""
        if step.file:
            file = self.home / "work" / step.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(step.text)
            return
        end = time.monotonic() + self.patience
        while True:
            out = self.source(step)
            # What was started in the background may print at any time.
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
        script.write_text(step.text)
        run = f". '{script}' </dev/null >'{out}' 2>&1"
        if step.mode == "fails":
            run = f"! {run}"
        # -e does not apply to a command with !.
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
    """Runs one page after the first steps of start, whose last step stops the
    server, and returns how many steps did what they should."""
    shown = (*LISTENERS.values(), *OTHER_PORTS)
    with free_ports(len(shown)) as got, tempfile.TemporaryDirectory(prefix="muster-guide-") as name, servers(file) as variables:
        ports = dict(zip(shown, got))
        begin = page.steps(start, ports)
        plan = [(start, step) for step in begin[:-1]]
        if file != start:
            plan += [(file, step) for step in page.steps(file, ports)]
        plan.append((start, begin[-1]))
        home = pathlib.Path(name)
        (home / "bin").mkdir()
        flags = " ".join(f"--{listener} 127.0.0.1:{ports[port]}" for listener, port in LISTENERS.items())
        (home / "bin" / "muster").write_text(MUSTER.format(flags, muster))
        (home / "bin" / "muster").chmod(0o755)
        shell = Shell(home, patience, variables)
        try:
            for where, step in plan:
                try:
                    shell.run(step)
                except Wrong as wrong:
                    raise Wrong(f"{where}:{step.line}:\n{step.text}{wrong}{logs(home / 'work')}") from None
        finally:
            shell.close()
        verify(muster, home / "work")
    return len(plan)


def logs(work: pathlib.Path) -> str:
    """Returns the ends of what the programs of a page logged."""
    return "".join(
        f"\nthe end of {file.name}:\n" + page.indented(file.read_text().splitlines()[-LOG_LINES:]) for file in sorted(work.glob("*.log"))
    )


def verify(muster: pathlib.Path, work: pathlib.Path) -> None:
    """Checks what the servers of a page left behind."""
    for file in work.glob("*.log"):
        if "panic" in file.read_text():
            raise Wrong(f"{file.name} tells of a panic:\n" + file.read_text())
    for store in work.glob("*/db"):
        found = subprocess.run([muster, "admin", "verify", store.parent], capture_output=True, text=True, check=False)
        if found.returncode != 0:
            raise Wrong(f"the folder {store.parent.name} does not verify:\n{found.stdout}{found.stderr}")


def main(names: list[str]) -> None:
    muster = pathlib.Path(os.environ.get("MUSTER", ROOT / "bin" / "muster"))
    if not shutil.which(muster):
        raise SystemExit(f"guide: no binary {muster}")
    checks = crooked.refused(check, muster)
    pages = [GUIDE / f"{name}.md" for name in names] or sorted(GUIDE.glob("*.md"))
    for file in filter(lacks, pages):
        print(f"guide: {file.name} is skipped: it needs {lacks(file)}")
    pages = [file for file in pages if not lacks(file)]

    def timed(file: pathlib.Path) -> tuple[int, float]:
        began = time.monotonic()
        return check(file, GUIDE / START, muster), time.monotonic() - began

    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        try:
            for file, (steps, seconds) in zip(pages, pool.map(timed, pages)):
                checks += steps
                print(f"guide: {file.name} in {seconds:.0f} s")
        except Wrong as wrong:
            raise SystemExit(f"guide: {wrong}") from None
        finally:  # pages that have not begun do not begin after a failure
            pool.shutdown(wait=False, cancel_futures=True)
    print(f"guide: {checks} checks passed")


if __name__ == "__main__":
    main(sys.argv[1:])
