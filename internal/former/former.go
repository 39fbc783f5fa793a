// Package former holds data folders that former releases wrote, and what those
// releases answered from them, for tests: every later release must open, serve and
// verify them. README.md says how they were made.
package former

import (
	"archive/tar"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

//go:embed */folder.tar.gz */answers.json */messages.json
var files embed.FS

// Clock is what the clock of a folder shows: nothing in it is due before.
var Clock = time.Date(2126, 3, 1, 12, 0, 0, 0, time.UTC)

// Unpack writes the folder of a format into dir, which it makes.
func Unpack(format int, dir string) error {
	packed, err := files.Open(fmt.Sprintf("format%d/folder.tar.gz", format))
	if err != nil {
		return err
	}
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = write(filepath.Join(dir, filepath.FromSlash(header.Name)), header, archive)
		}
		if err != nil {
			return err
		}
	}
}

func write(name string, header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeDir {
		return os.MkdirAll(name, 0o700)
	}
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, header.FileInfo().Mode().Perm())
}

// Answer is one request and what the former release answered.
type Answer struct {
	Method, Path string
	Service      string // that the request is signed for
	Body         any    // nil for none
	Status       int
	Answer       any // decoded JSON
}

// Answers returns what the release of a format answered from its folder.
func Answers(format int) ([]Answer, error) {
	var all []Answer
	return all, decode(format, "answers.json", &all)
}

// Message is a message that a persistent session was handed.
type Message struct{ Topic, Payload string }

// Messages returns what that release handed to the client lamp6 when it came back.
func Messages(format int) ([]Message, error) {
	var pairs [][2]string
	err := decode(format, "messages.json", &pairs)
	var all []Message
	for _, p := range pairs {
		all = append(all, Message{p[0], p[1]})
	}
	return all, err
}

func decode(format int, name string, v any) error {
	text, err := files.ReadFile(fmt.Sprintf("format%d/%s", format, name))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
