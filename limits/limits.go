// Package limits is the table of what a deployment allows: how many of something may
// exist and how often an operation may be called, each with its name, Muster's
// generous default and AWS's own number (jobs-control-plane.md section 9,
// jobs-data-plane.md section 15, registry.md section 8, mqtt-broker.md section
// 12). It also counts requests against a rate.
//
// The table does not enforce anything: each limit is enforced where it applies. What
// the contract fixes for every account, such as the size of a document, is not in the
// table.
package limits

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits are the limits in force. Zero means no limit, for those that can be lifted.
// Create them with Default, AWS or Profile.
type Limits struct {
	ActiveJobs     int // SCHEDULED and IN_PROGRESS
	ConcurrentJobs int // rolling out or being cancelled (arbitration A13)
	DeletingJobs   int // in DELETION_IN_PROGRESS
	JobTemplates   int
	RetentionDays  int // how long a job is kept after its end
	DynamicGroups  int

	OperationRate   int // requests per second of each operation of the control plane without a rate of its own
	CreateThingRate int
	DescribeRate    int // of DescribeThing
	MembershipRate  int // of each operation that changes which groups a thing is in
	ReadRate        int // of the jobs data plane: DescribeJobExecution and GetPendingJobExecutions
	WriteRate       int // StartNextPendingJobExecution and UpdateJobExecution

	Subscriptions  int // of one MQTT session
	InFlight       int // unacknowledged QoS 1 messages per session and direction
	PublishRate    int // messages per second from one connection
	QueuedMessages int // messages kept for an MQTT session whose client is not connected
	Retained       int // retained messages

	Multipart int // multipart uploads of job files that are not finished
}

// Limit is a row of the table.
type Limit struct {
	Name         string // as in --limit NAME=VALUE
	Default, AWS int
	Min          int    // the lowest value; zero: the limit can be lifted
	Text         string // what is limited, for people

	field func(*Limits) *int
}

// valueMax is the largest value of a limit; it fits into every counter.
const valueMax = math.MaxInt32

// table has one row for each limit.
var table = []Limit{
	{"active-jobs", 0, 100_000, 0, "jobs that are SCHEDULED or IN_PROGRESS; more fail with LimitExceededException", func(l *Limits) *int { return &l.ActiveJobs }},
	{"concurrent-jobs", 0, 500, 0, "jobs that roll out or are being cancelled at once; more wait for their turn", func(l *Limits) *int { return &l.ConcurrentJobs }},
	{"deleting-jobs", 1000, 10, 0, "jobs in DELETION_IN_PROGRESS; more fail with LimitExceededException", func(l *Limits) *int { return &l.DeletingJobs }},
	{"job-templates", 0, 100, 0, "job templates; more fail with LimitExceededException", func(l *Limits) *int { return &l.JobTemplates }},
	{"retention-days", 0, 730, 0, "days that a job and its executions are kept after the job ended", func(l *Limits) *int { return &l.RetentionDays }},
	{"dynamic-groups", 1000, 100, 0, "dynamic thing groups; more fail with LimitExceededException", func(l *Limits) *int { return &l.DynamicGroups }},

	{"operation-rate", 0, 10, 0, "requests a second of each control plane operation without a rate of its own", func(l *Limits) *int { return &l.OperationRate }},
	{"create-thing-rate", 0, 15, 0, "CreateThing a second", func(l *Limits) *int { return &l.CreateThingRate }},
	{"describe-thing-rate", 0, 350, 0, "DescribeThing a second", func(l *Limits) *int { return &l.DescribeRate }},
	{"membership-rate", 0, 100, 0, "requests a second of each operation that changes who is in a thing group", func(l *Limits) *int { return &l.MembershipRate }},
	{"data-read-rate", 0, 200, 0, "DescribeJobExecution and GetPendingJobExecutions of devices a second", func(l *Limits) *int { return &l.ReadRate }},
	{"data-write-rate", 0, 200, 0, "StartNextPendingJobExecution and UpdateJobExecution of devices a second", func(l *Limits) *int { return &l.WriteRate }},

	{"mqtt-subscriptions", 50, 50, 1, "subscriptions of one MQTT session", func(l *Limits) *int { return &l.Subscriptions }},
	{"mqtt-in-flight", 100, 100, 1, "unacknowledged QoS 1 messages of one session in one direction", func(l *Limits) *int { return &l.InFlight }},
	{"mqtt-publish-rate", 1000, 100, 1, "messages a second from one connection; beyond it reading pauses", func(l *Limits) *int { return &l.PublishRate }},
	{"mqtt-queued-messages", 1000, 1000, 1, "messages kept for an MQTT session that is away", func(l *Limits) *int { return &l.QueuedMessages }},
	{"mqtt-retained", 500_000, 500_000, 1, "retained messages", func(l *Limits) *int { return &l.Retained }},

	{"multipart-uploads", 1000, 0, 0, "uploads of job files in parts that are open at once; more fail with QuotaExceeded", func(l *Limits) *int { return &l.Multipart }},
}

// Table returns all limits, in the order in which they are shown. The caller owns it.
func Table() []Limit { return slices.Clone(table) }

// Default returns Muster's own limits, which are few and generous.
func Default() Limits { return filled(func(row Limit) int { return row.Default }) }

// AWS returns the limits that AWS gives an account by default.
func AWS() Limits { return filled(func(row Limit) int { return row.AWS }) }

func filled(value func(Limit) int) Limits {
	var l Limits
	for _, row := range table {
		*row.field(&l) = value(row)
	}
	return l
}

// Profile returns the limits of a profile, "default" or "aws".
func Profile(name string) (Limits, error) {
	switch name {
	case "default":
		return Default(), nil
	case "aws":
		return AWS(), nil
	}
	return Limits{}, fmt.Errorf("there is no profile %q of limits; there are default and aws", name)
}

// With returns l with one limit changed as order says: "name=value", where value is a
// number, or "none" if the limit can be lifted. The error for an unknown name lists all
// names.
func (l Limits) With(order string) (Limits, error) {
	name, text, ok := strings.Cut(order, "=")
	if !ok {
		return l, fmt.Errorf("%q is not name=value", order)
	}
	row, err := find(name)
	if err != nil {
		return l, err
	}
	value, err := 0, error(nil)
	if text != "none" {
		value, err = strconv.Atoi(text)
	}
	switch {
	case err != nil || value < 0 || value > valueMax:
		return l, fmt.Errorf("%q of %s is no number from %d to %d", text, name, row.Min, valueMax)
	case value < row.Min:
		return l, fmt.Errorf("%s cannot be lifted; it is at least %d", name, row.Min)
	}
	*row.field(&l) = value
	return l, nil
}

// Of returns the value of the limit in row, which must come from Table.
func (l Limits) Of(row Limit) int { return *row.field(&l) }

func find(name string) (Limit, error) {
	names := make([]string, len(table))
	for i, row := range table {
		if row.Name == name {
			return row, nil
		}
		names[i] = row.Name
	}
	return Limit{}, fmt.Errorf("there is no limit %q; there are %s", name, strings.Join(names, ", "))
}

// Rate returns how many requests per second are allowed of an operation of the control
// plane; zero means any number.
func (l Limits) Rate(operation string) int {
	switch operation {
	case "CreateThing":
		return l.CreateThingRate
	case "DescribeThing":
		return l.DescribeRate
	case "AddThingToThingGroup", "RemoveThingFromThingGroup", "UpdateThingGroupsForThing":
		return l.MembershipRate
	}
	return l.OperationRate
}
