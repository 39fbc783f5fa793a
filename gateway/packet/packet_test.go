package packet

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// samples are packets that must survive being written and read, by name.
func samples() map[string]struct {
	version byte
	packet  Packet
} {
	type sample = struct {
		version byte
		packet  Packet
	}
	user := Properties(nil).WithUser("site", "north").WithUser("site", "south")
	return map[string]sample{
		"3.1.1 connect":            {V311, &Connect{Version: V311, Clean: true, KeepAlive: 60, ClientID: "lamp"}},
		"3.1.1 connect with will":  {V311, &Connect{Version: V311, ClientID: "lamp", Username: "?SDK=x", HasUsername: true, Will: &Will{Topic: "gone", Payload: []byte("x"), QoS: 1, Retain: true}}},
		"5 connect with it all":    {V5, &Connect{Version: V5, Clean: true, KeepAlive: 1200, ClientID: "lamp", HasPassword: true, Password: []byte{0, 1}, Properties: Properties(nil).WithInt(SessionExpiry, 3600).WithInt(ReceiveMaximum, 5), Will: &Will{Topic: "gone", Payload: []byte{}, Properties: Properties(nil).WithInt(WillDelay, 5)}}},
		"3.1.1 connack":            {V311, &Connack{Reason: Reason(NotAuthorized311)}},
		"5 connack":                {V5, &Connack{SessionPresent: true, Properties: Properties(nil).WithInt(MaximumQoS, 1).WithText(AssignedClientID, "$GEN/1")}},
		"3.1.1 publish QoS 0":      {V311, &Publish{Topic: "a/b", Payload: []byte("hello")}},
		"3.1.1 publish QoS 1":      {V311, &Publish{Topic: "a/b", Payload: []byte{}, QoS: 1, ID: 7, Dup: true, Retain: true}},
		"5 publish with alias":     {V5, &Publish{Topic: "", Payload: []byte("x"), HasAlias: true, Alias: 3}},
		"5 publish forwarding":     {V5, &Publish{Topic: "a", Payload: []byte("x"), QoS: 1, ID: 1, HasExpiry: true, Expiry: 9, Forward: user}},
		"3.1.1 puback":             {V311, &Puback{ID: 9}},
		"5 puback":                 {V5, &Puback{ID: 9, Reason: NotAuthorized}},
		"5 puback with properties": {V5, &Puback{ID: 9, Properties: Properties(nil).WithText(ReasonString, "no")}},
		"3.1.1 subscribe":          {V311, &Subscribe{ID: 1, Subscriptions: []Subscription{{Filter: "a/#", QoS: 2}, {Filter: "+", QoS: 0}}}},
		"5 subscribe":              {V5, &Subscribe{ID: 1, Subscriptions: []Subscription{{Filter: "a", QoS: 1, NoLocal: true, RetainAsPublished: true, RetainHandling: 2}}}},
		"3.1.1 suback":             {V311, &Suback{ID: 1, Reasons: []Reason{GrantedQoS1, UnspecifiedError}}},
		"5 suback":                 {V5, &Suback{ID: 1, Reasons: []Reason{NotAuthorized}}},
		"3.1.1 unsubscribe":        {V311, &Unsubscribe{ID: 1, Filters: []string{"a", "b"}}},
		"5 unsubscribe":            {V5, &Unsubscribe{ID: 1, Filters: []string{"a"}, Properties: user}},
		"3.1.1 unsuback":           {V311, &Unsuback{ID: 1}},
		"5 unsuback":               {V5, &Unsuback{ID: 1, Reasons: []Reason{NoSubscriptionExisted}}},
		"3.1.1 disconnect":         {V311, &Disconnect{}},
		"5 disconnect":             {V5, &Disconnect{Reason: DisconnectWithWill}},
		"5 disconnect, properties": {V5, &Disconnect{Reason: Success, Properties: Properties(nil).WithInt(SessionExpiry, 0)}},
		"ping":                     {V311, Pingreq{}},
		"ping answer":              {V311, Pingresp{}},
	}
}

