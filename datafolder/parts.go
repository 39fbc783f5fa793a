package datafolder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/store"
)

// Parts is the store's record of the files beside it, all of which existed when a server had
// started. Without it, a server could not distinguish a lost file from a first start, and
// would make another certificate authority, which no device trusts.
type Parts struct {
	// Files are names of files, with the SHA-256 in hex of what does not change in
	// them: all of files-key, the certificate of the authority in ca.pem. The
	// others have "".
	Files map[string]string `json:"files"`
	// RSA is the same for files that earlier releases do not know. In Files, those releases
	// would report them as missing.
	RSA map[string]string `json:"rsa,omitempty"`
}

var (
	partsTable = store.Of[Parts]{Table: "folder"} // theParts
	theParts   = "parts"
)

// parts returns what there is now of the files that a server must find again.
func (f Folder) parts() (Parts, error) {
	p := Parts{Files: map[string]string{}}
	if _, err := os.Stat(f.RSACA().Certificate); err == nil { // a key alone is left when making the authority was interrupted
		if p.RSA, err = f.rsaParts(); err != nil {
			return p, err
		}
	}
	for _, path := range []string{f.Keys(), f.FilesKey(), f.CA().Certificate, f.CA().Key} {
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return p, err
		}
		sum := ""
		switch path {
		case f.FilesKey():
			s := sha256.Sum256(content)
			sum = hex.EncodeToString(s[:])
		case f.CA().Certificate:
			sum, _ = identity.AuthorityDigest(f.CA()) // OpenAuthority reports why there is none
		}
		p.Files[filepath.Base(path)] = sum
	}
	return p, nil
}

func (f Folder) rsaParts() (map[string]string, error) {
	parts := map[string]string{}
	switch _, err := os.Stat(f.RSACA().Key); {
	case err == nil:
		parts[filepath.Base(f.RSACA().Key)] = ""
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	sum, _ := identity.RootDigest(f.RSACA().Certificate) // LoadRSAAuthority reports why there is none
	parts[filepath.Base(f.RSACA().Certificate)] = sum
	return parts, nil
}

// missingParts compares the folder with what the store knows of it.
func (f Folder) missingParts(ctx context.Context, s store.Store) (problems []string, err error) {
	now, err := f.parts()
	if err != nil {
		return nil, err
	}
	known, err := knownParts(ctx, s)
	if err != nil || known == nil {
		return nil, err
	}
	return append(missing(known.Files, now.Files), missing(known.RSA, now.RSA)...), nil
}

// knownParts is what the store knows of the folder, nil before a server has started.
func knownParts(ctx context.Context, s store.Store) (known *Parts, err error) {
	err = s.View(ctx, func(r store.Reader) (err error) { known, err = partsIn(r); return err })
	return known, err
}

// partsIn is knownParts of a reader. A nil reader has none.
func partsIn(r store.Reader) (*Parts, error) {
	if r == nil {
		return nil, nil
	}
	return partsTable.Get(r, theParts)
}

// missing describes which of the known files are missing or have changed.
func missing(known, now map[string]string) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(known)) {
		switch sum, there := now[name]; {
		case !there:
			problems = append(problems, fmt.Sprintf("the file %s is missing", name))
		case known[name] != "" && sum != known[name]:
			problems = append(problems, fmt.Sprintf("the file %s is damaged, or was replaced: it is not what it was", name))
		}
	}
	return problems
}

// CheckParts refuses a folder in which files are missing or have changed. With acceptLoss it
// only logs them, and they are made again.
func (f Folder) CheckParts(ctx context.Context, s store.Store, acceptLoss bool, log *slog.Logger) error {
	problems, err := f.missingParts(ctx, s)
	if err != nil {
		return err
	}
	if len(problems) > 0 && !acceptLoss {
		return &damageError{fmt.Sprintf("%s is damaged: %s", string(f), summary(problems))}
	}
	for _, p := range problems {
		log.Warn("a damaged data folder is used, as --accept-loss says", "damage", p)
	}
	return nil
}

