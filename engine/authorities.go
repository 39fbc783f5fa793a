package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// sameSubjectMax bounds the registered CAs with one subject (AUTH-33).
const sameSubjectMax = 10

// AddCA registers a certificate authority whose texts the caller has checked.
// It fails with AlreadyExists, or LimitExceeded for too many CAs of one
// subject.
func (e *Engine) AddCA(ctx context.Context, ca muster.CA, given []muster.Tag) (muster.CA, error) {
	given, err := muster.Retag(nil, given)
	if err != nil {
		return ca, err
	}
	return do(ctx, e, func(b *batch) (muster.CA, error) {
		ca := ca // the next run begins with what was asked for
		if old, err := authorities.Has(b, string(ca.ID)); err != nil {
			return ca, err
		} else if old {
			return ca, e.certificateExists("cacert", ca.ID)
		}
		same, err := authoritiesOf(b, ca.Subject)
		if err != nil {
			return ca, err
		}
		if len(same) >= sameSubjectMax {
			return ca, muster.Errorf(muster.LimitExceeded, "There are %d CA certificates with this subject already", len(same))
		}
		ca.CreatedAt, ca.UpdatedAt, ca.Version, ca.GenerationID = b.Now, b.Now, 1, e.o.NewID()
		authorities.Put(b, string(ca.ID), ca)
		authoritiesBySubject.Put(b, store.JoinKey(ca.Subject, string(ca.ID)), link{})
		b.dated(authoritiesByDate, ca.CreatedAt, string(ca.ID))
		b.putTags(kindCA, string(ca.ID), given)
		return ca, nil
	})
}

// CA returns one registered CA.
func (e *Engine) CA(ctx context.Context, id muster.CertificateID) (muster.CA, error) {
	var ca muster.CA
	err := e.view(ctx, func(r store.Reader) (err error) {
		ca, err = authority(r, id)
		return err
	})
	return ca, err
}

// CAsOf returns the registered CAs with a subject (DER, in hex), which is what
// a certificate names as its issuer.
func (e *Engine) CAsOf(ctx context.Context, subject string) ([]muster.CA, error) {
	var found []muster.CA
	err := e.view(ctx, func(r store.Reader) (err error) {
		found, err = authoritiesOf(r, subject)
		return err
	})
	return found, err
}

// UpdateCA changes a registered CA by fn, which gets and returns its state.
func (e *Engine) UpdateCA(ctx context.Context, id muster.CertificateID, fn func(muster.CA) muster.CA) error {
	return e.do(ctx, func(b *batch) error {
		old, err := authority(b, id)
		if err != nil {
			return err
		}
		ca := fn(old)
		if ca == old {
			return nil
		}
		ca.UpdatedAt, ca.Version = b.Now, old.Version+1
		authorities.Put(b, string(id), ca)
		return nil
	})
}

// DeleteCA removes a registered CA, which must be inactive.
func (e *Engine) DeleteCA(ctx context.Context, id muster.CertificateID) error {
	return e.do(ctx, func(b *batch) error {
		ca, err := authority(b, id)
		if err != nil {
			return err
		}
		if ca.Active {
			return muster.Errorf(muster.CertificateState, "CA certificate must be deactivated (not ACTIVE) before deletion. Id: %s", id)
		}
		authorities.Delete(b, string(id))
		authoritiesBySubject.Delete(b, store.JoinKey(ca.Subject, string(id)))
		b.undated(authoritiesByDate, ca.CreatedAt, string(id))
		b.putTags(kindCA, string(id), nil)
		return nil
	})
}

// CAList is a page of registered CAs.
type CAList struct {
	CAs  []muster.CA
	Next string // marker of the next page; empty on the last
}

// CAs lists the registered CAs by creation, newest first unless ascending; with
// a template those that name it only.
func (e *Engine) CAs(ctx context.Context, template string, p Page, ascending bool) (list CAList, err error) {
	d := datedList[muster.CA]{table: authoritiesByDate, filter: template, read: readCA}
	if template != "" {
		d.pick = func(ca muster.CA) bool { return ca.TemplateName == template }
	}
	list.CAs, list.Next, err = d.page(ctx, e, p, ascending)
	return list, err
}

func readCA(r store.Reader, id string) (muster.CA, error) {
	return authority(r, muster.CertificateID(id))
}

// RegistrationCode returns the code that proves possession of a CA's key; it
// stays the same until it is deleted. fresh is used when there is none.
func (e *Engine) RegistrationCode(ctx context.Context, fresh string) (string, error) {
	return do(ctx, e, func(b *batch) (string, error) {
		old, err := settings.Get(b, "registrationcode")
		if err != nil {
			return "", err
		}
		if old != nil {
			return *old, nil
		}
		settings.Put(b, "registrationcode", fresh)
		return fresh, nil
	})
}

// DeleteRegistrationCode forgets the code; the next one is different.
func (e *Engine) DeleteRegistrationCode(ctx context.Context) error {
	return e.do(ctx, func(b *batch) error {
		settings.Delete(b, "registrationcode")
		return nil
	})
}

func authority(r store.Reader, id muster.CertificateID) (muster.CA, error) {
	ca, err := authorities.Get(r, string(id))
	if err != nil {
		return muster.CA{}, err
	}
	if ca == nil {
		return muster.CA{}, noCA(id)
	}
	return *ca, nil
}

func authoritiesOf(r store.Reader, subject string) ([]muster.CA, error) {
	var found []muster.CA
	from, to := store.Under(subject)
	for row, err := range authoritiesBySubject.Scan(r, from, to) {
		if err != nil {
			return nil, err
		}
		ca, err := authority(r, muster.CertificateID(store.SplitKey(row.Key)[1]))
		if err != nil {
			return nil, err
		}
		found = append(found, ca)
	}
	return found, nil
}

func noCA(id muster.CertificateID) error {
	return muster.Errorf(muster.NotFound, "CA certificate %s does not exist", id)
}
