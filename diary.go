package muster

// Diary is what the gateway and the data plane have seen of a thing last, whichever node saw it. Each part is of one
// instant of its own and is zero while nothing of its kind was seen. It says nothing of what the store knows anyway:
// executions, connectivity, rights. Texts may be cut, with … where something is missing.
type Diary struct {
	Came    Arrival
	Left    Departure
	Refused ConnectRefusal // zero again once a connection, or a request over HTTPS, succeeded
	Denied  Denial         // zero again once an action of its kind succeeded
	Asked   Request        // the last one of the data plane that succeeded and changed no execution
	Failed  Request        // the last one that failed, since one of its operation succeeded
	HTTPS   Instant        // of the last request over HTTPS
	Told    Telling
}

// Arrival is a connection that began.
type Arrival struct {
	At         Instant
	AsClientID bool // the thing is the client id; otherwise the certificate is attached to it
}

// Departure is a connection that ended.
type Departure struct {
	At     Instant
	Reason string  // the contract's word, as of Connectivity
	Kept   Instant // until when the session keeps its messages; zero if it does not
}

// ConnectRefusal is a CONNECT that was refused, or a request over HTTPS, of a device whose certificate is known and proves
// the thing.
type ConnectRefusal struct {
	At          Instant
	AsClientID  bool   // the thing is the client id of a certificate that is not attached to it
	Why         string // in words
	Certificate CertificateID
	Count       int // since a connection succeeded
}

// Denial is an action that policies refused. Actions on topics of jobs and actions on other topics are of different kinds;
// of those, the last one on topics of jobs is kept.
type Denial struct {
	At         Instant
	AsClientID bool   // the thing is the client id or in the topic, and the certificate is not attached to it
	Action     string // such as iot:Subscribe
	Resource   string // without the ARN's head, such as topicfilter/a/b
	Policy     string // whose statement denies it; empty if none allows it
	Statement  string // its Sid, or # and its position from 0; empty like Policy
	Count      int    // since an action of this kind succeeded
}

// Request is a request of the data plane.
type Request struct {
	At        Instant
	Operation string // the contract's word, such as StartNextPendingJobExecution
	Code      string // the contract's word for how it failed; empty if it succeeded
	Message   string // of the failure
	Job       JobID  // that it names; empty for none, for $next, and if there was no room for it
	Count     int    // of failures since the operation succeeded; zero if this one did
}

// Telling is a notification of pending executions (notify or notify-next) that was sent to a connected client.
type Telling struct {
	At    Instant
	Acked Instant // when a receiver acknowledged it (QoS 1); zero if none has
	Job   JobID   // the first that it names
}
