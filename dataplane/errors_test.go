package dataplane

import (
	"errors"
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
)

func TestEveryKindHasAWord(t *testing.T) {
	permanent := map[string]bool{
		"InvalidTopic": true, "InvalidJson": true, "InvalidRequest": true, "InvalidStateTransition": true,
		"ResourceNotFound": true, "VersionMismatch": true, "TerminalStateReached": true,
		"InternalError": false, "RequestThrottled": false,
	}
	for kind := range muster.KindCount {
		w := words[kind]
		givesUp, known := permanent[w.code]
		if !known || w.exception == "" || w.status < 400 {
			t.Errorf("kind %d is %+v, want a code of the contract, an exception and a status", kind, w)
		}
		if retried := w.status == 429 || w.status >= 500; retried == givesUp {
			t.Errorf("kind %d is %+v: devices and HTTP clients would disagree on trying again", kind, w)
		}
		if shows := w.code == "VersionMismatch" || w.code == "InvalidStateTransition"; w.state != shows {
			t.Errorf("kind %d shows the execution: %v, want %v", kind, w.state, shows)
		}
	}
}

func TestFaultsAreHidden(t *testing.T) {
	secret := errors.New("disk /dev/sda1 failed")
	for _, err := range []error{
		secret,
		fmt.Errorf("load: %w", secret),
		&muster.Error{Kind: muster.Internal, Msg: "the change could not be stored", Err: secret},
		&muster.Error{Kind: muster.KindCount, Msg: "no such kind"},
	} {
		f := refusalOf(err)
		if f.code != "InternalError" || f.status != 503 || f.message != hiddenMessage {
			t.Errorf("refusalOf(%v) = %s %d %q, want InternalError 503 %q", err, f.code, f.status, f.message, hiddenMessage)
		}
	}
}

func TestTheExecutionIsShownOnlyWhereTheContractSays(t *testing.T) {
	state := &muster.Execution{Status: muster.Queued, Version: 1}
	for _, kind := range []muster.Kind{muster.VersionConflict, muster.InvalidTransition, muster.TerminalState, muster.NotFound} {
		f := refusalOf(fmt.Errorf("update: %w", &muster.Error{Kind: kind, Msg: "no", State: state}))
		want := kind == muster.VersionConflict || kind == muster.InvalidTransition
		if (f.shown != nil) != want || f.message != "no" {
			t.Errorf("a refusal of kind %d shows the execution: %v, want %v; message %q", kind, f.shown != nil, want, f.message)
		}
	}
}
