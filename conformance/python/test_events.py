"""What fleet software is told on $aws/events/: the AWS CLI and boto3 act, mosquitto_sub listens."""

import json
import subprocess

import pytest

from conftest import DOCUMENT, queued


def place(server, listener):
    host, port = server[listener].rsplit(":", 1)
    return ["-h", host, "-p", port]


@pytest.fixture
def listen(server):
    """Subscribes with QoS 1; what it returns gives the next n events, as topics and payloads."""
    running = []

    def start(*filters):
        listener = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", *place(server, "mqtt_addr"), "-q", "1", "-d", "-W", "60", "-F", "heard %t %p",
             *(word for f in filters for word in ("-t", f))], stdout=subprocess.PIPE, text=True)
        running.append(listener)
        assert any("SUBACK" in line for line in listener.stdout), "no SUBACK"

        def heard(n):
            events = []
            for line in listener.stdout:
                if line.startswith("heard "):
                    _, topic, payload = line.split(" ", 2)
                    events.append((topic.removeprefix("$aws/events/"), json.loads(payload)))
                    if len(events) == n:
                        return events
            raise AssertionError(f"{len(events)} of {n} events came: {events}")

        return heard

    yield start
    for listener in running:
        listener.kill()
        listener.wait()


@pytest.fixture(scope="module")
def enabled(aws):
    """Job events on."""
    def switch(on):
        types = {name: {"Enabled": on} for name in ("JOB", "JOB_EXECUTION")}
        aws("iot update-event-configurations --event-configurations", json.dumps(types))

    switch(True)
    yield
    switch(False)


def test_the_configuration_of_events(aws, enabled):
    told = aws("iot describe-event-configurations")
    on = {name for name, c in told["eventConfigurations"].items() if c["Enabled"]}
    assert (on, len(told["eventConfigurations"])) == ({"JOB", "JOB_EXECUTION"}, 11)
    assert told["lastModifiedDate"] >= told["creationDate"]
    aws("iot update-event-configurations --event-configurations", '{"JOBS":{"Enabled":true}}', fails="InvalidRequestException")


def test_cancelling_and_deleting_a_job_is_told_of(iot, aws, arn, name, thing, enabled, listen):
    job = name("job")
    heard = listen(f"$aws/events/job/{job}/+", f"$aws/events/jobExecution/{job}/+")
    iot.create_job(jobId=job, targets=[arn("thing", thing)], document=DOCUMENT, description="September firmware")
    queued(iot, job, 1)
    aws(f"iot cancel-job --job-id {job} --comment", "wrong file")
    events = heard(3)
    aws(f"iot delete-job --job-id {job}")
    events += heard(3)
    told = dict(events)
    assert list(told) == [topic.format(job) for topic in (
        "job/{}/cancellation_in_progress", "jobExecution/{}/canceled", "job/{}/canceled",
        "job/{}/deletion_in_progress", "jobExecution/{}/deleted", "job/{}/deleted")]

    canceled = told[f"job/{job}/canceled"]
    assert {k: canceled.pop(k) for k in ("eventType", "operation", "jobId", "status", "targetSelection", "targets", "description", "comment")} == {
        "eventType": "JOB", "operation": "canceled", "jobId": job, "status": "CANCELED", "targetSelection": "SNAPSHOT",
        "targets": [arn("thing", thing)], "description": "September firmware", "comment": "wrong file"}
    assert set(canceled) == {"eventId", "timestamp", "createdAt", "lastUpdatedAt"}
    assert canceled["createdAt"] // 1000 <= canceled["timestamp"] < canceled["createdAt"] // 1000 + 60, "seconds beside milliseconds (jobs-events.md J5)"

    execution = told[f"jobExecution/{job}/deleted"]
    assert (execution["eventType"], execution["thingArn"], execution["status"]) == ("JOB_EXECUTION", arn("thing", thing), "DELETED")
    assert len({event["eventId"] for event in told.values()}) == len(events)


def test_a_job_to_its_end_is_told_of(server, aws, thing, job, enabled, listen):
    heard = listen(f"$aws/events/job/{job}/#", f"$aws/events/jobExecution/{job}/#")
    topic = f"$aws/things/{thing}/jobs/{job}/update"
    subprocess.run(["mosquitto_rr", *place(server, "mqtt_addr"), "-q", "1", "-W", "10", "-t", topic, "-e", f"{topic}/accepted",
                    "-m", '{"status":"FAILED","statusDetails":{"reason":"checksum"}}'], check=True, capture_output=True, timeout=20)
    (failed, execution), (completed, told) = heard(2)
    assert (failed, completed) == (f"jobExecution/{job}/failed", f"job/{job}/completed")
    assert (execution["status"], execution["statusDetails"]) == ("FAILED", {"reason": "checksum"})
    assert (told["status"], told["jobProcessDetails"]["numberOfFailedThings"], len(told["jobProcessDetails"])) == ("COMPLETED", 1, 5)


