"""The requirements DC-n of device-clients.md, one by one, under the SDK's own connections and the minimal policy.

What is sent is what the client named in the specification sends, byte for byte
where that matters; what comes is looked at as it is on the wire.
"""

import datetime
import json
import queue
import uuid

import pytest
from awscrt import mqtt5
from awscrt.exceptions import AwsCrtError
from awscrt.mqtt import SubscribeError

from conftest import DOCUMENT, eventually
from device import MQTT5, MQTT311, JobsV2, Refused, mtls, websocket
from fleet import rows


class Talk:
    """A connection that sends job requests as written and keeps what it hears, in order."""

    def __init__(self, version, transport, device, client_id=None, clean=True):
        self.prefix, self.heard = f"$aws/things/{device.thing}/jobs/", queue.Queue()
        self.connection = version(transport, device, client_id or device.thing, clean, heard=self.heard)
        self.session_present = self.connection.session_present
        self.closed = False

    def subscribe(self, *filters):
        for f in filters:
            self.connection.subscribe(self.prefix + f)

    def send(self, topic, body=None):
        payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.connection.publish(self.prefix + topic, payload)

    def next(self, topic):
        got, payload = self.heard.get(timeout=10)
        assert got == self.prefix + topic, f"{got} {payload}, want {topic}"
        return json.loads(payload)

    def ask(self, topic, body=None, want="accepted"):
        self.send(topic, body)
        return self.next(f"{topic}/{want}")

    def silent(self):
        """Nothing is on its way: a round trip brings only its own answer."""
        token = uuid.uuid4().hex
        assert self.ask("get", {"clientToken": token})["clientToken"] == token
        assert self.heard.empty()

    def close(self):
        if not self.closed:
            self.closed = True
            self.connection.close()


@pytest.fixture
def talk(dial, version, lamp):
    return lambda clean=True: dial(Talk, version, mtls, lamp, clean=clean)


@pytest.fixture
def dashboard(dial, version, lamp):
    """Somebody else who may hear all that concerns the thing."""
    return dial(Talk, version, websocket, lamp, f"dashboard-{lamp.thing}")


@pytest.fixture
def job(create, data, thing):
    """A job, queued for the thing."""
    made = create("job")
    eventually(lambda: data.get_pending_job_executions(thingName=thing)["queuedJobs"], "the execution")
    return made


@rows(1, 12)
def test_answers_come_on_the_topic_of_the_request_without_a_subscription(talk, job):
    lamp = talk()
    assert lamp.ask("$next/get")["execution"]["jobId"] == job
    assert lamp.ask(f"{job}/get")["execution"]["jobId"] == job
    assert [s["jobId"] for s in lamp.ask("get")["queuedJobs"]] == [job]
    assert lamp.ask("start-next")["execution"]["jobId"] == job
    lamp.ask(f"{job}/update", {"status": "IN_PROGRESS"})
    lamp.ask("no-such-job/update", {"status": "IN_PROGRESS"}, want="rejected")


@rows(2)
def test_a_token_comes_back_as_it_went(talk, job):
    lamp = talk()
    for topic in ("get", "start-next", "$next/get", f"{job}/get"):
        assert lamp.ask(topic, {"clientToken": "7:lamp ü"})["clientToken"] == "7:lamp ü"
        assert "clientToken" not in lamp.ask(topic, {})
    assert lamp.ask("nowhere/get", {"clientToken": "t"}, want="rejected")["clientToken"] == "t"
    assert "clientToken" not in lamp.ask("nowhere/get", {}, want="rejected")
    assert lamp.ask(f"{job}/update", {"status": "NO", "clientToken": "t"}, want="rejected")["clientToken"] == "t"


@rows(3)
def test_a_refusal_says_all_that_the_device_client_reads_unchecked(talk, job):
    lamp = talk()
    for topic, body, code in (
        (f"{job}/update", {"status": "IN_PROGRESS", "expectedVersion": 9}, "VersionMismatch"),
        (f"{job}/update", {"status": "QUEUED"}, "InvalidRequest"),
        ("nowhere/update", {"status": "FAILED"}, "ResourceNotFound"),
        ("get", b"[", "InvalidJson"),
        (f"{job}/bogus", {}, "InvalidTopic"),
    ):
        got = lamp.ask(topic, body, want="rejected")
        assert (got["code"], bool(got["message"]), len(str(got["timestamp"]))) == (code, True, 10), got
        assert ("executionState" in got) == (code == "VersionMismatch"), got
    lamp.ask(f"{job}/update", {"status": "SUCCEEDED"})
    got = lamp.ask(f"{job}/update", {"status": "SUCCEEDED"}, want="rejected")
    assert (got["code"], got["executionState"]) == ("InvalidStateTransition", {"status": "SUCCEEDED", "versionNumber": 2})
    assert lamp.ask(f"{job}/get", want="rejected")["code"] == "TerminalStateReached"


