package diskstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
)

func TestList(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	for _, key := range []string{"a", "a/b", "a/c/d", "a/c/e", "a0", "b/", "b/x", "ä"} {
		e.put(key, "")
	}
	for name, test := range map[string]struct {
		q    diskstore.Query
		want string
	}{
		"everything":                     {diskstore.Query{Max: 1000}, "a a/b a/c/d a/c/e a0 b/ b/x ä"},
		"folders":                        {diskstore.Query{Delimiter: "/", Max: 1000}, "a a0 ä a/+ b/+"},
		"a folder":                       {diskstore.Query{Prefix: "a/", Delimiter: "/", Max: 1000}, "a/b a/c/+"},
		"a prefix that is a key":         {diskstore.Query{Prefix: "a", Delimiter: "/", Max: 1000}, "a a0 a/+"},
		"a folder with a key of its own": {diskstore.Query{Prefix: "b/", Delimiter: "/", Max: 1000}, "b/ b/x"},
		"after a key":                    {diskstore.Query{After: "a/c/d", Max: 1000}, "a/c/e a0 b/ b/x ä"},
		"after a key within a folder":    {diskstore.Query{After: "a/b", Delimiter: "/", Max: 1000}, "a0 ä a/+ b/+"},
		"after a folder":                 {diskstore.Query{After: "a/", Delimiter: "/", Max: 1000}, "a0 ä b/+"},
		"after what comes before":        {diskstore.Query{Prefix: "b", After: "a", Max: 1000}, "b/ b/x"},
		"another delimiter":              {diskstore.Query{Delimiter: "c/", Max: 1000}, "a a/b a0 b/ b/x ä a/c/+"},
		"nothing has the prefix":         {diskstore.Query{Prefix: "zz", Max: 1000}, ""},
		"none at all":                    {diskstore.Query{}, ""},
		"three":                          {diskstore.Query{Max: 3}, "a a/b a/c/d …"},
		"exactly as many as there are":   {diskstore.Query{Max: 8}, "a a/b a/c/d a/c/e a0 b/ b/x ä"},
		"two, one of them a folder":      {diskstore.Query{Delimiter: "/", Max: 2}, "a a/+ …"},
		"all, the last of them a folder": {diskstore.Query{Prefix: "a/", Delimiter: "/", Max: 2}, "a/b a/c/+"},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := e.List(t.Context(), "lab", test.q)
			var words []string
			for _, v := range page.Items {
				words = append(words, v.Key)
			}
			for _, p := range page.Prefixes {
				words = append(words, p+"+")
			}
			if page.More {
				words = append(words, "…")
			}
			if got := strings.Join(words, " "); err != nil || got != test.want {
				t.Errorf("List(%+v) = %s (%v), want %s", test.q, got, err, test.want)
			}
		})
	}
}

// The pages of a listing together are the whole listing, whatever their size.
func TestPagesMakeTheListing(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.versioning(diskstore.Enabled)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var key strings.Builder
		for range 1 + random.IntN(4) {
			key.WriteByte("a/b-"[random.IntN(4)])
		}
		if random.IntN(4) == 0 {
			e.del(key.String(), "")
		} else {
			e.put(key.String(), "")
		}
	}
	for _, q := range []diskstore.Query{{}, {Delimiter: "/"}, {Prefix: "a"}, {Prefix: "a/", Delimiter: "/"}, {Delimiter: "-/"}} {
		for name, list := range map[string]func(diskstore.Query) (diskstore.Page[diskstore.Version], error){
			"List": func(q diskstore.Query) (diskstore.Page[diskstore.Version], error) {
				return e.List(t.Context(), "lab", q)
			},
			"ListVersions": func(q diskstore.Query) (diskstore.Page[diskstore.Version], error) {
				return e.ListVersions(t.Context(), "lab", q)
			},
		} {
			q.Max = 1000
			whole, err := list(q)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1, 2, 7} {
				var items []diskstore.Version
				var prefixes []string
				for q := (diskstore.Query{Prefix: q.Prefix, Delimiter: q.Delimiter, Max: size}); ; {
					page, err := list(q)
					if err != nil {
						t.Fatal(err)
					}
					items, prefixes = append(items, page.Items...), append(prefixes, page.Prefixes...)
					if !page.More {
						break
					}
					q.After = page.Next
					if name == "ListVersions" {
						q.AfterID = page.NextID
					}
				}
				if got, want := describe(items)+fmt.Sprint(prefixes), describe(whole.Items)+fmt.Sprint(whole.Prefixes); got != want {
					t.Errorf("%s(%+v) in pages of %d:\n%s\nwant\n%s", name, q, size, got, want)
				}
			}
			if !slices.IsSorted(whole.Prefixes) {
				t.Errorf("%s(%+v) has the prefixes %v", name, q, whole.Prefixes)
			}
		}
	}
}
