package foreign

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/internal/plainjson"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/internal/uuid"
)

// Tools that read AWS CloudTrail ask it for events with LookupEvents. An audit record is an event.

// The service and the operation.
const (
	TrailService = "cloudtrail"
	LookupEvents = "LookupEvents"
)

const (
	// eventsMax is how many events a page has at most, and if the request does not say.
	eventsMax = 50
	// attributeMax bounds the value of a LookupAttribute, in characters.
	attributeMax = 2000
	// lastSecond is the latest instant that a request can name: the end of the year 9999.
	lastSecond = 253402300799
)

// TrailError is why a LookupEvents is refused: the name of the error, and a sentence.
type TrailError struct{ Name, Message string }

func (e *TrailError) Error() string { return e.Message }

// lookupInput is the input of LookupEvents. Instants are in seconds.
type lookupInput struct {
	LookupAttributes []struct{ AttributeKey, AttributeValue string }
	StartTime        *float64
	EndTime          *float64
	EventCategory    *string
	MaxResults       *int
	NextToken        string
}

// Lookup is what a LookupEvents asks for.
type Lookup struct {
	Query audit.Query
	// None says that no event is asked for, whatever there is.
	None bool
}

// ReadLookup reads the body of a LookupEvents. An error is a *TrailError.
func ReadLookup(body []byte) (Lookup, error) {
	var in lookupInput
	if err := json.Unmarshal(body, &in); err != nil {
		return Lookup{}, &TrailError{"SerializationException", "The body is no input of LookupEvents"}
	}
	var l Lookup
	l.Query.Limit, l.Query.Token = eventsMax, in.NextToken
	if n := in.MaxResults; n != nil {
		if *n < 1 || *n > eventsMax {
			return l, &TrailError{"InvalidMaxResultsException", "MaxResults must be 1 to " + strconv.Itoa(eventsMax)}
		}
		l.Query.Limit = *n
	}
	if c := in.EventCategory; c != nil {
		if *c != "insight" {
			return l, &TrailError{"InvalidEventCategoryException", "EventCategory can only be insight"}
		}
		l.None = true // there are no insights
	}
	if err := l.between(in.StartTime, in.EndTime); err != nil {
		return l, err
	}
	switch len(in.LookupAttributes) {
	case 0:
		return l, nil
	case 1:
		return l, l.choose(in.LookupAttributes[0].AttributeKey, in.LookupAttributes[0].AttributeValue)
	}
	return l, &TrailError{"InvalidLookupAttributesException", "LookupAttributes can have one item only"}
}

// between bounds the time, as EventTime shows it: to the second.
func (l *Lookup) between(start, end *float64) error {
	for _, t := range []*float64{start, end} {
		if t != nil && math.Abs(*t) > lastSecond {
			return &TrailError{"InvalidTimeRangeException", "StartTime and EndTime must be before the year 10000"}
		}
	}
	if start != nil && end != nil && *start > *end {
		return &TrailError{"InvalidTimeRangeException", "StartTime must not be after EndTime"}
	}
	if start != nil {
		l.Query.From = muster.Instant(max(0, math.Ceil(*start))) * 1000
	}
	if end != nil {
		l.Query.To = muster.Instant(max(0, math.Floor(*end)+1)) * 1000
		l.None = l.None || l.Query.To == 0
	}
	return nil
}

// choose chooses the events that have an attribute.
func (l *Lookup) choose(key, value string) error {
	invalid := func(why string) error { return &TrailError{"InvalidLookupAttributesException", why} }
	if value == "" || len([]rune(value)) > attributeMax {
		return invalid("AttributeValue must have 1 to " + strconv.Itoa(attributeMax) + " characters")
	}
	var chooses func(audit.Record) bool
	switch key {
	case "EventId":
		at, ok := instantIn(value)
		if !ok || at < l.Query.From || l.Query.To > 0 && at >= l.Query.To {
			l.None = true
			return nil
		}
		l.Query.From, l.Query.To = at, at+1
		chooses = func(r audit.Record) bool { return eventID(r) == value }
	case "EventName":
		l.Query.Operation = value
		return nil
	case "AccessKeyId":
		l.Query.Principal = value
		chooses = func(r audit.Record) bool { return r.AccessKeyID == value }
	case "Username":
		l.Query.Principal = value
		chooses = func(r audit.Record) bool { return r.User == value }
	case "ResourceName":
		if strings.HasPrefix(value, "arn:") {
			l.Query.Resource = value
			return nil
		}
		chooses = func(r audit.Record) bool {
			return hasResource(r, func(x Resource) bool { return nameIn(x.ResourceName) == value })
		}
	case "ResourceType":
		chooses = func(r audit.Record) bool {
			return hasResource(r, func(x Resource) bool { return x.ResourceType == value })
		}
	case "EventSource":
		chooses = func(r audit.Record) bool { return eventSource(r) == value }
	case "ReadOnly":
		if value != "true" && value != "false" {
			return invalid("ReadOnly is true or false")
		}
		chooses = func(r audit.Record) bool { return strconv.FormatBool(readsOnly(r)) == value }
	default:
		return invalid("AttributeKey can be EventId, EventName, ReadOnly, Username, ResourceType, ResourceName, EventSource or AccessKeyId, and not " + strconv.Quote(respond.Clip(key)))
	}
	l.Query.Filter = audit.Filter{Name: key + "=" + value, Chooses: chooses}
	return nil
}

