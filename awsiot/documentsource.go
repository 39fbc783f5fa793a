package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobs"
)

// Documents reads job documents from the store of job files; *files.Store
// implements it. Its method is called by many goroutines at once.
type Documents interface {
	// Document returns the text that a documentSource names, at most limit bytes of
	// UTF-8. It first calls permit with the object that it would read, before it
	// looks whether the object exists, and fails with permit's error. It fails with
	// Invalid for a URL that is not of the store and for an object that does not
	// exist or is too long, and with Unavailable when the store does not answer.
	Document(ctx context.Context, source string, limit int, permit func(muster.Object) error) (string, error)
}

// document returns the document of a job or template: the one in the call, or what
// its source holds now. The source is read this once only (jobs-control-plane.md
// section 6.1).
func document(ctx context.Context, in Documents, given, source *string) (string, error) {
	switch {
	case source == nil:
		return wire.Or(given, ""), nil
	case in == nil:
		return "", muster.Errorf(muster.Invalid, "This server has no store of job files")
	}
	return in.Document(ctx, *source, jobs.DocumentMax, func(o muster.Object) error {
		return rightsOf(ctx).Permits(jobs.Use{File: o})
	})
}
