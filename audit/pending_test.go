package audit

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRecordsFromOutsideAreTakenOnce(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	begun := Record{At: 1764500000000, RequestID: "r1", User: "local:ann", Service: "muster", Operation: "AddKey", Resources: []string{"arn:aws:iam::1:user/ci"}, Outcome: Begun}
	done := begun
	done.Outcome, done.Changes = Done, []Change{{"accesskey/AKID", "rights", "", "full access"}}
	take := func(records ...Record) {
		t.Helper()
		if err := o.Take(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	take(begun)
	if got := o.all(Query{Resource: "arn:aws:iam::1:user/ci"}); !reflect.DeepEqual(got, []Record{begun}) {
		t.Errorf("after the first the records are %+v, want it", got)
	}
	take(begun, done)
	take(begun, done)
	take(begun)
	for _, q := range []Query{{}, {Principal: "local:ann"}, {Operation: "AddKey"}, {Resource: "arn:aws:iam::1:user/ci"}} {
		if got := o.all(q); !reflect.DeepEqual(got, []Record{done}) {
			t.Errorf("the records of %+v are %+v, want the one with the outcome", q, got)
		}
	}
	o.pass(time.Minute)
	o.work()
	take(begun, done)
	o.verify()
	other := newOffice(t, Settings{})
	if err := other.Take(t.Context(), []Record{done}); err != nil || len(other.all(Query{})) != 0 {
		t.Errorf("a deployment without records took one, or %v", err)
	}
}

// The file may have been changed by hand too. What finds records must agree with them all the same.
func TestRecordsFromOutsideAreBounded(t *testing.T) {
	o := newOffice(t, Settings{Days: 400})
	r := Record{At: 1764500000000, RequestID: "r\x00" + strings.Repeat("1", 9000), AccessKeyID: "AKID", User: strings.Repeat("u", 9000), Operation: "A\xff", Resources: []string{"*", "b", "b"}, Outcome: Begun}
	for range 500 {
		r.Changes = append(r.Changes, Change{Field: "f"})
	}
	other := r
	other.Operation, other.User, other.Resources, other.Outcome = "B", "v", []string{"c"}, Done
	if err := o.Take(t.Context(), []Record{r, other}); err != nil {
		t.Fatal(err)
	}
	got := o.all(Query{})
	if len(got) != 1 || got[0].AccessKeyID != "AKID" || len(got[0].User) > 2*nameMax || len(got[0].Changes) != changesMax || got[0].MoreChanges != 400 || got[0].Outcome != Done {
		t.Errorf("the records are %+v", got)
	}
	o.verify()
}
