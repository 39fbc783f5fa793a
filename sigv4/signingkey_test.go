package sigv4

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestSigningKeysAreThoseOfGenuineRequests checks what is cached for callers with the
// right secret and for others, and what happens when a secret is replaced.
func TestSigningKeysAreThoseOfGenuineRequests(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	known := Credential{AccessKeyID: "AKIDEXAMPLE", Secret: "right"}
	v := &Verifier{AcceptAnyRegion: true, Lookup: func(string) (Credential, error) { return known, nil }}
	verify := func(secret Secret, region string) error {
		r, err := http.NewRequest(http.MethodGet, "http://h/jobs", nil)
		if err != nil {
			t.Fatal(err)
		}
		Sign(r, nil, Credential{AccessKeyID: known.AccessKeyID, Secret: secret}, region, "iot", at)
		_, err = v.Verify(r, nil, at)
		return err
	}
	for i := range 100 {
		if verify("wrong", fmt.Sprint("region", i)) == nil {
			t.Fatal("a wrong secret is taken")
		}
	}
	if len(v.keys.of) != 0 {
		t.Errorf("%d keys are remembered of a caller without the secret", len(v.keys.of))
	}
	for range 3 {
		if err := verify("right", "here"); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.keys.of) != 1 {
		t.Errorf("%d keys are remembered of one caller and region, want 1", len(v.keys.of))
	}
	if verify("wrong", "here") == nil {
		t.Error("a wrong secret is taken when the right one was used before")
	}

	known.Secret = "new"
	if verify("right", "here") == nil {
		t.Error("a secret that was replaced is taken")
	}
	if err := verify("new", "here"); err != nil {
		t.Errorf("the new secret: %v", err)
	}
	for i := range maxSigningKeys + 100 {
		if err := verify("new", fmt.Sprint("region", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.keys.of) > maxSigningKeys {
		t.Errorf("%d keys are remembered, want at most %d", len(v.keys.of), maxSigningKeys)
	}
}
