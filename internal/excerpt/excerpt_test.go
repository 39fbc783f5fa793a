package excerpt

import "testing"

func TestOf(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 0, ""},
		{"a", 0, "…"},
		{"four", 4, "four"},
		{"fives", 4, "five…"},
		{"thé", 3, "th…"},
		{"thé", 4, "thé"},
		{"\xff", 1, "\xff"},
		{"a\xffbc", 3, "ab…"},
	} {
		if got := Of(c.text, c.limit); got != c.want {
			t.Errorf("Of(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}
