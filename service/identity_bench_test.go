package service

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rights"
)

// BenchmarkGrounds looks up what the rights of a device are derived from, as each CONNECT
// does: of 10,000 devices in turn, each with a certificate, a policy and a group.
func BenchmarkGrounds(b *testing.B) {
	const devices = 10_000
	e, ctx := benchEnv(b, 0)
	if _, err := e.CreatePolicy(ctx, "device", benchPolicy, nil); err != nil {
		b.Fatal(err)
	}
	text := "-----BEGIN CERTIFICATE-----\n" + strings.Repeat(strings.Repeat("A", 64)+"\n", 10) + "-----END CERTIFICATE-----\n"
	id := func(i int) muster.CertificateID { return muster.CertificateID(fmt.Sprintf("%064x", i*7919)) }
	name := func(i int) muster.ThingName { return muster.ThingName(fmt.Sprintf("device-%07d", i)) }
	register := func(i int) error {
		if _, err := e.CreateThing(ctx, muster.Thing{Name: name(i)}); err != nil {
			return err
		}
		if err := e.AddThingToThingGroup(ctx, name(i), "fleet"); err != nil {
			return err
		}
		if _, err := e.AddCertificate(ctx, muster.Certificate{ID: id(i), PEM: text, Status: muster.CertificateActive}); err != nil {
			return err
		}
		if err := e.AttachPolicy(ctx, "device", rights.PolicyTarget{Certificate: id(i)}); err != nil {
			return err
		}
		return e.AttachPrincipal(ctx, name(i), id(i), muster.Attachment{})
	}
	var all sync.WaitGroup
	const workers = 500
	for w := range workers {
		all.Go(func() {
			for i := w; i < devices; i += workers {
				if err := register(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := i * 7 % devices
		g, err := e.Grounds(ctx, id(n), string(name(n)))
		if err != nil || g.Thing == nil || len(g.Policies) != 1 {
			b.Fatalf("%+v, %v", g, err)
		}
	}
}

// benchPolicy is the policy that a device needs for jobs.
const benchPolicy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:000000000000:client/${iot:Connection.Thing.ThingName}"},
 {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:us-east-1:000000000000:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":["iotjobsdata:*"],"Resource":"arn:aws:iot:us-east-1:000000000000:thing/*"}]}`
