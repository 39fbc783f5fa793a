package explain

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
)

// This file is about what the device is the cause of before it works on the job: it is refused, away, deaf, or asks wrongly.

// httpsLasts is how long a device counts as connected after a request over HTTPS.
const httpsLasts = 10 * minute

// online reports whether the device is connected, or counts as that.
func (m *matter) online() bool {
	d, c := m.Device.Diary, m.Device.Connectivity
	gone := m.goneAt()
	return c.Connected || d.Came.At > gone || m.overHTTPS()
}

// overHTTPS reports whether the device counts as connected for a request over HTTPS. Nobody need listen for it then.
func (m *matter) overHTTPS() bool {
	at := m.Device.Diary.HTTPS
	return at != 0 && at >= m.goneAt() && m.Now < at+httpsLasts
}

// goneAt returns when the device was last seen to disconnect; zero for never.
func (m *matter) goneAt() muster.Instant {
	gone := m.Device.Diary.Left.At
	if c := m.Device.Connectivity; !c.Connected {
		gone = max(gone, c.At)
	}
	return gone
}

// seenAt returns when the device was last known to do something; zero for never.
func (m *matter) seenAt() muster.Instant {
	d := m.Device.Diary
	seen := max(d.Came.At, d.Left.At, d.Asked.At, d.Failed.At, d.HTTPS, m.Device.Connectivity.At)
	if x := m.Execution; x != nil {
		seen = max(seen, x.StartedAt)
	}
	return seen
}

// deaf reports that nobody is subscribed for the thing. A session that is kept for a device that is away is its own.
func (m *matter) deaf() bool {
	return m.Device.Listens == No || m.Device.Listens == Yes && !m.online() && m.Device.Diary.Left.Kept > m.Now
}

// asked reports whether the device has made a request since it could have the job.
func (m *matter) asked() bool {
	d := m.Device.Diary
	return max(d.Asked.At, d.Failed.At) >= max(m.pending.QueuedAt, 1)
}

// Whatever the device did with the execution itself is newer proof than what was refused or failed before.
func (m *matter) proven() muster.Instant {
	if m.inProgress() {
		return m.pending.UpdatedAt
	}
	return 0
}

// refused reports whether the device was refused last, a CONNECT while it is not connected or another action.
func (m *matter) refused() bool {
	return m.pending != nil && (m.connectRefused() || m.denied())
}

func (m *matter) connectRefused() bool {
	r := m.Device.Diary.Refused
	return r.At != 0 && r.At > m.proven() && r.At > m.Device.Diary.Came.At && !m.online()
}

func (m *matter) denied() bool {
	d := m.Device.Diary.Denied
	return d.At != 0 && d.Count > 0 && d.At > m.proven() && m.concerns(d)
}

// concerns reports whether a denial may keep the device from its jobs. Most devices have topics of other kinds, too.
func (m *matter) concerns(d muster.Denial) bool {
	kind, name, _ := strings.Cut(d.Resource, "/")
	switch kind {
	case "client":
		return !m.online()
	case "topic":
		return strings.HasPrefix(name, "$aws/things/") && (strings.Contains(name, "/jobs/") || strings.Contains(name, cutMark))
	case "topicfilter":
		return strings.Contains(name, "/jobs/") || strings.Contains(name, cutMark) || strings.ContainsAny(name, "+#")
	}
	return true
}

// cutMark is where a diary has cut a resource.
const cutMark = "…"

