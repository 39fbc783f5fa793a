"""The operator's side of suites that are not in Python: boto3, driven by lines of JSON.

Reads {"call": "create_job", "with": {…}} and answers {"ok": {…}} or {"error": "…"}.
The call "enroll" is the one that is no operation: it makes a thing with a
certificate under the minimal policy, its files in the folder given.
"""

import json
import os
import pathlib
import sys

import boto3

with open(os.environ["MUSTER_READY"]) as f:
    ready = json.load(f)
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = ready["credentials_file"]
iot = boto3.client("iot", endpoint_url=ready["api_url"], region_name=ready["region"])

THING = "${iot:Connection.Thing.ThingName}"


def enroll(thing, folder):
    """identity-and-auth.md section B.6."""
    def arn(kind, what):
        return f"arn:aws:iot:{ready['region']}:{ready['account']}:{kind}/{what}"

    jobs = f"$aws/things/{THING}/jobs/*"
    statements = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client", THING)},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": arn("topic", jobs)},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter", jobs)},
    ]
    iot.create_thing(thingName=thing)
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.create_policy(policyName=thing, policyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    iot.attach_policy(policyName=thing, target=made["certificateArn"])
    iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"])
    (pathlib.Path(folder) / f"{thing}.pem").write_text(made["certificatePem"])
    (pathlib.Path(folder) / f"{thing}.key").write_text(made["keyPair"]["PrivateKey"])
    return {"thingArn": arn("thing", thing)}


def credentials():
    found = boto3.Session().get_credentials()
    return {"accessKey": found.access_key, "secretKey": found.secret_key}


for line in sys.stdin:
    request = json.loads(line)
    call = {"enroll": enroll, "credentials": credentials}.get(request["call"]) or getattr(iot, request["call"])
    try:
        answer = {"ok": call(**request["with"])}
    except Exception as e:  # whatever it is, the suite wants to hear of it
        answer = {"error": f"{request['call']}: {e}"}
    print(json.dumps(answer, default=str), flush=True)
