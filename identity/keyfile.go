package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/muster-iot/muster/internal/jsontext"
	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/sigv4"
)

// maxKeyFile is the longest key file read, in bytes.
const maxKeyFile = 8 << 20

// keyFile is the file's content, version 1.
type keyFile struct {
	Version int         `json:"version"`
	Keys    []keyRecord `json:"keys"`
	// SHA256 is the digest of Keys, in hex: damage to a secret would otherwise go
	// unnoticed. A file without it, from an earlier release or made by hand, is not
	// checked.
	SHA256 string `json:"sha256,omitempty"`
}

func (f keyFile) sum() (string, error) {
	text, err := json.Marshal(f.Keys)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// keyRecord is a Key in the file. Only here are secrets plain strings.
type keyRecord struct {
	AccessKeyID     string     `json:"accessKeyId"`
	SecretAccessKey string     `json:"secretAccessKey"`
	SessionToken    string     `json:"sessionToken,omitempty"`
	Expires         time.Time  `json:"expires,omitzero"`
	Made            time.Time  `json:"made,omitzero"`
	Principal       string     `json:"principal"`
	Policies        accessList `json:"policies"`
}

// accessList is "full-access" or a list of policy documents, each an object or,
// as in CreatePolicy, a string.
type accessList struct {
	full      bool
	documents []string
}

const fullAccessWord = "full-access"

func (a accessList) MarshalJSON() ([]byte, error) {
	if a.full {
		return json.Marshal(fullAccessWord)
	}
	documents := make([]json.RawMessage, len(a.documents))
	for i, d := range a.documents {
		documents[i] = json.RawMessage(d)
	}
	return json.Marshal(documents)
}

func (a *accessList) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil {
		if a.full = word == fullAccessWord; !a.full && word != "" {
			return fmt.Errorf("policies must be %q or a list of policy documents", fullAccessWord)
		}
		return nil
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(data, &documents); err != nil {
		return fmt.Errorf("policies must be %q or a list of policy documents", fullAccessWord)
	}
	for _, d := range documents {
		var text string
		if json.Unmarshal(d, &text) != nil {
			text = string(d)
		}
		a.documents = append(a.documents, text)
	}
	return nil
}

// readKeys returns the keys of the file at path, checked and compiled, and the
// state of the file. The latter is also set when an opened file is invalid.
func readKeys(path string) ([]Key, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open access keys: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("open access keys: %w", err)
	}
	if err := secretfile.Check(path, info); err != nil {
		return nil, info, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, info, fmt.Errorf("read access keys: %w", err)
	}
	if len(data) > maxKeyFile {
		return nil, info, fmt.Errorf("access keys in %s: the file is longer than %d bytes", path, maxKeyFile)
	}
	list, err := decodeKeys(data)
	if err == nil {
		err = checkKeys(list)
	}
	if err != nil {
		return nil, info, fmt.Errorf("access keys in %s: %w", path, err)
	}
	return list, info, nil
}

func decodeKeys(data []byte) ([]Key, error) {
	var file keyFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		if fault := jsontext.Fault(data); fault != "" {
			return nil, fmt.Errorf("the file is not valid JSON %s", fault)
		}
		return nil, err
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("version %d is not known, only 1 is", file.Version)
	}
	if sum, err := file.sum(); err != nil || file.SHA256 != "" && file.SHA256 != sum {
		return nil, errors.New("the file is damaged: restore it from a backup, or, if it was changed by hand, remove its member sha256")
	}
	keys := make([]Key, len(file.Keys))
	for i, r := range file.Keys {
		keys[i] = Key{
			Credential: sigv4.Credential{
				AccessKeyID:  r.AccessKeyID,
				Secret:       sigv4.Secret(r.SecretAccessKey),
				SessionToken: sigv4.Secret(r.SessionToken),
				Expires:      r.Expires,
			},
			Principal:  r.Principal,
			Made:       r.Made,
			FullAccess: r.Policies.full,
			Policies:   r.Policies.documents,
		}
	}
	return keys, nil
}

// checkKeys checks and compiles each key, and checks that ids are unique.
func checkKeys(list []Key) error {
	if len(list) > maxKeys {
		return fmt.Errorf("there are more than %d keys", maxKeys)
	}
	seen := map[string]bool{}
	for i := range list {
		if err := list[i].compile(); err != nil {
			return err
		}
		if seen[list[i].AccessKeyID] {
			return fmt.Errorf("access key %s exists already", list[i].AccessKeyID)
		}
		seen[list[i].AccessKeyID] = true
	}
	return nil
}

// writeKeys stores list if it is valid.
func writeKeys(path string, list []Key) error {
	if err := checkKeys(list); err != nil {
		return err
	}
	file := keyFile{Version: 1, Keys: make([]keyRecord, len(list))}
	for i, k := range list {
		file.Keys[i] = keyRecord{
			AccessKeyID:     k.AccessKeyID,
			SecretAccessKey: string(k.Secret),
			SessionToken:    string(k.SessionToken),
			Expires:         k.Expires,
			Made:            k.Made,
			Principal:       k.Principal,
			Policies:        accessList{k.FullAccess, k.Policies},
		}
	}
	sum, err := file.sum()
	if err != nil {
		return err
	}
	file.SHA256 = sum
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(path, append(data, '\n'))
}

// CheckKeys returns nil when the key file at path can be used. It changes nothing,
// and its error wraps fs.ErrNotExist when there is none.
func CheckKeys(path string) error {
	_, _, err := readKeys(path)
	return err
}

// SecretOf returns the secret of an access key in the file at path, and whether
// there is such a key.
func SecretOf(path, accessKeyID string) (secret sigv4.Secret, known bool, err error) {
	list, _, err := readKeys(path)
	for _, k := range list {
		if k.AccessKeyID == accessKeyID {
			return k.Secret, true, nil
		}
	}
	return "", false, err
}
