#!/usr/bin/env python3
"""Runs the Eclipse Paho interoperability suites against a Muster binary.

    conformance/paho/run.py CHECKOUT [BINARY] [--only TEST]

CHECKOUT is a copy of github.com/eclipse-paho/paho.mqtt.testing, which is not
part of this repository. Each test runs in a process of its own against a server
of its own, twice: as it stands, and with its QoS 2 publishes and wills sent as
QoS 1, because Muster has no QoS 2 (mqtt-broker.md MQ-20) and most tests use some.
What must come out is the table in results.md. It takes a quarter of an hour.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "results.md"
SUITES = {"3.1.1": ("client_test", "V311"), "5": ("client_test5", "V5")}
LIMIT = 100  # seconds for one test; the longest waits for more than 45 s
AT_ONCE = 4  # tests; they mostly sleep
ATTEMPTS = 2  # as some of them guess how long things take

# Starts one test as `python client_test5.py -p PORT Test.test_x` would, after
# capping, perhaps, the QoS of what its client sends.
LAUNCH = """
import sys
sys.path.insert(0, {folder!r})
import mqtt.clients.{client} as paho
if {cap}:
    publish, connect = paho.Client.publish, paho.Client.connect
    def publish_capped(self, topic, payload, qos=0, *more, **named):
        return publish(self, topic, payload, min(qos, 1), *more, **named)
    def connect_capped(self, *more, **named):
        return connect(self, *more, **{{**named, "willQoS": min(named.get("willQoS", 2), 1)}})
    paho.Client.publish, paho.Client.connect = publish_capped, connect_capped
sys.argv = [{file!r}, "Test." + {test!r}]
source = open({file!r}).read().replace("port = 1883", "port = {port}").replace('host = "localhost"', 'host = "127.0.0.1"')
exec(compile(source, {file!r}, "exec"))
"""


def tests(checkout):
    """Every test of both suites, in their order."""
    for version, (module, _) in SUITES.items():
        source = (checkout / f"{module}.py").read_text()
        for name in re.findall(r"^    def (test\w+)\(self\)", source, re.M):
            yield version, name


class Server:
    """A fresh server with a plain MQTT listener."""

    def __init__(self, binary):
        self.folder = tempfile.TemporaryDirectory()
        ready = pathlib.Path(self.folder.name) / "ready.json"
        self.log = open(pathlib.Path(self.folder.name) / "log", "w+")
        self.process = subprocess.Popen(
            [binary, "serve", "--data", f"{self.folder.name}/data", "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--mqtts", "", "--https", "", "--files", "",
             "--mqtt-plain", "127.0.0.1:0", "--ready-file", ready],
            stdout=subprocess.DEVNULL, stderr=self.log)
        end = time.monotonic() + 30
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the server did not start: {open(self.log.name).read()}")
            time.sleep(0.02)
        self.port = int(json.loads(ready.read_text())["mqtt_addr"].rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        self.folder.cleanup()


def attempt(checkout, binary, version, test, cap):
    module, client = SUITES[version]
    with Server(binary) as server:
        program = LAUNCH.format(folder=str(checkout), file=str(checkout / f"{module}.py"), client=client, test=test, cap=cap, port=server.port)
        try:
            done = subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=LIMIT)
        except subprocess.TimeoutExpired as e:
            return "hangs", (e.stderr or b"").decode(errors="replace")
        return ("pass" if done.returncode == 0 else "fail"), done.stdout + done.stderr


def run(checkout, binary, version, test, cap, want):
    for _ in range(ATTEMPTS):
        got, output = attempt(checkout, binary, version, test, cap)
        if got == want:
            break
    return got, output


ROW = re.compile(r"^\| (?P<version>\S+) \| (?P<test>\w+) \| (?P<plain>\w+) \| (?P<capped>\w+) \| ?(?P<why>.*?) ?\|$", re.M)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("checkout", type=pathlib.Path)
    flags.add_argument("binary", nargs="?", default=str(HERE.parent.parent / "bin" / "muster"))
    flags.add_argument("--only", help="run only the tests whose name has this in it")
    flag = flags.parse_args()
    checkout = flag.checkout.resolve()
    if (checkout / "interoperability").is_dir():
        checkout /= "interoperability"

    known = {(r["version"], r["test"]): r for r in ROW.finditer(TABLE.read_text())}
    chosen = [t for t in tests(checkout) if not flag.only or flag.only in t[1]]
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for version, test in chosen:
            for column, cap in ("plain", False), ("capped", True):
                want = known[version, test][column] if (version, test) in known else "pass"
                jobs[version, test, column] = pool.submit(run, checkout, flag.binary, version, test, cap, want)
        differ = 0
        for (version, test, column), job in jobs.items():
            got, output = job.result()
            want = known[version, test][column] if (version, test) in known else "in no row"
            print(f"{'ok     ' if got == want else 'DIFFERS'} {version} {test} ({column}): {got}", flush=True)
            if got != want:
                differ += 1
                print(f"{test} was to be: {want}\n{output}")
    for version in SUITES:
        for column in ("plain", "capped"):
            outcomes = [job.result()[0] for (v, _, c), job in jobs.items() if (v, c) == (version, column)]
            print(f"paho {version} {column}: {outcomes.count('pass')} of {len(outcomes)} pass")
    if differ:
        raise SystemExit(f"{differ} results differ from {TABLE.name}")


if __name__ == "__main__":
    main()
