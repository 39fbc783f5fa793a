package muster

import (
	"encoding/json"
	"testing"
)

// A record as version 0.1.0 and all before it have it: byte for byte, since
// folders of these go on.
func TestTheRecordOfAJobStays(t *testing.T) {
	const full = `{"ID":"fw","Namespace":"n","Targets":[{"Group":true,"Name":"g","ID":"i"}],"Selection":1,"Description":"d","Comment":"c","ReasonCode":"r","DocumentSource":"s","TemplateARN":"t","Config":{},"Links":true,"Packages":[{"Package":"p","Version":"1"}],"Status":2,"ForceCanceled":true,"CreatedAt":1,"UpdatedAt":2,"CompletedAt":3,"Gaps":true,"Rollout":{"Done":true,"Started":4,"Target":5,"Group":"g","After":"a","Pace":{},"Held":true},"PaceJoiners":true,"Waiting":true,"Over":true,"Settling":true,"Revealing":true,"Revealed":{"QueuedAt":6,"Thing":"x","Number":7},"Wake":8}`
	const empty = `{"ID":"fw","Namespace":"","Targets":null,"Selection":0,"Description":"","Comment":"","ReasonCode":"","DocumentSource":"","TemplateARN":"","Config":{},"Links":false,"Packages":null,"Status":1,"ForceCanceled":false,"CreatedAt":0,"UpdatedAt":0,"CompletedAt":0,"Gaps":false,"Rollout":{"Done":false,"Started":0,"Target":0,"Group":"","After":"","Pace":{}},"PaceJoiners":false,"Waiting":false,"Over":false,"Settling":false,"Revealing":false,"Revealed":{"QueuedAt":0,"Thing":"","Number":0},"Wake":0}`
	for _, record := range []string{full, empty} {
		var j Job
		if err := json.Unmarshal([]byte(record), &j); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(j); err != nil || string(got) != record {
			t.Errorf("the record is written as %s, %v; want %s", got, err, record)
		}
	}
	var j Job
	if err := json.Unmarshal([]byte(full), &j); err != nil {
		t.Fatal(err)
	}
	want := Background{Waiting: true, Over: true, Settling: true, Revealing: true, Revealed: Mark{QueuedAt: 6, Thing: "x", Number: 7}, Wake: 8}
	if j.Background != want {
		t.Errorf("Background = %+v, want %+v", j.Background, want)
	}
}
