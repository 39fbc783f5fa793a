package files

import (
	"context"
	"io"
	"net/url"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/sigv4"
)

// Nowhere returns the store of a deployment without job files: it has no bucket, and says so.
func Nowhere() *Store {
	return &Store{
		Endpoint: &Endpoint{
			URL:        &url.URL{Scheme: "https", Host: "files.invalid"}, // a name that nobody can have (RFC 6761)
			Credential: func() sigv4.Credential { return sigv4.Credential{} },
		},
		Objects: nowhere{},
	}
}

type nowhere struct{}

var errNowhere = muster.Errorf(muster.Invalid, "This deployment has no store of job files")

func (nowhere) CheckBucket(context.Context, string) error { return errNowhere }

func (nowhere) Stat(context.Context, Object) (Info, error) { return Info{}, errNowhere }

func (nowhere) Open(context.Context, Object, int64) (io.ReadCloser, Info, error) {
	return nil, Info{}, errNowhere
}
