package awsiot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// mayBeUnmodeled are the kinds of failure that may have a name that the operation
// does not model. Denial is nowhere in the models (identity-and-auth.md C.5),
// CreateThingGroup does not model that a parent does not exist (registry.md REG-40),
// and two operations without inputs model no bad request.
var mayBeUnmodeled = map[muster.Kind]string{
	muster.Forbidden: "AccessDeniedException",
	muster.NotFound:  "ResourceNotFoundException",
}

func TestEveryKindHasAWordInEveryOperation(t *testing.T) {
	for kind := range muster.KindCount {
		if len(words[kind]) == 0 {
			t.Fatalf("kind %d has no word", kind)
		}
	}
	for _, op := range controlPlane() {
		for kind := range muster.KindCount {
			name, status := named(op, kind)
			if modeled, ok := op.Error(name); ok {
				if status != modeled.Status {
					t.Errorf("%s: kind %d is %s with status %d, want %d", op.Name, kind, name, status, modeled.Status)
				}
				continue
			}
			if mayBeUnmodeled[kind] != name && op.BadInput() != nil {
				t.Errorf("%s: kind %d is %s, which it does not model", op.Name, kind, name)
			}
			if status == 0 || status != statuses[name] {
				t.Errorf("%s: kind %d is %s with status %d, want the one of the table", op.Name, kind, name, status)
			}
		}
	}
}

// TestEveryWordIsFoundOrHasAStatus finds misspelled names in the table.
func TestEveryWordIsFoundOrHasAStatus(t *testing.T) {
	modeled := map[string]bool{}
	for _, op := range wire.Operations() {
		if op.Service == wire.ControlPlane {
			for _, e := range op.Errors {
				modeled[e.Name] = true
			}
		}
	}
	for kind, names := range words {
		for _, name := range names {
			if !modeled[name] && statuses[name] == 0 {
				t.Errorf("kind %d: no operation models %s", kind, name)
			}
		}
	}
}

func TestWordsThatDifferByOperation(t *testing.T) {
	tests := map[string]struct {
		op     *wire.Operation
		kind   muster.Kind
		name   string
		status int
	}{
		"throttling is a 400 here":                    {wire.CreateJob, muster.Throttled, "ThrottlingException", 400},
		"a quota is a 410":                            {wire.CreateJob, muster.LimitExceeded, "LimitExceededException", 410},
		"a quota that is not modeled":                 {wire.UpdateJob, muster.LimitExceeded, "InvalidRequestException", 400},
		"a fault in a job operation":                  {wire.DescribeJob, muster.Internal, "ServiceUnavailableException", 503},
		"a fault in a template operation":             {wire.CreateJobTemplate, muster.Internal, "InternalFailureException", 500},
		"a fault in a managed template operation":     {wire.DescribeManagedJobTemplate, muster.Internal, "InternalServerException", 500},
		"a fault where both are modeled":              {wire.DescribeThing, muster.Internal, "InternalFailureException", 500},
		"overload where both are modeled":             {wire.DescribeThing, muster.Unavailable, "ServiceUnavailableException", 503},
		"overload in a group operation":               {wire.DescribeThingGroup, muster.Unavailable, "InternalFailureException", 500},
		"CancelJob models no state exception":         {wire.CancelJob, muster.InvalidTransition, "InvalidRequestException", 400},
		"DeleteJob does":                              {wire.DeleteJob, muster.InvalidTransition, "InvalidStateTransitionException", 409},
		"a template that exists":                      {wire.CreateJobTemplate, muster.AlreadyExists, "ConflictException", 409},
		"a job that exists":                           {wire.CreateJob, muster.AlreadyExists, "ResourceAlreadyExistsException", 409},
		"a certificate in the wrong state is a 406":   {wire.UpdateCertificate, muster.CertificateState, "CertificateStateException", 406},
		"a parent group that is missing (REG-40)":     {wire.CreateThingGroup, muster.NotFound, "ResourceNotFoundException", 404},
		"bad input where nothing is modeled for it":   {wire.DescribeEventConfigurations, muster.Invalid, "InvalidRequestException", 400},
		"bad input of a newer operation":              {wire.CreatePackage, muster.Invalid, "ValidationException", 400},
		"a quota of a newer operation is a 402":       {wire.CreatePackage, muster.LimitExceeded, "ServiceQuotaExceededException", 402},
		"what a newer operation has no word for":      {wire.DeletePackage, muster.Conflict, "ValidationException", 400},
		"an error before an operation is known":       {nil, muster.Invalid, "InvalidRequestException", 400},
		"a fault before an operation is known":        {nil, muster.Internal, "InternalFailureException", 500},
		"a policy that has all the versions it may":   {wire.CreatePolicyVersion, muster.VersionsLimit, "VersionsLimitExceededException", 409},
		"a version conflict of an execution is a 409": {wire.CancelJobExecution, muster.VersionConflict, "VersionConflictException", 409},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got, status := named(test.op, test.kind); got != test.name || status != test.status {
				t.Errorf("named(%v) = %s %d, want %s %d", test.kind, got, status, test.name, test.status)
			}
		})
	}
}