// Resource is what an event is on.
type Resource struct {
	ResourceType string `json:",omitempty"`
	ResourceName string
}

// event is an event in the answer of LookupEvents.
type event struct {
	EventID         string `json:"EventId"`
	EventName       string
	ReadOnly        string
	AccessKeyID     string `json:"AccessKeyId,omitempty"`
	EventTime       int64  // in seconds
	EventSource     string
	Username        string `json:",omitempty"`
	Resources       []Resource
	CloudTrailEvent string
}

// WriteEvents answers a LookupEvents with audit records.
func WriteEvents(w http.ResponseWriter, page audit.Page, account muster.Account) {
	out := struct {
		Events    []event
		NextToken string `json:",omitempty"`
	}{make([]event, len(page.Records)), page.Next}
	for i, r := range page.Records {
		out.Events[i] = event{
			EventID: eventID(r), EventName: r.Operation, ReadOnly: strconv.FormatBool(readsOnly(r)), AccessKeyID: r.AccessKeyID, EventTime: r.At.Seconds(),
			EventSource: eventSource(r), Username: r.User, Resources: resourcesOf(r), CloudTrailEvent: string(plainjson.Encode(trailEvent(r, account))),
		}
	}
	respond.Whole(w, http.StatusOK, "application/x-amz-json-1.1", plainjson.Encode(out))
}

// userIdentity says who made a request.
type userIdentity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	UserName    string `json:"userName,omitempty"`
}

// trailResource is a resource in a record of CloudTrail.
type trailResource struct {
	AccountID string `json:"accountId"`
	Type      string `json:"type,omitempty"`
	ARN       string `json:"ARN"`
}

// trailRecord is a record of CloudTrail, version 1.11.
type trailRecord struct {
	EventVersion        string          `json:"eventVersion"`
	UserIdentity        userIdentity    `json:"userIdentity"`
	EventTime           string          `json:"eventTime"`
	EventSource         string          `json:"eventSource"`
	EventName           string          `json:"eventName"`
	AWSRegion           string          `json:"awsRegion"`
	SourceIPAddress     string          `json:"sourceIPAddress,omitempty"`
	ErrorCode           string          `json:"errorCode,omitempty"`
	ErrorMessage        string          `json:"errorMessage,omitempty"`
	RequestParameters   *struct{}       `json:"requestParameters"` // null: what a request says is not kept
	ResponseElements    *struct{}       `json:"responseElements"`
	AdditionalEventData additionalData  `json:"additionalEventData"`
	RequestID           string          `json:"requestID"`
	EventID             string          `json:"eventID"`
	ReadOnly            bool            `json:"readOnly"`
	Resources           []trailResource `json:"resources,omitempty"`
	EventType           string          `json:"eventType"`
	ManagementEvent     bool            `json:"managementEvent"`
	RecipientAccountID  string          `json:"recipientAccountId"`
	EventCategory       string          `json:"eventCategory"`
}

// additionalData is what an audit record has and a record of CloudTrail has no place for.
type additionalData struct {
	Outcome     audit.Outcome  `json:"outcome"`
	Count       int            `json:"count,omitempty"`
	Changes     []audit.Change `json:"changes,omitempty"`
	MoreChanges int            `json:"moreChanges,omitempty"`
}

