package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// Events keeps which kinds of events the account has enabled (jobs-events.md section
// 1).
type Events interface {
	DescribeEventConfigurations(ctx context.Context) (muster.EventConfig, error)
	// UpdateEventConfigurations enables or disables the kinds in change and leaves
	// all others as they are.
	UpdateEventConfigurations(ctx context.Context, change map[muster.EventType]bool) error
}

// eventOperations are the operations on the event configuration (jobs-events.md
// section 1).
type eventOperations struct{ events Events }

func (o eventOperations) updateEventConfigurations(ctx context.Context, in *wire.UpdateEventConfigurationsRequest) error {
	change := map[muster.EventType]bool{}
	for word, c := range in.EventConfigurations {
		t, _ := muster.ParseEventType(word) // the model lists them
		change[t] = wire.Or(c.Enabled, false)
	}
	return o.events.UpdateEventConfigurations(ctx, change)
}

func (o eventOperations) describeEventConfigurations(ctx context.Context, _ *wire.DescribeEventConfigurationsRequest) (*wire.DescribeEventConfigurationsResponse, error) {
	c, err := o.events.DescribeEventConfigurations(ctx)
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeEventConfigurationsResponse{
		EventConfigurations: map[string]wire.Configuration{},
		CreationDate:        instant(c.CreatedAt),
		LastModifiedDate:    instant(c.UpdatedAt),
	}
	for _, t := range muster.EventTypes() {
		out.EventConfigurations[t.String()] = wire.Configuration{Enabled: new(c.Enabled(t))}
	}
	return out, nil
}
