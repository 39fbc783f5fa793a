"""A whole job behind a mosquitto bridge: a local client speaks to a mosquitto, which speaks to the server as the thing's device.

docs/clients.md says what its configuration needs. The bridge connects through a relay, so that
a test can cut the line.
"""

import getpass
import json
import queue
import signal
import socket
import subprocess
import threading

import paho.mqtt.client as mqtt
import pytest

from conftest import eventually
from fleet import rows

LIMIT = 20  # seconds that anything may take

# conformance/run ends this suite when another one fails: each mosquitto ends with it.
signal.signal(signal.SIGTERM, signal.default_int_handler)

CONFIG = """
user {user}
listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_type all

connection muster
address {address}
bridge_protocol_version {version}
remote_clientid {thing}
bridge_cafile {ca}
bridge_certfile {certificate}
bridge_keyfile {key}
topic # both 1 jobs/ $aws/things/{thing}/jobs/
cleansession false
restart_timeout 1
"""
NEEDED = """
try_private false
notifications_local_only true
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Relay:
    """A line to a listener of the server, which can be cut and mended."""

    def __init__(self, host, port):
        self.to, self.pairs, self.cut, self.made = (host, port), [], threading.Event(), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.cut.is_set():
                near.close()
                continue
            far = socket.create_connection(self.to)
            self.made += 1
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    @staticmethod
    def _copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def sever(self):
        self.cut.set()
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()

    def close(self):
        self.sever()
        self.listener.close()


class Bridge:
    """A mosquitto with a bridge, and the log in which it tells how that fares."""

    def __init__(self, folder, lamp, address, version, needed=NEEDED):
        self.port, self.log = free_port(), folder / "mosquitto.log"
        config = folder / "mosquitto.conf"
        config.write_text(CONFIG.format(user=getpass.getuser(), port=self.port, address=address, version=version, thing=lamp.thing,
                                        ca=lamp.ca, certificate=lamp.certificate, key=lamp.key) + needed)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", config], stdout=log, stderr=log)

    def says(self, text, times=1):
        try:
            eventually(lambda: self.log.read_text().count(text) >= times, text, LIMIT)
        except AssertionError:
            raise AssertionError(f"want {text!r}, {times} times, in\n{self.log.read_text()}") from None

    def up(self, times=1):
        """The bridge is connected and subscribed, for the nth time."""
        self.says("Received SUBACK from local.", times)

    def close(self):
        self.process.terminate()
        self.process.wait(LIMIT)


class Local:
    """A client of the mosquitto, which has never heard of a cloud."""

    def __init__(self, port):
        self.heard, self.told = {}, queue.Queue()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe([(f"jobs/{below}", 1) for below in ("notify-next", "start-next/+", "get/+", "+/get/+", "+/update/+")])
        self.client.on_subscribe = lambda *_: self.told.put("subscribed")
        self.client.on_message = lambda _c, _u, m: self.queue(m.topic).put(json.loads(m.payload))
        eventually(lambda: not self._refused(port), "mosquitto", LIMIT)
        self.client.loop_start()
        self.told.get(timeout=LIMIT)

    def _refused(self, port):
        try:
            return self.client.connect("127.0.0.1", port) != 0
        except OSError:
            return True

    def queue(self, topic):
        return self.heard.setdefault(topic, queue.Queue())

    def next(self, below):
        return self.queue(f"jobs/{below}").get(timeout=LIMIT)

    def send(self, below, **body):
        self.client.publish(f"jobs/{below}", json.dumps(body) if body else "", qos=1).wait_for_publish(LIMIT)

    def ask(self, below, want="accepted", **body):
        self.send(below, **body)
        return self.next(f"{below}/{want}")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def relay(dial, lamp):
    return dial(Relay, *lamp.at("mqtts_addr"))


@pytest.fixture(params=["mqttv311", "mqttv50"])
def version(request):
    return request.param


@pytest.fixture
def bridge(dial, relay, lamp, version, tmp_path):
    return dial(Bridge, tmp_path, lamp, relay.address, version)


@pytest.fixture
def local(dial, bridge):
    bridge.up()
    return dial(Local, bridge.port)


@rows(1, 2, 3, 15)
def test_a_whole_job(local, create, thing, iot):
    assert set(local.ask("start-next", clientToken="a")) == {"clientToken", "timestamp"}
    job = create("job")
    assert local.next("notify-next")["execution"]["jobDocument"] == {"do": "flash", "size": 12}
    started = local.ask("start-next", clientToken="b")
    assert (started["clientToken"], started["execution"]["jobId"], started["execution"]["versionNumber"]) == ("b", job, 2)
    stale = local.ask(f"{job}/update", "rejected", status="SUCCEEDED", expectedVersion="1")
    assert (stale["code"], stale["executionState"]["versionNumber"]) == ("VersionMismatch", 2)
    assert set(local.ask(f"{job}/update", status="IN_PROGRESS", statusDetails={"step": "1"})) == {"timestamp"}
    done = local.ask(f"{job}/update", status="SUCCEEDED", includeJobExecutionState=True)
    assert done["executionState"] == {"status": "SUCCEEDED", "statusDetails": {"step": "1"}, "versionNumber": 4}
    assert set(local.next("notify-next")) == {"timestamp"}
    assert local.ask("get")["queuedJobs"] == []
    assert all(heard.empty() for heard in local.heard.values()), "nothing comes twice"
    assert iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["status"] == "SUCCEEDED"


@rows(18)
def test_the_line_is_cut(local, bridge, relay, create, thing, iot, version):
    """What either side says meanwhile arrives when the bridge is back; over MQTT 5 only what the device says, as mosquitto 2.0 asks for no session there."""
    made = relay.made
    relay.sever()
    bridge.says("closed its connection")
    job = create("job")
    local.send("start-next", clientToken="meanwhile")
    relay.cut.clear()
    bridge.up(2)
    assert relay.made > made
    if version == "mqttv311":
        assert local.next("notify-next")["execution"]["jobId"] == job
    assert local.next("start-next/accepted")["execution"]["jobId"] == job
    assert set(local.ask(f"{job}/update", status="SUCCEEDED")) == {"timestamp"}
    assert iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["status"] == "SUCCEEDED"


def test_it_must_not_publish_its_state(dial, relay, lamp, version, tmp_path):
    """Its will would be below $SYS, which is nobody's to write (mqtt-broker.md MQ-62)."""
    dial(Bridge, tmp_path, lamp, relay.address, version, "try_private false\n").says({"mqttv311": "Connection Refused: not authorised", "mqttv50": "Connection Refused: Not authorized"}[version])


def test_its_private_protocol_is_refused(dial, relay, lamp, tmp_path):
    """Protocol level 0x84 is none of MQTT's (mqtt-broker.md MQ-1); the bridge tries again without, after a while."""
    bridge = dial(Bridge, tmp_path, lamp, relay.address, "mqttv311", "notifications_local_only true\n")
    bridge.says("Connection Refused: unacceptable protocol version")
    bridge.up()
