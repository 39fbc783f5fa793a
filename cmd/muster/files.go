package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/files/s3store"
	"github.com/muster-iot/muster/sigv4"
)

// FilesConfig are the flags of `muster serve` about job files.
type FilesConfig struct {
	Address string // of the TLS listener of the built-in store; empty for none
	URL     string // under which devices reach the store; empty: that of the listener
	Quota   byteSize
	LinkMax byteSize // of an upload by a URL that a device was given

	S3Endpoint      string // of a store elsewhere, in the place of the built-in one; empty for none
	S3Region        string // of it; empty: the deployment's
	S3Credentials   string // AWS shared-credentials file with a key of that store
	S3CA            string // PEM file of authorities to trust beside the system's; empty for none
	S3VirtualHosted bool   // the bucket is part of the host name, not of the path
}

func (c *FilesConfig) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.Address, "files", c.Address, "`address` of the TLS listener of job files, without client certificates; empty for none")
	fs.StringVar(&c.URL, "files-url", c.URL, "`URL` under which devices reach job files, such as https://files.example.com; that of --files when not given")
	fs.Var(&c.Quota, "files-quota", "the `size` that job files may take on disk at most, such as 20GiB; 0: no limit")
	fs.Var(&c.LinkMax, "upload-max", "the `size` that a device may upload at most with a URL of a job document, such as 64MiB")
	fs.StringVar(&c.S3Endpoint, "s3-endpoint", c.S3Endpoint, "`URL` of an S3-compatible store of job files elsewhere, in the place of the built-in one")
	fs.StringVar(&c.S3Region, "s3-region", c.S3Region, "`region` of --s3-endpoint; --region when not given")
	fs.StringVar(&c.S3Credentials, "s3-credentials", c.S3Credentials, "private `file` with the key for --s3-endpoint, in the form of ~/.aws/credentials")
	fs.StringVar(&c.S3CA, "s3-ca", c.S3CA, "PEM `file` of authorities to trust for --s3-endpoint, beside the system's")
	fs.BoolVar(&c.S3VirtualHosted, "s3-virtual-hosted", c.S3VirtualHosted, "put the bucket in front of the host of --s3-endpoint, as Amazon S3 has it, instead of in the path")
}

// builtIn reports whether the store of job files is the built-in one.
func (c FilesConfig) builtIn() bool { return c.S3Endpoint == "" }

func (c FilesConfig) check() error {
	for _, u := range []struct{ flag, text string }{{"--files-url", c.URL}, {"--s3-endpoint", c.S3Endpoint}} {
		if u.text == "" {
			continue
		}
		if _, err := parseBase(u.text); err != nil {
			return usagef("%s: %v", u.flag, err)
		}
	}
	switch {
	case !c.builtIn() && c.S3Credentials == "":
		return usagef("--s3-endpoint needs --s3-credentials, a file with the key that it knows")
	case c.builtIn() && c.S3Region+c.S3Credentials+c.S3CA != "" || c.builtIn() && c.S3VirtualHosted:
		return usagef("--s3-region, --s3-credentials, --s3-ca and --s3-virtual-hosted need --s3-endpoint")
	case c.LinkMax <= 0:
		return usagef("--upload-max must be more than 0")
	case !c.builtIn() && c.Quota != 0:
		return usagef("--files-quota is of the built-in store of job files, and --s3-endpoint takes its place")
	}
	return nil
}

// parseBase reads a URL that is only a scheme and a host.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q must be https:// or http://, a host and perhaps a port", text)
	}
	return u, nil
}

// byteSize is a flag that holds a number of bytes.
type byteSize int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"", 1}}

// Set reads a number, perhaps with a unit.
func (b *byteSize) Set(text string) error {
	for _, unit := range byteUnits {
		number, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 62)
		if err != nil || int64(n) > (1<<62)/unit.bytes {
			return fmt.Errorf("must be a number of bytes, such as 20GiB")
		}
		*b = byteSize(int64(n) * unit.bytes)
		break
	}
	return nil
}

// Type names a value in the help of a flag that names none.
func (*byteSize) Type() string { return "size" }

