package jobs

import (
	"cmp"
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// TargetsMax bounds the targets of one job (jobs-control-plane.md section 9).
const TargetsMax = 100

// DocumentMax bounds a job document, in bytes.
const DocumentMax = 32768

// NewJob is the input of CreateJob.
type NewJob struct {
	ID          muster.JobID
	Namespace   muster.Namespace
	Targets     []muster.Target // 1 to TargetsMax; repeated ones count once
	Selection   muster.Selection
	Document    string // a JSON object; not looked at with a Template
	Source      string // the URL that Document was read from, if it was
	Description string // empty: the template's
	Config      muster.JobConfig
	Tags        []muster.Tag

	Template   string            // the ARN of a job template; empty: Document is the document
	Parameters map[string]string // documentParameters, for a managed template

	Rights Rights // of the maker to what the job uses; nil: all
}

// CreateJob makes a job and starts its rollout, which goes on in the background;
// the executions of a small one are there when it returns, as far as its rate
// allows (arbitration A21). What it is given is checked in the order of
// jobs-control-plane.md section 3.1. It fails with Invalid, LimitExceeded,
// NotFound (a target or the template), or AlreadyExists.
func (s *Jobs) CreateJob(ctx context.Context, in NewJob) (muster.Job, error) {
	if len(in.Targets) > TargetsMax {
		return muster.Job{}, muster.Errorf(muster.LimitExceeded, "A job may have at most %d targets; this one has %d", TargetsMax, len(in.Targets))
	}
	labels, err := muster.Retag(nil, in.Tags)
	if err != nil {
		return muster.Job{}, err
	}
	d, err := s.draft(ctx, in)
	if err != nil {
		return muster.Job{}, err
	}
	return do(ctx, s, func(tx *transaction) (j muster.Job, err error) {
		chosen, err := s.targets(tx, nil, in.Targets)
		if err != nil {
			return j, err
		}
		if err := rollout.Check(d.Config, in.Selection, tx.Now); err != nil {
			return j, err
		}
		if old, err := tx.job(in.ID); err != nil {
			return j, err
		} else if old != nil {
			return j, s.jobExists(in.ID)
		}
		if err := roomForJob(tx); err != nil {
			return j, err
		}
		j = muster.Job{
			ID: in.ID, Namespace: in.Namespace, Targets: chosen, Selection: in.Selection, Description: d.Description,
			DocumentSource: d.Source, TemplateARN: in.Template, Config: d.Config, Links: d.links, Packages: d.packages, Status: muster.JobScheduled, CreatedAt: tx.Now, UpdatedAt: tx.Now,
		}
		if j, err = openJob(tx, j); err != nil {
			return j, err
		}
		tables.documents.Put(tx, string(in.ID), d.document)
		delete(tx.texts, in.ID)
		tables.newest.Put(tx, newestKey(j), store.Link{})
		for _, t := range chosen {
			indexTarget(tx, j, t)
		}
		tags.Put(tx, KindJob, string(in.ID), labels)
		return putTargets(tx, j)
	}, func(w *commit.Wants) {
		wants{w, s}.job(in.ID)
		wants{w, s}.targets(&muster.Job{Targets: d.chosen, Namespace: in.Namespace}, muster.Rollout{})
	})
}

// putTargets writes a job with new targets, and gives it to their things at once if
// they are few. It fails with Invalid when a dynamic group among the targets would
// depend on a job that depends on the group.
func putTargets(tx *transaction, j muster.Job) (muster.Job, error) {
	if err := tx.putJob(j); err != nil {
		return j, err
	}
	if j.Selection == muster.Continuous {
		if err := tx.s.registry.MayTarget(tx.Tx, j.Targets); err != nil {
			return j, err
		}
	}
	return rollOutSmall(tx, j.ID)
}

// indexTarget makes a job findable by one of its targets.
func indexTarget(tx *transaction, j muster.Job, t muster.Target) {
	key := targetKey(t, j.ID)
	tables.byTarget.Put(tx, key, store.Link{})
	if j.Selection == muster.Continuous {
		tables.standing.Put(tx, key, store.Link{})
	}
}

// AssociateTargets adds targets to a continuous job that is IN_PROGRESS; their
// things get it as those of a new job do (jobs-control-plane.md section 3.4).
// After its end time it is refused: nobody would get it (jobs-lifecycle.md
// section 9.3).
func (s *Jobs) AssociateTargets(ctx context.Context, id muster.JobID, ns *muster.Namespace, add []muster.Target, comment *string) (muster.Job, error) {
	return s.changeJob(ctx, id, ns, func(tx *transaction, j muster.Job) (muster.Job, error) {
		if j.Selection != muster.Continuous || j.Status != muster.JobInProgress {
			return j, muster.Errorf(muster.Invalid, "Targets can only be added to a continuous job that is IN_PROGRESS; job %s is %s and %s", id, j.Selection, j.Status)
		}
		if j.Over {
			return j, muster.Errorf(muster.Invalid, "The end time of job %s has passed: no thing is given it any more", id)
		}
		had := j.Targets
		all, err := s.targets(tx, had, add)
		if err != nil {
			return j, err
		}
		if len(all) > TargetsMax {
			return j, muster.Errorf(muster.LimitExceeded, "A job may have at most %d targets; this one would have %d", TargetsMax, len(all))
		}
		if comment != nil {
			j.Comment = *comment
		}
		j.UpdatedAt = tx.Now
		for _, t := range all[len(had):] {
			indexTarget(tx, j, t)
		}
		if len(all) > len(had) {
			j = j.WithTargets(all)
			j.Wake = tx.Now
		}
		return putTargets(tx, j)
	}, func(w *commit.Wants) {
		if w.Far() {
			w.Record(tables.documents.Table, string(id)) // which things are told of
			for _, t := range add {
				lookup.WantTarget(w, t)
			}
		}
	})
}

// JobChange is the input of UpdateJob: what is nil stays, the rest is replaced
// whole.
type JobChange struct {
	Description    *string
	Rollout        *muster.RolloutConfig
	Abort          *[]muster.AbortCriterion
	TimeoutMinutes *int
	Retry          *[]muster.RetryCriterion
	Presigned      *muster.PresignedConfig // asks the Rights for the files of the document again

	Rights Rights // of the caller; nil: all
}

// UpdateJob changes a job that is not over (jobs-control-plane.md section
// 3.14). A change of nothing fails with Invalid (arbitration A27).
func (s *Jobs) UpdateJob(ctx context.Context, id muster.JobID, ns *muster.Namespace, in JobChange) error {
	if in.empty() {
		return muster.Errorf(muster.Invalid, "Update Job request for job %s cannot be empty", id)
	}
	if err := in.check(); err != nil {
		return err
	}
	_, err := s.changeJob(ctx, id, ns, func(tx *transaction, j muster.Job) (muster.Job, error) {
		if !j.Status.Active() {
			return j, muster.Errorf(muster.Invalid, "Job %s cannot be updated while its status is %s", id, j.Status)
		}
		if in.Presigned != nil && j.Links {
			if err := in.Presigned.CheckLinks(); err != nil {
				return j, err
			}
			d, err := readDocument(tx, id)
			if err != nil {
				return j, err
			}
			if err := s.permittedFiles(in.Rights, d.Text); err != nil {
				return j, err
			}
		}
		j, err := withNewRate(tx, in.apply(j, tx.Now))
		if err != nil {
			return j, err
		}
		return j, tx.putJob(j)
	})
	return err
}

// empty reports whether the change is one of nothing.
func (in JobChange) empty() bool {
	in.Rights = nil
	return in == JobChange{}
}

func (in JobChange) check() error {
	if in.Rollout != nil {
		if err := rollout.CheckRollout(*in.Rollout); err != nil {
			return err
		}
	}
	if in.Abort != nil {
		if err := rollout.CheckAbort(*in.Abort); err != nil {
			return err
		}
	}
	if in.TimeoutMinutes != nil {
		if err := muster.CheckTimeout(int64(*in.TimeoutMinutes)); err != nil {
			return err
		}
	}
	if in.Retry != nil {
		if err := rollout.CheckRetryChange(*in.Retry); err != nil {
			return err
		}
	}
	if in.Presigned != nil {
		return in.Presigned.Check()
	}
	return nil
}

func (in JobChange) apply(j muster.Job, now muster.Instant) muster.Job {
	if in.Description != nil {
		j.Description = *in.Description
	}
	if in.Rollout != nil {
		j.Config.Rollout = *in.Rollout
		j.Wake = now // the new rate counts at once
	}
	if in.Abort != nil {
		j.Config.Abort = *in.Abort
	}
	if in.TimeoutMinutes != nil {
		j.Config.TimeoutMinutes = *in.TimeoutMinutes
	}
	if in.Retry != nil {
		j.Config.Retry = *in.Retry
	}
	if in.Presigned != nil {
		j.Config.Presigned = *in.Presigned // from the next hand-out on
	}
	j.UpdatedAt = now
	return j
}

// Cancellation is the input of CancelJob.
type Cancellation struct {
	Force               bool
	Comment, ReasonCode *string
}

// CancelJob cancels a job at once and its executions in the background; no
// execution starts any more from now on (jobs-lifecycle.md section 6.1). A job
// that is over fails with InvalidTransition.
func (s *Jobs) CancelJob(ctx context.Context, id muster.JobID, in Cancellation) (muster.Job, error) {
	return s.changeJob(ctx, id, nil, func(tx *transaction, j muster.Job) (muster.Job, error) {
		event := muster.JobIsCanceled
		if in.Force {
			event = muster.JobIsForceCanceled
		}
		if j.Status == muster.JobCanceled && in.Force {
			counts, err := store.CountsOf(tx, id)
			if err != nil {
				return j, err
			}
			if counts.Pending() == 0 {
				return j, muster.Errorf(muster.InvalidTransition, "Job %s is CANCELED and has no execution in progress", id)
			}
		}
		j, err := j.Apply(event, tx.Now)
		if err != nil {
			return j, err
		}
		if in.Comment != nil {
			j.Comment = *in.Comment
		}
		if in.ReasonCode != nil {
			j.ReasonCode = *in.ReasonCode
		}
		retire(tx, j)
		j.Wake = tx.Now
		return j, tx.putJob(j)
	})
}

// DeleteJob deletes a job: its pending executions are out of the devices'
// sight at once, and the rest goes in the background (jobs-lifecycle.md section
// 7). It fails with InvalidTransition, or LimitExceeded when too many jobs are
// being deleted already.
func (s *Jobs) DeleteJob(ctx context.Context, id muster.JobID, ns *muster.Namespace, force bool) error {
	_, err := s.changeJob(ctx, id, ns, func(tx *transaction, j muster.Job) (muster.Job, error) {
		event := muster.JobIsDeleted
		if force {
			event = muster.JobIsForceDeleted
		}
		gone, err := j.Apply(event, tx.Now)
		if err != nil {
			if j.Status.Active() {
				return j, muster.Errorf(muster.InvalidTransition, "Job %s cannot be deleted while its status is %s; use force", id, j.Status)
			}
			return j, err
		}
		most := tx.s.limits.DeletingJobs
		if taken, err := tables.deletions.Full(tx, most); err != nil {
			return j, err
		} else if taken {
			return j, muster.Errorf(muster.LimitExceeded, "%d jobs are being deleted already", most)
		}
		return gone, beginDeletion(tx, gone)
	})
	return err
}

// beginDeletion stores a job that an event has just made DELETION_IN_PROGRESS; the
// background deletes its records.
func beginDeletion(tx *transaction, j muster.Job) error {
	retire(tx, j)
	tables.deletions.Put(tx, string(j.ID), store.Link{})
	j.Wake = tx.Now
	return tx.putJob(j)
}

// retire takes a job that gives nothing any more out of the index in which things that
// join and leave groups look for jobs.
func retire(tx *transaction, j muster.Job) {
	if j.Selection == muster.Continuous {
		for _, t := range j.Targets {
			tables.standing.Delete(tx, targetKey(t, j.ID))
		}
	}
}

// changeJob runs fn on a job in one transaction; fn returns the job as it is
// then. ns, when not nil, must be the job's namespace. more name what fn reads beside the job.
func (s *Jobs) changeJob(ctx context.Context, id muster.JobID, ns *muster.Namespace, fn func(*transaction, muster.Job) (muster.Job, error), more ...func(*commit.Wants)) (muster.Job, error) {
	return do(ctx, s, func(tx *transaction) (muster.Job, error) {
		j, err := tx.job(id)
		if err != nil {
			return muster.Job{}, err
		}
		if j == nil || (ns != nil && j.Namespace != *ns) {
			return muster.Job{}, noJob(id)
		}
		return fn(tx, *j)
	}, append(more, func(w *commit.Wants) { wants{w, s}.job(id) })...)
}

// JobDescription is what DescribeJob answers.
type JobDescription struct {
	muster.Job
	Counts     muster.Counts
	Parameters map[string]string // documentParameters, if it was given some
	Upcoming   []string          // when its maintenance windows open next, as Schedule.StartTime is written; nil without windows
}

// DescribeJob shows a job and its counts.
func (s *Jobs) DescribeJob(ctx context.Context, id muster.JobID) (JobDescription, error) {
	var d JobDescription
	err := s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			w.Record(tables.jobs.Table, string(id))
			w.Counts(id)
		})
		j, err := tables.jobs.Get(r, string(id))
		if err != nil {
			return err
		}
		if j == nil {
			return noJob(id)
		}
		d.Job = *j
		if j.Windowed() && j.Status.Active() {
			t, err := rollout.Compile(j.Config.Schedule)
			if err != nil {
				return err
			}
			for _, at := range t.Upcoming(s.now(), rollout.UpcomingShown) {
				d.Upcoming = append(d.Upcoming, rollout.FormatTime(at))
			}
		}
		if j.TemplateARN != "" {
			document, err := readDocument(r, id)
			if err != nil {
				return err
			}
			d.Parameters = document.Parameters
		}
		d.Counts, err = store.CountsOf(r, id)
		return err
	})
	return d, err
}

