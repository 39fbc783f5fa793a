package diary

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
)

const someCertificate muster.CertificateID = "5f1c9d8e7b6a59483726150403f2e1d0c9b8a79685746352413029180706f5e4"

// full is a diary with something in all parts.
func full() muster.Diary {
	at := muster.Instant(1_790_000_000_000)
	return muster.Diary{
		Came:    muster.Arrival{At: at, AsClientID: true},
		Left:    muster.Departure{At: at + 1, Reason: "CONNECTION_LOST", Kept: at + 3_600_000},
		Refused: muster.ConnectRefusal{At: at + 2, Why: "the certificate is INACTIVE", Certificate: someCertificate, Count: 7},
		Denied: muster.Denial{
			At: at + 3, AsClientID: true, Action: "iot:Subscribe", Resource: "topicfilter/$aws/things/lamp/jobs/notify", Policy: "fleet", Statement: "#2", Count: 9,
		},
		Asked:  muster.Request{At: at + 4, Operation: "DescribeJobExecution", Job: "fw"},
		Failed: muster.Request{At: at + 5, Operation: "UpdateJobExecution", Code: "VersionMismatch", Message: "the version is 3", Job: "fw", Count: 2},
		HTTPS:  at + 1,
		Told:   muster.Telling{At: at + 7, Acked: at + 8, Job: "fw"},
	}
}

func stored(t *testing.T, d muster.Diary) ([]byte, muster.Diary) {
	t.Helper()
	b, err := json.Marshal(page(d))
	if err != nil {
		t.Fatal(err)
	}
	var p page
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return b, muster.Diary(p)
}

func TestADiaryIsReadAsItWasWritten(t *testing.T) {
	onlyTold := muster.Diary{Told: muster.Telling{At: 5, Job: "fw"}}
	for name, d := range map[string]muster.Diary{"all parts": full(), "none": {}, "one": onlyTold, "an early one": {HTTPS: 1}} {
		if b, got := stored(t, d); got != d {
			t.Errorf("%s: %s is read as\n%+v, want\n%+v", name, b, got, d)
		}
	}
}

func TestADiaryIsSmall(t *testing.T) {
	worst := full()
	worst.Came.At, worst.Left.Kept = 1, 1<<45
	for _, n := range []*int{&worst.Refused.Count, &worst.Denied.Count, &worst.Failed.Count} {
		*n = 1 << 40
	}
	for _, text := range []*string{&worst.Refused.Why, &worst.Denied.Resource, &worst.Denied.Policy, &worst.Denied.Statement, &worst.Failed.Message} {
		*text = strings.Repeat("\"é\x00<", 64)
	}
	for _, job := range []*muster.JobID{&worst.Asked.Job, &worst.Failed.Job, &worst.Told.Job} {
		*job = muster.JobID(strings.Repeat("j", 64))
	}
	b, got := stored(t, worst)
	if len(b)+1 > pageMax {
		t.Errorf("%d bytes are stored: %s", len(b)+1, b)
	}
	if got.Told.Job != worst.Told.Job || got.Asked.Job != "" || got.Denied.Count != countMax || got.Refused.Certificate != worst.Refused.Certificate {
		t.Errorf("it is read as %+v", got)
	}
	for _, text := range []string{got.Refused.Why, got.Denied.Resource, got.Denied.Policy, got.Denied.Statement, got.Failed.Message} {
		if len(text) < shortest-2 || !strings.Contains(text, ellipsis) {
			t.Errorf("%q is left of a long text", text)
		}
	}
	typical, _ := stored(t, full())
	if len(typical) > 300 {
		t.Errorf("a full diary takes %d bytes: %s", len(typical), typical)
	}
}

func TestWhatIsNoDiaryIsAnError(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `["!"]`, `[""]`, `["gICA"]`} {
		if err := json.Unmarshal([]byte(text), new(page)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

// A word of the contract without a number could not be stored.
func TestTheWordsOfTheContractHaveNumbers(t *testing.T) {
	for _, cause := range []gateway.Cause{
		gateway.ClientInitiated, gateway.ClientError, gateway.ConnectionLost, gateway.DuplicateClientID, gateway.KeepAliveTimeout, gateway.AuthError,
		gateway.ForbiddenAccess, gateway.ServerError, gateway.ServerInitiated, gateway.Throttled, gateway.WebSocketTTLExpired,
	} {
		if !slices.Contains(words, string(cause)) {
			t.Errorf("%s has no number", cause)
		}
	}
}

func TestActionsAreOfDifferentKinds(t *testing.T) {
	of := map[kinds]string{}
	for _, word := range words[:slices.Index(words, "InvalidTopic")+1] {
		for _, jobs := range []bool{false, true} {
			kind := kindOf(word, jobs)
			if other, twice := of[kind]; twice || kind == 0 {
				t.Errorf("%s and %s are of one kind", word, other)
			}
			of[kind] = word
		}
	}
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{{"short", 5, "short"}, {"0123456789", 9, "012…789"}, {"ééééé", 9, "é…é"}} {
		if got := clip(tt.text, tt.limit); got != tt.want || len(got) > tt.limit {
			t.Errorf("clip(%q, %d) = %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}
