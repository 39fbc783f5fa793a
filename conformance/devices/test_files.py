"""Job files: presigned URLs and signatures in documents, with the stock CLI, mosquitto, curl and openssl."""

import contextlib
import json
import os
import subprocess

import pytest

from conftest import eventually
from fleet import rows

ROLE = "roleArn=arn:aws:iam::000000000000:role/downloads"
FIRMWARE = bytes(range(256)) * 1000


@pytest.fixture
def pump(enroll, arn):
    return enroll("pump", {"Effect": "Allow", "Action": "iotjobsdata:*", "Resource": arn("thing", "pump-*")})


@pytest.fixture
def firmware(aws, name, tmp_path):
    """A bucket that keeps versions, with a file in it: bucket, version, the file."""
    bucket, file = name("lab"), tmp_path / "fw.bin"
    file.write_bytes(FIRMWARE)
    aws(f"s3api create-bucket --bucket {bucket}")
    aws(f"s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled")
    return bucket, aws(f"s3api put-object --bucket {bucket} --key fw.bin --body {file}")["VersionId"], file


@pytest.fixture
def profile(server):
    """The certificate of the profile that the server signs with."""
    return os.path.join(os.path.dirname(server["credentials_file"]), "signing", "conformance.pem")


@contextlib.contextmanager
def listening(device, topic):
    """What mosquitto_sub hears on a topic, from when it has subscribed."""
    host, port = device.at("mqtts_addr")
    heard = subprocess.Popen(
        ["stdbuf", "-oL", "mosquitto_sub", "-h", host, "-p", str(port), "-i", device.thing, "--cafile", device.ca, "--cert", device.certificate, "--key", device.key,
         "-q", "1", "-d", "-W", "20", "-t", topic, "-F", "heard %p"], stdout=subprocess.PIPE, text=True)
    with heard:
        for line in heard.stdout:
            if "SUBACK" in line:
                break
        yield (line.removeprefix("heard ") for line in heard.stdout if line.startswith("heard "))
        heard.terminate()


def curl(device, *words):
    done = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--max-time", "20", "--cacert", device.ca, *words], check=True, capture_output=True)
    return done.stdout


def ask(device, method, path):
    text = curl(device, "--cert", device.certificate, "--key", device.key, "--request", method, f"{device.server['https_url']}/things/{device.thing}/jobs/{path}")
    return json.loads(json.loads(text)["execution"]["jobDocument"])


@rows(34)
def test_one_url_whichever_way_it_is_asked_for(aws, arn, name, pump, firmware, tmp_path):
    bucket, _, _ = firmware
    job = name("fw")
    document = tmp_path / "document.json"
    document.write_text(json.dumps({
        "get": f"${{aws:iot:s3-presigned-url:https://{bucket}.s3.us-east-1.amazonaws.com/fw.bin}}",
        "put": f"${{aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/{bucket}/logs/${{thingName}}/${{jobId}}-${{executionNumber}}}}",
    }))
    create = f"iot create-job --job-id {job} --targets {arn('thing', pump.thing)} --document file://{document}"
    aws(create, fails="presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.")
    with listening(pump, f"$aws/things/{pump.thing}/jobs/notify-next") as told:
        aws(create + f" --presigned-url-config {ROLE},expiresInSec=300")
        first = json.loads(next(told))["execution"]["jobDocument"]
    assert "X-Amz-Expires=300" in first["get"] and first["put"].startswith("https://")
    assert [ask(pump, "GET", "$next"), ask(pump, "PUT", "$next"), ask(pump, "GET", job)] == [first] * 3

    assert curl(pump, first["get"]) == FIRMWARE, "the URL needs no certificate"
    curl(pump, "--upload-file", str(document), first["put"])
    got = tmp_path / "log"
    aws(f"s3api get-object --bucket {bucket} --key logs/{pump.thing}/{job}-1 {got}")
    assert got.read_text() == document.read_text()
    assert json.loads(aws(f"iot get-job-document --job-id {job}")["document"]) == json.loads(document.read_text()), "an operator sees no URL"


def test_a_signature_that_openssl_verifies(aws, arn, name, pump, firmware, profile, tmp_path):
    bucket, version, file = firmware
    job = name("signed")
    document = tmp_path / "document.json"
    document.write_text(json.dumps({"codesign": {"signature": f"${{aws:iot:code-sign-signature:s3://us-east-1.{bucket}/fw.bin@{version}}}"}}))
    aws(f"iot create-job --job-id {job} --targets {arn('thing', pump.thing)} --document file://{document}")
    eventually(lambda: aws(f"iot-jobs-data get-pending-job-executions --thing-name {pump.thing}")["queuedJobs"], "the execution")
    by_server = ask(pump, "GET", "$next")["codesign"]["signature"]
    assert aws(f"iot get-job-document --job-id {job} --before-substitution")["document"] == document.read_text()

    data = os.path.dirname(os.path.dirname(profile))
    by_hand = subprocess.run([os.environ["MUSTER"], "admin", "sign", data, file, "--profile", "conformance"], check=True, capture_output=True)
    key = tmp_path / "key.pem"
    key.write_bytes(subprocess.run(["openssl", "x509", "-in", profile, "-noout", "-pubkey"], check=True, capture_output=True).stdout)
    for signature in by_server, json.loads(by_hand.stdout)["signature"]:
        raw = subprocess.run(["openssl", "base64", "-d", "-A"], input=signature.encode(), check=True, capture_output=True).stdout
        (tmp_path / "signature").write_bytes(raw)
        verified = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature", tmp_path / "signature", file], capture_output=True, text=True)
        assert verified.stdout == "Verified OK\n", verified

    document.write_text(document.read_text().replace(version, "0" * len(version)))
    aws(f"iot create-job --job-id {name('none')} --targets {arn('thing', pump.thing)} --document file://{document}",
        fails="VersionId not found when attempting to access s3 url")