func sayRefused(m *matter, e *Explanation) {
	e.AsOf = m.Device.DiaryAsOf
	e.Next.Say = "when it tries again, and is allowed to"
	if m.connectRefused() {
		r := m.Device.Diary.Refused
		e.Say = fmt.Sprintf("%s was refused a connection at %s: %s.", m.Thing, m.when(r.At), excerpt(r.Why, 10))
		e.Since = r.At
		e.fact("refused", times(r.Count))
		if r.AsClientID {
			e.fact("known by", "as client id")
		}
		if c := m.Device.certificate(r.Certificate); c != nil && c.Status != muster.CertificateActive {
			e.help("make the certificate active", "aws", "iot", "update-certificate", "--certificate-id", string(r.Certificate), "--new-status", "ACTIVE")
		}
		if r.Certificate != "" {
			e.fact("certificate", string(r.Certificate))
			helpPolicies(m, e, r.Certificate)
		}
		factsOfDevice(m, e)
		e.help("see which certificates the thing has", "aws", "iot", "list-thing-principals", "--thing-name", string(m.Thing))
		return
	}
	d := m.Device.Diary.Denied
	why := "no policy allowed it"
	if d.Policy != "" {
		why = fmt.Sprintf("policy %s denied it", excerpt(d.Policy, 1))
	}
	e.Say = fmt.Sprintf("%s was refused %s on %s at %s: %s.", m.Thing, d.Action, excerpt(d.Resource, 4), m.when(d.At), why)
	e.Since = d.At
	e.fact("refused", times(d.Count))
	e.fact("resource", d.Resource)
	if d.Statement != "" {
		e.fact("statement", fmt.Sprintf("%s of policy %s", d.Statement, d.Policy))
	}
	if d.AsClientID {
		e.fact("known by", "as client id")
	}
	if d.Policy == "" && !strings.Contains(d.Resource, cutMark) {
		e.fact("statement that would allow it", fmt.Sprintf(`{"Effect":"Allow","Action":%s,"Resource":%s}`,
			strconv.Quote(d.Action), strconv.Quote(m.Account.Named(d.Resource))))
	}
	factsOfDevice(m, e)
	if d.Policy != "" {
		e.help("see the policy", "aws", "iot", "get-policy", "--policy-name", d.Policy)
	}
	if len(m.Device.Certificates) > 0 {
		helpPolicies(m, e, m.Device.Certificates[0].ID)
	}
}

func (d Device) certificate(id muster.CertificateID) *Certificate {
	for i := range d.Certificates {
		if d.Certificates[i].ID == id {
			return &d.Certificates[i]
		}
	}
	return nil
}

func (m *matter) neverConnected() bool { return m.queued() && m.seenAt() == 0 && m.deaf() }

func sayNeverConnected(m *matter, e *Explanation) {
	e.Say = fmt.Sprintf("No connection or request of %s is known; %s.", m.Thing, m.credentials())
	e.Since, e.AsOf = m.pending.QueuedAt, m.Device.DiaryAsOf
	e.Next.Say = "when it connects; while it is QUEUED no time-out runs"
	factsOfDevice(m, e)
	e.help("see which certificates the thing has", "aws", "iot", "list-thing-principals", "--thing-name", string(m.Thing))
	for _, c := range m.Device.Certificates {
		if c.Status != muster.CertificateActive {
			e.help("make the certificate active", "aws", "iot", "update-certificate", "--certificate-id", string(c.ID), "--new-status", "ACTIVE")
			break
		}
		if len(c.Policies) == 0 {
			helpPolicies(m, e, c.ID)
			break
		}
	}
}

// credentials says what the thing lacks to connect, as far as its certificates tell.
func (m *matter) credentials() string {
	lacks := "no certificate is attached to it"
	for _, c := range m.Device.Certificates {
		id := excerpt(string(c.ID)[:min(8, len(c.ID))], 1) + "…"
		switch {
		case c.Status != muster.CertificateActive:
			lacks = fmt.Sprintf("its certificate %s is %s", id, c.Status)
		case c.NotAfter != 0 && c.NotAfter <= m.Now:
			lacks = fmt.Sprintf("its certificate %s expired at %s", id, m.when(c.NotAfter))
		case len(c.Policies) == 0:
			lacks = fmt.Sprintf("its certificate %s has no policy", id)
		default:
			return fmt.Sprintf("its certificate %s is ACTIVE and has a policy", id)
		}
	}
	return lacks
}

// away reports whether the device is known, and not connected, and nobody listens in its place.
func (m *matter) away() bool { return m.seenAt() != 0 && !m.online() && m.deaf() }

func (m *matter) offline() bool { return m.queued() && m.away() }

func sayOffline(m *matter, e *Explanation) {
	not := "asked for"
	if m.asked() {
		not = "started"
	}
	e.Since, e.AsOf = m.seenAt(), m.Device.DiaryAsOf
	e.Say = fmt.Sprintf("%s has not %s %s: it is offline, and was last heard of at %s.", m.Thing, not, m.JobID, m.when(m.seenAt()))
	if gone := m.goneAt(); gone != 0 {
		e.Since = gone
		e.Say = fmt.Sprintf("%s has not %s %s: it has been offline since %s%s.", m.Thing, not, m.JobID, m.when(gone), m.whyGone())
	}
	factsOfAbsence(m, e)
	e.Next.Say = "when it connects; while it is QUEUED no time-out runs"
	helpConnection(m, e)
	helpTakeBack(m, e)
}

