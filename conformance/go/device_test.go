package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// devicePlane is the jobs data plane, asked with the SDK's own signer.
type devicePlane struct{ config aws.Config }

type execution struct {
	JobID    string `json:"jobId"`
	Status   string `json:"status"`
	Document string `json:"jobDocument"`
}

type deviceError struct {
	kind   string
	status int
}

func (e *deviceError) Error() string { return fmt.Sprintf("%s (%d)", e.kind, e.status) }

func (d *devicePlane) startNext(ctx context.Context, thing string) (execution, error) {
	var out struct{ Execution execution }
	err := d.call(ctx, http.MethodPut, "/things/"+url.PathEscape(thing)+"/jobs/$next", map[string]string{}, &out)
	return out.Execution, err
}

func (d *devicePlane) update(ctx context.Context, thing, job, status string) error {
	return d.call(ctx, http.MethodPost, "/things/"+url.PathEscape(thing)+"/jobs/"+job, map[string]string{"status": status}, &struct{}{})
}

func (d *devicePlane) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, *d.config.BaseEndpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	credentials, err := d.config.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(digest[:]), "iot-jobs-data", d.config.Region, time.Now())
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return &deviceError{response.Header.Get("x-amzn-ErrorType"), response.StatusCode}
	}
	return json.Unmarshal(answer, out)
}
