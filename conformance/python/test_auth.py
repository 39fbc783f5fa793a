"""Who gets in, and who does not (identity-and-auth.md part C)."""

import json
import os
import stat
import urllib.error
import urllib.request

import boto3

from conftest import refused


def plain(url, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_unsigned_requests_are_refused(server):
    status, headers, body = plain(server["api_url"] + "/things")
    assert (status, headers["x-amzn-ErrorType"]) == (403, "MissingAuthenticationTokenException")
    assert json.loads(body).get("message") or json.loads(body).get("Message")


def test_wrong_keys_are_refused(server):
    def session(key, secret):
        return boto3.client("iot", endpoint_url=server["api_url"], region_name=server["region"], aws_access_key_id=key, aws_secret_access_key=secret)

    refused("UnrecognizedClientException", 403, session("AKIDNOSUCHKEY0000000", "x" * 40).list_things)
    own = boto3.Session().get_credentials().get_frozen_credentials()
    refused("InvalidSignatureException", 403, session(own.access_key, "x" * 40).list_things)


def test_unknown_paths_answer_in_the_contract_s_form(server):
    status, headers, body = plain(server["api_url"] + "/no/such/path")
    assert status in (403, 404)
    assert headers["x-amzn-ErrorType"]
    assert headers["x-amzn-RequestId"]
    json.loads(body)


def test_credentials_are_for_the_owner_only(server):
    assert stat.S_IMODE(os.stat(server["credentials_file"]).st_mode) == 0o600


def test_health_ready_and_metrics(server, iot):
    iot.list_things(maxResults=1)
    for url in (server["api_url"], server["metrics_url"]):
        assert plain(url + "/healthz")[0] == 200
        assert plain(url + "/readyz")[0] == 200
    assert plain(server["api_url"] + "/metrics")[0] == 403
    status, _, body = plain(server["metrics_url"] + "/metrics")
    assert status == 200
    text = body.decode()
    for series in ("muster_requests_total{", "muster_request_duration_seconds_bucket{", "muster_executions{status=\"QUEUED\"}",
                   "muster_mqtt_connections", "muster_store_commits_total", "go_goroutines"):
        assert "\n" + series in text, f"/metrics lacks {series}"
    assert 'operation="ListThings"' in text
