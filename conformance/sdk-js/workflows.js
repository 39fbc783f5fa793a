// Both device workflows to their end, on every transport, MQTT version and generation of the jobs client.
// Prints a line for each check, then how often each requirement of device-clients.md was tried.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ControlPlane } from "./control_plane.js";
import { Refused, generations, transports, versions } from "./device.js";
import { Queue } from "./queue.js";

const DOCUMENT = { do: "flash", size: 12, nested: { list: [1, "two", null] } };
const ready = JSON.parse(readFileSync(process.env.MUSTER_READY));
const folder = mkdtempSync(join(tmpdir(), "muster-sdk-js-"));
const controlPlane = new ControlPlane();
const credentials = await controlPlane.call("credentials");

// enroll makes a thing with a certificate, and a way to give it jobs.
async function enroll() {
	const thing = `lamp-${randomUUID()}`;
	const { thingArn } = await controlPlane.call("enroll", { thing, folder });
	return {
		ready, credentials, thing, certificate: join(folder, `${thing}.pem`), key: join(folder, `${thing}.key`),
		create: async (what) => {
			const jobId = `${what}-${thing}`;
			await controlPlane.call("create_job", { jobId, targets: [thingArn], document: JSON.stringify(DOCUMENT) });
			return jobId;
		},
	};
}

const checks = [];

// check adds a check; rows are the requirements DC-n of device-clients.md that it tries.
function check(name, rows, body) {
	checks.push({ name, rows, body });
}

// everywhere adds a check for each combination of transport, version and generation. Its body gets a jobs client and the
// device whose client it is.
function everywhere(name, rows, body) {
	for (const [transport, connect] of Object.entries(transports)) {
		for (const [version, MQTT] of Object.entries(versions)) {
			for (const [generation, Jobs] of Object.entries(generations)) {
				check(`${name} (${transport}, MQTT ${version}, ${generation})`, rows, async () => {
					const lamp = await enroll();
					const connection = await MQTT.connect(connect, lamp, lamp.thing, true);
					try {
						const jobs = await Jobs.open(connection, lamp.thing);
						try {
							await body(jobs, lamp);
						} finally {
							await jobs.close();
						}
					} finally {
						await connection.close();
					}
				});
			}
		}
	}
}

const listed = (event) => Object.fromEntries(Object.entries(event.jobs).map(([status, summaries]) => [status, summaries.map((s) => s.jobId)]));

async function refused(promise) {
	try {
		await promise;
	} catch (e) {
		if (!(e instanceof Refused)) throw e;
		assert.ok(e.error.message && e.error.timestamp, e);
		return e.error;
	}
	assert.fail("accepted, want rejected");
}

everywhere("an idle thing has nothing to do", [1, 2, 7, 8, 9, 15, 25], async (jobs) => {
	const got = await jobs.pending();
	assert.deepEqual([got.inProgressJobs, got.queuedJobs], [[], []]);
	assert.equal((await jobs.startNext()).execution, undefined);
	assert.equal((await jobs.describe("$next")).execution, undefined);
});

everywhere("get next, to the end", [1, 2, 4, 5, 6, 8, 15, 17, 20, 25, 33], async (jobs, lamp) => {
	await jobs.stream();
	const job = await lamp.create("job");
	assert.deepEqual(listed(await jobs.lists.next()), { QUEUED: [job] });
	const told = (await jobs.nexts.next()).execution;
	assert.deepEqual([told.jobId, told.status, told.versionNumber, told.executionNumber], [job, "QUEUED", 1, 1]);
	assert.deepEqual(told.jobDocument, DOCUMENT);
	assert.ok(Math.abs(told.queuedAt - Date.now() / 1000) < 300, `queuedAt ${told.queuedAt} in seconds`);

	const x = (await jobs.startNext({ statusDetails: { step: "0" } })).execution;
	assert.deepEqual([x.jobId, x.status, x.versionNumber, x.statusDetails], [job, "IN_PROGRESS", 2, { step: "0" }]);
	assert.equal((await jobs.startNext()).execution.versionNumber, 2, "asked again, the one at work is given again");
	const got = await jobs.update(job, "IN_PROGRESS", { expectedVersion: 2, statusDetails: { step: "1" }, includeJobExecutionState: true, includeJobDocument: true });
	assert.deepEqual(got.executionState, { status: "IN_PROGRESS", statusDetails: { step: "1" }, versionNumber: 3 });
	assert.deepEqual(got.jobDocument, DOCUMENT);
	await jobs.update(job, "SUCCEEDED");
	assert.deepEqual(listed(await jobs.lists.next()), {});
	assert.equal((await jobs.nexts.next()).execution, undefined);
	assert.ok(await jobs.quiet(), "a notification nobody owed");
	const { job: seen } = await controlPlane.call("describe_job", { jobId: job });
	assert.equal(seen.jobProcessDetails.numberOfSucceededThings, 1);
});