def test_the_registry_is_told_of(iot, name, listen):
    lamp, house = name("lamp"), name("house")
    types = ("THING", "THING_GROUP", "THING_GROUP_MEMBERSHIP")
    iot.update_event_configurations(eventConfigurations={t: {"Enabled": True} for t in types})
    try:
        heard = listen(f"$aws/events/thing/{lamp}/+", f"$aws/events/thingGroup/{house}/+", f"$aws/events/thingGroupMembership/thingGroup/{house}/#")
        made = iot.create_thing(thingName=lamp, attributePayload={"attributes": {"watt": "9"}})
        group = iot.create_thing_group(thingGroupName=house)
        iot.add_thing_to_thing_group(thingName=lamp, thingGroupName=house)
        told = dict(heard(3))
        iot.delete_thing(thingName=lamp)
        iot.delete_thing_group(thingGroupName=house)
        assert [topic for topic, _ in heard(3)] == [
            f"thingGroupMembership/thingGroup/{house}/thing/{lamp}/removed", f"thing/{lamp}/deleted", f"thingGroup/{house}/deleted"]
    finally:
        iot.update_event_configurations(eventConfigurations={t: {"Enabled": False} for t in types})
    thing = told[f"thing/{lamp}/created"]
    assert (thing["eventType"], thing["thingId"], thing["thingTypeName"], thing["attributes"]) == ("THING_EVENT", made["thingId"], None, {"watt": "9"})
    member = told[f"thingGroupMembership/thingGroup/{house}/thing/{lamp}/added"]
    assert (member["groupId"], member["thingId"]) == (group["thingGroupId"], made["thingId"])


def test_who_comes_and_goes(server, name, listen):
    lamp = name("lamp")
    heard = listen(f"$aws/events/presence/+/{lamp}")
    subprocess.run(["mosquitto_pub", *place(server, "mqtt_addr"), "-i", lamp, "-t", "a", "-m", "b"], check=True, timeout=20)
    (_, connected), (topic, disconnected) = heard(2)
    assert topic == f"presence/disconnected/{lamp}"
    assert (connected["clientId"], connected["eventType"], connected["ipAddress"]) == (lamp, "connected", "127.0.0.1")
    assert (disconnected["clientInitiatedDisconnect"], disconnected["disconnectReason"]) == (True, "CLIENT_INITIATED_DISCONNECT")
    same = ("sessionIdentifier", "principalIdentifier", "versionNumber")
    assert [connected[k] for k in same] == [disconnected[k] for k in same]


def test_a_certificate_registers_itself(server, iot, arn, name, listen, tmp_path):
    """Just-in-time registration: refused, told of, activated by whoever was told, let in."""
    def openssl(line):
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
    openssl(f"req -x509 {curve} -keyout ca.key -out ca.pem -days 2 -subj /CN={name('ca')} -addext keyUsage=critical,keyCertSign")
    openssl(f"req {curve} -keyout device.key -out device.csr -subj /CN={name('device')}")
    openssl("x509 -req -in device.csr -CA ca.pem -CAkey ca.key -set_serial 1 -days 1 -out device.pem")
    issuer = iot.register_ca_certificate(caCertificate=(tmp_path / "ca.pem").read_text(), certificateMode="SNI_ONLY",
                                         setAsActive=True, allowAutoRegistration=True)["certificateId"]
    heard = listen(f"$aws/events/certificates/registered/{issuer}")
    device = ["mosquitto_pub", *place(server, "mqtts_addr"), "-i", name("device"), "-t", "a", "-m", "b", "-q", "1", "--cafile", server["ca_file"],
              "--cert", f"{tmp_path}/device.pem", "--key", f"{tmp_path}/device.key"]
    assert subprocess.run(device, capture_output=True, timeout=20).returncode != 0, "an unknown certificate was let in"

    [(_, told)] = heard(1)
    certificate = told["certificateId"]
    assert (told["caCertificateId"], told["certificateStatus"], told["awsAccountId"]) == (issuer, "PENDING_ACTIVATION", server["account"])
    assert iot.describe_certificate(certificateId=certificate)["certificateDescription"]["status"] == "PENDING_ACTIVATION"

    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    iot.create_policy(policyName=name("all"), policyDocument=json.dumps(everything))
    iot.attach_policy(policyName=name("all"), target=arn("cert", certificate))
    iot.update_certificate(certificateId=certificate, newStatus="ACTIVE")
    subprocess.run(device, check=True, capture_output=True, timeout=20)