// String writes the number with the largest unit that divides it.
func (b *byteSize) String() string {
	for _, unit := range slices.Backward(byteUnits) {
		if n := int64(*b); unit.suffix != "" && n > 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// openFiles opens the store of job files and says where devices find it.
func (s *server) openFiles() error {
	switch {
	case !s.c.Files.builtIn():
		return s.openFilesElsewhere()
	case s.c.Bus.on():
		s.files = files.Nowhere()
		return nil
	}
	own, err := s.data.OpenFilesKey(s.c.Account, s.c.Region)
	if err != nil {
		return err
	}
	s.disk, err = diskstore.Open(context.Background(), diskstore.Options{
		Dir: s.data.Files(), Index: s.store, Now: time.Now, Log: s.log, Room: s.disks.fileRoom,
		Limits: diskstore.Limits{Quota: int64(s.c.Files.Quota), Uploads: s.limits.Multipart},
	})
	if err != nil {
		return err
	}
	s.figures.Files(s.disk.Used)
	bases, err := s.fileBases()
	if err != nil {
		return err
	}
	s.files = &files.Store{
		Endpoint: &files.Endpoint{
			URL: bases[0], Aliases: bases[1:], Region: s.c.Region, Credential: func() sigv4.Credential { return own },
		},
		Objects: s.disk.Objects(),
	}
	handler, err := s3api.New(s3api.Options{
		Files: s.disk, Keys: s.keys, Own: own, Region: s.c.Region, Account: s.c.Account, Hosts: []string{strings.ToLower(bases[0].Hostname()), "localhost"},
		Limits: s3api.Limits{LinkBytes: int64(s.c.Files.LinkMax)},
		Now:    time.Now, OwnNow: func() time.Time { return s.time().Time() },
		AuthNone: s.c.Auth == authNone, AcceptAnyRegion: s.c.AcceptAnyRegion, Flood: s.flood, Log: s.log,
		Audit:   func() *audit.Log { return s.service.Audit },
		Observe: func(operation, code string, took time.Duration) { s.figures.Request("files", operation, code, took) },
	})
	s.fileAPI = handler
	return err
}

// openFilesElsewhere prepares the client of a store that another system runs.
func (s *server) openFilesElsewhere() error {
	c := s.c.Files
	endpoint, err := parseBase(c.S3Endpoint)
	if err != nil {
		return err
	}
	region := cmp.Or(c.S3Region, s.c.Region)
	store, err := s3store.Open(context.Background(), s3store.Options{
		Endpoint: endpoint, Region: region, VirtualHosted: c.S3VirtualHosted, Credentials: c.S3Credentials, CA: c.S3CA,
	})
	if err != nil {
		return err
	}
	public, err := parseBase(cmp.Or(c.URL, c.S3Endpoint))
	if err != nil {
		return err
	}
	s.files = &files.Store{
		Endpoint: &files.Endpoint{
			URL: public, Aliases: []*url.URL{endpoint}, VirtualHosted: c.S3VirtualHosted, Region: region, Credential: store.Credential,
		},
		Objects: store,
	}
	return nil
}

// filesForJobs returns the store of job files as jobs ask for it, with the
// profile that the operator chose.
func (s *server) filesForJobs() (*files.ForJobs, error) {
	f := &files.ForJobs{Store: s.files, Region: s.c.Region, Now: time.Now}
	if s.c.SigningProfile == "" {
		return f, nil
	}
	var err error
	if f.Signer, err = s.data.Signing().Open(s.c.SigningProfile); err != nil {
		return nil, fmt.Errorf("--signing-profile: %w", err)
	}
	return f, nil
}

// fileBases returns the URLs of the built-in store, the one for devices first.
func (s *server) fileBases() ([]*url.URL, error) {
	var texts []string
	if s.c.Files.URL != "" {
		texts = append(texts, s.c.Files.URL)
	}
	if l := s.doors.files; l != nil {
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		for _, host := range s.c.hosts() {
			texts = append(texts, "https://"+net.JoinHostPort(host, port))
		}
	}
	texts = append(texts, "http://"+reachable(s.doors.api))
	var bases []*url.URL
	for _, text := range texts {
		base, err := parseBase(text)
		if err != nil {
			return nil, fmt.Errorf("URL of job files: %w", err)
		}
		bases = append(bases, base)
	}
	return bases, nil
}

// serveFiles serves job files on a listener of their own until ctx ends.
func (s *server) serveFiles(ctx context.Context) error {
	server := awsiot.NewHTTPServer(s.figures.InFlight(s.fileAPI), s.log)
	return serveHTTP(ctx, s.log, server, s.intake.Guard(server, s.fetch), s.c.Drain)
}

// runFiles runs the background work of the built-in store until ctx ends.
func (s *server) runFiles(ctx context.Context) error {
	if s.disk == nil {
		<-ctx.Done()
		return nil
	}
	return s.disk.Run(ctx)
}

// holdFiles keeps the contents of the built-in store in place until release is
// called.
func (s *server) holdFiles() (release func()) {
	if s.disk == nil {
		return datafolder.HoldNothing()
	}
	return s.disk.Hold()
}

// filesFirst serves requests that are signed for S3, whatever their path, and leaves all
// others to next, so that one listener can serve both without colliding paths.
func (s *server) filesFirst(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.fileAPI != nil && s3api.Claims(r) {
			s.fileAPI.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
