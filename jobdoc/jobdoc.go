// Package jobdoc is the language of job documents (jobs-control-plane.md
// sections 6 and 8): which texts can be a document, the placeholders in their
// string values and what replaces them, and the managed templates, whose documents
// have parameters. It is pure: callers pass in signatures, presigned URLs and
// package versions.
package jobdoc
