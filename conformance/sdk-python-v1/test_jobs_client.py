"""Both device workflows of AWSIoTMQTTThingJobsClient, each to its end."""

import json
import queue

from conftest import DOCUMENT, counters, eventually
from device_v1 import LIMIT, jobs_beside, shadow_client
from fleet import THING, rows


def listed(notification):
    _, event = notification
    return {status: [summary["jobId"] for summary in summaries] for status, summaries in event["jobs"].items()}


@rows(1, 2, 4, 5, 6, 7, 8, 11, 15, 17)
def test_get_next_to_the_end(jobs, create, iot, thing):
    idle = jobs.pending()
    assert (idle["inProgressJobs"], idle["queuedJobs"], idle["clientToken"]) == ([], [], thing)
    assert "execution" not in jobs.start_next()

    job = create("job")
    assert listed(jobs.lists.get(timeout=LIMIT)) == {"QUEUED": [job]}
    told = jobs.nexts.get(timeout=LIMIT)[1]["execution"]
    assert (told["jobId"], told["status"], told["jobDocument"]) == (job, "QUEUED", json.loads(DOCUMENT))
    x = jobs.start_next(statusDetails={"step": "0"}, stepTimeoutInMinutes=5)["execution"]
    assert (x["jobId"], x["status"], x["versionNumber"], x["statusDetails"]) == (job, "IN_PROGRESS", 2, {"step": "0"})

    # The SDK sends both numbers as text.
    got = jobs.update(job, "IN_PROGRESS", statusDetails={"step": "1"}, expectedVersion=2, executionNumber=1, includeJobExecutionState=True, includeJobDocument=True)
    assert got["executionState"] == {"status": "IN_PROGRESS", "statusDetails": {"step": "1"}, "versionNumber": 3}
    assert (got["jobDocument"], got["clientToken"]) == (json.loads(DOCUMENT), thing)
    jobs.update(job, "SUCCEEDED")
    assert listed(jobs.lists.get(timeout=LIMIT)) == {}
    assert "execution" not in jobs.nexts.get(timeout=LIMIT)[1]
    jobs.silent()
    eventually(lambda: iot.describe_job(jobId=job)["job"]["status"] == "COMPLETED", "the job to complete")
    assert counters(iot, job)["Succeeded"] == 1


@rows(1, 3, 11, 15)
def test_pick_a_job_to_the_end(jobs, create):
    one = create("one")
    jobs.lists.get(timeout=LIMIT), jobs.nexts.get(timeout=LIMIT)
    two = create("two")
    assert listed(jobs.lists.get(timeout=LIMIT)) == {"QUEUED": [one, two]}
    assert [summary["jobId"] for summary in jobs.pending()["queuedJobs"]] == [one, two]
    assert jobs.describe("$next")["execution"]["jobId"] == one
    assert jobs.describe(two, executionNumber=1)["execution"]["jobDocument"] == json.loads(DOCUMENT)
    assert "jobDocument" not in jobs.describe(two, includeJobDocument=False)["execution"]

    jobs.update(two, "IN_PROGRESS", expectedVersion=1)
    assert jobs.nexts.get(timeout=LIMIT)[1]["execution"]["jobId"] == two
    refused = jobs.update(two, "SUCCEEDED", want="rejected", expectedVersion=1)
    assert (refused["code"], refused["executionState"]["versionNumber"]) == ("VersionMismatch", 2)
    assert jobs.describe("no-such-job", want="rejected")["code"] == "ResourceNotFound"
    jobs.update(one, "REJECTED")
    assert listed(jobs.lists.get(timeout=LIMIT)) == {"IN_PROGRESS": [two]}
    jobs.update(two, "FAILED", statusDetails={"reason": "no space"})
    assert listed(jobs.lists.get(timeout=LIMIT)) == {}
    jobs.nexts.get(timeout=LIMIT)
    jobs.silent()


def test_details_are_what_the_device_has(jobs, create, iot, thing):
    """A dictionary of Python goes out as it is: with numbers and booleans."""
    job = create("job")
    jobs.lists.get(timeout=LIMIT)
    x = jobs.start_next(statusDetails={"progress": 0})["execution"]
    assert x["statusDetails"] == {"progress": "0"}
    jobs.update(job, "SUCCEEDED", statusDetails={"progress": 1.50, "verified": True, "image": "b"})
    seen = iot.describe_job_execution(jobId=job, thingName=thing)["execution"]
    assert seen["statusDetails"]["detailsMap"] == {"progress": "1.5", "verified": "true", "image": "b"}


def test_shadows_and_jobs_on_one_connection(transport, enroll, arn, iot):
    """There are no shadows here. A device that asks for its shadow is told so, and goes on to its job."""
    shadow_topics = f"$aws/things/{THING}/shadow/*"
    lamp = enroll("lamp",
                  {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": arn("topic", shadow_topics)},
                  {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter", shadow_topics)})
    client = shadow_client(lamp, transport)
    try:
        heard = queue.Queue()
        shadow = client.createShadowHandlerWithName(lamp.thing, True)
        shadow.shadowUpdate('{"state":{"reported":{"on":true}}}', lambda payload, answer, _token: heard.put((answer, payload)), LIMIT)
        answer, payload = heard.get(timeout=2 * LIMIT)
        assert answer == "rejected" and json.loads(payload)["code"] == 501, (answer, payload)

        jobs = jobs_beside(client, lamp)
        job = f"job-{lamp.thing}"
        iot.create_job(jobId=job, targets=[arn("thing", lamp.thing)], document=DOCUMENT)
        assert jobs.nexts.get(timeout=LIMIT)[1]["execution"]["jobId"] == job
        jobs.start_next()
        jobs.update(job, "SUCCEEDED")
        assert counters(iot, job)["Succeeded"] == 1
    finally:
        client.disconnect()
