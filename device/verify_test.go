package device_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/codesign"
	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/jobs"
)

const firmware = "firmware of version 12"

// web answers GET requests, in order.
type web struct {
	mu      sync.Mutex
	answers []func(*http.Request) (int, string) // the last one stays
	asked   []string
}

func serving(content string) *web {
	return &web{answers: []func(*http.Request) (int, string){func(*http.Request) (int, string) { return 200, content }}}
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.URL.String())
	answer := w.answers[0]
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	status, body := answer(r)
	if status == 0 {
		return nil, errors.New("connection reset by peer")
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// signers are those whose signatures the tests use; keys are made once.
type signers struct {
	ecdsa, rsa, stranger *codesign.Profile
	authority            *x509.Certificate
	vouched, deviceLike  *codesign.Profile // the authority vouches for the first, and for a certificate that is for no use in particular
}

func newSigners(t *testing.T) signers {
	t.Helper()
	s := signers{ecdsa: newProfile(t, codesign.ECDSA), rsa: newProfile(t, codesign.RSA), stranger: newProfile(t, codesign.ECDSA)}
	rootKey, leafKey := newKey(t), newKey(t)
	s.authority = certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil, rootKey, rootKey)
	leaf := certificate(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}, s.authority, leafKey, rootKey)
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	if s.vouched, err = codesign.Folder(t.TempDir()).Import("vouched", string(chain), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))); err != nil {
		t.Fatal(err)
	}
	plain := *s.vouched
	plain.Chain = []*x509.Certificate{certificate(t, &x509.Certificate{}, s.authority, leafKey, rootKey)}
	s.deviceLike = &plain
	return s
}

