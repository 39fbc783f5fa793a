package iotdata

import (
	"context"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// deleteConnection serves DeleteConnection.
func (s *Service) deleteConnection(ctx context.Context, c *call) ([]byte, error) {
	in := new(wire.DeleteConnectionRequest)
	if err := in.Decode(&c.request); err != nil {
		return nil, err
	}
	if strings.HasPrefix(*in.ClientID, "$") {
		return nil, muster.Errorf(muster.Invalid, "A client id does not begin with $")
	}
	if err := c.sender.may("iot:DeleteConnection", "client/"+*in.ClientID); err != nil {
		return nil, forbidden(err)
	}
	withWill := !wire.Or(in.PreventWillMessage, false)
	found, err := s.o.Broker.DisconnectClient(ctx, *in.ClientID, withWill, wire.Or(in.CleanSession, false))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, muster.Errorf(muster.NotFound, "There is neither a connection nor a session of client %s", *in.ClientID)
	}
	return nil, nil
}
