"""coreMQTT 2.3 (MQTT 3.1.1) and 5.0 (MQTT 5) under the Jobs library for AWS IoT 2.0, and the older OTA agent.

Packet ids count from 1 a context, a username carries metrics, a job's bodies are compact and have their numbers as text.
"""

import json

from board import BUFFER, CONNACK, DISCONNECT, RESUMED, Board, answer, connect, publish, subscribe, unsubscribe
from conftest import eventually
from fleet import rows

METRICS = b"?SDK=FreeRTOS&Version=V10.4.3&Platform=WinSim&MQTTLib=core-mqtt@v2.3.1"
CLEAN, PERSISTENT = 0x82, 0x80  # with a username
# Receive Maximum 100, Maximum QoS 1, Retain Available, Maximum Packet Size 149504, Topic Alias Maximum 8, wildcards,
# no subscription identifiers, shared subscriptions (mqtt-broker.md section 2).
CONNACK5 = b"\x20\x18\x00\x00\x15" + b"\x21\x00\x64" + b"\x24\x01" + b"\x25\x01" + b"\x27\x00\x02\x48\x00" + b"\x22\x00\x08" + b"\x28\x01" + b"\x29\x00" + b"\x2a\x01"


def hello(thing, flags=CLEAN, **more):
    return connect(thing.encode(), flags, 60, METRICS, **more)


@rows(10, 12, 20)
def test_an_idle_device(board, jobs, thing):
    device = board()
    device.send(hello(thing))
    device.expect(CONNACK)
    device.send(subscribe(1, (jobs("notify-next"), 1)))
    device.expect(b"\x90\x03\x00\x01\x01")
    device.send(publish(jobs("start-next"), b'{"clientToken":"test"}'))
    device.expect(answer(jobs("start-next/accepted"), b'{"clientToken":"test","timestamp":<time>}'))
    device.send(publish(jobs("$next/get"), b"", 2))
    device.expect(b"\x40\x02\x00\x02", answer(jobs("$next/get/accepted"), b'{"timestamp":<time>}'))
    device.send(publish(jobs("get"), b'{"clientToken":"0:lamp"}', 3))
    device.expect(b"\x40\x02\x00\x03", answer(jobs("get/accepted"), b'{"clientToken":"0:lamp","timestamp":<time>,"inProgressJobs":[],"queuedJobs":[]}'))
    device.send(unsubscribe(4, jobs("notify-next")))
    device.expect(b"\xb0\x02\x00\x04")
    device.quiet()
    device.send(DISCONNECT)
    assert device.socket.recv(1) == b"", "the server closes after DISCONNECT"


@rows(1, 5, 6, 11, 12, 17, 40, 42)
def test_a_job_of_the_jobs_library(board, jobs, create, thing, iot):
    device = board()
    device.send(hello(thing))
    device.expect(CONNACK)
    device.send(subscribe(1, (jobs("notify-next"), 1)))
    device.expect(b"\x90\x03\x00\x01\x01")
    job = create("job", '{"action":"print","message":"hi"}').encode()
    told = device.expect(answer(jobs("notify-next"), b'{"timestamp":<time>,"execution":{"jobId":"' + job + b'","status":"QUEUED","queuedAt":<time>,"lastUpdatedAt":<time>,'
                         b'"versionNumber":1,"executionNumber":1,"jobDocument":{"action":"print","message":"hi"}}}', qos=1))
    device.acknowledge(told[0])
    device.send(publish(jobs("start-next"), b'{"clientToken":"test"}', 2))
    device.expect(b"\x40\x02\x00\x02", answer(jobs("start-next/accepted"), b'{"clientToken":"test","timestamp":<time>,"execution":{"jobId":"' + job +
                  b'","status":"IN_PROGRESS","queuedAt":<time>,"startedAt":<time>,"lastUpdatedAt":<time>,"versionNumber":2,"executionNumber":1,'
                  b'"jobDocument":{"action":"print","message":"hi"}}}'))
    update = jobs(f"{job.decode()}/update")
    device.send(publish(update, b'{"status":"IN_PROGRESS"}'))
    device.expect(answer(update + b"/accepted", b'{"timestamp":<time>}'))
    device.send(publish(update, b'{"status":"IN_PROGRESS","expectedVersion":"3","statusDetails":{"receive":"1/4"}}', 3))
    device.expect(b"\x40\x02\x00\x03", answer(update + b"/accepted", b'{"timestamp":<time>}'))
    device.send(publish(update, b'{"status":"SUCCEEDED","expectedVersion":"3"}', 4))
    device.expect(b"\x40\x02\x00\x04", answer(update + b"/rejected", b'{"timestamp":<time>,"code":"VersionMismatch","message":"Expected version 3 but found version 4",'
                  b'"executionState":{"status":"IN_PROGRESS","statusDetails":{"receive":"1/4"},"versionNumber":4}}'))
    device.send(publish(update, b'{"status":"SUCCEEDED","expectedVersion":"4"}', 5))
    _, _, told = device.expect(b"\x40\x02\x00\x05", answer(update + b"/accepted", b'{"timestamp":<time>}'), answer(jobs("notify-next"), b'{"timestamp":<time>}', qos=1))
    device.acknowledge(told)
    device.quiet()
    seen = iot.describe_job_execution(jobId=job.decode(), thingName=thing)["execution"]
    assert (seen["status"], seen["statusDetails"], seen["versionNumber"]) == ("SUCCEEDED", {"detailsMap": {"receive": "1/4"}}, 5)


