package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster/store"
)

// rollOf returns a roll of nodes like "1", "2 dead", "3 fenced", "4 draining", and of leases.
func rollOf(leases map[string]store.Incarnation, nodes ...string) store.Roll {
	now := time.Unix(1000, 0)
	r := store.Roll{Now: now, Leases: leases}
	for _, text := range nodes {
		var m store.Member
		var how string
		_, _ = fmt.Sscan(text, &m.Incarnation, &how) // how may be missing
		m.Name, m.Expires = fmt.Sprint("node-", m.Incarnation), now.Add(time.Second)
		switch how {
		case "dead":
			m.Expires = now
		case "fenced":
			m.Expires, m.Fenced = now, true
		case "draining":
			m.Draining = true
		}
		r.Nodes, r.Newest = append(r.Nodes, m), max(r.Newest, m.Incarnation)
	}
	return r
}

func TestWhatANodeWants(t *testing.T) {
	type leases = map[string]store.Incarnation
	four := []string{"a", "b", "c", "d"}
	for name, test := range map[string]struct {
		roll     store.Roll
		leaving  []string
		draining bool
		want     plan
	}{
		"alone: everything":                     {roll: rollOf(leases{}, "1"), want: plan{take: four}},
		"its share of what is free":             {roll: rollOf(leases{}, "1", "2"), want: plan{take: []string{"a", "b"}}},
		"a share is rounded up":                 {roll: rollOf(leases{}, "1", "2", "3"), want: plan{take: []string{"a", "b"}}},
		"what is above its share is left":       {roll: rollOf(leases{"a": 1, "b": 1, "c": 1, "d": 1}, "1", "2"), want: plan{leave: []string{"c", "d"}}},
		"nothing is left in the share of three": {roll: rollOf(leases{"a": 1, "b": 1, "c": 2, "d": 2}, "1", "2", "3"), want: plan{}},
		"what it is leaving is not its own": {
			roll: rollOf(leases{"a": 1, "b": 1, "c": 1, "d": 1}, "1", "2"), leaving: []string{"c", "d"}, want: plan{},
		},
		"a dead node is fenced and its leases are taken": {
			roll: rollOf(leases{"a": 1, "b": 1, "c": 2, "d": 2}, "1", "2 dead"), want: plan{take: []string{"c", "d"}, fence: []store.Incarnation{2}},
		},
		"those of a fenced node are taken": {
			roll: rollOf(leases{"a": 1, "b": 1, "c": 2, "d": 2}, "1", "2 fenced"), want: plan{take: []string{"c", "d"}},
		},
		"those of a node that left are taken": {
			roll: rollOf(leases{"a": 2, "b": 2, "c": 2, "d": 2}, "1", "3"), want: plan{take: []string{"a", "b"}},
		},
		"a node that drains has none":           {roll: rollOf(leases{"a": 1, "b": 1}, "1 draining", "2"), draining: true, want: plan{leave: []string{"a", "b"}}},
		"unless there is nobody else":           {roll: rollOf(leases{"a": 1, "b": 1}, "1 draining", "2 draining"), draining: true, want: plan{take: []string{"c", "d"}}},
		"one that drains is not counted":        {roll: rollOf(leases{}, "1", "2 draining"), want: plan{take: four}},
		"what somebody else holds is not taken": {roll: rollOf(leases{"a": 2, "b": 2, "c": 2}, "1", "2"), want: plan{take: []string{"d"}}},
		"a newcomer is not taken to be gone":    {roll: rollOf(leases{"a": 9}, "1"), want: plan{take: []string{"b", "c", "d"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{me: 1, roll: test.roll, leases: four, draining: test.draining, leaving: map[string]bool{}}
			for _, lease := range test.leaving {
				s.leaving[lease] = true
			}
			got := s.next(func([]string) {})
			if !slices.Equal(got.take, test.want.take) || !slices.Equal(got.leave, test.want.leave) || !slices.Equal(got.fence, test.want.fence) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
