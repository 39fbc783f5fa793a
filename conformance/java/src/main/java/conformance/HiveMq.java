package conformance;

import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.MqttClientBuilder;
import com.hivemq.client.mqtt.MqttClientSslConfig;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt3.Mqtt3BlockingClient;
import com.hivemq.client.mqtt.mqtt3.exceptions.Mqtt3ConnAckException;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5ConnAckException;
import com.hivemq.client.mqtt.mqtt5.message.connect.connack.Mqtt5ConnAckReasonCode;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** HiveMQ's client with a certificate, MQTT 3.1.1 and 5. */
final class HiveMq {
	private HiveMq() {}

	static void run(Muster muster) throws Exception {
		Checks.about("hivemq 3.1.1");
		Muster.Device three = muster.enroll("hivemq3");
		RawJobs jobs = new RawJobs(muster, three);
		try (Three link = new Three(builder(muster, three, three.thing), jobs)) {
			jobs.run(link, "hivemq3");
		}
		Checks.fails("another's client id is refused", Mqtt3ConnAckException.class, () -> new Three(builder(muster, three, "somebody-else"), jobs));

		Checks.about("hivemq 5");
		Muster.Device five = muster.enroll("hivemq5");
		RawJobs jobs5 = new RawJobs(muster, five);
		try (Five link = new Five(builder(muster, five, five.thing), jobs5)) {
			jobs5.run(link, "hivemq5");
		}
		var refused = Checks.fails("another's client id is refused", Mqtt5ConnAckException.class, () -> new Five(builder(muster, five, "somebody-else"), jobs5));
		Checks.equal("with the reason", refused.getMqttMessage().getReasonCode(), Mqtt5ConnAckReasonCode.NOT_AUTHORIZED);
	}

	private static MqttClientBuilder builder(Muster muster, Muster.Device device, String clientId) throws Exception {
		return MqttClient.builder().identifier(clientId).serverHost(muster.host("mqtts_addr")).serverPort(muster.port("mqtts_addr"))
			.sslConfig(MqttClientSslConfig.builder().keyManagerFactory(device.keys()).trustManagerFactory(muster.trust()).build());
	}

	private static final class Three implements RawJobs.Link {
		private final Mqtt3BlockingClient client;
		private final RawJobs jobs;

		Three(MqttClientBuilder builder, RawJobs jobs) {
			client = builder.useMqttVersion3().buildBlocking();
			this.jobs = jobs;
			client.connectWith().cleanSession(true).keepAlive(60).send();
		}

		@Override
		public void subscribe(String filter) throws Exception {
			client.toAsync().subscribeWith().topicFilter(filter).qos(MqttQos.AT_LEAST_ONCE)
				.callback(m -> jobs.hear(m.getTopic().toString(), m.getPayloadAsBytes())).send().get(Muster.LIMIT, TimeUnit.SECONDS);
		}

		@Override
		public void publish(String topic, String payload) {
			client.publishWith().topic(topic).qos(MqttQos.AT_LEAST_ONCE).payload(payload.getBytes(StandardCharsets.UTF_8)).send();
		}

		@Override
		public void close() {
			client.disconnect();
		}
	}

	private static final class Five implements RawJobs.Link {
		private final Mqtt5BlockingClient client;
		private final RawJobs jobs;

		Five(MqttClientBuilder builder, RawJobs jobs) {
			client = builder.useMqttVersion5().buildBlocking();
			this.jobs = jobs;
			var connack = client.connectWith().cleanStart(true).sessionExpiryInterval(60).keepAlive(60).send();
			Checks.equal("CONNACK announces QoS 1 at most", connack.getRestrictions().getMaximumQos(), MqttQos.AT_LEAST_ONCE);
		}

		@Override
		public void subscribe(String filter) throws Exception {
			client.toAsync().subscribeWith().topicFilter(filter).qos(MqttQos.AT_LEAST_ONCE)
				.callback(m -> jobs.hear(m.getTopic().toString(), m.getPayloadAsBytes())).send().get(Muster.LIMIT, TimeUnit.SECONDS);
		}

		@Override
		public void publish(String topic, String payload) {
			client.publishWith().topic(topic).qos(MqttQos.AT_LEAST_ONCE).payload(payload.getBytes(StandardCharsets.UTF_8)).send();
		}

		@Override
		public void close() {
			client.disconnect();
		}
	}
}
