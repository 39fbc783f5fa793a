package files

import (
	"testing"

	"github.com/muster-iot/muster"
)

// Without a store a document cannot send devices to one, and the reason is said.
func TestNoStoreHasNoObjects(t *testing.T) {
	f := &ForJobs{Store: Nowhere(), Region: "us-east-1"}
	for _, link := range []string{"s3://lab/firmware", "https://s3.us-east-1.amazonaws.com/lab/firmware"} {
		o, err := f.Locate(link)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{f.Check(t.Context(), o, false), f.Check(t.Context(), o, true)} {
			if !muster.IsKind(err, muster.Invalid) || err.Error() != "This deployment has no store of job files" {
				t.Errorf("%s: %v", link, err)
			}
		}
		if _, err := f.Store.Document(t.Context(), link, 1000, func(muster.Object) error { return nil }); !muster.IsKind(err, muster.Invalid) {
			t.Errorf("a document at %s: %v", link, err)
		}
	}
}
