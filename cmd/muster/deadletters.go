package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/service"
)

// letterFlags are the flags of `muster admin dead-letters`.
type letterFlags struct {
	replay, forget bool
	ids            []string
	store          storeConfig
	out            output
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
	fs.BoolVar(&l.replay, operator.Replay, l.replay, "send them to the webhook once more")
	fs.BoolVar(&l.forget, operator.Forget, l.forget, "remove them for good")
	fs.StringArrayVar(&l.ids, "id", l.ids, "`eventId` of the only one that is meant; may be given again for others")
	l.store.register(fs)
	l.out.register(fs)
	return cmd
}

// run asks the server of a data folder or, when none is running, works on the folder
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
	ctx, changes := cmd.Context(), l.replay || l.forget
	if changes {
		err = data.Adopt(ctx, false, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		return err
	}
	letters, closeLetters, err := l.open(ctx, data, !changes)
	if err != nil {
		return err
	}
	defer closeLetters()
	if !changes {
		return l.list(cmd, letters)
	}
	order := operator.DeadLetterOrder{Do: operator.Replay, IDs: l.ids}
	if l.forget {
		order.Do = operator.Forget
	}
	var n operator.DeadLetterCount
	clearLetters := func() error { n, err = letters.ClearDeadLetters(ctx, order); return err }
	if _, stopped := letters.(localLetters); stopped { // a server records it itself
		err = byHand{"ClearDeadLetters", nil, []audit.Change{{Field: "do", New: order.Do}}}.recorded(cmd, data, clearLetters)
	} else {
		err = clearLetters()
	}
	if err != nil {
		return err
	}
	done := lettersCleared{n.Count, order.Do}
	return l.out.said(cmd, done, "%d dead letters: %s", done.Count, done.Done)
}

// lettersCleared is what became of how many dead letters.
type lettersCleared struct {
	Count int    `json:"count"`
	Done  string `json:"done"` // replay or forget
}

// letterAccess lists and clears dead letters: through a server, as operator.Client does, or
// in a folder.
type letterAccess interface {
	ListDeadLetters(ctx context.Context, after string) (operator.DeadLetterPage, error)
	ClearDeadLetters(ctx context.Context, order operator.DeadLetterOrder) (operator.DeadLetterCount, error)
}

// localLetters works on a folder that no server is using.
type localLetters struct{ deadLetters }

func (l localLetters) ListDeadLetters(ctx context.Context, after string) (operator.DeadLetterPage, error) {
	return operator.ListDeadLetters(ctx, l.deadLetters, after)
}

func (l localLetters) ClearDeadLetters(ctx context.Context, order operator.DeadLetterOrder) (operator.DeadLetterCount, error) {
	return operator.ClearDeadLetters(ctx, l.deadLetters, order)
}

// open opens the store of a data folder or finds the server that owns it.
func (l letterFlags) open(ctx context.Context, f datafolder.Folder, readOnly bool) (letterAccess, func(), error) {
	if !f.HasStore() {
		return nil, nil, fmt.Errorf("%s is not a data folder: it has no store", string(f))
	}
	opened, owner, err := l.store.open(ctx, f, readOnly)
	switch {
	case err != nil:
		return nil, nil, err
	case owner != nil:
		return owner, func() {}, nil
	}
	if err := service.CheckFormat(ctx, opened); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("data folder %s: %w", string(f), err), opened.Close())
	}
	s := service.New(service.Options{Store: opened, Account: muster.Account{ID: defaultConfig().Account, Region: defaultConfig().Region}, Now: instant})
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	return localLetters{deadLetters{s.Events}}, func() { stop(); _ = errors.Join(<-stopped, opened.Close()) }, nil // what was done is durable already
}

// list prints all dead letters.
func (l letterFlags) list(cmd *cobra.Command, letters letterAccess) error {
	all := operator.DeadLetterPage{Letters: []operator.DeadLetter{}}
	for after, more := "", true; more; {
		page, err := letters.ListDeadLetters(cmd.Context(), after)
		if err != nil {
			return err
		}
		all.Letters = append(all.Letters, page.Letters...)
		after, more = page.Next, page.Next != ""
	}
	return l.out.show(cmd, all, func(s screen) error { return printLetters(s, all.Letters) })
}

func printLetters(s screen, letters []operator.DeadLetter) error {
	columns := []column{{name: "event id"}, {name: "event", aside: true}, {name: "happened", aside: true}, {name: "given up", aside: true}, {name: "attempts", aside: true}, {name: "why"}}
	var rows [][]string
	for _, l := range letters {
		rows = append(rows, []string{l.ID, l.EventType + " " + l.Operation, l.Time.Time().Format(time.RFC3339), l.GivenUp.Time().Format(time.RFC3339), fmt.Sprint(l.Attempts), l.Why})
	}
	return s.table(columns, rows)
}
