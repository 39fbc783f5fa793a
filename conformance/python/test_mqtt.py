"""The device side over MQTT with paho, 3.1.1 and 5 (jobs-data-plane.md sections 4, 8, 11 and 16)."""

import json
import queue
import threading
import uuid

import paho.mqtt.client as mqtt
import pytest

from conftest import DOCUMENT, counters, eventually

VERSIONS = {"3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}


class Device:
    """One MQTT connection that keeps what it hears, in order."""

    def __init__(self, address, thing, version, client_id=None):
        self.prefix = f"$aws/things/{thing}/jobs/"
        self.heard = queue.Queue()
        self.subscribed = threading.Event()
        self.failures = []
        connected = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id or f"{thing}-{uuid.uuid4().hex[:6]}", protocol=version)
        self.client.on_connect = lambda *_: connected.set()
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = lambda _c, _u, m: self.heard.put((m.topic.removeprefix(self.prefix), json.loads(m.payload), m))
        host, port = address.rsplit(":", 1)
        self.client.connect(host, int(port), keepalive=30)
        self.client.loop_start()
        assert connected.wait(10), "no CONNACK"

    def _on_subscribe(self, _client, _userdata, _mid, reasons, _properties):
        self.failures += [r for r in reasons if r.is_failure]
        self.subscribed.set()

    def subscribe(self, *filters, qos=1):
        self.subscribed.clear()
        self.client.subscribe([(self.prefix + f, qos) for f in filters])
        assert self.subscribed.wait(10), "no SUBACK"
        assert not self.failures, self.failures

    def send(self, topic, body=None, qos=1):
        payload = body if isinstance(body, (str, bytes)) else b"" if body is None else json.dumps(body)
        self.client.publish(self.prefix + topic, payload, qos=qos)

    def next(self, topic):
        """The next message, which must be on topic."""
        got, body, _ = self.heard.get(timeout=10)
        assert got == topic, f"got {got} {body}, want {topic}"
        return body

    def ask(self, topic, body=None, want="accepted", qos=1):
        self.send(topic, body, qos)
        return self.next(f"{topic}/{want}")

    def silent(self):
        """Nothing is on its way: a round trip brings only its own answer."""
        token = uuid.uuid4().hex
        assert self.ask("get", {"clientToken": token})["clientToken"] == token

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(params=VERSIONS)
def connect(request, server, thing):
    """Opens connections for the test's thing; closes them after it."""
    opened = []

    def dial(client_id=None):
        opened.append(Device(server["mqtt_addr"], thing, VERSIONS[request.param], client_id))
        return opened[-1]

    yield dial
    for d in opened:
        d.close()


@pytest.fixture
def create(iot, arn, name, thing):
    def make(what, **more):
        iot.create_job(jobId=name(what), targets=[arn("thing", thing)], document=DOCUMENT, **more)
        return name(what)

    return make


def test_an_idle_thing(connect):
    lamp = connect()
    got = lamp.ask("$next/get")
    assert list(got) == ["timestamp"] and len(str(got["timestamp"])) == 10
    got = lamp.ask("get", {"clientToken": "t-1"})
    assert list(got) == ["clientToken", "timestamp", "inProgressJobs", "queuedJobs"]
    assert (got["clientToken"], got["inProgressJobs"], got["queuedJobs"]) == ("t-1", [], [])
    assert list(lamp.ask("start-next", {"clientToken": "t-2"})) == ["clientToken", "timestamp"]


def test_get_next_workflow(connect, create, iot):
    lamp = connect()
    lamp.subscribe("notify-next", "start-next/+", "+/update/+")
    job = create("job")
    told = lamp.next("notify-next")["execution"]
    assert (told["jobId"], told["status"], told["versionNumber"], told["jobDocument"]) == (job, "QUEUED", 1, json.loads(DOCUMENT))
    assert "thingName" not in told

    started = lamp.ask("start-next", {"clientToken": "a", "statusDetails": {"step": "0"}})
    x = started["execution"]
    assert (x["jobId"], x["status"], x["versionNumber"], x["statusDetails"]) == (job, "IN_PROGRESS", 2, {"step": "0"})
    assert x["jobDocument"] == json.loads(DOCUMENT) and "thingName" not in x
    assert lamp.ask("start-next", {"clientToken": "b"})["execution"] == x

    assert list(lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "expectedVersion": "2"})) == ["timestamp"]
    told = lamp.ask(f"{job}/update", {"status": "SUCCEEDED", "includeJobExecutionState": True, "includeJobDocument": True, "clientToken": "c"})
    assert told["executionState"] == {"status": "SUCCEEDED", "statusDetails": {"step": "0"}, "versionNumber": 4}
    assert told["jobDocument"] == json.loads(DOCUMENT)
    assert list(lamp.next("notify-next")) == ["timestamp"]
    lamp.silent()
    eventually(lambda: iot.describe_job(jobId=job)["job"]["status"] == "COMPLETED", "the job to complete")


