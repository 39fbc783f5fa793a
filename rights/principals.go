package rights

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// AttachPrincipal attaches a certificate to a thing. If it is attached already, that is no
// error, and the attachment becomes exclusive or not, as a says. A certificate with an
// exclusive attachment has no other thing (registry.md section 6.3). It fails with
// NotFound or Invalid.
func (s *Rights) AttachPrincipal(ctx context.Context, thing muster.ThingName, id muster.CertificateID, a muster.Attachment) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		if err := s.registry.RequireThing(tx, thing); err != nil {
			return err
		}
		if _, err := certificate(tx, id); err != nil {
			return err
		}
		from, to := store.Under(string(id))
		for row, err := range tables.thingsOfPrincipal.Scan(tx, from, to) {
			if err != nil {
				return err
			}
			if other := store.SplitKey(row.Key)[1]; other != string(thing) && (a.Exclusive || row.Value.Exclusive) {
				return muster.Errorf(muster.Invalid, "The principal is attached to thing %s, and one of the two attachments is exclusive", other)
			}
		}
		tables.principalsOfThing.Put(tx, store.JoinKey(string(thing), string(id)), a)
		tables.thingsOfPrincipal.Put(tx, store.JoinKey(string(id), string(thing)), a)
		s.recheckCertificate(tx, id)
		return nil
	}, s.wantAttachment(thing, id), func(w *commit.Wants) { w.Under(tables.thingsOfPrincipal.Table, string(id)) })
}

// DetachPrincipal detaches a certificate from a thing. If it is not attached, that is no
// error. It fails with NotFound if the thing or the certificate does not exist.
func (s *Rights) DetachPrincipal(ctx context.Context, thing muster.ThingName, id muster.CertificateID) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		if err := s.registry.RequireThing(tx, thing); err != nil {
			return err
		}
		if _, err := certificate(tx, id); err != nil {
			return err
		}
		tables.principalsOfThing.Delete(tx, store.JoinKey(string(thing), string(id)))
		tables.thingsOfPrincipal.Delete(tx, store.JoinKey(string(id), string(thing)))
		s.recheckCertificate(tx, id)
		return nil
	}, s.wantAttachment(thing, id))
}

// Attached reports whether a certificate is attached to a thing.
func (s *Rights) Attached(r store.Reader, thing muster.ThingName) (bool, error) {
	return tables.principalsOfThing.AnyUnder(r, string(thing))
}

// AttachedTo is one end of an attachment, seen from the other.
type AttachedTo struct {
	Certificate muster.CertificateID // in PrincipalsOfThing
	Thing       muster.ThingName     // in ThingsOfPrincipal
	muster.Attachment
}

// AttachedList is a page of attachments.
type AttachedList struct {
	Attached []AttachedTo
	Next     string // token of the next page; empty on the last
}

// PrincipalsOfThing lists the certificates attached to a thing, by id: only the exclusive
// ones, only the others, or all if exclusive is nil. It fails with NotFound or Invalid.
func (s *Rights) PrincipalsOfThing(ctx context.Context, thing muster.ThingName, exclusive *bool, page listing.Page) (AttachedList, error) {
	return s.attached(ctx, tables.principalsOfThing, string(thing), exclusive, page, func(r store.Reader) error {
		return s.registry.RequireThing(r, thing)
	}, func(other string, a muster.Attachment) AttachedTo {
		return AttachedTo{Certificate: muster.CertificateID(other), Attachment: a}
	})
}

// ThingsOfPrincipal lists the things that a certificate is attached to, by name: only
// exclusively, only otherwise, or all if exclusive is nil. It fails with NotFound or
// Invalid.
func (s *Rights) ThingsOfPrincipal(ctx context.Context, id muster.CertificateID, exclusive *bool, page listing.Page) (AttachedList, error) {
	return s.attached(ctx, tables.thingsOfPrincipal, string(id), exclusive, page, func(r store.Reader) error {
		_, err := certificate(r, id)
		return err
	}, func(other string, a muster.Attachment) AttachedTo {
		return AttachedTo{Thing: muster.ThingName(other), Attachment: a}
	})
}

