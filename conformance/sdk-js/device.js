// A device on aws-iot-device-sdk-v2: every way to connect, under both generations of its jobs client.

import sdk from "aws-iot-device-sdk-v2";

import { LIMIT, Queue, within } from "./queue.js";

const { auth, iot, iotjobs, mqtt, mqtt5 } = sdk;
const QOS = mqtt.QoS.AtLeastOnce;

// Refused is a rejected request; error is the SDK's own view of the answer.
export class Refused extends Error {
	constructor(error) {
		super(`${error.code}: ${error.message}`);
		this.error = error;
	}
}

const address = (text) => {
	const at = text.lastIndexOf(":");
	return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
};

// Each transport configures one connection for a device, a MQTT version and a client id.
// The builders for certificates offer ALPN x-amzn-mqtt-ca on every port.
const certificate = (listener) => ({
	"3.1.1": (d) => {
		const { host, port } = address(d.ready[listener]);
		return iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(d.certificate, d.key)
			.with_certificate_authority_from_path(undefined, d.ready.ca_file).with_endpoint(host).with_port(port);
	},
	5: (d) => {
		const { host, port } = address(d.ready[listener]);
		return iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(host, d.certificate, d.key)
			.withCertificateAuthorityFromPath(undefined, d.ready.ca_file).withPort(port);
	},
});

export const transports = {
	mtls: certificate("mqtts_addr"),
	alpn: certificate("alpn_addr"),
	websocket: {
		"3.1.1": (d) => {
			const { host, port } = address(d.ready.alpn_addr);
			const provider = auth.AwsCredentialsProvider.newStatic(d.credentials.accessKey, d.credentials.secretKey);
			return iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({ region: d.ready.region, credentials_provider: provider })
				.with_certificate_authority_from_path(undefined, d.ready.ca_file).with_endpoint(host).with_port(port);
		},
		5: (d) => {
			const { host, port } = address(d.ready.alpn_addr);
			const credentialsProvider = auth.AwsCredentialsProvider.newStatic(d.credentials.accessKey, d.credentials.secretKey);
			return iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(host, { region: d.ready.region, credentialsProvider })
				.withCertificateAuthorityFromPath(undefined, d.ready.ca_file).withPort(port);
		},
	},
};

class MQTT311 {
	// connect's heard gets the topic and payload of all that arrives.
	static async connect(transport, device, clientID, clean, heard = undefined) {
		const config = transport["3.1.1"](device).with_client_id(clientID).with_clean_session(clean).with_keep_alive_seconds(1200).build();
		const client = new mqtt.MqttClient().new_connection(config);
		client.on("error", () => {}); // what matters rejects a promise
		client.on("message", (topic, payload) => heard?.put([topic, payload]));
		const self = new MQTT311(client);
		self.sessionPresent = await within(client.connect(), "CONNACK");
		return self;
	}

	constructor(client) {
		this.client = client;
	}

	subscribe(topic) {
		return within(this.client.subscribe(topic, QOS), "SUBACK");
	}

	jobsV1() {
		return new iotjobs.IotJobsClient(this.client);
	}

	jobsV2(options) {
		return iotjobs.IotJobsClientv2.newFromMqtt311(this.client, options);
	}

	async close() {
		await within(this.client.disconnect(), "the end of the connection");
	}
}

class MQTT5 {
	static async connect(transport, device, clientID, clean, heard = undefined) {
		const builder = transport[5](device).withConnectProperties({ clientId: clientID, keepAliveIntervalSeconds: 1200, sessionExpiryIntervalSeconds: clean ? 0 : 3600 });
		builder.withSessionBehavior(clean ? mqtt5.ClientSessionBehavior.Clean : mqtt5.ClientSessionBehavior.RejoinAlways);
		const client = new mqtt5.Mqtt5Client(builder.build());
		client.on("error", () => {});
		client.on("messageReceived", ({ message }) => heard?.put([message.topicName, message.payload]));
		const self = new MQTT5(client);
		const connected = new Promise((resolve, reject) => {
			client.on("connectionSuccess", resolve);
			client.on("connectionFailure", ({ error, connack }) => reject(Object.assign(error, { connack })));
		});
		client.start();
		try {
			self.sessionPresent = (await within(connected, "CONNACK")).connack.sessionPresent;
		} catch (e) {
			await self.close();
			throw e;
		}
		return self;
	}

	constructor(client) {
		this.client = client;
	}

	subscribe(topic) {
		return within(this.client.subscribe({ subscriptions: [{ topicFilter: topic, qos: QOS }] }), "SUBACK");
	}

	jobsV1() {
		return iotjobs.IotJobsClient.newFromMqtt5Client(this.client);
	}

	jobsV2(options) {
		return iotjobs.IotJobsClientv2.newFromMqtt5(this.client, options);
	}

	async close() {
		const stopped = new Promise((resolve) => this.client.on("stopped", resolve));
		this.client.stop();
		await within(stopped, "the end of the connection");
		this.client.close();
	}
}

export const versions = { "3.1.1": MQTT311, 5: MQTT5 };

