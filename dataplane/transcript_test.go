package dataplane

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/jobs"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata with what was heard")

// TestTranscripts plays the files in testdata on every store and with clients of
// both versions of MQTT. A file is a list of steps, each followed by everything
// that any client receives because of it:
//
//	given thing lamp                    the registry has a thing
//	given job fw for lamp {"do":"it"}   a job is rolled out; "in gg" before the document gives it a namespace
//	given cancel fw | delete fw         a job is cancelled or deleted; "force" may follow
//	given cancel fw/lamp | delete fw/lamp
//	                                    the same for its execution
//	wait 10s                            time passes
//	subscribe <filter>…                 over MQTT
//	send <topic> [payload]              over MQTT, with QoS 1
//	send GET <path> [wait=10] [body]    over HTTPS; wait becomes a Prefer header
//	expect <topic>                      a message to the device, its payload in the next line
//	expect 200                          an answer over HTTPS, its body in the next line
//
// A step that begins with "other:" is that of another connection, and so is what
// is expected there.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		for name, open := range stores(t) {
			for version, protocol := range map[byte]string{packet.V311: "MQTT 3.1.1", packet.V5: "MQTT 5"} {
				t.Run(strings.Join([]string{filepath.Base(file), name, protocol}, "/"), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { play(t, file, newEnv(t, open(t), version)) })
				})
			}
		}
	}
}

// play runs one file.
func play(t *testing.T, file string, env *env) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i := 0; i < len(lines); {
		step := lines[i]
		i++
		out = append(out, step)
		if step == "" || strings.HasPrefix(step, "#") {
			continue
		}
		var want []string
		for i < len(lines) && (strings.HasPrefix(lines[i], "expect ") || strings.HasPrefix(lines[i], "   ")) {
			want = append(want, lines[i])
			i++
		}
		env.step(step)
		env.settle()
		got := env.heard()
		out = append(out, got...)
		if !*update && !slices.Equal(got, want) {
			t.Fatalf("%s: after\n%s\ngot\n%s\nwant\n%s", file, step, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// step does what one line says.
func (env *env) step(line string) {
	env.t.Helper()
	who := lamp
	if rest, ok := strings.CutPrefix(line, "other: "); ok {
		who, line = "other", rest
	}
	verb, rest, _ := strings.Cut(line, " ")
	first, payload, _ := strings.Cut(strings.TrimSpace(rest), " ")
	payload = strings.TrimSpace(payload)
	switch {
	case verb == "wait":
		d, err := time.ParseDuration(first)
		if err != nil {
			env.t.Fatalf("%s: %v", line, err)
		}
		time.Sleep(d)
	case verb == "subscribe":
		for _, reason := range env.client(who).Subscribe(1, strings.Fields(rest)...) {
			if reason != 1 {
				env.t.Fatalf("%s: %v", line, reason)
			}
		}
	case verb == "send" && strings.HasPrefix(first, "$"):
		env.client(who).Send(&packet.Publish{Topic: first, Payload: []byte(payload), QoS: 1, ID: 7})
	case verb == "send":
		path, body, _ := strings.Cut(payload, " ")
		prefer, rest, _ := strings.Cut(body, " ")
		if !strings.HasPrefix(prefer, "wait=") {
			prefer, rest = "", body
		}
		env.ask(first, path, prefer, rest)
	case verb == "given":
		if err := env.given(first, payload); err != nil {
			env.t.Fatalf("%s: %v", line, err)
		}
	default:
		env.t.Fatalf("no such step: %s", line)
	}
}

// given does what an operator would.
func (env *env) given(what, rest string) error {
	ctx := env.t.Context()
	name, more, _ := strings.Cut(rest, " ")
	job, thing, ofThing := strings.Cut(name, "/")
	force := more == "force"
	switch {
	case what == "thing":
		_, err := env.Registry.CreateThing(ctx, muster.Thing{Name: muster.ThingName(name)})
		return err
	case what == "job":
		return env.givenJob(name, more)
	case what == "cancel" && ofThing:
		return env.Jobs.CancelExecution(ctx, jobs.ExecutionCancellation{Thing: muster.ThingName(thing), Job: muster.JobID(job), Force: force})
	case what == "cancel":
		_, err := env.Jobs.CancelJob(ctx, muster.JobID(job), jobs.Cancellation{Force: force})
		return err
	case what == "delete" && ofThing:
		return env.Jobs.DeleteExecution(ctx, muster.ThingName(thing), muster.JobID(job), 1, nil, force)
	case what == "delete":
		return env.Jobs.DeleteJob(ctx, muster.JobID(job), nil, force)
	}
	return fmt.Errorf("nothing can be given by %q", what)
}

// givenJob reads "for lamp [in namespace] document".
func (env *env) givenJob(id, rest string) error {
	word, rest, _ := strings.Cut(rest, " ")
	thing, document, _ := strings.Cut(rest, " ")
	namespace := ""
	if after, ok := strings.CutPrefix(document, "in "); ok {
		namespace, document, _ = strings.Cut(after, " ")
	}
	if word != "for" {
		return fmt.Errorf("want for, not %q", word)
	}
	_, err := env.Jobs.CreateJob(env.t.Context(), jobs.NewJob{
		ID: muster.JobID(id), Namespace: muster.Namespace(namespace), Document: document,
		Targets: []muster.Target{{Name: thing}},
		Config:  muster.JobConfig{Presigned: muster.PresignedConfig{RoleARN: "arn:aws:iam::000000000000:role/downloads", ExpiresInSec: 600}},
	})
	return err
}
