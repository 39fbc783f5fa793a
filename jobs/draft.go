package jobs

import (
	"cmp"
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobdoc"
	"github.com/muster-iot/muster/store"
)

// draft is a job on its way to being made: what was asked for, with what its
// template adds, and the document as the store of job files completes it.
type draft struct {
	NewJob
	catalog  *catalog.Catalog
	document jobDocument
	packages []muster.Release // that it brings
	links    bool
	chosen   []muster.Target // with their ids
}

// draft prepares a job (jobs-control-plane.md section 3.1, checks 6 to 11): in
// no transaction, since it may take as long as it takes to read a file.
func (s *Jobs) draft(ctx context.Context, in NewJob) (draft, error) {
	d := draft{NewJob: in, catalog: s.catalog}
	var p jobdoc.Placeholders
	err := s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			for _, t := range in.Targets {
				lookup.WantTarget(w, t)
			}
		})
		var err error
		if d.chosen, err = s.targets(r, nil, in.Targets); err != nil {
			return err
		}
		if err := d.fromTemplate(r, s.account); err != nil {
			return err
		}
		if p, err = checkDocument(d.document.Text); err != nil {
			return err
		}
		if err := d.deliver(r, s.account); err != nil || !p.Packages {
			return err
		}
		if p, err = checkDocument(d.document.Text); err == nil && p.Packages {
			err = muster.Errorf(muster.Invalid, "The attributes of a package version must not have placeholders for something of packages")
		}
		return err
	})
	if err != nil {
		return d, err
	}
	d.links = len(p.Links) > 0
	if err := d.Config.Presigned.Check(); err != nil {
		return d, err
	}
	if d.links {
		if err := d.Config.Presigned.CheckLinks(); err != nil {
			return d, err
		}
	}
	if err := s.checkLinks(ctx, p.Links, d.Rights, d.Config.Presigned.RoleARN); err != nil {
		return d, err
	}
	return d, s.sign(ctx, p.Signatures, d.Rights, &d.document)
}

// fromTemplate adds what the template has, if there is one (jobs-control-plane.md section 3.1,
// checks 7 and 8).
func (d *draft) fromTemplate(r store.Reader, account muster.Account) error {
	d.document = jobDocument{Text: d.Document}
	if d.Template != "" {
		id, managed, err := jobdoc.ResolveTemplate(account, d.Template)
		if err != nil {
			return err
		}
		if managed != nil {
			text, err := managed.Fill(d.Parameters)
			d.Description = cmp.Or(d.Description, managed.Description)
			d.document = jobDocument{Text: text, Before: managed.Document, Parameters: d.Parameters}
			return err
		}
		t, err := jobTemplate(r, string(id))
		if err != nil {
			return err
		}
		d.Description, d.Config = cmp.Or(d.Description, t.Description), d.Config.Or(t.Config)
		d.document.Text, d.Source = t.Document, t.DocumentSource
	}
	if len(d.Parameters) > 0 {
		return muster.Errorf(muster.Invalid, "documentParameters are only valid with an AWS managed job template")
	}
	return nil
}

// checkDocument returns the placeholders of a text, or an Invalid error unless
// it may be the document of a job or a template.
func checkDocument(text string) (jobdoc.Placeholders, error) {
	if err := jobdoc.Check(text, DocumentMax); err != nil {
		return jobdoc.Placeholders{}, err
	}
	return jobdoc.FindPlaceholders(text)
}

// checkLinks returns an error unless the maker may have devices sent where the
// links of a document point, and they can be. role is only for people.
func (s *Jobs) checkLinks(ctx context.Context, links []jobdoc.Link, maker Rights, role string) error {
	for _, l := range links {
		if s.objects == nil {
			return errNoObjects
		}
		o, err := l.Locate(s.account.Region, s.objects.Locate)
		if err != nil {
			return err
		}
		if o.Key == "" && !l.Upload {
			return muster.Errorf(muster.Invalid, "The placeholder for %s names no object of the bucket", l.URL)
		}
		if err := s.permittedLink(maker, l); err != nil {
			return err
		}
		err = s.objects.Check(ctx, o, l.Upload)
		if muster.IsKind(err, muster.Forbidden) {
			return muster.Errorf(muster.Invalid, "Permission denied when attempting to use role %s to access bucket %s.", role, o.Bucket)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// signaturesMax bounds how many files are read for one document.
const signaturesMax = 32

// sign puts signatures into a document, in the place of the placeholders for
// them, of files that the maker may read.
func (s *Jobs) sign(ctx context.Context, wanted []muster.Object, maker Rights, d *jobDocument) error {
	if len(wanted) > signaturesMax {
		return muster.Errorf(muster.Invalid, "A job document may ask for at most %d signatures; this one asks for %d", signaturesMax, len(wanted))
	}
	signatures := map[muster.Object]string{}
	for _, o := range wanted {
		if s.objects == nil {
			return errNoObjects
		}
		if _, ok := signatures[o]; ok {
			continue
		}
		if err := permitted(maker, Use{File: o}); err != nil {
			return err
		}
		var err error
		if signatures[o], err = s.objects.Sign(ctx, o); err != nil {
			return err
		}
	}
	if len(signatures) == 0 {
		return nil
	}
	d.Before = cmp.Or(d.Before, d.Text)
	text, err := jobdoc.FillSignatures(d.Text, signatures)
	d.Text = text
	return err
}

var errNoObjects = muster.Errorf(muster.Invalid, "This server has no store of job files")
