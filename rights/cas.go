package rights

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// sameSubjectMax bounds the registered CAs with one subject (AUTH-33).
const sameSubjectMax = 10

// AddCA registers a CA whose certificate the caller has checked, and returns it with its
// times, version and generation filled in. It fails with AlreadyExists, with LimitExceeded
// for too many CAs of one subject, and with Invalid or LimitExceeded for the tags.
func (s *Rights) AddCA(ctx context.Context, ca muster.CA, given []muster.Tag) (muster.CA, error) {
	given, err := muster.Retag(nil, given)
	if err != nil {
		return ca, err
	}
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (muster.CA, error) {
		ca := ca // the next run begins with what was asked for
		if old, err := tables.cas.Has(tx, string(ca.ID)); err != nil {
			return ca, err
		} else if old {
			return ca, s.certificateExists("cacert", ca.ID)
		}
		same, err := casOf(tx, ca.Subject)
		if err != nil {
			return ca, err
		}
		if len(same) >= sameSubjectMax {
			return ca, muster.Errorf(muster.LimitExceeded, "There are %d CA certificates with this subject already", len(same))
		}
		ca.CreatedAt, ca.UpdatedAt, ca.Version, ca.GenerationID = tx.Now, tx.Now, 1, s.newID()
		tables.cas.Put(tx, string(ca.ID), ca)
		tables.casBySubject.Put(tx, store.JoinKey(ca.Subject, string(ca.ID)), store.Link{})
		listing.PutDated(tx, tables.casByDate, ca.CreatedAt, string(ca.ID))
		tags.Put(tx, KindCA, string(ca.ID), given)
		return ca, nil
	}, func(w *commit.Wants) {
		w.Record(tables.cas.Table, string(ca.ID))
		w.Under(tables.casBySubject.Table, ca.Subject)
	})
}

// CA returns a registered CA, or fails with NotFound.
func (s *Rights) CA(ctx context.Context, id muster.CertificateID) (muster.CA, error) {
	var ca muster.CA
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		ca, err = findCA(r, id)
		return err
	})
	return ca, err
}

// CAsOf returns the registered CAs with a subject (DER, in hex), which a certificate
// names as its issuer. There may be none.
func (s *Rights) CAsOf(ctx context.Context, subject string) ([]muster.CA, error) {
	var found []muster.CA
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		found, err = casOf(r, subject)
		return err
	})
	return found, err
}

// UpdateCA replaces a registered CA by what fn makes of it; fn may be called more than
// once. If fn changes nothing, nothing is written. It fails with NotFound.
func (s *Rights) UpdateCA(ctx context.Context, id muster.CertificateID, fn func(muster.CA) muster.CA) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		old, err := findCA(tx, id)
		if err != nil {
			return err
		}
		ca := fn(old)
		if ca == old {
			return nil
		}
		ca.UpdatedAt, ca.Version = tx.Now, old.Version+1
		tables.cas.Put(tx, string(id), ca)
		return nil
	})
}

// DeleteCA removes a registered CA. It fails with NotFound, or with CertificateState if
// the CA is active.
func (s *Rights) DeleteCA(ctx context.Context, id muster.CertificateID) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		ca, err := findCA(tx, id)
		if err != nil {
			return err
		}
		if ca.Active {
			return muster.Errorf(muster.CertificateState, "CA certificate must be deactivated (not ACTIVE) before deletion. Id: %s", id)
		}
		tables.cas.Delete(tx, string(id))
		tables.casBySubject.Delete(tx, store.JoinKey(ca.Subject, string(id)))
		listing.DeleteDated(tx, tables.casByDate, ca.CreatedAt, string(id))
		tags.Put(tx, KindCA, string(id), nil)
		return nil
	})
}

// CAList is a page of registered CAs.
type CAList struct {
	CAs  []muster.CA
	Next string // marker of the next page; empty on the last
}

// CAs lists the registered CAs by creation, newest first unless ascending: those that
// name the template, or all if it is empty. It fails with Invalid.
func (s *Rights) CAs(ctx context.Context, template string, p listing.Page, ascending bool) (list CAList, err error) {
	d := listing.Dated[muster.CA]{Table: tables.casByDate, Filter: template, Of: tables.cas.Table, Read: readCA}
	if template != "" {
		d.Pick = func(ca muster.CA) bool { return ca.TemplateName == template }
	}
	list.CAs, list.Next, err = d.Page(ctx, s.commits, s.pages, p, ascending)
	return list, err
}

func readCA(r store.Reader, id string) (muster.CA, error) {
	return findCA(r, muster.CertificateID(id))
}

// registrationCode is the name of the setting that holds the code.
const registrationCode = "registrationcode"

// RegistrationCode returns the code that proves possession of a CA's key. If there is none
// it stores and returns fresh; it stays the same until it is deleted.
func (s *Rights) RegistrationCode(ctx context.Context, fresh string) (string, error) {
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (string, error) {
		old, err := store.Settings.Get(tx, registrationCode)
		if err != nil {
			return "", err
		}
		if old != nil {
			return *old, nil
		}
		store.Settings.Put(tx, registrationCode, fresh)
		return fresh, nil
	})
}

// DeleteRegistrationCode removes the code, if there is one.
func (s *Rights) DeleteRegistrationCode(ctx context.Context) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		store.Settings.Delete(tx, registrationCode)
		return nil
	})
}

func findCA(r store.Reader, id muster.CertificateID) (muster.CA, error) {
	return tables.cas.Require(r, string(id), func() error {
		return muster.Errorf(muster.NotFound, "CA certificate %s does not exist", id)
	})
}

func casOf(r store.Reader, subject string) ([]muster.CA, error) {
	var found []muster.CA
	from, to := store.Under(subject)
	rows := commit.Ahead(r, sameSubjectMax, tables.casBySubject.Scan(r, from, to), func(w *commit.Wants, row store.Row[store.Link]) {
		w.Record(tables.cas.Table, store.SplitKey(row.Key)[1])
	})
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		ca, err := findCA(r, muster.CertificateID(store.SplitKey(row.Key)[1]))
		if err != nil {
			return nil, err
		}
		found = append(found, ca)
	}
	return found, nil
}
