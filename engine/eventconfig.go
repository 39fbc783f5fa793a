package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// theEventConfig is the key of the only record in eventConfigs.
const theEventConfig = "account"

// UpdateEventConfigurations switches event types on or off and leaves the
// others as they are (jobs-events.md section 1). It is in force for every
// change that commits after it; nothing is told of what happened before.
func (e *Engine) UpdateEventConfigurations(ctx context.Context, change map[muster.EventType]bool) error {
	return e.do(ctx, func(b *batch) error {
		c, err := eventConfig(b)
		if err != nil {
			return err
		}
		c = c.With(change, b.Now)
		eventConfigs.Put(b, theEventConfig, c)
		b.events = &c
		return nil
	})
}

// DescribeEventConfigurations says which events are published.
func (e *Engine) DescribeEventConfigurations(ctx context.Context) (muster.EventConfig, error) {
	var c muster.EventConfig
	err := e.view(ctx, func(r store.Reader) (err error) {
		c, err = eventConfig(r)
		return err
	})
	return c, err
}

func eventConfig(r store.Reader) (muster.EventConfig, error) {
	c, err := eventConfigs.Get(r, theEventConfig)
	if err != nil || c == nil {
		return muster.EventConfig{}, err
	}
	return *c, nil
}
