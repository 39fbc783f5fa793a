package gateway

import (
	"fmt"
	"hash/crc32"
	"log/slog"
	"strings"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
	"github.com/muster-iot/muster/internal/loglimit"
)

// Lines an hour about messages that clients do not get: of all clients together, and of one client for each reason. It has one for each
// family of topics; a hash puts the families into so many classes, so that a client with a wide filter leaves lines to the others.
const (
	withheldLinesAll = 600
	withheldFamilies = 16
)

// forbid counts a message that policy keeps from the client on c and logs it: the owner of the device has no other way to find out.
// Like tooLarge it is called under the session's lock; lines are few.
func (s *session) forbid(c *conn, name string) {
	s.server.count.receivesDenied.Add(1)
	s.server.tellWithheld(c, name, "message withheld: policy does not permit iot:Receive")
}

// tooLarge counts a message that is larger than the client takes, and logs it.
func (s *session) tooLarge(c *conn, name string, size int) {
	s.server.count.droppedLarge.Add(1)
	s.server.tellWithheld(c, name, "message dropped: larger than the client's Maximum Packet Size", slog.Int("bytes", size), slog.Int("limit", c.packetMax))
}

func (s *Server) tellWithheld(c *conn, name, why string, attrs ...any) {
	family := crc32.ChecksumIEEE([]byte(familyOf(name))) % withheldFamilies
	left, ok := s.withheld.Take(fmt.Sprint(why, "\x00", c.session.client, "\x00", family), time.Now())
	if !ok {
		return
	}
	attrs = append(attrs, slog.String("topic", name), slog.String("client", c.session.client),
		slog.String("principal", c.grant.Principal()), loglimit.LeftOut(left))
	s.log.Warn(why, attrs...)
}

// familyOf returns the beginning that topics for one purpose share: "$aws/things/<thing>/<service>" of reserved ones, the first level of
// others.
func familyOf(name string) string {
	levels := 1
	if topic.Reserved(name) {
		levels = 4
	}
	end := 0
	for ; levels > 0; levels-- {
		i := strings.IndexByte(name[end:], '/')
		if i < 0 {
			return name
		}
		end += i + 1
	}
	return name[:end-1]
}
