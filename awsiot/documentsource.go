package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

// Documents reads the job documents that lie in the store of job files;
// *files.Store does. Its method may be called by many goroutines.
type Documents interface {
	// Document returns the text that a documentSource names, of at most limit
	// bytes of UTF-8, when permit, which is told what would be read before it is
	// looked for, returns nil. It fails as permit does, with Invalid for a URL of
	// anything else than the store and for what is not there or too long, and with
	// Unavailable when the store cannot be asked.
	Document(ctx context.Context, source string, limit int, permit func(muster.Object) error) (string, error)
}

// document returns the document of a job or template: the one given, or what its
// source holds now, and never looks at again (jobs-control-plane.md section 6.1).
func document(ctx context.Context, in Documents, given, source *string) (string, error) {
	switch {
	case source == nil:
		return wire.Or(given, ""), nil
	case in == nil:
		return "", muster.Errorf(muster.Invalid, "This server has no store of job files")
	}
	return in.Document(ctx, *source, engine.DocumentMax, func(o muster.Object) error {
		return rightsOf(ctx).Permits(engine.Use{File: o})
	})
}
