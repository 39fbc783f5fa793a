package iotdata

import (
	"context"
	"encoding/base64"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/gateway"
)

// retained serves GetRetainedMessage.
func (s *Service) retained(_ context.Context, c *call) ([]byte, error) {
	in := new(wire.GetRetainedMessageRequest)
	if err := in.Decode(&c.request); err != nil {
		return nil, err
	}
	if err := c.sender.may("iot:GetRetainedMessage", "topic/"+*in.Topic); err != nil {
		return nil, forbidden(err)
	}
	m, ok := s.o.Broker.Retained(*in.Topic)
	if !ok {
		return nil, muster.Errorf(muster.NotFound, "There is no retained message on topic %s", *in.Topic)
	}
	out := wire.GetRetainedMessageResponse{
		Topic: &m.Topic, Payload: m.Payload, QoS: new(int(m.QoS)),
		LastModifiedTime: modified(m), UserProperties: userProperties(m.Properties),
	}
	return out.AppendJSON(nil), nil
}

// listRetained serves ListRetainedMessages. A page begins after the topic in its
// token, so messages that come and go between two pages do not move the others.
func (s *Service) listRetained(_ context.Context, c *call) ([]byte, error) {
	in := new(wire.ListRetainedMessagesRequest)
	if err := in.Decode(&c.request); err != nil {
		return nil, err
	}
	if err := c.sender.may("iot:ListRetainedMessages", "*"); err != nil {
		return nil, forbidden(err)
	}
	after, err := base64.RawURLEncoding.DecodeString(wire.Or(in.NextToken, ""))
	if err != nil {
		return nil, muster.Errorf(muster.Invalid, "Invalid nextToken")
	}
	limit := wire.Or(in.MaxResults, pageMax)
	found := s.o.Broker.RetainedAfter(string(after), limit+1)
	out := wire.ListRetainedMessagesResponse{RetainedTopics: []wire.RetainedMessageSummary{}}
	if len(found) > limit {
		found = found[:limit]
		out.NextToken = new(base64.RawURLEncoding.EncodeToString([]byte(found[limit-1].Topic)))
	}
	for _, m := range found {
		out.RetainedTopics = append(out.RetainedTopics, wire.RetainedMessageSummary{
			Topic: &m.Topic, PayloadSize: new(int64(len(m.Payload))), QoS: new(int(m.QoS)), LastModifiedTime: modified(m),
		})
	}
	return out.AppendJSON(nil), nil
}

// pageMax is the longest page, and the default.
const pageMax = 200

// modified returns when a message was published, in milliseconds.
func modified(m gateway.Retained) *int64 {
	if m.Modified.IsZero() {
		return nil
	}
	return new(m.Modified.UnixMilli())
}
