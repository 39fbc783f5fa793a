package operator

import (
	"net/http"
	"strings"
	"testing"
)

// cluster is two nodes, and the last order.
type cluster struct {
	ordered string
	drains  bool
}

func (c *cluster) Nodes() []Node {
	return []Node{{Name: "a", State: NodeWorks, Leases: []string{"work/0"}}, {Name: "b", State: NodeDead}}
}

func (c *cluster) Drain(node string, drain bool) bool {
	c.ordered, c.drains = node, drain
	return node == "a"
}

func TestNodes(t *testing.T) {
	e, c := newEnv(t, nil), &cluster{}
	ask := func(method, body string, status int, want string) {
		t.Helper()
		got := e.send(e.admin, method, "/muster/v1/nodes", body)
		if got.Code != status || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s %s = %d %s, want %d with %s", method, body, got.Code, got.Body, status, want)
		}
	}
	e.server.o.Routes = Routes(Parts{})
	ask("GET", "", http.StatusNotFound, "--bus")
	ask("POST", `{"node":"a"}`, http.StatusNotFound, "--bus")
	e.server.o.Routes = Routes(Parts{Nodes: c})
	ask("GET", "", http.StatusOK, `{"nodes":[{"name":"a","incarnation":0,"state":"works",`)
	ask("POST", `{"node":"a"}`, http.StatusOK, `{"node":"a","drain":true}`)
	if c.ordered != "a" || !c.drains {
		t.Errorf("ordered %q, %v", c.ordered, c.drains)
	}
	ask("POST", `{"node":"a","drain":false}`, http.StatusOK, `{"node":"a","drain":false}`)
	if c.drains {
		t.Error("the order is not taken back")
	}
	ask("POST", `{"node":"c"}`, http.StatusNotFound, `no node \"c\" that works`)
	ask("POST", `{}`, http.StatusBadRequest, "is missing")
	ask("POST", `{"name":"a"}`, http.StatusBadRequest, "name")
}
