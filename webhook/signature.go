package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"
)

// SignatureHeader is the header with the signature of a request: "t=<seconds since
// the epoch>,v1=<hex>", where v1 is the HMAC-SHA256 of "<seconds>.<body>" with the
// secret as its key. A receiver computes it over the bytes that it got, compares
// in constant time, and refuses a signature that is more than some minutes old, so
// that nobody can replay the request.
const SignatureHeader = "Muster-Signature"

// secretMin is the shortest secret: 128 bits, if they are random.
const secretMin = 16

// Secret is the key that both sides of a webhook share. It never prints itself.
type Secret struct{ key []byte }

// NewSecret returns the secret with the bytes of text, which must be 16 or more.
func NewSecret(text []byte) (Secret, error) {
	if len(text) < secretMin {
		return Secret{}, fmt.Errorf("the secret has %d bytes; it needs %d at least", len(text), secretMin)
	}
	return Secret{append([]byte(nil), text...)}, nil
}

// Sign returns the value of SignatureHeader for a body that is sent at now.
func (s Secret) Sign(now time.Time, body []byte) string {
	seconds := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

const redacted = "[redacted]"

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// Format writes "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
