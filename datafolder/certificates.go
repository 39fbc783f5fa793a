package datafolder

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
)

// OpenAuthority returns the folder's certificate authority, made on the first start. When
// a first start was killed while it made the authority, the key that it left is put away and
// another one made: no certificate was issued with it, since the files of the server's
// certificate, which are written next, are missing.
func (f Folder) OpenAuthority(now time.Time, log *slog.Logger) (*ca.Authority, error) {
	a, err := identity.OpenAuthority(f.CA(), now)
	if !errors.Is(err, identity.ErrKeyAlone) {
		return a, err
	}
	for _, later := range []string{f.Server().Certificate, f.Server().Key} {
		if _, served := os.Stat(later); !errors.Is(served, fs.ErrNotExist) {
			return nil, err
		}
	}
	away := f.CA().Key + ".unused" // it may be an operator's own, too
	if err := os.Rename(f.CA().Key, away); err != nil {
		return nil, err
	}
	log.Warn("there was a key without a certificate: another authority is made", "missing", f.CA().Certificate, "key", away)
	return identity.OpenAuthority(f.CA(), now)
}
