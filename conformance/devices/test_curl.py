"""Jobs with curl and a client certificate (device-clients.md section 10)."""

import json
import re
import subprocess

import pytest

from conftest import DOCUMENT, eventually
from fleet import rows

ACTIONS = [f"iotjobsdata:{a}" for a in ("DescribeJobExecution", "GetPendingJobExecutions", "StartNextPendingJobExecution", "UpdateJobExecution")]


@pytest.fixture
def pump(enroll, arn):
    """A thing that may do its jobs over HTTPS. Its policy names things: the thing of a connection is known to MQTT alone (AUTH-42)."""
    return enroll("pump", {"Effect": "Allow", "Action": ACTIONS, "Resource": arn("thing", "pump-*")})


@pytest.fixture
def thing(pump):
    return pump.thing


@pytest.fixture(params=["port of its own", "ALPN x-amzn-http-ca"])
def curl(request, server, pump, tmp_path):
    """Runs curl as the thing's device; returns status, answer and header."""
    def call(method, path, body=None, *more, device=pump):
        if "ALPN" in request.param:
            # curl has no option for a name of one's own, so openssl does the handshake.
            return over_alpn(server, device, method, path, body)
        command = ["curl", "--silent", "--show-error", "--max-time", "20", "--cacert", device.ca, "--cert", device.certificate, "--key", device.key,
                   "--request", method, "--write-out", "\n%{http_code}", "--dump-header", str(tmp_path / "header"), server["https_url"] + path, *more]
        if body is not None:
            command += ["--header", "Content-Type:", "--data-binary", body]
        text, status = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rsplit("\n", 1)
        return int(status), json.loads(text), (tmp_path / "header").read_text()

    return call


def over_alpn(server, device, method, path, body):
    """One request through `openssl s_client -alpn x-amzn-http-ca`."""
    body = body or ""
    request = f"{method} {path} HTTP/1.1\r\nHost: {server['alpn_addr']}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    done = subprocess.run(
        ["openssl", "s_client", "-connect", server["alpn_addr"], "-alpn", "x-amzn-http-ca", "-CAfile", device.ca, "-verify_return_error",
         "-cert", device.certificate, "-key", device.key, "-quiet", "-ign_eof"],
        input=request, capture_output=True, text=True, timeout=20)
    head, _, text = done.stdout.partition("\r\n\r\n") if "\r\n\r\n" in done.stdout else done.stdout.partition("\n\n")
    status = re.match(r"HTTP/1.1 (\d+)", head)
    assert status, f"openssl s_client: {done.stdout} {done.stderr}"
    return int(status[1]), json.loads(text), head


@rows(7, 8)
def test_nothing_to_do(curl, thing):
    assert curl("GET", f"/things/{thing}/jobs")[:2] == (200, {"inProgressJobs": [], "queuedJobs": []})
    assert curl("PUT", f"/things/{thing}/jobs/$next", "{}")[:2] == (200, {})


@rows(5, 10, 50, 51)
def test_a_job_to_its_end(curl, create, thing, data):
    job = create("job")
    eventually(lambda: curl("GET", f"/things/{thing}/jobs")[1]["queuedJobs"], "the execution")
    status, got, _ = curl("GET", f"/things/{thing}/jobs/$next")
    assert (status, got["execution"]["jobId"], got["execution"]["jobDocument"], got["execution"]["thingName"]) == (200, job, DOCUMENT, thing)
    status, got, _ = curl("PUT", f"/things/{thing}/jobs/%24next", '{"statusDetails":{"step":"0"}}')
    assert (status, got["execution"]["status"], got["execution"]["versionNumber"]) == (200, "IN_PROGRESS", 2)
    status, got, _ = curl("PUT", f"/things/{thing}/jobs/$next")
    assert (status, got["execution"]["versionNumber"]) == (200, 2), "no body is an empty object"
    status, got, _ = curl("POST", f"/things/{thing}/jobs/{job}", '{"status":"SUCCEEDED","includeJobExecutionState":true,"expectedVersion":2}')
    assert (status, got["executionState"]) == (200, {"status": "SUCCEEDED", "statusDetails": {"step": "0"}, "versionNumber": 3})
    status, got, head = curl("GET", f"/things/{thing}/jobs/{job}")
    assert (status, "TerminalStateException" in head) == (410, True), (status, got, head)


