package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/jobs"
)

// callRights decides whether the caller may use what a job or template refers to:
// job files by the actions and ARNs of S3, as if the caller read them from the
// store of job files (arbitration A25), and versions of packages as if the caller
// read them.
type callRights struct {
	account muster.Account
	caller  identity.Caller
	remote  string // address and port
}

var _ jobs.Rights = callRights{}

// Permits implements jobs.Rights.
func (r callRights) Permits(u jobs.Use) error {
	vars := identity.From(r.remote)
	var err error
	switch name := string(u.Package.Package); {
	case u.Brought:
		err = r.caller.Authorize("iot:CreateJob", []string{r.account.ReleaseARN(u.Package)}, vars)
	case name != "":
		err = r.caller.Authorize("iot:GetPackageVersion", []string{r.account.ARN("package", name), r.account.ReleaseARN(u.Package)}, vars)
	default:
		err = r.permitsFile(u)
	}
	if err != nil {
		return &muster.Error{Kind: muster.Forbidden, Msg: err.Error(), Err: err}
	}
	return nil
}

func (r callRights) permitsFile(u jobs.Use) error {
	vars := identity.From(r.remote)
	for _, a := range fileAsks(u) {
		var err error
		if u.Upload {
			err = r.caller.AuthorizeSpan(a.action, a.resource, vars)
		} else {
			err = r.caller.Authorize(a.action, []string{a.resource}, vars)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileAsks returns the permissions that the use of a file takes. Naming a version
// takes one more, as in S3: the version may have been replaced for a reason.
func fileAsks(u jobs.Use) []ask {
	resource := "arn:aws:s3:::" + u.File.Bucket + "/" + u.File.Key
	switch {
	case u.Upload:
		return []ask{{"s3:PutObject", resource}}
	case u.File.Version != "":
		return []ask{{"s3:GetObject", resource}, {"s3:GetObjectVersion", resource}}
	}
	return []ask{{"s3:GetObject", resource}}
}

type rightsKey struct{}

// withRights returns a context that carries the rights of a call.
func withRights(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, rightsKey{}, callRights{c.account, c.caller, c.remote})
}

// rightsOf returns the rights of the call that ctx belongs to. Without a call they
// permit nothing.
func rightsOf(ctx context.Context) callRights {
	r, _ := ctx.Value(rightsKey{}).(callRights)
	return r
}
