package diskstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster/store"
)

// Run removes what crashes and clients left behind, until ctx ends: first contents that
// are not in the index, then, periodically, multipart uploads that are too old.
func (s *Store) Run(ctx context.Context) error {
	if n, err := s.sweepContents(ctx); err != nil && ctx.Err() == nil {
		s.o.Log.Error("contents of job files that belong to nothing could not be swept", "error", err)
	} else if n > 0 {
		s.o.Log.Info("swept contents of job files that belong to nothing", "files", n)
	}
	for beat := time.NewTicker(sweepEvery); ; {
		if err := s.sweepUploads(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("uploads that nobody ended could not be swept", "error", err)
		}
		select {
		case <-ctx.Done():
			beat.Stop()
			return nil
		case <-beat.C:
		}
	}
}

// sweepBatch is how many files are looked up in one read of the index.
const sweepBatch = 1000

// sweepContents removes the contents that are not in the index, and returns their
// number.
func (s *Store) sweepContents(ctx context.Context) (removed int, err error) {
	folders, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		n, err := s.sweepFolder(ctx, filepath.Join(s.o.Dir, folder.Name()))
		if removed += n; err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func (s *Store) sweepFolder(ctx context.Context, folder string) (removed int, err error) {
	d, err := os.Open(folder)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(sweepBatch)
		if len(names) == 0 {
			return removed, nil
		}
		if err != nil {
			return removed, err
		}
		var orphans []string
		for _, name := range names {
			if len(name) == nameLength && !s.blobs.isFresh(name) {
				orphans = append(orphans, name)
			}
		}
		// A blob that is not fresh is already in the index, or will never be. So it is
		// looked up after that was checked.
		if orphans, err = s.unknown(ctx, orphans); err != nil {
			return removed, err
		}
		for _, name := range orphans {
			s.blobs.remove(name)
			removed++
		}
	}
}

// unknown returns those of names that are not in the index.
func (s *Store) unknown(ctx context.Context, names []string) (orphans []string, err error) {
	err = s.o.Index.View(ctx, func(r store.Reader) error {
		orphans = nil
		for _, name := range names {
			known, err := sizes.Has(r, name)
			if err != nil {
				return err
			}
			if !known {
				orphans = append(orphans, name)
			}
		}
		return nil
	})
	return orphans, err
}

// sweepUploads aborts the multipart uploads that are too old.
func (s *Store) sweepUploads(ctx context.Context) error {
	oldest := s.o.Now().Add(-s.o.Limits.UploadLife).UnixMilli()
	var old [][]string
	err := s.o.Index.View(ctx, func(r store.Reader) error {
		old = nil
		for row, err := range uploads.Scan(r, "", "") {
			if err != nil {
				return err
			}
			if row.Value.Begun < oldest {
				old = append(old, store.SplitKey(row.Key))
			}
		}
		return nil
	})
	for _, name := range old {
		gone := &Error{}
		if abortErr := s.AbortUpload(ctx, name[0], name[1], name[2]); abortErr != nil && !errors.As(abortErr, &gone) {
			err = errors.Join(err, abortErr)
		}
	}
	return err
}
