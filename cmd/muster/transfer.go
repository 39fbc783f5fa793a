package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/transfer"
)

func exportCommand() *cobra.Command {
	var c storeConfig
	var out output
	cmd := &cobra.Command{
		Use:   "export DIR TO [flags]",
		Short: "write a data folder as text, to move it to another store",
		Long: `Writes the data folder DIR, its store included, to the folder TO, from which
"muster admin import" makes a data folder with a store of any kind. The export is
of one instant, also while a server runs on DIR; what changes afterwards is not in
it, so stop the server first if DIR is to be served no more. It has keys in it, and
only its owner may read it. With --store or --store-file the store is in the
database that DIR is served with.

TO must be missing or empty. An export that was interrupted is refused by import;
the same command makes it again from the beginning.`,
		Example: `  muster admin export /var/lib/muster /tmp/move
  zcat /tmp/move/rows/*.gz | grep '"thing":"pump-1"'`,
		Args: atMost(2),
		RunE: func(cmd *cobra.Command, args []string) error { return runExport(cmd, args, c, out) },
	}
	c.register(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

func importCommand() *cobra.Command {
	var c storeConfig
	var out output
	cmd := &cobra.Command{
		Use:   "import FROM DIR [flags]",
		Short: "make a data folder of an export",
		Long: `Makes the data folder DIR, which must be missing or empty, with all that the export
FROM holds. All files of the export are compared with their checksums first, and in
the end the store with the export. An import that was interrupted is continued by
the same command; until it is finished, DIR is not served. With --store or
--store-file the store goes into a database, which must be empty, and which DIR is
served with from then on.`,
		Example: `  muster admin import /tmp/move /var/lib/muster-new
  muster admin import /tmp/move /var/lib/muster-new --store-file database`,
		Args: atMost(2),
		RunE: func(cmd *cobra.Command, args []string) error { return runImport(cmd, args, c, out) },
	}
	c.register(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

// destination returns the folder that the second argument names, and the database of the flags.
func (c storeConfig) destination(args []string, missing string) (to, database string, err error) {
	if len(args) < 2 {
		return "", "", usagef("%s", missing)
	}
	if to, err = filepath.Abs(args[1]); err == nil {
		database, err = c.database()
	}
	return to, database, err
}

func runExport(cmd *cobra.Command, args []string, c storeConfig, out output) error {
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	to, database, err := c.destination(args, "admin export needs the folder to write to")
	if err != nil {
		return err
	}
	about := transfer.About{Release: versionText(), At: time.Now()}
	l, err := export(cmd.Context(), data, database, to, about)
	if errors.Is(err, datafolder.ErrInUse) {
		l, err = exportServed(cmd.Context(), data, to, about)
	}
	if err != nil {
		return diskHint(err, to)
	}
	return printTransferred(cmd, out, "exported", l, to)
}

// export exports a folder that no server uses, or whose store is in a database.
func export(ctx context.Context, data datafolder.Folder, database, to string, about transfer.About) (l transfer.List, err error) {
	if err := datafolder.CheckWhole(data); err != nil {
		return l, err
	}
	s, err := data.OpenStore(ctx, datafolder.StoreOptions{Database: database, ReadOnly: true})
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return data.Export(ctx, s, to, about)
}

// exporting is the folder within a data folder in which there is a backup while it is exported.
const exporting = "exporting"

// exportServed exports a folder that has a store which a server uses. The server makes a backup within the
// folder, where that takes neither time nor room, and the backup is exported.
func exportServed(ctx context.Context, data datafolder.Folder, to string, about transfer.About) (l transfer.List, err error) {
	backup, err := filepath.Abs(filepath.Join(string(data), exporting))
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
	return export(ctx, datafolder.Folder(backup), "", to, about)
}

func runImport(cmd *cobra.Command, args []string, c storeConfig, out output) error {
	to, database, err := c.destination(args, "admin import needs the export and the data folder to make")
	if err != nil {
		return err
	}
	data := datafolder.Folder(to)
	imported := byHand{operation: "Import"}
	l, err := data.Import(cmd.Context(), args[0], datafolder.StoreOptions{Database: database, Fatal: fatal(data)}, func() error { return imported.done(cmd.Context(), data) })
	if err != nil {
		return diskHint(err, to)
	}
	return printTransferred(cmd, out, "imported", l, to)
}

// transferred is how much an export or an import holds.
type transferred struct {
	To         string `json:"to"`
	Records    int    `json:"records"`
	Queues     int    `json:"queues"`
	Executions int    `json:"executions"`
}

// printTransferred prints how much an export holds that was made or imported.
func printTransferred(cmd *cobra.Command, out output, done string, l transfer.List, to string) error {
	records, queues, executions := l.Rows()
	moved := transferred{to, records, queues, executions}
	return out.said(cmd, moved, "%s %d records, %d queues and %d executions to %s", done, records, queues, executions, to)
}
