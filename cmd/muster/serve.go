package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/datafolder"
)

func serveCommand() *cobra.Command {
	c, checkOnly := defaultConfig(), false
	cmd := &cobra.Command{
		Use:   "serve --data DIR [flags]",
		Short: "run the server on a data folder",
		Long: `The first start makes the data folder, an access key with full access, and a
credentials file with that key. Every start prints the lines that aim the AWS CLI
and SDKs at the server. It serves until it is interrupted or gets SIGTERM.

Without further flags everything listens on this machine only. A listener takes
port 0 for any free port, which the ready file then names.`,
		Example: `  muster serve --data /var/lib/muster
  muster serve --data data --mqtt-plain 127.0.0.1:1883 --log-level debug
  muster serve --data data --api 0.0.0.0:8080 --allow-insecure-listeners --check`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return err
			}
			stdout := cmd.OutOrStdout()
			if checkOnly {
				for _, w := range c.warnings() {
					fmt.Fprintln(stdout, "warning:", w)
				}
				_, err := fmt.Fprintln(stdout, "the configuration is good")
				return err
			}
			return serve(cmd.Context(), c, c.logger(cmd.ErrOrStderr()), func(r datafolder.Ready) { greet(stdout, r) })
		},
	}
	c.register(cmd.Flags())
	cmd.Flags().BoolVar(&checkOnly, "check", checkOnly, "check the configuration and exit")
	return cmd
}

// serve runs a server until ctx ends. It calls up once everything listens.
func serve(ctx context.Context, c Config, log *slog.Logger, up func(datafolder.Ready)) error {
	for _, w := range c.warnings() {
		log.Warn(w)
	}
	err := datafolder.Folder(c.Data).Explain(serveAnew(ctx, c, log, up))
	if err == nil {
		log.Info("stopped")
	}
	return diskHint(err, c.Data)
}

// greet prints how to use the server. It prints no secret: the key is in the credentials
// file.
func greet(w io.Writer, r datafolder.Ready) {
	fmt.Fprintf(w, "Muster %s serves on %s", versionText(), r.APIURL)
	if r.MQTTSAddr != "" {
		fmt.Fprintf(w, ", mqtts://%s", r.MQTTSAddr)
	}
	if r.MQTTAddr != "" {
		fmt.Fprintf(w, ", mqtt://%s", r.MQTTAddr)
	}
	fmt.Fprintf(w, "\n\nTo use it with the AWS CLI and SDKs:\n\n%s\n  aws iot list-things\n\n", exports(r))
}

// exports returns the shell commands that aim the AWS CLI and SDKs at r, and have them trust
// its CA when it serves them over TLS as well.
func exports(r datafolder.Ready) string {
	all := fmt.Sprintf("  export AWS_ENDPOINT_URL=%s\n  export AWS_SHARED_CREDENTIALS_FILE=%s\n  export AWS_REGION=%s AWS_DEFAULT_REGION=%s\n",
		r.APIURL, quoted(r.CredentialsFile), r.Region, r.Region)
	if r.CABundle != "" {
		all += fmt.Sprintf("  export AWS_CA_BUNDLE=%s\n", quoted(r.CABundle))
	}
	return all
}

// quoted returns text as one word of a shell.
func quoted(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("/._-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}
