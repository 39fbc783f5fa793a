package awsconfig

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// configFile and credentialsFile are those of the person in the tests.
const configFile = `
[default]
region = eu-north-1
endpoint_url = http://default.example

[profile ci]
endpoint_url = http://ci.example/muster/
services = own
ca_bundle = %HOME/none.pem

[profile tls]
endpoint_url = https://tls.example
ca_bundle = %HOME/none.pem

[services own]
iot =
  endpoint_url = http://ci-iot.example
s3 =
  endpoint_url = http://ci-s3.example

[profile ignores]
endpoint_url = http://ignored.example
ignore_configured_endpoint_urls = true

[profile process]
credential_process = echo '{"Version":1,"AccessKeyId":"PROCESS","SecretAccessKey":"made","SessionToken":"for a while"}'

[profile both]
aws_access_key_id = CONFIG
aws_secret_access_key = c
credential_process = echo '{"Version":1,"AccessKeyId":"PROCESS","SecretAccessKey":"made"}'

[profile broken]
credential_process = echo no JSON

[profile fails]
credential_process = echo '{"Version":1,"AccessKeyId":"PROCESS","SecretAccessKey":"made"}'; exit 3

[profile role]
role_arn = arn:aws:iam::123456789012:role/operator
source_profile = default

[profile lost-role]
role_arn = arn:aws:iam::123456789012:role/operator
source_profile = nobody

[profile web]
role_arn = arn:aws:iam::123456789012:role/operator
web_identity_token_file = /token

[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = operator

[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.example

[profile half]
aws_access_key_id = HALF
`

const credentialsFile = `
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = d

[ci]
aws_access_key_id = CI
aws_secret_access_key = c
aws_session_token = t

[both-files]
aws_access_key_id = OWN
aws_secret_access_key = o
`

