package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// envPoll is the pause between two looks whether a server can be used.
const envPoll = 50 * time.Millisecond

// runEnv prints the shell commands that aim the AWS CLI and SDKs at the server
// of a data folder, once it can be used.
func runEnv(ctx context.Context, args []string, stdout, _ io.Writer) error {
	wait := 30 * time.Second
	fs := flagSet("env", "DIR [flags]", stdout)
	fs.DurationVar(&wait, "wait", wait, "longest `time` to wait for a server that is starting")
	args, err := parseFlags(fs, args, 1)
	if err != nil {
		return err
	}
	if len(args) < 1 {
		return usagef("env needs the data folder of a server")
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		r, err := usable(ctx, folder(args[0]))
		if err == nil {
			_, err = io.WriteString(stdout, exports(r))
			return err
		}
		select {
		case <-time.After(envPoll):
		case <-ctx.Done():
			return fmt.Errorf("no server on %s can be used after %s: %w", args[0], wait, err)
		}
	}
}

// usable returns where to find the server of a data folder when it says itself
// that it can be used: the file alone may be left of one that was killed.
func usable(ctx context.Context, data folder) (Ready, error) {
	r, err := readReady(data.ready())
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

// control returns a client of the server.
func (w whichServer) control() (*control, error) {
	if w.data != "" {
		w.readyFile = folder(w.data).ready()
	}
	if w.readyFile == "" {
		return environmentControl()
	}
	r, err := readReady(w.readyFile)
	if err != nil {
		return nil, err
	}
	return newControl(r)
}

// environmentControl returns a client of the server that the AWS CLI would
// call with the same environment variables. Of a credentials file it reads the
// default profile.
func environmentControl() (*control, error) {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	if endpoint == "" {
		return nil, errors.New(`which server? Give --data or --ready-file, or set AWS_ENDPOINT_URL: eval "$(muster env DIR)"`)
	}
	c := &control{
		base:   endpoint,
		region: cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), defaultConfig().Region),
		credential: sigv4.Credential{
			AccessKeyID:  os.Getenv("AWS_ACCESS_KEY_ID"),
			Secret:       sigv4.Secret(os.Getenv("AWS_SECRET_ACCESS_KEY")),
			SessionToken: sigv4.Secret(os.Getenv("AWS_SESSION_TOKEN")),
		},
		http: &http.Client{Timeout: time.Minute},
	}
	if c.credential.AccessKeyID != "" {
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
	var err error
	c.credential, err = readProfile(file)
	return c, err
}
