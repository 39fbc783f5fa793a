// Package awsconfig finds a server and an access key as the AWS CLI does: by flags, by environment variables, and by the
// profiles of its two files. It calls nobody: what only AWS could answer, such as the role that a profile assumes, is
// refused in a sentence.
package awsconfig

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"

	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/sigv4"
)

// Choice is what a command line chooses. What is empty is found.
type Choice struct {
	EndpointURL string // of the server's API
	Region      string
	Profile     string // its key comes before one of the environment
}

// ErrNoEndpoint says that nothing names a server.
var ErrNoEndpoint = errors.New("no endpoint URL is configured")

// service is the one whose endpoint is meant, as AWS_ENDPOINT_URL_IOT and the sections of services name it.
const service = "IoT"

// requestTimeout bounds one request to the server.
const requestTimeout = time.Minute

// Find returns a client of the server that the AWS CLI would call for `aws iot`, with the key that it would take. The
// region is defaultRegion where none is configured. Find fails with ErrNoEndpoint where the AWS CLI would call AWS.
func Find(ctx context.Context, c Choice, defaultRegion string) (*apiclient.Client, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return nil, err
	}
	profile, err := readProfile(ctx, c, env)
	if err != nil {
		return nil, err
	}
	client := &apiclient.Client{Region: cmp.Or(c.Region, env.Region, profile.Region, defaultRegion)}
	if client.URL, err = endpoint(ctx, c, env, profile.SharedConfig); err != nil {
		return nil, err
	}
	if client.HTTP, err = httpClient(client.URL, env, profile); err != nil {
		return nil, err
	}
	client.Credential, err = credential(ctx, c, env, profile)
	return client, err
}

// profile is what the files of the AWS CLI say under one name.
type profile struct {
	config.SharedConfig
	configFile, credentialsFile string
}

// readProfile reads the profile that is chosen. It need not exist if nobody has named one.
func readProfile(ctx context.Context, c Choice, env config.EnvConfig) (profile, error) {
	named := cmp.Or(c.Profile, os.Getenv("AWS_DEFAULT_PROFILE"), env.SharedConfigProfile) // the order of the AWS CLI
	p := profile{
		configFile:      cmp.Or(home(env.SharedConfigFile), config.DefaultSharedConfigFilename()),
		credentialsFile: cmp.Or(home(env.SharedCredentialsFile), config.DefaultSharedCredentialsFilename()),
	}
	var err error
	p.SharedConfig, err = config.LoadSharedConfigProfile(ctx, cmp.Or(named, config.DefaultSharedConfigProfile), func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = []string{p.configFile}, []string{p.credentialsFile}
	})
	var missing config.SharedConfigProfileNotExistError
	var role config.SharedConfigAssumeRoleError
	switch {
	case errors.As(err, &role):
		return p, assumes(cmp.Or(named, config.DefaultSharedConfigProfile))
	case errors.As(err, &missing) && named == "":
		return p, nil
	case errors.As(err, &missing):
		return p, fmt.Errorf("there is no profile %q in %s or %s", named, p.configFile, p.credentialsFile)
	case err != nil:
		return p, errors.New(strings.Join(strings.Fields(err.Error()), " ")) // it has lines
	}
	return p, nil
}

// home returns a file of the environment, which may be in the home folder by a tilde that no shell has replaced.
func home(file string) string {
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		if folder, err := os.UserHomeDir(); err == nil {
			return filepath.Join(folder, rest)
		}
	}
	return file
}

