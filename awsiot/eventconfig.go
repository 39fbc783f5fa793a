package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

func (s *Server) updateEventConfigurations(ctx context.Context, in *wire.UpdateEventConfigurationsRequest) error {
	change := map[muster.EventType]bool{}
	for word, c := range in.EventConfigurations {
		t, _ := muster.ParseEventType(word) // the model lists them
		change[t] = wire.Or(c.Enabled, false)
	}
	return s.o.Engine.UpdateEventConfigurations(ctx, change)
}

func (s *Server) describeEventConfigurations(ctx context.Context, _ *wire.DescribeEventConfigurationsRequest) (*wire.DescribeEventConfigurationsResponse, error) {
	c, err := s.o.Engine.DescribeEventConfigurations(ctx)
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
