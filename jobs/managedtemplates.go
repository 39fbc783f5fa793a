package jobs

import (
	"cmp"
	"iter"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobdoc"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// ManagedTemplateList is a page of managed job templates.
type ManagedTemplateList struct {
	Templates []jobdoc.ManagedTemplate
	Next      string // token of the next page; empty on the last
}

// ManagedTemplates lists the managed job templates by name, those of one name
// unless it is empty (jobs-control-plane.md section 3.13). It fails with
// NotFound for a name that none has.
func (s *Jobs) ManagedTemplates(name string, p listing.Page) (list ManagedTemplateList, err error) {
	p.Limit = cmp.Or(p.Limit, listing.Max)
	l, err := s.pages.Begin(p, "managedtemplate", name)
	if err != nil {
		return list, err
	}
	all := jobdoc.ManagedTemplates()
	if name != "" {
		all = slices.DeleteFunc(all, func(t jobdoc.ManagedTemplate) bool { return t.Name != name })
		if len(all) == 0 {
			return list, noManagedTemplate(name)
		}
	}
	list.Templates, list.Next, err = listing.Fill(l, managedFrom(all, l.From("")), func(row store.Row[jobdoc.ManagedTemplate]) (jobdoc.ManagedTemplate, bool, error) {
		return row.Value, true, nil
	})
	return list, err
}

// managedFrom yields templates from a key on, as a scan of a table would.
func managedFrom(all []jobdoc.ManagedTemplate, from string) iter.Seq2[store.Row[jobdoc.ManagedTemplate], error] {
	return func(yield func(store.Row[jobdoc.ManagedTemplate], error) bool) {
		for _, t := range all {
			key := store.JoinKey(t.Name, t.Version)
			if key >= from && !yield(store.Row[jobdoc.ManagedTemplate]{Key: key, Value: t}, nil) {
				return
			}
		}
	}
}

// ManagedTemplate returns a managed job template, the newest version unless one
// is named. It fails with NotFound.
func (s *Jobs) ManagedTemplate(name, version string) (jobdoc.ManagedTemplate, error) {
	t, ok := jobdoc.FindManagedTemplate(name, version)
	if !ok {
		if version != "" {
			name += ":" + version
		}
		return t, noManagedTemplate(name)
	}
	return t, nil
}

func noManagedTemplate(name string) error {
	return muster.Errorf(muster.NotFound, "Managed job template %s not found", name)
}
