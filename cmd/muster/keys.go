package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/keyuse"
	"github.com/muster-iot/muster/operator"
)

func keysCommand() *cobra.Command {
	return group("keys <command>", "list, add and remove access keys",
		"Access keys sign the requests of operators and their programs. Changes count\n"+
			"within a second, without a restart of the server.",
		keysListCommand(), keysAddCommand(), keysRemoveCommand())
}

// openKeys opens the keys of a data folder. A server on it notices changes by
// itself.
func openKeys(data datafolder.Folder) (*identity.Keys, error) {
	if _, err := os.Stat(data.Keys()); err != nil {
		return nil, fmt.Errorf("%s has no access keys yet; serve it once: %w", string(data), err)
	}
	return identity.OpenKeys(keysOptions(data, defaultConfig().Account, nil, nil))
}

// keysOptions says where access keys are kept, and their last use.
func keysOptions(data datafolder.Folder, account string, used identity.Uses, log *slog.Logger) identity.KeysOptions {
	return identity.KeysOptions{Path: data.Keys(), Used: used, Account: account, Now: time.Now, Actions: knownActions(), Log: log}
}

func keysListCommand() *cobra.Command {
	var c storeConfig
	var out output
	cmd := &cobra.Command{
		Use:   "list DIR [flags]",
		Short: "list the access keys, without their secrets",
		Long: `Prints each access key with whom it is for, what it may do, and when it was made,
last used and expires. When it was last used is in the store.`,
		Example: "  muster admin keys list /var/lib/muster",
		Args:    atMost(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runKeysList(cmd, args, c, out) },
	}
	c.register(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

// keyShown is an access key without its secret.
type keyShown struct {
	AccessKeyID   string           `json:"accessKeyId"`
	Principal     string           `json:"principal"`
	FullAccess    bool             `json:"fullAccess"`
	Policies      int              `json:"policies"`
	Made          operator.Instant `json:"made,omitzero"`
	LastUsed      operator.Instant `json:"lastUsed,omitzero"` // to the minute; absent: never
	LastUsedKnown bool             `json:"lastUsedKnown"`
	Expires       operator.Instant `json:"expires,omitzero"` // absent: never
	rights        string           // in words
}

func runKeysList(cmd *cobra.Command, args []string, c storeConfig, out output) error {
	if _, err := c.database(); err != nil {
		return err
	}
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	keys, err := openKeys(data)
	if err != nil {
		return err
	}
	uses, unread := c.lastUses(cmd.Context(), data)
	if unread != nil { // the keys themselves are there
		fmt.Fprintln(cmd.ErrOrStderr(), "muster: warning: when the keys were last used cannot be read:", unread)
	}
	list := []keyShown{}
	for _, k := range keys.List() {
		list = append(list, keyShown{
			k.AccessKeyID, k.Principal, k.FullAccess, len(k.Policies), operator.At(k.Made), operator.At(uses[k.AccessKeyID]), unread == nil, operator.At(k.Expires), rightsOf(k),
		})
	}
	if err := out.show(cmd, map[string][]keyShown{"keys": list}, func(s screen) error { return printKeys(s, list) }); err != nil {
		return err
	}
	for _, k := range keys.List() {
		warnOfActions(cmd.ErrOrStderr(), k)
	}
	return nil
}

func printKeys(s screen, list []keyShown) error {
	columns := []column{{name: "access key"}, {name: "principal"}, {name: "rights", aside: true}, {name: "made", aside: true}, {name: "last used"}, {name: "expires"}}
	var rows [][]string
	for _, k := range list {
		used := "unknown"
		if k.LastUsedKnown {
			used = minute(k.LastUsed.Time())
		}
		rows = append(rows, []string{k.AccessKeyID, k.Principal, k.rights, day(k.Made.Time()), used, minute(k.Expires.Time())})
	}
	return s.table(columns, rows)
}

// lastUses returns when the access keys of a data folder were last used: its server knows, or the
// store.
func (c storeConfig) lastUses(ctx context.Context, data datafolder.Folder) (map[string]time.Time, error) {
	if !data.HasStore() { // it is yet to be served
		return data.LastUses(ctx, nil)
	}
	s, owner, err := c.open(ctx, data, true)
	switch {
	case err != nil:
		return nil, err
	case owner == nil:
		defer s.Close()
		return data.LastUses(ctx, keyuse.On(s))
	}
	list, err := owner.ListKeys(ctx)
	uses := map[string]time.Time{}
	for _, k := range list.Keys {
		uses[k.AccessKeyID] = k.LastUsed.Time()
	}
	return uses, err
}

// rightsOf returns what a key may do, in a word or two.
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

// warnOfActions prints which actions in a key's policies do not exist.
func warnOfActions(w io.Writer, k identity.Key) {
	if unknown := k.UnknownActions(knownActions()); len(unknown) > 0 {
		fmt.Fprintf(w, "muster: warning: the policy of %s (%s) names actions that do not exist and have no effect: %s\n",
			k.AccessKeyID, k.Principal, strings.Join(unknown, ", "))
	}
}

// newKey are the flags of `muster admin keys add`.
type newKey struct {
	user, account, policy string
	admin                 bool
	expires               string
	out                   output
}

func keysAddCommand() *cobra.Command {
	k := newKey{account: defaultConfig().Account}
	cmd := &cobra.Command{
		Use:   "add DIR --user NAME (--policy FILE | --admin) [flags]",
		Short: "make an access key and print it once",
		Long: `Makes an access key and prints it in the form of an AWS credentials file. Its
secret is not shown again.`,
		Example: `  muster admin keys add /var/lib/muster --user ann --admin
  muster admin keys add /var/lib/muster --user ci --policy ci.json --expires 90d`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return k.add(cmd, args) },
	}
	fs := cmd.Flags()
	k.out.register(fs)
	fs.StringVar(&k.user, "user", k.user, "`name` of whom the key is for")
	fs.StringVar(&k.account, "account", k.account, "`account` of the deployment: 12 digits")
	fs.StringVar(&k.policy, "policy", k.policy, "`file` with the policy document that says what the key may do")
	fs.BoolVar(&k.admin, "admin", k.admin, "the key may do everything")
	fs.StringVar(&k.expires, "expires", k.expires, "`when` the key stops being accepted: a time from now such as 12h or 90d, or a date such as 2030-12-31; never when not given")
	return cmd
}

// key returns the key that is to be added.
func (n newKey) key(now time.Time) (key identity.Key, err error) {
	key = identity.NewKey(n.account, n.user)
	key.FullAccess, key.Made = n.admin, now.UTC().Truncate(time.Second)
	switch {
	case n.user == "":
		return key, usagef("admin keys add needs --user")
	case n.admin == (n.policy != ""):
		return key, usagef("admin keys add needs one of --policy FILE, which says what the key may do, and --admin, for a key that may do everything")
	case n.expires != "":
		if key.Expires, err = parseExpiry(n.expires, now); err != nil {
			return key, err
		}
	}
	if n.policy != "" {
		document, err := os.ReadFile(n.policy)
		if err != nil {
			return key, fmt.Errorf("policy: %w", err)
		}
		key.Policies = []string{string(document)}
	}
	return key, nil
}

func (n newKey) add(cmd *cobra.Command, args []string) error {
	key, err := n.key(time.Now())
	if err != nil {
		return err
	}
	data, err := writable(cmd, args)
	if err != nil {
		return err
	}
	keys, err := openKeys(data)
	if err != nil {
		return err
	}
	added := byHand{"AddKey", []string{key.Principal}, []audit.Change{
		{Resource: "accesskey/" + key.AccessKeyID, Field: "rights", New: rightsOf(key)},
		{Resource: "accesskey/" + key.AccessKeyID, Field: "expires", New: minute(key.Expires)},
	}}
	if err := added.recorded(cmd, data, func() error { return keys.Add(key) }); err != nil {
		return err
	}
	for _, k := range keys.List() {
		if k.AccessKeyID == key.AccessKeyID {
			warnOfActions(cmd.ErrOrStderr(), k)
		}
	}
	made := newKeyShown{key.AccessKeyID, string(key.Secret), key.Principal, operator.At(key.Expires)}
	return n.out.said(cmd, made, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s", made.AccessKeyID, made.SecretAccessKey)
}

// newKeyShown is a new access key with its secret, which is shown this once.
type newKeyShown struct {
	AccessKeyID     string           `json:"accessKeyId"`
	SecretAccessKey string           `json:"secretAccessKey"`
	Principal       string           `json:"principal"`
	Expires         operator.Instant `json:"expires,omitzero"` // absent: never
}

// parseExpiry reads a duration from now, which may be in days, an instant, or a date, which
// means its beginning in UTC. The result must be in the future.
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

func keysRemoveCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "remove DIR KEY [flags]",
		Short:   "remove an access key",
		Long:    "Removes the access key with the id KEY. Requests that it signed are refused\nwithin a second.",
		Example: "  muster admin keys remove /var/lib/muster AKIAIOSFODNN7EXAMPLE",
		Args:    atMost(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return runKeysRemove(cmd, args, out) },
	}
	out.register(cmd.Flags())
	return cmd
}

func runKeysRemove(cmd *cobra.Command, args []string, out output) error {
	data, err := writable(cmd, args)
	if err != nil {
		return err
	}
	keys, err := openKeys(data)
	if err != nil {
		return err
	}
	if len(args) < 2 {
		return usagef("admin keys remove needs the access key id")
	}
	removed := byHand{operation: "RemoveKey"}
	for _, k := range keys.List() {
		if k.AccessKeyID == args[1] {
			removed.resources = []string{k.Principal}
			removed.changes = []audit.Change{{Resource: "accesskey/" + k.AccessKeyID, Field: "rights", Old: rightsOf(k)}}
		}
	}
	if err := removed.recorded(cmd, data, func() error { return keys.Remove(args[1]) }); err != nil {
		return err
	}
	return out.said(cmd, map[string]string{"removed": args[1]}, "removed %s", args[1])
}
