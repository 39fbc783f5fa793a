package files_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/sigv4"
)

var (
	at  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key = sigv4.Credential{AccessKeyID: "AKIAFILES", Secret: "secret"}
)

// endpoint returns an endpoint with the URL base and aliases.
func endpoint(t testing.TB, base string, aliases ...string) *files.Endpoint {
	t.Helper()
	parse := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	e := &files.Endpoint{URL: parse(base), Region: "eu-west-1", Credential: func() sigv4.Credential { return key }}
	for _, alias := range aliases {
		e.Aliases = append(e.Aliases, parse(alias))
	}
	return e
}

func TestFind(t *testing.T) {
	e := endpoint(t, "https://files.example.com", "http://127.0.0.1:8080")
	plain := files.Object{Bucket: "lab", Key: "a/b c.bin"}
	version := files.Object{Bucket: "lab", Key: "a/b c.bin", Version: "v1"}
	for rawURL, want := range map[string]files.Address{
		"s3://lab/a/b c.bin":                                             {Object: plain},
		"s3://lab/a/b c.bin?versionId=v1":                                {Object: version},
		"s3://lab/100%25.bin":                                            {Object: files.Object{Bucket: "lab", Key: "100%25.bin"}},
		"https://s3.amazonaws.com/lab/a/b%20c.bin":                       {Object: plain},
		"https://s3.amazonaws.com/lab/a/b c.bin":                         {Object: plain},
		"https://s3.amazonaws.com/lab/a/b%20c.bin?versionId=v1":          {Object: version},
		"https://s3.eu-west-1.amazonaws.com/lab/a/b%20c.bin":             {Object: plain, Region: "eu-west-1"},
		"https://s3-eu-west-1.amazonaws.com/lab/a/b%20c.bin":             {Object: plain, Region: "eu-west-1"},
		"https://s3.dualstack.us-gov-east-1.amazonaws.com/lab/a/b c.bin": {Object: plain, Region: "us-gov-east-1"},
		"https://s3.cn-north-1.amazonaws.com.cn/lab/a/b c.bin":           {Object: plain, Region: "cn-north-1"},
		"https://lab.s3.amazonaws.com/a/b c.bin":                         {Object: plain},
		"https://lab.s3.eu-west-1.amazonaws.com/a/b c.bin?versionId=v1":  {Object: version, Region: "eu-west-1"},
		"https://my.s3.s3.eu-west-1.amazonaws.com/k":                     {Object: files.Object{Bucket: "my.s3", Key: "k"}, Region: "eu-west-1"},
		"https://files.example.com/lab/a/b%20c.bin":                      {Object: plain},
		"https://FILES.example.com:443/lab/a/b%20c.bin":                  {Object: plain},
		"https://lab.files.example.com/a/b%20c.bin":                      {Object: plain},
		"http://127.0.0.1:8080/lab/a/b%20c.bin":                          {Object: plain},
		"https://files.example.com/lab//up//../x":                        {Object: files.Object{Bucket: "lab", Key: "/up//../x"}},
		"https://files.example.com/lab":                                  {Object: files.Object{Bucket: "lab"}},
		"https://lab.s3.amazonaws.com":                                   {Object: files.Object{Bucket: "lab"}},
	} {
		if got, err := e.Find(rawURL); err != nil || got != want {
			t.Errorf("Find(%q) = %+v, %v; want %+v", rawURL, got, err, want)
		}
	}
}

func TestFindRefuses(t *testing.T) {
	e := endpoint(t, "https://files.example.com")
	for rawURL, want := range map[string]string{
		"":                                                       "store of job files",
		"https://elsewhere.example.com/lab/k":                    "store of job files",
		"http://files.example.com/lab/k":                         "store of job files",
		"http://s3.amazonaws.com/lab/k":                          "store of job files",
		"https://files.example.com:8443/f/k":                     "store of job files",
		"https://s3.amazonaws.com.evil/lab/k":                    "store of job files",
		"https://notamazonaws.com/lab/k":                         "store of job files",
		"file:///etc/passwd":                                     "store of job files",
		"https://user:pw@files.example.com/lab/k":                "not the URL",
		"https://files.example.com/lab/k#x":                      "not the URL",
		"https://files.example.com/lab/%zz":                      "not the URL",
		"https://files.example.com/lab/k?x=1":                    "only versionId",
		"https://files.example.com/lab/k?versionId=1&x=2":        "only versionId",
		"https://files.example.com/FW/k":                         "bucket name is invalid",
		"https://files.example.com//k":                           "bucket name is invalid",
		"s3://10.0.0.1/k":                                        "bucket name is invalid",
		"s3://" + strings.Repeat("b", 64) + "/k":                 "bucket name is invalid",
		"s3://lab/" + strings.Repeat("k", 1025):                  "at most 1024 bytes",
		"s3://lab/\xff":                                          "UTF-8",
		"https://files.example.com/lab/a%00b":                    "without NUL",
		"https://files.example.com/" + strings.Repeat("k", 5000): "at most 4096 bytes",
	} {
		if got, err := e.Find(rawURL); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Find(%q) = %+v, %v; want an error with %q", rawURL, got, err, want)
		}
	}
}

