package datafolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-iot/muster/identity"
)

// A node whose secrets are mounted read-only has a folder in which it writes nothing. Where it is
// found is in the ready file that its operator wants elsewhere, its name comes from its
// options, and what it would make of certificates it has in memory only.

// CheckReadOnly refuses a folder in which something must be written: one that lacks a file that
// a server would make, and one with a mark that a server would remove.
func CheckReadOnly(f Folder) error {
	var lacks []string
	for _, path := range []string{f.Keys(), f.CA().Certificate, f.CA().Key, f.RSACA().Certificate, f.RSACA().Key, f.FilesKey()} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			lacks = append(lacks, filepath.Base(path))
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("the data folder %s is read-only and lacks %s: make its secrets where it can be written, with muster admin secrets init", string(f), strings.Join(lacks, ", "))
	}
	for _, path := range []string{f.keysUsed(), f.emptied(), f.NodeFile()} {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("the data folder %s is read-only and has %s, of a server that wrote there: mount a folder with secrets only, as muster admin secrets init makes it", string(f), filepath.Base(path))
		}
	}
	return nil
}

// keptIn returns where a certificate of the server is kept that was made anew: nowhere, which is
// the zero PEMFiles, if the folder is read-only. Then each start makes it.
func keptIn(f Folder, files identity.PEMFiles) identity.PEMFiles {
	if ReadOnly(f) {
		return identity.PEMFiles{}
	}
	return files
}

// BeginsEmpty reports whether the folder has the mark of one whose store may be empty. In a
// folder that is read-only it stays there until its operator removes it.
func BeginsEmpty(f Folder) bool {
	_, err := os.Stat(f.beginsEmpty())
	return err == nil
}