@rows(10, 12, 40)
def test_the_older_ota_agent(board, jobs, create, thing):
    """One subscription; answers are told by their topic; what it stored comes back after the reboot."""
    document = '{"afr_ota":{"protocols":["HTTP"],"files":[{"filepath":"/device/fw.bin","filesize":9,"fileid":0,"certfile":"/cert.pem","update_data_url":"https://files.example/fw.bin","sig-sha256-ecdsa":"MEQC"}]}}'
    job = create("job", document).encode()
    device = board()
    device.send(hello(thing))
    device.expect(CONNACK)
    device.send(subscribe(1, (jobs("notify-next"), 1)), publish(jobs("$next/get"), b'{"clientToken":"0:' + thing.encode() + b'"}', 2))
    described = (b'{"clientToken":"0:' + thing.encode() + b'","timestamp":<time>,"execution":{"jobId":"' + job + b'","status":"QUEUED","queuedAt":<time>,"lastUpdatedAt":<time>,'
                 b'"versionNumber":1,"executionNumber":1,"jobDocument":' + document.encode() + b"}}")
    device.expect(b"\x90\x03\x00\x01\x01", b"\x40\x02\x00\x02", answer(jobs("$next/get/accepted"), described))
    update = jobs(f"{job.decode()}/update")
    device.send(publish(update, b'{"status":"IN_PROGRESS","statusDetails":{"receive":"16/16"}}'))
    device.expect(answer(update + b"/accepted", b'{"timestamp":<time>}'))
    device.send(publish(update, b'{"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x90005"}}', 3))
    device.expect(b"\x40\x02\x00\x03", answer(update + b"/accepted", b'{"timestamp":<time>}'))
    device.close()

    device = board()
    device.send(hello(thing))
    device.expect(CONNACK)
    device.send(subscribe(1, (jobs("notify-next"), 1)), publish(jobs("$next/get"), b'{"clientToken":"0:' + thing.encode() + b'"}', 2))
    device.expect(b"\x90\x03\x00\x01\x01", b"\x40\x02\x00\x02", answer(jobs("$next/get/accepted"), described
                  .replace(b'"status":"QUEUED",', b'"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x90005"},')
                  .replace(b'"lastUpdatedAt"', b'"startedAt":<time>,"lastUpdatedAt"').replace(b'"versionNumber":1', b'"versionNumber":3')))
    device.send(publish(update, b'{"status":"SUCCEEDED","statusDetails":{"reason":"accepted v0.9.5"}}', 3))
    device.expect(b"\x40\x02\x00\x03", answer(update + b"/accepted", b'{"timestamp":<time>}'), answer(jobs("notify-next"), b'{"timestamp":<time>}', qos=1))


@rows(13, 15)
def test_a_subscribed_requester_gets_one_copy(board, jobs, thing):
    device = board()
    device.send(hello(thing))
    device.expect(CONNACK)
    device.send(subscribe(1, (jobs("start-next/accepted"), 1), (jobs("+/get/accepted"), 0), (jobs("#"), 0)))
    device.expect(b"\x90\x05\x00\x01\x01\x00\x00")
    device.send(publish(jobs("start-next"), b'{"clientToken":"test"}', 2))
    _, told = device.expect(b"\x40\x02\x00\x02", answer(jobs("start-next/accepted"), b'{"clientToken":"test","timestamp":<time>}', qos=1))
    device.acknowledge(told)
    device.send(publish(jobs("$next/get"), b"{}", 3))
    device.expect(b"\x40\x02\x00\x03", answer(jobs("$next/get/accepted"), b'{"timestamp":<time>}'))
    device.quiet()


