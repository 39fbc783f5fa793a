package contract

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
)

// edit is a change of an answer; it reports whether it changed anything.
type edit func(a *answer) bool

// tampered returns the service with edited answers.
func tampered(e edit) func(http.Handler) http.Handler {
	return func(service http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := &answer{header: http.Header{}}
			service.ServeHTTP(a, r)
			if e(a) && a.header.Get("Content-Length") != "" {
				a.header.Set("Content-Length", strconv.Itoa(a.body.Len()))
			}
			maps.Copy(w.Header(), a.header)
			w.WriteHeader(a.status)
			_, _ = w.Write(a.body.Bytes())
		})
	}
}

// replaced changes the first occurrence of a text in the body of successes.
func replaced(old, with string) edit {
	return func(a *answer) bool {
		if a.status != http.StatusOK || !strings.Contains(a.body.String(), old) {
			return false
		}
		a.body = *bytes.NewBufferString(strings.Replace(a.body.String(), old, with, 1))
		return true
	}
}

// refused changes answers that are errors.
func refused(change func(a *answer)) edit {
	return func(a *answer) bool {
		if a.status != http.StatusBadRequest {
			return false
		}
		change(a)
		return true
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	tests := map[string]struct {
		edit edit
		want string // part of the problem of a finding
	}{
		"an unknown member":          {replaced(`{"`, `{"extra":1,"`), "has no member extra"},
		"null instead of nothing":    {replaced(`{"things":`, `{"nextToken":null,"things":`), "is no string"},
		"an empty token":             {replaced(`{"jobs":`, `{"nextToken":7,"jobs":`), "7 is no string"},
		"milliseconds":               {replaced(`"createdAt":17`, `"createdAt":17000`), "is no timestamp"},
		"a word that is no status":   {replaced(`"status":"`, `"status":"NOT_`), "is none of"},
		"a name outside its pattern": {replaced(`"thingName":"`, `"thingName":"/`), "does not match"},
		"a list that is left out":    {replaced(`{"jobs":[]}`, `{}`), "jobs[].jobArn is missing"},
		"a counter that is left out": {replaced(`"numberOfFailedThings":0,`, ``), "numberOfFailedThings is missing"},
		"a member twice":             {replaced(`{"thingName":`, `{"thingName":"x","thingName":`), "thingName twice"},
		"half an answer":             {replaced(`"}`, `"`), "EOF"},
		"another content type":       {func(a *answer) bool { a.header.Set("Content-Type", "text/plain"); return true }, "content type"},
		"no request id":              {func(a *answer) bool { a.header.Del("X-Amzn-Requestid"); return true }, "request id"},
		"a length that lies":         {func(a *answer) bool { a.header.Set("Content-Length", "7"); return false }, "Content-Length"},
		"another success": {func(a *answer) bool {
			a.status = map[bool]int{true: 204, false: a.status}[a.status == 200]
			return true
		}, "not modeled"},
		"a fault":                           {refused(func(a *answer) { a.status = 500 }), "a fault of the service"},
		"another status":                    {refused(func(a *answer) { a.status = 422 }), "has status 400"},
		"an error of nobody":                {refused(func(a *answer) { a.header.Set("X-Amzn-Errortype", "NoSuchException") }), "not modeled"},
		"bad input that is accepted":        {refused(func(a *answer) { a.status = 200; a.header.Del("X-Amzn-Errortype"); a.body.Reset() }), "the input is bad"},
		"a refusal that names nothing":      {refused(func(a *answer) { a.body = *bytes.NewBufferString(`{"message":"bad"}`) }), "does not name"},
		"a limit that the model has not":    {replacedAll(`{"message":"1 validation error detected: Value 'x' at 'y' failed to satisfy constraint: Z"}`), "keeps all limits"},
		"an error without a message":        {refused(func(a *answer) { a.body = *bytes.NewBufferString(`{}`) }), "no message"},
		"a page that cannot be followed":    {noSecondPage(), "want 200"},
		"a second form, answered otherwise": {everyOther(), "another than without"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, 1)
			found := func(r *Report) bool {
				return slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.Contains(f.Problem, test.want) })
			}
			more := func(r *Report) bool { return r.Requests < 10_000 && !found(r) }
			report, err := Run(t.Context(), Options{Seed: 1, Tamper: tampered(test.edit), More: more})
			if err != nil {
				t.Fatal(err)
			}
			if !found(report) {
				t.Errorf("with %s there are the findings %v, want one with %q", name, report.Findings, test.want)
			}
		})
	}
}

// replacedAll replaces every success by a refusal with this body.
func replacedAll(body string) edit {
	return func(a *answer) bool {
		if a.status != http.StatusOK {
			return false
		}
		a.status = http.StatusBadRequest
		a.header.Set("X-Amzn-Errortype", "InvalidRequestException")
		a.header.Set("Content-Type", "application/json")
		a.body = *bytes.NewBufferString(body)
		return true
	}
}

// noSecondPage changes every token.
func noSecondPage() edit { return replaced(`"nextToken":"`, `"nextToken":"AAAA`) }

// everyOther changes every second answer that names a host.
func everyOther() edit {
	n := 0
	return func(a *answer) bool {
		if n++; n%2 == 0 {
			return false
		}
		return replaced(`"endpointAddress":"`, `"endpointAddress":"x`)(a)
	}
}

func TestAHandlerThatPanicsIsFound(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	panics := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })
	}
	report, err := Run(t.Context(), Options{Seed: 1, Tamper: panics, More: func(r *Report) bool { return r.Requests < 10 }})
	if err != nil || len(report.Findings) == 0 || !strings.Contains(report.Findings[0].Problem, "panics: oh") {
		t.Errorf("Run of a handler that panics = %v, %v, want a finding of it", report, err)
	}
}
