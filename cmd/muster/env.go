package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/internal/awsconfig"
)

// envPoll is the pause between two checks whether a server can be used.
const envPoll = 50 * time.Millisecond

func envCommand() *cobra.Command {
	wait := 30 * time.Second
	cmd := &cobra.Command{
		Use:   "env DIR [flags]",
		Short: "print the exports that aim the AWS CLI at a server",
		Long: `Prints shell commands that set the endpoint, the credentials file and the region
of the server on a data folder, for the AWS CLI and SDKs, and take away what would
come before these, such as the access key of another account. It first waits until
that server can be used.`,
		Example: `  eval "$(muster env /var/lib/muster)"
  aws iot list-things`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 {
				return usagef("env needs the data folder of a server")
			}
			return printEnv(cmd.Context(), datafolder.Folder(args[0]), wait, cmd.OutOrStdout())
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", wait, "longest `time` to wait for a server that is starting")
	return cmd
}

// printEnv prints the shell commands that aim the AWS CLI and SDKs at the server
// of a data folder, once it can be used.
func printEnv(ctx context.Context, data datafolder.Folder, wait time.Duration, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		r, err := usable(ctx, data)
		if err == nil {
			_, err = io.WriteString(stdout, unsets(os.Environ(), r)+exports(r))
			return err
		}
		select {
		case <-time.After(envPoll):
		case <-ctx.Done():
			return fmt.Errorf("no server on %s can be used after %s: %w", string(data), wait, err)
		}
	}
}

// unsets returns the shell command that removes those variables of an environment which the
// AWS CLI and SDKs prefer to the exports of r, such as the access key of an AWS account. It
// returns "" when there are none.
func unsets(environ []string, r datafolder.Ready) string {
	var names []string
	for _, variable := range environ {
		switch name, value, _ := strings.Cut(variable, "="); {
		case value == "":
		case slices.Contains([]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}, name),
			strings.HasPrefix(name, "AWS_ENDPOINT_URL_"), // of one service
			name == "AWS_CA_BUNDLE" && r.CABundle == "":
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "  unset " + strings.Join(names, " ") + "\n"
}

// usable returns the ready file of a data folder when the server that it names answers that
// it is ready. The file alone may be left over from a server that was killed.
func usable(ctx context.Context, data datafolder.Folder) (datafolder.Ready, error) {
	r, err := datafolder.ReadReady(data.ReadyFile())
	if err != nil {
		return r, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.APIURL+"/readyz", nil)
	if err != nil {
		return r, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return r, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return r, fmt.Errorf("%s answers %s", request.URL, answer.Status)
	}
	return r, nil
}

// whichServer says which server a command is for, and with which key. Without --data and --ready-file they are those of
// the AWS CLI.
type whichServer struct {
	data, readyFile string
	choice          awsconfig.Choice
}

func (w *whichServer) register(fs *pflag.FlagSet) {
	fs.StringVar(&w.data, "data", w.data, "data `folder` of the server, whose first key is taken; without it the server and the key of the AWS CLI")
	fs.StringVar(&w.readyFile, "ready-file", w.readyFile, "or the ready `file` of that server")
	fs.StringVar(&w.choice.EndpointURL, "endpoint-url", w.choice.EndpointURL, "`URL` of the server's API, as for the AWS CLI")
	fs.StringVar(&w.choice.Profile, "profile", w.choice.Profile, "`name` of a profile of the AWS CLI, for the key and what else it says")
	fs.StringVar(&w.choice.Region, "region", w.choice.Region, "`name` of the region of the server, as for the AWS CLI")
}

// client returns a client of the server.
func (w whichServer) client(ctx context.Context) (*apiclient.Client, error) {
	ofFolder := w.data != "" || w.readyFile != ""
	switch {
	case w.data != "" && w.readyFile != "":
		return nil, usagef("--data and --ready-file both name a server; give one")
	case ofFolder && w.choice != awsconfig.Choice{}:
		return nil, usagef("--data and --ready-file name a server with its key and region; they do not go with --endpoint-url, --profile and --region")
	case ofFolder:
		if w.data != "" {
			w.readyFile = datafolder.Folder(w.data).ReadyFile()
		}
		r, err := datafolder.ReadReady(w.readyFile)
		if err != nil {
			return nil, err
		}
		return clientOf(r)
	}
	c, err := awsconfig.Find(ctx, w.choice, defaultConfig().Region)
	if errors.Is(err, awsconfig.ErrNoEndpoint) {
		err = fmt.Errorf(`which server? Give --data or --endpoint-url, or configure the AWS CLI for it, as in eval "$(muster env DIR)": %w`, err)
	}
	return c, err
}
