package service

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// firstOfEach does one step of each work that the registry of a new process has: the
// search for the things that an earlier process left connected, and one other.
func (env *env) firstOfEach() {
	env.t.Helper()
	noErr(env.t, "Background", env.Commits.Background(env.t.Context(), env.stepsOf(env.Registry)[:2]))
}

func (env *env) wantFound(when, query string, want ...string) {
	env.t.Helper()
	found, err := env.SearchIndex(env.t.Context(), registry.IndexQuery{Text: query}, listing.Page{})
	var got []string
	for _, t := range found.Things {
		got = append(got, string(t.Name))
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		env.t.Fatalf("%s, SearchIndex(%s) = %v, %v; want %v", when, query, got, err, want)
	}
}

// A folder of a release without an index, stopped again and again while that is
// being built.
func TestTheIndexOfAnOldFolderIsBuilt(t *testing.T) {
	s := newStore(t)
	const n = 5 * stepMax
	first := newEnvOn(t, s, Options{})
	for i := range n {
		first.thing(fmt.Sprintf("t%04d", i))
	}
	for i := 0; ; i++ {
		env := newEnvOn(t, s, Options{})
		_, err := env.SearchIndex(t.Context(), registry.IndexQuery{Text: "*"}, listing.Page{})
		if err == nil {
			last := fmt.Sprintf("t%04d", n-1)
			env.wantFound("in the end", "thingName:"+last, last)
			break
		}
		wantKind(t, "SearchIndex while the index is built", err, muster.IndexNotReady)
		if status, err := env.IndexStatus(t.Context(), "AWS_Things"); status != "BUILDING" || err != nil {
			t.Fatalf("IndexStatus = %s, %v; want BUILDING", status, err)
		}
		if i > n {
			t.Fatal("the index is never built")
		}
		env.firstOfEach()
	}
	if problems, err := Verify(t.Context(), s); err != nil || len(problems) > 0 {
		t.Errorf("Verify: %v, %v", problems, err)
	}
}

func TestTheIndexCanBeSwitchedOff(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a")
	env.dynamic("northern", "attributes.site:north")
	env.indexing(func(c *muster.IndexingConfig) { c.Things, c.Connectivity = false, false })

	_, err := env.SearchIndex(t.Context(), registry.IndexQuery{Text: "*"}, listing.Page{})
	wantKind(t, "SearchIndex while the index is off", err, muster.NotFound)
	_, err = env.CreateDynamicThingGroup(t.Context(), muster.Group{Name: "g", Dynamic: &muster.MembershipRule{Query: "*"}}, nil)
	wantKind(t, "CreateDynamicThingGroup while the index is off", err, muster.Invalid)
	env.register("site", "north", "b")
	env.set("a", "site", "south")
	env.wantMembers("while the index is off", "northern", "a")

	env.indexing(func(c *muster.IndexingConfig) { c.Things = true })
	env.wantMembers("when it is on again", "northern", "b")
	env.wantFound("when it is on again", "attributes.site:south", "a")
}

func TestVerifyComparesTheIndex(t *testing.T) {
	for name, spoil := range map[string]func(store.Tx){
		"an entry is missing":             func(tx store.Tx) { links("entry").Delete(tx, "attributes.site\x00north\x00a") },
		"an entry is too many":            func(tx store.Tx) { links("entry").Put(tx, "attributes.site\x00east\x00a", store.Link{}) },
		"a number is missing":             func(tx store.Tx) { links("number").Delete(tx, "attributes.fw\x00bff0000000000000\x00a") },
		"a thing does not know its group": func(tx store.Tx) { records("groupof").Delete(tx, "a\x00northern") },
		"a group does not know its thing": func(tx store.Tx) { records("member").Delete(tx, "northern-id\x00a") },
		"a member no longer matches":      func(tx store.Tx) { things.Put(tx, "a", muster.Thing{Name: "a", ID: "id"}) },
	} {
		t.Run(name, func(t *testing.T) {
			s, id := newStore(t), "id"
			env := newEnvOn(t, s, Options{NewID: func() string { return id }})
			if _, err := env.CreateThing(t.Context(), muster.Thing{Name: "a", Attributes: map[string]string{"site": "north", "fw": "1"}}); err != nil {
				t.Fatal(err)
			}
			id = "northern-id"
			env.dynamic("northern", "attributes.site:north")
			if problems, err := Verify(t.Context(), s); err != nil || len(problems) > 0 {
				t.Fatalf("Verify before: %v, %v", problems, err)
			}
			env.write(spoil)
			if problems, err := Verify(t.Context(), s); err != nil || len(problems) == 0 {
				t.Errorf("Verify finds nothing, %v", err)
			}
		})
	}
}
