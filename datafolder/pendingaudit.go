package datafolder

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/muster-iot/muster/audit"
)

// What is done to a folder by hand, to its keys for example, has no transaction of the store, and a server may have the
// store. So its audit records go into a file first, one JSON object a line: one before it is done, and one with the same
// request id and the outcome. The server takes them into the store.

const (
	// pendingWait is the longest time to wait for another process that has the file.
	pendingWait = 10 * time.Second
	// pendingPoll is the pause between two attempts to get it.
	pendingPoll = 5 * time.Millisecond
	// pendingLineMax bounds a record, in bytes.
	pendingLineMax = 64 << 10
	// pendingStep is how many records are taken in at a time.
	pendingStep = 100
)

// AppendAudit adds a record to those that the store is to get. When it returns nil the record is durable.
func AppendAudit(ctx context.Context, f Folder, r audit.Record) (err error) {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	file, err := openPending(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size > 0 {
		last := make([]byte, 1)
		if _, err = file.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' { // the process that wrote there was killed
			line = append([]byte{'\n'}, line...)
		}
	}
	if _, err = file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err = file.Sync(); err == nil && size == 0 {
		err = f.sync()
	}
	return err
}

// TakeAudit hands the records of the file to keep, in order, and empties the file when keep has them all. It may hand
// over a record once more: after a crash, and each time in a folder that is read-only. skipped counts lines that are no records.
func TakeAudit(ctx context.Context, f Folder, keep func(context.Context, []audit.Record) error) (skipped int, err error) {
	if info, err := os.Stat(f.pendingAudit()); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, nil
	}
	if ReadOnly(f) {
		file, err := os.Open(f.pendingAudit())
		if err != nil {
			return 0, err
		}
		defer file.Close()
		return eachPending(ctx, file, keep)
	}
	file, err := openPending(ctx, f)
	if err != nil {
		return 0, err
	}
	if skipped, err = eachPending(ctx, file, keep); err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		err = file.Sync()
	}
	return skipped, errors.Join(err, file.Close())
}

// openPending opens the file, which it makes, for this process alone.
func openPending(ctx context.Context, f Folder) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, pendingWait)
	defer cancel()
	for {
		file, err := lockFile(f.pendingAudit())
		if !errors.Is(err, ErrInUse) {
			return file, err
		}
		select {
		case <-time.After(pendingPoll):
		case <-ctx.Done():
			return nil, fmt.Errorf("another process has the file %s for too long", f.pendingAudit())
		}
	}
}

// eachPending hands the records in a file to keep, some at a time.
func eachPending(ctx context.Context, file io.Reader, keep func(context.Context, []audit.Record) error) (skipped int, err error) {
	lines := bufio.NewReaderSize(file, pendingLineMax)
	var records []audit.Record
	for long := false; err == nil; {
		var line []byte
		line, err = lines.ReadSlice('\n')
		whole := err == nil && !long
		if long = errors.Is(err, bufio.ErrBufferFull); long {
			err = nil
			continue
		}
		var r audit.Record
		switch {
		case whole && json.Unmarshal(line, &r) == nil && r.At > 0 && r.RequestID != "" && r.Operation != "":
			records = append(records, r)
		case len(bytes.TrimSpace(line)) > 0:
			skipped++
		}
		if len(records) == pendingStep || errors.Is(err, io.EOF) && len(records) > 0 {
			if kept := keep(ctx, records); kept != nil {
				return skipped, kept
			}
			records = nil
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return skipped, err
}