// endpoint returns the URL of the server.
func endpoint(ctx context.Context, c Choice, env config.EnvConfig, profile config.SharedConfig) (string, error) {
	found := c.EndpointURL
	if found == "" {
		if ignore := cmp.Or(env.IgnoreConfiguredEndpoints, profile.IgnoreConfiguredEndpoints); ignore != nil && *ignore {
			return "", fmt.Errorf("%w that counts, as AWS_IGNORE_CONFIGURED_ENDPOINT_URLS or ignore_configured_endpoint_urls is set", ErrNoEndpoint)
		}
		ofService, _, _ := env.GetServiceBaseEndpoint(ctx, service) // neither can fail
		ofProfile, _, _ := profile.GetServiceBaseEndpoint(ctx, service)
		found = cmp.Or(ofService, env.BaseEndpoint, ofProfile, profile.BaseEndpoint)
	}
	if found == "" {
		return "", ErrNoEndpoint
	}
	u, err := url.Parse(found)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("the endpoint URL %q is not one such as http://127.0.0.1:8080", found)
	}
	return strings.TrimSuffix(found, "/"), nil
}

// httpClient returns an HTTP client that trusts the authorities that are configured, if any are, instead of those of
// the system. For an endpoint without TLS their file is not read, as in the AWS CLI: it may be gone.
func httpClient(endpoint string, env config.EnvConfig, p profile) (*http.Client, error) {
	c := &http.Client{Timeout: requestTimeout}
	file, from := env.CustomCABundle, "AWS_CA_BUNDLE"
	if file == "" {
		file, from = p.CustomCABundle, "ca_bundle of profile "+p.Profile
	}
	if file == "" || !strings.HasPrefix(endpoint, "https:") {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s holds no certificate", from, file)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	c.Transport = transport
	return c, nil
}

// credential returns the access key. That of the environment comes first, unless the command line names a profile.
func credential(ctx context.Context, c Choice, env config.EnvConfig, p profile) (sigv4.Credential, error) {
	if c.Profile == "" {
		switch {
		case env.Credentials.HasKeys():
			return signing(env.Credentials), nil
		case os.Getenv("AWS_ACCESS_KEY_ID") != "":
			return sigv4.Credential{}, errors.New("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY")
		case env.WebIdentityTokenFilePath != "":
			return sigv4.Credential{}, errors.New("AWS_WEB_IDENTITY_TOKEN_FILE is for a role, which only AWS grants: unset it, and use an access key of the server")
		}
	}
	return p.credential(ctx)
}

// credential returns the access key of a profile.
func (p profile) credential(ctx context.Context) (sigv4.Credential, error) {
	ofConfig := p.Credentials.Source == "SharedConfigCredentials: "+p.configFile // where a process comes before a key
	switch {
	case p.RoleARN != "" || p.WebIdentityTokenFile != "":
		return sigv4.Credential{}, assumes(p.Profile)
	case p.SSOSessionName != "" || p.SSOAccountID != "" || p.SSORoleName != "" || p.LoginSession != "" && !p.Credentials.HasKeys():
		return sigv4.Credential{}, fmt.Errorf("profile %q signs in at AWS: name a profile with an access key of the server", p.Profile)
	case p.Credentials.HasKeys() && (!ofConfig || p.CredentialProcess == ""):
		return signing(p.Credentials), nil
	case p.CredentialProcess != "":
		made, err := processcreds.NewProvider(p.CredentialProcess).Retrieve(ctx)
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			return sigv4.Credential{}, fmt.Errorf("credential_process of profile %s failed: %w", p.Profile, exit)
		case err != nil: // which quotes what was printed, and that may be a secret
			return sigv4.Credential{}, fmt.Errorf("credential_process of profile %s printed no key that is good now, in the form that the AWS CLI reads", p.Profile)
		}
		return signing(made), nil
	}
	return sigv4.Credential{}, fmt.Errorf("there is no access key in the environment, %s or %s: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_SHARED_CREDENTIALS_FILE, or AWS_PROFILE", p.credentialsFile, p.configFile)
}

// assumes is the error of a profile that assumes a role.
func assumes(profile string) error {
	return fmt.Errorf("profile %q assumes a role, which only AWS grants: name a profile with an access key of the server", profile)
}

func signing(c aws.Credentials) sigv4.Credential {
	return sigv4.Credential{AccessKeyID: c.AccessKeyID, Secret: sigv4.Secret(c.SecretAccessKey), SessionToken: sigv4.Secret(c.SessionToken)}
}