// Find accepts presigned URLs, and they are signed as the AWS SDK signs.
func TestPresignedAsTheSDK(t *testing.T) {
	objects := []files.Object{
		{Bucket: "lab", Key: "lamp.bin"},
		{Bucket: "lab", Key: "a b/ä€+~(*)'!/..//x%2F?&=#.bin", Version: "AbC.1+/="},
	}
	for _, virtual := range []bool{false, true} {
		e := endpoint(t, "https://files.example.com:8444")
		e.VirtualHosted = virtual
		for _, o := range objects {
			got, err := url.Parse(e.PresignGet(o, 10*time.Minute, at))
			if err != nil {
				t.Fatal(err)
			}
			plain := *got
			plain.RawQuery = ""
			query := url.Values{"X-Amz-Expires": {"600"}}
			if o.Version != "" {
				query.Set("versionId", o.Version)
			}
			plain.RawQuery = query.Encode()
			r, err := http.NewRequest("GET", plain.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			credentials := aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: string(key.Secret)}
			want, _, err := signer.PresignHTTP(context.Background(), credentials, r, "UNSIGNED-PAYLOAD", "s3", "eu-west-1", at)
			if err != nil {
				t.Fatal(err)
			}
			wanted, err := url.Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := got.Query().Get("X-Amz-Signature"), wanted.Query().Get("X-Amz-Signature"); got != want {
				t.Errorf("PresignGet(%+v), virtual-hosted %v, has the signature %s, want %s as the SDK makes", o, virtual, got, want)
			}
			plain.RawQuery = url.Values{"versionId": {o.Version}}.Encode()
			if found, err := e.Find(plain.String()); err != nil || found.Object != o {
				t.Errorf("Find(%s) = %+v, %v; want %+v", plain.String(), found, err, o)
			}
		}
	}
}

func TestPresignedLife(t *testing.T) {
	e := endpoint(t, "https://files.example.com")
	for life, want := range map[time.Duration]string{
		0:                        "1",
		time.Minute:              "60",
		time.Hour:                "3600",
		30 * 24 * time.Hour:      "604800",
		90500 * time.Millisecond: "90",
	} {
		u, err := url.Parse(e.PresignPut(files.Object{Bucket: "lab", Key: "log", Version: "ignored"}, life, at))
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Query().Get("X-Amz-Expires"); got != want || u.Query().Has("versionId") {
			t.Errorf("PresignPut for %s is %s, want X-Amz-Expires %s and no version", life, u, want)
		}
	}
}

// What Find accepts is a valid name.
func FuzzFind(f *testing.F) {
	f.Add("https://lab.s3.eu-west-1.amazonaws.com/a%2Fb?versionId=1")
	f.Add("s3://lab/k?versionId=?versionId=")
	f.Add("https://files.example.com/lab/%00")
	e := endpoint(f, "https://files.example.com", "http://[::1]:8080")
	f.Fuzz(func(t *testing.T, rawURL string) {
		a, err := e.Find(rawURL)
		if err != nil {
			return
		}
		if files.CheckBucket(a.Bucket) != nil || a.Key != "" && files.CheckKey(a.Key) != nil {
			t.Errorf("Find(%q) = %+v, which names nothing", rawURL, a)
		}
		if _, err := url.Parse(e.PresignGet(a.Object, time.Minute, at)); err != nil {
			t.Errorf("PresignGet of Find(%q): %v", rawURL, err)
		}
	})
}
