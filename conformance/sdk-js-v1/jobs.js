// A device on aws-iot-device-sdk, the first JavaScript SDK: its jobs client with a certificate, and over WebSocket with an access key.
// Prints a line for each check.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import sdk from "aws-iot-device-sdk";

import { ControlPlane } from "../sdk-js/control_plane.js";
import { LIMIT, Queue, within } from "../sdk-js/queue.js";

const ready = JSON.parse(readFileSync(process.env.MUSTER_READY));
const folder = mkdtempSync(join(tmpdir(), "muster-sdk-js-v1-"));
const controlPlane = new ControlPlane();
const { accessKey, secretKey } = await controlPlane.call("credentials");

const address = (text) => {
	const at = text.lastIndexOf(":");
	return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
};

// Each transport is what the SDK is told to reach the server by it.
const transports = {
	certificate: (lamp) => ({ ...address(ready.mqtts_addr), servername: "localhost", caPath: ready.ca_file, certPath: lamp.certificate, keyPath: lamp.key }),
	websocket: () => ({
		...address(ready.alpn_addr), protocol: "wss", region: ready.region, accessKeyId: accessKey, secretKey,
		websocketOptions: { ca: readFileSync(ready.ca_file) },
	}),
};

// enroll makes a thing with a certificate, and a way to give it jobs and to see what became of them.
async function enroll() {
	const thing = `lamp-${randomUUID()}`;
	const { thingArn } = await controlPlane.call("enroll", { thing, folder });
	return {
		thing, certificate: join(folder, `${thing}.pem`), key: join(folder, `${thing}.key`),
		create: async (what, document) => {
			const jobId = `${what}-${thing}`;
			await controlPlane.call("create_job", { jobId, targets: [thingArn], document: JSON.stringify(document) });
			return jobId;
		},
		execution: async (jobId) => (await controlPlane.call("describe_job_execution", { jobId, thingName: thing })).execution,
	};
}

// called gives a callback of the SDK's kind, (error, value), and the promise of it.
const called = (what, start) => within(new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value)))), what);

const checks = [];

// everywhere adds a check for each transport. Its body gets a jobs client, the device whose client it is, and what brings
// the client's trouble: a queue, which must stay empty.
function everywhere(name, body) {
	for (const [transport, options] of Object.entries(transports)) {
		checks.push([`${name} (${transport})`, async () => {
			const lamp = await enroll();
			const client = sdk.jobs({ ...options(lamp), clientId: lamp.thing });
			const trouble = new Queue("trouble");
			for (const event of ["error", "offline", "close"]) client.on(event, (error) => trouble.put([event, error]));
			try {
				await within(new Promise((resolve, reject) => client.on("connect", resolve).on("error", reject)), "the connection");
				await body(client, lamp);
				assert.ok(trouble.empty, `the connection ended: ${JSON.stringify(trouble.items)}`);
			} finally {
				await called("the end of the connection", (done) => client.end(false, done));
			}
		}]);
	}
}

// subscribe takes the jobs of an operation, or all that no other subscription takes.
function subscribe(client, thing, operation) {
	const jobs = new Queue(`a job to ${operation ?? "do anything"}`);
	const take = (error, job) => jobs.put({ error, job });
	if (operation) client.subscribeToJobs(thing, operation, take);
	else client.subscribeToJobs(thing, take);
	return {
		next: async () => {
			const { error, job } = await jobs.next();
			assert.ifError(error);
			return job;
		},
		get empty() {
			return jobs.empty;
		},
	};
}

// roundTrip publishes with QoS 1 and waits for the PUBACK: by then the server has taken what was sent before, for the SDK
// does not say when it is subscribed.
const roundTrip = (client, lamp) => called("PUBACK", (done) => client.publish(`$aws/things/${lamp.thing}/jobs/get`, "{}", { qos: 1 }, done));

everywhere("a job that waits, to its end", async (client, lamp) => {
	const document = { operation: "flash", size: 12, nested: { list: [1, "two", null] } };
	const jobId = await lamp.create("flash", document);
	const flash = subscribe(client, lamp.thing, "flash");
	await called("the request for jobs", (done) => client.startJobNotifications(lamp.thing, done));
	const job = await flash.next();
	assert.deepEqual([job.id, job.operation, job.document, job.status.status], [jobId, "flash", document, "QUEUED"]);

	// The SDK sends the details of an application as they are: here with a number and a boolean.
	await called("the update", (done) => job.inProgress({ progress: 0, verified: false, step: "download" }, done));
	const working = await reached(lamp, jobId, "IN_PROGRESS");
	assert.deepEqual(working.statusDetails.detailsMap, { progress: "0", verified: "false", step: "download" });
	await called("the update", (done) => job.succeeded({ progress: 100 }, done));
	assert.deepEqual((await reached(lamp, jobId, "SUCCEEDED")).statusDetails.detailsMap, { progress: "100" });
	assert.ok(flash.empty, "a job that nobody made");
});

everywhere("jobs that come are told apart by their operation", async (client, lamp) => {
	const flash = subscribe(client, lamp.thing, "flash");
	const other = subscribe(client, lamp.thing);
	await roundTrip(client, lamp);
	await lamp.create("reboot", { operation: "reboot" });
	const reboot = await other.next();
	assert.equal(reboot.operation, "reboot");
	await called("the update", (done) => reboot.failed({ reason: "busy" }, done));
	const jobId = await lamp.create("flash", { operation: "flash" });
	const job = await flash.next();
	assert.equal(job.id, jobId);
	await called("the update", (done) => job.succeeded(done));
	await reached(lamp, jobId, "SUCCEEDED");
	await reached(lamp, reboot.id, "FAILED");
	assert.ok(flash.empty && other.empty, "a job that nobody made");
	await called("the end of the subscription", (done) => client.unsubscribeFromJobs(lamp.thing, "flash", done));
	await called("the end of the subscription", (done) => client.unsubscribeFromJobs(lamp.thing, done));
});

// reached returns the execution of a job when it has a status.
async function reached(lamp, jobId, status) {
	let execution = {};
	const end = Date.now() + LIMIT;
	while (execution.status !== status) {
		assert.ok(Date.now() < end, `${jobId} is ${JSON.stringify(execution)}, not ${status}`);
		execution = await lamp.execution(jobId);
	}
	return execution;
}

let failed = 0;
for (const [name, body] of checks) {
	try {
		await body();
		console.log(`ok   ${name}`);
	} catch (e) {
		failed++;
		console.log(`FAIL ${name}:`, e);
	}
}
if (failed) console.log(`sdk-js-v1: ${failed} checks failed`);
else console.log(`sdk-js-v1: ${checks.length} checks passed`);
controlPlane.close();
rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0);
