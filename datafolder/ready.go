package datafolder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Ready is the content of a ready file: what a script needs to know about a running server. An
// address is absent when its listener is off.
type Ready struct {
	APIURL          string `json:"api_url"`
	HTTPSURL        string `json:"https_url,omitempty"`
	MetricsURL      string `json:"metrics_url,omitempty"`
	FilesURL        string `json:"files_url,omitempty"`
	MQTTSAddr       string `json:"mqtts_addr,omitempty"`
	MQTTAddr        string `json:"mqtt_addr,omitempty"`
	ALPNAddr        string `json:"alpn_addr,omitempty"`
	CAFile          string `json:"ca_file,omitempty"`
	CABundle        string `json:"ca_bundle,omitempty"` // CAFile, when clients of the API over TLS need it
	CredentialsFile string `json:"credentials_file,omitempty"`
	Region          string `json:"region"`
	Account         string `json:"account"`
	PID             int    `json:"pid"`
}

// Write writes r to file atomically: a reader sees all of it or no file.
func (r Ready) Write(file string) error {
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

// ReadReady reads a ready file. Its error wraps fs.ErrNotExist when there is none.
func ReadReady(file string) (Ready, error) {
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
