package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/muster-iot/muster/store/pebblestore"
)

func adminCommands() []command {
	return []command{
		{"verify", "check that everything in a data folder holds together", runVerify},
		{"backup", "copy a data folder, while it is served or not", runBackup},
		{"keys", "list, add and remove access keys", runKeys},
		{"dead-letters", "list, replay and forget events that the webhook refused", runDeadLetters},
		{"signing-profile", "make and list the keys that sign job files", runProfiles},
		{"sign", "sign a file and print what a job document says of it", runSign},
		{"explain-policy", "say what a device or access key may do, and why", runExplain},
	}
}

func runAdmin(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return dispatch(ctx, "muster admin", adminCommands(), args, stdout, stderr)
}

// writable is existing for a command that changes the folder: a backup is a data
// folder from then on.
func writable(ctx context.Context, name string, args []string, position int) (folder, error) {
	data, err := existing(name, args, position)
	if err != nil {
		return "", err
	}
	return data, data.adopt(ctx, false, slog.New(slog.DiscardHandler))
}

// existing returns the data folder that a command was given.
func existing(name string, args []string, position int) (folder, error) {
	if len(args) <= position {
		return "", usagef("%s needs the data folder", name)
	}
	if _, err := os.Stat(args[position]); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return folder(args[position]), nil
}

func runBackup(ctx context.Context, args []string, stdout, _ io.Writer) error {
	args, err := parseFlags(flagSet("admin backup", "DIR TO", stdout), args, 2)
	if err != nil {
		return err
	}
	data, err := existing("admin backup", args, 0)
	if err != nil {
		return err
	}
	if len(args) < 2 {
		return usagef("admin backup needs the folder to copy to")
	}
	to, err := filepath.Abs(args[1])
	if err != nil {
		return err
	}
	if _, err := os.Stat(data.backupList()); err == nil {
		return fmt.Errorf("%s is a backup that was not served yet: copy it as it is, with all its files, and verify the copy", string(data))
	}
	s, err := data.openStore(pebblestore.Options{})
	switch {
	case errors.Is(err, pebblestore.ErrLocked):
		err = orderBackup(ctx, data, to)
	case err == nil:
		err = errors.Join(backup(ctx, data, s, folder(to), holdNothing), s.Close())
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "copied to %s\n", to)
	return err
}
