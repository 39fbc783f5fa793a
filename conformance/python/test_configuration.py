"""muster's own commands call the server that the stock AWS CLI calls, with the key that it takes, whatever says so."""

import os
import re
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

KEY = {"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "e"}

CONFIG = """
[default]
region = north
endpoint_url = {a}

[profile ci]
region = south
endpoint_url = {a}
services = own

[services own]
iot =
    endpoint_url = {b}
s3 =
    endpoint_url = {a}

[profile ignores]
region = south
endpoint_url = {a}
ignore_configured_endpoint_urls = true

[profile process]
region = south
endpoint_url = {a}
credential_process = sh process "two words"

[profile both]
region = south
endpoint_url = {a}
aws_access_key_id = BESIDE
aws_secret_access_key = b
credential_process = sh process once

[profile split]
region = south
endpoint_url = {a}
credential_process = sh process once

[profile tls]
region = south
endpoint_url = {tls}
ca_bundle = {folder}/ca.pem

[profile other-tls]
region = south
endpoint_url = {tls}
ca_bundle = {folder}/other.pem

[profile role]
region = south
endpoint_url = {a}
role_arn = arn:aws:iam::123456789012:role/operator
source_profile = default
"""

CREDENTIALS = """
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = d

[ci]
aws_access_key_id = CI
aws_secret_access_key = c
aws_session_token = a-while

[ignores]
aws_access_key_id = IGNORES
aws_secret_access_key = i

[tls]
aws_access_key_id = TLS
aws_secret_access_key = t

[other-tls]
aws_access_key_id = TLS
aws_secret_access_key = t

[split]
aws_access_key_id = SPLIT
aws_secret_access_key = s
"""

PROCESS = """echo '{"Version": 1, "AccessKeyId": "PROCESS-'$#'", "SecretAccessKey": "made", "SessionToken": "made-for-a-while"}'"""

NOBODY = ()  # a call that does not come about
AWS = ("aws",)  # a call that only AWS could answer

CASES = {
    "the default profile": ({}, [], ("a", "", "DEFAULT", "north", None)),
    "a key of the environment": (KEY, [], ("a", "", "ENVIRONMENT", "north", None)),
    "a token of the environment": (KEY | {"AWS_SESSION_TOKEN": "x"}, [], ("a", "", "ENVIRONMENT", "north", "x")),
    "half a key": ({"AWS_ACCESS_KEY_ID": "HALF"}, [], NOBODY),
    "AWS_PROFILE": ({"AWS_PROFILE": "ci"}, [], ("b", "", "CI", "south", "a-while")),
    "AWS_DEFAULT_PROFILE": ({"AWS_DEFAULT_PROFILE": "ci"}, [], ("b", "", "CI", "south", "a-while")),
    "both": ({"AWS_DEFAULT_PROFILE": "ci", "AWS_PROFILE": "default"}, [], ("b", "", "CI", "south", "a-while")),
    "AWS_PROFILE and a key": (KEY | {"AWS_PROFILE": "ci"}, [], ("b", "", "ENVIRONMENT", "south", None)),
    "--profile": ({}, ["--profile", "ci"], ("b", "", "CI", "south", "a-while")),
    "--profile and a key": (KEY, ["--profile", "ci"], ("b", "", "CI", "south", "a-while")),
    "--profile and AWS_PROFILE": ({"AWS_PROFILE": "default"}, ["--profile", "ci"], ("b", "", "CI", "south", "a-while")),
    "a profile that is not there": ({}, ["--profile", "nobody"], NOBODY),
    "one of the environment that is not there": (KEY | {"AWS_PROFILE": "nobody"}, [], NOBODY),
    "AWS_ENDPOINT_URL": ({"AWS_ENDPOINT_URL": "{b}"}, [], ("b", "", "DEFAULT", "north", None)),
    "AWS_ENDPOINT_URL and services": ({"AWS_ENDPOINT_URL": "{a}"}, ["--profile", "ci"], ("a", "", "CI", "south", "a-while")),
    "AWS_ENDPOINT_URL_IOT": ({"AWS_ENDPOINT_URL_IOT": "{b}", "AWS_ENDPOINT_URL": "{a}"}, [], ("b", "", "DEFAULT", "north", None)),
    "AWS_ENDPOINT_URL_S3": ({"AWS_ENDPOINT_URL_S3": "{b}"}, [], ("a", "", "DEFAULT", "north", None)),
    "--endpoint-url": ({"AWS_ENDPOINT_URL_IOT": "{a}"}, ["--endpoint-url", "{b}"], ("b", "", "DEFAULT", "north", None)),
    "a path": ({}, ["--endpoint-url", "{b}/jobs/"], ("b", "/jobs", "DEFAULT", "north", None)),
    "no URL": ({}, ["--endpoint-url", "127.0.0.1"], NOBODY),
    "ignored by the environment": ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "{a}"}, [], AWS),
    "ignored by a profile": ({"AWS_ENDPOINT_URL": "{a}"}, ["--profile", "ignores"], AWS),
    "not ignored": ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}, ["--profile", "ignores"], ("a", "", "IGNORES", "south", None)),
    "ignored and a flag": ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ["--endpoint-url", "{b}"], ("b", "", "DEFAULT", "north", None)),
    "AWS_DEFAULT_REGION": ({"AWS_DEFAULT_REGION": "west"}, [], ("a", "", "DEFAULT", "west", None)),
    "--region": ({"AWS_DEFAULT_REGION": "west"}, ["--region", "east"], ("a", "", "DEFAULT", "east", None)),
    "no file": (KEY | {"AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_DEFAULT_REGION": "west", "AWS_ENDPOINT_URL": "{b}"}, [],
                ("b", "", "ENVIRONMENT", "west", None)),
    "no key": ({"AWS_SHARED_CREDENTIALS_FILE": "/none"}, [], NOBODY),
    "no endpoint": (KEY | {"AWS_CONFIG_FILE": "/none", "AWS_DEFAULT_REGION": "west"}, [], AWS),
    "a process": ({}, ["--profile", "process"], ("a", "", "PROCESS-1", "south", "made-for-a-while")),
    "a process beside a key": ({}, ["--profile", "both"], ("a", "", "PROCESS-1", "south", "made-for-a-while")),
    "a process and a key in the other file": ({}, ["--profile", "split"], ("a", "", "SPLIT", "south", None)),
    "ca_bundle": ({}, ["--profile", "tls"], ("tls", "", "TLS", "south", None)),
    "another ca_bundle": ({}, ["--profile", "other-tls"], NOBODY),
    "AWS_CA_BUNDLE": ({"AWS_CA_BUNDLE": "{folder}/ca.pem"}, ["--profile", "other-tls"], ("tls", "", "TLS", "south", None)),
    "no CA bundle": ({"AWS_ENDPOINT_URL": "{tls}"}, [], NOBODY),
    "a CA bundle that no TLS needs": ({"AWS_CA_BUNDLE": "/none"}, [], ("a", "", "DEFAULT", "north", None)),
    "a role": ({}, ["--profile", "role"], AWS),
    "a role and a key": (KEY | {"AWS_PROFILE": "role"}, [], ("a", "", "ENVIRONMENT", "south", None)),
}


