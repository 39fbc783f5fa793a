//! The operator's side: boto3 in a process of its own, one line of JSON a call (../sdk-js/control_plane.py).

use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, path::PathBuf};

/// A thing with a certificate under the minimal policy, and where the server is.
pub struct Device {
    pub thing: String,
    pub arn: String,
    pub host: String,
    pub port: u16,
    pub ca: Vec<u8>,
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

pub struct Operator {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    ready: Value,
    run: String,
    folder: PathBuf,
}

impl Operator {
    pub fn start() -> Operator {
        let ready = fs::read(env::var("MUSTER_READY").expect("MUSTER_READY names the ready file")).expect("the ready file");
        let python = env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let mut process = Command::new(python).arg("../sdk-js/control_plane.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("boto3's process");
        let run = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_nanos().to_string();
        let folder = env::temp_dir().join(format!("conformance-rust-{run}"));
        fs::create_dir(&folder).expect("a folder for keys");
        Operator {
            input: process.stdin.take().expect("its input"),
            output: BufReader::new(process.stdout.take().expect("its output")),
            process,
            ready: serde_json::from_slice(&ready).expect("JSON in the ready file"),
            run,
            folder,
        }
    }

    /// Makes one call of boto3's iot client and returns its answer.
    fn call(&mut self, name: &str, with: Value) -> Value {
        writeln!(self.input, "{}", json!({"call": name, "with": with})).expect("boto3 reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("boto3 answers");
        let mut answer: Value = serde_json::from_str(&line).expect("JSON from boto3");
        assert!(answer.get("error").is_none(), "{}", answer["error"]);
        answer["ok"].take()
    }

    pub fn enroll(&mut self, what: &str) -> Device {
        let thing = format!("{what}-{}", self.run);
        let made = self.call("enroll", json!({"thing": thing, "folder": self.folder}));
        let address = self.ready["mqtts_addr"].as_str().expect("mqtts_addr");
        let (host, port) = address.rsplit_once(':').expect("host and port");
        let read = |path: PathBuf| fs::read(path).expect("a PEM file");
        Device {
            arn: made["thingArn"].as_str().expect("thingArn").into(),
            host: host.into(),
            port: port.parse().expect("a port"),
            ca: read(self.ready["ca_file"].as_str().expect("ca_file").into()),
            certificate: read(self.folder.join(format!("{thing}.pem"))),
            key: read(self.folder.join(format!("{thing}.key"))),
            thing,
        }
    }

    pub fn job(&mut self, id: &str, device: &Device, document: &Value) -> String {
        self.call("create_job", json!({"jobId": id, "targets": [device.arn], "document": document.to_string()}));
        id.into()
    }

    /// The job's status, and how many of its executions succeeded and were rejected.
    pub fn outcome(&mut self, id: &str) -> Value {
        let job = &self.call("describe_job", json!({"jobId": id}))["job"];
        let details = &job["jobProcessDetails"];
        json!([job["status"], details["numberOfSucceededThings"], details["numberOfRejectedThings"]])
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
