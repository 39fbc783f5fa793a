//! A device on rumqttc: both workflows of a job to the end, MQTT 3.1.1 and 5, with a certificate.

mod link;
mod operator;

use link::{Five, Link, Three};
use operator::{Device, Operator};
use serde_json::{json, Value};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(20); // that anything may take

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the one provider of this process");
    let mut operator = Operator::start();
    let mut checks = Checks { subject: "", passed: 0 };

    checks.subject = "3.1.1";
    let device = operator.enroll("rumqttc3");
    let mut link = Three::connect(&device, &device.thing).expect("a connection");
    workflows(&mut checks, &mut operator, &device, &mut link);
    checks.equal("another's client id is refused", &json!(Three::connect(&device, "somebody-else").err()), &json!("NotAuthorized"));

    checks.subject = "5";
    let device = operator.enroll("rumqttc5");
    let mut link = Five::connect(&device, &device.thing).expect("a connection");
    workflows(&mut checks, &mut operator, &device, &mut link);
    checks.equal("another's client id is refused", &json!(Five::connect(&device, "somebody-else").err()), &json!("NotAuthorized"));

    println!("rust: {} checks passed", checks.passed);
}

struct Checks {
    subject: &'static str,
    passed: u32,
}

impl Checks {
    fn equal(&mut self, what: &str, got: &Value, want: &Value) {
        assert!(got == want, "{}: {what}: got {got}, want {want}", self.subject);
        self.passed += 1;
        println!("ok   {}: {what}", self.subject);
    }
}

/// What arrived and was not asked for yet, by topic.
struct Heard<'a> {
    link: &'a mut dyn Link,
    waiting: HashMap<String, VecDeque<Value>>,
}

impl Heard<'_> {
    fn next(&mut self, topic: &str) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(message) = self.waiting.get_mut(topic).and_then(VecDeque::pop_front) {
                return message;
            }
            assert!(Instant::now() < end, "waited {LIMIT:?} in vain for {topic}; heard {:?}", self.waiting);
            if let Some((topic, payload)) = self.link.poll() {
                let message = serde_json::from_slice(&payload).expect("JSON from the server");
                self.waiting.entry(topic).or_default().push_back(message);
            }
        }
    }

    fn ask(&mut self, topic: &str, payload: &str, answer: &str) -> Value {
        self.link.publish(topic, payload);
        self.next(&format!("{topic}/{answer}"))
    }
}

fn keys(message: &Value) -> Value {
    json!(message.as_object().expect("an object").keys().collect::<Vec<_>>())
}

fn workflows(checks: &mut Checks, operator: &mut Operator, device: &Device, link: &mut dyn Link) {
    let topic = |below: &str| format!("$aws/things/{}/jobs/{below}", device.thing);
    for filter in ["notify-next", "start-next/+", "get/+", "+/get/+", "+/update/+"] {
        link.subscribe(&topic(filter));
    }
    let mut heard = Heard { link, waiting: HashMap::new() };

    let nothing = heard.ask(&topic("start-next"), r#"{"clientToken":"a"}"#, "accepted");
    checks.equal("nothing is pending", &keys(&nothing), &json!(["clientToken", "timestamp"]));

    let document = json!({"do": "flash", "size": 12});
    let job = operator.job(&format!("{}-next", device.thing), device, &document);
    let told = heard.next(&topic("notify-next"));
    checks.equal("notify-next tells of the job", &told["execution"]["jobDocument"], &document);
    let started = heard.ask(&topic("start-next"), r#"{"clientToken":"b"}"#, "accepted");
    checks.equal("start-next starts it", &json!([started["clientToken"], started["execution"]["status"], started["execution"]["versionNumber"]]), &json!(["b", "IN_PROGRESS", 2]));
    let update = topic(&format!("{job}/update"));
    let stale = heard.ask(&update, r#"{"status":"SUCCEEDED","expectedVersion":"1"}"#, "rejected");
    checks.equal("a stale update is refused", &json!([stale["code"], stale["executionState"]["versionNumber"]]), &json!(["VersionMismatch", 2]));
    let progress = heard.ask(&update, r#"{"status":"IN_PROGRESS","statusDetails":{"step":"1"}}"#, "accepted");
    checks.equal("progress", &keys(&progress), &json!(["timestamp"]));
    let done = heard.ask(&update, r#"{"status":"SUCCEEDED","includeJobExecutionState":true}"#, "accepted");
    checks.equal("success", &done["executionState"], &json!({"status": "SUCCEEDED", "statusDetails": {"step": "1"}, "versionNumber": 4}));
    checks.equal("notify-next tells that nothing is left", &keys(&heard.next(&topic("notify-next"))), &json!(["timestamp"]));
    checks.equal("the operator agrees", &operator.outcome(&job), &json!(["COMPLETED", 1, 0]));

    // More than the 10 KiB that rumqttc takes unless it is told otherwise.
    let large = json!({"do": "log", "padding": "x".repeat(20_000)});
    let picked = operator.job(&format!("{}-pick", device.thing), device, &large);
    heard.next(&topic("notify-next"));
    let pending = heard.ask(&topic("get"), "", "accepted");
    checks.equal("get lists the queue", &pending["queuedJobs"][0]["jobId"], &json!(picked));
    let described = heard.ask(&topic(&format!("{picked}/get")), "", "accepted");
    checks.equal("describe shows the document", &described["execution"]["jobDocument"], &large);
    let update = topic(&format!("{picked}/update"));
    checks.equal("picked and rejected", &keys(&heard.ask(&update, r#"{"status":"REJECTED"}"#, "accepted")), &json!(["timestamp"]));
    let over = heard.ask(&topic(&format!("{picked}/get")), "{}", "rejected");
    checks.equal("a finished one is not shown", &over["code"], &json!("TerminalStateReached"));
    heard.next(&topic("notify-next"));
    checks.equal("the operator agrees", &operator.outcome(&picked), &json!(["COMPLETED", 0, 1]));

    heard.ask(&topic("get"), "{}", "accepted"); // whatever was on its way is here now
    let left: usize = heard.waiting.values().map(VecDeque::len).sum();
    checks.equal("nothing came twice", &json!(left), &json!(0));
    heard.link.close();
}