@rows(4, 6, 42)
def test_an_execution_has_the_documented_members_and_whole_seconds(talk, job):
    lamp = talk()
    x = lamp.ask("start-next", {"statusDetails": {"a": "b"}})["execution"]
    assert set(x) == {"jobId", "jobDocument", "status", "statusDetails", "queuedAt", "startedAt", "lastUpdatedAt", "versionNumber", "executionNumber"}
    now = datetime.datetime.now().timestamp()
    for member in ("queuedAt", "startedAt", "lastUpdatedAt"):
        assert type(x[member]) is int and abs(x[member] - now) < 600, x
    assert (x["versionNumber"], x["executionNumber"]) == (2, 1) and type(x["versionNumber"]) is type(x["executionNumber"]) is int
    [summary] = lamp.ask("get")["inProgressJobs"]
    assert set(summary) == {"jobId", "queuedAt", "startedAt", "lastUpdatedAt", "versionNumber", "executionNumber"}
    assert set(lamp.ask(f"{job}/update", {"status": "IN_PROGRESS"})) == {"timestamp"}


@rows(5)
def test_the_document_is_an_object_over_mqtt_and_text_over_https(talk, job, data, thing):
    assert talk().ask("$next/get")["execution"]["jobDocument"] == json.loads(DOCUMENT)
    assert data.describe_job_execution(thingName=thing, jobId=job)["execution"]["jobDocument"] == DOCUMENT


@rows(7, 8)
def test_nothing_to_do_is_said_in_the_documented_form(talk, job):
    lamp = talk()
    lamp.subscribe("notify", "notify-next")
    lamp.ask(f"{job}/update", {"status": "REJECTED"})
    assert lamp.next("notify")["jobs"] == {}
    assert list(lamp.next("notify-next")) == ["timestamp"]
    assert list(lamp.ask("start-next")) == ["timestamp"]
    assert list(lamp.ask("$next/get", {"clientToken": "t"})) == ["clientToken", "timestamp"]
    got = lamp.ask("get")
    assert (got["inProgressJobs"], got["queuedJobs"]) == ([], [])


@rows(9)
def test_members_that_the_java_sdk_adds_are_ignored(talk, job, thing):
    lamp = talk()
    more = {"thingName": thing, "jobId": job, "future": {"deep": [1, None]}}
    assert lamp.ask("get", more)["queuedJobs"]
    assert lamp.ask(f"{job}/get", more)["execution"]["jobId"] == job
    assert lamp.ask("start-next", more)["execution"]["jobId"] == job
    lamp.ask(f"{job}/update", {"status": "SUCCEEDED", **more})


@rows(10)
def test_no_payload_is_an_empty_object(talk, job):
    lamp = talk()
    assert lamp.ask("get", b"")["queuedJobs"]
    assert lamp.ask("$next/get", b"")["execution"]["jobId"] == job
    assert lamp.ask("start-next", b"")["execution"]["jobId"] == job


@rows(11)
def test_numbers_may_be_text(talk, job):
    lamp = talk()
    assert lamp.ask(f"{job}/get", {"executionNumber": "1"})["execution"]["executionNumber"] == 1
    lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "expectedVersion": "1"})
    assert lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "expectedVersion": "1"}, want="rejected")["code"] == "VersionMismatch"
    assert lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "expectedVersion": "two"}, want="rejected")["code"] == "InvalidRequest"


@rows(13)
def test_overlapping_subscriptions_bring_one_copy(talk, create):
    lamp = talk()
    lamp.subscribe("#", "+/+", "get/+", "get/accepted", "notify-next")
    assert lamp.ask("get", {"clientToken": "t"})["clientToken"] == "t"
    lamp.silent()
    job = create("job")
    assert {lamp.heard.get(timeout=10)[0] for _ in range(2)} == {lamp.prefix + "notify", lamp.prefix + "notify-next"}
    lamp.ask(f"{job}/get")
    lamp.silent()


@rows(14)
def test_nobody_else_hears_an_answer(talk, dashboard, job):
    lamp = talk()
    dashboard.subscribe("#")
    lamp.subscribe("#")
    lamp.ask("start-next", {"clientToken": "mine"})
    lamp.ask("nowhere/update", {"status": "FAILED"}, want="rejected")
    lamp.ask(f"{job}/update", {"status": "IN_PROGRESS"})
    dashboard.silent()
    lamp.silent()


