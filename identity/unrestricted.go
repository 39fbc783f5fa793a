package identity

import "github.com/muster-iot/muster/iotpolicy"

// Unrestricted returns a caller who may do everything: every caller of a deployment
// without authentication (arbitration A20).
func Unrestricted(arn string) Caller {
	p, err := iotpolicy.Parse("full-access", fullAccess)
	if err != nil {
		return Caller{ARN: arn} // may do nothing; a test shows that this does not happen
	}
	return Caller{ARN: arn, Policies: iotpolicy.Set{p}}
}
