package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/muster-iot/muster/artifacts/diskstore"
	"github.com/muster-iot/muster/engine"
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

func runVerify(ctx context.Context, args []string, stdout, _ io.Writer) error {
	args, err := parseFlags(flagSet("admin verify", "DIR", stdout), args, 1)
	if err != nil {
		return err
	}
	data, err := existing("admin verify", args, 0)
	if err != nil {
		return err
	}
	if _, err := os.Stat(data.db()); err != nil {
		return fmt.Errorf("%s is not a data folder: %w", string(data), err)
	}
	s, err := data.openStore(pebblestore.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer s.Close()
	problems, err := engine.Verify(ctx, s)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(stdout, p)
	}
	inFiles, err := diskstore.Verify(ctx, s, data.files())
	if err != nil {
		return err
	}
	for _, p := range inFiles {
		fmt.Fprintln(stdout, p)
	}
	if n := len(problems) + len(inFiles); n > 0 {
		return fmt.Errorf("%s has %d problems", string(data), n)
	}
	_, err = fmt.Fprintf(stdout, "%s holds together\n", string(data))
	return err
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
