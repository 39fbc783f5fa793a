package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/sigv4"
)

// maxPEMFile is the longest PEM file that is read, in bytes.
const maxPEMFile = 1 << 20

// PEMFiles names a certificate file and the private file of its key.
type PEMFiles struct {
	Certificate string
	Key         string
}

// errNeither is the error of reading two files when neither exists. An empty
// file exists.
var errNeither = fmt.Errorf("neither file is there: %w", fs.ErrNotExist)

// ErrKeyAlone says that there is a key without its certificate. Keys are written
// first, so this is what remains when a process is killed between the two writes.
var ErrKeyAlone = errors.New("there is a key without its certificate")

var errKeyMissing = errors.New("there is a certificate without its key")

// half returns the error when only one of the files exists.
func (f PEMFiles) half(which error) error {
	return fmt.Errorf("%w: there is only one of %s and %s: restore the other, or remove both to start anew", which, f.Certificate, f.Key)
}

// read returns the files' contents, or an error that wraps errNeither, ErrKeyAlone
// or errKeyMissing when they are not both there.
func (f PEMFiles) read() (certificate string, key sigv4.Secret, err error) {
	c, errC := readSmall(f.Certificate)
	k, errK := secretfile.Read(f.Key, maxPEMFile)
	lackC, lackK := errors.Is(errC, fs.ErrNotExist), errors.Is(errK, fs.ErrNotExist)
	switch {
	case lackC && lackK:
		return "", "", errNeither
	case lackC:
		return "", "", f.half(ErrKeyAlone)
	case lackK:
		return "", "", f.half(errKeyMissing)
	case errC != nil || errK != nil:
		return "", "", errors.Join(errC, errK)
	}
	return string(c), sigv4.Secret(k), nil
}

// write stores the key first: a certificate without its key would be useless.
func (f PEMFiles) write(certificate string, key sigv4.Secret) error {
	if err := writePrivate(f.Key, []byte(key)); err != nil {
		return err
	}
	return writeFile(f.Certificate, []byte(certificate), 0o644)
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxPEMFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxPEMFile)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