// attached lists the rows of one of the two tables of attachments under the key of; check
// fails if that does not exist, and end makes an item of the other key.
func (s *Rights) attached(ctx context.Context, t store.Of[muster.Attachment], of string, exclusive *bool, p listing.Page, check func(store.Reader) error, end func(string, muster.Attachment) AttachedTo) (AttachedList, error) {
	var list AttachedList
	l, err := s.pages.Begin(p, t.Table, of, exclusive)
	if err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		if err := check(r); err != nil {
			return err
		}
		from, to := store.Under(of)
		list.Attached, list.Next, err = listing.Fill(l, t.Scan(r, l.From(from), to), func(row store.Row[muster.Attachment]) (AttachedTo, bool, error) {
			wanted := exclusive == nil || *exclusive == row.Value.Exclusive
			return end(store.SplitKey(row.Key)[1], row.Value), wanted, nil
		})
		return err
	})
	return list, err
}

// Grounds is what the rights of one connection are derived from.
type Grounds struct {
	Certificate *muster.Certificate // nil if it does not exist; then the rest is zero
	Thing       *muster.Thing       // the connection's thing; nil when it has none
	Exclusive   bool                // the certificate is exclusively that thing's
	Attached    []muster.ThingName  // that the certificate is attached to: Thing if there is one, otherwise at most attachedMax
	Policies    []muster.Policy     // in force
}

// attachedMax bounds the things in Grounds.Attached.
const attachedMax = 10

// Grounds returns what the rights of a connection with a certificate and a client id are
// derived from: the certificate, the connection's thing (AUTH-41) and the policies in force
// (AUTH-61), all from one snapshot. Device HTTPS has no client id: pass "". A certificate
// that does not exist is no error.
func (s *Rights) Grounds(ctx context.Context, id muster.CertificateID, clientID string) (Grounds, error) {
	var g Grounds
	err := s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) { s.wantGrounds(w, id, clientID) })
		c, err := tables.certificates.Get(r, string(id))
		if err != nil || c == nil {
			return err
		}
		g.Certificate = c
		var thing muster.ThingName
		if thing, g.Exclusive, g.Attached, err = connectionThing(r, id, clientID); err != nil {
			return err
		}
		if thing != "" {
			if g.Thing, err = s.registry.Thing(r, thing); err != nil {
				return err
			}
		}
		g.Policies, err = s.effectivePolicies(r, PolicyTarget{Certificate: id}, thing)
		return err
	})
	return g, err
}

// connectionThing finds the thing of a connection: the one that the certificate
// is exclusively attached to, else the attached one named like the client. If there
// is none, attached are those that there are, up to attachedMax.
func connectionThing(r store.Reader, id muster.CertificateID, clientID string) (thing muster.ThingName, exclusive bool, attached []muster.ThingName, err error) {
	// Nearly every device is named like its thing. If that is attached, no other one is so exclusively, because an
	// exclusive attachment is the only one; and a key is found in less time than a list.
	if muster.ValidThingName(clientID) {
		a, err := tables.thingsOfPrincipal.Get(r, store.JoinKey(string(id), clientID))
		if err != nil {
			return "", false, nil, err
		}
		if a != nil {
			thing = muster.ThingName(clientID)
			return thing, a.Exclusive, []muster.ThingName{thing}, nil
		}
	}
	from, to := store.Under(string(id))
	for row, err := range tables.thingsOfPrincipal.Scan(r, from, to) {
		if err != nil {
			return "", false, nil, err
		}
		attached = append(attached, muster.ThingName(store.SplitKey(row.Key)[1]))
		if row.Value.Exclusive {
			return attached[0], true, attached, nil
		}
		if len(attached) == attachedMax {
			break
		}
	}
	return "", false, attached, nil
}
