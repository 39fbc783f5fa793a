package identity

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"

	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/sigv4"
)

// WriteProfile writes c as an AWS shared-credentials file with the profile
// "default", which the AWS CLI and SDKs read where AWS_SHARED_CREDENTIALS_FILE
// says. Only the owner may read it.
func WriteProfile(path string, c sigv4.Credential, region string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, string(c.Secret))
	if c.SessionToken != "" {
		fmt.Fprintf(&b, "aws_session_token = %s\n", string(c.SessionToken))
	}
	fmt.Fprintf(&b, "region = %s\n", region)
	return writePrivate(path, []byte(b.String()))
}

// profileMax bounds an AWS shared-credentials file, in bytes.
const profileMax = 1 << 20

// ReadProfile reads the default profile of such a file, which only its owner may open.
func ReadProfile(file string) (sigv4.Credential, error) {
	text, err := secretfile.Read(file, profileMax)
	if err != nil {
		return sigv4.Credential{}, fmt.Errorf("credentials: %w", err)
	}
	var credential sigv4.Credential
	profile := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			profile = strings.Trim(line, "[]")
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || profile != "default" {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			credential.AccessKeyID = value
		case "aws_secret_access_key":
			credential.Secret = sigv4.Secret(value)
		case "aws_session_token":
			credential.SessionToken = sigv4.Secret(value)
		}
	}
	if err := lines.Err(); err != nil {
		return credential, fmt.Errorf("credentials: %w", err)
	}
	if credential.AccessKeyID == "" || credential.Secret == "" {
		return credential, fmt.Errorf("credentials: %s has no key in its default profile", file)
	}
	return credential, nil
}
