package jobdoc

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muster-iot/muster"
)

// ManagedTemplate is a job template that every deployment has: a document with
// parameters, for the handlers that device clients ship with
// (jobs-control-plane.md section 8).
type ManagedTemplate struct {
	Name         string // such as "AWS-Reboot"
	Version      string // such as "1.0"
	Description  string
	Environments []string    // the operating systems that its handlers run on
	Document     string      // with parameter placeholders
	Parameters   []Parameter // the required ones first
}

// Parameter is a value that the creator of a job gives to a managed template.
type Parameter struct {
	Key         string
	Description string
	Example     string
	Optional    bool // empty when it is not given (jobs-control-plane.md J18)
	MaxLength   int  // in characters; zero: any
}

// Regex returns the pattern that a whole value must match, in the contract's
// spelling.
func (p Parameter) Regex() string {
	if p.MaxLength == 0 {
		return "(.*?)"
	}
	return fmt.Sprintf("(.){0,%d}", p.MaxLength)
}

// Matches reports whether the whole of value matches Regex, in which a dot is any
// character except a line break. It does not compile Regex, since package regexp
// does not support repetitions such as {0,4096}.
func (p Parameter) Matches(value string) bool {
	return !strings.ContainsAny(value, "\n\r\u0085\u2028\u2029") &&
		(p.MaxLength == 0 || utf8.RuneCountInString(value) <= p.MaxLength)
}

// parameter holds the parameters of the managed templates.
var parameter = struct {
	downloadURL, filePath, packages, services, command, runAsUser, pathToHandler Parameter
}{
	downloadURL:   Parameter{Key: "downloadUrl", Description: "The URL to fetch the file from.", Example: "http://www.example.com/index.html"},
	filePath:      Parameter{Key: "filePath", Description: "The path on the device that the file is written to.", Example: "/path/to/file"},
	packages:      Parameter{Key: "packages", Description: "The application packages, separated by spaces.", Example: "package1 package2"},
	services:      Parameter{Key: "services", Description: "The services, separated by spaces.", Example: "service1 service2"},
	command:       Parameter{Key: "command", Description: `The command and its arguments, separated by commas. A comma within an argument is written \,.`, Example: "echo,hello"},
	runAsUser:     Parameter{Key: "runAsUser", Description: "The user to run as. By default, the one that the device client runs as.", Example: "user1", Optional: true, MaxLength: 256},
	pathToHandler: Parameter{Key: "pathToHandler", Description: "The folder of the handler on the device. By default, where the device client looks for handlers.", Example: "/path/to/handler/script", Optional: true, MaxLength: 4096},
}

// ManagedTemplates returns all managed templates, by name and within a name
// oldest version first. The caller owns them.
func ManagedTemplates() []ManagedTemplate {
	return []ManagedTemplate{
		handled("AWS-Download-File", "Downloads one file to a path on the device.", "download-file.sh", parameter.downloadURL, parameter.filePath),
		handled("AWS-Install-Application", "Installs one or more applications.", "install-packages.sh", parameter.packages),
		handled("AWS-Reboot", "Reboots the device.", "reboot.sh"),
		handled("AWS-Remove-Application", "Uninstalls one or more applications.", "remove-packages.sh", parameter.packages),
		handled("AWS-Restart-Application", "Restarts one or more system services.", "restart-services.sh", parameter.services),
		managed("AWS-Run-Command", "Runs a command.",
			remoteAction{Type: "runCommand", Input: actionInput{Command: parameter.command.placeholder()}}, parameter.command, parameter.runAsUser),
		handled("AWS-Start-Application", "Starts one or more system services.", "start-services.sh", parameter.services),
		handled("AWS-Stop-Application", "Stops one or more system services.", "stop-services.sh", parameter.services),
	}
}

// FindManagedTemplate returns the managed template of that name and version,
// the newest when version is empty.
func FindManagedTemplate(name, version string) (ManagedTemplate, bool) {
	for _, t := range slices.Backward(ManagedTemplates()) {
		if t.Name == name && (version == "" || t.Version == version) {
			return t, true
		}
	}
	return ManagedTemplate{}, false
}

// Fill returns the document with its parameters replaced by the values in given.
// It fails with Invalid for a parameter that the template does not have, for a
// missing one that is required, and for a value that does not match its Regex.
func (t ManagedTemplate) Fill(given map[string]string) (string, error) {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(t.Parameters, func(p Parameter) bool { return p.Key == key }) {
			return "", muster.Errorf(muster.Invalid, "Job template %s has no document parameter %s", t.Name, key)
		}
	}
	for _, p := range t.Parameters {
		value, ok := given[p.Key]
		if !ok && !p.Optional {
			return "", muster.Errorf(muster.Invalid, "Job template %s requires the document parameter %s", t.Name, p.Key)
		}
		if !p.Matches(value) {
			return "", muster.Errorf(muster.Invalid, "The value of document parameter %s does not match %s", p.Key, p.Regex())
		}
	}
	return fillParameters(t.Document, given)
}

// remoteAction is the one step of a managed template's document.
type remoteAction struct {
	Name      string      `json:"name"`
	Type      string      `json:"type"`
	Input     actionInput `json:"input"`
	RunAsUser string      `json:"runAsUser"`
}

type actionInput struct {
	Handler string   `json:"handler,omitempty"`
	Args    []string `json:"args,omitempty"`
	Path    string   `json:"path,omitempty"`
	Command string   `json:"command,omitempty"`
}

// handled returns a template that runs a handler with args as its arguments.
func handled(name, description, handler string, args ...Parameter) ManagedTemplate {
	in := actionInput{Handler: handler, Path: parameter.pathToHandler.placeholder()}
	for _, p := range args {
		in.Args = append(in.Args, p.placeholder())
	}
	return managed(name, description, remoteAction{Type: "runHandler", Input: in}, append(args, parameter.runAsUser, parameter.pathToHandler)...)
}

func managed(name, description string, a remoteAction, parameters ...Parameter) ManagedTemplate {
	type step struct {
		Action remoteAction `json:"action"`
	}
	a.Name, a.RunAsUser = strings.TrimPrefix(name, "AWS-"), parameter.runAsUser.placeholder()
	document, _ := json.Marshal(struct { // strings alone, which always have a JSON form
		Version string `json:"version"`
		Steps   []step `json:"steps"`
	}{"1.0", []step{{a}}})
	return ManagedTemplate{
		Name: name, Version: "1.0", Description: description, Environments: []string{"LINUX"},
		Document: string(document), Parameters: parameters,
	}
}

func (p Parameter) placeholder() string { return "${aws:iot:parameter:" + p.Key + "}" }