func TestPacketsReadAsTheyWereWritten(t *testing.T) {
	for name, s := range samples() {
		t.Run(name, func(t *testing.T) {
			wire := s.packet.Append([]byte("before"), s.version)
			wire, ok := bytes.CutPrefix(wire, []byte("before"))
			if !ok {
				t.Fatalf("Append overwrote what was there")
			}
			f, n, err := Cut(append(wire, 0xC0, 0), 1<<20)
			if err != nil || n != len(wire) {
				t.Fatalf("Cut(%x) = %d, %v; want %d", wire, n, err, len(wire))
			}
			got, err := Parse(f, s.version)
			if err != nil {
				t.Fatalf("Parse(%x): %v", wire, err)
			}
			if fmt.Sprintf("%+v", deref(got)) != fmt.Sprintf("%+v", deref(s.packet)) {
				t.Errorf("Parse(%x)\n got %+v\nwant %+v", wire, deref(got), deref(s.packet))
			}
			if p, ok := s.packet.(*Publish); ok && p.Size(s.version) != len(wire) {
				t.Errorf("Size = %d, want %d", p.Size(s.version), len(wire))
			}
		})
	}
}

// deref makes nested pointers readable and nil slices equal to empty ones when printed.
func deref(p Packet) any {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer {
		return p
	}
	if c, ok := p.(*Connect); ok {
		flat := *c
		flat.Will = nil
		if c.Will != nil {
			return fmt.Sprintf("%+v %+v", flat, *c.Will)
		}
		return flat
	}
	return v.Elem().Interface()
}

func TestWireBytes(t *testing.T) {
	for name, c := range map[string]struct {
		version byte
		packet  Packet
		want    string
	}{
		"a 3.1.1 publish carries no properties": {V311, &Publish{Topic: "a", Payload: []byte("x"), QoS: 1, ID: 2, HasExpiry: true, Expiry: 1}, "\x32\x06\x00\x01a\x00\x02x"},
		"a 5 publish has a property length":     {V5, &Publish{Topic: "a", Payload: []byte("x")}, "\x30\x05\x00\x01a\x00x"},
		"a 3.1.1 puback has no reason":          {V311, &Puback{ID: 258, Reason: NotAuthorized}, "\x40\x02\x01\x02"},
		"a 3.1.1 suback knows one failure":      {V311, &Suback{ID: 1, Reasons: []Reason{1, TopicFilterInvalid}}, "\x90\x04\x00\x01\x01\x80"},
		"a subscribe has flags 2":               {V311, &Subscribe{ID: 1, Subscriptions: []Subscription{{Filter: "a", QoS: 1, NoLocal: true}}}, "\x82\x06\x00\x01\x00\x01a\x01"},
		"a 5 disconnect without reason":         {V5, &Disconnect{}, "\xe0\x00"},
	} {
		if got := c.packet.Append(nil, c.version); string(got) != c.want {
			t.Errorf("%s: %+v = %x, want %x", name, c.packet, got, c.want)
		}
	}
}

func TestCutWaitsAndRefuses(t *testing.T) {
	long := "\x30\x80\x80\x08" // 131,072 bytes follow
	for name, c := range map[string]struct {
		in     string
		n      int
		reason Reason
	}{
		"nothing":                             {"", 0, 0},
		"only a header":                       {"\x30", 0, 0},
		"an unfinished length":                {"\x30\x80", 0, 0},
		"an unfinished body":                  {"\x30\x05abc", 0, 0},
		"a whole packet and more":             {"\xc0\x00\xc0", 2, 0},
		"a length of five bytes":              {"\x30\x80\x80\x80\x80\x01", 0, MalformedPacket},
		"a length of four unfinished bytes":   {"\x30\xff\xff\xff\xff", 0, MalformedPacket},
		"too long, known before it has come":  {long, 0, PacketTooLarge},
		"exactly as long as may be, to come":  {"\x30\xfd\x07", 0, 0},
		"one more than that":                  {"\x30\xfe\x07", 0, PacketTooLarge},
		"a length of four bytes, but too big": {"\x30\xff\xff\xff\x7f", 0, PacketTooLarge},
	} {
		_, n, err := Cut([]byte(c.in), 1024)
		if n != c.n && c.reason == 0 || reasonOf(err) != c.reason {
			t.Errorf("%s: Cut(%x) = %d, %v; want %d, %v", name, c.in, n, err, c.n, c.reason)
		}
	}
}

