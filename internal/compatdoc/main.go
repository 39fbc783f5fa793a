// Compatdoc writes the page on which operations of the API Muster serves. It reads the
// table by which they are served, so the page cannot differ from it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/awsiot/wire"
)

func main() {
	page := flag.String("out", "docs/compatibility.md", "the page to write")
	paho := flag.String("paho", "conformance/paho/results.md", "what the Eclipse Paho suites say, for a section of the page")
	readme := flag.String("readme", "README.md", "the file to write a summary into, between its markers")
	flag.Parse()
	if err := write(*page, *paho, *readme); err != nil {
		fmt.Fprintln(os.Stderr, "compatdoc:", err)
		os.Exit(1)
	}
}

func write(page, paho, readme string) error {
	areas := Areas()
	results, err := os.ReadFile(paho)
	if err != nil {
		return err
	}
	if err := os.WriteFile(page, []byte(Page(areas, string(results))), 0o644); err != nil {
		return err
	}
	old, err := os.ReadFile(readme)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, ok := Insert(string(old), Summary(areas))
	if !ok {
		return fmt.Errorf("%s has no line %s followed by a line %s", readme, begin, end)
	}
	return os.WriteFile(readme, []byte(text), 0o644)
}

// Area is a part of the API that belongs together.
type Area struct {
	Title      string
	Operations []*wire.Operation
	Served     map[*wire.Operation]bool
}

// served returns how many of the area's operations are served.
func (a Area) served() int {
	n := 0
	for _, op := range a.Operations {
		if a.Served[op] {
			n++
		}
	}
	return n
}

// kinds are the areas, with words in the names of their operations. An operation
// belongs to the first one that matches.
var kinds = []struct {
	title   string
	service wire.Service
	words   []string // empty: all operations of the service
}{
	{"Jobs data plane", wire.JobsData, nil},
	{"Messages and connections over HTTPS", wire.IoTData, nil},
	{"Job templates", wire.ControlPlane, []string{"JobTemplate"}},
	{"Jobs and executions", wire.ControlPlane, []string{"Job"}},
	{"Thing groups", wire.ControlPlane, []string{"ThingGroup"}},
	{"Thing types", wire.ControlPlane, []string{"ThingType"}},
	{"Billing groups", wire.ControlPlane, []string{"BillingGroup"}},
	{"Fleet index", wire.ControlPlane, []string{"Index", "Indices", "Statistics", "Cardinality", "Percentiles", "BucketsAggregation", "ThingConnectivity"}},
	{"Certificates and policies", wire.ControlPlane, []string{"Certificate", "Polic", "Principal", "RegistrationCode", "TestAuthorization"}},
	{"Things", wire.ControlPlane, []string{"Things", "CreateThing", "DescribeThing", "UpdateThing", "DeleteThing", "RegisterThing"}},
	{"Tags, endpoint, events", wire.ControlPlane, []string{"TagResource", "UntagResource", "TagsForResource", "DescribeEndpoint", "EventConfigurations"}},
	{"Everything else", wire.ControlPlane, nil},
}

// Areas returns the whole API by area, without areas that have no operations.
func Areas() []Area {
	served := map[*wire.Operation]bool{}
	for _, op := range awsiot.Implemented() {
		served[op] = true
	}
	areas := make([]Area, len(kinds))
	for _, op := range wire.Operations() {
		for i, k := range kinds {
			named := func(word string) bool { return strings.Contains(op.Name, word) }
			if op.Service == k.service && (k.words == nil || slices.ContainsFunc(k.words, named)) {
				areas[i].Title, areas[i].Served = k.title, served
				areas[i].Operations = append(areas[i].Operations, op)
				break
			}
		}
	}
	return slices.DeleteFunc(areas, func(a Area) bool { return len(a.Operations) == 0 })
}

// signing is the section on the services that clients sign for.
const signing = `
## What clients sign for

A request counts for the service in its signature's scope (signature version 4), by header or presigned, on every listener that takes signatures
(identity-and-auth.md section C.2, A24).

| signed for | means | by |
|---|---|---|
| ` + "`iot`" + ` | control plane | AWS CLI and SDKs since May 2023 |
| ` + "`execute-api`" + ` | the same | AWS CLI 2.9.19 (Debian 12), botocore up to 1.29.120, aws-sdk-js 2.1094, aws-sdk-go 1.44.200, and what is older |
| ` + "`iot-jobs-data`, `iotjobsdata`" + ` | data plane: jobs of devices | AWS CLI and SDKs |
| ` + "`iotdata`" + ` | data plane: jobs and messages | AWS CLI and SDKs |
| ` + "`iotdevicegateway`" + ` | data plane, and MQTT over WebSocket | the device SDKs |
| ` + "`s3`" + ` | job files | AWS CLI and SDKs, presigned URLs |
| ` + "`sts`" + ` | ` + "`GetCallerIdentity`" + `, which every key may ask; nothing else | AWS CLI and SDKs |
| ` + "`cloudtrail`" + ` | ` + "`LookupEvents`" + `: [audit records](operator-guide.md#who-did-what); nothing else | AWS CLI, boto3 |

A request that is signed for any other service gets an error that names the service and, where the request tells it, the operation, in the form of the protocol
that the client speaks (JSON, REST with JSON, CBOR, Query, EC2, REST with XML). The SDKs of today do not try again after it.
`

// Page returns the whole page. paho is the page with the results of the Eclipse Paho
// suites; its first line is its title.
func Page(areas []Area, paho string) string {
	var b strings.Builder
	b.WriteString("<!-- Generated by internal/compatdoc; change awsiot/operations.go, then run go generate. -->\n\n# Compatibility\n\n" +
		"Every operation of the API is known. One that is not served answers 501 `NotImplementedException` and says its name. What those that are served do is\n" +
		"in [the contract](contract/README.md).\n\n" + Summary(areas))
	for _, a := range areas {
		fmt.Fprintf(&b, "\n## %s\n\n| operation | request | served |\n|---|---|---|\n", a.Title)
		for _, op := range a.Operations {
			mark := ""
			if a.Served[op] {
				mark = "yes"
			}
			fmt.Fprintf(&b, "| %s | `%s %s` | %s |\n", op.Name, op.Method, op.Path, mark)
		}
	}
	b.WriteString(signing + Limits() + silent)
	_, results, _ := strings.Cut(paho, "\n")
	b.WriteString("\n## MQTT: the Eclipse Paho suites\n" + results)
	return b.String()
}

// Summary returns one line for each area.
func Summary(areas []Area) string {
	var b strings.Builder
	b.WriteString("| area | operations | served |\n|---|---|---|\n")
	all, served := 0, 0
	for _, a := range areas {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", a.Title, len(a.Operations), a.served())
		all, served = all+len(a.Operations), served+a.served()
	}
	fmt.Fprintf(&b, "| **all** | **%d** | **%d** |\n", all, served)
	return b.String()
}

// The lines around the summary.
const (
	begin = "<!-- compatibility: begin -->"
	end   = "<!-- compatibility: end -->"
)

// Insert returns text with the part between the markers replaced.
func Insert(text, summary string) (string, bool) {
	before, rest, ok := strings.Cut(text, begin+"\n")
	_, after, ok2 := strings.Cut(rest, end)
	return before + begin + "\n" + summary + end + after, ok && ok2
}
