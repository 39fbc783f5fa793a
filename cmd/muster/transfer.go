package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/transfer"
)

func exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR TO",
		Short: "write all of a data folder as text, to move it to another store",
		Long: `Writes the data folder DIR, its store included, to the folder TO, from which
"muster admin import" makes a data folder with a store of any kind. The export is
of one instant, also while a server runs on DIR; what changes afterwards is not in
it, so stop the server first if DIR is to be served no more. It has keys in it, and
only its owner may read it.

TO must be missing or empty. An export that was interrupted is refused by import;
the same command makes it again from the beginning.`,
		Example: `  muster admin export /var/lib/muster /tmp/move
  zcat /tmp/move/rows/*.gz | grep '"thing":"pump-1"'`,
		Args: atMost(2),
		RunE: runExport,
	}
}

func importCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FROM DIR",
		Short: "make a data folder of an export",
		Long: `Makes the data folder DIR, which must be missing or empty, with all that the export
FROM holds. All files of the export are compared with their checksums first, and in
the end the store with the export. An import that was interrupted is continued by
the same command; until it is finished, DIR is not served.`,
		Example: "  muster admin import /tmp/move /var/lib/muster-new",
		Args:    atMost(2),
		RunE:    runImport,
	}
}

func runExport(cmd *cobra.Command, args []string) error {
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	if len(args) < 2 {
		return usagef("admin export needs the folder to write to")
	}
	to, err := filepath.Abs(args[1])
	if err != nil {
		return err
	}
	about := transfer.About{Release: versionText(), At: time.Now()}
	l, err := export(cmd.Context(), data, to, about)
	if errors.Is(err, pebblestore.ErrLocked) {
		l, err = exportServed(cmd.Context(), data, to, about)
	}
	if err != nil {
		return diskHint(err, to)
	}
	return printTransferred(cmd, "exported", l, to)
}

func export(ctx context.Context, data datafolder.Folder, to string, about transfer.About) (l transfer.List, err error) {
	if err := data.CheckWhole(); err != nil {
		return l, err
	}
	s, err := data.OpenStore(pebblestore.Options{ReadOnly: true})
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return data.Export(ctx, s, to, about)
}

// exportServed exports a folder whose server has its store. The server makes a backup within the
// folder, where that takes neither time nor room, and the backup is exported.
func exportServed(ctx context.Context, data datafolder.Folder, to string, about transfer.About) (l transfer.List, err error) {
	backup, err := filepath.Abs(string(data.Exporting()))
	if err == nil {
		err = os.RemoveAll(backup) // of an export that was interrupted
	}
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(backup)) }()
	if err := orderBackup(ctx, data, backup); err != nil {
		return l, err
	}
	return export(ctx, datafolder.Folder(backup), to, about)
}

func runImport(cmd *cobra.Command, args []string) (err error) {
	if len(args) < 2 {
		return usagef("admin import needs the export and the data folder to make")
	}
	data, err := filepath.Abs(args[1])
	if err != nil {
		return err
	}
	var s *pebblestore.Store
	l, err := datafolder.Folder(data).Import(cmd.Context(), args[0], func() (store.Store, error) {
		s, err = datafolder.Folder(data).OpenStore(pebblestore.Options{Fatal: fatal(datafolder.Folder(data))})
		return s, err
	})
	if s != nil {
		err = errors.Join(err, s.Close())
	}
	if err != nil {
		return diskHint(err, data)
	}
	return printTransferred(cmd, "imported", l, data)
}

// printTransferred prints how much an export holds that was made or imported.
func printTransferred(cmd *cobra.Command, done string, l transfer.List, to string) error {
	records, queues, executions := l.Rows()
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %d records, %d queues and %d executions to %s\n", done, records, queues, executions, to)
	return err
}
