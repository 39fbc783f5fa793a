package iotdata

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/jsontext"
)

// publish serves Publish.
func (s *Service) publish(ctx context.Context, c *call) ([]byte, error) {
	in := new(wire.PublishRequest)
	if err := in.Decode(&c.request); err != nil {
		return nil, err
	}
	properties, err := properties(in)
	if err != nil {
		return nil, err
	}
	expiry := wire.Or(in.MessageExpiry, 0)
	if expiry < 0 {
		return nil, muster.Errorf(muster.Invalid, "messageExpiry is a number of seconds, not %d", expiry)
	}
	err = s.o.Broker.PublishAs(ctx, c.sender, gateway.Message{
		Topic:      wire.Or(in.Topic, ""),
		Payload:    in.Payload,
		QoS:        byte(wire.Or(in.QoS, 0)), // validation allows 0 and 1
		Retain:     wire.Or(in.Retain, false),
		Expiry:     time.Duration(min(expiry, expiryMax)) * time.Second,
		Properties: properties,
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Message string `json:"message"`
		TraceID string `json:"traceId"`
	}{"OK", c.trace})
}

// expiryMax is the longest life of a message in seconds (MQ-58).
const expiryMax = 7 * 24 * 60 * 60

// properties returns the MQTT 5 properties that the input asks for.
func properties(in *wire.PublishRequest) (p packet.Properties, err error) {
	if in.PayloadFormatIndicator != nil && *in.PayloadFormatIndicator == "UTF8_DATA" {
		p = p.WithInt(packet.PayloadFormat, 1)
	}
	for _, text := range []struct {
		id    packet.Property
		name  string
		value *string
	}{{packet.ContentType, "contentType", in.ContentType}, {packet.ResponseTopic, "responseTopic", in.ResponseTopic}} {
		if text.value == nil {
			continue
		}
		if err := fits(text.name, *text.value); err != nil {
			return nil, err
		}
		p = p.WithText(text.id, *text.value)
	}
	if strings.ContainsAny(wire.Or(in.ResponseTopic, ""), "+#") {
		return nil, muster.Errorf(muster.Invalid, "responseTopic must not contain wildcards")
	}
	if in.CorrelationData != nil {
		data, err := base64.StdEncoding.DecodeString(*in.CorrelationData)
		if err != nil {
			return nil, muster.Errorf(muster.Invalid, "correlationData is not base64")
		}
		if err := fits("correlationData", string(data)); err != nil {
			return nil, err
		}
		p = p.WithText(packet.CorrelationData, string(data))
	}
	return withUser(p, wire.Or(in.UserProperties, ""))
}

// withUser adds user properties: JSON text of an array of objects with one
// member each. Some SDKs send that array as the content of a JSON string.
func withUser(p packet.Properties, text string) (packet.Properties, error) {
	if text == "" {
		return p, nil
	}
	malformed := muster.Errorf(muster.Invalid, "userProperties must be a JSON array of objects, each with one name and its value")
	var inner string
	if json.Unmarshal([]byte(text), &inner) == nil {
		text = inner
	}
	var list []map[string]string
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil, malformed
	}
	if name, found := jsontext.DuplicateName([]byte(text)); found {
		return nil, muster.Errorf(muster.Invalid, "userProperties has the key %.200q twice in one object", name)
	}
	for _, pair := range list {
		if len(pair) != 1 {
			return nil, malformed
		}
		for name, value := range pair {
			if err := fits("userProperties", name+value); err != nil {
				return nil, err
			}
			p = p.WithUser(name, value)
		}
	}
	return p, nil
}

// fits returns an error unless MQTT can carry text of that length.
func fits(name, value string) error {
	if len(value) > math.MaxUint16 || strings.ContainsRune(value, 0) && name != "correlationData" {
		return muster.Errorf(muster.Invalid, "%s is longer than %d bytes or contains a null character", name, math.MaxUint16)
	}
	return nil
}

// userProperties is the reverse of withUser, nil when there are none.
func userProperties(p packet.Properties) []byte {
	var list []map[string]string
	for id, v := range p.All() {
		if id == packet.UserProperty {
			list = append(list, map[string]string{string(v.Key): string(v.Text)})
		}
	}
	if list == nil {
		return nil
	}
	text, _ := json.Marshal(list) // strings always marshal
	return text
}
