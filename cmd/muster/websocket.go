package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

const (
	websocketPath = "/mqtt"
	// websocketLife bounds the life of a connection that was made with an access key
	// (mqtt-broker.md MQ-64).
	websocketLife = 24 * time.Hour
)

// websocketAPI accepts MQTT clients over WebSocket, with a signed or presigned request
// (identity-and-auth.md section C.4). It requires a signature even with --auth=none, because
// any page in a browser can open a WebSocket to this machine.
type websocketAPI struct {
	verifier sigv4.Verifier
	keys     *identity.Keys
	gateway  *gateway.Server
	flood    *flood.Guard
	log      *slog.Logger
}

func (a *websocketAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	signature, err := a.authenticate(r, now)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.gateway.ServeWebSocket(w, r, gateway.Peer{
		Addr: r.RemoteAddr, Transport: "wss", Principal: signature.AccessKeyID, Until: now.Add(websocketLife),
	})
}

func (a *websocketAPI) authenticate(r *http.Request, now time.Time) (sigv4.Signature, error) {
	leave, err := a.flood.Enter(r.Context(), r.RemoteAddr)
	if err != nil {
		return sigv4.Signature{}, err
	}
	defer leave()
	signature, err := a.verifier.Verify(r, nil, now)
	if err == nil {
		_, err = a.keys.Caller(signature.AccessKeyID)
	}
	return signature, err
}

// refuse answers in the form of identity-and-auth.md section C.5.
func (a *websocketAPI) refuse(w http.ResponseWriter, r *http.Request, err error) {
	a.flood.Log(r.Context(), a.log, slog.LevelInfo, "WebSocket refused", r.RemoteAddr, false, slog.String("remote", r.RemoteAddr), slog.Any("error", err))
	status, kind, message := http.StatusInternalServerError, "InternalFailureException", "An internal error occurred."
	if refusal, ok := errors.AsType[*sigv4.Error](err); ok {
		status, kind, message = http.StatusForbidden, string(refusal.Code), refusal.Message
	}
	body, _ := json.Marshal(map[string]string{"message": message}) // strings always marshal
	w.Header().Set("X-Amzn-RequestId", rand.Text())
	w.Header().Set("X-Amzn-ErrorType", kind)
	respond.JSON(w, status, body)
}
