package muster_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
)

func TestIsKind(t *testing.T) {
	exists := muster.Existsf("id-1", "arn:1", "Thing %s already exists", "lamp")
	for _, test := range []struct {
		err  error
		kind muster.Kind
		want bool
	}{
		{nil, muster.Internal, false},
		{errors.New("a plain error"), muster.Internal, false},
		{exists, muster.AlreadyExists, true},
		{exists, muster.NotFound, false},
		{fmt.Errorf("wrapped: %w", exists), muster.AlreadyExists, true},
		{&muster.Error{}, muster.Internal, true},
	} {
		if got := muster.IsKind(test.err, test.kind); got != test.want {
			t.Errorf("%v is of kind %d: %v, want %v", test.err, test.kind, got, test.want)
		}
	}
}

func TestExistsNamesTheResource(t *testing.T) {
	e := muster.Existsf("id-1", "arn:1", "Thing %s already exists", "lamp")
	if e.Error() != "Thing lamp already exists" || e.ResourceID != "id-1" || e.ResourceARN != "arn:1" {
		t.Errorf("got %q, %q and %q", e, e.ResourceID, e.ResourceARN)
	}
}