func trailEvent(r audit.Record, account muster.Account) trailRecord {
	who := userIdentity{Type: "Unknown", UserName: r.User} // at the machine of the server
	if r.AccessKeyID != "" {
		arn := "arn:aws:iam::" + account.ID + ":user/" + r.User
		who = userIdentity{Type: "IAMUser", PrincipalID: UserID(arn), ARN: arn, AccountID: account.ID, AccessKeyID: r.AccessKeyID, UserName: r.User}
	}
	var on []trailResource
	for _, x := range resourcesOf(r) {
		on = append(on, trailResource{account.ID, x.ResourceType, x.ResourceName})
	}
	return trailRecord{
		EventVersion: "1.11", UserIdentity: who, EventTime: r.At.Time().Format(time.RFC3339), EventSource: eventSource(r), EventName: r.Operation,
		AWSRegion: account.Region, SourceIPAddress: r.Address, ErrorCode: errorCode(r), ErrorMessage: r.Message,
		AdditionalEventData: additionalData{r.Outcome, r.Count, r.Changes, r.MoreChanges},
		RequestID:           r.RequestID, EventID: eventID(r), ReadOnly: readsOnly(r), Resources: on,
		EventType: "AwsApiCall", ManagementEvent: true, RecipientAccountID: account.ID, EventCategory: "Management",
	}
}

// errorCode returns the name of the error of a request that was refused or failed.
func errorCode(r audit.Record) string {
	switch {
	case r.Error != "":
		return r.Error
	case r.Outcome == audit.Failed:
		return "Failed"
	}
	return ""
}

// eventID returns the id of a record: a UUID made of its instant and its request, so that the instant
// is found in it.
func eventID(r audit.Record) string {
	sum := sha256.Sum256([]byte(r.RequestID))
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(r.At)<<16)
	copy(id[6:], sum[:])
	return uuid.Format(id, 8)
}

// instantIn returns the instant in the id of a record.
func instantIn(id string) (muster.Instant, bool) {
	if len(id) != 36 {
		return 0, false
	}
	b, err := hex.DecodeString(id[:8] + id[9:13])
	if err != nil {
		return 0, false
	}
	return muster.Instant(binary.BigEndian.Uint64(append([]byte{0, 0}, b...))), true
}

// eventSource returns the host of the service that a request was for.
func eventSource(r audit.Record) string {
	if r.Service == "s3" || r.Service == TrailService {
		return r.Service + ".amazonaws.com"
	}
	return "iot.amazonaws.com" // Muster's own operations are signed for it too
}

// reading begins the names of operations that change nothing. Those are recorded when they are refused.
var reading = []string{"Get", "List", "Describe", "Search", "Head", "Read", "Test", "Validate", "Explain", "Lookup"}

func readsOnly(r audit.Record) bool {
	for _, begin := range reading {
		if strings.HasPrefix(r.Operation, begin) {
			return true
		}
	}
	return false
}

// resourceTypes are the types of resources, by the service and the first word of their ARN.
var resourceTypes = map[string]string{
	"iot/thing": "AWS::IoT::Thing", "iot/thinggroup": "AWS::IoT::ThingGroup", "iot/thingtype": "AWS::IoT::ThingType", "iot/job": "AWS::IoT::Job",
	"iot/jobtemplate": "AWS::IoT::JobTemplate", "iot/policy": "AWS::IoT::Policy", "iot/cert": "AWS::IoT::Certificate", "iot/cacert": "AWS::IoT::CACertificate",
	"iot/package": "AWS::IoT::SoftwarePackage", "iam/user": "AWS::IAM::User",
}

func resourcesOf(r audit.Record) []Resource {
	all := make([]Resource, len(r.Resources))
	for i, arn := range r.Resources {
		all[i] = Resource{typeOf(arn), arn}
	}
	return all
}

func hasResource(r audit.Record, is func(Resource) bool) bool {
	return slices.ContainsFunc(resourcesOf(r), is)
}

// typeOf returns the type of the resource that an ARN names, "" if there is no word for it.
func typeOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	service, resource := parts[2], parts[5]
	kind, name, named := strings.Cut(resource, "/")
	switch {
	case service == "s3" && named:
		return "AWS::S3::Object"
	case service == "s3":
		return "AWS::S3::Bucket"
	case service == "signer":
		return "AWS::Signer::SigningProfile"
	case service+"/"+kind == "iot/package" && strings.Contains(name, "/version/"):
		return "AWS::IoT::SoftwarePackageVersion"
	}
	return resourceTypes[service+"/"+kind]
}

// nameIn returns the name in an ARN: what follows its kind.
func nameIn(arn string) string {
	_, resource, _ := strings.Cut(arn, "/")
	return resource
}
