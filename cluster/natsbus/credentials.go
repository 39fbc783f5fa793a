package natsbus

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/muster-iot/muster/internal/secretfile"
)

// credentialsMax bounds the file of credentials, in bytes.
const credentialsMax = 64 << 10

// credentials returns the options for a file in one of four forms: credentials of NATS (.creds,
// with a JWT and a seed), the seed of a user's nkey, two lines with a user and a password, or one
// line with a token. The file is read again for each connection, so that it may be changed. An
// empty path is no credentials.
func credentials(path string) ([]nats.Option, error) {
	if path == "" {
		return nil, nil
	}
	lines, err := readCredentials(path)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(lines[0], "-----BEGIN NATS USER JWT"):
		return []nats.Option{nats.UserCredentials(path)}, nil
	case strings.HasPrefix(lines[0], "SU"), strings.HasPrefix(lines[0], "-----BEGIN USER NKEY SEED"):
		seed, err := nats.NkeyOptionFromSeed(path)
		if err != nil {
			return nil, fmt.Errorf("%s begins like the seed of an nkey and is none", path)
		}
		return []nats.Option{seed}, nil
	case len(lines) == 2:
		return []nats.Option{nats.UserInfoHandler(func() (user, password string) {
			if lines, err := readCredentials(path); err == nil && len(lines) == 2 {
				return lines[0], lines[1]
			}
			return "", ""
		})}, nil
	case len(lines) == 1:
		return []nats.Option{nats.TokenHandler(func() string {
			if lines, err := readCredentials(path); err == nil && len(lines) == 1 {
				return lines[0]
			}
			return ""
		})}, nil
	}
	return nil, fmt.Errorf("%s is neither a credentials file of NATS, nor the seed of an nkey, nor a user and a password on two lines, nor a token on one", path)
}

// CheckCredentials refuses a file of credentials that cannot be used, whatever the servers think
// of it. An empty path is good.
func CheckCredentials(path string) error {
	_, err := credentials(path)
	return err
}

// readCredentials returns the lines of a file of credentials, at least one.
func readCredentials(path string) ([]string, error) {
	text, err := secretfile.Read(path, credentialsMax)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return lines, nil
}
