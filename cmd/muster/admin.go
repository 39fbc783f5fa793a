package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/datafolder"
)

func adminCommand() *cobra.Command {
	return group("admin <command>", "look after a data folder: check, back up, keys, signatures",
		"These commands work on a data folder of this machine. Most of them may be used\n"+
			"while a server runs on it.",
		verifyCommand(), backupCommand(), exportCommand(), importCommand(), keysCommand(), secretsCommand(), schemaCommand(), deadLettersCommand(), profilesCommand(), signCommand(), explainCommand())
}

// writable is existing for a command that changes the folder. A backup becomes a data
// folder first.
func writable(cmd *cobra.Command, args []string) (datafolder.Folder, error) {
	data, err := existing(cmd, args)
	if err != nil {
		return "", err
	}
	return data, data.Adopt(cmd.Context(), false, slog.New(slog.DiscardHandler))
}

// existing returns the data folder that the first argument of a command names.
func existing(cmd *cobra.Command, args []string) (datafolder.Folder, error) {
	if len(args) == 0 {
		return "", usagef("%s needs the data folder", nameOf(cmd))
	}
	if _, err := os.Stat(args[0]); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return datafolder.Folder(args[0]), nil
}

func backupCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "backup DIR TO [flags]",
		Short: "copy a data folder, while it is served or not",
		Long: `Copies the data folder DIR to the folder TO, which must be missing or empty. The
copy is of one instant, also while a server runs on DIR, and is a data folder
itself: to restore it, serve it. Copy it elsewhere with all its files, and let
"muster admin verify" check the copy.`,
		Example: "  muster admin backup /var/lib/muster /backup/monday",
		Args:    atMost(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return runBackup(cmd, args, out) },
	}
	out.register(cmd.Flags())
	return cmd
}

func runBackup(cmd *cobra.Command, args []string, out output) error {
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
	if _, err := os.Stat(data.BackupList()); err == nil {
		return fmt.Errorf("%s is a backup that was not served yet: copy it as it is, with all its files, and verify the copy", string(data))
	}
	if err := data.CheckBackup(); err != nil {
		return err
	}
	s, err := data.OpenStore(cmd.Context(), datafolder.StoreOptions{Fatal: fatal(data)})
	switch {
	case errors.Is(err, datafolder.ErrInUse):
		err = orderBackup(cmd.Context(), data, to)
	case err == nil:
		err = byHand{operation: "Backup"}.recorded(cmd, data, func() error { return data.Backup(cmd.Context(), s, datafolder.Folder(to), datafolder.HoldNothing) })
		err = errors.Join(err, s.Close())
	}
	if err != nil {
		return err
	}
	return out.said(cmd, map[string]string{"to": to}, "copied to %s", to)
}

// Backup is the running server's side of `muster admin backup`.
func (s *server) Backup(ctx context.Context, to string) error {
	if err := s.backupRoom(to); err != nil {
		return &muster.Error{Kind: muster.NoRoom, Msg: err.Error(), Err: err}
	}
	return s.data.Backup(ctx, s.store, datafolder.Folder(to), s.holdFiles)
}

// orderBackup has the server that owns a data folder make the backup.
func orderBackup(ctx context.Context, data datafolder.Folder, to string) error {
	c, err := ownerOf(data)
	if err != nil {
		return err
	}
	c.API.HTTP.Timeout = 0 // a large store takes its time
	return c.Backup(ctx, to)
}
