package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// More invariants that Verify checks.
const (
	ExecutionsBelong store.Invariant = "an execution belongs to its job and, while it is pending, to its thing"
	JobsAreFiled     store.Invariant = "every job is filed where its state says, and nothing else is"
	IndexesAgree     store.Invariant = "an index holds what the records say, and nothing else"
	OwnersExist      store.Invariant = "what belongs to something is there with it"
)

// recordVerification compares the records with each other. Most tables derive from
// others: each row that a record asks for is looked up and counted, so a table that
// holds more rows than were found holds some that no record asks for.
type recordVerification struct {
	ctx      context.Context // of the one call that this lives in
	r        store.Reader
	problems []store.Problem
	found    map[store.Table]int // rows that were looked up and are there
	jobs     map[muster.JobID]muster.Namespace
	err      error // why it could not finish
}

func verifyRecords(ctx context.Context, r store.Reader) ([]store.Problem, error) {
	v := recordVerification{ctx: ctx, r: r, found: map[store.Table]int{}, jobs: map[muster.JobID]muster.Namespace{}}
	for _, check := range []func(){v.registry, v.groups, v.members, v.allJobs, v.executions, v.rights, v.catalog, v.surplus} {
		if check(); v.err != nil || len(v.problems) >= store.MaxProblems {
			return v.problems, v.err
		}
	}
	return v.problems, verifyLog(ctx, r, v.problem)
}

func (v *recordVerification) problem(i store.Invariant, format string, args ...any) {
	v.problems = append(v.problems, store.Problem{Invariant: i, Detail: fmt.Sprintf(format, args...)})
}

// each calls fn for every row of a table. What cannot be read is a problem, and the
// end of the table.
func each[T any](v *recordVerification, table store.Of[T], fn func(key string, value T)) {
	for row, err := range table.Scan(v.r, "", "") {
		if v.err = errors.Join(v.err, v.ctx.Err()); v.err != nil || len(v.problems) >= store.MaxProblems {
			return
		}
		if err != nil {
			v.problem(store.Readable, "%v", err)
			return
		}
		fn(row.Key, row.Value)
	}
}

// has reports whether there is a row.
func (v *recordVerification) has(table store.Table, key string) bool {
	value, err := v.r.Get(table, key)
	v.err = errors.Join(v.err, err)
	return value != nil
}

// derived looks up a row that a record asks for.
func (v *recordVerification) derived(i store.Invariant, table store.Table, key, from string) {
	if v.has(table, key) {
		v.found[table]++
	} else if v.err == nil {
		v.problem(i, "table %s lacks %q of %s", table, key, from)
	}
}

// dated does the same for a dated table.
func (v *recordVerification) dated(table store.Table, at muster.Instant, id, from string, owner ...string) {
	v.derived(IndexesAgree, table, datedKey(true, at, id, owner), from)
	v.derived(IndexesAgree, table, datedKey(false, at, id, owner), from)
}

// owned looks up what a row belongs to.
func (v *recordVerification) owned(table store.Table, key string, by store.Table, owner string) {
	if !v.has(by, owner) && v.err == nil {
		v.problem(OwnersExist, "table %s has %q and there is no %s %q", table, key, by, owner)
	}
}

// pair cuts the key of a row that belongs to two others.
func (v *recordVerification) pair(table store.Table, key string) (string, string) {
	parts := store.SplitKey(key)
	if len(parts) != 2 {
		v.problem(IndexesAgree, "table %s has the key %q, which is not of two parts", table, key)
		return key, ""
	}
	return parts[0], parts[1]
}

// keyed compares the key of a record with what the record says of itself.
func (v *recordVerification) keyed(table store.Table, key, want string) {
	if key != want {
		v.problem(IndexesAgree, "table %s has under %q the record of %q", table, key, want)
	}
}

func (v *recordVerification) registry() {
	each(v, things, func(key string, t muster.Thing) {
		v.keyed(things.Table, key, string(t.Name))
		if t.Type != "" {
			v.owned(things.Table, key, thingTypes.Table, string(t.Type))
			v.derived(IndexesAgree, typed.Table, store.JoinKey(string(t.Type), key), "thing "+key)
		}
	})
	each(v, thingTypes, func(key string, t muster.ThingType) { v.keyed(thingTypes.Table, key, string(t.Name)) })
	each(v, connections, func(key string, c connection) {
		v.owned(connections.Table, key, things.Table, key)
		if c.Connected {
			v.derived(IndexesAgree, present.Table, key, "the connection of thing "+key)
		}
	})
	each(v, inventories, func(key string, _ muster.Inventory) { v.owned(inventories.Table, key, things.Table, key) })
	each(v, tags, func(key string, _ []muster.Tag) {
		kind, name := v.pair(tags.Table, key)
		if _, err := tagsOf(v.r, kind, name, key); err != nil {
			v.problem(OwnersExist, "table %s has %q: %v", tags.Table, key, err)
		}
	})
}

