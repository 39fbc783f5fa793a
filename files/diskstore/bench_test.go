package diskstore_test

import (
	"strings"
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
)

// BenchmarkCompleteUpload makes an object from two parts of 8 MiB, durably.
func BenchmarkCompleteUpload(b *testing.B) {
	e := newEnv(b, diskstore.Limits{})
	part := strings.Repeat("x", 8<<20)
	b.SetBytes(2 * int64(len(part)))
	for b.Loop() {
		b.StopTimer()
		u := e.upload("k", "", "")
		named := []diskstore.CompletedPart{e.part(u, 1, part), e.part(u, 2, part)}
		b.StartTimer()
		if _, err := e.CompleteUpload(b.Context(), "lab", "k", u.ID, named, "", diskstore.Precondition{}); err != nil {
			b.Fatal(err)
		}
	}
}
