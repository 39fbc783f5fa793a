// Package landing answers people who open the root of the API in a browser or with
// curl: what this is, whether it is ready, and what to do next. It shows facts about
// the server to callers on its machine only; others see its name and how to sign
// requests.
package landing

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/loopback"
)

// Home is the URL of the project.
const Home = "https://github.com/muster-iot/muster"

// Summary describes Muster in one sentence.
const Summary = "A self-hosted server for device jobs that speaks the AWS IoT Jobs contract: the AWS CLI, the AWS SDKs and MQTT clients work with it unchanged."

// Door is a listener, as it is shown to a caller on the server's machine.
type Door struct {
	Purpose string // such as "MQTT with client certificates"
	Address string // host and port, or a URL
	Flag    string // of `muster serve` that sets the address, such as --mqtts
}

// Options are the parts of a Handler. Next, Version and Ready are required.
type Options struct {
	Next    http.Handler // answers all other requests
	Version string
	Ready   func(context.Context) error // nil when the server can be used
	Doors   []Door                      // the open ones
}

// Handler answers GET and HEAD of / without a signature or a query, in HTML or plain
// text as the caller prefers. When the caller prefers JSON, Next answers.
type Handler struct{ o Options }

// New returns a handler on o.
func New(o Options) *Handler { return &Handler{o} }

// readyTimeout bounds a call of Options.Ready.
const readyTimeout = 5 * time.Second

const (
	plainText = "text/plain"
	hyperText = "text/html"
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := ""
	if asked(r) {
		kind = preferred(strings.Join(r.Header["Accept"], ","), plainText, hyperText, "application/json")
	}
	if kind != plainText && kind != hyperText {
		h.o.Next.ServeHTTP(w, r)
		return
	}
	var f *facts
	if local(r) {
		f = h.facts(r.Context())
	}
	text := f.text()
	if kind == hyperText {
		text = f.page()
		w.Header().Set("Content-Security-Policy", policy())
	}
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(text)) // fails only when the client is gone
}

// asked reports whether r asks for the page. A request with a signature, in a header or
// in the query, is a call of the API.
func asked(r *http.Request) bool {
	return r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.RawQuery == "" &&
		r.Header.Get("Authorization") == "" && r.ContentLength == 0
}

// local reports whether r comes from this machine, not through a proxy, and names this
// machine as its host. The latter refuses pages whose own name resolves to a loopback
// address (DNS rebinding).
func local(r *http.Request) bool {
	if !loopback.Names(hostport.Host(r.RemoteAddr)) || r.Header.Get("Forwarded")+r.Header.Get("X-Forwarded-For")+r.Header.Get("Via") != "" {
		return false
	}
	return loopback.Names(hostport.Host(r.Host))
}

// preferred returns the one of kinds with the highest quality in an Accept header; of
// equals the one that is named most exactly, and of those the first. It returns "" when
// none is accepted. An empty header accepts all.
func preferred(accept string, kinds ...string) string {
	if accept == "" {
		accept = "*/*"
	}
	best, quality, exactness := "", 0.0, 0
	for _, kind := range kinds {
		if q, e := qualityOf(accept, kind); q > quality || q > 0 && q == quality && e > exactness {
			best, quality, exactness = kind, q, e
		}
	}
	return best
}

// qualityOf returns the quality of a kind in an Accept header, from 0 (not accepted) to
// 1, by the media range that matches it most exactly, and how exactly that matches.
func qualityOf(accept, kind string) (quality float64, exactness int) {
	major, _, _ := strings.Cut(kind, "/")
	for one := range strings.SplitSeq(accept, ",") {
		wanted, parameters, _ := strings.Cut(one, ";")
		e := 0
		switch strings.ToLower(strings.TrimSpace(wanted)) {
		case kind:
			e = 3
		case major + "/*":
			e = 2
		case "*/*":
			e = 1
		}
		if e <= exactness {
			continue
		}
		quality, exactness = 1, e
		for parameter := range strings.SplitSeq(parameters, ";") {
			if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q="); ok {
				quality, _ = strconv.ParseFloat(q, 64) // 0 when it is not a number
			}
		}
	}
	return min(max(quality, 0), 1), exactness
}

// facts are what is shown to callers on the server's machine only. For others they are
// nil.
type facts struct {
	version string
	problem error // why the server is not ready; nil when it is
	doors   []Door
}

