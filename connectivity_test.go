package muster

import "testing"

func TestConnectivityAfter(t *testing.T) {
	on := Connectivity{Connected: true, Session: "b", At: 5}
	for name, c := range map[string]struct {
		next  Connectivity
		whole bool
		want  bool // next counts
	}{
		"the end of the known connection":          {Connectivity{Session: "b"}, false, true},
		"the end of another, which was taken over": {Connectivity{Session: "a"}, false, false},
		"another that began and ended in between":  {Connectivity{Session: "c"}, true, true},
		"a new connection":                         {Connectivity{Connected: true, Session: "c"}, false, true},
	} {
		want := on
		if c.want {
			want = c.next
		}
		if got := on.After(c.next, c.whole); got != want {
			t.Errorf("%s: After = %+v, want %+v", name, got, want)
		}
	}
	if end := (Connectivity{Session: "x"}); (Connectivity{}).After(end, false) != end {
		t.Error("After ignores the end of a connection when none was known")
	}
}
