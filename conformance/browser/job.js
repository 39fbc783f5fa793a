// A whole job by the AWS SDK for JavaScript, operator and device in turn. It runs in Node and on a page alike.

import * as iot from "@aws-sdk/client-iot";
import * as data from "@aws-sdk/client-iot-data-plane";
import * as jobs from "@aws-sdk/client-iot-jobs-data-plane";

// wholeJob returns what it has checked, in words.
export async function wholeJob(config, name) {
	const operator = new iot.IoTClient(config);
	const device = new jobs.IoTJobsDataPlaneClient(config);
	const messages = new data.IoTDataPlaneClient(config);
	const jobId = `fw-${name}`, thingName = name;
	const checked = [];
	const same = (what, got, want) => {
		if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
		checked.push(what);
	};

	const { thingArn } = await operator.send(new iot.CreateThingCommand({ thingName, attributePayload: { attributes: { site: "north" } } }));
	await operator.send(new iot.UpdateThingCommand({ thingName, attributePayload: { attributes: { floor: "2" }, merge: true } }));
	const thing = await operator.send(new iot.DescribeThingCommand({ thingName }));
	same("attributes of a thing", thing.attributes, { floor: "2", site: "north" });

	await operator.send(new iot.CreateJobCommand({ jobId, targets: [thingArn], document: JSON.stringify({ do: "flash", size: 12 }) }));
	const pending = await device.send(new jobs.GetPendingJobExecutionsCommand({ thingName }));
	same("a pending execution", pending.queuedJobs.map((j) => j.jobId), [jobId]);
	const { execution } = await device.send(new jobs.StartNextPendingJobExecutionCommand({ thingName, statusDetails: { step: "1" } }));
	same("the job document", JSON.parse(execution.jobDocument), { do: "flash", size: 12 });
	const update = await device.send(new jobs.UpdateJobExecutionCommand({
		jobId, thingName, status: "IN_PROGRESS", statusDetails: { step: "2" }, expectedVersion: execution.versionNumber, includeJobExecutionState: true,
	}));
	same("the state after an update", update.executionState.statusDetails, { step: "2" });
	same("a conflict of versions", await refused(device.send(new jobs.UpdateJobExecutionCommand({ jobId, thingName, status: "SUCCEEDED", expectedVersion: 77 }))),
		{ name: "InvalidStateTransitionException", status: 409, requestId: true });
	await device.send(new jobs.UpdateJobExecutionCommand({ jobId, thingName, status: "SUCCEEDED" }));
	same("nothing is pending", (await device.send(new jobs.DescribeJobExecutionCommand({ jobId: "$next", thingName }))).execution ?? null, null);
	const { job } = await operator.send(new iot.DescribeJobCommand({ jobId }));
	same("the job is done", [job.status, job.jobProcessDetails.numberOfSucceededThings], ["COMPLETED", 1]);
	const { executionSummaries } = await operator.send(new iot.ListJobExecutionsForJobCommand({ jobId, status: "SUCCEEDED" }));
	same("its executions", executionSummaries.map((e) => e.thingArn), [thingArn]);

	const topic = `hall/${name}`, payload = new TextEncoder().encode("on");
	await messages.send(new data.PublishCommand({ topic, qos: 1, retain: true, payload, userProperties: JSON.stringify([{ a: "b" }]) }));
	const retained = await messages.send(new data.GetRetainedMessageCommand({ topic }));
	same("a retained message", new TextDecoder().decode(retained.payload), "on");
	await messages.send(new data.PublishCommand({ topic, retain: true }));

	same("a thing that is not there", await refused(operator.send(new iot.DescribeThingCommand({ thingName: `no-${name}` }))),
		{ name: "ResourceNotFoundException", status: 404, requestId: true });
	const again = operator.send(new iot.CreateJobCommand({ jobId, targets: [thingArn], document: "{}" }));
	same("a job that is there", await refused(again), { name: "ResourceAlreadyExistsException", status: 409, requestId: true });
	const forger = new iot.IoTClient({ ...config, credentials: { ...config.credentials, secretAccessKey: "wrong" } });
	same("a wrong secret", await refused(forger.send(new iot.DescribeThingCommand({ thingName }))),
		{ name: "InvalidSignatureException", status: 403, requestId: true });
	same("an operation that is not there", await refused(operator.send(new iot.ListBillingGroupsCommand({}))),
		{ name: "NotImplementedException", status: 501, requestId: true });

	await operator.send(new iot.DeleteJobCommand({ jobId, force: true }));
	await operator.send(new iot.DeleteThingCommand({ thingName }));
	return checked;
}

// refused returns what a client is told of an error.
async function refused(call) {
	try {
		await call;
	} catch (e) {
		return { name: e.name, status: e.$metadata?.httpStatusCode, requestId: /^[0-9a-f-]{36}$/.test(e.$metadata?.requestId) };
	}
	return "no error";
}
