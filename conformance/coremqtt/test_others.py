"""AWS FOTA of the nRF Connect SDK, and rustot: both pick their job by $next and keep count of its version themselves.

Both put numbers into statusDetails (jobs-data-plane.md section 3.5), which come back as text.
"""

import pytest

from board import CONNACK, RESUMED, answer, connect, publish, subscribe
from fleet import rows

URL = '{"operation":"app_fw_update","fwversion":"2","size":181124,"location":{"protocol":"https:","host":"files.example","path":"app_update.bin"}}'


@pytest.fixture
def described(jobs, thing):
    """The answer that describes the head of the queue."""
    def of(job, status, version, document, token=None, details=b"", started=False):
        return answer(jobs("$next/get/accepted"), (b"{" + (b'"clientToken":"' + token + b'",' if token is not None else b"") + b'"timestamp":<time>,"execution":{"jobId":"' + job.encode() +
                      b'","status":"' + status + b'",' + details + b'"queuedAt":<time>,' + (b'"startedAt":<time>,' if started else b"") + b'"lastUpdatedAt":<time>,"versionNumber":' + version +
                      b',"executionNumber":1,"jobDocument":' + document.encode() + b"}}"), qos=1)

    return of


@rows(11, 15, 18, 40)
def test_fota_of_the_nrf_connect_sdk(board, jobs, create, described, thing, iot):
    """Fixed packet ids of subscriptions, filters that end in /#, blanks in bodies, an empty token, the version as text."""
    job = create("job", URL)
    device = board()
    device.send(connect(thing.encode(), 0x00, 1200))  # no username, a persistent session
    device.expect(CONNACK)
    device.send(subscribe(2112, (jobs("notify-next"), 1)), subscribe(2114, (jobs("$next/get/#"), 1)))
    device.expect(b"\x90\x03\x08\x40\x01", b"\x90\x03\x08\x42\x01")
    device.send(publish(jobs("$next/get"), b'{"clientToken": ""}', 0x9C41))
    _, told = device.expect(b"\x40\x02\x9c\x41", described(job, b"QUEUED", b"1", URL, token=b""))
    device.acknowledge(told)
    device.send(subscribe(2115, (jobs(f"{job}/update/#"), 1)))
    device.expect(b"\x90\x03\x08\x43\x01")
    update = jobs(f"{job}/update")
    states = [(b"IN_PROGRESS", b"download_firmware", b"0"), (b"IN_PROGRESS", b"download_firmware", b"57"), (b"IN_PROGRESS", b"apply_update", b"100")]
    for version, (status, state, progress) in enumerate(states, 1):
        device.send(publish(update, b'{"status":"' + status + b'","statusDetails": {"nextState":"' + state + b'","progress":' + progress + b'},"expectedVersion": "%d","clientToken": ""}' % version, 2 + version))
        _, told = device.expect(b"\x40\x02\x00" + bytes([2 + version]), answer(update + b"/accepted", b'{"clientToken":"","timestamp":<time>}', qos=1))
        device.acknowledge(told)
    device.close()  # it boots what it has got

    device = board()
    device.send(connect(thing.encode(), 0x00, 1200))
    device.expect(RESUMED)  # and so it does not subscribe again
    device.send(publish(jobs("$next/get"), b'{"clientToken": ""}', 0x0101))
    details = b'"statusDetails":{"nextState":"apply_update","progress":"100"},'
    _, told = device.expect(b"\x40\x02\x01\x01", described(job, b"IN_PROGRESS", b"4", URL, token=b"", details=details, started=True))
    device.acknowledge(told)
    device.send(publish(update, b'{"status":"SUCCEEDED","statusDetails": {"nextState":"none","progress":100},"expectedVersion": "4","clientToken": ""}', 0x0102))
    _, told, gone = device.expect(b"\x40\x02\x01\x02", answer(update + b"/accepted", b'{"clientToken":"","timestamp":<time>}', qos=1), answer(jobs("notify-next"), b'{"timestamp":<time>}', qos=1))
    device.acknowledge(told)
    device.acknowledge(gone)
    seen = iot.describe_job_execution(jobId=job, thingName=thing)["execution"]
    assert (seen["status"], seen["statusDetails"]["detailsMap"]) == ("SUCCEEDED", {"nextState": "none", "progress": "100"})


@rows(2, 15)
def test_rustot(board, jobs, create, described, thing, iot):
    """Two filters in one SUBSCRIBE, the thing's name as token, a number beside text when it gives up."""
    job = create("job", URL)
    device = board()
    device.send(connect(thing.encode(), 0x02, 60))
    device.expect(CONNACK)
    device.send(subscribe(1, (jobs("notify-next"), 1), (jobs("$next/get/accepted"), 1)))
    device.expect(b"\x90\x04\x00\x01\x01\x01")
    device.send(publish(jobs("$next/get"), b"{}", 2))
    _, told = device.expect(b"\x40\x02\x00\x02", described(job, b"QUEUED", b"1", URL))
    device.acknowledge(told)
    update, token = jobs(f"{job}/update"), b'"clientToken":"' + thing.encode() + b'"'
    device.send(subscribe(3, (update + b"/accepted", 1), (update + b"/rejected", 1)))
    device.expect(b"\x90\x04\x00\x03\x01\x01")
    device.send(publish(update, b'{"status":"IN_PROGRESS","statusDetails":{"self_test":"receiving","progress":"0/100"},' + token + b"}", 4))
    _, told = device.expect(b"\x40\x02\x00\x04", answer(update + b"/accepted", b"{" + token + b',"timestamp":<time>}', qos=1))
    device.acknowledge(told)
    device.send(publish(update, b'{"status":"IN_PROGRESS","statusDetails":{"self_test":"receiving","progress":"10/100"},' + token + b"}"))
    told = device.expect(answer(update + b"/accepted", b"{" + token + b',"timestamp":<time>}', qos=1))
    device.acknowledge(told[0])
    device.send(publish(update, b'{"status":"FAILED","statusDetails":{"self_test":"rejected","progress":"100/100","reason":"sig_check_failed","error_code":1001},' + token + b"}", 5))
    _, told, gone = device.expect(b"\x40\x02\x00\x05", answer(update + b"/accepted", b"{" + token + b',"timestamp":<time>}', qos=1), answer(jobs("notify-next"), b'{"timestamp":<time>}', qos=1))
    device.acknowledge(told)
    device.acknowledge(gone)
    device.quiet()
    seen = iot.describe_job_execution(jobId=job, thingName=thing)["execution"]
    assert (seen["status"], seen["statusDetails"]["detailsMap"]) == (
        "FAILED", {"self_test": "rejected", "progress": "100/100", "reason": "sig_check_failed", "error_code": "1001"})
