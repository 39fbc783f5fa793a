package main

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns the two ends of a pseudo terminal of so many columns: what programs print on, and what a person sees.
func terminal(t *testing.T, columns int) (inside, outside *os.File) {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { outside.Close() })
	number, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(outside.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: uint16(columns)})
	}
	if err != nil {
		t.Fatal(err)
	}
	inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { inside.Close() })
	return inside, outside
}

func TestScreenOfTerminal(t *testing.T) {
	for _, test := range []struct {
		columns     int
		env         map[string]string
		width       int
		live, color bool
	}{
		{72, map[string]string{"COLUMNS": "100"}, 72, true, true},
		{0, map[string]string{"COLUMNS": "100"}, 100, true, true}, // a terminal that does not know
		{0, map[string]string{"COLUMNS": "many"}, 80, true, true},
		{72, map[string]string{"NO_COLOR": "1"}, 72, true, false},
		{72, map[string]string{"NO_COLOR": ""}, 72, true, true},
		{72, map[string]string{"TERM": "dumb"}, 72, false, false},
	} {
		t.Run(fmt.Sprint(test.columns, test.env), func(t *testing.T) {
			for name, otherwise := range map[string]string{"COLUMNS": "", "NO_COLOR": "", "TERM": "xterm"} {
				t.Setenv(name, otherwise)
			}
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			inside, _ := terminal(t, test.columns)
			if s := screenOf(inside); s != (screen{w: inside, width: test.width, live: test.live, color: test.color}) {
				t.Errorf("%+v", s)
			}
		})
	}
}
