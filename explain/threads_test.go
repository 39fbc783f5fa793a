package explain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

// threads are situations in which people asked in public why a device does not move, and what they would have been told.
var threads = []struct {
	address string
	asked   string
	code    Code
	of      muster.Status
	with    func(*Facts)
}{
	{"https://github.com/FreeRTOS/iot-reference-esp32/issues/117", "jobs made after the device has started do not reach it", NotListening, muster.Queued, func(f *Facts) {
		f.Device.Listens = No
		f.Device.Diary.Asked = muster.Request{At: ago(2 * time.Hour), Operation: "StartNextPendingJobExecution"}
	}},
	{"https://github.com/aws/amazon-freertos/issues/2328", "the job does not make it to the device", Refused, muster.Queued, func(f *Facts) {
		f.Device.Diary.Denied = muster.Denial{At: ago(40 * time.Minute), Action: "iot:Receive", Resource: "topic/$aws/things/pump-7/jobs/notify-next", Count: 1}
	}},
	{"https://github.com/awslabs/aws-iot-device-client/issues/393", "the client aborts, since a subscription is not acknowledged", Refused, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Certificates[0].Status = muster.CertificateInactive
		f.Device.Diary.Refused = muster.ConnectRefusal{At: ago(time.Minute), Why: "the certificate is INACTIVE", Certificate: certificate, Count: 30}
	}},
	{"https://github.com/aws-greengrass/aws-greengrass-nucleus/issues/1704", "the device stays QUEUED for ever", NeverConnected, muster.Queued, func(f *Facts) {
		stranger(f)
		f.Device.Certificates[0].Policies = nil
	}},
	{"https://github.com/aws-greengrass/aws-greengrass-nucleus/issues/1203", "one job is stuck IN_PROGRESS, and all later ones are QUEUED", Behind, muster.Queued, func(f *Facts) {
		behindOf(f, muster.Execution{Job: "deploy-1", Number: 1, Status: muster.InProgress, QueuedAt: ago(30 * time.Hour), StartedAt: ago(29 * time.Hour)})
	}},
	{"https://github.com/aws-greengrass/aws-greengrass-lite/issues/1151", "a job without namespace stays QUEUED on a device that looks in another one", OtherNamespace, muster.Queued, func(f *Facts) {
		f.Device.Listens, f.Device.Elsewhere = No, []muster.Namespace{"aws-gg-deployment"}
	}},
	{"https://github.com/aws/amazon-freertos/issues/3005", "the device subscribes, and sometimes never asks", Told, muster.Queued, func(f *Facts) {
		f.Device.Diary.Told = muster.Telling{At: ago(40 * time.Minute), Acked: ago(40 * time.Minute), Job: "fw"}
	}},
	{"https://github.com/awslabs/aws-iot-device-client/issues/519", "jobs get stuck indefinitely", Silent, muster.InProgress, func(f *Facts) {
		f.Others = Others{Sample: 400, ToStart: minute, Work90: 4 * minute, Silence99: 6 * minute}
	}},
	{"https://github.com/bifravst/firmware/issues/78", "the job is IN_PROGRESS, and the download never starts", Silent, muster.InProgress, func(f *Facts) {
		away(f)
		f.Execution.UpdatedAt = f.Execution.StartedAt
	}},
	{"https://github.com/aws-greengrass/aws-greengrass-lite/pull/1046", "reports of the end fail with VersionMismatch after a reconnect", AsksWrongly, muster.InProgress, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(10 * time.Minute), Operation: "UpdateJobExecution", Code: "VersionMismatch", Message: "Expected version 2 but found version 3", Job: "fw", Count: 1}
	}},
	{"https://github.com/awslabs/aws-greengrass-labs-certificate-rotator/issues/68", "the device hangs after its request was throttled", Throttled, muster.Queued, func(f *Facts) {
		f.Device.Diary.Failed = muster.Request{At: ago(10 * time.Minute), Operation: "DescribeJobExecution", Code: "RequestThrottled", Count: 1}
	}},
	{"https://github.com/nerves-hub/nerves_hub_web/issues/595", "the device puts an update off for two hours, and its URL has expired", LinkExpired, muster.InProgress, func(f *Facts) {
		f.Execution.StartedAt, f.Execution.UpdatedAt, f.Execution.QueuedAt = ago(2*time.Hour), ago(2*time.Hour), ago(2*time.Hour)
		f.Job.Links, f.Execution.PresignedAt, f.Job.Config.Presigned.ExpiresInSec = true, ago(2*time.Hour), 600
	}},
	{"https://github.com/aws/aws-iot-device-sdk-python-v2/issues/264", "the device is disconnected again and again", Offline, muster.Queued, func(f *Facts) {
		away(f)
		f.Device.Connectivity.Reason, f.Device.Diary.Left.Reason = "DUPLICATE_CLIENTID", "DUPLICATE_CLIENTID"
	}},
}

func TestPublicQuestionsHaveAnAnswer(t *testing.T) {
	var text strings.Builder
	for _, q := range threads {
		f := factsOf(q.of, q.with)
		e := Explain(f)
		if e.Code != q.code {
			t.Errorf("%s: %s: %q, want %s", q.address, e.Code, e.Say, q.code)
		}
		check(t, f, e)
		fmt.Fprintf(&text, "%s\n    %s\n    %s: %s\n    next: %s\n", q.address, q.asked, e.Code, e.Say, e.Next.Say)
		for _, h := range e.Help {
			fmt.Fprintf(&text, "    $ %s\n", h.Command)
		}
		fmt.Fprintln(&text)
	}
	golden(t, "threads.txt", text.String())
}