@rows(15)
def test_a_filter_is_authorised_as_the_text_it_is(dial, version, enroll, arn):
    door = enroll("door", {"Effect": "Deny", "Action": "iot:Subscribe", "Resource": arn("topicfilter", "*/jobs/start-next/+")})
    talk = dial(Talk, version, mtls, door)
    talk.subscribe("start-next/accepted", "start-next/rejected", "+/update/accepted", "get/+", "$next/get/+", "some-job/update/+")
    if version is MQTT311:
        with pytest.raises(SubscribeError):
            talk.subscribe("start-next/+")
    else:
        assert talk.connection.subscribe(talk.prefix + "start-next/+").reason_codes == [mqtt5.SubackReasonCode.NOT_AUTHORIZED]
    talk.silent()  # still connected




@rows(16)
def test_answers_come_within_the_patience_of_small_clients(dial, version, lamp, job):
    jobs = dial(JobsV2, dial(version, mtls, lamp, lamp.thing), lamp.thing, timeout=5)
    assert jobs.start_next().execution.job_id == job
    jobs.update(job, "SUCCEEDED")


@rows(17, 30, 36)
def test_the_device_clients_updates_are_accepted(talk, job):
    lamp = talk()
    lamp.ask("start-next")
    for version in (3, 4):
        got = lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "statusDetails": {}, "includeJobExecutionState": True, "clientToken": "aZ09aZ09aZ"})
        assert got["executionState"] == {"status": "IN_PROGRESS", "versionNumber": version}
    lamp.ask(f"{job}/update", {"status": "SUCCEEDED", "statusDetails": {"reason": "Job exited with status: 0"}})


@rows(18, 33, 34)
def test_a_session_that_is_resumed_needs_no_new_subscription(talk, create, iot, data, thing):
    lamp = talk(clean=False)
    lamp.subscribe("notify-next")
    lamp.silent()
    lamp.close()
    one = create("one")
    eventually(lambda: data.get_pending_job_executions(thingName=thing)["queuedJobs"], "the first execution")
    iot.cancel_job(jobId=one)
    two = create("two")
    eventually(lambda: [s["jobId"] for s in data.get_pending_job_executions(thingName=thing)["queuedJobs"]] == [two], "the second execution alone")

    lamp = talk(clean=False)
    assert lamp.session_present
    assert lamp.next("notify-next")["execution"]["jobId"] == two, "of what was missed, only the newest counts"
    lamp.silent()
    lamp.close()
    lamp = talk(clean=False)
    assert lamp.session_present
    lamp.subscribe("notify-next")
    lamp.silent()  # neither resuming nor subscribing repeats what was told
    lamp.ask(f"{two}/update", {"status": "SUCCEEDED"})
    assert list(lamp.next("notify-next")) == ["timestamp"]


@rows(19, 33)
def test_the_next_job_is_told_once_and_only_when_it_changes(talk, create, name):
    lamp = talk()
    lamp.subscribe("notify-next")
    one = create("one")
    assert lamp.next("notify-next")["execution"]["jobId"] == one
    two = create("two")
    eventually(lambda: len(lamp.ask("get")["queuedJobs"]) == 2, "the second execution")
    lamp.ask("start-next")
    lamp.ask(f"{one}/update", {"status": "IN_PROGRESS"})
    lamp.silent()
    lamp.ask(f"{one}/update", {"status": "SUCCEEDED"})
    assert lamp.next("notify-next")["execution"]["jobId"] == two
    lamp.silent()


@rows(26)
def test_a_refused_connect_is_reported(dial, version, lamp, enroll):
    with pytest.raises(AwsCrtError) as refused:
        dial(version, mtls, lamp, "somebody-else")
    assert refused.value.name in ("AWS_ERROR_MQTT_PROTOCOL_ERROR", "AWS_ERROR_MQTT5_CONNACK_CONNECTION_REFUSED", "AWS_ERROR_MQTT_UNEXPECTED_HANGUP"), refused.value.name


@rows(31, 32)
def test_a_short_job_may_end_before_it_began(talk, job):
    lamp = talk()
    lamp.send(f"{job}/update", {"status": "SUCCEEDED", "clientToken": "end"})
    lamp.send(f"{job}/update", {"status": "IN_PROGRESS", "clientToken": "begin"})
    lamp.send(f"{job}/update", {"status": "SUCCEEDED", "clientToken": "again"})
    assert lamp.next(f"{job}/update/accepted")["clientToken"] == "end"
    for token in ("begin", "again"):
        got = lamp.next(f"{job}/update/rejected")
        assert (got["clientToken"], got["code"], got["executionState"]["status"]) == (token, "InvalidStateTransition", "SUCCEEDED")


