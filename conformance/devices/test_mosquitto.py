"""mosquitto_sub, mosquitto_pub and mosquitto_rr with certificates (device-clients.md T8)."""

import json
import re
import subprocess

import pytest

from conftest import DOCUMENT
from fleet import rows

TLS = {"TLS 1.2": "tlsv1.2", "TLS 1.3": "tlsv1.3"}


@pytest.fixture(params=["mqttv311", "mqttv5"])
def protocol(request):
    return request.param


@pytest.fixture(params=["port of its own", "shared port"])
def arguments(request, protocol, lamp):
    """What makes a mosquitto client connect as the thing's device."""
    shared = request.param == "shared port"
    host, port = lamp.at("alpn_addr" if shared else "mqtts_addr")
    return ["-V", protocol, "-h", host, "-p", str(port), "-i", lamp.thing, "--cafile", lamp.ca, "--cert", lamp.certificate, "--key", lamp.key,
            *(["--tls-alpn", "x-amzn-mqtt-ca"] if shared else [])]


def answer(arguments, topic, payload, want, *more):
    """One request by mosquitto_rr, which subscribes to its answer before."""
    done = subprocess.run(["mosquitto_rr", *arguments, *more, "-q", "1", "-W", "10", "-t", topic, "-e", f"{topic}/{want}", "-m", payload],
                          check=True, capture_output=True, text=True, timeout=20)
    return json.loads(done.stdout)


@rows(1, 2, 3, 25)
def test_a_job_to_its_end(arguments, create, lamp):
    jobs = f"$aws/things/{lamp.thing}/jobs"
    listener = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", *arguments, "-q", "1", "-d", "-C", "1", "-W", "20", "-t", f"{jobs}/notify-next", "-F", "heard %p"],
                                stdout=subprocess.PIPE, text=True)
    for line in listener.stdout:
        if "SUBACK" in line:
            break
    job = create("job")
    heard = [line for line in listener.stdout if line.startswith("heard ")]
    assert listener.wait(20) == 0
    told = json.loads(heard[0].removeprefix("heard "))["execution"]
    assert (told["jobId"], told["jobDocument"]) == (job, json.loads(DOCUMENT))

    x = answer(arguments, f"{jobs}/start-next", '{"clientToken":"t"}', "accepted")
    assert (x["clientToken"], x["execution"]["jobId"], x["execution"]["versionNumber"]) == ("t", job, 2)
    got = answer(arguments, f"{jobs}/{job}/update", '{"status":"SUCCEEDED","expectedVersion":"1"}', "rejected")
    assert (got["code"], got["executionState"]["versionNumber"]) == ("VersionMismatch", 2)
    assert set(answer(arguments, f"{jobs}/{job}/update", '{"status":"SUCCEEDED"}', "accepted")) == {"timestamp"}


@pytest.mark.parametrize("tls", TLS)
def test_tls(arguments, lamp, tls):
    assert answer(arguments, f"$aws/things/{lamp.thing}/jobs/get", "", "accepted", "--tls-version", TLS[tls])["queuedJobs"] == []


def test_another_client_id_is_refused(arguments, lamp, protocol):
    """MQTT 3.1.1 says 5, MQTT 5 says 0x87 (mqtt-broker.md MQ-7)."""
    stranger = [a if a != lamp.thing else "somebody-else" for a in arguments]
    done = subprocess.run(["mosquitto_pub", *stranger, "-t", "x", "-m", "x"], capture_output=True, text=True, timeout=20)
    assert done.returncode == {"mqttv311": 5, "mqttv5": 0x87}[protocol], done
    assert re.search("[Nn]ot authori[sz]ed", done.stderr), done


def test_a_publish_outside_the_policy_is_refused(arguments, protocol):
    done = subprocess.run(["mosquitto_pub", *arguments, "-q", "1", "-t", "elsewhere", "-m", "x", "-d"], capture_output=True, text=True, timeout=20)
    if protocol == "mqttv5":
        assert "RC:135" in done.stdout, done
    else:
        assert done.returncode != 0, done
