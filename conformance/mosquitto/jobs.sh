#!/usr/bin/env bash
# Both device workflows with mosquitto_pub, mosquitto_sub and mosquitto_rr, MQTT
# 3.1.1 and 5, against the server of $MUSTER_READY. Prints one line per check.
set -euo pipefail
: "${MUSTER_READY:?names the ready file}"
aws=${AWS:-aws}

ready() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$MUSTER_READY" "$1"; }
address=$(ready mqtt_addr)
host=${address%:*} port=${address##*:}
AWS_SHARED_CREDENTIALS_FILE=$(ready credentials_file)
AWS_DEFAULT_REGION=$(ready region)
export AWS_SHARED_CREDENTIALS_FILE AWS_DEFAULT_REGION AWS_PAGER=''
iot() { "$aws" --endpoint-url "$(ready api_url)" iot "$@"; }

work=$(mktemp -d)
listener=''
cleanup() { [ -z "$listener" ] || kill "$listener" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT

checks=0
check() { # what, JSON text, Python expression over j
	python3 -c 'import json,sys; j = json.loads(sys.argv[1]); sys.exit(0 if eval(sys.argv[2]) else 1)' "$2" "$3" ||
		{ echo "FAIL $1: $2 does not satisfy $3" >&2; exit 1; }
	checks=$((checks + 1))
	echo "ok   $1"
}

# ask topic payload answer: one request and its answer, over one connection.
ask() {
	mosquitto_rr -V "$version" -h "$host" -p "$port" -q 1 -W 10 -t "$prefix/$1" -e "$prefix/$1/$3" -m "$2"
}

# heard n: waits for line n of what the listener heard.
heard() {
	for _ in $(seq 200); do
		[ "$(wc -l <"$work/$version.heard")" -ge "$1" ] && { sed -n "${1}p" "$work/$version.heard"; return; }
		sleep 0.05
	done
	echo "FAIL: no message $1; heard: $(cat "$work/$version.heard")" >&2
	exit 1
}

arn() { echo "arn:aws:iot:$(ready region):$(ready account):$1"; }

for version in mqttv311 mqttv5; do
	run=$version-$RANDOM$RANDOM
	thing=lamp-$run
	prefix="\$aws/things/$thing/jobs"
	iot create-thing --thing-name "$thing" >/dev/null

	: >"$work/$version.heard"
	stdbuf -oL mosquitto_sub -V "$version" -h "$host" -p "$port" -q 1 -d -t "$prefix/notify-next" -F '%p' >"$work/$version.raw" 2>&1 &
	listener=$!
	for _ in $(seq 200); do grep -q SUBACK "$work/$version.raw" && break; sleep 0.05; done
	grep -q SUBACK "$work/$version.raw" || { echo "FAIL: no SUBACK" >&2; cat "$work/$version.raw" >&2; exit 1; }
	( tail -n +1 -f "$work/$version.raw" --pid="$listener" | grep --line-buffered '^{' >"$work/$version.heard" ) &

	check "$version nothing pending" "$(ask 'start-next' '{"clientToken":"a"}' accepted)" 'set(j) == {"clientToken", "timestamp"}'

	iot create-job --job-id "next-$run" --targets "$(arn "thing/$thing")" --document '{"do":"flash"}' >/dev/null
	check "$version notify-next tells of the job" "$(heard 1)" 'j["execution"]["jobDocument"] == {"do": "flash"}'
	check "$version start-next starts it" "$(ask start-next '{"clientToken":"b"}' accepted)" \
		'(j["clientToken"], j["execution"]["status"], j["execution"]["versionNumber"]) == ("b", "IN_PROGRESS", 2)'
	check "$version a stale update is refused" "$(ask "next-$run/update" '{"status":"SUCCEEDED","expectedVersion":"1"}' rejected)" \
		'j["code"] == "VersionMismatch" and j["executionState"]["versionNumber"] == 2'
	check "$version progress" "$(ask "next-$run/update" '{"status":"IN_PROGRESS","statusDetails":{"step":"1"}}' accepted)" 'set(j) == {"timestamp"}'
	check "$version success" "$(ask "next-$run/update" '{"status":"SUCCEEDED","includeJobExecutionState":true}' accepted)" \
		'j["executionState"] == {"status": "SUCCEEDED", "statusDetails": {"step": "1"}, "versionNumber": 4}'
	check "$version notify-next tells that nothing is left" "$(heard 2)" 'set(j) == {"timestamp"}'

	iot create-job --job-id "pick-$run" --targets "$(arn "thing/$thing")" --document '{"do":"log"}' >/dev/null
	heard 3 >/dev/null
	check "$version get lists the queue" "$(ask get '' accepted)" '[s["jobId"] for s in j["queuedJobs"]] == ["pick-'"$run"'"]'
	check "$version describe shows the document" "$(ask "pick-$run/get" '' accepted)" 'j["execution"]["jobDocument"] == {"do": "log"}'
	check "$version picked and rejected" "$(ask "pick-$run/update" '{"status":"REJECTED"}' accepted)" 'set(j) == {"timestamp"}'
	check "$version a finished one is not shown" "$(ask "pick-$run/get" '{}' rejected)" 'j["code"] == "TerminalStateReached"'
	check "$version garbage is refused" "$(ask get '[]' rejected)" 'j["code"] == "InvalidJson"'
	check "$version the control plane agrees" "$(iot describe-job --job-id "pick-$run" --output json)" \
		'j["job"]["jobProcessDetails"]["numberOfRejectedThings"] == 1 and j["job"]["status"] == "COMPLETED"'

	kill "$listener" && wait "$listener" 2>/dev/null || true
	listener=''
done
echo "mosquitto: $checks checks passed"