// JobDocument returns a job's document byte for byte as it was submitted, but
// for what was resolved when the job was made: the parameters of its managed
// template and its signatures, unless asBefore. Links are shown as they were
// written (jobs-control-plane.md section 3.10).
func (s *Jobs) JobDocument(ctx context.Context, id muster.JobID, asBefore bool) (string, error) {
	var text string
	err := s.commits.View(ctx, func(r store.Reader) error {
		d, err := readDocument(r, id)
		if err != nil {
			return err
		}
		if text = d.Text; asBefore {
			text = cmp.Or(d.Before, d.Text)
		}
		return nil
	})
	return text, err
}

func readDocument(r store.Reader, id muster.JobID) (jobDocument, error) {
	d, err := tables.documents.Get(r, string(id))
	if err != nil {
		return jobDocument{}, err
	}
	if d == nil {
		return jobDocument{}, noJob(id)
	}
	return *d, nil
}

// JobFilter chooses jobs; its zero fields choose all.
type JobFilter struct {
	Status    muster.JobStatus
	Selection *muster.Selection
	Group     muster.GroupName
	GroupID   string
	Namespace *muster.Namespace
}

// JobList is a page of jobs.
type JobList struct {
	Jobs    []muster.Job
	GroupID string // of the group that the list was filtered by
	Next    string // token of the next page; empty on the last
}