func (h *Handler) facts(ctx context.Context) *facts {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return &facts{h.o.Version, h.o.Ready(ctx), h.o.Doors}
}

// state returns a sentence about whether the server is ready.
func (f *facts) state() string {
	if f.problem != nil {
		return "not ready: " + f.problem.Error()
	}
	return "ready"
}

// Commands that use the AWS CLI with the server, on its machine and on others.
const (
	aimHere  = "# DIR: the folder of --data\neval \"$(muster env DIR)\"\naws iot list-things"
	aimThere = "# the URL of this page\nexport AWS_ENDPOINT_URL=…\naws iot list-things"
)

// how returns how to make requests.
func (f *facts) how() (text, commands string) {
	if f == nil {
		return "Requests are signed with an access key, as on AWS. Whoever runs this server can make one for you; then aim the AWS CLI or an SDK here:", aimThere
	}
	return "Requests are signed with an access key, as on AWS. The first start has made one; this aims the AWS CLI and the SDKs at it:", aimHere
}

// text returns the page as plain text.
func (f *facts) text() string {
	var b strings.Builder
	if f == nil {
		b.WriteString("Muster\n")
	} else {
		fmt.Fprintf(&b, "Muster %s, %s\n", f.version, f.state())
	}
	how, commands := f.how()
	fmt.Fprintf(&b, "%s\n\n%s\n\n  %s\n", Summary, how, strings.ReplaceAll(commands, "\n", "\n  "))
	if f != nil && len(f.doors) > 0 {
		b.WriteString("\n")
		for _, d := range f.doors {
			fmt.Fprintf(&b, "%-32s %-24s %s\n", d.Purpose, d.Address, d.Flag)
		}
	}
	fmt.Fprintf(&b, "\nDocumentation: %s\n", Home)
	return b.String()
}

//go:embed page.html
var pageForm string

//go:embed page.css
var pageStyle string

// icon is the icon of the page. Without one, browsers request /favicon.ico from the API.
const icon = `data:image/svg+xml,` +
	`%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%230f766e'/%3E` +
	`%3Cg fill='%23fff'%3E%3Ccircle cx='5' cy='5' r='1.5'/%3E%3Ccircle cx='11' cy='5' r='1.5'/%3E%3Ccircle cx='5' cy='11' r='1.5'/%3E%3Ccircle cx='11' cy='11' r='1.5'/%3E%3C/g%3E%3C/svg%3E`

// policy returns the Content-Security-Policy of the page: its style sheet and icon only,
// and nothing from other sources.
func policy() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// page returns the page as HTML.
func (f *facts) page() string {
	how, commands := f.how()
	state, doors := "", ""
	if f != nil {
		mark := "ready"
		if f.problem != nil {
			mark = "waits"
		}
		state = fmt.Sprintf(`<p class="state"><span class="mark %s"></span>%s<span class="version">%s</span></p>`, mark, html.EscapeString(f.state()), html.EscapeString(f.version))
		doors = f.doorsHTML()
	}
	return strings.NewReplacer(
		"{style}", pageStyle, "{icon}", icon, "{home}", Home, "{summary}", html.EscapeString(Summary),
		"{state}", state, "{how}", html.EscapeString(how), "{commands}", commandsHTML(commands), "{doors}", doors,
	).Replace(pageForm)
}

// commandsHTML marks the first line of commands, a comment, as one.
func commandsHTML(commands string) string {
	comment, rest, _ := strings.Cut(commands, "\n")
	return "<i>" + html.EscapeString(comment) + "</i>\n" + html.EscapeString(rest)
}

// doorsHTML returns the table of listeners.
func (f *facts) doorsHTML() string {
	if len(f.doors) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("<section>\n<h2>What listens</h2>\n<table>\n<thead><tr><th scope=\"col\">For</th><th scope=\"col\">Address</th><th scope=\"col\">Flag</th></tr></thead>\n<tbody>\n")
	for _, d := range f.doors {
		address := "<code>" + html.EscapeString(d.Address) + "</code>"
		if strings.HasPrefix(d.Address, "http://") {
			address = `<a href="` + html.EscapeString(d.Address) + `">` + address + "</a>"
		}
		fmt.Fprintf(&b, "<tr><th scope=\"row\">%s</th><td>%s</td><td><code>%s</code></td></tr>\n", html.EscapeString(d.Purpose), address, html.EscapeString(d.Flag))
	}
	b.WriteString("</tbody>\n</table>\n</section>\n")
	return b.String()
}
