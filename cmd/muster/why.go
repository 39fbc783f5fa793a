package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/operator"
)

func whyCommand() *cobra.Command {
	var which whichServer
	var out output
	job := ""
	cmd := &cobra.Command{
		Use:   "explain THING [JOB] | explain --job JOB [flags]",
		Short: "say why a job does not move, and when it will",
		Long: `Says in one sentence why a job does not move on a thing: since when, what happens
next and when, which commands help, and what that rests on. Without JOB it does so
for each job that the thing has to do. With --job it says how many things of a job
wait for which cause. Without --data or --ready-file the server that is asked is
the one that the AWS CLI calls.`,
		Example: `  muster explain pump-7 fw-2.4.1
  muster explain pump-7
  muster explain --job fw-2.4.1 --json`,
		Args: atMost(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (job == "") == (len(args) == 0) {
				return usagef("explain needs the name of a thing, or --job and the id of a job")
			}
			api, err := which.client(cmd.Context())
			if err != nil {
				return err
			}
			return explainTo(cmd, operator.Client{API: api}, out, job, args)
		},
	}
	which.register(cmd.Flags())
	cmd.Flags().StringVar(&job, "job", job, "`id` of a job that is explained as a whole")
	out.register(cmd.Flags())
	return cmd
}

// explainTo prints what a server says of a thing and perhaps a job, or of a job as a whole if that is not empty.
func explainTo(cmd *cobra.Command, c operator.Client, out output, job string, args []string) error {
	switch {
	case job != "":
		all, err := c.ExplainJob(cmd.Context(), muster.JobID(job))
		if err != nil {
			return err
		}
		return out.show(cmd, all, func(s screen) error { return printCauses(s, all) })
	case len(args) == 1:
		all, err := c.ExplainThing(cmd.Context(), muster.ThingName(args[0]))
		if err != nil {
			return err
		}
		return out.show(cmd, all, func(s screen) error { return printExplanations(s, all) })
	}
	e, err := c.Explain(cmd.Context(), muster.ThingName(args[0]), muster.JobID(args[1]))
	if err != nil {
		return err
	}
	return out.show(cmd, e, func(s screen) error { return printWhy(s, e) })
}

func printWhy(s screen, e explain.Explanation) error {
	if err := s.paragraph(0, e.Say); err != nil {
		return err
	}
	if err := s.facts(whyFacts(e)); err != nil {
		return err
	}
	for _, h := range e.Help {
		if _, err := fmt.Fprintf(s.w, "\nTo %s:\n  %s\n", printable(h.Say), printable(h.Command)); err != nil {
			return err
		}
	}
	return nil
}

// whyFacts are what is printed below the sentence of an explanation.
func whyFacts(e explain.Explanation) [][2]string {
	next := e.Next.Say
	if e.Next.At != 0 {
		at := e.Next.At.Time().Format(time.RFC3339)
		if e.Next.Estimate {
			at = "about " + at
		}
		next = strings.TrimSuffix(at+": "+next, ": ")
	}
	facts := [][2]string{{"code", string(e.Code)}, {"since", sinceWhen(e.Since)}, {"next", next}}
	for _, f := range e.Facts {
		facts = append(facts, [2]string{f.What, f.Is})
	}
	facts = append(facts, [2]string{"device known as of", sinceWhen(e.AsOf)})
	var passed []string
	for _, code := range e.Passed {
		passed = append(passed, string(code))
	}
	return append(facts, [2]string{"checked before", strings.Join(passed, ", ")})
}

// sinceWhen returns an instant as people are shown it, "" for zero.
func sinceWhen(at muster.Instant) string {
	if at == 0 {
		return ""
	}
	return at.Time().Format(time.RFC3339)
}

func printExplanations(s screen, all explain.OfThing) error {
	if len(all.Explanations) == 0 {
		return s.paragraph(0, all.Say)
	}
	for i, e := range all.Explanations {
		if i > 0 {
			if _, err := fmt.Fprintln(s.w); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(s.w, s.paint(bold, printable(string(e.Job)))+"  "+string(e.Code)); err != nil {
			return err
		}
		if err := s.paragraph(2, e.Say); err != nil {
			return err
		}
	}
	if all.More {
		return s.paragraph(0, "There are more jobs, which are not explained.")
	}
	return nil
}

func printCauses(s screen, all explain.OfJob) error {
	if err := s.paragraph(0, all.Say); err != nil {
		return err
	}
	if !all.Exact {
		if err := s.paragraph(0, fmt.Sprintf("Of the things with a pending execution %d were looked at.", all.Sampled)); err != nil {
			return err
		}
	}
	for _, cause := range all.Causes {
		if _, err := fmt.Fprintf(s.w, "\n%s  %d  %s\n", s.paint(bold, string(cause.Code)), cause.Things, cause.Means); err != nil {
			return err
		}
		for _, e := range cause.Sample {
			if err := s.paragraph(2, e.Say); err != nil {
				return err
			}
		}
	}
	return nil
}