@rows(35)
def test_program_output_is_welcome_in_the_details(talk, job):
    lamp = talk()
    output = "first line\nsecond\tline\r\n"
    lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "statusDetails": {"stdout": output}})
    assert lamp.ask(f"{job}/get")["execution"]["statusDetails"] == {"stdout": output}
    got = lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "statusDetails": {"stdout": "bell \u0007"}}, want="rejected")
    assert got["code"] == "InvalidRequest"


@rows(40, 41, 43)
def test_details_outlive_a_reboot(talk, create):
    """FreeRTOS OTA: the self test after the reboot reads what was written before it (device-clients.md section 6)."""
    document = {"afr_ota": {"protocols": ["HTTP"], "files": [{"filepath": "/device/updates", "filesize": 180568, "fileid": 0, "certfile": "cert.pem",
        "update_data_url": "https://files.example.com/fw.bin?a=b&c=%2F", "auth_scheme": "aws.s3.presigned", "sig-sha256-ecdsa": "MEUCIQDx/+="}]}}
    lamp = talk()
    lamp.subscribe("notify-next")
    job = create("job", document=json.dumps(document))
    lamp.next("notify-next")
    assert lamp.ask("$next/get", {"clientToken": "0:lamp"})["execution"]["jobDocument"] == document
    lamp.ask(f"{job}/update", {"status": "IN_PROGRESS", "statusDetails": {"self_test": "ready", "updatedBy": "0x1000000"}})
    lamp.ask(f"{job}/update", {"status": "IN_PROGRESS"})
    lamp.close()

    lamp = talk()
    for topic in ("$next/get", "start-next"):
        x = lamp.ask(topic, {"clientToken": "1:lamp"})["execution"]
        assert (x["jobId"], x["status"], x["executionNumber"]) == (job, "IN_PROGRESS", 1)
        assert x["statusDetails"] == {"self_test": "ready", "updatedBy": "0x1000000"} and x["jobDocument"] == document
    lamp.ask(f"{job}/update", {"status": "SUCCEEDED", "statusDetails": {"reason": "accepted v1"}})


@rows(45)
def test_greengrass_works_in_its_namespace(talk, create, iot):
    """The nucleus' order of calls (device-clients.md section 8)."""
    core, gg = talk(), "namespace-aws-gg-deployment"
    core.subscribe(f"$next/{gg}/get/accepted", f"$next/{gg}/get/rejected", f"notify-{gg}", "notify")
    assert list(core.ask(f"$next/{gg}/get", {"includeJobDocument": True})) == ["timestamp"]
    job = create("deployment", namespaceId="aws-gg-deployment")
    assert [s["jobId"] for s in core.next(f"notify-{gg}")["jobs"]["QUEUED"]] == [job]
    x = core.ask(f"$next/{gg}/get", {"includeJobDocument": True})["execution"]
    assert (x["jobId"], x["jobDocument"]) == (job, json.loads(DOCUMENT))
    core.subscribe(f"{job}/{gg}/update/accepted", f"{job}/{gg}/update/rejected")
    core.ask(f"{job}/{gg}/update", {"status": "IN_PROGRESS", "expectedVersion": x["versionNumber"], "includeJobExecutionState": True})
    core.ask(f"{job}/{gg}/update", {"status": "SUCCEEDED"})
    assert core.next(f"notify-{gg}")["jobs"] == {}
    core.silent()


def test_the_settings_of_a_connection_are_those_of_aws(dial, lamp):
    """mqtt-broker.md section 2, as the SDK understands them."""
    s = dial(MQTT5, mtls, lamp, lamp.thing).settings
    assert (s.maximum_qos, s.receive_maximum_from_server, s.topic_alias_maximum_to_server, s.retain_available) == (mqtt5.QoS.AT_LEAST_ONCE, 100, 8, True)
    assert (s.wildcard_subscriptions_available, s.subscription_identifiers_available, s.shared_subscriptions_available) == (True, False, True)
    assert s.maximum_packet_size_to_server >= 131072 + 1024


@rows(2)
def test_wrong_status_is_a_modelled_error(dial, version, generation, lamp, job):
    jobs = dial(generation, dial(version, mtls, lamp, lamp.thing), lamp.thing)
    with pytest.raises(Refused) as refused:
        jobs.update(job, "CANCELED")
    assert refused.value.error.code == "InvalidRequest"
