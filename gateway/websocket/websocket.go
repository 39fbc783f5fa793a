// Package websocket turns an HTTP request into a byte stream over WebSocket frames (RFC 6455), server side, as MQTT uses it
// (mqtt-broker.md section 9): binary frames only, no extensions, no compression. The boundaries of a client's frames have no meaning;
// the server sends one message in a frame. An idle connection holds no buffer. The package does not know MQTT.
package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Subprotocols are the names of MQTT in Sec-WebSocket-Protocol; the first that the client offers is chosen (MQ-85).
var subprotocols = []string{"mqtt", "mqttv3.1"}

// keySuffix is what RFC 6455 section 1.3 adds to the client's key.
const keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// The bytes that Sec-WebSocket-Key may have, decoded. RFC 6455 section 4.1 says 16; the AWS IoT Device SDK for Python v1 sends 128.
const (
	keyMin = 16
	keyMax = 192
)

// upgradeTime bounds the writing of the response.
const upgradeTime = 10 * time.Second

// Upgrade answers r with "101 Switching Protocols" and returns the stream. What is written to it must be whole messages; first returns
// the length of the first one in p, at least 1, and each goes into a separate frame: some clients read only the first message of a frame.
// On an error it has answered with that error and a plain text. The Origin is not checked (MQ-88): the caller has
// authenticated the request by its signature.
func Upgrade(w http.ResponseWriter, r *http.Request, first func(p []byte) int) (net.Conn, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	raw, err := base64.StdEncoding.DecodeString(key)
	switch {
	case r.Method != http.MethodGet:
		return nil, refuse(w, http.StatusMethodNotAllowed, "WebSocket needs GET")
	case !hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", "websocket"):
		w.Header().Set("Upgrade", "websocket")
		return nil, refuse(w, http.StatusUpgradeRequired, "this is a WebSocket endpoint")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		return nil, refuse(w, http.StatusUpgradeRequired, "only WebSocket version 13 is supported")
	case err != nil || len(raw) < keyMin || len(raw) > keyMax:
		return nil, refuse(w, http.StatusBadRequest, fmt.Sprintf("Sec-WebSocket-Key is not %d to %d bytes in base64", keyMin, keyMax))
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, refuse(w, http.StatusInternalServerError, "this connection cannot be upgraded")
	}
	accept := sha1.Sum([]byte(key + keySuffix))
	// Lower-case names, as AWS sends them: the SDK for Python v1 accepts no others.
	response := "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
		"sec-websocket-accept: " + base64.StdEncoding.EncodeToString(accept[:]) + "\r\n"
	if chosen := choose(r.Header); chosen != "" {
		response += "sec-websocket-protocol: " + chosen + "\r\n"
	}
	conn.SetDeadline(time.Now().Add(upgradeTime))
	if _, err := conn.Write([]byte(response + "\r\n")); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	early, _ := rw.Reader.Peek(rw.Reader.Buffered()) // the client may already have sent frames
	return &stream{Conn: conn, first: first, early: slices.Clone(early)}, nil
}

func refuse(w http.ResponseWriter, status int, text string) error {
	http.Error(w, text, status)
	return errors.New(text)
}

func hasToken(h http.Header, name, token string) bool {
	return slices.ContainsFunc(tokens(h, name), func(t string) bool { return strings.EqualFold(t, token) })
}

func tokens(h http.Header, name string) (all []string) {
	for _, line := range h.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(t))
		}
	}
	return all
}

// choose returns the subprotocol to answer with; none when the client offers none that is known.
func choose(h http.Header) string {
	for _, offered := range tokens(h, "Sec-WebSocket-Protocol") {
		if slices.Contains(subprotocols, offered) {
			return offered
		}
	}
	return ""
}
