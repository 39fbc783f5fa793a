"""What an operator switches on by flags: limits, the webhook, a test clock with a reset. Each test has a server of its own."""

import hashlib
import hmac
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from conftest import counters, eventually, refused

SECRET = b"a secret of both sides"


class Own:
    """A server with flags, and stock clients of it."""

    def __init__(self, folder, *flags):
        self.folder, self.flags = folder, flags
        self.start()

    def start(self):
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [os.environ["MUSTER"], "serve", "--data", self.folder / "data", "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--mqtts", "", "--https", "",
             "--mqtt-plain", "127.0.0.1:0", "--ready-file", ready, "--log-level", "error", *self.flags], stdout=subprocess.DEVNULL)
        eventually(ready.exists, "the server", 30)
        self.ready = json.loads(ready.read_text())
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = self.ready["credentials_file"]
        self.session = boto3.Session(region_name=self.ready["region"])
        self.iot = self.client("iot")
        self.data = self.client("iot-jobs-data")

    def client(self, service):
        return self.session.client(service, endpoint_url=self.ready["api_url"], config=Config(retries={"total_max_attempts": 1}))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def arn(self, kind, name):
        return f"arn:aws:iot:{self.ready['region']}:{self.ready['account']}:{kind}/{name}"

    def signed(self, method, path, body=None):
        """One request of Muster's own API, signed by botocore."""
        request = AWSRequest(method, self.ready["api_url"] + path, data=json.dumps(body) if body is not None else None)
        SigV4Auth(self.session.get_credentials(), "iot", self.ready["region"]).add_auth(request)
        answer = URLLib3Session().send(request.prepare())
        return answer.status_code, answer.content


@pytest.fixture
def own(tmp_path):
    before, running = dict(os.environ), []
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        os.environ.pop(name, None)

    def start(*flags):
        running.append(Own(tmp_path, *flags))
        return running[-1]

    yield start
    for server in running:
        server.kill()
    os.environ.clear()
    os.environ.update(before)