// factsOfAbsence adds what there is to know of a device that is away.
func factsOfAbsence(m *matter, e *Explanation) {
	d := m.Device.Diary
	if d.Left.Kept > m.Now {
		e.fact("its session keeps messages until", instant(d.Left.Kept))
	} else if d.Left.At != 0 {
		e.fact("its session", "keeps no messages")
	}
	factsOfDevice(m, e)
	factsOfQueue(m, e)
}

// whyGone returns why the device was disconnected, as the end of a sentence; empty if it is not known.
func (m *matter) whyGone() string {
	c, d := m.Device.Connectivity, m.Device.Diary.Left
	reason := d.Reason
	if !c.Connected && c.At >= d.At {
		reason = c.Reason
	}
	switch reason {
	case "CLIENT_INITIATED_DISCONNECT":
		return ", when it disconnected"
	case "CLIENT_ERROR":
		return ", after an error of the protocol"
	case "CONNECTION_LOST":
		return ", when its connection was lost"
	case "DUPLICATE_CLIENTID":
		return ", when another client took its client ID"
	case "MQTT_KEEP_ALIVE_TIMEOUT":
		return ", when its keep-alive ran out"
	case "AUTH_ERROR":
		return ", when its certificate was not good any more"
	case "FORBIDDEN_ACCESS":
		return ", after something that no policy allowed"
	case "SERVER_ERROR":
		return ", after an error of the server"
	case "SERVER_INITIATED_DISCONNECT", "API_INITIATED_DISCONNECT":
		return ", when the server ended its connection"
	case "THROTTLED":
		return ", when it was throttled"
	case "WEBSOCKET_TTL_EXPIRATION":
		return ", when its WebSocket had lasted its time"
	}
	return ""
}

func (m *matter) notListening() bool {
	return m.queued() && m.online() && !m.overHTTPS() && m.Device.Listens == No && !m.asked()
}

func sayNotListening(m *matter, e *Explanation) {
	d := m.Device.Diary
	e.AsOf = m.Device.DiaryAsOf
	e.Since = max(m.pending.QueuedAt, d.Came.At)
	e.Say = fmt.Sprintf("%s is connected, but subscribed to neither notify nor notify-next, and has not asked for %s.", m.Thing, m.JobID)
	e.Next.Say = "when it asks or subscribes; while it is QUEUED no time-out runs"
	factsOfDevice(m, e)
	helpConnection(m, e)
	helpTakeBack(m, e)
}

// failing reports whether a request failed after which the device did nothing better.
func (m *matter) failing() bool {
	f := m.Device.Diary.Failed
	return m.pending != nil && f.At != 0 && f.Code != "" && f.At >= m.pending.QueuedAt && f.At > m.proven() && (f.Job == "" || f.Job == m.JobID)
}

func (m *matter) asksWrongly() bool { return m.failing() && !isThrottled(m.Device.Diary.Failed.Code) }

func (m *matter) throttled() bool { return m.failing() && isThrottled(m.Device.Diary.Failed.Code) }

// isThrottled reports whether a request failed for its number.
func isThrottled(code string) bool {
	return code == "RequestThrottled" || code == "ThrottlingException"
}

func sayAsksWrongly(m *matter, e *Explanation) {
	f := m.Device.Diary.Failed
	e.Say = fmt.Sprintf("The last %s of %s, at %s, failed with %s%s.", f.Operation, m.Thing, m.when(f.At), excerpt(f.Code, 1), inARow(f.Count))
	e.Next.Say = "when a request of it succeeds"
	sayFailing(m, e)
	e.help("see the execution as it is", "aws", "iot", "describe-job-execution", "--job-id", string(m.JobID), "--thing-name", string(m.Thing))
}

func sayThrottled(m *matter, e *Explanation) {
	f := m.Device.Diary.Failed
	e.Say = fmt.Sprintf("%s was throttled: its last %s, at %s, exceeded the limits%s.", m.Thing, f.Operation, m.when(f.At), inARow(f.Count))
	e.Next = Next{Say: "when it asks again, from a second after its last request on", Estimate: true}
	if at := f.At + 1000; at > m.Now {
		e.Next.At = at
	}
	sayFailing(m, e)
}

