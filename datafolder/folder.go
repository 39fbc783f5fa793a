// Package datafolder is the data folder of a server: its files, and how it is opened, checked,
// backed up and emptied. What the records in the store mean is not known here, except for the
// one that lists the files beside it.
package datafolder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster/codesign"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// Folder is the path of a data folder, which holds the whole state of a server:
//
//	db/           the store, unless it is in a database
//	node          where the store is in a database: the name that the server has there
//	lock          likewise: locked while a server uses the folder
//	begins-empty  until a store has something of the folder: there is no store that could be lost
//	keys.json     access keys and what they may do
//	keys-used.json  when they did, of releases before format 5; the store has that now
//	credentials   the first key as an AWS shared-credentials file
//	ca.pem        what devices trust: the certificate authority, then that of ca-rsa.pem; ca-key.pem the key of the first;
//	              ca-key.pem.unused a key that was there without a certificate
//	server.pem    the certificate of the TLS listeners; server-key.pem its key
//	ca-rsa.pem    and ca-rsa-key.pem, server-rsa.pem, server-rsa-key.pem: the same with RSA keys, for old clients
//	files/        the contents of job files
//	files-key     the key that signs their URLs for devices
//	signing/      signing profiles: NAME.pem and NAME-key.pem
//	audit-pending  audit records that the store is to get: of what was done to the folder by hand
//	ready.json    while a server runs: where to find it
//	backup.json   in a backup that was not served yet: what it holds
//	import-unfinished  until all of an export is in the folder and its store
//	exporting/    while the folder is exported although a server has its store: a backup
type Folder string

// DB is the folder of the store.
func (f Folder) DB() string { return filepath.Join(string(f), "db") }

// Keys is the file of access keys.
func (f Folder) Keys() string { return filepath.Join(string(f), "keys.json") }

// keysUsed is the file in which former releases kept when access keys were last used.
func (f Folder) keysUsed() string { return filepath.Join(string(f), "keys-used.json") }

// Credentials is the shared-credentials file of the first key.
func (f Folder) Credentials() string { return filepath.Join(string(f), "credentials") }

// Files is the folder of job files.
func (f Folder) Files() string { return filepath.Join(string(f), "files") }

// FilesKey is the file of the key that presigned URLs are made with.
func (f Folder) FilesKey() string { return filepath.Join(string(f), "files-key") }

// ReadyFile is the file that a server writes once it serves.
func (f Folder) ReadyFile() string { return filepath.Join(string(f), "ready.json") }

// pendingAudit is the file of audit records that are not in the store yet.
func (f Folder) pendingAudit() string { return filepath.Join(string(f), "audit-pending") }

// Signing holds the profiles that sign job files.
func (f Folder) Signing() codesign.Folder {
	return codesign.Folder(filepath.Join(string(f), "signing"))
}

// CA has the certificate and key of the certificate authority.
func (f Folder) CA() identity.PEMFiles { return f.pem("ca") }

// Server has the certificate and key of the server.
func (f Folder) Server() identity.PEMFiles { return f.pem("server") }

// RSACA is the CA for clients that can check RSA signatures only.
func (f Folder) RSACA() identity.PEMFiles { return f.pem("ca-rsa") }

// RSAServer is the Server for clients that can check RSA signatures only.
func (f Folder) RSAServer() identity.PEMFiles { return f.pem("server-rsa") }

func (f Folder) pem(name string) identity.PEMFiles {
	return identity.PEMFiles{
		Certificate: filepath.Join(string(f), name+".pem"),
		Key:         filepath.Join(string(f), name+"-key.pem"),
	}
}

// Make makes a folder, for its owner only, unless it is there, and returns
// its absolute path, because scripts that get the path may run in another folder.
func Make(name string) (Folder, error) {
	abs, err := filepath.Abs(name)
	if err == nil {
		err = os.MkdirAll(abs, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return Folder(abs), nil
}

// OpenKeys reads the access keys, and makes the first one when there is no file of them. It
// writes the first key to the credentials file if that is missing. What a former release noted
// about their last use goes to o.Used.
func (f Folder) OpenKeys(o identity.KeysOptions, region string) (*identity.Keys, error) {
	if err := f.importUses(o.Used); err != nil {
		return nil, err
	}
	keys, err := identity.OpenKeys(o)
	if err != nil {
		return nil, err
	}
	if ReadOnly(f) {
		return keys, nil // the operator may keep the first key elsewhere
	}
	_, err = os.Stat(f.Credentials())
	if list := keys.List(); errors.Is(err, os.ErrNotExist) && len(list) > 0 {
		err = identity.WriteProfile(f.Credentials(), list[0].Credential, region)
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil // every key was removed, on purpose
	}
	return keys, err
}

// importUses moves the last use of keys from the file of former releases. One that cannot be
// read is left where it is, since nothing is decided by it.
func (f Folder) importUses(into identity.Uses) error {
	if into == nil {
		return nil
	}
	uses, err := identity.FormerUses(f.keysUsed())
	if err != nil {
		return nil
	}
	if err := into.KeepLastUses(context.Background(), uses); err != nil {
		return fmt.Errorf("move %s to the store: %w", f.keysUsed(), err)
	}
	return os.Remove(f.keysUsed())
}

// LastUses returns when access keys were last used, as kept has it or, for a folder that this
// release has not served yet, as a former one noted it. A nil kept has nothing.
func (f Folder) LastUses(ctx context.Context, kept identity.Uses) (uses map[string]time.Time, err error) {
	if kept != nil {
		if uses, err = kept.LastUses(ctx); err != nil {
			return nil, err
		}
	}
	former, err := identity.FormerUses(f.keysUsed())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	all := map[string]time.Time{}
	maps.Copy(all, former)
	maps.Copy(all, uses)
	return all, err
}

// OpenFilesKey returns the key that signs the URLs of job files for devices. It
// is made on the first start, and is no access key of anybody.
func (f Folder) OpenFilesKey(account, region string) (sigv4.Credential, error) {
	key, err := identity.ReadProfile(f.FilesKey())
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	made := identity.NewKey(account, "files").Credential
	return made, identity.WriteProfile(f.FilesKey(), made, region)
}
