package gateway

import "testing"

func TestWanted(t *testing.T) {
	both(t, func(t *testing.T, version byte) {
		b := newBench(t, Options{})
		c := b.connect(version, "lamp")
		c.Subscribe(1, "a/+", "b")
		for name, want := range map[string]bool{"a/x": true, "b": true, "a": false, "a/x/y": false} {
			if got := b.Wanted(name); got != want {
				t.Errorf("Wanted(%q) = %v, want %v", name, got, want)
			}
		}
	})
}
