package operator

import (
	"context"
)

// KeyUse is an access key and when it was last used.
type KeyUse struct {
	AccessKeyID string  `json:"accessKeyId"`
	Principal   string  `json:"principal"`
	LastUsed    Instant `json:"lastUsed,omitzero"` // to the minute; absent: never
	Expires     Instant `json:"expires,omitzero"`  // absent: never
}

// KeyUses are all access keys.
type KeyUses struct {
	Keys []KeyUse `json:"keys"`
}

// Keys lists access keys, without their secrets.
type Keys interface {
	Keys() []KeyUse
}

func (p Parts) listKeys(context.Context, *Call, none) (KeyUses, error) {
	return KeyUses{p.Keys.Keys()}, nil
}
