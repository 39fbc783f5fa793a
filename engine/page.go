package engine

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

// PageMax is the largest page of any list, and the default of job lists.
const PageMax = 250

// tokenMax bounds what is read as a token at all: that of a search holds the
// stretches of the index that it goes through.
const tokenMax = 64 << 10

// pager makes and reads page tokens: where to go on, bound to the operation and
// its filters by a keyed digest, so that a token from elsewhere, or a changed
// one, is refused (registry.md REG-16).
type pager struct{ key []byte }

const digestLen = 16

// PageKey returns the key of a store's page tokens for Options.PageKey, made
// when there is none: tokens then outlive the process.
func PageKey(ctx context.Context, s store.Store) ([]byte, error) {
	var key string
	err := store.Update(ctx, s, func(tx store.Tx) error {
		old, err := settings.Get(tx, "pagekey")
		if err != nil {
			return err
		}
		if old != nil {
			key = *old
			return nil
		}
		key = rand.Text()
		settings.Put(tx, "pagekey", key)
		return nil
	})
	return []byte(key), err
}

// seal returns the token that continues list after at. list names the operation
// with all its filters; at is any JSON value.
func (p pager) seal(list, at any) string {
	body, err := json.Marshal(at)
	if err != nil {
		return "" // a place is a plain struct of ours; it always marshals
	}
	return base64.StdEncoding.EncodeToString(append(p.digest(list, body), body...))
}

// open reads a token of list into at. An empty token leaves at alone. It fails
// with Invalid.
func (p pager) open(token string, list, at any) error {
	if token == "" {
		return nil
	}
	if len(token) > tokenMax {
		return errToken
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != token { // decoding forgives, a token does not
		return errToken
	}
	if len(raw) < digestLen || !hmac.Equal(raw[:digestLen], p.digest(list, raw[digestLen:])) {
		return errToken
	}
	if json.Unmarshal(raw[digestLen:], at) != nil {
		return errToken
	}
	return nil
}

var errToken = muster.Errorf(muster.Invalid, "The pagination token is not valid for this request")

func (p pager) digest(list any, body []byte) []byte {
	mac := hmac.New(sha256.New, p.key)
	filters, _ := json.Marshal(list)
	mac.Write(filters)
	mac.Write([]byte{0})
	mac.Write(body)
	return mac.Sum(nil)[:digestLen]
}

// limit returns the page size to use, or fails with Invalid.
func (p Page) limit(byDefault int) (int, error) {
	switch {
	case p.Limit == 0:
		return byDefault, nil
	case p.Limit < 1 || p.Limit > PageMax:
		return 0, muster.Errorf(muster.Invalid, "maxResults must be 1 to %d; it is %d", PageMax, p.Limit)
	}
	return p.Limit, nil
}
