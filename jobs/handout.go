package jobs

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobdoc"
	"github.com/muster-iot/muster/store"
)

// This file is the one place where a job document is made ready for a device: its
// links become presigned URLs (jobs-data-plane.md section 13).
//
// All URLs of an execution are made as of one instant, PresignedAt, which is stored
// with the execution. A signature depends on nothing else that changes, so the same
// instant gives the same URLs, also after a restart, and no URL needs to be stored.
// They are handed out again while at least half of their life remains (arbitration
// A1); after that the execution is given a new instant. A job whose document has no
// links skips all of this.

// Objects is what jobs ask of the store of job files.
type Objects interface {
	// Locate returns the object that a URL means; its key may be empty. It fails
	// with Invalid when the URL means none. It asks nobody.
	Locate(url string) (muster.Object, error)
	// Check returns an Invalid error unless devices can be sent to o: the bucket
	// is there, and the version if o has one. Forbidden says that the store lets
	// nobody in.
	Check(ctx context.Context, o muster.Object, upload bool) error
	// Sign returns the signature of an object in the form that documents carry
	// it. It fails with Invalid when nothing signs here or there is no such
	// object.
	Sign(ctx context.Context, o muster.Object) (string, error)
	// Presign returns a URL with which anybody can GET o, or PUT it, for life
	// from the instant at. The same arguments give the same URL. It asks nobody.
	Presign(o muster.Object, upload bool, life time.Duration, at muster.Instant) (string, error)
}

// renewed returns x with the instant of the URLs that its device is to be given now: the
// stored one as long as it is fresh. j is the job of x, nil when it is gone.
func renewed(j *muster.Job, x muster.Execution, now muster.Instant) muster.Execution {
	if j != nil && j.Links && !j.Config.Presigned.Fresh(x.PresignedAt, now) {
		x.PresignedAt = now - now%1000 // the unit of what is signed
	}
	return x
}

// presigned returns the text of j's document with the URLs of x.
func (s *Jobs) presigned(text string, j *muster.Job, x muster.Execution) (string, error) {
	if j == nil || !j.Links {
		return text, nil
	}
	filled, err := jobdoc.FillLinks(text, func(l jobdoc.Link) (string, error) {
		if s.objects == nil {
			return "", errNoObjects
		}
		o, err := s.objects.Locate(l.For(x))
		if err != nil {
			return "", err
		}
		if o.Key == "" {
			o.Key = jobdoc.UploadKey(x)
		}
		return s.objects.Presign(o, l.Upload, j.Config.Presigned.Life(), x.PresignedAt)
	})
	if err != nil {
		return "", &muster.Error{Kind: muster.Internal, Msg: "a placeholder of the job document cannot be resolved", Err: err}
	}
	return filled, nil
}

// handOut returns the document of an execution for its device, and gives x the instant
// of its URLs. The caller stores x.
func (tx *transaction) handOut(j *muster.Job, x *muster.Execution) (*string, error) {
	text, err := tx.document(x.Job)
	if err != nil {
		return nil, err
	}
	*x = renewed(j, *x, tx.Now)
	text, err = tx.s.presigned(text, j, *x)
	return &text, err
}

// described returns the document of x, or nil when x needs new URLs: their instant must
// be stored, which a reader cannot do.
func (s *Jobs) described(r jobReader, x muster.Execution) (*string, error) {
	j, err := r.job(x.Job)
	if err != nil || renewed(j, x, s.now()).PresignedAt != x.PresignedAt {
		return nil, err
	}
	text, err := r.document(x.Job)
	if err != nil {
		return nil, err
	}
	text, err = s.presigned(text, j, x)
	return &text, err
}

// describeAnew is DescribeExecution as a command that stores the instant of new URLs.
// Nothing else of the execution changes.
func (s *Jobs) describeAnew(ctx context.Context, in DescribeInput) (Described, error) {
	return doFor(ctx, s, in.Thing, func(w *commit.Wants) { in.wants(wants{w, s}) }, func(tx *transaction) (Described, error) {
		d := Described{At: tx.Now}
		before, err := describe(tx, in)
		if err != nil || before == nil {
			return d, err
		}
		after := *before
		j, err := tx.job(after.Job)
		if err != nil {
			return d, err
		}
		d.Execution = &after
		if d.Document, err = tx.handOut(j, &after); err != nil {
			return d, err
		}
		return d, tx.reissue(before, &after)
	})
}

// reissue stores the instant of new URLs of a live execution. Its queue stays
// the same, so no notification is owed.
func (tx *transaction) reissue(before, after *muster.Execution) error {
	if before.PresignedAt == after.PresignedAt {
		return nil
	}
	return tx.changeExecution(before, after)
}

// Document returns the document of Head, to be sent now. A link that cannot be resolved
// leaves the whole document as it is stored, and is logged.
func (n Notification) Document(ctx context.Context) (string, error) {
	s, x := n.jobs, *n.Head
	if renewed(n.job, x, s.now()).PresignedAt != x.PresignedAt { // nothing had subscribed when it was committed, or it was sent late
		var err error
		if x, err = s.renew(ctx, x); err != nil {
			return "", err
		}
	}
	filled, err := s.presigned(n.document, n.job, x)
	if err != nil {
		s.commits.Log().Error("job document is sent as it is", "thing", x.Thing, "job", x.Job, "error", err)
		return n.document, nil
	}
	return filled, nil
}

// renew returns x with URLs that may be handed out now, and stores their
// instant unless the execution has ended.
func (s *Jobs) renew(ctx context.Context, x muster.Execution) (muster.Execution, error) {
	named := func(w *commit.Wants) {
		wants{w, s}.execution(store.QueueKey{Thing: x.Thing, Namespace: x.Namespace}, x.Job, &x.Number)
	}
	return doFor(ctx, s, x.Thing, named, func(tx *transaction) (muster.Execution, error) {
		j, err := tx.job(x.Job)
		if err != nil {
			return x, err
		}
		found, err := tx.Executions(store.Key(x))
		if err != nil || found[0] == nil || found[0].Status.Terminal() {
			return renewed(j, x, tx.Now), err
		}
		now, after := renewed(j, *found[0], tx.Now), x
		after.PresignedAt = now.PresignedAt
		return after, tx.reissue(found[0], &now)
	})
}
