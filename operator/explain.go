package operator

import (
	"context"

	"github.com/muster-iot/muster/iotpolicy"
)

// Policies explains what policies decide.
type Policies interface {
	// Explain fails with Invalid, or with NotFound when neither a device nor an access
	// key has that name.
	Explain(ctx context.Context, q iotpolicy.Question) (iotpolicy.Explanation, error)
}

func (p Parts) explainPolicy(ctx context.Context, _ *Call, q iotpolicy.Question) (iotpolicy.Explanation, error) {
	return p.Policies.Explain(ctx, q)
}