// newProfile makes a profile that signs for a day from now.
func newProfile(t *testing.T, k codesign.KeyType) *codesign.Profile {
	t.Helper()
	p, err := codesign.Folder(t.TempDir()).Create("fleet", k, 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certificate makes a certificate of key, signed with by; parent nil: of itself.
func certificate(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber, template.BasicConstraintsValid = big.NewInt(1), true
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// element is a codesign element of firmware, with the certificate if asked.
func element(t *testing.T, p *codesign.Profile, withCertificate bool, change ...func(*codesign.Element)) string {
	t.Helper()
	s, err := p.Sign(strings.NewReader(firmware))
	if err != nil {
		t.Fatal(err)
	}
	e := p.Element(s, &codesign.S3Object{BucketName: "lab", Key: "fw.bin", Version: "7"})
	if !withCertificate {
		e.Certificate = ""
	}
	for _, c := range change {
		c(&e)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func beside(element string) string {
	return `{"do":"flash","steps":[{"presign":"https://files/lab/fw.bin?X-Amz-Signature=1","codesign":` + element + `}]}`
}

// freeRTOS is an afr_ota document of firmware.
func freeRTOS(t *testing.T, p *codesign.Profile) string {
	t.Helper()
	s, err := p.Sign(strings.NewReader(firmware))
	if err != nil {
		t.Fatal(err)
	}
	members, err := p.FreeRTOS(s)
	if err != nil {
		t.Fatal(err)
	}
	return `{"afr_ota":{"protocols":["HTTP"],"files":[{"filepath":"/fw.bin","fileid":0,"certfile":"/cert.pem","update_data_url":"https://files/lab/fw.bin","auth_scheme":"aws.s3.presigned",` +
		strings.TrimPrefix(string(members), "{") + `]}}`
}

func withDocument(text string) func(*jobs.NewJob) {
	return func(j *jobs.NewJob) { j.Document = text }
}

// What a device is told to trust decides which jobs an application sees; it sees
// none whose signature is wrong or, if required, missing.
func TestVerifier(t *testing.T) {
	const wrong = "the signature of https://files/lab/fw.bin is wrong"
	var all signers
	synctest.Test(t, func(t *testing.T) { all = newSigners(t) }) // as of the time in which the tests begin
	edit := func(p *codesign.Profile, change func(*codesign.Element)) string {
		return beside(element(t, p, false, change))
	}
	for name, test := range map[string]struct {
		document string
		content  string // what the URL brings; empty: firmware
		optional bool   // signatures are not required
		fileMax  int64
		reason   string // why it is REJECTED, or a part of that; empty: the application sees the job
		files    int    // that it sees
	}{
		"an ECDSA signature":                    {document: beside(element(t, all.ecdsa, false)), files: 1},
		"an RSA signature":                      {document: beside(element(t, all.rsa, false)), files: 1},
		"an ECDSA signature in a FreeRTOS job":  {document: freeRTOS(t, all.ecdsa), files: 1},
		"an RSA signature in a FreeRTOS job":    {document: freeRTOS(t, all.rsa), files: 1},
		"a certificate that is trusted itself":  {document: beside(element(t, all.ecdsa, true)), files: 1},
		"a certificate that the authority made": {document: beside(element(t, all.vouched, true)), files: 1},
		"no algorithm":                          {document: edit(all.ecdsa, func(e *codesign.Element) { e.SignatureAlgorithm = "" }), files: 1},
		"the algorithm of the other key":        {document: edit(all.ecdsa, func(e *codesign.Element) { e.SignatureAlgorithm = "SHA256withRSA" }), reason: wrong},
		"an algorithm of the past":              {document: edit(all.ecdsa, func(e *codesign.Element) { e.SignatureAlgorithm = "SHA1withRSA" }), reason: `the signature algorithm "SHA1withRSA" is not known`},
		"the signature of a stranger":           {document: beside(element(t, all.stranger, false)), reason: wrong},
		"the certificate of a stranger":         {document: beside(element(t, all.stranger, true)), reason: "the certificate of https://files/lab/fw.bin is not trusted: x509: certificate signed by unknown authority"},
		"the certificate of a device":           {document: beside(element(t, all.deviceLike, true)), reason: "is not trusted: it is not for code signing"},
		"a certificate that is none":            {document: edit(all.ecdsa, func(e *codesign.Element) { e.Certificate = "hello" }), reason: "cannot be read"},
		"a signature that is not base64":        {document: edit(all.ecdsa, func(e *codesign.Element) { e.Signature = "%" }), reason: "a signature that is not base64"},
		"a signature that was not filled in":    {document: edit(all.ecdsa, func(e *codesign.Element) { e.Signature = "" }), reason: "a signature that is not base64", optional: true},
		"another file of the same size":         {document: beside(element(t, all.ecdsa, false)), content: "firmware of version 13", reason: wrong},
		"another file, signatures not required": {document: beside(element(t, all.ecdsa, false)), content: "firmware of version 13", optional: true, reason: wrong},
		"a file that is longer than signed":     {document: beside(element(t, all.ecdsa, false)), content: firmware + ".", reason: "has more than the 22 bytes that the job says"},
		"a file that is shorter than signed":    {document: beside(element(t, all.ecdsa, false)), content: "firmware", reason: "has 8 bytes, not the 22 that the job says"},
		"a file that is too large":              {document: beside(element(t, all.ecdsa, false)), fileMax: 21, reason: "has 22 bytes; this device takes files of up to 21"},
		"a file that turns out too large":       {document: edit(all.ecdsa, func(e *codesign.Element) { e.RawPayloadSize = -1 }), fileMax: 21, reason: "has more than the 21 bytes that this device takes"},
		"a URL beside a signed file": {
			document: `{"script":"https://files/lab/run.sh","fw":` + beside(element(t, all.ecdsa, false)) + `}`,
			reason:   "the job names https://files/lab/run.sh outside its signed files",
		},
		"a URL within a text":                      {document: `{"run":["curl -s HTTP://files/run.sh?secret | sh"],"fw":` + beside(element(t, all.ecdsa, false)) + `}`, reason: "the job names HTTP://files/run.sh outside its signed files"},
		"a URL as a name":                          {document: `{"from":{"ftp://files/a":1},"fw":` + beside(element(t, all.ecdsa, false)) + `}`, reason: "ftp://files/a outside"},
		"a URL of the store":                       {document: `{"from":"s3://lab/fw.bin","fw":` + beside(element(t, all.ecdsa, false)) + `}`, reason: "s3://lab/fw.bin outside"},
		"a URL of whatever scheme":                 {document: `{"from":" //files/lab/fw.bin","fw":` + beside(element(t, all.ecdsa, false)) + `}`, reason: "//files/lab/fw.bin outside"},
		"the URL of the signed file, again":        {document: `{"again":"https://files/lab/fw.bin?X-Amz-Signature=1","fw":` + beside(element(t, all.ecdsa, false)) + `}`, reason: "https://files/lab/fw.bin outside"},
		"a URL within the signature":               {document: `{"u":"https://files/lab/fw.bin","codesign":{"more":"https://files/1",` + strings.TrimPrefix(element(t, all.ecdsa, false), "{") + `}`, reason: "https://files/1 outside"},
		"a URL beside a FreeRTOS file":             {document: strings.Replace(freeRTOS(t, all.ecdsa), `"fileid":0`, `"more":"https://files/1"`, 1), reason: "https://files/1 outside"},
		"a URL, signatures not required":           {document: `{"script":"https://files/lab/run.sh","fw":` + beside(element(t, all.ecdsa, false)) + `}`, optional: true, files: 1},
		"an upload":                                {document: `{"logs":{"uploadTo":"https://files/lab/log?X-Amz-Signature=1"},"fw":` + beside(element(t, all.ecdsa, false)) + `}`, files: 1},
		"uploads":                                  {document: `{"uploadTo":["https://files/lab/log","https://files/lab/core"],"fw":` + beside(element(t, all.ecdsa, false)) + `}`, files: 1},
		"no URL, though it has two slashes":        {document: `{"path":"/var//lib","note":"a // b, 12:34","fw":` + beside(element(t, all.ecdsa, false)) + `}`, files: 1},
		"the same name in two objects":             {document: `{"a":{"u":1},"b":[{"u":2},{"u":3}],"u":"u","fw":` + beside(element(t, all.ecdsa, false)) + `}`, files: 1},
		"no signature":                             {document: `{"url":"https://files/lab/fw.bin"}`, reason: "the job brings no signed file"},
		"no signature, none required":              {document: `{"url":"https://files/lab/fw.bin"}`, optional: true},
		"a FreeRTOS file without one":              {document: `{"afr_ota":{"files":[{"update_data_url":"https://files/lab/fw.bin"}]}}`, reason: "the job brings a file without a signature"},
		"a FreeRTOS file without one, if it may":   {document: `{"afr_ota":{"files":[{"update_data_url":"https://files/lab/fw.bin"}]}}`, optional: true},
		"a FreeRTOS file without a URL":            {document: `{"afr_ota":{"files":[{"sig-sha256-ecdsa":"MEUC"}]}}`, reason: "a signed file that has no URL"},
		"two URLs beside one signature":            {document: `{"a":"https://files/1","b":"https://files/2","codesign":` + element(t, all.ecdsa, false) + `}`, reason: "2 URLs beside a codesign element"},
		"a signature of nothing":                   {document: `{"codesign":` + element(t, all.ecdsa, false) + `}`, reason: "0 URLs beside a codesign element"},
		"more files than a device is willing":      {document: `{"all":[` + strings.Repeat(`{"u":"https://files/1","codesign":{"signature":"MEUC"}},`, 32) + `{"u":"https://files/1","codesign":{"signature":"MEUC"}}]}`, reason: "more than 32 signed files"},
		"a good file and one with a bad signature": {document: `{"all":[` + beside(element(t, all.ecdsa, false)) + `,` + beside(element(t, all.stranger, false)) + `]}`, reason: wrong},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.content == "" {
					test.content = firmware
				}
				dir := t.TempDir()
				v, err := device.NewVerifier(device.VerifierOptions{
					Trusted: []*x509.Certificate{all.rsa.Chain[0], all.ecdsa.Chain[0], all.authority}, Required: !test.optional,
					Client: &http.Client{Transport: serving(test.content)}, FileMax: test.fileMax, Dir: dir, Uploads: []string{"uploadTo"},
				})
				if err != nil {
					t.Fatal(err)
				}
				s := newDeployment(t)
				seen := -1
				stop := run(t, s.overMQTT(""), v.Handle(func(_ context.Context, _ *device.Job, files []device.File) error {
					seen = len(files)
					for _, f := range files {
						if content, err := io.ReadAll(f); err != nil || string(content) != firmware {
							t.Errorf("the application read %q, %v, want %q", content, err, firmware)
						}
					}
					return nil
				}))
				s.job("fw", withDocument(test.document))
				s.settle()
				x := s.outcome("fw")
				if test.reason != "" && (seen >= 0 || x.Status != muster.Rejected || !strings.Contains(x.Details["reason"], test.reason)) {
					t.Errorf("%s %v, application called: %t; want REJECTED without it, because %q", x.Status, x.Details, seen >= 0, test.reason)
				}
				if test.reason == "" && (seen != test.files || x.Status != muster.Succeeded) {
					t.Errorf("%s %v, application saw %d files; want SUCCEEDED with %d", x.Status, x.Details, seen, test.files)
				}
				stop()
				if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
					t.Errorf("files are left behind: %v", left)
				}
			})
		})
	}
}

