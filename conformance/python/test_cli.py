"""The stock AWS CLI: every job operation of the control and the data plane, as a person types it."""

from conftest import eventually


def test_a_job_from_create_to_succeeded(aws, arn, name):
    lamp, hall, fw = name("lamp"), name("hall"), name("fw")
    assert aws(f"iot create-thing --thing-name {lamp}")["thingArn"] == arn("thing", lamp)
    aws(f"iot create-thing-group --thing-group-name {hall}")
    aws(f"iot add-thing-to-thing-group --thing-group-name {hall} --thing-name {lamp}")
    made = aws(f"iot create-job --job-id {fw} --targets {arn('thinggroup', hall)} --document", '{"do":"flash"}')
    assert made == {"jobArn": arn("job", fw), "jobId": fw}
    assert fw in [j["jobId"] for j in aws("iot list-jobs --status IN_PROGRESS")["jobs"]]
    assert aws(f"iot get-job-document --job-id {fw}") == {"document": '{"do":"flash"}'}
    eventually(lambda: aws(f"iot-jobs-data get-pending-job-executions --thing-name {lamp}")["queuedJobs"], "the execution")

    started = aws(f"iot-jobs-data start-next-pending-job-execution --thing-name {lamp}")["execution"]
    assert (started["jobId"], started["jobDocument"]) == (fw, '{"do":"flash"}')
    aws(f"iot-jobs-data update-job-execution --thing-name {lamp} --job-id {fw} --status IN_PROGRESS --status-details step=1")
    described = aws(f"iot-jobs-data describe-job-execution --thing-name {lamp} --job-id $next")["execution"]
    assert described["statusDetails"] == {"step": "1"}
    aws(f"iot-jobs-data update-job-execution --thing-name {lamp} --job-id {fw} --status SUCCEEDED --expected-version 3")

    seen = aws(f"iot describe-job-execution --job-id {fw} --thing-name {lamp}")["execution"]
    assert (seen["status"], seen["statusDetails"]) == ("SUCCEEDED", {"detailsMap": {"step": "1"}})
    eventually(lambda: aws(f"iot describe-job --job-id {fw}")["job"]["status"] == "COMPLETED", "the job to complete")
    (entry,) = aws(f"iot list-job-executions-for-job --job-id {fw}")["executionSummaries"]
    assert entry["thingArn"] == arn("thing", lamp)
    (entry,) = aws(f"iot list-job-executions-for-thing --thing-name {lamp}")["executionSummaries"]
    assert entry["jobId"] == fw
    aws(f"iot delete-job --job-id {fw}")


def test_an_operator_changes_her_mind(aws, arn, name):
    lamp, lamp2, fw = name("lamp"), name("lamp2"), name("fw")
    for thing in (lamp, lamp2):
        aws(f"iot create-thing --thing-name {thing}")
    hall, attic = name("hall"), name("attic")
    for group in (hall, attic):
        aws(f"iot create-thing-group --thing-group-name {group}")
    aws(f"iot add-thing-to-thing-group --thing-group-name {hall} --thing-name {lamp}")
    aws(f"iot add-thing-to-thing-group --thing-group-name {attic} --thing-name {lamp2}")
    aws(f"iot create-job --job-id {fw} --target-selection CONTINUOUS --targets {arn('thinggroup', hall)} --tags Key=team,Value=blue --document", "{}")
    aws(f"iot associate-targets-with-job --job-id {fw} --targets {arn('thinggroup', attic)}")
    eventually(lambda: len(aws(f"iot list-job-executions-for-job --job-id {fw}")["executionSummaries"]) == 2, "two executions")
    aws(f"iot update-job --job-id {fw} --description better")
    assert aws(f"iot list-tags-for-resource --resource-arn {arn('job', fw)}")["tags"] == [{"Key": "team", "Value": "blue"}]
    aws(f"iot cancel-job-execution --job-id {fw} --thing-name {lamp}")
    aws(f"iot delete-job-execution --job-id {fw} --thing-name {lamp} --execution-number 1")
    aws(f"iot cancel-job --job-id {fw} --reason-code OOPS --comment sorry")
    assert aws(f"iot describe-job --job-id {fw}")["job"]["reasonCode"] == "OOPS"
    aws(f"iot delete-job --job-id {fw} --force")


def test_errors_reach_the_terminal(aws, name):
    aws("iot describe-job --job-id nosuch", fails="ResourceNotFoundException")
    aws(f"iot create-thing --thing-name {name('x')} --thing-type-name nosuch", fails="ResourceNotFoundException")
    aws("iot list-streams", fails="ListStreams")