func TestWhatTheCallerIsShown(t *testing.T) {
	exists := muster.Errorf(muster.AlreadyExists, "it is there")
	exists.ResourceID, exists.ResourceARN = "id", "arn"
	tests := map[string]struct {
		err  error
		op   *wire.Operation
		want string
	}{
		"a modeled error": {muster.Errorf(muster.NotFound, "no job %s", "x"), wire.DescribeJob,
			"404 ResourceNotFoundException: no job x"},
		"a wrapped one": {fmt.Errorf("load: %w", muster.Errorf(muster.NotFound, "no job")), wire.DescribeJob,
			"404 ResourceNotFoundException: no job"},
		"what exists is named":                   {exists, wire.CreateJob, "409 ResourceAlreadyExistsException: it is there id arn"},
		"a conflict has the id only":             {exists, wire.CreateJobTemplate, "409 ConflictException: it is there id "},
		"the cause of a fault is not shown":      {&muster.Error{Kind: muster.Internal, Msg: "disk 7", Err: errors.New("secret")}, wire.DescribeJob, "503 ServiceUnavailableException: " + internalText},
		"nor is an error that nobody classified": {errors.New("secret"), wire.DescribeThing, "500 InternalFailureException: " + internalText},
		"a kind that does not exist is a fault":  {&muster.Error{Kind: muster.KindCount}, wire.DescribeThing, "500 InternalFailureException: " + internalText},
		"bad input":                              {&wire.InputError{Message: "bad"}, wire.DescribeJob, "400 InvalidRequestException: bad"},
		"a refused signature":                    {&sigv4.Error{Code: sigv4.ExpiredToken, Message: "old"}, wire.DescribeJob, "403 ExpiredTokenException: old"},
		"a denial":                               {&identity.DeniedError{Caller: "arn:u", Action: "iot:X", Resource: "*"}, wire.DescribeJob, "403 AccessDeniedException: User: arn:u is not authorized to perform: iot:X on resource: *"},
		"a deadline is no fault of the request":  {context.DeadlineExceeded, wire.DescribeThing, "503 ServiceUnavailableException: The request took too long, or its client went away."},
		"a client that went away":                {context.Canceled, wire.DescribeJob, "503 ServiceUnavailableException: The request took too long, or its client went away."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := failureOf(test.op, test.err)
			got := fmt.Sprintf("%d %s: %s", f.status, f.name, f.body.Message)
			if f.body.ResourceID != "" {
				got += " " + f.body.ResourceID + " " + f.body.ResourceARN
			}
			if got != test.want {
				t.Errorf("failureOf(%v) = %s, want %s", test.err, got, test.want)
			}
			if f.status < http.StatusBadRequest {
				t.Errorf("failureOf(%v) has status %d", test.err, f.status)
			}
		})
	}
}
