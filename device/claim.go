package device

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// claim is what a job document says about one signed file. There are two forms:
//
//	{"presign": "https://…", "codesign": {"rawPayloadSize": 9, "signature": "…", "signatureAlgorithm": "SHA256withECDSA"}}
//	{"afr_ota": {"files": [{"filepath": "…", "filesize": 9, "update_data_url": "https://…", "sig-sha256-ecdsa": "…"}]}}
//
// The first may be anywhere in the document; its URL is the other member of the
// object with the codesign element, under any name (jobs-control-plane.md section
// 6.5, device-clients.md section 6).
type claim struct {
	url, name   string
	size        int64 // of the file in bytes; negative when the document does not say
	algorithm   algorithm
	signature   []byte
	certificate string // PEM with the signer's certificate and its chain; empty: one of the trusted
}

// algorithm is how a file is signed.
type algorithm string

const (
	anyAlgorithm algorithm = "" // that of the key
	withECDSA    algorithm = "ECDSA with SHA-256"
	withRSA      algorithm = "RSA with SHA-256"
)

// algorithms are the names of algorithms, in lower case.
var algorithms = map[string]algorithm{
	"":                  anyAlgorithm,
	"sha256withecdsa":   withECDSA,
	"sha256withrsa":     withRSA,
	"sig-sha256-ecdsa":  withECDSA,
	"sig-sha256-rsa":    withRSA,
	"sha256-with-ecdsa": withECDSA,
	"sha256-with-rsa":   withRSA,
}

// claimsMax bounds the signed files of one document.
const claimsMax = 32

// found is what a document says about files.
type found struct {
	claims   []claim
	unsigned int    // files in a form that has room for a signature, but without one
	loose    string // the first URL that is neither of a signed file nor an upload; "" for none
}

// signedFiles returns what a document says about files. uploads are the names of
// members whose URLs are used for uploads only. A document in which an object has
// one member twice is an error: the application may read the other one.
func signedFiles(document []byte, uploads []string) (found, error) {
	var root any
	if err := json.Unmarshal(document, &root); err != nil {
		return found{}, errors.New("the job document is not JSON")
	}
	if name, twice := duplicate(document); twice {
		return found{}, fmt.Errorf("the job document has %.64q more than once", name)
	}
	f := finder{}
	f.visit(root)
	if len(f.claims) > claimsMax {
		f.err = fmt.Errorf("the job document names more than %d signed files", claimsMax)
	}
	f.loose = looseURL(root, uploads)
	return f.found, f.err
}

type finder struct {
	found
	err error // the first
}

// visit finds the signed files below v, and removes their URLs from it.
func (f *finder) visit(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			f.visit(item)
		}
	case map[string]any:
		if signed, ok := v["codesign"].(map[string]any); ok {
			f.element(v, signed)
		}
		if ota, ok := v["afr_ota"].(map[string]any); ok {
			files, _ := ota["files"].([]any)
			for _, file := range files {
				f.freeRTOS(file)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if name != "codesign" {
				f.visit(v[name])
			}
		}
	}
}

// element reads a codesign element and the other members of its object.
func (f *finder) element(beside, signed map[string]any) {
	c := claim{size: sizeOf(signed["rawPayloadSize"])}
	var urls []string
	for name, v := range beside {
		if text, ok := v.(string); ok && isURL(text) {
			c.url, urls = text, append(urls, name)
		}
	}
	if len(urls) != 1 {
		f.fail(fmt.Errorf("the job document has %d URLs beside a codesign element, so it does not say what is signed", len(urls)))
		return
	}
	delete(beside, urls[0])
	c.certificate, _ = signed["certificate"].(string)
	name, _ := signed["signatureAlgorithm"].(string)
	signature, _ := signed["signature"].(string)
	f.add(c, name, signature)
}

// freeRTOS reads one file of an afr_ota document.
func (f *finder) freeRTOS(v any) {
	file, _ := v.(map[string]any)
	c := claim{size: sizeOf(file["filesize"])}
	c.url, _ = file["update_data_url"].(string)
	c.name, _ = file["filepath"].(string)
	members := slices.DeleteFunc(slices.Sorted(maps.Keys(file)), func(name string) bool { return !strings.HasPrefix(name, "sig-") })
	slices.Reverse(members) // of several the strongest hash
	switch {
	case len(members) == 0:
		f.unsigned++
	case !isURL(c.url):
		f.fail(errors.New("the job document names a signed file that has no URL"))
	default:
		delete(file, "update_data_url")
		signature, _ := file[members[0]].(string)
		f.add(c, members[0], signature)
	}
}

func (f *finder) add(c claim, algorithm, signature string) {
	known := false
	if c.algorithm, known = algorithms[strings.ToLower(algorithm)]; !known {
		f.fail(fmt.Errorf("the signature algorithm %.64q is not known", algorithm))
		return
	}
	var err error
	if c.signature, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(signature), "")); err != nil || len(c.signature) == 0 {
		f.fail(errors.New("the job document has a signature that is not base64"))
		return
	}
	f.claims = append(f.claims, c)
}

func (f *finder) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

func isURL(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}

// anyURL finds what a device could download from: a URL of any scheme, also within
// a longer text such as a command, or one without a scheme.
var anyURL = regexp.MustCompile(`(?:[A-Za-z][A-Za-z0-9+.-]*:|^\s*)//[^\s"'<>]+`)

// looseURL returns the first URL below v, also in the name of a member, that is
// not in a member for uploads; "" for none.
func looseURL(v any, uploads []string) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(anyURL.FindString(v))
	case []any:
		for _, item := range v {
			if url := looseURL(item, uploads); url != "" {
				return url
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			url := looseURL(name, nil)
			if url == "" && !slices.Contains(uploads, name) {
				url = looseURL(v[name], uploads)
			}
			if url != "" {
				return url
			}
		}
	}
	return ""
}

// duplicate returns the name of a member that an object of a JSON text has twice.
func duplicate(text []byte) (name string, twice bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	var open []map[string]bool // the names in each object that is open; nil for an array
	named := false             // the next string is a value
	for {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		if name, ok := token.(string); ok && inObject && !named {
			if open[len(open)-1][name] {
				return name, true
			}
			open[len(open)-1][name], named = true, true
			continue
		}
		named = false
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
	}
}

// sizeOf returns v as a number of bytes, negative when it is not one.
func sizeOf(v any) int64 {
	n, ok := v.(float64)
	if !ok || n < 0 || n != float64(int64(n)) {
		return -1
	}
	return int64(n)
}
