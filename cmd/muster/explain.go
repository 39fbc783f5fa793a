package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/service"
)

func explainCommand() *cobra.Command {
	q, grace := iotpolicy.Question{}, defaultConfig().CertificateGrace
	var out output
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
			e, err := decide(cmd.Context(), data, c, account, grace, q)
			if err != nil {
				return err
			}
			return out.show(cmd, e, func(s screen) error { return printExplanation(s, e) })
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&q.Who, "who", q.Who, "certificate id, certificate ARN or access key `id`")
	fs.StringVar(&q.ClientID, "client-id", q.ClientID, "MQTT client `id` that the device connects with; none means HTTPS")
	fs.StringVar(&q.Action, "action", q.Action, "`action` such as iot:Publish")
	fs.StringVar(&q.Resource, "resource", q.Resource, "`ARN`, or the end of one such as topic/a/b")
	out.register(fs)
	c.register(fs)
	fs.StringVar(&account.ID, "account", account.ID, "`account` of the deployment, while no server runs")
	fs.StringVar(&account.Region, "region", account.Region, "`region` of the deployment, while no server runs")
	fs.DurationVar(&grace, "certificate-grace", grace, "while no server runs: "+graceUsage)
	return cmd
}

// decide asks the server of a data folder or, when none is running, reads the folder.
func decide(ctx context.Context, data datafolder.Folder, c storeConfig, account muster.Account, grace time.Duration, q iotpolicy.Question) (iotpolicy.Explanation, error) {
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

func printExplanation(s screen, e iotpolicy.Explanation) error {
	may := "may not"
	if e.Allowed {
		may = "may"
	}
	for _, line := range []string{e.Principal, "  " + may + " " + e.Action, "  on " + e.Resource} {
		fmt.Fprintln(s.w, printable(line))
	}
	fmt.Fprintln(s.w)
	facts := [][2]string{{"refused", e.Refused}, {"policies say", e.Decision}}
	if e.Policy != "" {
		facts = append(facts, [2]string{"decided by", fmt.Sprintf("statement %s of policy %s", e.Statement, e.Policy)})
	}
	facts = append(facts, [2]string{"connects as thing", e.Thing}, [2]string{"variables without a value", strings.Join(e.Missing, " ")})
	if err := s.facts(facts); err != nil {
		return err
	}
	fmt.Fprintln(s.w)
	var rows [][]string
	for _, p := range e.Policies {
		rows = append(rows, []string{p.Name, p.Version, p.Decision, p.Statement})
	}
	return s.table([]column{{name: "policy in force"}, {name: "version"}, {name: "says by itself"}, {name: "statement"}}, rows)
}
