// An operator and a device on aws-sdk 2.1094, which signs the control plane as execute-api: a job from create to its end.
// Prints a line for each check.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import AWS from "aws-sdk";

const ready = JSON.parse(readFileSync(process.env.MUSTER_READY));
const options = {
	endpoint: ready.api_url, region: ready.region, maxRetries: 0,
	credentials: new AWS.SharedIniFileCredentials({ filename: ready.credentials_file }),
};
const iot = new AWS.Iot(options);
const data = new AWS.IoTJobsDataPlane(options);
const iotdata = new AWS.IotData(options);

const name = (what) => `${what}-${run}`;
const run = randomUUID();
const arn = (kind, what) => `arn:aws:iot:${ready.region}:${ready.account}:${kind}/${what}`;

let checks = 0;
function ok(what) {
	checks++;
	console.log(`ok   ${what}`);
}

const lamp = name("lamp"), hall = name("hall"), fw = name("fw"), document = '{ "do": "flash" }';
assert.equal((await iot.createThing({ thingName: lamp, attributePayload: { attributes: { site: "north" } } }).promise()).thingArn, arn("thing", lamp));
await iot.createThingGroup({ thingGroupName: hall }).promise();
await iot.addThingToThingGroup({ thingGroupName: hall, thingName: lamp }).promise();
assert.deepEqual((await iot.listThingsInThingGroup({ thingGroupName: hall }).promise()).things, [lamp]);
ok("a thing in a group");

const made = await iot.createJob({
	jobId: fw, targets: [arn("thinggroup", hall)], document, targetSelection: "SNAPSHOT",
	jobExecutionsRolloutConfig: { maximumPerMinute: 100 }, timeoutConfig: { inProgressTimeoutInMinutes: 60 },
	abortConfig: { criteriaList: [{ failureType: "FAILED", action: "CANCEL", thresholdPercentage: 50, minNumberOfExecutedThings: 1 }] },
}).promise();
assert.deepEqual(made, { jobArn: arn("job", fw), jobId: fw });
assert.equal((await iot.getJobDocument({ jobId: fw }).promise()).document, document);
assert.deepEqual((await iot.describeJob({ jobId: fw }).promise()).job.timeoutConfig, { inProgressTimeoutInMinutes: 60 });
const { executionSummaries } = await iot.listJobExecutionsForJob({ jobId: fw }).promise();
assert.deepEqual(executionSummaries.map((s) => [s.thingArn, s.jobExecutionSummary.status]), [[arn("thing", lamp), "QUEUED"]]);
ok("a job with its configuration and execution");

const { execution } = await data.startNextPendingJobExecution({ thingName: lamp, statusDetails: { step: "1" } }).promise();
assert.deepEqual([execution.jobId, execution.status, execution.jobDocument], [fw, "IN_PROGRESS", document]);
await assert.rejects(data.updateJobExecution({ thingName: lamp, jobId: fw, status: "SUCCEEDED", expectedVersion: 9 }).promise(), { code: "InvalidStateTransitionException", statusCode: 409 });
await data.updateJobExecution({ thingName: lamp, jobId: fw, status: "SUCCEEDED", expectedVersion: execution.versionNumber }).promise();
const { job } = await iot.describeJob({ jobId: fw }).promise();
assert.deepEqual([job.status, job.jobProcessDetails.numberOfSucceededThings], ["COMPLETED", 1]);
ok("the device does it");

await iotdata.publish({ topic: name("news"), qos: 1, payload: "hello" }).promise();
await assert.rejects(iot.describeJob({ jobId: name("nosuch") }).promise(), { code: "ResourceNotFoundException", statusCode: 404 });
ok("a message, and an error");
console.log(`aws-sdk-js-v2: ${checks} checks passed`);
