package device_test

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/signal"

	"github.com/muster-iot/muster/device"
)

// A device that does every job it is given, one after the other.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	client, err := device.ConnectMQTT(ctx, device.MQTTOptions{Endpoint: "mqtt://127.0.0.1:1883", Thing: "lamp-7"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	err = client.Run(ctx, func(ctx context.Context, j *device.Job) error {
		var order struct{ Do string }
		if err := json.Unmarshal(j.Document, &order); err != nil || order.Do != "blink" {
			return device.Refuse("this lamp can only blink")
		}
		return j.Progress(ctx, device.Report{Details: map[string]string{"step": "blinking"}, StepMinutes: 5})
	})
	log.Print(err)
}

// A device that looks at all that is pending and picks what it likes best.
func Example_pick() {
	ctx := context.Background()
	client, err := device.ConnectMQTT(ctx, device.MQTTOptions{Endpoint: "mqtt://127.0.0.1:1883", Thing: "lamp-7"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	for pending, err := range client.Watch(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if len(pending.Queued) == 0 {
			continue
		}
		newest := pending.Queued[len(pending.Queued)-1]
		j, err := client.Start(ctx, newest, device.Report{})
		if err != nil {
			log.Print(err)
			continue
		}
		log.Printf("%s: %s", j.JobID, j.Document)
		if err := j.Succeed(ctx, nil); err != nil {
			log.Print(err)
		}
	}
}
