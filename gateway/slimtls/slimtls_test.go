package slimtls

import "testing"

func TestThisVersionOfGoCanBeSlimmed(t *testing.T) {
	if _, err := New(); err != nil {
		t.Fatalf("New: %v; connections keep their full size with this version of Go", err)
	}
}

func TestAWrongOffsetIsNoticed(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Skip(err)
	}
	s.certificates = s.resumption
	if err := s.test(); err == nil {
		t.Error("the self-test passes although certificates are not dropped")
	}
}
