package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/operator"
)

// auditOrder are the flags of `muster audit`.
type auditOrder struct {
	which     whichServer
	out       output
	asked     operator.AuditQuestion
	from, to  string
	mostShown int
}

func auditCommand() *cobra.Command {
	o := auditOrder{mostShown: 100}
	cmd := &cobra.Command{
		Use:   "audit [flags]",
		Short: "show who changed what, and who was refused",
		Long: `Prints the audit records of a server, the newest first: when, who, from where, what,
on which resources, what became of it, and below that what it changed. Without
--data or --ready-file the server is the one that the AWS CLI calls; the key needs
muster:LookupAudit.`,
		Example: `  muster audit --resource job/fw
  muster audit --principal ann --from 24h`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	fs := cmd.Flags()
	fs.StringVar(&o.asked.Resource, "resource", "", "only what was done to a resource: its `ARN`, or the end of it such as job/fw")
	fs.StringVar(&o.asked.Principal, "principal", "", "only what a `key` did: an access key id, or the name of its user")
	fs.StringVar(&o.asked.Operation, "operation", "", "only the operation of this `name`, such as CreateJob")
	fs.StringVar(&o.from, "from", "", "only what was done from this `time` on: 2030-12-31T18:00:00Z, 2030-12-31, or a time before now such as 90m or 7d")
	fs.StringVar(&o.to, "to", "", "only what was done before this `time`, in the same forms")
	fs.IntVar(&o.mostShown, "max", o.mostShown, "`number` of records at most; 0 is all")
	o.which.register(fs)
	o.out.register(fs)
	return cmd
}

func (o auditOrder) run(cmd *cobra.Command) error {
	now, err := time.Now(), error(nil)
	if o.asked.From, err = timeBefore("from", o.from, now); err != nil {
		return err
	}
	if o.asked.To, err = timeBefore("to", o.to, now); err != nil {
		return err
	}
	if o.mostShown < 0 {
		return usagef("--max is %d; it must not be negative", o.mostShown)
	}
	api, err := o.which.client(cmd.Context())
	if err != nil {
		return err
	}
	page := operator.AuditPage{Records: []audit.Entry{}}
	for {
		found, err := operator.Client{API: api}.LookupAudit(cmd.Context(), o.asked)
		if err != nil {
			return err
		}
		page.Records = append(page.Records, found.Records...)
		o.asked.Token = found.Next
		if o.mostShown > 0 && len(page.Records) >= o.mostShown {
			o.asked.Token, page.Records = "", page.Records[:o.mostShown]
		}
		if o.asked.Token == "" {
			return o.out.show(cmd, page, func(s screen) error { return printAudit(s, page.Records) })
		}
	}
}

// timeBefore reads an instant, a date, which means its beginning in UTC, or a time before now, which may be in days. Without text it is zero.
func timeBefore(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usagef("--%s %q is neither a time such as 2030-12-31T18:00:00Z or 2030-12-31, nor a time before now such as 90m or 7d", flag, text)
}

// printAudit prints records: a line each, which is wrapped where the screen is narrow, and below it what was changed.
func printAudit(s screen, records []audit.Entry) error {
	for _, r := range records {
		for i, text := range auditLines(r) {
			if i == 0 {
				if err := s.paragraph(0, text); err != nil {
					return err
				}
				continue
			}
			if err := s.paragraph(4, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// auditLines returns a record in lines: what was done, and what that changed.
func auditLines(r audit.Entry) []string {
	words := []string{r.At, cmp.Or(r.User, "unknown")}
	if r.AccessKeyID != "" {
		words[1] += " (" + r.AccessKeyID + ")"
	}
	if r.Address != "" {
		words = append(words, "from "+r.Address)
	}
	words = append(words, r.Operation)
	for _, arn := range r.Resources {
		words = append(words, shortARN(arn))
	}
	words = append(words, string(r.Outcome))
	if r.Count > 1 {
		words = append(words, fmt.Sprintf("%d times", r.Count))
	}
	lines := []string{strings.Join(words, "  ")}
	if r.Error != "" {
		lines = append(lines, strings.TrimSuffix(r.Error+": "+r.Message, ": "))
	}
	for _, c := range r.Changes {
		what := strings.TrimSpace(c.Resource + " " + c.Field)
		switch {
		case c.Old == "" && c.New == "":
			lines = append(lines, what+" changed")
		case c.Old == "":
			lines = append(lines, what+": "+c.New)
		default:
			lines = append(lines, what+": "+c.Old+" → "+cmp.Or(c.New, "nothing"))
		}
	}
	if r.MoreChanges > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", r.MoreChanges))
	}
	return lines
}

// shortARN returns an ARN without its region and account.
func shortARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return arn
	}
	if parts[2] == "iot" {
		return parts[5]
	}
	return parts[2] + ":" + parts[5]
}
