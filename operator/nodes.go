package operator

import (
	"context"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
)

// Node is one of the servers that share a database.
type Node struct {
	Name        string    `json:"name"`
	Incarnation int64     `json:"incarnation"` // of its run: later ones are higher
	State       NodeState `json:"state"`
	Host        string    `json:"host"`
	Version     string    `json:"version"`
	Started     Instant   `json:"started"`
	Seen        Instant   `json:"seen"`   // when it said last that it works, about
	Leases      []string  `json:"leases"` // the shares of the work that it has, sorted
	Connections int       `json:"connections"`
	Operations  float64   `json:"operations"` // per second
	Asked       bool      `json:"asked"`      // it is the one that answers
}

// NodeState is what a node does.
type NodeState string

// States of nodes.
const (
	NodeWorks  NodeState = "works"
	NodeDrains NodeState = "drains" // it was ordered to; devices leave it, and it takes no work
	NodeDead   NodeState = "dead"   // it says nothing any more, and others take over
)

// NodeList is all nodes.
type NodeList struct {
	Nodes []Node `json:"nodes"` // by name, then incarnation
}

// DrainOrder has a node drain, or no longer.
type DrainOrder struct {
	Node  string `json:"node"`
	Drain bool   `json:"drain"`
}

// Nodes are the servers that share a database.
type Nodes interface {
	Nodes() []Node
	// Drain has a node drain, or no longer. It returns false if no node of that name works.
	Drain(node string, drain bool) bool
}

var errOneNode = muster.Errorf(muster.NotFound, "this server is the only one on its database; several share one with --bus")

func (p Parts) listNodes(context.Context, *Call, none) (NodeList, error) {
	if p.Nodes == nil {
		return NodeList{}, errOneNode
	}
	return NodeList{p.Nodes.Nodes()}, nil
}

// drainOrder fails when there are no nodes, whatever the body says.
func (p Parts) drainOrder(context.Context, *Call) (DrainOrder, error) {
	if p.Nodes == nil {
		return DrainOrder{}, errOneNode
	}
	return DrainOrder{Drain: true}, nil
}

func (p Parts) drainNode(_ context.Context, c *Call, order DrainOrder) (DrainOrder, error) {
	switch {
	case order.Node == "":
		return order, muster.Errorf(muster.Invalid, "\"node\" is missing: the name of a node")
	case !p.Nodes.Drain(order.Node, order.Drain):
		return order, muster.Errorf(muster.NotFound, "there is no node %q that works", order.Node)
	}
	c.Changes = []audit.Change{{Resource: "node/" + order.Node, Field: "drain", New: strconv.FormatBool(order.Drain)}}
	return order, nil
}
