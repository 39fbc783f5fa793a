package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobdoc"
)

// Use is something that a job or a template makes use of on behalf of its maker:
// a file that the document names, or a version of a package.
type Use struct {
	// File is read, or written with Upload. Then each * in its key stands for any
	// run of characters: for what differs between executions.
	File   muster.Object
	Upload bool
	// Package is a version that the document takes attributes or the file from; with
	// Brought it is one that the job brings to its things. File is then empty.
	Package muster.Release
	Brought bool
}

// Rights are those of the maker of a job or a template.
type Rights interface {
	// Permits returns nil when the maker may make a use of something, and else an
	// error of the kind Forbidden. It is asked before anything is said about
	// whether the thing exists. It may be called inside a transaction, more than
	// once, and must not block.
	Permits(Use) error
}

// permitted asks the rights of a maker; without any everything is permitted.
func permitted(r Rights, u Use) error {
	if r == nil {
		return nil
	}
	return r.Permits(u)
}

// anyUploadKey stands for jobdoc.UploadKey of every execution.
const anyUploadKey = "*/*/*"

// permittedLink asks for the files that a link means, of all executions.
func (s *Jobs) permittedLink(r Rights, l jobdoc.Link) error {
	o, err := s.objects.Locate(l.Span())
	if err != nil {
		return err
	}
	if o.Key == "" {
		o.Key = anyUploadKey
	}
	return permitted(r, Use{File: o, Upload: l.Upload})
}

// permittedFiles asks for every file that the document of a template, or of a
// job as it stands, names. What is no file of the store is nobody's: it is
// refused when a job is made of the template.
func (s *Jobs) permittedFiles(r Rights, document string) error {
	all, err := jobdoc.FindPlaceholders(document)
	if err != nil || s.objects == nil {
		return err
	}
	for _, l := range all.Links {
		if _, err := s.objects.Locate(l.Span()); err != nil {
			continue
		}
		if err := s.permittedLink(r, l); err != nil {
			return err
		}
	}
	for _, o := range all.Signatures {
		if err := permitted(r, Use{File: o}); err != nil {
			return err
		}
	}
	return nil
}
