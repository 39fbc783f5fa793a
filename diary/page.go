package diary

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muster-iot/muster"
)

// pageMax bounds what is stored of a diary, in bytes.
const pageMax = 400

// page is a diary as it is stored: a JSON array of numbers, packed, and texts. There may be a million of them, and
// with names for its fields each would take twice as much.
type page muster.Diary

// MarshalJSON implements json.Marshaler. Texts are cut, and the least important ones left out, until the page fits into pageMax.
func (p page) MarshalJSON() ([]byte, error) {
	d := muster.Diary(p)
	for {
		f := form{}
		f.diary(&d)
		b, err := json.Marshal(append([]string{base64.RawStdEncoding.EncodeToString(f.numbers)}, f.texts...))
		if over := len(b) + 1 - pageMax; err != nil || over <= 0 || !shorten(&d, over) { // a record begins with a byte for its version
			return b, err
		}
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *page) UnmarshalJSON(b []byte) error {
	f := form{reading: true}
	if err := json.Unmarshal(b, &f.texts); err != nil {
		return err
	}
	if len(f.texts) == 0 {
		return errors.New("a diary without numbers")
	}
	var err error
	if f.numbers, err = base64.RawStdEncoding.DecodeString(f.texts[0]); err != nil {
		return err
	}
	f.texts = f.texts[1:]
	*p = page{}
	f.diary((*muster.Diary)(p))
	return f.err
}

// shortest is to what texts are cut at least, in bytes.
const shortest = 16

// shorten makes the texts of a diary take fewer bytes, by over at most. It returns false if it cannot.
func shorten(d *muster.Diary, over int) bool {
	for _, job := range []*muster.JobID{&d.Asked.Job, &d.Failed.Job} {
		if *job != "" {
			*job = ""
			return true
		}
	}
	longest := &d.Denied.Resource
	for _, text := range []*string{&d.Denied.Policy, &d.Denied.Statement, &d.Failed.Message, &d.Refused.Why} {
		if len(*text) > len(*longest) {
			longest = text
		}
	}
	if len(*longest) <= shortest {
		return false
	}
	*longest = clip(*longest, max(shortest, len(*longest)-over))
	return true
}

const ellipsis = "…"

// clip cuts a text in its middle so that it has at most limit bytes, which must be at least len(ellipsis).
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	tail := (limit - len(ellipsis)) / 2
	head := limit - len(ellipsis) - tail
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	tail = len(text) - tail
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + ellipsis + text[tail:]
}

// plain returns a text without what JSON escapes.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == utf8.RuneError:
			return '?'
		}
		return r
	}, text)
}

// form writes the parts of a diary, or reads them, in one order.
type form struct {
	reading bool
	numbers []byte
	texts   []string
	newest  muster.Instant // the others are stored as how much earlier they are
	err     error
}

// diary writes or reads d. The order is a promise to later releases; parts may be added at the end.
func (f *form) diary(d *muster.Diary) {
	instants := []*muster.Instant{
		&d.Came.At, &d.Left.At, &d.Left.Kept, &d.Refused.At, &d.Denied.At, &d.Asked.At, &d.Failed.At, &d.HTTPS, &d.Told.At, &d.Told.Acked,
	}
	for _, at := range instants {
		f.newest = max(f.newest, *at)
	}
	newest := uint64(f.newest)
	f.number(&newest)
	f.newest = muster.Instant(newest)
	for _, at := range instants {
		f.instant(at)
	}
	f.flags(&d.Came.AsClientID, &d.Refused.AsClientID, &d.Denied.AsClientID)
	for _, n := range []*int{&d.Refused.Count, &d.Denied.Count, &d.Failed.Count} {
		f.count(n)
	}
	for _, word := range []*string{&d.Left.Reason, &d.Denied.Action, &d.Asked.Operation, &d.Failed.Operation, &d.Failed.Code} {
		f.word(word)
	}
	for _, text := range []*string{
		&d.Refused.Why, &d.Denied.Resource, &d.Denied.Policy, &d.Denied.Statement, &d.Failed.Message,
		(*string)(&d.Asked.Job), (*string)(&d.Failed.Job), (*string)(&d.Told.Job),
	} {
		f.text(text)
	}
	f.certificate(&d.Refused.Certificate)
}

// number writes or reads a number.
func (f *form) number(n *uint64) {
	if !f.reading {
		f.numbers = binary.AppendUvarint(f.numbers, *n)
		return
	}
	v, size := binary.Uvarint(f.numbers)
	if size <= 0 {
		f.err = errors.New("a diary with too few numbers")
		return
	}
	*n, f.numbers = v, f.numbers[size:]
}

func (f *form) instant(at *muster.Instant) {
	earlier := uint64(0)
	if *at != 0 {
		earlier = uint64(f.newest-*at) + 1
	}
	f.number(&earlier)
	if earlier != 0 {
		*at = f.newest - muster.Instant(earlier-1)
	}
}

func (f *form) flags(all ...*bool) {
	set := uint64(0)
	for i, flag := range all {
		if *flag {
			set |= 1 << i
		}
	}
	f.number(&set)
	for i, flag := range all {
		*flag = set&(1<<i) != 0
	}
}

func (f *form) count(n *int) {
	v := uint64(min(*n, countMax))
	f.number(&v)
	*n = int(min(v, countMax))
}

func (f *form) word(word *string) {
	at := uint64(max(slices.Index(words, *word), 0))
	f.number(&at)
	if at < uint64(len(words)) { // others are of a later release
		*word = words[at]
	}
}

// text writes or reads a text. Empty ones at the end are not stored.
func (f *form) text(text *string) {
	if !f.reading {
		f.texts = append(f.texts, plain(*text))
		return
	}
	if len(f.texts) > 0 {
		*text, f.texts = f.texts[0], f.texts[1:]
	}
}

// certificate writes or reads the id of a certificate, after all other numbers.
func (f *form) certificate(id *muster.CertificateID) {
	if f.reading {
		*id = muster.CertificateID(hex.EncodeToString(f.numbers))
		return
	}
	b, _ := hex.DecodeString(string(*id)) // what is no id is not stored
	f.numbers = append(f.numbers, b...)
	for len(f.texts) > 0 && f.texts[len(f.texts)-1] == "" {
		f.texts = f.texts[:len(f.texts)-1]
	}
}

// countMax bounds what is counted.
const countMax = 999_999

// words are those of the contract that diaries have, by the numbers that are stored of them. New ones are added at
// the end.
var words = []string{
	"",
	"iot:Publish", "iot:RetainPublish", "iot:Subscribe", "iot:Receive",
	"iotjobsdata:GetPendingJobExecutions", "iotjobsdata:StartNextPendingJobExecution", "iotjobsdata:DescribeJobExecution", "iotjobsdata:UpdateJobExecution",
	"GetPendingJobExecutions", "StartNextPendingJobExecution", "DescribeJobExecution", "UpdateJobExecution", "InvalidTopic",
	"InvalidJson", "InvalidRequest", "ResourceNotFound", "VersionMismatch", "InvalidStateTransition", "TerminalStateReached", "RequestThrottled", "InternalError",
	"AUTH_ERROR", "CLIENT_INITIATED_DISCONNECT", "CLIENT_ERROR", "CONNECTION_LOST", "DUPLICATE_CLIENTID", "FORBIDDEN_ACCESS",
	"MQTT_KEEP_ALIVE_TIMEOUT", "SERVER_ERROR", "SERVER_INITIATED_DISCONNECT", "THROTTLED", "WEBSOCKET_TTL_EXPIRATION",
}