func TestMalformedPacketsAreRefusedWithAReason(t *testing.T) {
	for name, c := range map[string]struct {
		version byte
		wire    string
		reason  Reason
	}{
		"publish QoS 3":                          {V311, "\x36\x05\x00\x01a\x00\x01", MalformedPacket},
		"publish packet id 0":                    {V311, "\x32\x05\x00\x01a\x00\x00", ProtocolError},
		"publish without topic":                  {V311, "\x30\x02\x00\x00", ProtocolError},
		"publish topic runs over":                {V311, "\x30\x03\x00\x05a", MalformedPacket},
		"publish topic with NUL":                 {V311, "\x30\x03\x00\x01\x00", MalformedPacket},
		"publish topic with broken UTF-8":        {V311, "\x30\x04\x00\x02\xc3\x28", MalformedPacket},
		"publish topic with a surrogate":         {V311, "\x30\x05\x00\x03\xed\xa0\x80", MalformedPacket},
		"publish with a subscription id":         {V5, "\x30\x06\x00\x01a\x02\x0b\x01", ProtocolError},
		"publish with an alias twice":            {V5, "\x30\x0a\x00\x01a\x06\x23\x00\x01\x23\x00\x02", ProtocolError},
		"publish with payload format 2":          {V5, "\x30\x06\x00\x01a\x02\x01\x02", ProtocolError},
		"publish with an unknown property":       {V5, "\x30\x06\x00\x01a\x02\x7f\x02", MalformedPacket},
		"publish property length runs over":      {V5, "\x30\x05\x00\x01a\x09\x01", MalformedPacket},
		"publish with DUP at QoS 0":              {V311, "\x38\x03\x00\x01a", MalformedPacket},
		"5 publish with DUP at QoS 0":            {V5, "\x38\x04\x00\x01a\x00", MalformedPacket},
		"publish to a plus":                      {V311, "\x30\x05\x00\x03a/+", TopicNameInvalid},
		"publish to a hash":                      {V5, "\x32\x06\x00\x01#\x00\x01\x00", TopicNameInvalid},
		"publish, response topic with a hash":    {V5, "\x30\x08\x00\x01a\x04\x08\x00\x01#", ProtocolError},
		"publish, property length too long":      {V5, "\x30\x05\x00\x01a\x80\x00", MalformedPacket},
		"publish, response topic with NUL":       {V5, "\x30\x08\x00\x01a\x04\x08\x00\x01\x00", MalformedPacket},
		"connect, auth data without a method":    {V5, "\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x04\x16\x00\x01x\x00\x00", ProtocolError},
		"connect, will response topic of a plus": {V5, "\x10\x18\x00\x04MQTT\x05\x06\x00\x3c\x00\x00\x01a\x04\x08\x00\x01+\x00\x01w\x00\x00", ProtocolError},
		"puback with a reason of another packet": {V5, "\x40\x03\x00\x01\x8e", ProtocolError},
		"disconnect with an unknown reason":      {V5, "\xe0\x01\x55", ProtocolError},
		"connect, maximum packet size 0":         {V5, "\x10\x12\x00\x04MQTT\x05\x02\x00\x3c\x05\x27\x00\x00\x00\x00\x00\x00", ProtocolError},
		"subscribe with flags 0":                 {V311, "\x80\x06\x00\x01\x00\x01a\x01", MalformedPacket},
		"subscribe without a filter":             {V311, "\x82\x02\x00\x01", ProtocolError},
		"subscribe with QoS 3":                   {V311, "\x82\x06\x00\x01\x00\x01a\x03", MalformedPacket},
		"3.1.1 subscribe with options of 5":      {V311, "\x82\x06\x00\x01\x00\x01a\x05", MalformedPacket},
		"subscribe with retain handling 3":       {V5, "\x82\x07\x00\x01\x00\x00\x01a\x31", ProtocolError},
		"subscribe with nine filters":            {V311, "\x82\x26\x00\x01" + strings.Repeat("\x00\x01a\x01", 9), QuotaExceeded},
		"unsubscribe with nine filters":          {V311, "\xa2\x1d\x00\x01" + strings.Repeat("\x00\x01a", 9), QuotaExceeded},
		"unsubscribe without a filter":           {V311, "\xa2\x02\x00\x01", ProtocolError},
		"ping with a body":                       {V311, "\xc0\x01\x00", MalformedPacket},
		"QoS 2 release":                          {V311, "\x62\x02\x00\x01", ProtocolError},
		"enhanced authentication":                {V5, "\xf0\x00", ProtocolError},
		"type 0":                                 {V311, "\x00\x00", ProtocolError},
		"connect, wrong name":                    {V311, "\x10\x0b\x00\x03MQT\x04\x02\x00\x3c\x00\x00", MalformedPacket},
		"connect, level 3":                       {V311, "\x10\x0d\x00\x06MQIsdp\x03\x02\x00\x3c\x00", UnsupportedVersion},
		"connect, level 6":                       {V311, "\x10\x0c\x00\x04MQTT\x06\x02\x00\x3c\x00\x00", UnsupportedVersion},
		"connect, reserved flag":                 {V311, "\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00", MalformedPacket},
		"connect, will QoS without will":         {V311, "\x10\x0c\x00\x04MQTT\x04\x0a\x00\x3c\x00\x00", MalformedPacket},
		"connect, will QoS 3":                    {V311, "\x10\x11\x00\x04MQTT\x04\x1e\x00\x3c\x00\x00\x00\x01w\x00\x00", MalformedPacket},
		"connect, password without name":         {V311, "\x10\x0e\x00\x04MQTT\x04\x42\x00\x3c\x00\x00\x00\x00", MalformedPacket},
		"connect, bytes left over":               {V311, "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\x00", MalformedPacket},
		"connect, receive maximum 0":             {V5, "\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x00\x00\x00", ProtocolError},
		"connect, will delay outside the will":   {V5, "\x10\x12\x00\x04MQTT\x05\x02\x00\x3c\x05\x18\x00\x00\x00\x01\x00\x00", ProtocolError},
		"puback with id 0":                       {V311, "\x40\x02\x00\x00", ProtocolError},
		"3.1.1 puback with a reason":             {V311, "\x40\x03\x00\x01\x00", MalformedPacket},
		"3.1.1 disconnect with a reason":         {V311, "\xe0\x01\x00", MalformedPacket},
		"5 disconnect with a foreign property":   {V5, "\xe0\x05\x00\x03\x21\x00\x01", ProtocolError},
		"connack with reserved flags":            {V311, "\x20\x02\x02\x00", MalformedPacket},
		"user property with a value cut in half": {V5, "\x30\x0a\x00\x01a\x06\x26\x00\x01k\x00\x05", MalformedPacket},
	} {
		t.Run(name, func(t *testing.T) {
			f, n, err := Cut([]byte(c.wire), 1024)
			if err != nil || n != len(c.wire) {
				t.Fatalf("Cut(%x) = %d, %v; want all %d bytes", c.wire, n, err, len(c.wire))
			}
			if p, err := Parse(f, c.version); reasonOf(err) != c.reason {
				t.Errorf("Parse(%x) = %+v, %v; want reason %v", c.wire, p, err, c.reason)
			}
		})
	}
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return 0
}

