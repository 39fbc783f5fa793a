package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/store/pebblestore"
)

func adminCommand() *cobra.Command {
	return group("admin <command>", "look after a data folder: check, back up, keys, signatures",
		"These commands work on a data folder of this machine. Most of them may be used\n"+
			"while a server runs on it.",
		verifyCommand(), backupCommand(), keysCommand(), deadLettersCommand(), profilesCommand(), signCommand(), explainCommand())
}

// writable is existing for a command that changes the folder: a backup is a data
// folder from then on.
func writable(cmd *cobra.Command, args []string) (folder, error) {
	data, err := existing(cmd, args)
	if err != nil {
		return "", err
	}
	return data, data.adopt(cmd.Context(), false, slog.New(slog.DiscardHandler))
}

// existing returns the data folder that a command was given first.
func existing(cmd *cobra.Command, args []string) (folder, error) {
	if len(args) == 0 {
		return "", usagef("%s needs the data folder", nameOf(cmd))
	}
	if _, err := os.Stat(args[0]); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return folder(args[0]), nil
}

func backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR TO",
		Short: "copy a data folder, while it is served or not",
		Long: `Copies the data folder DIR to the folder TO, which must be missing or empty. The
copy is of one instant, also while a server runs on DIR, and is a data folder
itself: to restore it, serve it. Copy it elsewhere with all its files, and let
"muster admin verify" check the copy.`,
		Example: "  muster admin backup /var/lib/muster /backup/monday",
		Args:    atMost(2),
		RunE:    runBackup,
	}
}

func runBackup(cmd *cobra.Command, args []string) error {
	data, err := existing(cmd, args)
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
		err = orderBackup(cmd.Context(), data, to)
	case err == nil:
		err = errors.Join(backup(cmd.Context(), data, s, folder(to), holdNothing), s.Close())
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "copied to %s\n", to)
	return err
}