def test_pick_a_job_workflow(connect, create):
    """The worked sequence of jobs-data-plane.md section 11.4."""
    lamp = connect()
    lamp.subscribe("notify", "notify-next")

    def listed(body):
        return {status: [s["jobId"] for s in summaries] for status, summaries in body["jobs"].items()}

    one = create("job1")
    assert listed(lamp.next("notify")) == {"QUEUED": [one]}
    assert lamp.next("notify-next")["execution"]["jobId"] == one
    two = create("job2")
    assert listed(lamp.next("notify")) == {"QUEUED": [one, two]}
    lamp.ask("start-next")
    three = create("job3")
    assert listed(lamp.next("notify")) == {"IN_PROGRESS": [one], "QUEUED": [two, three]}
    lamp.ask(f"{one}/update", {"status": "SUCCEEDED"})
    assert listed(lamp.next("notify")) == {"QUEUED": [two, three]}
    assert lamp.next("notify-next")["execution"]["jobId"] == two
    lamp.ask(f"{three}/update", {"status": "IN_PROGRESS"})
    told = lamp.next("notify-next")["execution"]
    assert (told["jobId"], told["status"], told["versionNumber"]) == (three, "IN_PROGRESS", 2)
    lamp.ask(f"{two}/update", {"status": "REJECTED"})
    assert listed(lamp.next("notify")) == {"IN_PROGRESS": [three]}
    lamp.ask(f"{three}/update", {"status": "FAILED", "statusDetails": {"why": "no space"}})
    assert lamp.next("notify")["jobs"] == {}
    assert list(lamp.next("notify-next")) == ["timestamp"]


def test_describe(connect, create):
    lamp = connect()
    job = create("job")
    eventually(lambda: lamp.ask("get")["queuedJobs"], "the execution to be queued")
    got = lamp.ask(f"{job}/get", {"clientToken": "t"})
    assert (got["execution"]["jobId"], got["execution"]["jobDocument"]) == (job, json.loads(DOCUMENT))
    assert lamp.ask("$next/get")["execution"] == got["execution"]
    assert "jobDocument" not in lamp.ask(f"{job}/get", {"includeJobDocument": False})["execution"]
    assert lamp.ask(f"{job}/get", {"executionNumber": "1"})["execution"]["executionNumber"] == 1
    assert lamp.ask(f"{job}/get", {"executionNumber": 7}, want="rejected")["code"] == "ResourceNotFound"


def test_refusals(connect, create):
    lamp = connect()
    job = create("job")
    eventually(lambda: lamp.ask("get")["queuedJobs"], "the execution to be queued")
    for payload in ("[]", '"x"', "1", "{", b"\xff\xfe"):
        got = lamp.ask("get", payload, want="rejected")
        assert got["code"] == "InvalidJson" and "clientToken" not in got, (payload, got)

    def code(topic, body, **more):
        got = lamp.ask(topic, {"clientToken": "t", **body}, want="rejected")
        assert got["clientToken"] == "t" and got["message"] and len(str(got["timestamp"])) == 10
        assert ("executionState" in got) == bool(more)
        for key, value in more.items():
            assert got["executionState"][key] == value, got
        return got["code"]

    assert code(f"{job}/update", {}) == "InvalidRequest"
    assert code(f"{job}/update", {"status": "QUEUED"}) == "InvalidRequest"
    assert code(f"{job}/update", {"status": "IN_PROGRESS", "stepTimeoutInMinutes": 0}) == "InvalidRequest"
    assert code(f"{job}/update", {"status": "IN_PROGRESS", "statusDetails": {"n": {}}}) == "InvalidRequest"
    assert code("$next/update", {"status": "FAILED"}) == "InvalidRequest"
    assert code("nosuch/update", {"status": "FAILED"}) == "ResourceNotFound"
    assert code(f"{job}/update", {"status": "FAILED", "expectedVersion": 99}, status="QUEUED", versionNumber=1) == "VersionMismatch"
    lamp.ask(f"{job}/update", {"status": "FAILED"})
    assert code(f"{job}/update", {"status": "FAILED"}, status="FAILED", versionNumber=2) == "InvalidStateTransition"
    assert code(f"{job}/get", {}) == "TerminalStateReached"
    assert code("no/such/operation", {}) == "InvalidTopic"


def test_replies_go_to_the_requester_alone(connect, create):
    lamp, other = connect(), connect()
    other.subscribe("#")
    job = create("job")
    other.next("notify"), other.next("notify-next")
    assert lamp.ask("start-next", qos=0)["execution"]["jobId"] == job
    lamp.ask(f"{job}/update", {"status": "IN_PROGRESS"})
    other.silent()
    lamp.silent()


def test_one_copy_in_spite_of_overlapping_subscriptions(connect, create):
    lamp = connect()
    lamp.subscribe("get/+", "get/accepted", "+/+")
    lamp.ask("get", {"clientToken": "t"})
    lamp.silent()


