"""The four device operations over HTTPS through boto3 (jobs-data-plane.md)."""

import time

from conftest import DOCUMENT, client, eventually, refused


def test_get_next_workflow(iot, data, job, thing):
    started = data.start_next_pending_job_execution(thingName=thing, statusDetails={"step": "0"})["execution"]
    assert (started["jobId"], started["thingName"], started["status"]) == (job, thing, "IN_PROGRESS")
    assert (started["versionNumber"], started["executionNumber"], started["jobDocument"]) == (2, 1, DOCUMENT)
    assert len(str(started["queuedAt"])) == len(str(started["startedAt"])) == 10
    assert data.start_next_pending_job_execution(thingName=thing)["execution"] == started

    data.update_job_execution(thingName=thing, jobId=job, status="IN_PROGRESS", statusDetails={"step": "1"}, expectedVersion=2)
    told = data.update_job_execution(
        thingName=thing, jobId=job, status="SUCCEEDED", includeJobExecutionState=True, includeJobDocument=True
    )
    assert told["executionState"] == {"status": "SUCCEEDED", "statusDetails": {"step": "1"}, "versionNumber": 4}
    assert told["jobDocument"] == DOCUMENT
    assert "execution" not in data.start_next_pending_job_execution(thingName=thing)
    eventually(lambda: iot.describe_job(jobId=job)["job"]["status"] == "COMPLETED", "the job to complete")


def test_pick_a_job_workflow(data, job, thing):
    pending = data.get_pending_job_executions(thingName=thing)
    assert pending["inProgressJobs"] == []
    (summary,) = pending["queuedJobs"]
    assert (summary["jobId"], summary["versionNumber"], summary["executionNumber"]) == (job, 1, 1)
    seen = data.describe_job_execution(thingName=thing, jobId=job)["execution"]
    assert (seen["status"], seen["jobDocument"]) == ("QUEUED", DOCUMENT)
    assert "jobDocument" not in data.describe_job_execution(thingName=thing, jobId=job, includeJobDocument=False)["execution"]
    assert data.describe_job_execution(thingName=thing, jobId="$next")["execution"] == seen
    data.update_job_execution(thingName=thing, jobId=job, status="IN_PROGRESS")
    (summary,) = data.get_pending_job_executions(thingName=thing)["inProgressJobs"]
    assert summary["jobId"] == job
    data.update_job_execution(thingName=thing, jobId=job, status="REJECTED")
    assert data.get_pending_job_executions(thingName=thing)["queuedJobs"] == []


def test_nothing_pending(data, thing):
    assert data.get_pending_job_executions(thingName=thing)["queuedJobs"] == []
    assert "execution" not in data.start_next_pending_job_execution(thingName=thing)
    assert "execution" not in data.describe_job_execution(thingName=thing, jobId="$next")


def test_refusals(data, job, thing):
    mismatch = refused(
        "InvalidStateTransitionException", 409, data.update_job_execution, thingName=thing, jobId=job, status="IN_PROGRESS", expectedVersion=99
    )
    assert mismatch["Error"]["Message"] == "Expected version 99 but found version 1"
    refused("InvalidRequestException", 400, data.update_job_execution, thingName=thing, jobId=job, status="QUEUED")
    refused("InvalidRequestException", 400, data.update_job_execution, thingName=thing, jobId=job, status="SUCCESS")
    refused("InvalidRequestException", 400, data.start_next_pending_job_execution, thingName=thing, stepTimeoutInMinutes=0)
    refused("InvalidRequestException", 400, data.update_job_execution, thingName=thing, jobId=job, status="IN_PROGRESS", statusDetails={"a b": "c"})
    refused("ResourceNotFoundException", 404, data.update_job_execution, thingName=thing, jobId="nosuch", status="FAILED")
    refused("ResourceNotFoundException", 404, data.get_pending_job_executions, thingName="nosuch")
    data.update_job_execution(thingName=thing, jobId=job, status="FAILED")
    refused("TerminalStateException", 410, data.describe_job_execution, thingName=thing, jobId=job)
    refused("InvalidStateTransitionException", 409, data.update_job_execution, thingName=thing, jobId=job, status="FAILED")


def test_step_timer_shows(data, job, thing):
    started = data.start_next_pending_job_execution(thingName=thing, stepTimeoutInMinutes=2)["execution"]
    assert 100 <= started["approximateSecondsBeforeTimedOut"] <= 120
    data.update_job_execution(thingName=thing, jobId=job, status="IN_PROGRESS", stepTimeoutInMinutes=-1)
    assert "approximateSecondsBeforeTimedOut" not in data.describe_job_execution(thingName=thing, jobId=job)["execution"]


def test_long_poll_answers_when_a_job_arrives(server, iot, arn, name, thing):
    """Prefer: wait=N (RFC 7240) on the stock client, through its event hooks."""
    waiting = client(server, "iot-jobs-data", read_timeout=30)
    seen = {}
    waiting.meta.events.register("before-sign.*", lambda request, **_: request.headers.add_header("Prefer", "wait=20"))
    waiting.meta.events.register("after-call.*", lambda http_response, **_: seen.update(http_response.headers))

    import threading

    answer = {}
    poll = threading.Thread(target=lambda: answer.update(waiting.start_next_pending_job_execution(thingName=thing)))
    begin = time.monotonic()
    poll.start()
    time.sleep(0.3)
    assert not answer, "a long poll answered although nothing is pending"
    iot.create_job(jobId=name("job"), targets=[arn("thing", thing)], document=DOCUMENT)
    poll.join(timeout=15)
    assert answer["execution"]["jobId"] == name("job")
    assert time.monotonic() - begin < 15
    assert seen.get("preference-applied", seen.get("Preference-Applied")) == "wait=20"
