package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/store/pebblestore"
)

// What can be done with dead letters.
const (
	replayLetters = "replay"
	forgetLetters = "forget"
)

// letter is a dead letter as it is shown.
type letter struct {
	ID        string    `json:"eventId"`
	EventType string    `json:"eventType"`
	Operation string    `json:"operation"`
	Time      time.Time `json:"time"`
	GivenUp   time.Time `json:"givenUp"`
	Attempts  int       `json:"attempts"`
	Why       string    `json:"why"`
}

// letterList is a page of dead letters, oldest first.
type letterList struct {
	Letters []letter `json:"deadLetters"`
	Next    string   `json:"next,omitempty"` // to be given as after; absent on the last page
}

// letterOrder says what to do with dead letters.
type letterOrder struct {
	Do  string   `json:"do"`            // replay or forget
	IDs []string `json:"ids,omitempty"` // of events; none means all
}

// letterCount is how many were there to do it with.
type letterCount struct {
	Count int `json:"count"`
}

const (
	// letterPage is how many dead letters a page shows.
	letterPage = 500
	// letterBodyMax bounds an order: some 25,000 ids.
	letterBodyMax = 1 << 20
)

// listLetters returns the page behind the place after.
func listLetters(ctx context.Context, e *engine.Engine, after string) (letterList, error) {
	list := letterList{Letters: []letter{}}
	place := uint64(0)
	if after != "" {
		var err error
		if place, err = strconv.ParseUint(after, 10, 64); err != nil {
			return list, muster.Errorf(muster.Invalid, "%q comes from no page of dead letters", after)
		}
	}
	all, err := e.DeadLetters(ctx, place, letterPage)
	for _, l := range all {
		list.Letters = append(list.Letters, letter{l.ID, l.Type.String(), l.Operation, l.At.Time(), l.GivenUp.Time(), l.Attempts, l.Why})
	}
	if len(all) == letterPage {
		list.Next = strconv.FormatUint(all[len(all)-1].Place, 10)
	}
	return list, err
}

// carryOut does what an order says.
func (o letterOrder) carryOut(ctx context.Context, e *engine.Engine) (n letterCount, err error) {
	switch o.Do {
	case replayLetters:
		n.Count, err = e.Replay(ctx, o.IDs)
	case forgetLetters:
		n.Count, err = e.Forget(ctx, o.IDs)
	default:
		err = muster.Errorf(muster.Invalid, "\"do\" must be %q or %q", replayLetters, forgetLetters)
	}
	return n, err
}

// listDeadLetters and clearDeadLetters are the running server's side of `muster
// admin dead-letters`.
func (s *server) listDeadLetters(ctx context.Context, c *operator.Call) (any, error) {
	return listLetters(ctx, s.engine, c.Request.URL.Query().Get("after"))
}

func (s *server) clearDeadLetters(ctx context.Context, c *operator.Call) (any, error) {
	var order letterOrder
	if err := c.Decode(&order); err != nil {
		return nil, err
	}
	return order.carryOut(ctx, s.engine)
}

// letterFlags is what `muster admin dead-letters` is told.
type letterFlags struct {
	replay, forget, asJSON bool
	ids                    []string
}

func deadLettersCommand() *cobra.Command {
	var l letterFlags
	cmd := &cobra.Command{
		Use:   "dead-letters DIR [--replay | --forget] [--id ID …] [flags]",
		Short: "list, replay and forget events that the webhook refused",
		Long: `Without --replay and --forget it lists the events that could not be delivered to
the webhook, the oldest first, with the reason.`,
		Example: `  muster admin dead-letters /var/lib/muster
  muster admin dead-letters /var/lib/muster --replay`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return l.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&l.replay, replayLetters, l.replay, "send them to the webhook once more")
	fs.BoolVar(&l.forget, forgetLetters, l.forget, "remove them for good")
	fs.StringArrayVar(&l.ids, "id", l.ids, "`eventId` of the only one that is meant; may be given again for others")
	fs.BoolVar(&l.asJSON, "json", l.asJSON, "print JSON")
	return cmd
}

