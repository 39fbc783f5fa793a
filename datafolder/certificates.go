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

// OpenAuthority returns the certificate authority of the folder, and makes it on the first
// start. When a first start was killed between the key and the certificate of the authority,
// the key is renamed and another authority is made. Nothing was issued with that key, because
// the files of the server's certificate, which are written next, are missing.
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
