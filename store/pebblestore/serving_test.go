package pebblestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// When a block is damaged while the store is open, each call that needs the block
// fails with an error that says so and a line in the log. Other calls succeed.
func TestADamagedTableIsServedAsFarAsItGoes(t *testing.T) {
	ctx, disk := context.Background(), vfs.NewMem()
	s := open(t, "data", pebblestore.Options{FS: disk})
	const records = 200
	key := func(i int) string { return fmt.Sprintf("key-%03d", i) }
	err := store.Update(ctx, s, func(tx store.Tx) error {
		for i := range records {
			tx.Put("table", key(i), bytes.Repeat([]byte{byte(i)}, 1000))
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	files := readFolder(t, disk, "data")
	for name, content := range files {
		if strings.HasSuffix(name, ".sst") {
			files = files.with(name, flipped(content, len(content)/2))
		}
	}
	var log bytes.Buffer
	s = open(t, "data", pebblestore.Options{FS: files.disk(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	failed := 0
	for i := range records {
		err := s.View(ctx, func(r store.Reader) error { _, err := r.Get("table", key(i)); return err })
		var damage *pebblestore.DamageError
		switch {
		case err == nil:
		case errors.As(err, &damage) && !strings.Contains(err.Error(), "\n"):
			failed++
		default:
			t.Fatalf("Get(%q) = %q, want a DamageError in one line", key(i), err)
		}
	}
	if failed == 0 || failed > records/2 {
		t.Errorf("%d of %d records cannot be read", failed, records)
	}
	if err := store.Update(ctx, s, func(tx store.Tx) error { tx.Put("table", "more", nil); return nil }); err != nil {
		t.Errorf("Update() = %v beside the damage", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "a file of the store is damaged"); n != 1 || strings.Contains(log.String(), "stack trace") {
		t.Errorf("the log has %d lines about the damage:\n%s", n, &log)
	}
}
