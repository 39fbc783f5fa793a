package events

import (
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/plainjson"
)

// registeredPayload is the event of a certificate that registered itself by its
// first connection (identity-and-auth.md AUTH-34).
type registeredPayload struct {
	CertificateID string `json:"certificateId"`
	CA            string `json:"caCertificateId"`
	Timestamp     int64  `json:"timestamp"`
	Status        string `json:"certificateStatus"`
	Account       string `json:"awsAccountId"`
	RegisteredAt  string `json:"certificateRegistrationTimestamp"`
}

// Registered publishes that a certificate registered itself, so that an operator's
// program can activate it. It fits authz.Options.Registered.
func (p *Publisher) Registered(c muster.Certificate) {
	topic := "$aws/events/certificates/registered/" + string(c.CA)
	if !p.o.Broker.Wanted(topic) {
		return
	}
	p.o.Broker.Publish(gateway.Message{Topic: topic, QoS: 1, Payload: plainjson.Encode(registeredPayload{
		CertificateID: string(c.ID), CA: string(c.CA), Timestamp: int64(c.CreatedAt), Status: c.Status.String(),
		Account: p.o.Account.ID, RegisteredAt: strconv.FormatInt(int64(c.CreatedAt), 10),
	})}, nil)
}