@rows(18)
def test_an_unacknowledged_publish_is_sent_again(board, jobs, create, job, thing, iot):
    """A resent update is a second request (jobs-data-plane.md section 4.3); the expected version guards against it."""
    device = board()
    device.send(hello(thing, PERSISTENT))
    device.expect(CONNACK)
    update = jobs(f"{job}/update")
    body = b'{"status":"IN_PROGRESS","expectedVersion":"1"}'
    device.send(publish(update, body, 1))
    eventually(lambda: iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["versionNumber"] == 2, "the first copy")
    device.close()  # before PUBACK was read

    device = board()
    device.send(hello(thing, PERSISTENT))
    device.expect(RESUMED)
    device.send(publish(update, body, 1, dup=True))
    device.expect(b"\x40\x02\x00\x01", answer(update + b"/rejected", b'{"timestamp":<time>,"code":"VersionMismatch","message":"Expected version 1 but found version 2",'
                  b'"executionState":{"status":"IN_PROGRESS","versionNumber":2}}'))
    device.send(publish(jobs("start-next"), b'{"clientToken":"again"}', 2))
    device.expect(b"\x40\x02\x00\x02", answer(jobs("start-next/accepted"), b'{"clientToken":"again","timestamp":<time>,"execution":{"jobId":"' + job.encode() +
                  b'","status":"IN_PROGRESS","queuedAt":<time>,"startedAt":<time>,"lastUpdatedAt":<time>,"versionNumber":2,"executionNumber":1,"jobDocument":{"do":"flash","size":12}}}'))


@rows(18, 19)
def test_an_unacknowledged_notification_comes_again(board, jobs, create, thing):
    device = board()
    device.send(hello(thing, PERSISTENT))
    device.expect(CONNACK)
    device.send(subscribe(1, (jobs("notify-next"), 1)))
    device.expect(b"\x90\x03\x00\x01\x01")
    job = create("job", '{"action":"exit"}')
    body = (b'{"timestamp":<time>,"execution":{"jobId":"' + job.encode() + b'","status":"QUEUED","queuedAt":<time>,"lastUpdatedAt":<time>,"versionNumber":1,"executionNumber":1,'
            b'"jobDocument":{"action":"exit"}}}')
    (first,) = device.expect(answer(jobs("notify-next"), body, qos=1))
    device.close()

    device = board()
    device.send(hello(thing, PERSISTENT))
    device.expect(RESUMED)
    (again,) = device.expect(answer(jobs("notify-next"), body, qos=1, dup=True))
    assert again[1:] == first[1:], "the same packet id and content"
    device.acknowledge(again)
    device.quiet()


def test_a_last_will(dial, enroll, arn):
    """Flags 0xAE: username, a retained will with QoS 1, clean session."""
    rights = [{"Effect": "Allow", "Action": ["iot:Publish", "iot:RetainPublish", "iot:Receive"], "Resource": arn("topic", "status/*")},
              {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter", "status/*")}]
    speaker, watcher = (enroll(what, *rights) for what in ("speaker", "watcher"))
    topic = f"status/{speaker.thing}".encode()
    device, other = dial(Board, speaker), dial(Board, watcher)
    other.send(hello(watcher.thing), subscribe(1, (topic, 1)))
    other.expect(CONNACK, b"\x90\x03\x00\x01\x01")
    device.send(connect(speaker.thing.encode(), 0xAE, 60, topic, b"gone", METRICS))
    device.expect(CONNACK)
    device.close()
    other.expect(answer(topic, b"gone", qos=1))


def test_what_does_not_fit_is_not_sent(board, jobs, create, thing, iot):
    """MQTT 5 (coreMQTT 5.0) tells the server the size of its buffer."""
    device = board()
    # 8 bytes of properties: Receive Maximum 10, and as Maximum Packet Size the buffer.
    device.send(hello(thing, version=5, properties=b"\x08\x21\x00\x0a\x27" + BUFFER.to_bytes(4)))
    device.expect(CONNACK5)
    job = create("job", json.dumps({"padding": "x" * BUFFER}))
    device.send(publish(jobs("$next/get"), b"{}", 1, properties=b"\x00"))
    device.expect(b"\x40\x02\x00\x01")
    device.quiet()
    update = jobs(f"{job}/update")
    device.send(publish(update, b'{"status":"REJECTED","statusDetails":{"reason":"too large"}}', 2, properties=b"\x00"))
    device.expect(b"\x40\x02\x00\x02", answer(update + b"/accepted", b'{"timestamp":<time>}', properties=b"\x00"))
    assert iot.describe_job_execution(jobId=job, thingName=thing)["execution"]["status"] == "REJECTED"


@rows(25)
def test_the_shared_port(board, jobs, thing):
    """Port 443 in the field, by ALPN."""
    device = board(listener="alpn_addr", alpn="x-amzn-mqtt-ca")
    device.send(hello(thing))
    device.expect(CONNACK)
    device.send(publish(jobs("get"), b"", 1))
    device.expect(b"\x40\x02\x00\x01", answer(jobs("get/accepted"), b'{"timestamp":<time>,"inProgressJobs":[],"queuedJobs":[]}'))
