package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/datafolder"
)

func secretsCommand() *cobra.Command {
	return group("secrets <command>", "make the keys and certificates of a deployment",
		"Servers that share a database also share the access keys, the certificate\n"+
			"authority and the certificates that clients trust. Each gets a copy.",
		secretsInitCommand())
}

func secretsInitCommand() *cobra.Command {
	c := defaultConfig()
	var out output
	cmd := &cobra.Command{
		Use:   "init DIR [flags]",
		Short: "make a folder with the secrets of a deployment",
		Long: `Makes the folder DIR, with everything that the servers of one deployment share and
nothing else: the first access key, the certificate authorities, the certificate
of the servers, and the key of job files. It is a data folder: serve it, or a copy
of it. The flags have the values that the servers will get.`,
		Example: `  muster admin secrets init /etc/muster/secrets --hosts muster.example
  cp -pr /etc/muster/secrets /var/lib/muster
  muster serve --data /var/lib/muster --hosts muster.example \
      --store postgres://ann@db.example/muster`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runSecretsInit(cmd, args, c, out) },
	}
	c.registerDeployment(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

func runSecretsInit(cmd *cobra.Command, args []string, c Config, out output) error {
	if len(args) == 0 {
		return usagef("%s needs the folder", nameOf(cmd))
	}
	if err := c.checkDeployment(); err != nil {
		return err
	}
	data, err := datafolder.Make(args[0])
	if err != nil {
		return err
	}
	err = byHand{operation: "MakeSecrets"}.recorded(cmd, data, func() error {
		return data.MakeSecrets(cmd.Context(), muster.Account{ID: c.Account, Region: c.Region}, c.hosts(), time.Now)
	})
	if err != nil {
		return err
	}
	return out.said(cmd, map[string]string{"folder": string(data)}, "made %s", string(data))
}
