package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/codesign"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/operator"
)

func profilesCommand() *cobra.Command {
	return group("signing-profile <command>", "make and list the keys that sign job files",
		"A signing profile is a key and its certificate. Devices that have the\n"+
			"certificate can tell files that the key signed from others.",
		profileCreateCommand(), profileListCommand())
}

// daysMax bounds the life of a certificate, in days.
const daysMax = 20_000

// newProfile are the flags of `muster admin signing-profile create`.
type newProfile struct {
	keyType          string
	days             int
	key, certificate string // files; empty for a new key
	out              output
}

func profileCreateCommand() *cobra.Command {
	p := newProfile{keyType: string(codesign.ECDSA), days: 3650}
	cmd := &cobra.Command{
		Use:   "create DIR NAME [flags]",
		Short: "make a signing profile: a key and its certificate",
		Long: `Makes a key and a certificate for it, or takes those that you have, and keeps
them in the data folder under NAME.`,
		Example: `  muster admin signing-profile create /var/lib/muster firmware
  muster admin signing-profile create /var/lib/muster firmware \
      --key key.pem --certificate certificate.pem`,
		Args: atMost(2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.create(cmd, args) },
	}
	fs := cmd.Flags()
	p.out.register(fs)
	fs.StringVar(&p.keyType, "key-type", p.keyType, "kind of the new key, `ecdsa|rsa`: P-256, or 2048 bits")
	fs.IntVar(&p.days, "days", p.days, "how many `days` its certificate counts")
	fs.StringVar(&p.key, "key", p.key, "PEM `file` of a key to take instead")
	fs.StringVar(&p.certificate, "certificate", p.certificate, "PEM `file` of its certificate, with those that vouch for it behind it")
	return cmd
}

func (n newProfile) create(cmd *cobra.Command, args []string) error {
	data, err := writable(cmd, args)
	switch {
	case err != nil:
		return err
	case len(args) < 2:
		return usagef("admin signing-profile create needs a name for the profile")
	case (n.key == "") != (n.certificate == ""):
		return usagef("--key and --certificate go together")
	case n.days < 1 || n.days > daysMax:
		return usagef("--days is %d; it must be 1 to %d", n.days, daysMax)
	}
	var p *codesign.Profile
	made := byHand{"CreateSigningProfile", nil, []audit.Change{{Resource: "signingprofile/" + args[1], Field: "name", New: args[1]}}}
	err = made.recorded(cmd, data, func() (err error) {
		if n.key != "" {
			p, err = importProfile(data, args[1], n.certificate, n.key)
		} else {
			p, err = data.Signing().Create(args[1], codesign.KeyType(n.keyType), time.Duration(n.days)*24*time.Hour, time.Now())
		}
		return err
	})
	if err != nil {
		return err
	}
	shown := shownProfile(data, p)
	return n.out.said(cmd, shown, "made the signing profile %s (%s); give its certificate to devices: %s", shown.Name, shown.Algorithm, shown.Certificate)
}

func importProfile(data datafolder.Folder, name, certificate, key string) (*codesign.Profile, error) {
	chain, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	return data.Signing().Import(name, string(chain), string(secret))
}

func profileListCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "list DIR [flags]",
		Short:   "list the signing profiles and their certificates",
		Long:    "Prints each signing profile with its algorithm, the end of its certificate, and\nthe file of that certificate.",
		Example: "  muster admin signing-profile list /var/lib/muster",
		Args:    atMost(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runProfileList(cmd, args, out) },
	}
	out.register(cmd.Flags())
	return cmd
}

// profileShown is a signing profile without its key.
type profileShown struct {
	Name        string           `json:"name"`
	Algorithm   string           `json:"algorithm"`
	Until       operator.Instant `json:"until"`       // the end of its certificate
	Certificate string           `json:"certificate"` // the file of it
}

func shownProfile(data datafolder.Folder, p *codesign.Profile) profileShown {
	return profileShown{p.Name, p.Type.Algorithm(), operator.At(p.Chain[0].NotAfter), data.Signing().Certificate(p.Name)}
}

func runProfileList(cmd *cobra.Command, args []string, out output) error {
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	names, err := data.Signing().List()
	if err != nil {
		return err
	}
	list := []profileShown{}
	for _, name := range names {
		p, err := data.Signing().Open(name)
		if err != nil {
			return err
		}
		list = append(list, shownProfile(data, p))
	}
	return out.show(cmd, map[string][]profileShown{"profiles": list}, func(s screen) error { return printProfiles(s, list) })
}

func printProfiles(s screen, list []profileShown) error {
	var rows [][]string
	for _, p := range list {
		rows = append(rows, []string{p.Name, p.Algorithm, day(p.Until.Time()), p.Certificate})
	}
	return s.table([]column{{name: "profile"}, {name: "algorithm"}, {name: "until"}, {name: "certificate"}}, rows)
}

// The forms in which `muster admin sign` prints.
const (
	formElement   = "codesign"
	formFreeRTOS  = "afr_ota"
	formSignature = "signature"
)

// signOrder are the flags of `muster admin sign`.
type signOrder struct{ profile, form, location string }

func signCommand() *cobra.Command {
	o := signOrder{form: formElement}
	cmd := &cobra.Command{
		Use:   "sign DIR FILE --profile NAME [flags]",
		Short: "sign a file and print what a job document says of it",
		Long: `Signs FILE, or standard input when FILE is -, with the key of a signing profile
of the data folder DIR, and prints the signature in the form that --form names.`,
		Example: `  muster admin sign /var/lib/muster lamp.bin --profile firmware
  muster admin sign /var/lib/muster lamp.bin --profile firmware --form signature`,
		Args: atMost(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.sign(cmd, args) },
	}
	fs := cmd.Flags()
	fs.StringVar(&o.profile, "profile", o.profile, "`name` of the signing profile")
	fs.StringVar(&o.form, "form", o.form, "what to print, `codesign|afr_ota|signature`: the element of that name, the members of a file for FreeRTOS, or the signature alone")
	fs.StringVar(&o.location, "location", o.location, "where the file will be, `s3://bucket/key?versionId=…`, for the codesign element")
	return cmd
}

func (o signOrder) sign(cmd *cobra.Command, args []string) error {
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	if len(args) < 2 || o.profile == "" {
		return usagef("admin sign needs the file to sign, - for standard input, and --profile")
	}
	var at *codesign.S3Object
	if o.location != "" {
		object, err := codesign.ParseS3Object(o.location)
		if err != nil {
			return usagef("--location %v", err)
		}
		at = &object
	}
	p, err := data.Signing().Open(o.profile)
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
	return printSignature(cmd.OutOrStdout(), o.form, p, signature, at)
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
