"""Makes folder.tar.gz, answers.json and messages.json, with a binary of the release that wrote format 1.

    python3 make.py MUSTER OUT

MUSTER is that binary (commit 0f7ffa0), OUT the folder for the three files; boto3 and
paho-mqtt must be installed. A later release writes a later format, so this is kept
to show what the folder holds, and is not run again.

The clock of the folder is far in the future, so that no deadline in it comes due when a
test serves it. Keys and certificates in it were made for it and are good for nothing else.
"""

import atexit
import datetime
import gzip
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import boto3
import paho.mqtt.client as mqtt
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MUSTER, OUT = sys.argv[1], sys.argv[2]
PORT = 21200
ACCOUNT = "000000000000"
NOW = "2126-03-01T12:00:00Z"  # what the folder's clock shows at the end
FLAGS = [
    "--api", f"127.0.0.1:{PORT}", "--mqtts", f"127.0.0.1:{PORT+1}", "--https", f"127.0.0.1:{PORT+2}",
    "--files", f"127.0.0.1:{PORT+3}", "--mqtt-plain", f"127.0.0.1:{PORT+4}", "--test-clock",
    "--session-expiry", "168h", "--limit", "concurrent-jobs=2", "--log-level", "warn",
    "--webhook-url", f"http://127.0.0.1:{PORT+9}/", "--webhook-attempts", "1", "--webhook-secret-file",
]


def arn(rest):
    return f"arn:aws:iot:us-east-1:{ACCOUNT}:{rest}"


