package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/sigv4"
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

// whichServer says which server a command is for. Without one of the two it is
// that of the environment, as for the AWS CLI.
type whichServer struct{ data, readyFile string }

func (w *whichServer) register(fs *pflag.FlagSet) {
	fs.StringVar(&w.data, "data", w.data, "data `folder` of the server; without it the one that the AWS CLI calls")
	fs.StringVar(&w.readyFile, "ready-file", w.readyFile, "or the ready `file` of that server")
}

// client returns a client of the server.
func (w whichServer) client() (*apiclient.Client, error) {
	if w.data != "" {
		w.readyFile = datafolder.Folder(w.data).ReadyFile()
	}
	if w.readyFile == "" {
		return environmentServer()
	}
	r, err := datafolder.ReadReady(w.readyFile)
	if err != nil {
		return nil, err
	}
	return clientOf(r)
}

// environmentServer returns a client of the server that the AWS CLI would call with the
// same environment variables. It reads the default profile of a credentials file.
func environmentServer() (*apiclient.Client, error) {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	if endpoint == "" {
		return nil, errors.New(`which server? Give --data or --ready-file, or set AWS_ENDPOINT_URL: eval "$(muster env DIR)"`)
	}
	c := &apiclient.Client{
		URL:    endpoint,
		Region: cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), defaultConfig().Region),
		Credential: sigv4.Credential{
			AccessKeyID:  os.Getenv("AWS_ACCESS_KEY_ID"),
			Secret:       sigv4.Secret(os.Getenv("AWS_SECRET_ACCESS_KEY")),
			SessionToken: sigv4.Secret(os.Getenv("AWS_SESSION_TOKEN")),
		},
	}
	var err error
	if c.HTTP, err = environmentClient(endpoint); err != nil {
		return nil, err
	}
	if c.Credential.AccessKeyID != "" {
		return c, nil
	}
	file := os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		file = filepath.Join(home, ".aws", "credentials")
	}
	c.Credential, err = identity.ReadProfile(file)
	return c, err
}

// environmentClient returns an HTTP client that trusts what AWS_CA_BUNDLE names, if
// that is set, instead of the system's authorities. For an endpoint without TLS the file
// is not read, as in the AWS CLI: it may be gone.
func environmentClient(endpoint string) (*http.Client, error) {
	c := &http.Client{Timeout: time.Minute}
	file := os.Getenv("AWS_CA_BUNDLE")
	if file == "" || !strings.HasPrefix(strings.ToLower(endpoint), "https:") {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate", file)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	c.Transport = transport
	return c, nil
}
