package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/identity"
)

// jobOptionsPath begins and ends the paths /muster/v1/jobs/{jobId}/options.
const (
	jobOptionsPath = "/muster/v1/jobs/"
	jobOptionsEnd  = "/options"
)

// jobIDForm is jobs-control-plane.md section 1.2.
var jobIDForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// optionsOf returns the job whose options a path names.
func optionsOf(path string) (muster.JobID, bool) {
	rest, ok := strings.CutPrefix(path, jobOptionsPath)
	id, end := strings.CutSuffix(rest, jobOptionsEnd)
	return muster.JobID(id), ok && end && jobIDForm.MatchString(id)
}

// jobOptions are engine.JobOptions on the wire. What a PUT leaves out stays.
type jobOptions struct {
	PaceJoiners *bool `json:"paceJoiners"`
}

// jobOptionsMax bounds a body.
const jobOptionsMax = 4 << 10

// jobOptionsAPI shows and changes what the contract has no field for, to those
// whose key allows muster:DescribeJobOptions and muster:UpdateJobOptions on the
// job.
type jobOptionsAPI struct {
	engine  *engine.Engine
	account muster.Account
	keys    *identity.Keys
	region  string
}

func (x *jobOptionsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, ok := optionsOf(r.URL.Path)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, jobOptionsMax))
	if !ok || err != nil || (r.Method != http.MethodGet && r.Method != http.MethodPut) {
		answer(w, http.StatusBadRequest, object{"message": "GET the options of a job, or PUT them as a JSON object"})
		return
	}
	action := "muster:DescribeJobOptions"
	if r.Method == http.MethodPut {
		action = "muster:UpdateJobOptions"
	}
	if err := authorize(x.keys, x.region, r, body, action, x.account.ARN("job", string(id))); err != nil {
		answer(w, http.StatusForbidden, object{"message": err.Error()})
		return
	}
	options, err := x.engine.JobOptions(r.Context(), id)
	if err == nil && r.Method == http.MethodPut {
		options, err = x.change(r, id, options, body)
	}
	answerOr(w, jobOptions{&options.PaceJoiners}, err)
}

// change makes of options what a PUT says.
func (x *jobOptionsAPI) change(r *http.Request, id muster.JobID, options engine.JobOptions, body []byte) (engine.JobOptions, error) {
	var order jobOptions
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&order); err != nil {
		return options, muster.Errorf(muster.Invalid, "the options cannot be read: %v", err)
	}
	if order.PaceJoiners != nil {
		options.PaceJoiners = *order.PaceJoiners
	}
	return options, x.engine.SetJobOptions(r.Context(), id, options)
}