// person gives the test a home with those files and an environment with nothing else.
func person(t *testing.T, env map[string]string) {
	t.Helper()
	home := t.TempDir()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", home)
	if err := os.Mkdir(filepath.Join(home, "aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config": configFile, "credentials": credentialsFile} {
		if err := os.WriteFile(filepath.Join(home, "aws", name), []byte(strings.ReplaceAll(text, "%HOME", home)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", "~/aws/config")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", home+"/aws/credentials")
	for name, value := range env {
		t.Setenv(name, value)
	}
}

type environ = map[string]string

func TestFind(t *testing.T) {
	key := environ{"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "et"}
	with := func(more environ) environ {
		all := maps.Clone(key)
		maps.Copy(all, more)
		return all
	}
	for name, test := range map[string]struct {
		choice Choice
		env    environ
		want   []string // URL, region, key, secret, token
	}{
		"the default profile":                       {Choice{}, nil, []string{"http://default.example", "eu-north-1", "DEFAULT", "d", ""}},
		"a key of the environment":                  {Choice{}, key, []string{"http://default.example", "eu-north-1", "ENV", "e", "et"}},
		"a profile of the environment":              {Choice{}, environ{"AWS_PROFILE": "ci"}, []string{"http://ci-iot.example", "us-east-1", "CI", "c", "t"}},
		"a key comes before AWS_PROFILE":            {Choice{}, with(environ{"AWS_PROFILE": "ci"}), []string{"http://ci-iot.example", "us-east-1", "ENV", "e", "et"}},
		"--profile comes before a key":              {Choice{Profile: "ci"}, key, []string{"http://ci-iot.example", "us-east-1", "CI", "c", "t"}},
		"--profile comes before AWS_PROFILE":        {Choice{Profile: "ci"}, environ{"AWS_PROFILE": "default"}, []string{"http://ci-iot.example", "us-east-1", "CI", "c", "t"}},
		"AWS_DEFAULT_PROFILE":                       {Choice{}, environ{"AWS_DEFAULT_PROFILE": "ci"}, []string{"http://ci-iot.example", "us-east-1", "CI", "c", "t"}},
		"AWS_ENDPOINT_URL comes before files":       {Choice{Profile: "ci"}, environ{"AWS_ENDPOINT_URL": "http://all.example"}, []string{"http://all.example", "us-east-1", "CI", "c", "t"}},
		"AWS_ENDPOINT_URL_IOT comes first":          {Choice{}, environ{"AWS_ENDPOINT_URL": "http://all.example", "AWS_ENDPOINT_URL_IOT": "http://iot.example:8080/"}, []string{"http://iot.example:8080", "eu-north-1", "DEFAULT", "d", ""}},
		"that of another service does not count":    {Choice{}, environ{"AWS_ENDPOINT_URL_S3": "http://s3.example"}, []string{"http://default.example", "eu-north-1", "DEFAULT", "d", ""}},
		"--endpoint-url comes before all":           {Choice{EndpointURL: "http://flag.example", Profile: "ignores", Region: "moon"}, with(environ{"AWS_ENDPOINT_URL_IOT": "http://iot.example", "AWS_REGION": "r"}), nil},
		"--endpoint-url counts where others do not": {Choice{EndpointURL: "http://flag.example", Region: "moon"}, with(environ{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_REGION": "r"}), []string{"http://flag.example", "moon", "ENV", "e", "et"}},
		"the environment may undo ignoring":         {Choice{}, with(environ{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false", "AWS_PROFILE": "ignores"}), []string{"http://ignored.example", "us-east-1", "ENV", "e", "et"}},
		"AWS_REGION":                                {Choice{}, environ{"AWS_REGION": "r", "AWS_DEFAULT_REGION": "s"}, []string{"http://default.example", "r", "DEFAULT", "d", ""}},
		"AWS_DEFAULT_REGION":                        {Choice{}, environ{"AWS_DEFAULT_REGION": "s"}, []string{"http://default.example", "s", "DEFAULT", "d", ""}},
		"credential_process":                        {Choice{Profile: "process", EndpointURL: "http://x.example"}, nil, []string{"http://x.example", "us-east-1", "PROCESS", "made", "for a while"}},
		"a process comes before a key beside it":    {Choice{Profile: "both", EndpointURL: "http://x.example"}, nil, []string{"http://x.example", "us-east-1", "PROCESS", "made", ""}},
		"a key counts whatever the profile assumes": {Choice{}, with(environ{"AWS_PROFILE": "role", "AWS_ENDPOINT_URL": "http://x.example"}), []string{"http://x.example", "us-east-1", "ENV", "e", "et"}},
	} {
		t.Run(name, func(t *testing.T) {
			person(t, test.env)
			c, err := Find(t.Context(), test.choice, "us-east-1")
			if test.want == nil {
				if err == nil || !strings.Contains(err.Error(), "no access key") {
					t.Errorf("%v, want that the profile has no key", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := []string{c.URL, c.Region, c.Credential.AccessKeyID, string(c.Credential.Secret), string(c.Credential.SessionToken)}; !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestWhatCannotBeFoundIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		choice Choice
		env    environ
		want   string
	}{
		"no endpoint":                {Choice{Profile: "both-files"}, nil, ErrNoEndpoint.Error()},
		"one that is ignored":        {Choice{}, environ{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://x.example"}, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"},
		"one that a profile ignores": {Choice{Profile: "ignores"}, nil, "ignore_configured_endpoint_urls is set"},
		"no URL":                     {Choice{EndpointURL: "127.0.0.1:8080"}, nil, `"127.0.0.1:8080" is not one such as`},
		"no HTTP":                    {Choice{EndpointURL: "mqtt://127.0.0.1"}, nil, "is not one such as"},
		"no host":                    {Choice{}, environ{"AWS_ENDPOINT_URL": "http://"}, "is not one such as"},
		"no profile":                 {Choice{Profile: "nobody"}, nil, `there is no profile "nobody" in `},
		"no profile of AWS_PROFILE":  {Choice{}, environ{"AWS_PROFILE": "nobody", "AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "e"}, `there is no profile "nobody" in `},
		"half a key":                 {Choice{}, environ{"AWS_ACCESS_KEY_ID": "ENV"}, "without AWS_SECRET_ACCESS_KEY"},
		"half a key of a profile":    {Choice{Profile: "half", EndpointURL: "http://x.example"}, nil, "partial credentials"},
		"a role":                     {Choice{Profile: "role", EndpointURL: "http://x.example"}, nil, `profile "role" assumes a role`},
		"a role of nobody":           {Choice{Profile: "lost-role", EndpointURL: "http://x.example"}, nil, `profile "lost-role" assumes a role`},
		"a token":                    {Choice{Profile: "web", EndpointURL: "http://x.example"}, nil, `profile "web" assumes a role`},
		"a token of the environment": {Choice{}, environ{"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/operator"}, "AWS_WEB_IDENTITY_TOKEN_FILE"},
		"a sign-in":                  {Choice{Profile: "sso", EndpointURL: "http://x.example"}, nil, `profile "sso" signs in at AWS`},
		"a broken process":           {Choice{Profile: "broken", EndpointURL: "http://x.example"}, nil, "credential_process of profile broken printed no key"},
		"a process that fails":       {Choice{Profile: "fails", EndpointURL: "http://x.example"}, nil, "credential_process of profile fails failed: exit status 3"},
		"authorities that are gone":  {Choice{Profile: "tls"}, nil, "ca_bundle of profile tls: open"},
		"a container's key":          {Choice{Profile: "ignores", EndpointURL: "http://x.example"}, environ{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}, "no access key"},
		"no truth":                   {Choice{}, environ{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "perhaps"}, "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			person(t, test.env)
			_, err := Find(t.Context(), test.choice, "us-east-1")
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q in one line", err, test.want)
			}
			if strings.HasPrefix(name, "no endpoint") != errors.Is(err, ErrNoEndpoint) && !strings.HasPrefix(name, "one that") {
				t.Errorf("%v is ErrNoEndpoint: %t", err, errors.Is(err, ErrNoEndpoint))
			}
		})
	}
}

// Without any file the environment says all, or it is said what lacks.
func TestFindWithoutFiles(t *testing.T) {
	person(t, environ{"AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"})
	if _, err := Find(t.Context(), Choice{}, "us-east-1"); !errors.Is(err, ErrNoEndpoint) {
		t.Error(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://x.example")
	if _, err := Find(t.Context(), Choice{}, "us-east-1"); err == nil || !strings.Contains(err.Error(), "no access key") {
		t.Error(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "ENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "e")
	if c, err := Find(t.Context(), Choice{}, "us-east-1"); err != nil || c.Credential.AccessKeyID != "ENV" || c.Region != "us-east-1" {
		t.Errorf("%+v, %v", c, err)
	}
}