func (v *recordVerification) groups() {
	each(v, groups, func(key string, g muster.Group) {
		from := "group " + key
		v.keyed(groups.Table, key, string(g.Name))
		v.derived(IndexesAgree, groupIDs.Table, g.ID, from)
		for levels, above := range g.Lineage() {
			v.derived(IndexesAgree, below.Table, belowKey(above, levels, g.Name), from)
			v.isTarget(groups.Table, key, muster.Target{Group: true, Name: string(above), ID: g.LineageIDs()[levels]})
		}
		if g.IsDynamic() {
			v.derived(IndexesAgree, dynamicNames.Table, key, from)
		}
		if g.IsDynamic() && g.Dynamic.Building {
			v.derived(IndexesAgree, building.Table, key, from)
		}
	})
	each(v, groupIDs, func(key string, name muster.GroupName) {
		v.isTarget(groupIDs.Table, key, muster.Target{Group: true, Name: string(name), ID: key})
	})
	each(v, leaving, func(key string, d departure) {
		if v.has(groupIDs.Table, key) || len(d.IDs) == 0 || d.IDs[0] != key {
			v.problem(IndexesAgree, "table %s has %q, which is the id of a group that is there or not of %s", leaving.Table, key, d.Group)
		}
	})
}

// isTarget reports a thing or group that is not the one of its name.
func (v *recordVerification) isTarget(table store.Table, key string, t muster.Target) {
	there, err := isThere(v.r, t)
	v.err = errors.Join(v.err, err)
	if !there && err == nil {
		v.problem(IndexesAgree, "table %s has under %q the id %q for %s, which has another one or is not there", table, key, t.ID, t.Name)
	}
}

// members looks for memberships of things and groups that are gone; that things and
// groups agree is checked elsewhere.
func (v *recordVerification) members() {
	each(v, memberships, func(key string, _ belonging) {
		thing, _ := v.pair(memberships.Table, key)
		v.owned(memberships.Table, key, things.Table, thing)
	})
	each(v, members, func(key string, _ membership) {
		group, thing := v.pair(members.Table, key)
		v.owned(members.Table, key, things.Table, thing)
		if !v.has(groupIDs.Table, group) {
			v.owned(members.Table, key, leaving.Table, group)
		}
	})
}

// allJobs looks for every job where its state says that it is filed.
func (v *recordVerification) allJobs() {
	active := 0
	each(v, jobs, func(key string, j muster.Job) {
		v.keyed(jobs.Table, key, string(j.ID))
		v.jobs[j.ID] = j.Namespace
		f := jobFile(&j)
		for table, row := range map[store.Table]string{concurrent.Table: f.concurrent, line.Table: f.line, ended.Table: f.ended} {
			if row != "" {
				v.derived(JobsAreFiled, table, row, "job "+key)
			}
		}
		if f.active {
			active++
		}
		v.filed(&j)
	})
	if n, err := countActive(v.r); err != nil {
		v.problem(store.Readable, "%v", err)
	} else if n != active {
		v.problem(JobsAreFiled, "%d jobs are counted as active and %d are", n, active)
	}
	each(v, deferred, func(key string, _ deferral) {
		job, _ := v.pair(deferred.Table, key)
		v.owned(deferred.Table, key, jobs.Table, job)
	})
	each(v, joining, func(key string, _ link) {
		job, _ := v.pair(joining.Table, key)
		v.owned(joining.Table, key, jobs.Table, job)
	})
}

// filed looks a job up in the tables that one job alone has rows in.
func (v *recordVerification) filed(j *muster.Job) {
	key, from := string(j.ID), "job "+string(j.ID)
	v.derived(JobsAreFiled, documents.Table, key, from)
	v.derived(JobsAreFiled, newest.Table, newestKey(*j), from)
	for _, t := range j.Targets {
		v.derived(JobsAreFiled, targets.Table, targetKey(t, j.ID), from)
		if j.Selection == muster.Continuous && j.Status.Active() && !j.Over {
			v.derived(JobsAreFiled, standing.Table, targetKey(t, j.ID), from)
		}
		if t.Group && rolls(j) {
			v.derived(JobsAreFiled, rolling.Table, targetKey(t, j.ID), from)
		}
	}
	if j.Wake != 0 {
		v.derived(JobsAreFiled, alarms.Table, alarmKey(j.Wake, j.ID), from)
	}
	if j.Status == muster.JobDeleting {
		v.derived(JobsAreFiled, deletions.Table, key, from)
	}
}

