package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/operator"
)

// ownerOf returns a client of the server that is using a data folder.
func ownerOf(f datafolder.Folder) (operator.Client, error) {
	ready, err := datafolder.ReadReady(f.ReadyFile())
	if err != nil {
		return operator.Client{}, fmt.Errorf("the data folder is in use, but its server cannot be found: %w", err)
	}
	c, err := clientOf(ready)
	return operator.Client{API: c}, err
}

// clientOf returns a client of the server that r describes, with the key of its
// credentials file.
func clientOf(r datafolder.Ready) (*apiclient.Client, error) {
	credential, err := identity.ReadProfile(r.CredentialsFile)
	if err != nil {
		return nil, err
	}
	return &apiclient.Client{URL: r.APIURL, Region: r.Region, Credential: credential, HTTP: &http.Client{Timeout: time.Minute}}, nil
}