func sayFailing(m *matter, e *Explanation) {
	f := m.Device.Diary.Failed
	e.Since, e.AsOf = f.At, m.Device.DiaryAsOf
	e.fact("operation", f.Operation)
	e.fact("code", f.Code)
	if f.Message != "" {
		e.fact("message", f.Message)
	}
	e.fact("failed", times(f.Count))
}

func sayTold(m *matter, e *Explanation) {
	d, since := m.Device.Diary, m.pending.QueuedAt
	e.Since, e.AsOf = since, m.Device.DiaryAsOf
	e.Next.Say = "when it asks; while it is QUEUED no time-out runs"
	told := d.Told.At >= since && (d.Told.Job == "" || d.Told.Job == m.JobID)
	switch {
	case d.Asked.At >= max(since, d.Told.At, 1):
		e.Say = fmt.Sprintf("%s asked at %s, by %s, and has not started %s since.", m.Thing, m.when(d.Asked.At), d.Asked.Operation, m.JobID)
		e.Since = d.Asked.At
	case told && d.Told.Acked != 0:
		e.Say = fmt.Sprintf("%s was told of %s at %s, acknowledged it, and has not asked since.", m.Thing, m.JobID, m.when(d.Told.At))
		e.Since = d.Told.At
	case told:
		e.Say = fmt.Sprintf("%s was told of %s at %s, has not acknowledged it, and has not asked since.", m.Thing, m.JobID, m.when(d.Told.At))
		e.Since = d.Told.At
	default:
		e.Say = fmt.Sprintf("%s has not asked for %s, which has been QUEUED since %s.", m.Thing, m.JobID, m.when(since))
	}
	if o := m.Others; o.Sample > 0 && o.ToStart > 0 {
		e.fact("half of the others started within", duration(o.ToStart))
		e.fact("others looked at", strconv.Itoa(o.Sample))
		if at := e.Since + o.ToStart; at > m.Now {
			e.Next.At, e.Next.Estimate = at, true
		}
	}
	factsOfDevice(m, e)
	helpConnection(m, e)
	helpTakeBack(m, e)
}

// factsOfDevice adds what is known of the device's connections and certificates.
func factsOfDevice(m *matter, e *Explanation) {
	d := m.Device.Diary
	if came := d.Came; came.At != 0 {
		how := ""
		if came.AsClientID {
			how = ", as client id"
		}
		e.fact("last connected", instant(came.At)+how)
	}
	if c := m.Device.Connectivity; c.At != 0 && !c.Connected {
		e.fact("disconnected", fmt.Sprintf("%s, %s", instant(c.At), c.Reason))
	} else if d.Left.At != 0 && d.Left.At > d.Came.At {
		e.fact("disconnected", fmt.Sprintf("%s, %s", instant(d.Left.At), d.Left.Reason))
	}
	if d.HTTPS != 0 {
		e.fact("last request over HTTPS", instant(d.HTTPS))
	}
	if d.Asked.At != 0 {
		e.fact("last asked", fmt.Sprintf("%s, %s", instant(d.Asked.At), d.Asked.Operation))
	}
	if m.Device.Listens != NotKnown {
		e.fact("somebody is subscribed for it", m.Device.Listens.String())
	}
	if d.Denied.At != 0 && d.Denied.Count > 0 && e.Code != Refused {
		e.fact("last refused", fmt.Sprintf("%s, %s on %s", instant(d.Denied.At), d.Denied.Action, d.Denied.Resource))
	}
	for _, c := range m.Device.Certificates {
		policies := "no policy"
		if len(c.Policies) > 0 {
			policies = strings.Join(c.Policies, ", ")
		}
		e.fact("certificate "+string(c.ID)[:min(8, len(c.ID))], fmt.Sprintf("%s, %s", c.Status, policies))
	}
}

func helpConnection(m *matter, e *Explanation) {
	e.help("see its connection", "aws", "iot", "get-thing-connectivity-data", "--thing-name", string(m.Thing))
}

func helpTakeBack(m *matter, e *Explanation) {
	take := []string{"aws", "iot", "cancel-job-execution", "--job-id", string(m.JobID), "--thing-name", string(m.Thing)}
	if m.inProgress() {
		take = append(take, "--force")
	}
	e.help("cancel it on this thing", take...)
}

func helpPolicies(m *matter, e *Explanation, id muster.CertificateID) {
	e.help("see its policies", "aws", "iot", "list-attached-policies", "--target", m.Account.ARN("cert", string(id)))
}