class Receiver(ThreadingHTTPServer):
    """An operator's server: verifies, keeps and answers what it is told to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.events, self.answers, self.lock = [], [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def flags(self, folder, *more):
        secret = folder / "secret"
        secret.write_bytes(SECRET + b"\n")
        secret.chmod(0o600)
        return ["--webhook-url", f"http://127.0.0.1:{self.server_port}/in", "--webhook-secret-file", secret, *more]

    def told(self):
        with self.lock:
            return [(e["type"].removeprefix("io.github.muster-iot."), e["subject"]) for e in self.events]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204
        if status == 204:
            assert genuine(SECRET, self.headers["Muster-Signature"], body, time.time())
            events = json.loads(body)
            with self.server.lock:
                self.server.events += events if isinstance(events, list) else [events]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def genuine(secret: bytes, header: str, body: bytes, now: float) -> bool:  # as docs/operator-guide.md shows it
    t, v1 = (part.split("=", 1)[1] for part in header.split(","))
    expected = hmac.new(secret, t.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, v1) and abs(now - int(t)) < 300


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.shutdown()
    receiver.server_close()


def test_a_webhook_is_told_in_order_over_refusals_and_a_kill(own, receiver, tmp_path):
    server = own(*receiver.flags(tmp_path, "--webhook-events", "THING,JOB,JOB_EXECUTION"))
    receiver.answers += [503, 500]
    for name in ("lamp", "pump"):
        server.iot.create_thing(thingName=name)
    server.iot.create_job(jobId="fw", targets=[server.arn("thing", "lamp"), server.arn("thing", "pump")], document="{}")
    eventually(lambda: counters(server.iot, "fw")["Queued"] == 2, "the rollout")
    server.data.update_job_execution(jobId="fw", thingName="lamp", status="FAILED", statusDetails={"why": "checksum"})
    server.data.update_job_execution(jobId="fw", thingName="pump", status="SUCCEEDED")
    server.kill()
    server.start()
    want = [("thing.created", "thing/lamp"), ("thing.created", "thing/pump"), ("jobExecution.failed", "thing/lamp/job/fw"),
            ("jobExecution.succeeded", "thing/pump/job/fw"), ("job.completed", "job/fw")]
    eventually(lambda: want[-1] in receiver.told(), "the last event", 30)
    with receiver.lock:
        events = {e["id"]: e for e in receiver.events}  # a kill may bring some again
    told = [(e["type"].removeprefix("io.github.muster-iot."), e["subject"]) for e in sorted(events.values(), key=lambda e: e["sequence"])]
    assert told == want
    failed = next(e for e in events.values() if e["type"].endswith("failed"))
    assert failed["specversion"] == "1.0" and failed["datacontenttype"] == "application/json"
    assert failed["data"]["thingArn"] == server.arn("thing", "lamp") and failed["data"]["statusDetails"] == {"why": "checksum"}
    assert failed["data"]["eventId"] == failed["id"]


def test_a_webhook_is_told_who_did_what(own, receiver, tmp_path):
    server = own(*receiver.flags(tmp_path, "--webhook-events", "MUSTER_AUDIT"))
    server.iot.create_thing(thingName="lamp")
    server.kill()  # before it is told, or after
    server.start()
    eventually(lambda: receiver.told(), "the record", 30)
    with receiver.lock:
        told = {e["id"]: e for e in receiver.events}.values()
    [event] = told
    assert event["type"] == "io.github.muster-iot.audit.recorded" and event["subject"] == "audit/" + event["data"]["requestId"]
    assert event["data"]["operation"] == "CreateThing" and event["data"]["outcome"] == "done" and event["data"]["resources"] == [server.arn("thing", "lamp")]


def test_events_reach_a_kept_session_over_kills(own):
    server = own()
    listen(server, 1, "-E")  # subscribes and goes
    server.iot.update_event_configurations(eventConfigurations={"JOB_EXECUTION": {"Enabled": True}})
    done = []
    for i in range(5):
        thing, job = f"t{i}", f"fw{i}"
        server.iot.create_thing(thingName=thing)
        server.iot.create_job(jobId=job, targets=[server.arn("thing", thing)], document="{}")
        eventually(lambda: counters(server.iot, job)["Queued"] == 1, "the rollout")
        server.data.update_job_execution(jobId=job, thingName=thing, status="SUCCEEDED")
        done.append(f"$aws/events/jobExecution/{job}/succeeded")
        server.kill()  # with the event just told, or not
        server.start()
    heard = []
    eventually(lambda: heard.extend(listen(server, 2)) or {topic for topic, _ in heard} == set(done), "all events", 30)
    for topic in done:
        assert len({json.loads(payload)["eventId"] for heard_topic, payload in heard if heard_topic == topic}) == 1


def listen(server, seconds, *more):
    """What a client with a kept session gets within some seconds, as topics and payloads."""
    host, port = server.ready["mqtt_addr"].rsplit(":", 1)
    heard = subprocess.run(["mosquitto_sub", "-h", host, "-p", port, "-c", "-i", "watcher", "-q", "1", "-t", "$aws/events/jobExecution/#",
                            "-W", str(seconds), "-F", "%t %p", *more], capture_output=True, text=True, timeout=60)
    return [tuple(line.split(" ", 1)) for line in heard.stdout.splitlines()]


def test_batches_of_a_webhook(own, receiver, tmp_path):
    server = own(*receiver.flags(tmp_path, "--webhook-events", "THING", "--webhook-batch", "10"))
    for i in range(25):
        server.iot.create_thing(thingName=f"t{i:02}")
    eventually(lambda: len(receiver.told()) >= 25, "all events")
    assert receiver.told() == [("thing.created", f"thing/t{i:02}") for i in range(25)]


def test_the_limits_of_aws(own):
    server = own("--limits", "aws", "--limit", "operation-rate=2", "--limit", "job-templates=1")
    with pytest.raises(ClientError) as caught:
        for _ in range(1000):
            server.iot.list_things()
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    server.iot.create_job_template(jobTemplateId="one", document="{}", description="-")
    eventually(lambda: refusal(server.iot.create_job_template, jobTemplateId="two", document="{}", description="-") == "LimitExceededException",
               "the limit of templates, once the rate allows the question")


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_jobs_wait_for_their_turn(own):
    server = own("--limit", "concurrent-jobs=1", "--test-clock")
    server.iot.create_thing_group(thingGroupName="all")
    for i in range(2):
        server.iot.create_thing(thingName=f"t{i}")
        server.iot.add_thing_to_thing_group(thingGroupName="all", thingName=f"t{i}")
    for job in ("first", "second"):
        server.iot.create_job(jobId=job, targets=[server.arn("thinggroup", "all")], document="{}",
                              jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    eventually(lambda: counters(server.iot, "first")["Queued"] == 1, "the first thing")
    described = server.iot.describe_job(jobId="second")["job"]
    assert (described["status"], described["isConcurrent"]) == ("IN_PROGRESS", False)
    assert server.iot.describe_job(jobId="first")["job"]["isConcurrent"]
    assert counters(server.iot, "second")["Queued"] == 0
    assert server.signed("POST", "/muster/v1/clock", {"advance": "1m"})[0] == 200
    assert (counters(server.iot, "first")["Queued"], counters(server.iot, "second")["Queued"]) == (2, 1)


def test_a_reset(own):
    server = own("--test-clock")
    server.iot.create_thing(thingName="lamp")
    server.iot.create_keys_and_certificate(setAsActive=True)
    server.iot.create_policy(policyName="all", policyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}))
    server.iot.create_job(jobId="fw", targets=[server.arn("thing", "lamp")], document="{}")
    status, answer = server.signed("POST", "/muster/v1/reset")
    assert status == 200 and "now" in json.loads(answer)
    assert server.iot.list_things()["things"] == [] and server.iot.list_jobs()["jobs"] == []
    assert server.iot.list_certificates()["certificates"] == [] and server.iot.list_policies()["policies"] == []
    server.iot.create_thing(thingName="lamp")
    server.iot.create_job(jobId="fw", targets=[server.arn("thing", "lamp")], document="{}")
    eventually(lambda: server.data.start_next_pending_job_execution(thingName="lamp").get("execution", {}).get("jobId") == "fw", "the new job")


def test_paced_joiners(own):
    server = own("--test-clock")
    server.iot.create_thing_group(thingGroupName="all")
    server.iot.create_job(jobId="fw", targets=[server.arn("thinggroup", "all")], document="{}", targetSelection="CONTINUOUS",
                          jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    assert server.signed("PUT", "/muster/v1/jobs/fw/options", {"paceJoiners": True})[0] == 200
    for i in range(3):
        server.iot.create_thing(thingName=f"t{i}")
        server.iot.add_thing_to_thing_group(thingGroupName="all", thingName=f"t{i}")
    for n in (1, 2, 3):
        eventually(lambda: counters(server.iot, "fw")["Queued"] == n, f"{n} joiners")
        assert server.signed("POST", "/muster/v1/clock", {"advance": "1m"})[0] == 200
    refused("ResourceNotFoundException", 404, server.iot.describe_job, jobId="none")
