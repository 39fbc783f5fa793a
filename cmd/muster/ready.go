package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/operator"
)

// Ready is what a script needs to know of a running server. An address is
// absent when its listener is off.
type Ready struct {
	APIURL          string `json:"api_url"`
	HTTPSURL        string `json:"https_url,omitempty"`
	MetricsURL      string `json:"metrics_url,omitempty"`
	FilesURL        string `json:"files_url,omitempty"`
	MQTTSAddr       string `json:"mqtts_addr,omitempty"`
	MQTTAddr        string `json:"mqtt_addr,omitempty"`
	ALPNAddr        string `json:"alpn_addr,omitempty"`
	CAFile          string `json:"ca_file,omitempty"`
	CABundle        string `json:"ca_bundle,omitempty"` // CAFile, where it is what clients of the API over TLS need
	CredentialsFile string `json:"credentials_file,omitempty"`
	Region          string `json:"region"`
	Account         string `json:"account"`
	PID             int    `json:"pid"`
}

// write puts r into file as a whole: a reader sees all of it or no file.
func (r Ready) write(file string) error {
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".ready-*")
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	_, err = temp.Write(append(body, '\n'))
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}

// readReady reads a ready file.
func readReady(file string) (Ready, error) {
	var r Ready
	body, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("no server is running there: %w", err)
	}
	if err != nil {
		return r, fmt.Errorf("ready file: %w", err)
	}
	return r, nil
}

// owner returns a client of the server that has a data folder in use.
func (f folder) owner() (operator.Client, error) {
	ready, err := readReady(f.ready())
	if err != nil {
		return operator.Client{}, fmt.Errorf("the data folder is in use, but its server cannot be found: %w", err)
	}
	c, err := ready.client()
	return operator.Client{API: c}, err
}

// client returns a client of the server that r describes, with the key of its
// credentials file.
func (r Ready) client() (*apiclient.Client, error) {
	credential, err := identity.ReadPrivateProfile(r.CredentialsFile)
	if err != nil {
		return nil, err
	}
	return &apiclient.Client{URL: r.APIURL, Region: r.Region, Credential: credential, HTTP: &http.Client{Timeout: time.Minute}}, nil
}
