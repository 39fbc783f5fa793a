package identity

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/sigv4"
)

// Key is an access key and the user that it belongs to.
type Key struct {
	sigv4.Credential
	// Principal is the ARN of the user the key belongs to.
	Principal string
	// FullAccess allows everything; Policies must then be empty.
	FullAccess bool
	// Policies are the policy documents of the key. With neither these nor
	// FullAccess the key may do nothing.
	Policies []string
	// Made is when the key was made; zero when that is not known, as for keys of
	// older releases.
	Made time.Time
	// LastUsed is the minute of the last request with a valid signature of the key,
	// zero for never. Keys.List fills it in; Keys.Add ignores it.
	LastUsed time.Time

	set iotpolicy.Set
}

// NewKey makes a key with a random id and secret for the user called name. It
// may do nothing yet.
func NewKey(account, name string) Key {
	var id [10]byte
	var secret [30]byte
	_, _ = rand.Read(id[:]) // crypto/rand never fails
	_, _ = rand.Read(secret[:])
	return Key{
		Credential: sigv4.Credential{
			AccessKeyID: "AKIA" + base32.StdEncoding.EncodeToString(id[:]),
			Secret:      sigv4.Secret(base64.StdEncoding.EncodeToString(secret[:])),
		},
		Principal: fmt.Sprintf("arn:aws:iam::%s:user/%s", account, name),
	}
}

var (
	accessKeyIDs = regexp.MustCompile(`^\w{4,128}$`)
	principals   = regexp.MustCompile(`^arn:aws[\w-]*:(iam|sts)::\d{12}:\S{1,512}$`)
)

const fullAccess = `{"Version":"2012-10-17","Statement":[{"Sid":"full-access","Effect":"Allow","Action":"*","Resource":"*"}]}`

// compile checks the key and compiles its policies.
func (k *Key) compile() error {
	switch {
	case !accessKeyIDs.MatchString(k.AccessKeyID):
		return fmt.Errorf("access key id %q must be 4 to 128 letters, digits or underscores", k.AccessKeyID)
	case k.Secret == "":
		return fmt.Errorf("access key %s has no secret", k.AccessKeyID)
	case !principals.MatchString(k.Principal):
		return fmt.Errorf("access key %s: principal %q must look like arn:aws:iam::123456789012:user/name", k.AccessKeyID, k.Principal)
	case k.FullAccess && len(k.Policies) > 0:
		return fmt.Errorf("access key %s has both full access and policies", k.AccessKeyID)
	}
	documents := k.Policies
	if k.FullAccess {
		documents = []string{fullAccess}
	}
	k.set = make(iotpolicy.Set, len(documents))
	for i, document := range documents {
		name := fmt.Sprintf("%s[%d]", k.Principal[strings.LastIndexByte(k.Principal, '/')+1:], i)
		p, err := iotpolicy.Parse(name, document)
		if err != nil {
			return fmt.Errorf("access key %s: policy %d: %w", k.AccessKeyID, i, err)
		}
		k.set[i] = p
	}
	return nil
}

// UnknownActions returns the actions in the key's policies that match none of
// known: spelling mistakes, which allow and deny nothing.
func (k *Key) UnknownActions(known []string) []string {
	var unknown []string
	for _, p := range k.set {
		unknown = append(unknown, p.UnknownActions(known)...)
	}
	return unknown
}