def test_namespaces_are_queues_of_their_own(connect, create, iot):
    lamp = connect()
    lamp.subscribe("notify", "notify-namespace-gg", "notify-next-namespace-gg")
    job = create("job", namespaceId="gg")
    assert [s["jobId"] for s in lamp.next("notify-namespace-gg")["jobs"]["QUEUED"]] == [job]
    assert lamp.next("notify-next-namespace-gg")["execution"]["jobId"] == job
    assert lamp.ask("get")["queuedJobs"] == []
    assert lamp.ask("$next/namespace-gg/get")["execution"]["jobId"] == job
    lamp.ask(f"{job}/namespace-gg/update", {"status": "SUCCEEDED"})
    assert lamp.next("notify-namespace-gg")["jobs"] == {}
    lamp.next("notify-next-namespace-gg")
    assert counters(iot, job)["Succeeded"] == 1


def test_a_cancelled_execution_tells_the_device(connect, create, iot):
    lamp = connect()
    lamp.subscribe("notify", "notify-next")
    job = create("job")
    lamp.next("notify"), lamp.next("notify-next")
    lamp.ask("start-next")
    iot.cancel_job(jobId=job, force=True)
    assert lamp.next("notify")["jobs"] == {}
    assert list(lamp.next("notify-next")) == ["timestamp"]
    got = lamp.ask(f"{job}/update", {"status": "SUCCEEDED"}, want="rejected")
    assert (got["code"], got["executionState"]["status"]) == ("InvalidStateTransition", "CANCELED")


def test_http_and_mqtt_move_one_state(connect, create, data, thing):
    lamp = connect()
    lamp.subscribe("notify-next")
    job = create("job")
    lamp.next("notify-next")
    data.start_next_pending_job_execution(thingName=thing)
    assert lamp.ask(f"{job}/get")["execution"]["versionNumber"] == 2
    data.update_job_execution(thingName=thing, jobId=job, status="SUCCEEDED")
    assert list(lamp.next("notify-next")) == ["timestamp"]


def test_a_second_connection_of_one_client_id_takes_over(connect, thing):
    first = connect(client_id=thing)
    gone = threading.Event()
    first.client.on_disconnect = lambda *_: gone.set()
    first.client.reconnect_delay_set(min_delay=60, max_delay=120)
    second = connect(client_id=thing)
    assert gone.wait(10), "the first connection is still there"
    second.silent()


def test_firmware_that_uses_other_features_gets_its_job(connect, create, iot, thing):
    """Shadows, Device Defender and more on the connection of the jobs (mqtt-broker.md MQ-71)."""
    lamp = connect(client_id=thing)
    gone = []
    lamp.client.on_disconnect = lambda *_: gone.append(True)
    lamp.client.subscribe([(f"$aws/things/{thing}/shadow/+/{answer}", 1) for answer in ("accepted", "rejected")])
    assert lamp.subscribed.wait(10) and not lamp.failures
    mine = f"$aws/things/{thing}"
    for topic, answered, code in [
        (f"{mine}/shadow/get", f"{mine}/shadow/get/rejected", lambda b: (b["code"], b["clientToken"]) == (501, "t")),
        (f"{mine}/shadow/name/config/update", f"{mine}/shadow/name/config/update/rejected", lambda b: b["code"] == 501),
        (f"{mine}/defender/metrics/json", f"{mine}/defender/metrics/json/rejected", lambda b: b["status"] == "REJECTED"),
        (f"{mine}/streams/fw/get/json", f"{mine}/streams/fw/rejected/json", lambda b: b["o"] == "NotImplemented"),
        ("$aws/certificates/create/json", "$aws/certificates/create/json/rejected", lambda b: b["statusCode"] == 501),
        ("$aws/rules/store/reading", None, None),
    ]:
        sent = lamp.client.publish(topic, '{"clientToken": "t"}', qos=1)
        if answered:
            assert code(lamp.next(answered)), topic
        sent.wait_for_publish(10)
        assert sent.is_published(), topic
    job = create("job")
    assert lamp.ask("start-next", {"statusDetails": {"progress": 0}})["execution"]["statusDetails"] == {"progress": "0"}
    lamp.ask(f"{job}/update", {"status": "SUCCEEDED", "statusDetails": {"rate": 1.5, "ok": True}})
    lamp.silent()
    assert not gone
    told = iot.describe_job_execution(jobId=job, thingName=thing)["execution"]
    assert (told["status"], told["statusDetails"]["detailsMap"]) == ("SUCCEEDED", {"rate": "1.5", "ok": "true"})


def test_details_that_are_no_text(connect, create, iot, thing):
    """Numbers and booleans are taken as they are written, objects and arrays refused (jobs-data-plane.md J15)."""
    lamp = connect()
    job = create("job")
    for value, want in {"1.50": "1.50", "1e3": "1e3", "-0": "-0", "true": "true", '"x"': "x"}.items():
        state = lamp.ask(f"{job}/update", f'{{"status":"IN_PROGRESS","statusDetails":{{"a":{value}}},"includeJobExecutionState":true}}')
        assert state["executionState"]["statusDetails"] == {"a": want}
    for value in ("{}", "[1]", "null"):
        got = lamp.ask(f"{job}/update", f'{{"status":"FAILED","statusDetails":{{"b":1,"a":{value}}}}}', want="rejected")
        assert got["code"] == "InvalidRequest"
    assert iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["statusDetails"]["detailsMap"] == {"a": "x"}
