package jobs

import (
	"cmp"
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// NewJobTemplate is the input of CreateJobTemplate.
type NewJobTemplate struct {
	ID          muster.JobTemplateID
	Description string
	Document    string           // a JSON object; not looked at with a Job
	Source      string           // the URL that Document was read from, if it was
	Job         string           // the ARN of a job to copy; empty: Document is the document
	Config      muster.JobConfig // of its Schedule the windows only; replaces what is copied, member by member
	Tags        []muster.Tag

	Rights Rights // of the maker to the files that the document names; nil: all
}

// CreateJobTemplate makes a custom job template (jobs-control-plane.md section
// 3.2). It fails with Invalid, NotFound (the job), AlreadyExists or
// LimitExceeded.
func (s *Jobs) CreateJobTemplate(ctx context.Context, in NewJobTemplate) (muster.JobTemplate, error) {
	labels, err := muster.Retag(nil, in.Tags)
	if err != nil {
		return muster.JobTemplate{}, err
	}
	return do(ctx, s, func(tx *transaction) (t muster.JobTemplate, err error) {
		t = muster.JobTemplate{ID: in.ID, Description: in.Description, Document: in.Document, DocumentSource: in.Source, Config: in.Config, CreatedAt: tx.Now}
		if in.Job != "" {
			if t, err = copied(tx, t, in.Job); err != nil {
				return t, err
			}
		}
		if _, err := checkDocument(t.Document); err != nil {
			return t, err
		}
		if err := s.permittedFiles(in.Rights, t.Document); err != nil {
			return t, err
		}
		if err := rollout.CheckTemplate(t.Config); err != nil {
			return t, err
		}
		if err := t.Config.Presigned.Check(); err != nil {
			return t, err
		}
		if err := roomForTemplate(tx, t.ID); err != nil {
			return t, err
		}
		tables.templates.Put(tx, string(t.ID), t)
		listing.PutDated(tx, tables.templatesByDate, t.CreatedAt, string(t.ID))
		tags.Put(tx, KindTemplate, string(t.ID), labels)
		return t, nil
	})
}

// copied returns t with what it has of the job it is made from: the document as
// devices get it, and the configuration without start and end.
func copied(tx *transaction, t muster.JobTemplate, job string) (muster.JobTemplate, error) {
	kind, name, err := tx.s.account.ParseARN(job)
	if err != nil {
		return t, err
	}
	if kind != string(KindJob) {
		return t, muster.Errorf(muster.Invalid, "%s is not a job", job)
	}
	j, err := tx.job(muster.JobID(name))
	if err != nil {
		return t, err
	}
	if j == nil {
		return t, noJob(muster.JobID(name))
	}
	d, err := readDocument(tx, j.ID)
	t.Document, t.DocumentSource, t.Config = d.Text, j.DocumentSource, t.Config.Or(j.Config)
	return t, err
}

// roomForTemplate returns nil when there may be one more template, of that id.
func roomForTemplate(tx *transaction, id muster.JobTemplateID) error {
	if taken, err := tables.templates.Has(tx, string(id)); err != nil {
		return err
	} else if taken {
		return muster.Existsf(string(id), tx.s.account.JobTemplateARN(id), "Job template %s already exists", id)
	}
	most := tx.s.limits.JobTemplates
	if taken, err := tables.templates.Full(tx, most); err != nil {
		return err
	} else if taken {
		return muster.Errorf(muster.LimitExceeded, "There may be at most %d job templates", most)
	}
	return nil
}

// JobTemplate returns a custom job template, or fails with NotFound.
func (s *Jobs) JobTemplate(ctx context.Context, id muster.JobTemplateID) (muster.JobTemplate, error) {
	var t muster.JobTemplate
	err := s.commits.View(ctx, func(r store.Reader) (err error) {
		t, err = jobTemplate(r, string(id))
		return err
	})
	return t, err
}

// DeleteJobTemplate removes a custom job template and its tags; jobs that were
// made from it stay as they are. It fails with NotFound.
func (s *Jobs) DeleteJobTemplate(ctx context.Context, id muster.JobTemplateID) error {
	return s.do(ctx, func(tx *transaction) error {
		t, err := jobTemplate(tx, string(id))
		if err != nil {
			return err
		}
		tables.templates.Delete(tx, string(id))
		listing.DeleteDated(tx, tables.templatesByDate, t.CreatedAt, string(id))
		tags.Put(tx, KindTemplate, string(id), nil)
		return nil
	})
}

// JobTemplateList is a page of custom job templates.
type JobTemplateList struct {
	Templates []muster.JobTemplate
	Next      string // token of the next page; empty on the last
}

// JobTemplates lists the custom job templates, newest first
// (jobs-control-plane.md sections 3.3 and 4). A page has listing.Max unless asked
// otherwise.
func (s *Jobs) JobTemplates(ctx context.Context, p listing.Page) (list JobTemplateList, err error) {
	d := listing.Dated[muster.JobTemplate]{Table: tables.templatesByDate, Of: tables.templates.Table, Read: jobTemplate}
	p.Limit = cmp.Or(p.Limit, listing.Max)
	list.Templates, list.Next, err = d.Page(ctx, s.commits, s.pages, p, false)
	return list, err
}

func jobTemplate(r store.Reader, id string) (muster.JobTemplate, error) {
	t, err := tables.templates.Get(r, id)
	if err != nil {
		return muster.JobTemplate{}, err
	}
	if t == nil {
		return muster.JobTemplate{}, muster.Errorf(muster.NotFound, "Job template %s not found", id)
	}
	return *t, nil
}
