package jobdoc

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
)

// placeholder is one ${aws:iot:KIND:ARGUMENT} in a string value of a job
// document (jobs-control-plane.md section 6.2).
type placeholder struct {
	kind, argument string
	start, end     int // its place in the value
}

// The kinds of placeholders. Those of links are resolved whenever a device is
// given the document, the others when the job is made.
const (
	parameterKind = "parameter"
	linkKind      = "s3-presigned-url"        // its argument is a URL
	linkV2Kind    = "s3-presigned-url-v2"     // its argument is a URL, percent-encoded
	uploadKind    = "s3-presigned-url-upload" // its argument is a URL that may hold local placeholders
	signatureKind = "code-sign-signature"     // its argument names an object
	packageKind   = "package"                 // its argument names something of a version of a package
)

// Placeholders are those that a job document still holds when it is that of a
// job or of a template.
type Placeholders struct {
	Links      []Link          // in order; what a device gets in their place differs from time to time
	Signatures []muster.Object // the objects of which the document wants signatures
	Packages   bool            // something of packages is wanted
}

// FindPlaceholders returns the placeholders in the string values of a job
// document (jobs-control-plane.md sections 6.2 and 6.6). It fails with Invalid
// when one of them is none that may be there. What begins with ${ and not with
// ${aws: is no placeholder, and the names of members hold none. document must
// have passed Check.
func FindPlaceholders(document string) (Placeholders, error) {
	var all Placeholders
	_, err := rewriteStrings(document, func(value string) (string, error) {
		found, err := placeholders(value)
		if err != nil {
			return value, err
		}
		for _, p := range found {
			if err := all.add(p); err != nil {
				return value, err
			}
		}
		return value, nil
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

// checkNested refuses a placeholder within another one, but for local ones
// within an upload, and those not too often (section 6.4).
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

// nested yields what is left of a placeholder's argument from each "${" on.
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

// fillParameters returns a document with values in the place of its parameters.
// What it does not change stays byte for byte.
func fillParameters(document string, values map[string]string) (string, error) {
	return fill(document, func(p placeholder) (string, bool, error) {
		return values[p.argument], p.kind == parameterKind, nil
	})
}

// fill returns a document with what put says in the place of its placeholders;
// those that put is not for stay. What it does not change stays byte for byte,
// and nothing that was put is looked at again.
func fill(document string, put func(placeholder) (text string, ok bool, err error)) (string, error) {
	return rewriteStrings(document, func(value string) (string, error) {
		found, err := placeholders(value)
		if err != nil {
			return value, err
		}
		for _, p := range slices.Backward(found) {
			text, ok, err := put(p)
			if err != nil {
				return value, err
			}
			if ok {
				value = value[:p.start] + text + value[p.end:]
			}
		}
		return value, nil
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

// closed returns the length of the placeholder that text begins with, others
// within it included; 0 when it is not terminated.
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

// rewriteStrings returns a JSON text with change made to each string value; the
// names of members are none. What change leaves alone stays byte for byte.
func rewriteStrings(text string, change func(value string) (string, error)) (string, error) {
	var out strings.Builder
	done := 0
	for start, end := range stringValues(text) {
		var value string
		if err := json.Unmarshal([]byte(text[start:end]), &value); err != nil {
			return "", muster.Errorf(muster.Invalid, "The job document is not valid JSON %s", muster.JSONFault([]byte(text)))
		}
		changed, err := change(value)
		if err != nil {
			return "", err
		}
		if changed != value {
			out.WriteString(text[done:start])
			out.WriteString(quote(changed))
			done = end
		}
	}
	out.WriteString(text[done:])
	return out.String(), nil
}

// stringValues yields where the string values of a JSON text begin and end,
// with their quotes.
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

// quote writes a JSON string, with no more escapes than JSON asks for.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always has a JSON form
	return strings.TrimSuffix(b.String(), "\n")
}