class Receiver(http.server.BaseHTTPRequestHandler):
    """The webhook: it refuses three events for good and then wants to be asked again later."""

    refused = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Receiver.refused += 1
        self.send_response(400 if Receiver.refused <= 3 else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server:
    def __init__(self, data, *flags):
        self.data, self.ready = data, os.path.join(data, "ready.json")
        if os.path.exists(self.ready):
            os.remove(self.ready)
        secret = os.path.join(os.path.dirname(data), "secret")
        with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write("for the test data alone, and long enough")
        self.process = subprocess.Popen([MUSTER, "serve", "--data", data, *FLAGS, secret, *flags])
        atexit.register(self.process.kill)
        while not os.path.exists(self.ready):
            if self.process.poll() is not None:
                raise SystemExit("the server ended")
            time.sleep(0.02)
        time.sleep(0.1)
        lines = dict(l.strip().split(" = ") for l in open(os.path.join(data, "credentials")) if " = " in l)
        self.key = Credentials(lines["aws_access_key_id"], lines["aws_secret_access_key"])
        self.url = f"http://127.0.0.1:{PORT}"
        keys = {"aws_access_key_id": self.key.access_key, "aws_secret_access_key": self.key.secret_key, "region_name": "us-east-1"}
        self.iot = boto3.client("iot", endpoint_url=self.url, **keys)
        self.jobs = boto3.client("iot-jobs-data", endpoint_url=self.url, **keys)
        self.s3 = boto3.client("s3", endpoint_url=self.url, config=Config(s3={"addressing_style": "path"}), **keys)

    def ask(self, method, path, body=None, service="iot"):
        data = None if body is None else json.dumps(body).encode()
        request = AWSRequest(method=method, url=self.url + path, data=data, headers={"Content-Type": "application/json"} if data else {})
        SigV4Auth(self.key, service, "us-east-1").add_auth(request)
        prepared = request.prepare()
        sent = urllib.request.Request(prepared.url, data=data, headers=dict(prepared.headers), method=method)
        try:
            with urllib.request.urlopen(sent) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def clock(self, **order):
        status, body = self.ask("POST", "/muster/v1/clock", order)
        assert status == 200, body

    def travel(self, to):
        """Moves the clock, which goes ten years at a time."""
        for year in range(datetime.date.today().year + 9, 2126, 9):
            self.clock(set=f"{year}-01-01T00:00:00Z")
        self.clock(set=to)

    def settle(self):
        """Returns when nothing is due any more."""
        self.clock(advance="0s")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait() == 0


def connect(client_id, on_message=None):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 604800
    connected = []
    client.on_connect = lambda *a: connected.append(a[3])
    client.on_message = on_message
    client.connect("127.0.0.1", PORT + 4, properties=properties, clean_start=False)
    client.loop_start()
    wait(lambda: connected)
    return client


def wait(done):
    end = time.time() + 10
    while not done():
        assert time.time() < end
        time.sleep(0.01)


def subscribe(client, *topics):
    acknowledged = []
    client.on_subscribe = lambda *a: acknowledged.append(a)
    client.subscribe([(t, 1) for t in topics])
    wait(lambda: acknowledged)


def publish(client, topic, payload, **options):
    client.publish(topic, payload, qos=1, **options).wait_for_publish(10)


def registry(s):
    iot = s.iot
    iot.create_thing_type(thingTypeName="lamp", thingTypeProperties={"thingTypeDescription": "a lamp", "searchableAttributes": ["room"]})
    iot.create_thing_type(thingTypeName="old")
    iot.deprecate_thing_type(thingTypeName="old")
    iot.update_indexing_configuration(thingIndexingConfiguration={
        "thingIndexingMode": "REGISTRY", "thingConnectivityIndexingMode": "STATUS",
        "customFields": [{"name": "attributes.watts", "type": "Number"}]})
    iot.update_event_configurations(eventConfigurations={k: {"Enabled": True} for k in ["JOB", "JOB_EXECUTION", "THING", "THING_GROUP"]})
    for i in range(1, 13):
        iot.create_thing(thingName=f"lamp{i}", thingTypeName="lamp", attributePayload={"attributes": {"room": f"r{i % 3}", "watts": str(10 * i)}})
    iot.create_thing(thingName="sensor")
    iot.create_thing_group(thingGroupName="building", tags=[{"Key": "muster:plan", "Value": "none"}])
    iot.create_thing_group(thingGroupName="floor1", parentGroupName="building")
    iot.create_thing_group(thingGroupName="floor2", parentGroupName="building", thingGroupProperties={
        "thingGroupDescription": "second", "attributePayload": {"attributes": {"door": "red"}}})
    iot.create_thing_group(thingGroupName="kitchen", parentGroupName="floor1")
    for i in range(1, 5):
        iot.add_thing_to_thing_group(thingGroupName="kitchen", thingName=f"lamp{i}")
    for i in range(5, 9):
        iot.add_thing_to_thing_group(thingGroupName="floor2", thingName=f"lamp{i}")
    iot.create_thing_group(thingGroupName="campus")
    for i in range(1, 13):
        iot.add_thing_to_thing_group(thingGroupName="campus", thingName=f"lamp{i}")
    iot.create_dynamic_thing_group(thingGroupName="strong", queryString="attributes.watts>=100")
    iot.create_dynamic_thing_group(thingGroupName="online", queryString="connectivity.connected:true")
    s.settle()


def rights(s):
    iot = s.iot
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    narrow = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iot:Publish", "Resource": "*"}]}
    iot.create_policy(policyName="device", policyDocument=json.dumps(wide), tags=[{"Key": "for", "Value": "devices"}])
    iot.create_policy_version(policyName="device", policyDocument=json.dumps(narrow))
    iot.create_policy(policyName="unused", policyDocument=json.dumps(narrow))
    made = iot.create_keys_and_certificate(setAsActive=True)
    spare = iot.create_keys_and_certificate(setAsActive=False)
    iot.attach_policy(policyName="device", target=made["certificateArn"])
    iot.attach_policy(policyName="device", target=arn("thinggroup/campus"))
    iot.attach_thing_principal(thingName="lamp1", principal=made["certificateArn"])
    iot.update_certificate(certificateId=spare["certificateId"], newStatus="REVOKED")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an own CA")])
    begin = datetime.datetime(2026, 1, 1)
    own = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
           .not_valid_before(begin).not_valid_after(begin.replace(year=2200))
           .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))
    pem = own.public_bytes(serialization.Encoding.PEM).decode()
    iot.register_ca_certificate(caCertificate=pem, certificateMode="SNI_ONLY", setAsActive=True, allowAutoRegistration=True)
    with open(os.path.join(s.data, "device-cert.pem"), "w") as f:
        f.write(made["certificatePem"])
    with open(os.path.join(s.data, "device-key.pem"), "w") as f:
        f.write(made["keyPair"]["PrivateKey"])
    os.chmod(os.path.join(s.data, "device-key.pem"), 0o600)


