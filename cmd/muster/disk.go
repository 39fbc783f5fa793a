package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store/pebblestore"
)

// reserveSize is the flag that says how much of a file system is kept free. The
// zero reserveSize leaves it to the size of the file system.
type reserveSize struct {
	given   bool
	bytes   byteSize
	percent int // of the file system; zero: bytes count
}

func (r *reserveSize) register(fs *pflag.FlagSet) {
	fs.Var(r, "disk-reserve", "the `size` that is kept free on the disk of the data folder, such as 1GiB or 5%; below it nothing new is taken; "+
		"0: none; 1GiB when not given, or a quarter of a disk that has less than 4GiB")
}

// Set reads a size or a percentage.
func (r *reserveSize) Set(text string) error {
	*r = reserveSize{given: true}
	if number, ok := strings.CutSuffix(text, "%"); ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 50 {
			return fmt.Errorf("must be 1%% to 50%%, or a size")
		}
		r.percent = n
		return nil
	}
	if err := r.bytes.Set(text); err != nil {
		return err
	}
	if r.bytes != 0 && r.bytes < reserve.Min {
		return fmt.Errorf("must be 0 or at least %s, which the store needs to go on", reserve.Size(reserve.Min))
	}
	return nil
}

// Type names a value in the help of a flag that names none.
func (*reserveSize) Type() string { return "size" }

func (r *reserveSize) String() string {
	switch {
	case !r.given:
		return ""
	case r.percent != 0:
		return strconv.Itoa(r.percent) + "%"
	}
	return r.bytes.String()
}

// of returns the reserve of a file system of total bytes.
func (r *reserveSize) of(total int64) (int64, error) {
	switch {
	case !r.given:
		return reserve.Of(total), nil
	case r.percent != 0:
		return total / 100 * int64(r.percent), nil
	case total > 0 && int64(r.bytes) > total/2:
		return 0, usagef("--disk-reserve %s is more than half of the disk, which has %s", reserve.Size(int64(r.bytes)), reserve.Size(total))
	}
	return int64(r.bytes), nil
}

// disks are the file systems of a data folder, each with its reserve.
type disks struct {
	store *reserve.Volume // of the store and everything but job files; nil when the store is elsewhere
	files *reserve.Volume // of job files; the same, unless they are on a file system of their own; nil when they are elsewhere too
}

// openDisks returns the file systems of a data folder, which must exist. The store and the job
// files may be in it or elsewhere.
func openDisks(f datafolder.Folder, size reserveSize, ownStore, builtIn bool, log *slog.Logger) (d disks, err error) {
	if !ownStore {
		if builtIn {
			d.files, err = openVolume(existingOf(f.Files(), string(f)), size, log)
		}
		return d, err
	}
	if d.store, err = openVolume(existingOf(f.DB(), string(f)), size, log); err != nil {
		return d, err
	}
	d.files = d.store
	if files := existingOf(f.Files(), string(f)); builtIn && !sameDisk(files, existingOf(f.DB(), string(f))) {
		d.files, err = openVolume(files, size, log)
	}
	return d, err
}

func openVolume(dir string, size reserveSize, log *slog.Logger) (*reserve.Volume, error) {
	usage := func() (free, total int64, err error) { return pebblestore.Usage(dir) }
	_, total, err := usage()
	if err != nil {
		total = 0 // NewVolume logs it
	}
	kept, err := size.of(total)
	if err != nil {
		return nil, err
	}
	return reserve.NewVolume(reserve.VolumeOptions{Folder: dir, Reserve: kept, Usage: usage, Now: time.Now, Log: log}), nil
}

// room returns nil when a write into the store leaves the reserve free. A database sees to its
// own disk.
func (d disks) room(u reserve.Use, bytes int64) error {
	if d.store == nil {
		return nil
	}
	return d.store.Room(u, bytes)
}

// fileRoom is room for job files, which take space in both.
func (d disks) fileRoom(u reserve.Use, bytes int64) error {
	if d.files != d.store {
		if err := d.room(u, 0); err != nil {
			return err
		}
	}
	return d.files.Room(u, bytes)
}

// all returns the volumes by what lies on them.
func (d disks) all() map[string]*reserve.Volume {
	all := map[string]*reserve.Volume{}
	if d.store != nil {
		all["data"] = d.store
	}
	if d.files != d.store {
		all["files"] = d.files
	}
	return all
}

// run watches the volumes until ctx ends.
func (d disks) run(ctx context.Context) error {
	watching := stage{func(ctx context.Context) error { <-ctx.Done(); return nil }} // there may be nothing else
	for _, v := range d.all() {
		watching = append(watching, v.Run)
	}
	return runStages(ctx, watching)
}

// existingOf returns the first of the folders that exists.
func existingOf(folders ...string) string {
	for _, dir := range folders {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return folders[len(folders)-1]
}

// backupRoom returns an error when a backup would go to the disk of the data folder and that
// disk is low. A backup to another disk is always allowed.
func (s *server) backupRoom(to string) error {
	for {
		if _, err := os.Stat(to); err == nil || to == filepath.Dir(to) {
			break
		}
		to = filepath.Dir(to) // it does not exist yet
	}
	if !sameDisk(to, string(s.data)) {
		return nil
	}
	return s.disks.room(reserve.Grow, 0)
}

// diskHint adds to an error of a full disk what to do about it.
func diskHint(err error, dir string) error {
	if !reserve.IsFull(err) {
		return err
	}
	room := "it cannot be told how much room it has"
	if free, total, err := pebblestore.Usage(dir); err == nil {
		room = fmt.Sprintf("%s of %s are free", reserve.Size(free), reserve.Size(total))
	}
	return fmt.Errorf("the disk of %s is full (%s): make room there and start again; nothing that was answered is lost: %w", cmp.Or(dir, "."), room, err)
}

// fatal returns the function that ends the process, with an explanation, when the store of a
// data folder cannot go on.
func fatal(data datafolder.Folder) func(error) {
	return func(err error) {
		os.Exit(exitCode(diskHint(fmt.Errorf("the store cannot go on; what was answered is safe: %w", err), string(data)), os.Stderr))
	}
}
