package jobdoc

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/jsontext"
	"github.com/muster-iot/muster/internal/plainjson"
)

// placeholder is one ${aws:iot:KIND:ARGUMENT} in a string value of a job
// document (jobs-control-plane.md section 6.2).
type placeholder struct {
	kind, argument string
	start, end     int // its place in the value
}

// The kinds of placeholders. Links are resolved each time a device is given the
// document, all others once, when the job is created.
const (
	parameterKind = "parameter"
	linkKind      = "s3-presigned-url"        // its argument is a URL
	linkV2Kind    = "s3-presigned-url-v2"     // its argument is a URL, percent-encoded
	uploadKind    = "s3-presigned-url-upload" // its argument is a URL that may hold local placeholders
	signatureKind = "code-sign-signature"     // its argument names an object
	packageKind   = "package"                 // its argument names something of a version of a package
)

// Placeholders are the placeholders of a document that can belong to a job or to a
// custom template: it has no parameters.
type Placeholders struct {
	Links      []Link          // in the order of the document
	Signatures []muster.Object // the objects whose signatures are wanted, in the order of the document
	Packages   bool            // there are placeholders for packages
}

// FindPlaceholders returns the placeholders in the string values of a job
// document (jobs-control-plane.md sections 6.2 and 6.6). It fails with Invalid
// when a placeholder is malformed, of an unknown kind, or a parameter. Text that
// begins with ${ but not with ${aws: is left to the device, except for local
// placeholders, and names of members are never searched. document must have passed
// Check.
func FindPlaceholders(document string) (Placeholders, error) {
	var all Placeholders
	_, err := rewriteStrings(document, func(value string) (string, bool, error) {
		found, err := placeholders(value)
		if err != nil {
			return "", false, err
		}
		for _, p := range found {
			if err := all.add(p); err != nil {
				return "", false, err
			}
		}
		return "", false, nil
	})
	return all, err
}

func (all *Placeholders) add(p placeholder) error {
	if err := p.checkNested(); err != nil {
		return err
	}
	switch p.kind {
	case linkKind, linkV2Kind, uploadKind:
		l, err := p.link()
		all.Links = append(all.Links, l)
		return err
	case signatureKind:
		o, err := p.object()
		all.Signatures = append(all.Signatures, o)
		return err
	case parameterKind:
		return muster.Errorf(muster.Invalid, "The placeholder ${aws:iot:parameter:%s} is only valid in AWS managed job templates", p.argument)
	case packageKind:
		all.Packages = true
		_, err := p.readPackage()
		return err
	}
	return muster.Errorf(muster.Invalid, "The job document has a placeholder of the unknown kind ${aws:iot:%s}", p.kind)
}

// checkNested returns an Invalid error for a placeholder inside another one. Only
// an upload may contain some: local ones, each at most localMax times
// (jobs-control-plane.md section 6.4).
func (p placeholder) checkNested() error {
	for text := range nested(p.argument) {
		local := localPlaceholder(text)
		switch name, ours := strings.CutPrefix(text, "${aws:"); {
		case ours && strings.HasPrefix(name, "iot:package:") && strings.Contains(name, ":artifact"):
			return muster.Errorf(muster.Invalid, "${aws:iot:package:[...]:artifact:s3-presigned-url} cannot be nested inside another placeholder.")
		case ours:
			service, rest, _ := strings.Cut(name, ":")
			kind, _, _ := strings.Cut(rest, ":")
			return muster.Errorf(muster.Invalid, "${aws:%s:%s[...]} should not be the second layer pattern.", service, strings.TrimRight(kind, "}"))
		case local != "" && p.kind != uploadKind:
			return muster.Errorf(muster.Invalid, "Local placeholder, %s, is only valid inside of presign url upload", local)
		case local == "" && p.kind == uploadKind:
			return muster.Errorf(muster.Invalid, "Undefined placeholder, %s, inside of presign url upload parameter", text[:closed(text)])
		case local != "" && strings.Count(p.argument, local) > localMax:
			return muster.Errorf(muster.Invalid, "The occurrence of local placeholder %s within S3 presigned url upload placeholder exceeds limit of %d.", local, localMax)
		}
	}
	return nil
}

