package gateway

import (
	"net/http"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/websocket"
	"github.com/muster-iot/muster/internal/loglimit"
)

// ServeWebSocket upgrades r to MQTT over WebSocket and returns; the connection then lives on without anything of the
// request (mqtt-broker.md section 9). The caller has authenticated r already, and says in p who it is and until when it may
// stay. A request that is no WebSocket handshake is answered with the fitting 4xx.
func (s *Server) ServeWebSocket(w http.ResponseWriter, r *http.Request, p Peer) {
	c, err := websocket.Upgrade(w, r, firstPacket)
	if err != nil {
		if left, ok := s.refused.Take(loglimit.Network(p.Addr), time.Now()); ok {
			s.log.Info("WebSocket refused", "peer", p.Addr, "err", err, loglimit.LeftOut(left))
		}
		return
	}
	go s.ServeConn(c, p) // on a new goroutine, so that the stack of the HTTP server's is freed
}

// firstPacket returns the length of the first packet in p, which holds whole packets.
func firstPacket(p []byte) int {
	_, n, err := packet.Cut(p, len(p))
	if err != nil || n == 0 {
		return len(p)
	}
	return n
}
