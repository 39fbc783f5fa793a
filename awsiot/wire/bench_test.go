package wire

import "testing"

func BenchmarkDecodeCreateJob(b *testing.B) {
	r := &Request{Labels: Labels{{"jobId", "fw-12"}}, Body: []byte(createJob)}
	b.ReportAllocs()
	b.SetBytes(int64(len(createJob)))
	for b.Loop() {
		if err := new(CreateJobRequest).Decode(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeDescribeJob(b *testing.B) {
	out := &DescribeJobResponse{Job: &Job{
		JobARN: new("arn:aws:iot:eu-west-1:111122223333:job/fw-12"), JobID: new("fw-12"), Status: new("IN_PROGRESS"),
		TargetSelection: new("SNAPSHOT"), Description: new("September firmware"),
		Targets:   []string{"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"},
		CreatedAt: new(Timestamp(1790000009214)), LastUpdatedAt: new(Timestamp(1790000010000)),
		PresignedURLConfig: &PresignedUrlConfig{},
		JobProcessDetails:  &JobProcessDetails{NumberOfQueuedThings: new(7), NumberOfSucceededThings: new(3)},
		TimeoutConfig:      &TimeoutConfig{InProgressTimeoutInMinutes: new(int64(100))},
	}}
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = out.AppendJSON(body[:0])
	}
	b.SetBytes(int64(len(body)))
}
