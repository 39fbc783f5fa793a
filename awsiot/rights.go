package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/identity"
)

// rights are those of a call to what its job or template uses: job files by the
// actions and ARNs of S3, as if the caller asked the store of job files
// (arbitration A25), and versions of packages as if the caller read them.
type rights struct {
	account muster.Account
	caller  identity.Caller
	remote  string // address and port
}

var _ engine.Rights = rights{}

// Permits implements engine.Rights.
func (r rights) Permits(u engine.Use) error {
	vars := identity.From(r.remote)
	var err error
	switch name := string(u.Package.Package); {
	case u.Brought:
		err = r.caller.Authorize("iot:CreateJob", []string{r.account.ReleaseARN(u.Package)}, vars)
	case name != "":
		err = r.caller.Authorize("iot:GetPackageVersion", []string{r.account.ARN("package", name), r.account.ReleaseARN(u.Package)}, vars)
	case u.Upload:
		a := fileAsk(u)
		err = r.caller.AuthorizeSpan(a.action, a.resource, vars)
	default:
		a := fileAsk(u)
		err = r.caller.Authorize(a.action, []string{a.resource}, vars)
	}
	if err != nil {
		return &muster.Error{Kind: muster.Forbidden, Msg: err.Error(), Err: err}
	}
	return nil
}

// fileAsk returns the permission that the use of a file takes. A version that is
// not the newest has an action of its own, since it may be one that was replaced
// for a reason.
func fileAsk(u engine.Use) ask {
	action := "s3:GetObject"
	switch {
	case u.Upload:
		action = "s3:PutObject"
	case u.File.Version != "":
		action = "s3:GetObjectVersion"
	}
	return ask{action, "arn:aws:s3:::" + u.File.Bucket + "/" + u.File.Key}
}

type rightsKey struct{}

// withRights returns a context that carries the rights of a call.
func withRights(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, rightsKey{}, rights{c.account, c.caller, c.remote})
}

// rightsOf returns the rights of the call that ctx belongs to; of none, those of
// someone who may do nothing.
func rightsOf(ctx context.Context) rights {
	r, _ := ctx.Value(rightsKey{}).(rights)
	return r
}
