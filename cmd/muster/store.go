package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/store/pgstore"
)

// storeConfig are the flags that say where the store is, of serve and of the commands that look
// into it.
type storeConfig struct {
	Address string // of a database; empty or ownStore: the store is in the data folder
	File    string // with such an address, which may contain a password
}

// ownStore is the address of the store in the data folder.
const ownStore = "pebble"

func (c *storeConfig) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.Address, "store", c.Address, "`address` of the PostgreSQL database that has the store, without a password: a postgres:// URL, or key=value pairs; in the data folder when not given, or pebble")
	fs.StringVar(&c.File, "store-file", c.File, "`file` with such an address, readable for its owner only; it may contain the password")
}

// storeFileMax bounds the file of an address, in bytes.
const storeFileMax = 64 << 10

// database returns the address of the database, empty for a store in the data folder. It may
// contain a password, and no error does.
func (c storeConfig) database() (string, error) {
	switch {
	case c.Address != "" && c.File != "":
		return "", usagef("--store and --store-file say the same: leave out one of them")
	case c.File != "":
		return c.inFile()
	case c.Address == "" || c.Address == ownStore:
		return "", nil
	}
	a, err := pgstore.CheckAddress(c.Address)
	switch {
	case err != nil:
		return "", usagef("--store: %v", err)
	case a.HasPassword():
		return "", usagef("--store contains a password, which every user of this machine can read in the list of processes: " +
			"put it into a password file (PGPASSFILE) or a service file (PGSERVICEFILE), or the whole address into a file for --store-file")
	}
	return c.Address, nil
}

func (c storeConfig) inFile() (string, error) {
	text, err := secretfile.Read(c.File, storeFileMax)
	if err != nil {
		return "", fmt.Errorf("--store-file: %w", err)
	}
	address := strings.TrimSpace(string(text))
	if address == "" {
		return "", fmt.Errorf("--store-file: %s is empty", c.File)
	}
	if _, err := pgstore.CheckAddress(address); err != nil {
		return "", fmt.Errorf("--store-file: %s: %w", c.File, err)
	}
	return address, nil
}

// open opens the store of a data folder for a command. When a server works on the folder, it
// returns a client of that server instead, which knows more: its flags, and what it has yet to
// write.
func (c storeConfig) open(ctx context.Context, data datafolder.Folder, readOnly bool) (*datafolder.Store, *operator.Client, error) {
	database, err := c.database()
	if err != nil {
		return nil, nil, err
	}
	if !data.Locked() {
		s, err := data.OpenStore(ctx, datafolder.StoreOptions{Database: database, ReadOnly: readOnly, Fatal: fatal(data)})
		if !errors.Is(err, datafolder.ErrInUse) {
			return s, nil, err
		}
	}
	owner, err := ownerOf(data)
	return nil, &owner, err
}