// nested yields the rest of a placeholder's argument, starting at each "${" in it.
func nested(argument string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for at := strings.Index(argument, "${"); at >= 0; at = strings.Index(argument, "${") {
			argument = argument[at:]
			if !yield(argument) {
				return
			}
			argument = argument[len("${"):]
		}
	}
}

// fillParameters returns a document with its parameters replaced by values; one
// without a value becomes empty. Everything else stays byte for byte.
func fillParameters(document string, values map[string]string) (string, error) {
	return fill(document, func(p placeholder) (string, bool, error) {
		return values[p.argument], p.kind == parameterKind, nil
	})
}

// fill returns a document in which each placeholder is replaced by what resolve
// returns for it, or kept where resolve reports false. Everything else stays byte
// for byte. The replacements are not searched for placeholders.
func fill(document string, resolve func(placeholder) (text string, ok bool, err error)) (string, error) {
	return rewriteStrings(document, func(value string) (string, bool, error) {
		found, err := placeholders(value)
		if err != nil {
			return "", false, err
		}
		filled := value
		for _, p := range slices.Backward(found) {
			text, ok, err := resolve(p)
			if err != nil {
				return "", false, err
			}
			if ok {
				filled = filled[:p.start] + text + filled[p.end:]
			}
		}
		if filled == value {
			return "", false, nil
		}
		return quote(filled), true, nil
	})
}

// placeholders returns the outermost placeholders of a string value, in order.
func placeholders(value string) ([]placeholder, error) {
	var found []placeholder
	for at := 0; ; {
		next := strings.Index(value[at:], "${")
		if next < 0 {
			return found, nil
		}
		start := at + next
		text := value[start:]
		at = start + len("${")
		if local := localPlaceholder(text); local != "" {
			return nil, muster.Errorf(muster.Invalid, "Local placeholder, %s, is only valid inside of presign url upload", local)
		}
		if !strings.HasPrefix(text, "${aws:") {
			continue
		}
		length := closed(text)
		if length == 0 {
			return nil, muster.Errorf(muster.Invalid, "One or more parameters or placeholders are not terminated.")
		}
		at = start + length
		name, ok := strings.CutPrefix(text[:length-1], "${aws:iot:")
		if !ok {
			return nil, muster.Errorf(muster.Invalid, "The job document has an unknown placeholder %s", text[:length])
		}
		p := placeholder{start: start, end: at}
		p.kind, p.argument, _ = strings.Cut(name, ":")
		found = append(found, p)
	}
}

// closed returns the length of the placeholder that text begins with, including
// those nested in it, or 0 when it is not terminated.
func closed(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
		case text[i] == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// rewriteStrings calls edit with each string value of a JSON text, but not with the
// names of members, and returns the text with the JSON that edit returned in place
// of the values that it reports as changed. Everything else stays byte for byte.
func rewriteStrings(text string, edit func(value string) (replacement string, changed bool, err error)) (string, error) {
	var out strings.Builder
	done := 0
	for start, end := range stringValues(text) {
		var value string
		if err := json.Unmarshal([]byte(text[start:end]), &value); err != nil {
			return "", muster.Errorf(muster.Invalid, "The job document is not valid JSON %s", jsontext.Fault([]byte(text)))
		}
		edited, changed, err := edit(value)
		if err != nil {
			return "", err
		}
		if changed {
			out.WriteString(text[done:start])
			out.WriteString(edited)
			done = end
		}
	}
	out.WriteString(text[done:])
	return out.String(), nil
}

// stringValues yields the start and end of each string value of a JSON text,
// quotes included. text must be valid JSON.
func stringValues(text string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		for i := 0; i < len(text); i++ {
			if text[i] != '"' {
				continue
			}
			start := i
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return
			}
			name := strings.HasPrefix(strings.TrimLeft(text[i+1:], " \t\r\n"), ":")
			if !name && !yield(start, i+1) {
				return
			}
		}
	}
}

// quote writes a JSON string with only the escapes that JSON requires: signed URLs
// are full of &, which encoding/json would write as \u0026.
func quote(s string) string { return string(plainjson.Encode(s)) }
