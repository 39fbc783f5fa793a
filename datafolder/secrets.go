package datafolder

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
)

// MakeSecrets makes everything that the servers of one deployment share: the first access key
// with its credentials file, the certificate authorities, the servers' certificates for hosts,
// and the key that signs the URLs of job files. It refuses a folder that has some of that, and
// one that is served. A server can use the folder at once, or a copy of it.
func (f Folder) MakeSecrets(ctx context.Context, account muster.Account, hosts []string, now func() time.Time) error {
	there, err := f.besides()
	if err != nil {
		return err
	}
	there = slices.DeleteFunc(there, func(path string) bool { return path == f.pendingAudit() }) // that this is being done
	if len(there) > 0 || f.known() {
		names := "a store"
		if len(there) > 0 {
			for i, path := range there {
				there[i] = filepath.Base(path)
			}
			names = strings.Join(there, ", ")
		}
		return fmt.Errorf("the folder %s has something of a deployment already (%s), and its devices trust that: secrets are made in a folder that has nothing", string(f), names)
	}
	if err := f.markEmpty(); err != nil {
		return err
	}
	if _, err := f.OpenKeys(identity.KeysOptions{Path: f.Keys(), Account: account.ID, Now: now}, account.Region); err != nil {
		return err
	}
	if _, err := f.OpenFilesKey(account.ID, account.Region); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	issuer, err := f.OpenAuthority(now(), log)
	if err != nil {
		return err
	}
	certificates, err := f.OpenCertificates(nil, issuer, hosts, now, log)
	if err != nil {
		return err
	}
	return certificates.Complete(ctx, func() error { return nil }) // no store is there to know of it
}
