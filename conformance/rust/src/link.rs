//! rumqttc's two clients under one trait: what a device of jobs asks of them.

use crate::operator::Device;
use crate::LIMIT;
use rumqttc::{v5, ConnectReturnCode, QoS, TlsConfiguration, Transport};
use std::time::{Duration, Instant};

const LARGEST: u32 = 149_504; // bytes of a packet: the service's own maximum

pub trait Link {
    /// Subscribes with QoS 1 and waits for SUBACK.
    fn subscribe(&mut self, filter: &str);
    fn publish(&mut self, topic: &str, payload: &str);
    /// The topic and payload of a message, or none after a short while.
    fn poll(&mut self) -> Option<(String, Vec<u8>)>;
    fn close(&mut self);
}

fn transport(device: &Device) -> Transport {
    Transport::tls_with_config(TlsConfiguration::Simple { ca: device.ca.clone(), alpn: None, client_auth: Some((device.certificate.clone(), device.key.clone())) })
}

pub struct Three {
    client: rumqttc::Client,
    connection: rumqttc::Connection,
}

impl Three {
    /// Connects, or says with which code the server refused.
    pub fn connect(device: &Device, client_id: &str) -> Result<Three, String> {
        let mut options = rumqttc::MqttOptions::new(client_id, &device.host, device.port);
        options.set_transport(transport(device)).set_keep_alive(Duration::from_secs(60)).set_clean_session(true).set_max_packet_size(LARGEST as usize, LARGEST as usize);
        let (client, mut connection) = rumqttc::Client::new(options, 10);
        match connection.recv_timeout(LIMIT).expect("an answer in time") {
            Ok(rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(ack))) => {
                assert_eq!(ack.code, ConnectReturnCode::Success);
                Ok(Three { client, connection })
            }
            Err(rumqttc::ConnectionError::ConnectionRefused(code)) => Err(format!("{code:?}")),
            other => panic!("got {other:?}, want CONNACK"),
        }
    }

    fn event(&mut self) -> Option<rumqttc::Packet> {
        match self.connection.recv_timeout(Duration::from_millis(100)) {
            Ok(Ok(rumqttc::Event::Incoming(packet))) => Some(packet),
            Ok(Ok(_)) | Err(rumqttc::RecvTimeoutError::Timeout) => None,
            other => panic!("the connection was lost: {other:?}"),
        }
    }
}

impl Link for Three {
    fn subscribe(&mut self, filter: &str) {
        self.client.subscribe(filter, QoS::AtLeastOnce).expect("room for a request");
        let end = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < end, "no SUBACK for {filter}");
            if let Some(rumqttc::Packet::SubAck(ack)) = self.event() {
                return assert_eq!(ack.return_codes, [rumqttc::SubscribeReasonCode::Success(QoS::AtLeastOnce)], "{filter}");
            }
        }
    }

    fn publish(&mut self, topic: &str, payload: &str) {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).expect("room for a request");
    }

    fn poll(&mut self) -> Option<(String, Vec<u8>)> {
        match self.event() {
            Some(rumqttc::Packet::Publish(p)) => Some((p.topic, p.payload.to_vec())),
            _ => None,
        }
    }

    fn close(&mut self) {
        self.client.disconnect().expect("room for a request");
        while let Ok(Ok(_)) = self.connection.recv_timeout(LIMIT) {}
    }
}

pub struct Five {
    client: v5::Client,
    connection: v5::Connection,
}

impl Five {
    /// Connects, or says with which code the server refused.
    pub fn connect(device: &Device, client_id: &str) -> Result<Five, String> {
        let mut options = v5::MqttOptions::new(client_id, &device.host, device.port);
        options.set_transport(transport(device)).set_keep_alive(Duration::from_secs(60)).set_clean_start(true).set_max_packet_size(Some(LARGEST));
        let (client, mut connection) = v5::Client::new(options, 10);
        match connection.recv_timeout(LIMIT).expect("an answer in time") {
            Ok(v5::Event::Incoming(v5::mqttbytes::v5::Packet::ConnAck(ack))) => {
                assert_eq!(ack.code, v5::mqttbytes::v5::ConnectReturnCode::Success);
                Ok(Five { client, connection })
            }
            Err(v5::ConnectionError::ConnectionRefused(code)) => Err(format!("{code:?}")),
            other => panic!("got {other:?}, want CONNACK"),
        }
    }

    fn event(&mut self) -> Option<v5::mqttbytes::v5::Packet> {
        match self.connection.recv_timeout(Duration::from_millis(100)) {
            Ok(Ok(v5::Event::Incoming(packet))) => Some(packet),
            Ok(Ok(_)) | Err(v5::RecvTimeoutError::Timeout) => None,
            other => panic!("the connection was lost: {other:?}"),
        }
    }
}

impl Link for Five {
    fn subscribe(&mut self, filter: &str) {
        self.client.subscribe(filter, v5::mqttbytes::QoS::AtLeastOnce).expect("room for a request");
        let end = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < end, "no SUBACK for {filter}");
            if let Some(v5::mqttbytes::v5::Packet::SubAck(ack)) = self.event() {
                let want = v5::mqttbytes::v5::SubscribeReasonCode::Success(v5::mqttbytes::QoS::AtLeastOnce);
                return assert_eq!(ack.return_codes, [want], "{filter}");
            }
        }
    }

    fn publish(&mut self, topic: &str, payload: &str) {
        self.client.publish(topic, v5::mqttbytes::QoS::AtLeastOnce, false, payload.to_owned()).expect("room for a request");
    }

    fn poll(&mut self) -> Option<(String, Vec<u8>)> {
        match self.event() {
            Some(v5::mqttbytes::v5::Packet::Publish(p)) => Some((String::from_utf8(p.topic.to_vec()).expect("a topic"), p.payload.to_vec())),
            _ => None,
        }
    }

    fn close(&mut self) {
        self.client.disconnect().expect("room for a request");
        while let Ok(Ok(_)) = self.connection.recv_timeout(LIMIT) {}
    }
}
