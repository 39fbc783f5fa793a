package ca

import (
	"time"

	"github.com/muster-iot/muster"
)

// DefaultGrace is how long before and after its dates a device certificate is still
// accepted, unless set otherwise (arbitration A5).
const DefaultGrace = 24 * time.Hour

// CheckValidity returns a muster.Forbidden error unless now is between notBefore
// minus grace and notAfter plus grace. A negative grace checks nothing, for devices
// with bad factory certificates or no clock.
func CheckValidity(notBefore, notAfter, now time.Time, grace time.Duration) error {
	if grace < 0 {
		return nil
	}
	if now.After(notAfter.Add(grace)) {
		return muster.Errorf(muster.Forbidden, "The certificate expired at %s", notAfter.UTC().Format(time.RFC3339))
	}
	if now.Before(notBefore.Add(-grace)) {
		return muster.Errorf(muster.Forbidden, "The certificate is not valid before %s", notBefore.UTC().Format(time.RFC3339))
	}
	return nil
}
