package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

// Documents reads the job documents that lie in the store of job files;
// *artifacts.Store does. Its method may be called by many goroutines.
type Documents interface {
	// Document returns the text that a documentSource names, of at most limit
	// bytes of UTF-8. It fails with Invalid for a URL of anything else than the
	// store, for what is not there, must not be read or is too long, and with
	// Unavailable when the store cannot be asked.
	Document(ctx context.Context, source string, limit int) (string, error)
}

// document returns the document of a job or template: the one given, or what its
// source holds now, and never looks at again (jobs-control-plane.md section 6.1).
func (s *Server) document(ctx context.Context, given, source *string) (string, error) {
	switch {
	case source == nil:
		return wire.Or(given, ""), nil
	case s.o.Documents == nil:
		return "", muster.Errorf(muster.Invalid, "This server has no store of job files")
	}
	return s.o.Documents.Document(ctx, *source, engine.DocumentMax)
}
