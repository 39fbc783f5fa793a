package gateway

import "strings"

// Subscribed returns the filters without wildcards that begin with prefix and that a session, connected or kept, is
// subscribed to, in any order.
func (s *Server) Subscribed(prefix string) []string {
	var found []string
	for i := range s.index.shards {
		shard := &s.index.shards[i]
		shard.mu.RLock()
		for filter := range shard.filters {
			if strings.HasPrefix(filter, prefix) && !shapeOf(filter).wild() {
				found = append(found, filter)
			}
		}
		shard.mu.RUnlock()
	}
	return found
}
