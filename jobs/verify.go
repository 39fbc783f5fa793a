package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// Invariants of jobs.
const (
	ExecutionsBelong store.Invariant = "an execution belongs to its job and, while it is pending, to its thing"
	JobsAreFiled     store.Invariant = "every job is filed where its state says, and nothing else is"
)

// Verify compares the records of jobs with each other and with executions.
func Verify(c *integrity.Check) {
	jobs := verifyJobs(c)
	if c.Done() {
		return
	}
	if verifyExecutions(c, jobs); c.Done() {
		return
	}
	verifyTemplates(c)
	c.Surplus(JobsAreFiled, tables.documents.Table, tables.newest.Table, tables.byTarget.Table, tables.standing.Table, tables.rolling.Table,
		tables.alarms.Table, tables.deletions.Table, tables.concurrent.Table, tables.line.Table, tables.ended.Table)
	c.Surplus(integrity.IndexesAgree, tables.templatesByDate.Table)
}

// verifyJobs looks for every job where its state says that it is filed.
func verifyJobs(c *integrity.Check) map[muster.JobID]muster.Namespace {
	active := 0
	namespaces := map[muster.JobID]muster.Namespace{}
	integrity.Each(c, tables.jobs, func(key string, j muster.Job) {
		c.Keyed(tables.jobs.Table, key, string(j.ID))
		namespaces[j.ID] = j.Namespace
		f := jobFile(&j)
		for table, row := range map[store.Table]string{tables.concurrent.Table: f.concurrent, tables.line.Table: f.line, tables.ended.Table: f.ended} {
			if row != "" {
				c.Derived(JobsAreFiled, table, row, "job "+key)
			}
		}
		if f.active {
			active++
		}
		verifyFiled(c, &j)
	})
	if n, err := countActive(c.Reader()); err != nil {
		c.Problem(store.Readable, "%v", err)
	} else if n != active {
		c.Problem(JobsAreFiled, "%d jobs are counted as active and %d are", n, active)
	}
	c.EachKey(tables.deferred.Table, func(key string) {
		job, _ := c.Pair(tables.deferred.Table, key)
		c.Owned(tables.deferred.Table, key, tables.jobs.Table, job)
	})
	c.EachKey(tables.joining.Table, func(key string) {
		job, _ := c.Pair(tables.joining.Table, key)
		c.Owned(tables.joining.Table, key, tables.jobs.Table, job)
	})
	return namespaces
}

// verifyFiled looks a job up in the tables that one job alone has rows in.
func verifyFiled(c *integrity.Check, j *muster.Job) {
	key, from := string(j.ID), "job "+string(j.ID)
	c.Derived(JobsAreFiled, tables.documents.Table, key, from)
	c.Derived(JobsAreFiled, tables.newest.Table, newestKey(*j), from)
	for _, t := range j.Targets {
		c.Derived(JobsAreFiled, tables.byTarget.Table, targetKey(t, j.ID), from)
		if j.Selection == muster.Continuous && j.Status.Active() && !j.Over {
			c.Derived(JobsAreFiled, tables.standing.Table, targetKey(t, j.ID), from)
		}
		if t.Group && isSnapshotUnderWay(j) {
			c.Derived(JobsAreFiled, tables.rolling.Table, targetKey(t, j.ID), from)
		}
	}
	if j.Wake != 0 {
		c.Derived(JobsAreFiled, tables.alarms.Table, alarmKey(j.Wake, j.ID), from)
	}
	if j.Status == muster.JobDeleting {
		c.Derived(JobsAreFiled, tables.deletions.Table, key, from)
	}
}

// verifyExecutions looks for the job of each execution, and for the thing of each that is
// pending: those of a thing that is deleted have ended.
func verifyExecutions(c *integrity.Check, jobs map[muster.JobID]muster.Namespace) {
	for x, err := range c.Reader().AllExecutions() {
		if c.Done() {
			return
		}
		if err != nil {
			c.Problem(store.Readable, "%v", err)
			return
		}
		namespace, ok := jobs[x.Job]
		switch {
		case !ok:
			c.Problem(ExecutionsBelong, "%+v is %s and there is no such job", store.Key(x), x.Status)
		case x.Namespace != namespace:
			c.Problem(ExecutionsBelong, "%+v is in namespace %q and its job in %q", store.Key(x), x.Namespace, namespace)
		case !x.Status.Terminal() && !c.Has(registry.ThingTable, string(x.Thing)):
			c.Problem(ExecutionsBelong, "%+v is %s and there is no such thing", store.Key(x), x.Status)
		}
	}
}

func verifyTemplates(c *integrity.Check) {
	integrity.Each(c, tables.templates, func(key string, t muster.JobTemplate) {
		c.Keyed(tables.templates.Table, key, string(t.ID))
		c.Dated(tables.templatesByDate.Table, t.CreatedAt, key, "job template "+key)
	})
}
