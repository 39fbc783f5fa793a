package device_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/muster-iot/muster/device"
)

// TestOverASocket is the one test with a real connection and real time.
func TestOverASocket(t *testing.T) {
	s := newDeployment(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	served := make(chan struct{})
	go func() { s.gateway.Serve(ctx, l); close(served) }()
	c, err := device.ConnectMQTT(ctx, device.MQTTOptions{Endpoint: "mqtt://" + l.Addr().String(), Thing: thing})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Jobs.CreateJob(ctx, newJob("fw")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Work(ctx); err != nil {
		t.Fatal(err)
	}
	j, err := c.Next(ctx)
	if err != nil || j.JobID != "fw" {
		t.Fatalf("Next = %+v, %v; want fw", j, err)
	}
	if err := j.Succeed(ctx, nil); err != nil {
		t.Errorf("Succeed: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	cancel()
	<-served
}
