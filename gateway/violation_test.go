package gateway

import (
	"testing"

	"github.com/muster-iot/muster/gateway/packet"
)

// TestViolationsEndTheConnection sends, after CONNECT, each packet that MQTT says must not be: the connection ends, with MQTT 5
// after a DISCONNECT that says why.
func TestViolationsEndTheConnection(t *testing.T) {
	const (
		malformed = packet.MalformedPacket
		protocol  = packet.ProtocolError
	)
	type violation struct {
		v3, v5 string // the packet in each version; "" where it does not exist
		reason packet.Reason
	}
	b := newBench(t, Options{Log: quiet})
	for name, x := range map[string]violation{
		"a second CONNECT":                   {"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a", "\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a", protocol},
		"packet type 0":                      {"\x00\x00", "\x00\x00", protocol},
		"AUTH":                               {"\xf0\x00", "\xf0\x00", protocol},
		"CONNACK":                            {"\x20\x02\x00\x00", "\x20\x03\x00\x00\x00", protocol},
		"SUBACK":                             {"\x90\x03\x00\x01\x00", "\x90\x04\x00\x01\x00\x00", protocol},
		"UNSUBACK":                           {"\xb0\x02\x00\x01", "\xb0\x04\x00\x01\x00\x00", protocol},
		"PINGRESP":                           {"\xd0\x00", "\xd0\x00", protocol},
		"PUBREC":                             {"\x50\x02\x00\x01", "\x50\x02\x00\x01", protocol},
		"PUBREL":                             {"\x62\x02\x00\x01", "\x62\x02\x00\x01", protocol},
		"PUBCOMP":                            {"\x70\x02\x00\x01", "\x70\x02\x00\x01", protocol},
		"a remaining length of five bytes":   {"\x30\xff\xff\xff\xff\x01", "\x30\xff\xff\xff\xff\x01", malformed},
		"DUP at QoS 0":                       {"\x38\x03\x00\x01a", "\x38\x04\x00\x01a\x00", malformed},
		"QoS 3":                              {"\x36\x05\x00\x01a\x00\x01", "\x36\x06\x00\x01a\x00\x01\x00", malformed},
		"PUBLISH with packet id 0":           {"\x32\x05\x00\x01a\x00\x00", "\x32\x06\x00\x01a\x00\x00\x00", protocol},
		"PUBLISH without a topic":            {"\x30\x02\x00\x00", "\x30\x03\x00\x00\x00", protocol},
		"PUBLISH to a plus":                  {"\x30\x05\x00\x03a/+", "\x30\x06\x00\x03a/+\x00", packet.TopicNameInvalid},
		"PUBLISH to a hash at QoS 1":         {"\x32\x05\x00\x01#\x00\x01", "\x32\x06\x00\x01#\x00\x01\x00", packet.TopicNameInvalid},
		"a topic with NUL":                   {"\x30\x03\x00\x01\x00", "\x30\x04\x00\x01\x00\x00", malformed},
		"a topic that is not UTF-8":          {"\x30\x04\x00\x02\xc3\x28", "\x30\x05\x00\x02\xc3\x28\x00", malformed},
		"a topic with a surrogate":           {"\x30\x05\x00\x03\xed\xa0\x80", "\x30\x06\x00\x03\xed\xa0\x80\x00", malformed},
		"a topic longer than the packet":     {"\x30\x03\x00\x09a", "\x30\x03\x00\x09a", malformed},
		"topic alias 0":                      {"", "\x30\x07\x00\x01a\x03\x23\x00\x00", packet.TopicAliasInvalid},
		"a topic alias above the maximum":    {"", "\x30\x07\x00\x01a\x03\x23\x00\x09", packet.TopicAliasInvalid},
		"an unknown topic alias":             {"", "\x30\x06\x00\x00\x03\x23\x00\x01", protocol},
		"a topic alias twice":                {"", "\x30\x0a\x00\x01a\x06\x23\x00\x01\x23\x00\x01", protocol},
		"a subscription id in PUBLISH":       {"", "\x30\x06\x00\x01a\x02\x0b\x01", protocol},
		"payload format 2":                   {"", "\x30\x06\x00\x01a\x02\x01\x02", protocol},
		"payload format twice":               {"", "\x30\x08\x00\x01a\x04\x01\x01\x01\x01", protocol},
		"message expiry twice":               {"", "\x30\x0e\x00\x01a\x0a\x02\x00\x00\x00\x01\x02\x00\x00\x00\x01", protocol},
		"an unknown property":                {"", "\x30\x06\x00\x01a\x02\x7f\x01", malformed},
		"a property of another packet":       {"", "\x30\x07\x00\x01a\x03\x21\x00\x01", protocol},
		"a property length of two bytes":     {"", "\x30\x05\x00\x01a\x80\x00", malformed},
		"a response topic with a wildcard":   {"", "\x30\x08\x00\x01a\x04\x08\x00\x01+", protocol},
		"a user property that is not UTF-8":  {"", "\x30\x0a\x00\x01a\x06\x26\x00\x01\xff\x00\x00", malformed},
		"SUBSCRIBE with flags 0":             {"\x80\x06\x00\x01\x00\x01a\x01", "\x80\x07\x00\x01\x00\x00\x01a\x01", malformed},
		"SUBSCRIBE with packet id 0":         {"\x82\x06\x00\x00\x00\x01a\x01", "\x82\x07\x00\x00\x00\x00\x01a\x01", protocol},
		"SUBSCRIBE without a filter":         {"\x82\x02\x00\x01", "\x82\x03\x00\x01\x00", protocol},
		"SUBSCRIBE with QoS 3":               {"\x82\x06\x00\x01\x00\x01a\x03", "\x82\x07\x00\x01\x00\x00\x01a\x03", malformed},
		"SUBSCRIBE with reserved bits":       {"\x82\x06\x00\x01\x00\x01a\x80", "\x82\x07\x00\x01\x00\x00\x01a\x40", malformed},
		"SUBSCRIBE with retain handling 3":   {"\x82\x06\x00\x01\x00\x01a\x30", "\x82\x07\x00\x01\x00\x00\x01a\x30", protocol},
		"a filter with NUL":                  {"\x82\x06\x00\x01\x00\x01\x00\x01", "\x82\x07\x00\x01\x00\x00\x01\x00\x01", malformed},
		"a subscription id":                  {"", "\x82\x09\x00\x01\x02\x0b\x01\x00\x01a\x01", packet.SubscriptionIDsRejected},
		"a subscription id of 0":             {"", "\x82\x09\x00\x01\x02\x0b\x00\x00\x01a\x01", protocol},
		"no local on a shared subscription":  {"", "\x82\x10\x00\x01\x00\x00\x0a$share/g/a\x05", protocol},
		"UNSUBSCRIBE with flags 0":           {"\xa0\x05\x00\x01\x00\x01a", "\xa0\x06\x00\x01\x00\x00\x01a", malformed},
		"UNSUBSCRIBE with packet id 0":       {"\xa2\x05\x00\x00\x00\x01a", "\xa2\x06\x00\x00\x00\x00\x01a", protocol},
		"UNSUBSCRIBE without a filter":       {"\xa2\x02\x00\x01", "\xa2\x03\x00\x01\x00", protocol},
		"PUBACK with packet id 0":            {"\x40\x02\x00\x00", "\x40\x02\x00\x00", protocol},
		"PUBACK with flags":                  {"\x42\x02\x00\x01", "\x42\x02\x00\x01", malformed},
		"PUBACK with too much":               {"\x40\x03\x00\x01\x00", "\x40\x05\x00\x01\x00\x00\x00", malformed},
		"PUBACK with an unknown reason":      {"", "\x40\x03\x00\x01\x55", protocol},
		"PINGREQ with flags":                 {"\xc1\x00", "\xc1\x00", malformed},
		"PINGREQ with a body":                {"\xc0\x01\x00", "\xc0\x01\x00", malformed},
		"DISCONNECT with flags":              {"\xe1\x00", "\xe1\x00", malformed},
		"DISCONNECT with too much":           {"\xe0\x01\x00", "\xe0\x03\x00\x00\x00", malformed},
		"DISCONNECT with an unknown reason":  {"", "\xe0\x01\x55", protocol},
		"DISCONNECT with a late expiry":      {"", "\xe0\x07\x00\x05\x11\x00\x00\x00\x05", protocol},
		"DISCONNECT with a foreign property": {"", "\xe0\x05\x00\x03\x21\x00\x01", protocol},
	} {
		for v, wire := range map[byte]string{packet.V311: x.v3, packet.V5: x.v5} {
			if wire == "" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				witness := b.connect(v, "witness")
				witness.Subscribe(0, "#")
				c := b.connectWith(v, packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: "gone"}})
				c.SendBytes([]byte(wire))
				c.ExpectDisconnect(x.reason)
				witness.ExpectMessage("gone", "") // and nothing else: MQ-63
				witness.ExpectNothing()
			})
		}
	}
}
