package muster

import "testing"

func TestOlderGroups(t *testing.T) {
	a, b := Group{Name: "a", CreatedAt: 5}, Group{Name: "b", CreatedAt: 5}
	c := Group{Name: "c", CreatedAt: 4}
	if !a.Older(b) || b.Older(a) || !c.Older(a) || a.Older(a) {
		t.Error("groups are ordered by their creation, then by name")
	}
}

func TestDynamicGroupsAreTheSameWithTheSameQuery(t *testing.T) {
	dynamic := func(query string, building bool) Group {
		return Group{Name: "g", Dynamic: &MembershipRule{Query: query, Index: ThingIndex, Building: building}}
	}
	if !dynamic("*", true).Same(dynamic("*", false)) {
		t.Error("that members are still looked for makes no other group")
	}
	if dynamic("*", false).Same(dynamic("a", false)) || dynamic("*", false).Same(Group{Name: "g"}) || (Group{Name: "g"}).Same(dynamic("*", false)) {
		t.Error("another query, or none, makes another group")
	}
}

func TestDynamicGroupsDoNotCountAgainstTheLimit(t *testing.T) {
	var in []Group
	for i := range 2 * GroupsPerThingMax {
		in = append(in, Group{Name: GroupName(rune('a' + i)), Dynamic: &MembershipRule{}})
	}
	if err := (Group{Name: "static"}).Admit("thing", in); err != nil {
		t.Errorf("Admit of a thing in %d dynamic groups: %v", len(in), err)
	}
}

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
		t.Error("the end of a connection that nobody knew of counts")
	}
}

func TestARolloutThatWaitedBeginsAnew(t *testing.T) {
	r := Rollout{Started: 5, Held: true}
	if got := r.Begin(9); got != (Rollout{Started: 9}) {
		t.Errorf("Begin = %+v, want it to start at 9", got)
	}
	r.Target = 1
	if got := r.Begin(9); got != (Rollout{Started: 5, Target: 1}) {
		t.Errorf("Begin in the middle = %+v, want it to keep its start", got)
	}
	for target, want := range map[int]bool{0: false, 1: true, 2: true} {
		if got := (Rollout{Target: 1}).Ahead(target); got != want {
			t.Errorf("Ahead(%d) = %v, want %v", target, got, want)
		}
	}
	if (Rollout{Target: 1, Group: "g"}).Ahead(1) || (Rollout{Done: true}).Ahead(0) {
		t.Error("what has begun, or is done, is not ahead")
	}
}