// JobsV1 is IotJobsClient: subscribe, wait, publish, and see what comes on which topic.
class JobsV1 {
	static async open(connection, thingName) {
		const self = new JobsV1(connection.jobsV1(), thingName);
		const c = self.client;
		await self.subscribe(c.subscribeToGetPendingJobExecutionsAccepted, self.accepted);
		await self.subscribe(c.subscribeToGetPendingJobExecutionsRejected, self.rejected);
		await self.subscribe(c.subscribeToStartNextPendingJobExecutionAccepted, self.accepted);
		await self.subscribe(c.subscribeToStartNextPendingJobExecutionRejected, self.rejected);
		return self;
	}

	constructor(client, thingName) {
		Object.assign(this, { client, thingName, known: new Set() });
		this.answers = new Queue("an answer");
		this.lists = new Queue("notify");
		this.nexts = new Queue("notify-next");
		this.accepted = (answer) => this.answers.put(() => answer);
		this.rejected = (error) => this.answers.put(() => { throw new Refused(error); });
	}

	subscribe(operation, handle, more = {}) {
		return within(operation.call(this.client, { thingName: this.thingName, ...more }, QOS, (error, answer) => handle(error ? { code: "unreadable", message: `${error}` } : answer)), "SUBACK");
	}

	async ask(operation, request) {
		await within(operation.call(this.client, { thingName: this.thingName, ...request }, QOS), "PUBACK");
		return (await this.answers.next())();
	}

	async stream() {
		await this.subscribe(this.client.subscribeToJobExecutionsChangedEvents, (event) => this.lists.put(event));
		await this.subscribe(this.client.subscribeToNextJobExecutionChangedEvents, (event) => this.nexts.put(event));
	}

	pending() {
		return this.ask(this.client.publishGetPendingJobExecutions);
	}

	startNext(more) {
		return this.ask(this.client.publishStartNextPendingJobExecution, more);
	}

	// know subscribes to the answers about a job. A filter with "+" would do for MQTT 3.1.1; over MQTT 5 this generation
	// finds its handlers by the exact topic.
	async know(jobId) {
		if (this.known.has(jobId)) return;
		this.known.add(jobId);
		await this.subscribe(this.client.subscribeToDescribeJobExecutionAccepted, this.accepted, { jobId });
		await this.subscribe(this.client.subscribeToDescribeJobExecutionRejected, this.rejected, { jobId });
		await this.subscribe(this.client.subscribeToUpdateJobExecutionAccepted, this.accepted, { jobId });
		await this.subscribe(this.client.subscribeToUpdateJobExecutionRejected, this.rejected, { jobId });
	}

	async describe(jobId, more) {
		await this.know(jobId);
		return this.ask(this.client.publishDescribeJobExecution, { jobId, ...more });
	}

	async update(jobId, status, more) {
		await this.know(jobId);
		return this.ask(this.client.publishUpdateJobExecution, { jobId, status, ...more });
	}

	// quiet says whether a round trip brings nothing but its own answer.
	async quiet() {
		await this.pending();
		return this.answers.empty && this.lists.empty && this.nexts.empty;
	}

	async close() {}
}

// JobsV2 is IotJobsClientv2: a request is a call, and notifications are streams.
class JobsV2 {
	static async open(connection, thingName) {
		return new JobsV2(connection.jobsV2({ maxRequestResponseSubscriptions: 4, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: LIMIT / 1000 }), thingName);
	}

	constructor(client, thingName) {
		Object.assign(this, { client, thingName, streams: [] });
		this.lists = new Queue("notify");
		this.nexts = new Queue("notify-next");
	}

	async ask(operation, request) {
		try {
			return await operation.call(this.client, { thingName: this.thingName, ...request });
		} catch (e) {
			throw e.modeledError ? new Refused(e.modeledError) : e.internalError ?? e;
		}
	}

	open(stream, into) {
		const established = new Promise((resolve) => stream.on("subscriptionStatus", resolve));
		stream.on("incomingPublish", ({ message }) => into.put(message));
		stream.open();
		this.streams.push(stream);
		return within(established, "SUBACK");
	}

	async stream() {
		await this.open(this.client.createJobExecutionsChangedStream({ thingName: this.thingName }), this.lists);
		await this.open(this.client.createNextJobExecutionChangedStream({ thingName: this.thingName }), this.nexts);
	}

	pending() {
		return this.ask(this.client.getPendingJobExecutions);
	}

	startNext(more) {
		return this.ask(this.client.startNextPendingJobExecution, more);
	}

	describe(jobId, more) {
		return this.ask(this.client.describeJobExecution, { jobId, ...more });
	}

	update(jobId, status, more) {
		return this.ask(this.client.updateJobExecution, { jobId, status, ...more });
	}

	async quiet() {
		await this.pending();
		return this.lists.empty && this.nexts.empty;
	}

	async close() {
		for (const stream of this.streams) stream.close();
		this.client.close();
	}
}

export const generations = { V1: JobsV1, V2: JobsV2 };
