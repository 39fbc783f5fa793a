package packet

import "fmt"

// Reason is an MQTT 5 reason code. In SUBACK and in 3.1.1 the values below 0x80 are granted QoS levels.
type Reason byte

// The reason codes of the profile (mqtt-broker.md sections 2, 4, 5 and 6).
const (
	Success                 Reason = 0x00
	GrantedQoS1             Reason = 0x01
	DisconnectWithWill      Reason = 0x04
	NoSubscriptionExisted   Reason = 0x11
	UnspecifiedError        Reason = 0x80
	MalformedPacket         Reason = 0x81
	ProtocolError           Reason = 0x82
	UnsupportedVersion      Reason = 0x84
	ClientIDNotValid        Reason = 0x85
	BadUserOrPassword       Reason = 0x86
	NotAuthorized           Reason = 0x87
	ServerUnavailable       Reason = 0x88
	ServerShuttingDown      Reason = 0x8B
	BadAuthMethod           Reason = 0x8C
	KeepAliveTimeout        Reason = 0x8D
	SessionTakenOver        Reason = 0x8E
	TopicFilterInvalid      Reason = 0x8F
	TopicNameInvalid        Reason = 0x90
	PacketIDInUse           Reason = 0x91
	ReceiveMaximumExceeded  Reason = 0x93
	TopicAliasInvalid       Reason = 0x94
	PacketTooLarge          Reason = 0x95
	QuotaExceeded           Reason = 0x97
	AdministrativeAction    Reason = 0x98
	QoSNotSupported         Reason = 0x9B
	UseAnotherServer        Reason = 0x9C
	SubscriptionIDsRejected Reason = 0xA1
)

var reasonNames = map[Reason]string{
	Success:                 "success",
	GrantedQoS1:             "granted QoS 1",
	DisconnectWithWill:      "disconnect with will message",
	NoSubscriptionExisted:   "no subscription existed",
	UnspecifiedError:        "unspecified error",
	MalformedPacket:         "malformed packet",
	ProtocolError:           "protocol error",
	UnsupportedVersion:      "unsupported protocol version",
	ClientIDNotValid:        "client identifier not valid",
	BadUserOrPassword:       "bad user name or password",
	NotAuthorized:           "not authorized",
	ServerUnavailable:       "server unavailable",
	ServerShuttingDown:      "server shutting down",
	BadAuthMethod:           "bad authentication method",
	KeepAliveTimeout:        "keep alive timeout",
	SessionTakenOver:        "session taken over",
	TopicFilterInvalid:      "topic filter invalid",
	TopicNameInvalid:        "topic name invalid",
	PacketIDInUse:           "packet identifier in use",
	ReceiveMaximumExceeded:  "receive maximum exceeded",
	TopicAliasInvalid:       "topic alias invalid",
	PacketTooLarge:          "packet too large",
	QuotaExceeded:           "quota exceeded",
	AdministrativeAction:    "administrative action",
	QoSNotSupported:         "QoS not supported",
	UseAnotherServer:        "use another server",
	SubscriptionIDsRejected: "subscription identifiers not supported",
}

// The reason codes that a packet may have, from either end (MQTT 5, sections 3.4.2.1 and 3.14.2.1).
const (
	pubackReasons     = "\x00\x10\x80\x83\x87\x90\x91\x97\x99"
	disconnectReasons = "\x00\x04\x80\x81\x82\x83\x87\x89\x8b\x8d\x8e\x8f\x90\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2"
)

// String returns the standard's name for the code.
func (r Reason) String() string {
	if name, ok := reasonNames[r]; ok {
		return name
	}
	return fmt.Sprintf("reason 0x%02X", byte(r))
}

// Return codes of a 3.1.1 CONNACK.
const (
	Accepted311          byte = 0
	UnacceptableLevel311 byte = 1
	IdentifierRejected   byte = 2
	Unavailable311       byte = 3
	NotAuthorized311     byte = 5
)

// Return311 returns the 3.1.1 CONNACK return code that comes closest to r.
func (r Reason) Return311() byte {
	switch r {
	case Success:
		return Accepted311
	case UnsupportedVersion:
		return UnacceptableLevel311
	case ClientIDNotValid:
		return IdentifierRejected
	case NotAuthorized, BadUserOrPassword, TopicNameInvalid, QoSNotSupported:
		return NotAuthorized311
	}
	return Unavailable311
}
