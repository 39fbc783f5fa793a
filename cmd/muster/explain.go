package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/service"
)

func explainCommand() *cobra.Command {
	q, asJSON, grace := iotpolicy.Question{}, false, defaultConfig().CertificateGrace
	var c storeConfig
	account := muster.Account{ID: defaultConfig().Account, Region: defaultConfig().Region}
	cmd := &cobra.Command{
		Use:   "explain-policy DIR --who ID --action ACTION --resource ARN [flags]",
		Short: "say what a device or access key may do, and why",
		Long: `Says whether a device, by its certificate, or an access key may do an action on a
resource, and which statement of which policy decides it.`,
		Example: `  muster admin explain-policy /var/lib/muster --who AKIAIOSFODNN7EXAMPLE \
      --action iot:CreateJob --resource job/my-job
  muster admin explain-policy data --who 5c1d… --client-id lamp1 \
      --action iot:Publish --resource topic/lamps/1`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Who == "" || q.Action == "" || q.Resource == "" {
				return usagef("admin explain-policy needs --who, --action and --resource")
			}
			data, err := existing(cmd, args)
			if err != nil {
				return err
			}
			e, err := explain(cmd.Context(), data, c, account, grace, q)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(e)
			}
			return printExplanation(cmd.OutOrStdout(), e)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&q.Who, "who", q.Who, "certificate id, certificate ARN or access key `id`")
	fs.StringVar(&q.ClientID, "client-id", q.ClientID, "MQTT client `id` that the device connects with; none means HTTPS")
	fs.StringVar(&q.Action, "action", q.Action, "`action` such as iot:Publish")
	fs.StringVar(&q.Resource, "resource", q.Resource, "`ARN`, or the end of one such as topic/a/b")
	fs.BoolVar(&asJSON, "json", asJSON, "print JSON")
	c.register(fs)
	fs.StringVar(&account.ID, "account", account.ID, "`account` of the deployment, while no server runs")
	fs.StringVar(&account.Region, "region", account.Region, "`region` of the deployment, while no server runs")
	fs.DurationVar(&grace, "certificate-grace", grace, "while no server runs: "+graceUsage)
	return cmd
}

// explain asks the server of a data folder or, when none is running, reads the folder.
func explain(ctx context.Context, data datafolder.Folder, c storeConfig, account muster.Account, grace time.Duration, q iotpolicy.Question) (iotpolicy.Explanation, error) {
	keys, err := openKeys(data)
	if err != nil {
		return iotpolicy.Explanation{}, err
	}
	s, owner, err := c.open(ctx, data, true)
	switch {
	case err != nil:
		return iotpolicy.Explanation{}, err
	case owner != nil:
		return owner.ExplainPolicy(ctx, q)
	}
	defer s.Close()
	now := func() muster.Instant { return muster.At(time.Now()) }
	return authz.New(authz.Options{
		Principals: service.New(service.Options{Store: s, Account: account, Now: now}).Rights, Account: account, Now: now, Grace: grace, Keys: keys.Holder,
	}).Explain(ctx, q)
}

func printExplanation(w io.Writer, e iotpolicy.Explanation) error {
	may := "may not"
	if e.Allowed {
		may = "may"
	}
	fmt.Fprintf(w, "%s\n  %s %s\n  on %s\n\n", e.Principal, may, e.Action, e.Resource)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, text)
		}
	}
	row("refused", e.Refused)
	row("policies say", e.Decision)
	if e.Policy != "" {
		row("decided by", fmt.Sprintf("statement %s of policy %s", e.Statement, e.Policy))
	}
	row("connects as thing", e.Thing)
	row("variables without a value", strings.Join(e.Missing, " "))
	fmt.Fprint(table, "\npolicy in force\tversion\tsays by itself\tstatement\n")
	for _, p := range e.Policies {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", p.Name, p.Version, p.Decision, p.Statement)
	}
	return table.Flush()
}