everywhere("pick a job, to the end", [1, 3, 15, 19, 25, 33], async (jobs, lamp) => {
	await jobs.stream();
	const one = await lamp.create("one");
	assert.deepEqual(listed(await jobs.lists.next()), { QUEUED: [one] });
	assert.equal((await jobs.nexts.next()).execution.jobId, one);
	const two = await lamp.create("two");
	assert.deepEqual(listed(await jobs.lists.next()), { QUEUED: [one, two] });
	assert.deepEqual((await jobs.pending()).queuedJobs.map((s) => s.jobId), [one, two]);
	assert.deepEqual((await jobs.describe(two)).execution.jobDocument, DOCUMENT);

	await jobs.update(two, "IN_PROGRESS", { expectedVersion: 1 });
	assert.equal((await jobs.nexts.next()).execution.jobId, two, "what is at work comes before what waits");
	const error = await refused(jobs.update(two, "SUCCEEDED", { expectedVersion: 1 }));
	assert.deepEqual([error.code, error.executionState], ["VersionMismatch", { status: "IN_PROGRESS", versionNumber: 2 }]);
	await jobs.update(one, "REJECTED", { statusDetails: { reason: "not for me" } });
	assert.deepEqual(listed(await jobs.lists.next()), { IN_PROGRESS: [two] });
	await jobs.update(two, "FAILED");
	assert.deepEqual(listed(await jobs.lists.next()), {});
	assert.equal((await jobs.nexts.next()).execution, undefined);
	assert.ok(await jobs.quiet(), "a notification nobody owed");
});

everywhere("a job cancelled while at work", [3], async (jobs, lamp) => {
	await jobs.stream();
	const job = await lamp.create("job");
	await jobs.lists.next();
	await jobs.nexts.next();
	assert.equal((await jobs.startNext()).execution.jobId, job);
	await controlPlane.call("cancel_job", { jobId: job, force: true });
	assert.deepEqual(listed(await jobs.lists.next()), {});
	assert.equal((await jobs.nexts.next()).execution, undefined);
	const error = await refused(jobs.update(job, "SUCCEEDED"));
	assert.deepEqual([error.code, error.executionState.status], ["InvalidStateTransition", "CANCELED"]);
});

everywhere("refusals are what the SDK can read", [2, 3], async (jobs, lamp) => {
	await jobs.stream();
	const job = await lamp.create("job");
	await jobs.nexts.next();
	const code = async (promise) => (await refused(promise)).code;
	assert.equal(await code(jobs.update(job, "QUEUED")), "InvalidRequest");
	assert.equal(await code(jobs.update(job, "NONSENSE")), "InvalidRequest");
	assert.equal(await code(jobs.update("no-such-job", "FAILED")), "ResourceNotFound");
	assert.equal(await code(jobs.describe("no-such-job")), "ResourceNotFound");
	await jobs.update(job, "FAILED");
	assert.equal(await code(jobs.describe(job)), "TerminalStateReached");
	assert.equal(await code(jobs.update(job, "SUCCEEDED")), "InvalidStateTransition");
});

for (const [version, MQTT] of Object.entries(versions)) {
	check(`a refused CONNECT is reported (MQTT ${version})`, [26], async () => {
		const lamp = await enroll();
		await assert.rejects(MQTT.connect(transports.mtls, lamp, "somebody-else", true), /AWS_ERROR_MQTT/);
	});

	check(`a session that is resumed needs no new subscription (MQTT ${version})`, [18], async () => {
		const lamp = await enroll();
		const first = await MQTT.connect(transports.mtls, lamp, lamp.thing, false);
		const next = `$aws/things/${lamp.thing}/jobs/notify-next`;
		await first.subscribe(next);
		await first.close();
		const job = await lamp.create("job");

		const heard = new Queue("what was missed");
		const second = await MQTT.connect(transports.mtls, lamp, lamp.thing, false, heard);
		try {
			assert.equal(second.sessionPresent, true);
			const [topic, payload] = await heard.next();
			assert.equal(topic, next);
			assert.equal(JSON.parse(Buffer.from(payload)).execution.jobId, job);
		} finally {
			await second.close();
		}
	});
}

const tried = new Map();
let failed = 0;
for (const { name, rows, body } of checks) {
	try {
		await body();
		console.log(`ok   ${name}`);
		for (const row of rows) tried.set(row, (tried.get(row) ?? 0) + 1);
	} catch (e) {
		failed++;
		console.log(`FAIL ${name}:`, e);
	}
}
for (const [row, times] of [...tried].sort(([a], [b]) => a - b)) console.log(`DC-${row} pass ${times} checks`);
if (failed) console.log(`sdk-js: ${failed} checks failed`);
else console.log(`sdk-js: ${checks.length} checks passed`);
controlPlane.close();
rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0); // the SDK's MQTT 5 clients keep a process alive, closed or not