@rows(3)
def test_refusals_are_modelled(curl, create, thing):
    job = create("job")
    eventually(lambda: curl("GET", f"/things/{thing}/jobs")[1]["queuedJobs"], "the execution")
    for body, want, kind in (
        ('{"status":"IN_PROGRESS","expectedVersion":7}', 409, "InvalidStateTransitionException"),
        ('{"status":"QUEUED"}', 400, "InvalidRequestException"),
        ("[", 400, "InvalidRequestException"),
    ):
        status, got, head = curl("POST", f"/things/{thing}/jobs/{job}", body)
        assert (status, bool(got["message"])) == (want, True) and kind in head, (body, status, got, head)


def test_a_certificate_acts_for_the_things_its_policy_names_alone(curl, iot, name, server):
    other = iot.create_thing(thingName=name("valve"))["thingName"]
    for method, path in (("GET", "jobs"), ("PUT", "jobs/$next"), ("GET", "jobs/x"), ("POST", "jobs/x")):
        status, got, head = curl(method, f"/things/{other}/{path}", '{"status":"FAILED"}' if method == "POST" else None)
        assert (status, "ForbiddenException" in head) == (403, True), (method, path, status, got)


def test_a_certificate_that_was_deactivated_is_refused(curl, iot, thing):
    [principal] = iot.list_thing_principals(thingName=thing)["principals"]
    iot.update_certificate(certificateId=principal.split("/")[1], newStatus="INACTIVE")
    status, got, _ = curl("GET", f"/things/{thing}/jobs")
    assert (status, got["message"]) == (403, "Forbidden")
    iot.update_certificate(certificateId=principal.split("/")[1], newStatus="ACTIVE")
    assert curl("GET", f"/things/{thing}/jobs")[0] == 200


def test_tls_1_2_and_1_3(server, pump):
    for flag, version in (("--tlsv1.2 --tls-max 1.2", "TLSv1.2"), ("--tlsv1.3", "TLSv1.3")):
        done = subprocess.run(
            ["curl", "--silent", "--verbose", "--max-time", "20", *flag.split(), "--cacert", pump.ca, "--cert", pump.certificate, "--key", pump.key,
             f"{server['https_url']}/things/{pump.thing}/jobs"], check=True, capture_output=True, text=True)
        assert f"SSL connection using {version}" in done.stderr and "queuedJobs" in done.stdout


def test_without_a_certificate_there_is_no_connection(server, pump):
    done = subprocess.run(["curl", "--silent", "--max-time", "20", "--cacert", pump.ca, f"{server['https_url']}/things/{pump.thing}/jobs"], capture_output=True)
    assert done.returncode in (35, 56), done  # the handshake fails; with TLS 1.3 the client sees it at its first read


def test_publish_with_a_certificate(server, enroll, arn, curl):
    """HTTPS Publish by raw slashes, held to the device's policy (mqtt-broker.md section 11)."""
    sensor = enroll("sensor", {"Effect": "Allow", "Action": "iot:Publish", "Resource": arn("topic", "rooms/*")})
    status, body, _ = curl("POST", "/topics/rooms/one?qos=1", "21.5", device=sensor)
    assert (status, body["message"]) == (200, "OK") and body["traceId"]
    status, body, header = curl("POST", "/topics/halls/one?qos=1", "21.5", device=sensor)
    assert status == 403 and body["message"] == "Forbidden"
    assert "x-amzn-errortype: ForbiddenException" in header.replace("X-Amzn-Errortype", "x-amzn-errortype")