// executions looks for the job of each execution, and for the thing of each that is
// pending: those of a thing that is deleted have ended.
func (v *recordVerification) executions() {
	for x, err := range v.r.AllExecutions() {
		if v.err = errors.Join(v.err, v.ctx.Err()); v.err != nil || len(v.problems) >= store.MaxProblems {
			return
		}
		if err != nil {
			v.problem(store.Readable, "%v", err)
			return
		}
		namespace, ok := v.jobs[x.Job]
		switch {
		case !ok:
			v.problem(ExecutionsBelong, "%+v is %s and there is no such job", store.Key(x), x.Status)
		case x.Namespace != namespace:
			v.problem(ExecutionsBelong, "%+v is in namespace %q and its job in %q", store.Key(x), x.Namespace, namespace)
		case !x.Status.Terminal() && !v.has(things.Table, string(x.Thing)):
			v.problem(ExecutionsBelong, "%+v is %s and there is no such thing", store.Key(x), x.Status)
		}
	}
}

// rights compares certificates, authorities and policies with their lists, and with
// what they are attached to.
func (v *recordVerification) rights() {
	each(v, certificates, func(key string, c muster.Certificate) {
		v.keyed(certificates.Table, key, string(c.ID))
		v.dated(certificatesByDate.Table, c.CreatedAt, key, "certificate "+key)
		if c.CA != "" {
			v.dated(certificatesOfCA.Table, c.CreatedAt, key, "certificate "+key, string(c.CA))
		}
	})
	each(v, authorities, func(key string, ca muster.CA) {
		v.keyed(authorities.Table, key, string(ca.ID))
		v.dated(authoritiesByDate.Table, ca.CreatedAt, key, "CA "+key)
		v.derived(IndexesAgree, authoritiesBySubject.Table, store.JoinKey(ca.Subject, key), "CA "+key)
	})
	each(v, policies, func(key string, p muster.Policy) {
		v.keyed(policies.Table, key, p.Name)
		v.dated(policiesByDate.Table, p.CreatedAt, key, "policy "+key)
	})
	each(v, policyTargets, func(key string, _ link) {
		policy, target := v.pair(policyTargets.Table, key)
		v.owned(policyTargets.Table, key, policies.Table, policy)
		table, owner := policyTargetRow(target)
		v.owned(policyTargets.Table, key, table, owner)
		v.derived(IndexesAgree, policiesOfTarget.Table, store.JoinKey(target, policy), "policy "+policy)
	})
	each(v, principalsOfThing, func(key string, _ muster.Attachment) {
		thing, principal := v.pair(principalsOfThing.Table, key)
		v.owned(principalsOfThing.Table, key, things.Table, thing)
		v.owned(principalsOfThing.Table, key, certificates.Table, principal)
		v.derived(IndexesAgree, thingsOfPrincipal.Table, store.JoinKey(principal, thing), "thing "+thing)
	})
}

// catalog compares templates and packages with their lists and versions.
func (v *recordVerification) catalog() {
	each(v, jobTemplates, func(key string, t muster.JobTemplate) {
		v.keyed(jobTemplates.Table, key, string(t.ID))
		v.dated(jobTemplatesByDate.Table, t.CreatedAt, key, "job template "+key)
	})
	each(v, packages, func(key string, p muster.Package) {
		v.keyed(packages.Table, key, string(p.Name))
		if p.Default != "" {
			v.owned(packages.Table, key, packageVersions.Table, releaseKey(muster.Release{Package: p.Name, Version: p.Default}))
		}
	})
	each(v, packageVersions, func(key string, p muster.PackageVersion) {
		v.keyed(packageVersions.Table, key, releaseKey(muster.Release{Package: p.Package, Version: p.Name}))
		v.owned(packageVersions.Table, key, packages.Table, string(p.Package))
	})
}

// derivedTables hold only what other records ask for, by the invariant that says so.
var derivedTables = map[store.Invariant][]store.Table{
	JobsAreFiled: {
		documents.Table, newest.Table, targets.Table, standing.Table, rolling.Table, alarms.Table, deletions.Table,
		concurrent.Table, line.Table, ended.Table,
	},
	IndexesAgree: {
		typed.Table, present.Table, groupIDs.Table, below.Table, dynamicNames.Table, building.Table,
		certificatesByDate.Table, certificatesOfCA.Table, authoritiesByDate.Table, authoritiesBySubject.Table,
		policiesByDate.Table, policiesOfTarget.Table, thingsOfPrincipal.Table, jobTemplatesByDate.Table,
	},
}

// surplus looks for rows that no record asks for.
func (v *recordVerification) surplus() {
	for _, i := range []store.Invariant{JobsAreFiled, IndexesAgree} {
		for _, table := range derivedTables[i] {
			rows := 0
			for _, err := range v.r.Scan(table, "", "") {
				if v.err = errors.Join(v.err, v.ctx.Err()); v.err != nil {
					return
				}
				if err != nil {
					v.problem(store.Readable, "%v", err)
					break
				}
				rows++
			}
			if rows > v.found[table] {
				v.problem(i, "table %s has %d rows and %d of them belong there", table, rows, v.found[table])
			}
		}
	}
}
