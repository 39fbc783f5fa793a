package loglimit

import (
	"fmt"
	"testing"
	"time"
)

var start = time.Unix(1_790_000_000, 0)

func TestAKeyHasAFewLinesAMinute(t *testing.T) {
	l := New(3, 100)
	for i := range 10 {
		if left, ok := l.Take("a", start); ok != (i < 3) || left != 0 {
			t.Errorf("line %d: %v, %d left out", i, ok, left)
		}
	}
	if left, ok := l.Take("a", start.Add(time.Minute)); !ok || left != 7 {
		t.Errorf("a minute later: %v, %d left out; want 7", ok, left)
	}
	if left, ok := l.Take("a", start.Add(61*time.Second)); !ok || left != 0 {
		t.Errorf("the line after that: %v, %d left out; want none", ok, left)
	}
	if _, ok := l.Take("a", start.Add(-time.Hour)); !ok {
		t.Error("no line after the clock was set back")
	}
}

func TestAnHourlyLimitHoldsForAnHour(t *testing.T) {
	l := NewHourly(1, 100)
	for i, want := range []bool{true, false, false} {
		if _, ok := l.Take("a", start.Add(time.Duration(i)*59*time.Minute/2)); ok != want {
			t.Errorf("line %d: %v, want %v", i, ok, want)
		}
	}
	if left, ok := l.Take("a", start.Add(time.Hour)); !ok || left != 2 {
		t.Errorf("an hour later: %v, %d left out; want 2", ok, left)
	}
}

func TestAllKeysTogetherHaveABound(t *testing.T) {
	l := New(3, 50)
	lines := 0
	for i := range 100_000 {
		if _, ok := l.Take(fmt.Sprint("key", i), start); ok {
			lines++
		}
	}
	if lines != 50 {
		t.Errorf("%d lines, want 50", lines)
	}
}

func TestOneKeyDoesNotSilenceAnother(t *testing.T) {
	l := New(3, 100)
	for range 1000 {
		l.Take("loud", start)
	}
	heard := 0
	for i := range 20 { // some share a cell with the loud one
		if _, ok := l.Take(fmt.Sprint("quiet", i), start); ok {
			heard++
		}
	}
	if heard < 18 {
		t.Errorf("%d of 20 others have a line", heard)
	}
}

func TestNoneLeftOutIsNotShown(t *testing.T) {
	if got := LeftOut(0); got.Key != "" {
		t.Errorf("LeftOut(0) = %v", got)
	}
	if got := LeftOut(7); got.String() != "left_out=7" {
		t.Errorf("LeftOut(7) = %v", got)
	}
}

func TestNetworks(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:80":              "192.0.2.1",
		"192.0.2.1":                 "192.0.2.1",
		"[::ffff:192.0.2.1]:80":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::",
		"[fe80::1%eth0]:80":         "fe80::",
		"pipe":                      "",
		"":                          "",
	} {
		if got := Network(addr); got != want {
			t.Errorf("Network(%q) = %q, want %q", addr, got, want)
		}
	}
}
