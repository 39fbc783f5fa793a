package jobdoc

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

const handlerPath = `"path":"${aws:iot:parameter:pathToHandler}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`

// The documents and parameters of jobs-control-plane.md section 8.
func TestManagedTemplatesAreThoseOfTheContract(t *testing.T) {
	want := []struct{ name, document, parameters string }{
		{"AWS-Download-File", `{"version":"1.0","steps":[{"action":{"name":"Download-File","type":"runHandler","input":{"handler":"download-file.sh","args":["${aws:iot:parameter:downloadUrl}","${aws:iot:parameter:filePath}"],` + handlerPath,
			"downloadUrl filePath runAsUser? pathToHandler?"},
		{"AWS-Install-Application", `{"version":"1.0","steps":[{"action":{"name":"Install-Application","type":"runHandler","input":{"handler":"install-packages.sh","args":["${aws:iot:parameter:packages}"],` + handlerPath,
			"packages runAsUser? pathToHandler?"},
		{"AWS-Reboot", `{"version":"1.0","steps":[{"action":{"name":"Reboot","type":"runHandler","input":{"handler":"reboot.sh",` + handlerPath,
			"runAsUser? pathToHandler?"},
		{"AWS-Remove-Application", `{"version":"1.0","steps":[{"action":{"name":"Remove-Application","type":"runHandler","input":{"handler":"remove-packages.sh","args":["${aws:iot:parameter:packages}"],` + handlerPath,
			"packages runAsUser? pathToHandler?"},
		{"AWS-Restart-Application", `{"version":"1.0","steps":[{"action":{"name":"Restart-Application","type":"runHandler","input":{"handler":"restart-services.sh","args":["${aws:iot:parameter:services}"],` + handlerPath,
			"services runAsUser? pathToHandler?"},
		{"AWS-Run-Command", `{"version":"1.0","steps":[{"action":{"name":"Run-Command","type":"runCommand","input":{"command":"${aws:iot:parameter:command}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`,
			"command runAsUser?"},
		{"AWS-Start-Application", `{"version":"1.0","steps":[{"action":{"name":"Start-Application","type":"runHandler","input":{"handler":"start-services.sh","args":["${aws:iot:parameter:services}"],` + handlerPath,
			"services runAsUser? pathToHandler?"},
		{"AWS-Stop-Application", `{"version":"1.0","steps":[{"action":{"name":"Stop-Application","type":"runHandler","input":{"handler":"stop-services.sh","args":["${aws:iot:parameter:services}"],` + handlerPath,
			"services runAsUser? pathToHandler?"},
	}
	got := ManagedTemplates()
	if len(got) != len(want) {
		t.Fatalf("there are %d managed templates, want %d", len(got), len(want))
	}
	for i, m := range got {
		var keys []string
		for _, p := range m.Parameters {
			if p.Optional {
				p.Key += "?"
			}
			keys = append(keys, p.Key)
			if p.Description == "" || !p.Matches(p.Example) {
				t.Errorf("%s: parameter %s has the description %q, and the example %q that must match %s", m.Name, p.Key, p.Description, p.Example, p.Regex())
			}
		}
		if m.Name != want[i].name || m.Document != want[i].document || strings.Join(keys, " ") != want[i].parameters {
			t.Errorf("managed template %d is\n %s %s %v, want\n %+v", i, m.Name, m.Document, keys, want[i])
		}
		if m.Version != "1.0" || !slices.Equal(m.Environments, []string{"LINUX"}) || m.Description == "" {
			t.Errorf("%s has version %q, environments %v, description %q", m.Name, m.Version, m.Environments, m.Description)
		}
	}
}

func TestFillOfAManagedTemplate(t *testing.T) {
	type given = map[string]string
	for name, test := range map[string]struct {
		template string
		given    given
		want     string // the input and the user, or part of the refusal
	}{
		"optional ones that are not given are empty (jobs-control-plane.md J18)": {"AWS-Reboot", nil, `{"handler":"reboot.sh","path":""} ""`},
		"all of them": {"AWS-Reboot", given{"pathToHandler": "/opt", "runAsUser": "ops"}, `{"handler":"reboot.sh","path":"/opt"} "ops"`},
		"arguments in order": {"AWS-Download-File", given{"filePath": "/tmp/f", "downloadUrl": "http://h/f"},
			`{"handler":"download-file.sh","args":["http://h/f","/tmp/f"],"path":""} ""`},
		"a value is the content of a string": {"AWS-Run-Command", given{"command": `echo,"a\,b"`}, `{"command":"echo,\"a\\,b\""} ""`},
		"a required one is missing":          {"AWS-Download-File", given{"downloadUrl": "x"}, "requires the document parameter filePath"},
		"nothing is given":                   {"AWS-Run-Command", nil, "requires the document parameter command"},
		"one that it does not have":          {"AWS-Reboot", given{"services": "x"}, "has no document parameter services"},
		"a path for a plain command":         {"AWS-Run-Command", given{"command": "x", "pathToHandler": "/"}, "has no document parameter pathToHandler"},
		"keys are case sensitive":            {"AWS-Run-Command", given{"Command": "x"}, "has no document parameter Command"},
		"the longest user":                   {"AWS-Reboot", given{"runAsUser": strings.Repeat("é", 256)}, `{"handler":"reboot.sh","path":""} "` + strings.Repeat("é", 256) + `"`},
		"a longer user":                      {"AWS-Reboot", given{"runAsUser": strings.Repeat("u", 257)}, "runAsUser does not match (.){0,256}"},
		"a path that is too long":            {"AWS-Reboot", given{"pathToHandler": strings.Repeat("p", 4097)}, "pathToHandler does not match (.){0,4096}"},
		"a line break":                       {"AWS-Run-Command", given{"command": "a\nb"}, "command does not match (.*?)"},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := FindManagedTemplate(test.template, "")
			if !ok {
				t.Fatalf("no template %s", test.template)
			}
			text, err := m.Fill(test.given)
			if e, ok := errors.AsType[*muster.Error](err); ok {
				if e.Kind != muster.Invalid || !strings.Contains(e.Msg, test.want) {
					t.Errorf("Fill(%v) = %v, want %s", test.given, err, test.want)
				}
				return
			}
			var d struct {
				Steps []struct {
					Action struct{ Input, RunAsUser json.RawMessage }
				}
			}
			if err := json.Unmarshal([]byte(text), &d); err != nil || len(d.Steps) != 1 {
				t.Fatalf("Fill(%v) = %s: %v", test.given, text, err)
			}
			if got := string(d.Steps[0].Action.Input) + " " + string(d.Steps[0].Action.RunAsUser); got != test.want {
				t.Errorf("Fill(%v) has %s, want %s", test.given, got, test.want)
			}
		})
	}
}

func TestFindManagedTemplate(t *testing.T) {
	for name, test := range map[string]struct {
		name, version string
		found         bool
	}{
		"the newest":             {"AWS-Reboot", "", true},
		"by version":             {"AWS-Reboot", "1.0", true},
		"an unknown version":     {"AWS-Reboot", "1.1", false},
		"an unknown name":        {"AWS-Boot", "", false},
		"names have their cases": {"aws-reboot", "1.0", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := FindManagedTemplate(test.name, test.version)
			if ok != test.found || (ok && got.Name != test.name) {
				t.Errorf("FindManagedTemplate(%q, %q) = %q, %t, want found %t", test.name, test.version, got.Name, ok, test.found)
			}
		})
	}
}