// When a presigned URL has expired, the device asks for a new one; if the download
// keeps failing, the job fails, and the service may retry it.
func TestDownloadIsTriedAgain(t *testing.T) {
	status := func(code int) func(*http.Request) (int, string) {
		return func(*http.Request) (int, string) { return code, "no" }
	}
	good := func(*http.Request) (int, string) { return 200, firmware }
	for name, test := range map[string]struct {
		answers []func(*http.Request) (int, string)
		want    muster.Status
		asked   int
		reason  string
	}{
		"a URL that has run out":            {[]func(*http.Request) (int, string){status(403), good}, muster.Succeeded, 2, ""},
		"a connection that breaks":          {[]func(*http.Request) (int, string){status(0), good}, muster.Succeeded, 2, ""},
		"a server that is tired":            {[]func(*http.Request) (int, string){status(503), status(500), status(429), good}, muster.Succeeded, 4, ""},
		"a server that is always tired":     {[]func(*http.Request) (int, string){status(503)}, muster.Failed, 5, "https://files/lab/fw.bin could not be downloaded: 503"},
		"a file that is not there":          {[]func(*http.Request) (int, string){status(404)}, muster.Failed, 1, "https://files/lab/fw.bin could not be downloaded: 404"},
		"a server that cannot be connected": {[]func(*http.Request) (int, string){status(0)}, muster.Failed, 5, "https://files/lab/fw.bin could not be downloaded: connection reset by peer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProfile(t, codesign.ECDSA)
				files := &web{answers: test.answers}
				v, err := device.NewVerifier(device.VerifierOptions{Trusted: p.Chain, Required: true, Client: &http.Client{Transport: files}})
				if err != nil {
					t.Fatal(err)
				}
				s := newDeployment(t)
				stop := run(t, s.overMQTT(""), v.Handle(func(context.Context, *device.Job, []device.File) error { return nil }))
				s.job("fw", withDocument(beside(element(t, p, false))))
				time.Sleep(time.Minute)
				s.settle()
				if x := s.outcome("fw"); x.Status != test.want || x.Details["reason"] != test.reason || len(files.asked) != test.asked {
					t.Errorf("%s %v after %d requests, want %s %q after %d", x.Status, x.Details, len(files.asked), test.want, test.reason, test.asked)
				}
				stop()
			})
		})
	}
}