// run asks the server of a data folder, or, when none runs, works on the folder
// itself.
func (l letterFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case l.replay && l.forget:
		return usagef("admin dead-letters does one of --replay and --forget")
	case len(l.ids) > 0 && !l.replay && !l.forget:
		return usagef("admin dead-letters --id needs --replay or --forget")
	}
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	ctx, stdout, changes := cmd.Context(), cmd.OutOrStdout(), l.replay || l.forget
	if changes {
		err = data.adopt(ctx, false, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		return err
	}
	office, closeOffice, err := data.letterOffice(pebblestore.Options{ReadOnly: !changes})
	if err != nil {
		return err
	}
	defer closeOffice()
	if !changes {
		return printLetters(ctx, stdout, office, l.asJSON)
	}
	order := letterOrder{Do: replayLetters, IDs: l.ids}
	if l.forget {
		order.Do = forgetLetters
	}
	n, err := office.order(ctx, order)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d dead letters: %s\n", n.Count, order.Do)
	return err
}

// letterOffice is where dead letters can be got at.
type letterOffice struct {
	list  func(ctx context.Context, after string) (letterList, error)
	order func(ctx context.Context, o letterOrder) (letterCount, error)
}

// letterOffice opens the store of a data folder or finds the server that owns it.
func (f folder) letterOffice(o pebblestore.Options) (letterOffice, func(), error) {
	if _, err := os.Stat(f.db()); err != nil {
		return letterOffice{}, nil, fmt.Errorf("%s is not a data folder: %w", string(f), err)
	}
	s, err := f.openStore(o)
	if errors.Is(err, pebblestore.ErrLocked) {
		office, err := f.remoteOffice()
		return office, func() {}, err
	}
	if err != nil {
		return letterOffice{}, nil, err
	}
	if err := engine.CheckFormat(context.Background(), s); err != nil {
		return letterOffice{}, nil, errors.Join(fmt.Errorf("data folder %s: %w", string(f), err), s.Close())
	}
	e := engine.New(engine.Options{Store: s, Account: muster.Account{ID: defaultConfig().Account, Region: defaultConfig().Region}, Now: instant})
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- e.Run(ctx) }()
	return letterOffice{
		list:  func(ctx context.Context, after string) (letterList, error) { return listLetters(ctx, e, after) },
		order: func(ctx context.Context, o letterOrder) (letterCount, error) { return o.carryOut(ctx, e) },
	}, func() { stop(); _ = errors.Join(<-stopped, s.Close()) }, nil // what was ordered is durable
}

func (f folder) remoteOffice() (letterOffice, error) {
	ready, err := readReady(f.ready())
	if err != nil {
		return letterOffice{}, fmt.Errorf("the data folder is in use, but its server cannot be found: %w", err)
	}
	c, err := ready.client()
	return letterOffice{
		list: func(ctx context.Context, after string) (list letterList, err error) {
			path := deadLettersPath
			if after != "" {
				path += "?after=" + url.QueryEscape(after)
			}
			return list, c.Call(ctx, http.MethodGet, path, nil, &list)
		},
		order: func(ctx context.Context, o letterOrder) (n letterCount, err error) {
			return n, c.Call(ctx, http.MethodPost, deadLettersPath, o, &n)
		},
	}, err
}

func printLetters(ctx context.Context, w io.Writer, office letterOffice, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprint(table, "event id\tevent\thappened\tgiven up\tattempts\twhy\n")
	}
	lines := json.NewEncoder(w)
	for after, more := "", true; more; {
		list, err := office.list(ctx, after)
		if err != nil {
			return err
		}
		for _, l := range list.Letters {
			if asJSON {
				err = lines.Encode(l)
			} else {
				_, err = fmt.Fprintf(table, "%s\t%s %s\t%s\t%s\t%d\t%s\n", l.ID, l.EventType, l.Operation,
					l.Time.Format(time.RFC3339), l.GivenUp.Format(time.RFC3339), l.Attempts, l.Why)
			}
			if err != nil {
				return err
			}
		}
		after, more = list.Next, list.Next != ""
	}
	return table.Flush()
}