// jobScanMax bounds the jobs looked at for one page of a filtered list.
const jobScanMax = 2000

// ListJobs lists jobs, newest first (jobs-control-plane.md section 3.11).
func (s *Jobs) ListJobs(ctx context.Context, f JobFilter, page listing.Page) (JobList, error) {
	var list JobList
	limit, err := page.Size(listing.Max)
	if err != nil {
		return list, err
	}
	name := struct {
		List   string
		Filter JobFilter
	}{"jobs", f}
	var after string
	if err := s.pages.Open(page.Token, name, &after); err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		if f, list.GroupID, err = resolveGroup(r, f); err != nil {
			return err
		}
		from := ""
		if after != "" {
			from = store.After(after)
		}
		scanned := 0
		for rows, err := range store.Chunks(tables.newest.Scan(r, from, ""), limit+1) {
			if err != nil {
				return err
			}
			commit.PrefetchView(r, func(w *commit.Wants) {
				for _, row := range rows {
					w.Record(tables.jobs.Table, store.SplitKey(row.Key)[1])
				}
			})
			for _, row := range rows {
				if len(list.Jobs) == limit || scanned == jobScanMax {
					list.Next = s.pages.Seal(name, after)
					return nil
				}
				after, scanned = row.Key, scanned+1
				j, err := tables.jobs.Get(r, store.SplitKey(row.Key)[1])
				if err != nil {
					return err
				}
				if j != nil && f.matches(*j) {
					list.Jobs = append(list.Jobs, *j)
				}
			}
		}
		return nil
	})
	return list, err
}

