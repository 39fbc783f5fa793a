package eventlog

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// theConfig is the key of the only record of tables.config.
const theConfig = "account"

// UpdateEventConfigurations switches event types on or off and leaves the others as they
// are (jobs-events.md section 1). It applies to all changes that are committed after it.
func (l *Log) UpdateEventConfigurations(ctx context.Context, change map[muster.EventType]bool) error {
	return l.commits.Do(ctx, func(tx *commit.Tx) error {
		c, err := readConfig(tx)
		if err != nil {
			return err
		}
		c = c.With(change, tx.Now)
		tables.config.Put(tx, theConfig, c)
		l.pending(tx).config = &c
		return nil
	})
}

// DescribeEventConfigurations returns which events are published.
func (l *Log) DescribeEventConfigurations(ctx context.Context) (muster.EventConfig, error) {
	var c muster.EventConfig
	err := l.commits.View(ctx, func(r store.Reader) (err error) {
		c, err = readConfig(r)
		return err
	})
	return c, err
}

func readConfig(r store.Reader) (muster.EventConfig, error) {
	c, err := tables.config.Get(r, theConfig)
	if err != nil || c == nil {
		return muster.EventConfig{}, err
	}
	return *c, nil
}
