package plainjson

import (
	"math"
	"testing"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{"a<b> & \"c\"\n\x01é\u2028", `"a<b> & \"c\"\n\u0001é\u2028"`},
		{"ends with a line feed\n", `"ends with a line feed\n"`},
		{map[string]any{"url": "https://x/?a=1&b=2"}, `{"url":"https://x/?a=1&b=2"}`},
		{[]int{}, `[]`},
	} {
		if got := string(Encode(c.v)); got != c.want {
			t.Errorf("Encode(%q) = %s, want %s", c.v, got, c.want)
		}
	}
}

func TestEncodePanicsWithoutAJSONForm(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Encode(+Inf) returned")
		}
	}()
	Encode(math.Inf(1))
}
