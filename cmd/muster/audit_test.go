package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/operator"
)

// audited returns the records that muster audit prints as JSON with flags.
func audited(t *testing.T, data string, flags ...string) []audit.Entry {
	t.Helper()
	var page operator.AuditPage
	text := byCommand(t, "", append([]string{"audit", "--data", data, "--json"}, flags...)...)
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return page.Records
}

// awaitAudited waits until there is a record of an operation with an outcome.
func awaitAudited(t *testing.T, data, operation string, outcome audit.Outcome) audit.Entry {
	t.Helper()
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, r := range audited(t, data, "--operation", operation) {
			if r.Outcome == outcome {
				return r
			}
		}
	}
	t.Fatalf("there is no record of %s that is %s", operation, outcome)
	return audit.Entry{}
}

func TestWhatIsDoneWithAndBesideAServerIsRecorded(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, data, "--test-clock")
	s.fill(t)
	credentials := byCommand(t, "", "admin", "keys", "add", data, "--user", "ann", "--admin")
	if r := awaitAudited(t, data, "AddKey", audit.Done); !strings.HasPrefix(r.User, localUser) || len(r.Resources) != 1 || !strings.HasSuffix(r.Resources[0], ":user/ann") || r.AccessKeyID != "" {
		t.Errorf("a key that was added by hand is recorded as %+v, of\n%s", r, credentials)
	}
	if all := audited(t, data, "--resource", "job/fw", "--principal", "admin", "--from", "1h"); len(all) != 1 || all[0].Operation != "CreateJob" {
		t.Errorf("of the job there is %+v, want one record", all)
	}
	if all := audited(t, data, "--max", "2"); len(all) != 2 {
		t.Errorf("--max 2 prints %d records", len(all))
	}
	byCommand(t, "", "admin", "backup", data, t.TempDir())
	byCommand(t, "", "clock", "advance", "1m", "--data", data)
	if err := s.Call(t.Context(), "POST", "/muster/v1/reset", nil, nil); err != nil {
		t.Fatal(err)
	}
	if r := awaitAudited(t, data, "Reset", audit.Done); r.User != "admin" || r.AccessKeyID == "" || r.Address != "127.0.0.1" {
		t.Errorf("a reset is recorded as %+v", r)
	}
	if all := audited(t, data, "--operation", "CreateJob"); len(all) != 0 {
		t.Errorf("after a reset there are records of before: %+v", all)
	}
	byCommand(t, "is neither a time", "audit", "--data", data, "--from", "soon")
	byCommand(t, "must not be negative", "audit", "--data", data, "--max", "-1")
}

func TestAuditRecordsFitTheScreen(t *testing.T) {
	records := []audit.Entry{
		audit.EntryOf(audit.Record{
			At: 1790003600123, RequestID: "r1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", User: "ann", Address: "192.0.2.7", Service: "iot", Operation: "UpdateJob",
			Resources: []string{"arn:aws:iot:eu-west-1:111122223333:job/fw"}, Outcome: audit.Done,
			Changes: []audit.Change{{Resource: "job/fw", Field: "description", Old: "old", New: "new"}, {Resource: "job/fw", Field: "document"}, {Field: "timeoutConfig.inProgressTimeoutInMinutes", New: "5"}}, MoreChanges: 3,
		}),
		audit.EntryOf(audit.Record{
			At: 1790003500000, RequestID: "r2", User: "bob", AccessKeyID: "AKIAIOSFODNN7OTHERS1", Address: "2001:db8::1", Service: "s3", Operation: "PutObject",
			Resources: []string{"arn:aws:s3:::files/fw/1.bin"}, Outcome: audit.Refused, Error: "AccessDenied", Message: "User is not authorized", Count: 7,
		}),
		audit.EntryOf(audit.Record{At: 1790003400000, RequestID: "r3", User: "local:root", Service: "muster", Operation: "MakeSecrets", Outcome: audit.Begun}),
	}
	for width, want := range map[int]string{
		0: `2026-09-21T15:13:20.123Z  ann (AKIAIOSFODNN7EXAMPLE)  from 192.0.2.7  UpdateJob  job/fw  done
    job/fw description: old → new
    job/fw document changed
    timeoutConfig.inProgressTimeoutInMinutes: 5
    and 3 more
2026-09-21T15:11:40.000Z  bob (AKIAIOSFODNN7OTHERS1)  from 2001:db8::1  PutObject  s3:files/fw/1.bin  refused  7 times
    AccessDenied: User is not authorized
2026-09-21T15:10:00.000Z  local:root  MakeSecrets  unknown
`,
		60: `2026-09-21T15:13:20.123Z ann (AKIAIOSFODNN7EXAMPLE) from
192.0.2.7 UpdateJob job/fw done
    job/fw description: old → new
    job/fw document changed
    timeoutConfig.inProgressTimeoutInMinutes: 5
    and 3 more
2026-09-21T15:11:40.000Z bob (AKIAIOSFODNN7OTHERS1) from
2001:db8::1 PutObject s3:files/fw/1.bin refused 7 times
    AccessDenied: User is not authorized
2026-09-21T15:10:00.000Z  local:root  MakeSecrets  unknown
`,
	} {
		var page bytes.Buffer
		if err := printAudit(screen{w: &page, width: width}, records); err != nil || page.String() != want {
			t.Errorf("at %d columns it prints, %v,\n%s\nwant\n%s", width, err, page.String(), want)
		}
	}
}