// resolveGroup checks the group that f names, by name, id, or both, and returns
// f with its id: jobs for an earlier group of the name do not count.
func resolveGroup(r store.Reader, f JobFilter) (JobFilter, string, error) {
	if f.Group == "" && f.GroupID == "" {
		return f, "", nil
	}
	if f.Group == "" {
		name, err := lookup.GroupName(r, f.GroupID)
		if err != nil {
			return f, "", err
		}
		f.Group = name
	}
	g, err := lookup.Group(r, f.Group)
	if err != nil {
		return f, "", err
	}
	if f.GroupID != "" && f.GroupID != g.ID {
		return f, "", muster.Errorf(muster.Invalid, "thingGroupName and thingGroupId name different groups")
	}
	f.GroupID = g.ID
	return f, g.ID, nil
}

func (f JobFilter) matches(j muster.Job) bool {
	if f.GroupID != "" && !covers(&j, []string{f.GroupID}) {
		return false
	}
	return (f.Status == 0 || f.Status == j.Status) &&
		(f.Selection == nil || *f.Selection == j.Selection) &&
		(f.Namespace == nil || *f.Namespace == j.Namespace)
}

// newestKey sorts jobs by creation, newest first, then by id.
func newestKey(j muster.Job) string {
	return store.JoinKey(store.LatestKey(j.CreatedAt), string(j.ID))
}

func noJob(id muster.JobID) error { return muster.Errorf(muster.NotFound, "Job %s not found", id) }

func (s *Jobs) jobExists(id muster.JobID) error {
	return muster.Existsf(string(id), s.account.ARN("job", string(id)), "Job %s already exists", id)
}