// KeepParts records in the store which files are beside it. From then on the two know each
// other. The mark of a folder whose store may be empty goes, unless the folder is read-only.
func (f Folder) KeepParts(ctx context.Context, s store.Store) error {
	now, err := f.parts()
	if err != nil {
		return err
	}
	known, err := knownParts(ctx, s)
	if err == nil && (known == nil || !maps.Equal(known.Files, now.Files) || !maps.Equal(known.RSA, now.RSA)) {
		err = store.Update(ctx, s, func(tx store.Tx) error { partsTable.Put(tx, theParts, now); return nil })
	}
	if err != nil {
		return err
	}
	if ReadOnly(f) {
		return nil
	}
	if err := os.Remove(f.beginsEmpty()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// known reports whether the folder has a store or other files of a server.
func (f Folder) known() bool {
	for _, path := range []string{f.DB(), f.emptied(), f.NodeFile(), f.Server().Certificate} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// besides returns the files beside the store and the contents of job files that a backup
// needs too.
func (f Folder) besides() ([]string, error) {
	own := []string{f.ReadyFile(), f.BackupList(), f.NodeFile(), f.lockFile(), f.beginsEmpty()} // of this folder, not of its content
	var files []string
	for _, dir := range []string{string(f), string(f.Signing())} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(own, path) {
				files = append(files, path)
			}
		}
	}
	return files, nil
}

// CheckSecrets refuses a folder with a secret file that users other than its owner can open.
func (f Folder) CheckSecrets() error {
	files, err := f.besides()
	if err != nil {
		return err
	}
	for _, path := range files {
		if !f.secret(path) {
			continue
		}
		info, err := os.Stat(path)
		if err == nil {
			err = secretfile.Check(path, info)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// secret reports whether only the owner may read a file of the folder: all files but
// certificates.
func (f Folder) secret(path string) bool {
	return !strings.HasSuffix(path, ".pem") || strings.HasSuffix(path, "-key.pem")
}

// verifyBesides calls problem for each file beside the store that a server could
// not use.
func (f Folder) verifyBesides(problem func(string)) {
	check := func(path string, err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problem(fmt.Sprintf("%s: %v", filepath.Base(path), err))
		}
	}
	if err := CheckWhole(f); err != nil {
		problem(err.Error())
	}
	if err := f.CheckSecrets(); err != nil {
		problem(err.Error())
	}
	check(f.Keys(), identity.CheckKeys(f.Keys()))
	_, err := identity.AuthorityDigest(f.CA())
	check(f.CA().Certificate, err)
	_, err = identity.LoadRSAAuthority(f.RSACA())
	check(f.RSACA().Certificate, err)
	_, err = identity.ReadProfile(f.FilesKey())
	check(f.FilesKey(), err)
	check(f.Credentials(), f.CheckCredentials())
	f.verifyProfiles(problem)
}

// verifyProfiles calls problem for each signing profile that has a missing or
// damaged part.
func (f Folder) verifyProfiles(problem func(string)) {
	files, _ := filepath.Glob(filepath.Join(string(f.Signing()), "*.pem")) // the pattern is well formed
	names := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		names[strings.TrimSuffix(name, "-key")] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if _, err := f.Signing().Open(name); err != nil {
			problem(fmt.Sprintf("signing profile %s: %v", name, err))
		}
	}
}

// CheckCredentials refuses a credentials file that cannot be used or contradicts the access
// keys. A file whose key was removed is accepted.
func (f Folder) CheckCredentials() error {
	shown, err := identity.ReadProfile(f.Credentials())
	if err != nil {
		return err
	}
	secret, known, err := identity.SecretOf(f.Keys(), shown.AccessKeyID)
	if err == nil && known && secret != shown.Secret {
		err = fmt.Errorf("the secret is not that of the access key %s: remove the file, and the next start makes it anew", shown.AccessKeyID)
	}
	return err
}