func TestCertificatesHaveTheirTime(t *testing.T) {
	for name, test := range map[string]struct {
		now  func() time.Time
		want muster.Status
	}{
		"a certificate that has run out":    {nil, muster.Rejected},
		"a device whose clock stands still": {func() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }, muster.Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProfile(t, codesign.ECDSA)
				time.Sleep(25 * time.Hour)
				v, err := device.NewVerifier(device.VerifierOptions{Trusted: p.Chain, Client: &http.Client{Transport: serving(firmware)}, Now: test.now})
				if err != nil {
					t.Fatal(err)
				}
				s := newDeployment(t)
				stop := run(t, s.overHTTPS(""), v.Handle(func(context.Context, *device.Job, []device.File) error { return nil }))
				s.job("fw", withDocument(beside(element(t, p, false))))
				time.Sleep(time.Minute)
				s.settle()
				if x := s.outcome("fw"); x.Status != test.want {
					t.Errorf("%s %v, want %s", x.Status, x.Details, test.want)
				}
				stop()
			})
		})
	}
}

func TestNewVerifierNeedsSomebodyToTrust(t *testing.T) {
	if _, err := device.NewVerifier(device.VerifierOptions{}); err == nil {
		t.Error("NewVerifier without certificates = nil, want an error")
	}
	for _, text := range []string{"", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if c, err := device.ParseCertificates([]byte(text)); err == nil {
			t.Errorf("ParseCertificates(%q) = %v, want an error", text, c)
		}
	}
}
