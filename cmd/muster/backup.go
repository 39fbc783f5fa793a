package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster/artifacts/diskstore"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store/pebblestore"
)

// backupOrder asks a running server for a backup.
type backupOrder struct {
	To string `json:"to"` // an absolute folder of the server's machine
}

// backupBodyMax bounds an order.
const backupBodyMax = 16 << 10

// backup copies the data folder to another folder, which must be missing or
// empty, and which can then be served like the first. The store may be in use;
// hold then keeps the contents of job files in place.
func backup(ctx context.Context, data folder, s *pebblestore.Store, to folder, hold func() (release func())) error {
	if names, err := os.ReadDir(string(to)); err == nil && len(names) > 0 {
		return fmt.Errorf("the folder %s is not empty", string(to))
	}
	if _, err := makeFolder(string(to)); err != nil {
		return err
	}
	defer hold()()
	if err := s.Backup(ctx, to.db()); err != nil {
		return err
	}
	if err := diskstore.CopyContents(data.files(), to.files()); err != nil {
		return err
	}
	for _, file := range data.precious() {
		name, err := filepath.Rel(string(data), file)
		if err != nil {
			return err
		}
		if err := copyPrivate(file, filepath.Join(string(to), name)); err != nil {
			return err
		}
	}
	return nil
}

// holdNothing is for a folder that nobody serves.
func holdNothing() (release func()) { return func() {} }

// copyPrivate copies a small file, readable for its owner only, if it is there.
func copyPrivate(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// backupAPI is the running server's side of `muster admin backup`: it serves
// those whose key allows the action muster:Backup, whatever --auth says.
type backupAPI struct {
	room   func(to string) error // nil when there is room for a backup in a folder
	store  *pebblestore.Store
	data   folder
	hold   func() (release func()) // keeps the contents of job files in place
	keys   *identity.Keys
	region string
}

func (b *backupAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, backupBodyMax))
	if err != nil || r.Method != http.MethodPost {
		plain(w, http.StatusBadRequest, "POST a JSON object with the member \"to\"")
		return
	}
	if err := authorize(b.keys, b.region, r, body, "muster:Backup"); err != nil {
		plain(w, http.StatusForbidden, err.Error())
		return
	}
	var order backupOrder
	if err := json.Unmarshal(body, &order); err != nil || !filepath.IsAbs(order.To) {
		plain(w, http.StatusBadRequest, "\"to\" must be an absolute path")
		return
	}
	if err := b.room(order.To); err != nil {
		plain(w, http.StatusInsufficientStorage, err.Error())
		return
	}
	if err := backup(r.Context(), b.data, b.store, folder(order.To), b.hold); err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	plain(w, http.StatusOK, order.To)
}

// authorize returns nil when a request is signed with a key that allows action,
// on every one of resources if there are any.
func authorize(keys *identity.Keys, region string, r *http.Request, body []byte, action string, resources ...string) error {
	verifier := sigv4.Verifier{Lookup: keys.Lookup, Region: region}
	signature, err := verifier.Verify(r, body, time.Now())
	if err != nil {
		return err
	}
	caller, err := keys.Caller(signature.AccessKeyID)
	if err != nil {
		return err
	}
	return caller.Authorize(action, resources, nil)
}

// orderBackup has the server that owns a data folder make the backup.
func orderBackup(ctx context.Context, data folder, to string) error {
	ready, err := readReady(data.ready())
	if err != nil {
		return fmt.Errorf("the data folder is in use, but its server cannot be found: %w", err)
	}
	c, err := newControl(ready)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(backupOrder{To: to})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+backupPath, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	sigv4.Sign(r, payload, c.credential, c.region, "iot", time.Now())
	response, err := (&http.Client{}).Do(r) // a large store takes its time
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMax))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server answers %s: %s", response.Status, bytes.TrimSpace(text))
	}
	return err
}
