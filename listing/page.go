// Package listing makes the pages of lists: where a page begins, how long it may
// get, and a token for the next one that fits this list only. It knows nothing of
// what is listed.
package listing

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Page bounds one answer of a list.
type Page struct {
	Limit int    // 1 to 250; zero means the list's default
	Token string // from the page before; empty for the first
}

// Max is the largest page of any list, and the default of job lists.
const Max = 250

// tokenMax bounds what is read as a token at all: that of a search holds the
// stretches of the index that it goes through.
const tokenMax = 64 << 10

// Pager makes and reads page tokens: where to go on, bound to the operation and
// its filters by a keyed digest, so that a token from elsewhere, or a changed
// one, is refused (registry.md REG-16).
type Pager struct{ key []byte }

// NewPager returns a Pager whose tokens are made with a key; nil means a random
// one, so that tokens end with the process.
func NewPager(key []byte) Pager {
	if key == nil {
		key = make([]byte, 32)
		rand.Read(key)
	}
	return Pager{key}
}

const digestLen = 16

// Key returns the key of a store's page tokens for NewPager, made
// when there is none: tokens then outlive the process.
func Key(ctx context.Context, s store.Store) ([]byte, error) {
	var key string
	err := store.Update(ctx, s, func(tx store.Tx) error {
		old, err := store.Settings.Get(tx, "pagekey")
		if err != nil {
			return err
		}
		if old != nil {
			key = *old
			return nil
		}
		key = rand.Text()
		store.Settings.Put(tx, "pagekey", key)
		return nil
	})
	return []byte(key), err
}

// Seal returns the token that continues list after at. list names the operation
// with all its filters; at is any JSON value.
func (p Pager) Seal(list, at any) string {
	body, err := json.Marshal(at)
	if err != nil {
		return "" // a place is a plain struct of ours; it always marshals
	}
	return base64.StdEncoding.EncodeToString(append(p.digest(list, body), body...))
}

// Open reads a token of list into at. An empty token leaves at alone. It fails
// with Invalid.
func (p Pager) Open(token string, list, at any) error {
	if token == "" {
		return nil
	}
	if len(token) > tokenMax {
		return ErrToken
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != token { // decoding forgives, a token does not
		return ErrToken
	}
	if len(raw) < digestLen || !hmac.Equal(raw[:digestLen], p.digest(list, raw[digestLen:])) {
		return ErrToken
	}
	if json.Unmarshal(raw[digestLen:], at) != nil {
		return ErrToken
	}
	return nil
}

// ErrToken refuses a token that is not one of the list.
var ErrToken = muster.Errorf(muster.Invalid, "The pagination token is not valid for this request")

func (p Pager) digest(list any, body []byte) []byte {
	mac := hmac.New(sha256.New, p.key)
	filters, _ := json.Marshal(list)
	mac.Write(filters)
	mac.Write([]byte{0})
	mac.Write(body)
	return mac.Sum(nil)[:digestLen]
}

// Size returns the page size to use, or fails with Invalid.
func (p Page) Size(byDefault int) (int, error) {
	switch {
	case p.Limit == 0:
		return byDefault, nil
	case p.Limit < 1 || p.Limit > Max:
		return 0, muster.Errorf(muster.Invalid, "maxResults must be 1 to %d; it is %d", Max, p.Limit)
	}
	return p.Limit, nil
}
