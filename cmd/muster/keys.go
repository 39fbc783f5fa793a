package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/muster-iot/muster/identity"
)

func keyCommands() []command {
	return []command{
		{"list", "list the access keys, without their secrets", runKeysList},
		{"add", "make an access key and print it once", runKeysAdd},
		{"remove", "remove an access key", runKeysRemove},
	}
}

func runKeys(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return dispatch(ctx, "muster admin keys", keyCommands(), args, stdout, stderr)
}

// openKeys opens the keys of the data folder that a command was given. A server
// on it notices changes by itself.
func openKeys(name string, args []string) (*identity.Keys, error) {
	data, err := existing(name, args, 0)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(data.keys()); err != nil {
		return nil, fmt.Errorf("%s has no access keys yet; serve it once: %w", string(data), err)
	}
	return identity.OpenKeys(data.keysOptions(defaultConfig().Account, nil))
}

func runKeysList(_ context.Context, args []string, stdout, stderr io.Writer) error {
	args, err := parseFlags(flagSet("admin keys list", "DIR", stdout), args, 1)
	if err != nil {
		return err
	}
	keys, err := openKeys("admin keys list", args)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "access key\tprincipal\trights\tmade\tlast used\texpires\n")
	list := keys.List()
	for _, k := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", k.AccessKeyID, k.Principal, rightsOf(k), day(k.Made), minute(k.LastUsed), minute(k.Expires))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, k := range list {
		warnOfActions(stderr, k)
	}
	return nil
}

// rightsOf says in a word or two what a key may do.
func rightsOf(k identity.Key) string {
	switch n := len(k.Policies); {
	case k.FullAccess:
		return "full access"
	case n == 0:
		return "none"
	case n == 1:
		return "1 policy"
	default:
		return fmt.Sprintf("%d policies", n)
	}
}

// day and minute show a time in UTC, "-" when there is none.
func day(t time.Time) string    { return shownTime(t, time.DateOnly) }
func minute(t time.Time) string { return shownTime(t, "2006-01-02T15:04Z") }

func shownTime(t time.Time, layout string) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(layout)
}

// warnOfActions says which actions of a key's policies do not exist.
func warnOfActions(w io.Writer, k identity.Key) {
	if unknown := k.UnknownActions(knownActions()); len(unknown) > 0 {
		fmt.Fprintf(w, "muster: warning: the policy of %s (%s) names actions that do not exist and have no effect: %s\n",
			k.AccessKeyID, k.Principal, strings.Join(unknown, ", "))
	}
}

func runKeysAdd(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	user, account, policy, admin, expires := "", defaultConfig().Account, "", false, ""
	fs := flagSet("admin keys add", "DIR --user NAME (--policy FILE | --admin) [flags]", stdout)
	fs.StringVar(&user, "user", user, "whom the key is for")
	fs.StringVar(&account, "account", account, "`account` of the deployment: 12 digits")
	fs.StringVar(&policy, "policy", policy, "`file` with the policy document that says what the key may do")
	fs.BoolVar(&admin, "admin", admin, "the key may do everything")
	fs.StringVar(&expires, "expires", expires, "`when` the key stops being accepted: a time from now such as 12h or 90d, or a date such as 2030-12-31; never when not given")
	args, err := parseFlags(fs, args, 1)
	if err != nil {
		return err
	}
	now := time.Now()
	key := identity.NewKey(account, user)
	key.FullAccess, key.Made = admin, now.UTC().Truncate(time.Second)
	switch {
	case user == "":
		return usagef("admin keys add needs --user")
	case admin == (policy != ""):
		return usagef("admin keys add needs one of --policy FILE, which says what the key may do, and --admin, for a key that may do everything")
	case expires != "":
		if key.Expires, err = parseExpiry(expires, now); err != nil {
			return err
		}
	}
	if policy != "" {
		document, err := os.ReadFile(policy)
		if err != nil {
			return fmt.Errorf("policy: %w", err)
		}
		key.Policies = []string{string(document)}
	}
	if _, err := writable(ctx, "admin keys add", args, 0); err != nil {
		return err
	}
	keys, err := openKeys("admin keys add", args)
	if err != nil {
		return err
	}
	if err := keys.Add(key); err != nil {
		return err
	}
	for _, k := range keys.List() {
		if k.AccessKeyID == key.AccessKeyID {
			warnOfActions(stderr, k)
		}
	}
	_, err = fmt.Fprintf(stdout, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key.AccessKeyID, string(key.Secret))
	return err
}

// parseExpiry reads a time from now, which may be given in days, an instant, or a
// date, which means its beginning in UTC. It must not be over.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if days, ok := strings.CutSuffix(text, "d"); err != nil && ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil {
			at = now.AddDate(0, 0, n)
		}
	} else if err != nil {
		var d time.Duration
		d, err = time.ParseDuration(text)
		at = now.Add(d)
	}
	at = at.UTC().Truncate(time.Second)
	switch {
	case err != nil:
		return at, usagef("--expires %q is neither a time from now, such as 12h or 90d, nor a date such as 2030-12-31 or 2030-12-31T18:00:00Z", text)
	case !at.After(now):
		return at, usagef("--expires %s is over: the key would never be accepted", text)
	case at.Year() > 9999:
		return at, usagef("--expires %s is too far away; leave it out for a key that never expires", text)
	}
	return at, nil
}

func runKeysRemove(ctx context.Context, args []string, stdout, _ io.Writer) error {
	args, err := parseFlags(flagSet("admin keys remove", "DIR KEY", stdout), args, 2)
	if err != nil {
		return err
	}
	if _, err := writable(ctx, "admin keys remove", args, 0); err != nil {
		return err
	}
	keys, err := openKeys("admin keys remove", args)
	if err != nil {
		return err
	}
	if len(args) < 2 {
		return usagef("admin keys remove needs the access key id")
	}
	if err := keys.Remove(args[1]); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "removed %s\n", args[1])
	return err
}
