package gateway

// compactAbove is how many changes gather, while the store takes none, before they are compacted for the first time.
const compactAbove = 4096

// compact returns fewer changes with the same effect, at most as many as there are sessions, messages and topics. So what gathers
// stays bounded even if the store takes nothing for hours.
func compact(changes []Change) []Change { return annul(supersede(changes)) }

// supersede leaves out changes that a later one overrides: everything of a client before its session was dropped, all but the
// newest record of a session, and all but the newest retained message of a topic. The newest record moves to the place of the
// first one, because messages of an unknown session are dropped.
func supersede(changes []Change) []Change {
	dropped := map[string]int{} // client: place of the last DropSession
	topics := map[string]int{}  // topic: place of the last change of its retained message
	newest := map[string]int{}  // client: place of the last PutSession
	for i, c := range changes {
		switch c.Kind {
		case DropSession, Release:
			dropped[c.Client] = i
		case PutSession:
			newest[c.Client] = i
		case PutRetained, DropRetained:
			topics[c.Message.Topic] = i
		}
	}
	written := map[string]bool{}
	kept := make([]Change, 0, len(changes))
	for i, c := range changes {
		switch c.Kind {
		case PutRetained, DropRetained:
			if topics[c.Message.Topic] != i {
				continue
			}
		default:
			if at, ok := dropped[c.Client]; ok && i < at {
				continue
			}
			if c.Kind == PutSession {
				if written[c.Client] {
					continue
				}
				written[c.Client] = true
				c = changes[newest[c.Client]]
			}
		}
		kept = append(kept, c)
	}
	return kept
}

// annul leaves out messages that are added and dropped in the same batch. Most messages to a connected client are such, and need
// not reach the disk.
func annul(changes []Change) []Change {
	type key struct {
		client        string
		number, epoch uint64
	}
	dropped := map[key]bool{}
	for _, c := range changes {
		if c.Kind == DropMessage {
			dropped[key{c.Client, c.Number, c.Epoch}] = false
		}
	}
	if len(dropped) == 0 {
		return changes
	}
	for _, c := range changes {
		k := key{c.Client, c.Number, c.Epoch}
		if _, ok := dropped[k]; ok && c.Kind == AddMessage {
			dropped[k] = true
		}
	}
	kept := changes[:0]
	for _, c := range changes {
		if both := dropped[key{c.Client, c.Number, c.Epoch}]; !both || c.Kind != AddMessage && c.Kind != DropMessage {
			kept = append(kept, c)
		}
	}
	return kept
}