class Server(ThreadingHTTPServer):
    """Notes which calls come to it, and answers every one alike."""

    def __init__(self, name, calls, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.calls = name, calls
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server_port}"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that does not trust it


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        key, region = re.search(r"Credential=([^/]+)/[^/]+/([^/]+)/iot/", self.headers["Authorization"]).groups()
        path = re.sub(r"/(endpoint|muster/v1/nodes)(\?.*)?$", "", self.path)
        self.server.calls.append((self.server.name, path, key, region, self.headers["X-Amz-Security-Token"]))
        body = b'{"endpointAddress": "x", "nodes": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):  # as a proxy, to whom everything comes that would leave this machine
        self.server.calls.append(AWS)
        self.send_error(403)

    do_POST = do_CONNECT  # of the operations that grant roles

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder, calls = tmp_path_factory.mktemp("configuration"), []
    for name in ("ca", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", folder / f"{name}-key.pem", "-out", folder / f"{name}.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "ca-key.pem")
    servers = [Server("a", calls), Server("b", calls), Server("tls", calls, context), Server("outside", calls)]
    places = {s.name: s.url for s in servers} | {"folder": str(folder)}
    for name, text in (("config", CONFIG.format(**places)), ("credentials", CREDENTIALS), ("process", PROCESS)):
        (folder / name).write_text(text)
    yield places, calls
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("case", CASES)
def test_muster_calls_whom_the_aws_cli_calls(world, case):
    places, calls = world
    env, flags, want = CASES[case]
    environment = {
        "PATH": os.environ["PATH"], "HOME": places["folder"], "HTTPS_PROXY": places["outside"], "NO_PROXY": "127.0.0.1",
        "AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    } | {name: value.format(**places) for name, value in env.items()}
    flags = [flag.format(**places) for flag in flags]

    def call(*command):
        calls.clear()
        done = subprocess.run([*command, *flags], env=environment, cwd=places["folder"], capture_output=True, text=True, timeout=60)
        return (calls[0] if calls else NOBODY), done

    aws = os.environ.get("AWS") or os.path.join(os.path.dirname(sys.executable), "aws")
    called, done = call(aws, "iot", "describe-endpoint")
    assert called == want, f"the AWS CLI: {done}"
    called, done = call(os.environ["MUSTER"], "nodes", "--json")
    if want == AWS:
        want = NOBODY  # it never asks AWS, and says so
    assert called == want, f"muster: {done}"
    assert (done.returncode == 0) == (want != NOBODY), done
    assert want != NOBODY or (done.stdout == "" and re.fullmatch(r"muster: .+\n", done.stderr)), done
