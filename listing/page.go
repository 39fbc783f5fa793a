// Package listing reads lists page by page: where a page begins, how long it is, and the
// token of the next page, which is valid for the same list only. It knows nothing of what
// is listed.
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
	Token string // of the page before; empty for the first page
}

// Max is the largest page of any list, and the default of job lists.
const Max = 250

// tokenMax bounds the length of a token in bytes. It is generous because the token of a
// search holds the spans of the index that the search goes through.
const tokenMax = 64 << 10

// Pager makes and reads page tokens. A token is the place to continue from, with a keyed
// digest over it and the operation with its filters, so that a changed token, or that of
// another list, is refused (registry.md REG-16).
type Pager struct{ key []byte }

// NewPager returns a Pager with a key. Nil means a random key, so that tokens are invalid
// after a restart.
func NewPager(key []byte) Pager {
	if key == nil {
		key = make([]byte, 32)
		rand.Read(key)
	}
	return Pager{key}
}

const digestLen = 16

// Key returns the key that a store keeps for NewPager, making one if there is none. With it
// tokens stay valid after a restart.
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

// Seal returns the token that continues a list after the place at. list is the operation
// with all its filters; both are JSON values.
func (p Pager) Seal(list, at any) string {
	body, err := json.Marshal(at)
	if err != nil {
		return "" // cannot happen: places are plain structs of this module
	}
	return base64.StdEncoding.EncodeToString(append(p.digest(list, body), body...))
}

// Open reads a token of list into at. An empty token leaves at unchanged. It fails with
// Invalid.
func (p Pager) Open(token string, list, at any) error {
	if token == "" {
		return nil
	}
	if len(token) > tokenMax {
		return ErrToken
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != token { // DecodeString accepts line breaks and stray bits
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

// ErrToken is the error for a token that is not valid for the list.
var ErrToken = muster.Errorf(muster.Invalid, "The pagination token is not valid for this request")

func (p Pager) digest(list any, body []byte) []byte {
	mac := hmac.New(sha256.New, p.key)
	filters, _ := json.Marshal(list)
	mac.Write(filters)
	mac.Write([]byte{0})
	mac.Write(body)
	return mac.Sum(nil)[:digestLen]
}

// Size returns the page size, byDefault if none is asked for. It fails with Invalid.
func (p Page) Size(byDefault int) (int, error) {
	switch {
	case p.Limit == 0:
		return byDefault, nil
	case p.Limit < 1 || p.Limit > Max:
		return 0, muster.Errorf(muster.Invalid, "maxResults must be 1 to %d; it is %d", Max, p.Limit)
	}
	return p.Limit, nil
}
