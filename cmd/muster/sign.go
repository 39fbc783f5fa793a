package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/muster-iot/muster/codesign"
)

func profileCommands() []command {
	return []command{
		{"create", "make a signing profile: a key and its certificate", runProfileCreate},
		{"list", "list the signing profiles and their certificates", runProfileList},
	}
}

func runProfiles(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return dispatch(ctx, "muster admin signing-profile", profileCommands(), args, stdout, stderr)
}

// daysMax keeps certificates within this century.
const daysMax = 20_000

func runProfileCreate(ctx context.Context, args []string, stdout, _ io.Writer) error {
	keyType, days, key, certificate := string(codesign.ECDSA), 3650, "", ""
	fs := flagSet("admin signing-profile create", "DIR NAME [flags]", stdout)
	fs.StringVar(&keyType, "key-type", keyType, "ecdsa (P-256) or rsa (2048 bits) of the new key")
	fs.IntVar(&days, "days", days, "how many `days` its certificate counts")
	fs.StringVar(&key, "key", key, "PEM `file` of a key to take instead")
	fs.StringVar(&certificate, "certificate", certificate, "PEM `file` of its certificate, with those that vouch for it behind it")
	args, err := parseFlags(fs, args, 2)
	if err != nil {
		return err
	}
	data, err := writable(ctx, "admin signing-profile create", args, 0)
	switch {
	case err != nil:
		return err
	case len(args) < 2:
		return usagef("admin signing-profile create needs a name for the profile")
	case (key == "") != (certificate == ""):
		return usagef("--key and --certificate go together")
	case days < 1 || days > daysMax:
		return usagef("--days is %d; it must be 1 to %d", days, daysMax)
	}
	var p *codesign.Profile
	if key != "" {
		p, err = importProfile(data, args[1], certificate, key)
	} else {
		p, err = data.signing().Create(args[1], codesign.KeyType(keyType), time.Duration(days)*24*time.Hour, time.Now())
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "made the signing profile %s (%s); give its certificate to devices: %s\n", p.Name, p.Type.Algorithm(), data.signing().Certificate(p.Name))
	return err
}

func importProfile(data folder, name, certificate, key string) (*codesign.Profile, error) {
	chain, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	return data.signing().Import(name, string(chain), string(secret))
}

func runProfileList(_ context.Context, args []string, stdout, _ io.Writer) error {
	args, err := parseFlags(flagSet("admin signing-profile list", "DIR", stdout), args, 1)
	if err != nil {
		return err
	}
	data, err := existing("admin signing-profile list", args, 0)
	if err != nil {
		return err
	}
	names, err := data.signing().List()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, name := range names {
		p, err := data.signing().Open(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\tuntil %s\t%s\n", name, p.Type.Algorithm(), p.Chain[0].NotAfter.UTC().Format(time.DateOnly), data.signing().Certificate(name))
	}
	return table.Flush()
}

// The forms in which `muster admin sign` prints.
const (
	formElement   = "codesign"
	formFreeRTOS  = "afr_ota"
	formSignature = "signature"
)

func runSign(_ context.Context, args []string, stdout, _ io.Writer) error {
	profile, form, location := "", formElement, ""
	fs := flagSet("admin sign", "DIR FILE --profile NAME [flags]", stdout)
	fs.StringVar(&profile, "profile", profile, "`name` of the signing profile")
	fs.StringVar(&form, "form", form, "what to print: codesign, the element of that name; afr_ota, the members of a file for FreeRTOS; or the signature alone")
	fs.StringVar(&location, "location", location, "where the file will be, `s3://bucket/key?versionId=…`, for the codesign element")
	args, err := parseFlags(fs, args, 2)
	if err != nil {
		return err
	}
	data, err := existing("admin sign", args, 0)
	if err != nil {
		return err
	}
	if len(args) < 2 || profile == "" {
		return usagef("admin sign needs the file to sign, - for standard input, and --profile")
	}
	at, err := readLocation(location)
	if err != nil {
		return err
	}
	p, err := data.signing().Open(profile)
	if err != nil {
		return err
	}
	if err := p.Valid(time.Now()); err != nil {
		return err
	}
	signature, err := signFile(p, args[1])
	if err != nil {
		return err
	}
	return printSignature(stdout, form, p, signature, at)
}

func signFile(p *codesign.Profile, name string) (codesign.Signature, error) {
	if name == "-" {
		return p.Sign(os.Stdin)
	}
	file, err := os.Open(name)
	if err != nil {
		return codesign.Signature{}, err
	}
	defer file.Close()
	return p.Sign(file)
}

func printSignature(w io.Writer, form string, p *codesign.Profile, s codesign.Signature, at *codesign.S3Object) error {
	var text []byte
	var err error
	switch form {
	case formElement:
		text, err = json.MarshalIndent(p.Element(s, at), "", "  ")
	case formFreeRTOS:
		text, err = p.FreeRTOS(s)
	case formSignature:
		text = []byte(s.String())
	default:
		err = usagef("--form is %q; it must be %s, %s or %s", form, formElement, formFreeRTOS, formSignature)
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", text)
	}
	return err
}

// readLocation reads s3://bucket/key?versionId=…; nil for nothing.
func readLocation(text string) (*codesign.S3Object, error) {
	if text == "" {
		return nil, nil
	}
	plain, query, _ := strings.Cut(strings.TrimPrefix(text, "s3://"), "?")
	bucket, key, _ := strings.Cut(plain, "/")
	values, err := url.ParseQuery(query)
	if err != nil || !strings.HasPrefix(text, "s3://") || bucket == "" || key == "" {
		return nil, usagef("--location %q is not s3://bucket/key?versionId=…", text)
	}
	return &codesign.S3Object{BucketName: bucket, Key: key, Version: values.Get("versionId")}, nil
}