func TestPublishKeepsForwardedPropertiesInOrder(t *testing.T) {
	in := Properties(nil).WithUser("b", "1").WithInt(MessageExpiry, 5).WithText(ResponseTopic, "re").
		WithInt(TopicAlias, 2).WithUser("a", "2").WithText(CorrelationData, "\x00")
	wire := appendFrame(nil, PUBLISH, append(in.appendTo(appendText(nil, "t")), "payload"...))
	f, _, _ := Cut(wire, 1024)
	p, err := ParsePublish(f, V5)
	if err != nil {
		t.Fatal(err)
	}
	want := Properties(nil).WithUser("b", "1").WithText(ResponseTopic, "re").WithUser("a", "2").WithText(CorrelationData, "\x00")
	if !bytes.Equal(p.Forward, want) || p.Expiry != 5 || p.Alias != 2 || string(p.Payload) != "payload" {
		t.Errorf("ParsePublish = %+v, want forward %x", p, want)
	}
}

// FuzzParse checks two properties of the codec for any bytes: it does not panic, and a packet that it accepts is the same after
// being written and read again.
func FuzzParse(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.packet.Append(nil, s.version), s.version == V5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, five bool) {
		v := V311
		if five {
			v = V5
		}
		frame, n, err := Cut(wire, 1<<16)
		if err != nil || n == 0 {
			return
		}
		p, err := Parse(frame, v)
		if err != nil {
			return
		}
		again := p.Append(nil, v)
		frame, n, err = Cut(again, 1<<17)
		if err != nil || n != len(again) {
			t.Fatalf("Cut(%x) of a written packet = %d, %v", again, n, err)
		}
		q, err := Parse(frame, v)
		if err != nil {
			t.Fatalf("Parse(%x) of a written packet: %v", again, err)
		}
		if third := q.Append(nil, v); !bytes.Equal(again, third) {
			t.Fatalf("written twice\n%x\n%x", again, third)
		}
	})
}

func BenchmarkPublishAppend(b *testing.B) {
	p := &Publish{Topic: "$aws/things/lamp/jobs/notify-next", Payload: make([]byte, 300), QoS: 1, ID: 1}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = p.Append(buf[:0], V5)
	}
}

func BenchmarkParsePublish(b *testing.B) {
	wire := (&Publish{Topic: "$aws/things/lamp/jobs/get", Payload: make([]byte, 50), QoS: 1, ID: 1}).Append(nil, V311)
	b.ReportAllocs()
	for b.Loop() {
		f, _, _ := Cut(wire, 1024)
		if _, err := ParsePublish(f, V311); err != nil {
			b.Fatal(err)
		}
	}
}
