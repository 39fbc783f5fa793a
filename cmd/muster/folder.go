package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster/codesign"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/store/pebblestore"
)

// folder is the layout of a data folder, which holds all that a server knows:
//
//	db/           the store
//	keys.json     access keys and what they may do; keys-used.json when they did
//	credentials   the first key as an AWS shared-credentials file
//	ca.pem        what devices trust: the certificate authority, then that of ca-rsa.pem; ca-key.pem the key of the first;
//	              ca-key.pem.unused a key that was there without a certificate
//	server.pem    the certificate of the TLS listeners; server-key.pem its key
//	ca-rsa.pem    and ca-rsa-key.pem, server-rsa.pem, server-rsa-key.pem: the same with RSA keys, see certificates.go
//	files/        the contents of job files
//	files-key     the key that signs their URLs for devices
//	signing/      signing profiles: NAME.pem and NAME-key.pem
//	ready.json    while a server runs: where to find it
//	backup.json   in a backup that was not served yet: what it holds
type folder string

func (f folder) db() string          { return filepath.Join(string(f), "db") }
func (f folder) keys() string        { return filepath.Join(string(f), "keys.json") }
func (f folder) keysUsed() string    { return filepath.Join(string(f), "keys-used.json") }
func (f folder) credentials() string { return filepath.Join(string(f), "credentials") }
func (f folder) files() string       { return filepath.Join(string(f), "files") }
func (f folder) filesKey() string    { return filepath.Join(string(f), "files-key") }
func (f folder) ready() string       { return filepath.Join(string(f), "ready.json") }

// signing holds the profiles that sign job files.
func (f folder) signing() codesign.Folder {
	return codesign.Folder(filepath.Join(string(f), "signing"))
}

// ca and server name the two certificates and their keys, and those for clients that
// can check RSA signatures only.
func (f folder) ca() identity.PEMFiles        { return f.pem("ca") }
func (f folder) server() identity.PEMFiles    { return f.pem("server") }
func (f folder) rsaCA() identity.PEMFiles     { return f.pem("ca-rsa") }
func (f folder) rsaServer() identity.PEMFiles { return f.pem("server-rsa") }

func (f folder) pem(name string) identity.PEMFiles {
	return identity.PEMFiles{
		Certificate: filepath.Join(string(f), name+".pem"),
		Key:         filepath.Join(string(f), name+"-key.pem"),
	}
}

// openStore takes the folder for this process. It fails when another process
// has it.
func (f folder) openStore(o pebblestore.Options) (*pebblestore.Store, error) {
	if o.Fatal == nil {
		o.Fatal = f.exit
	}
	s, err := pebblestore.Open(f.db(), o)
	return s, f.explain(err)
}

// exit ends the process when the store cannot go on, in words.
func (f folder) exit(err error) {
	os.Exit(exitCode(diskHint(fmt.Errorf("the store cannot go on; what was answered is safe: %w", err), string(f)), os.Stderr))
}

// openMigrated is openStore for a server: what is in the store is in the present
// format then, whichever release wrote it, and no former release opens it again.
func (f folder) openMigrated(o pebblestore.Options) (*pebblestore.Store, error) {
	s, err := f.openStore(o)
	if err != nil {
		return nil, err
	}
	if err := engine.Migrate(context.Background(), s, o.Logger); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", string(f), err), s.Close())
	}
	return s, nil
}

// makeFolder makes a folder, for its owner only, unless it is there, and returns
// its absolute path: scripts that read of it may stand elsewhere.
func makeFolder(name string) (folder, error) {
	abs, err := filepath.Abs(name)
	if err == nil {
		err = os.MkdirAll(abs, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return folder(abs), nil
}

// keysOptions says where access keys are kept.
func (f folder) keysOptions(account string, log *slog.Logger) identity.KeysOptions {
	return identity.KeysOptions{Path: f.keys(), Used: f.keysUsed(), Account: account, Now: time.Now, Actions: knownActions(), Log: log}
}

// openKeys reads the access keys, making the first one when there are none, and
// sees to it that the credentials file holds the first of them.
func (f folder) openKeys(c Config, log *slog.Logger) (*identity.Keys, error) {
	keys, err := identity.OpenKeys(f.keysOptions(c.Account, log))
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(f.credentials())
	if list := keys.List(); errors.Is(err, os.ErrNotExist) && len(list) > 0 {
		err = identity.WriteProfile(f.credentials(), list[0].Credential, c.Region)
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil // every key was removed, on purpose
	}
	return keys, err
}