def catalog(s):
    iot = s.iot
    iot.update_package_configuration(versionUpdateByJobsConfig={"enabled": True, "roleArn": f"arn:aws:iam::{ACCOUNT}:role/any"})
    iot.create_package(packageName="app", description="the app", tags={"team": "one"})
    for version in ["1.0", "2.0"]:
        iot.create_package_version(packageName="app", versionName=version, attributes={"size": "10"})
    iot.update_package_version(packageName="app", versionName="1.0", action="PUBLISH")
    iot.update_package_version(packageName="app", versionName="2.0", action="PUBLISH")
    iot.update_package(packageName="app", defaultVersionName="1.0")
    iot.create_job_template(jobTemplateId="blink", description="blinks", document='{"do":"blink"}',
                            timeoutConfig={"inProgressTimeoutInMinutes": 30}, tags=[{"Key": "a", "Value": "b"}])
    s.s3.create_bucket(Bucket="firmware")
    s.s3.put_bucket_versioning(Bucket="firmware", VersioningConfiguration={"Status": "Enabled"})
    s.s3.put_object(Bucket="firmware", Key="empty", Body=b"")
    s.s3.put_object(Bucket="firmware", Key="small.json", Body=b'{"do":"from a file"}', ContentType="application/json")
    s.s3.put_object(Bucket="firmware", Key="small.json", Body=b'{"do":"from a newer file"}', ContentType="application/json")
    s.s3.put_object(Bucket="firmware", Key="app.bin", Body=bytes(range(256)) * 400)
    upload = s.s3.create_multipart_upload(Bucket="firmware", Key="large.bin")["UploadId"]
    parts = []
    for number, body in [(1, b"\0" * (5 << 20)), (2, b"end")]:
        part = s.s3.upload_part(Bucket="firmware", Key="large.bin", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s.s3.complete_multipart_upload(Bucket="firmware", Key="large.bin", UploadId=upload, MultipartUpload={"Parts": parts})
    open_one = s.s3.create_multipart_upload(Bucket="firmware", Key="unfinished")["UploadId"]
    s.s3.upload_part(Bucket="firmware", Key="unfinished", UploadId=open_one, PartNumber=1, Body=b"half")


def thing(name):
    return [arn("thing/" + name)]


def group(name):
    return [arn("thinggroup/" + name)]


def report(s, name, job, *statuses, **more):
    for status in statuses:
        s.jobs.update_job_execution(thingName=name, jobId=job, status=status, **more)


def the_jobs(s):
    iot = s.iot

    def create(job, targets, **more):
        more.setdefault("document", json.dumps({"job": job}))
        iot.create_job(jobId=job, targets=targets, **more)
        s.settle()

    # Every status of an execution, with details, numbers above 1, retries and time-outs.
    create("all-states", group("campus"), timeoutConfig={"inProgressTimeoutInMinutes": 10080},
           jobExecutionsRetryConfig={"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 3}]},
           description="every status", tags=[{"Key": "muster:plan", "Value": "rollout"}, {"Key": "who", "Value": "ops"}])
    report(s, "lamp1", "all-states", "IN_PROGRESS", "SUCCEEDED", statusDetails={"at": "the end"})
    report(s, "lamp2", "all-states", "IN_PROGRESS", "REJECTED")
    report(s, "lamp3", "all-states", "IN_PROGRESS", "FAILED")  # retried: number 2
    s.clock(advance="2s")
    report(s, "lamp3", "all-states", "IN_PROGRESS", "FAILED")
    s.clock(advance="2s")
    report(s, "lamp4", "all-states", "IN_PROGRESS", stepTimeoutInMinutes=5)
    s.clock(advance="6m")  # lamp4 is TIMED_OUT
    iot.cancel_job_execution(thingName="lamp5", jobId="all-states")
    report(s, "lamp6", "all-states", "IN_PROGRESS", statusDetails={"progress": "40%", "line": "a\nb"}, stepTimeoutInMinutes=10000)
    iot.delete_thing(thingName="lamp7")  # REMOVED
    iot.create_thing(thingName="lamp7", thingTypeName="lamp", attributePayload={"attributes": {"room": "new", "watts": "7"}})

    create("completed", thing("lamp1") + thing("lamp2"))
    report(s, "lamp1", "completed", "SUCCEEDED")
    report(s, "lamp2", "completed", "FAILED")
    create("cancelled", thing("lamp1"))
    iot.cancel_job(jobId="cancelled", comment="not wanted", reasonCode="X1")
    create("aborted", thing("lamp2") + thing("lamp3"), abortConfig={"criteriaList": [
        {"action": "CANCEL", "failureType": "FAILED", "minNumberOfExecutedThings": 1, "thresholdPercentage": 50}]})
    report(s, "lamp2", "aborted", "IN_PROGRESS", "FAILED")
    s.settle()
    create("forced", thing("lamp4"))
    report(s, "lamp4", "forced", "IN_PROGRESS")
    iot.cancel_job(jobId="forced", force=True)
    s.settle()
    iot.create_job(jobId="from-template", targets=thing("sensor"), jobTemplateArn=arn("jobtemplate/blink"))
    create("packaged", thing("lamp1"), destinationPackageVersions=[arn("package/app/version/2.0")])
    report(s, "lamp1", "packaged", "SUCCEEDED")
    create("linked", thing("lamp8"), document=json.dumps({"file": "${aws:iot:s3-presigned-url:https://s3.amazonaws.com/firmware/app.bin}"}),
           presignedUrlConfig={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/any", "expiresInSec": 3600})

    # Windowed, scheduled, continuous.
    create("joinable", group("building") + thing("sensor"), targetSelection="CONTINUOUS")
    create("strong-ones", group("strong"), targetSelection="CONTINUOUS")
    create("paced-joiners", group("floor2"), targetSelection="CONTINUOUS", jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    s.ask("PUT", "/muster/v1/jobs/paced-joiners/options", {"paceJoiners": True})
    create("daily", group("campus"), targetSelection="CONTINUOUS", jobExecutionsRetryConfig={"criteriaList": [
        {"failureType": "FAILED", "numberOfRetries": 3}]}, schedulingConfig={
        "maintenanceWindows": [{"startTime": "cron(30 10 ? * * *)", "durationInMinutes": 30}]})
    create("nightly", group("campus"), targetSelection="CONTINUOUS", schedulingConfig={
        "maintenanceWindows": [{"startTime": "cron(0 2 ? * * *)", "durationInMinutes": 60}]})
    create("open-window", group("floor1"), targetSelection="CONTINUOUS", schedulingConfig={
        "maintenanceWindows": [{"startTime": "cron(0 * ? * * *)", "durationInMinutes": 59}]})
    create("tomorrow", group("campus"), schedulingConfig={"startTime": "2126-03-02T08:00", "endTime": "2126-03-03T08:00", "endBehavior": "STOP_ROLLOUT"})

    # Groups and things that were targets, deleted and made again under their names.
    for name in ["lost", "again", "later"]:
        iot.create_thing_group(thingGroupName=name)
    iot.add_thing_to_thing_group(thingGroupName="again", thingName="sensor")
    iot.add_thing_to_thing_group(thingGroupName="lost", thingName="lamp1")
    create("for-lost", group("lost"), targetSelection="CONTINUOUS")
    create("for-again", group("again"), targetSelection="CONTINUOUS")
    iot.create_thing(thingName="reborn")
    create("for-reborn", thing("reborn"), targetSelection="CONTINUOUS")
    create("for-sensor", thing("sensor"), targetSelection="CONTINUOUS")
    s.clock(advance="1s")
    iot.delete_thing_group(thingGroupName="lost")
    iot.delete_thing_group(thingGroupName="again")
    iot.delete_thing(thingName="reborn")
    s.clock(advance="1s")
    iot.create_thing_group(thingGroupName="again")
    iot.add_thing_to_thing_group(thingGroupName="again", thingName="lamp9")  # given the job: the mistake of this release
    iot.create_thing(thingName="reborn")
    iot.delete_thing_group(thingGroupName="later")
    iot.create_thing_group(thingGroupName="later")
    iot.add_thing_to_thing_group(thingGroupName="later", thingName="lamp10")
    iot.associate_targets_with_job(jobId="for-sensor", targets=group("later"), comment="one more")  # a group younger than the job
    s.settle()


def rollouts(s):
    """Jobs under way at NOW, and things that wait for their pace or their window."""
    iot = s.iot
    s.settle()
    iot.create_job(jobId="slow", targets=group("building"), document="{}", jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    iot.create_job(jobId="growing", targets=group("campus"), document="{}", jobExecutionsRolloutConfig={"exponentialRate": {
        "baseRatePerMinute": 1, "incrementFactor": 1.5, "rateIncreaseCriteria": {"numberOfNotifiedThings": 1}}})
    s.settle()
    iot.create_job(jobId="in-line", targets=group("floor1"), document="{}")
    s.settle()
    iot.add_thing_to_thing_group(thingGroupName="floor2", thingName="sensor")
    for name in ["new1", "new2", "new3"]:
        iot.create_thing(thingName=name)
        iot.add_thing_to_thing_group(thingGroupName="floor2", thingName=name)
        iot.add_thing_to_thing_group(thingGroupName="campus", thingName=name)


def messages(s):
    a = connect("lamp6")
    subscribe(a, "$aws/things/lamp6/jobs/notify-next", "$aws/things/lamp6/jobs/notify", "news/#")
    b = connect("watcher")
    subscribe(b, "$aws/events/#", "news/+")
    a.disconnect()
    b.disconnect()
    time.sleep(0.2)
    c = connect("teller")
    publish(c, "news/one", "first")
    publish(c, "news/two", "second")
    publish(c, "kept/one", "retained", retain=True)
    publish(c, "kept/two", b"\0\1", retain=True)
    s.iot.create_job(jobId="told", targets=thing("lamp6"), document='{"job":"told"}')
    s.settle()
    time.sleep(0.2)
    c.disconnect()


def tags_of(resource):
    return "/tags?resourceArn=" + urllib.parse.quote(arn(resource), safe="")


LISTS = """
/things?maxResults=250 /thing-types?maxResults=250 /thing-groups?maxResults=250 /thing-groups?parentGroup=building&recursive=true
/jobs?maxResults=250 /jobs?status=IN_PROGRESS&maxResults=250 /jobs?targetSelection=CONTINUOUS&maxResults=250 /jobs?thingGroupName=building&maxResults=250
/jobs?thingGroupName=later /policies /certificates /cacertificates /job-templates /packages /packages/app/versions /packages/app /packages/app/versions/1.0
/policies/device /policies/device/version /policies/unused /job-templates/blink /event-configurations /indexing/config
/indices /indices/AWS_Things /things/lamp1/principals /things/lamp7 /things/lamp1 /thing-groups/campus /thing-groups/floor2
/thing-groups/strong /thing-groups/online /thing-groups/campus/things?maxResults=250 /thing-groups/strong/things /thing-groups/building/things?recursive=true
/thing-groups/again/things /thing-groups/kitchen /thing-types/lamp /thing-types/old /things/lamp1/thing-groups /things/sensor/thing-groups
""".split()


def record(s):
    """Asks for what there is, and returns the answers."""
    answers = []

    def ask(method, path, body=None, service="iot"):
        status, text = s.ask(method, path, body, service)
        answers.append({"method": method, "path": path, "service": service, "body": body, "status": status,
                        "answer": json.loads(text) if text else None})
        return answers[-1]["answer"]

    for path in LISTS:
        ask("GET", path)
    for job in sorted(j["jobId"] for j in ask("GET", "/jobs?maxResults=249")["jobs"]):
        for suffix in ["", "/job-document", "/things?maxResults=250"]:
            ask("GET", f"/jobs/{job}{suffix}")
        ask("GET", tags_of("job/" + job))
    for name in sorted(t["thingName"] for t in ask("GET", "/things?maxResults=249&thingTypeName=lamp")["things"]) + ["sensor", "reborn", "new1", "new2", "new3", "c007"]:
        executions = ask("GET", f"/things/{name}/jobs?maxResults=250")["executionSummaries"]
        ask("GET", f"/things/{name}/jobs", service="iot-jobs-data")
        for x in sorted({(x["jobId"], x["jobExecutionSummary"]["executionNumber"]) for x in executions}):
            ask("GET", f"/things/{name}/jobs/{x[0]}?executionNumber={x[1]}")
    for query in ["thingName:*", "attributes.watts>50", "thingGroupNames:campus", "connectivity.connected:true", "jobs.all-states.status:SUCCEEDED"]:
        ask("POST", "/indices/search", {"queryString": query, "maxResults": 100})
    for resource in ["thinggroup/building", "policy/device"]:
        ask("GET", tags_of(resource))
    for topic in ["kept/one", "kept/two"]:
        ask("GET", f"/retainedMessage/{topic.replace('/', '%2F')}", service="iotdata")
    return answers


def stored(client_id):
    """Returns what the persistent session of a client is handed when it comes back."""
    got = []
    client = connect(client_id, lambda c, u, m: got.append([m.topic, m.payload.decode()]))
    last = -1
    while last != len(got):
        last = len(got)
        time.sleep(0.5)
    client.disconnect()
    return got


def pack(data, to):
    def plain(info):
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = 0
        return info
    skip = {"ready.json", "LOCK"}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(data, arcname=".", filter=lambda i: None if os.path.basename(i.name) in skip else plain(i))
    with gzip.GzipFile(to, "wb", 9, mtime=0) as f:
        f.write(raw.getvalue())


def main():
    top = tempfile.mkdtemp()
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", PORT + 9), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    data = os.path.join(top, "data")
    s = Server(data)
    subprocess.run([MUSTER, "admin", "signing-profile", "create", data, "release"], check=True)
    policy = os.path.join(top, "policy.json")
    with open(policy, "w") as f:
        f.write('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:List*","Resource":"*"}]}')
    subprocess.run([MUSTER, "admin", "keys", "add", data, "--user", "reader", "--policy", policy], check=True, stdout=subprocess.DEVNULL)
    s.travel("2126-03-01T10:20:30Z")
    registry(s)
    rights(s)
    catalog(s)
    the_jobs(s)
    messages(s)
    s.clock(set="2126-03-01T10:40:00Z")
    report(s, "lamp11", "daily", "IN_PROGRESS")
    s.clock(set="2126-03-01T11:10:00Z")
    report(s, "lamp11", "daily", "FAILED")  # retried when the window opens
    s.stop()

    # The process is killed in the midst of its work: the log of the database is not empty, a job
    # is being deleted and things are leaving a deleted group.
    s = Server(data)
    s.travel(NOW)
    s.iot.create_thing_group(thingGroupName="crowd")
    for i in range(300):
        s.iot.create_thing(thingName=f"c{i:03}")
        s.iot.add_thing_to_thing_group(thingGroupName="crowd", thingName=f"c{i:03}")
    s.iot.create_job(jobId="deleting", targets=group("crowd"), document="{}")
    s.iot.create_job(jobId="crowded", targets=group("crowd"), targetSelection="CONTINUOUS", document="{}")
    s.settle()
    rollouts(s)
    s.iot.delete_thing_group(thingGroupName="crowd")
    s.ask("DELETE", "/jobs/deleting?force=true")
    for job in ["told", "joinable", "daily", "open-window"]:  # lamp6 is owed the news of the last
        threading.Thread(target=s.ask, args=("PUT", f"/things/lamp6/jobs/{job}/cancel", {}), daemon=True).start()
    time.sleep(0.008)
    s.kill()
    pack(data, os.path.join(OUT, "folder.tar.gz"))

    copy = os.path.join(top, "copy")
    shutil.copytree(data, copy)
    s = Server(copy)
    s.travel(NOW)
    answers = record(s)
    news = stored("lamp6")
    s.stop()
    with open(os.path.join(OUT, "answers.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(a, sort_keys=True) for a in answers) + "\n]\n")
    with open(os.path.join(OUT, "messages.json"), "w") as f:
        json.dump(news, f, indent=1)
    subprocess.run([MUSTER, "admin", "verify", copy], check=True)
    shutil.rmtree(top)


main()
