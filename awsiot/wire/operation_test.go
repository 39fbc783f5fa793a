package wire

import (
	"slices"
	"testing"
)

func TestOperations(t *testing.T) {
	count := map[Service]int{}
	for _, op := range Operations() {
		count[op.Service]++
	}
	for service, want := range map[Service]int{ControlPlane: 272, JobsData: 5, IoTData: 8} {
		if count[service] != want {
			t.Errorf("service %s has %d operations, want %d", service, count[service], want)
		}
	}
	Operations()[0] = nil
	if slices.Contains(Operations(), nil) {
		t.Error("a caller can change the operations of another")
	}
}

func TestThrottlingHasAnotherStatusPerPlane(t *testing.T) {
	for op, want := range map[*Operation]int{DescribeJobExecution: 400, DataDescribeJobExecution: 429} {
		if e, ok := op.Error("ThrottlingException"); !ok || e.Status != want {
			t.Errorf("%s of %s: Error(ThrottlingException) = %v, %v, want status %d", op.Name, op.Service, e, ok, want)
		}
	}
	if e, ok := CreateJob.Error("VersionConflictException"); ok {
		t.Errorf("CreateJob.Error(VersionConflictException) = %v, want none", e)
	}
}

func TestBadInput(t *testing.T) {
	for op, want := range map[*Operation]string{CreateJob: "InvalidRequestException", StartCommandExecution: "ValidationException"} {
		if e := op.BadInput(); e == nil || e.Name != want || e.Status != 400 {
			t.Errorf("%s.BadInput() = %v, want %s with status 400", op.Name, e, want)
		}
	}
	for _, op := range Operations() {
		labels := slices.ContainsFunc(op.Segments, func(s Segment) bool { return s.Label != "" })
		if op.Shaped && op.BadInput() == nil && (labels || op.Query != nil || op.Header != nil) {
			t.Errorf("%s has parameters but no error for bad ones", op.Name)
		}
	}
}
